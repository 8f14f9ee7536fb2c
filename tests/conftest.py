"""Fixtures shared by all tests, and the order of their modules."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from records import users


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, the only loop the program uses."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Passwords are hashed at a thousandth of what it costs, where it is not the cost that is tested."""
    with pytest.MonkeyPatch.context() as patch:
        _hash_with(patch, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture
def dear_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as in the program."""
    _hash_with(monkeypatch, PasswordHasher())


def _hash_with(patch: pytest.MonkeyPatch, hasher: PasswordHasher) -> None:
    patch.setattr(users, "_hasher", hasher)
    patch.setattr(users, "_NOBODY", users._fits_none())


def pytest_configure() -> None:
    """In the background, shells have programs and all that they start pass over Ctrl-C; tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that may take longest begin first, so that in the end no process waits for another's."""
    items.sort(key=lambda item: -_timeout_s(item))


def _timeout_s(item: pytest.Item) -> float:
    """How long a module's tests may take, where it says so itself."""
    module = item.getparent(pytest.Module)
    marker = module.get_closest_marker("timeout") if module is not None else None
    return float(marker.args[0]) if marker is not None else 0.0
