"""When a message to the city's system is sent again, and how it is signed."""

from __future__ import annotations

import hashlib
import hmac
import re
import textwrap
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hotline.outbox import Answer, Outbox, sign
from records.outbox import Letter
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 4, 0, tzinfo=timezone.utc)


def wait_s(
    store: Store, answer: Answer, *, attempt: int = 1, age: timedelta = timedelta(), jitter: float = 1.0
) -> float | None:
    outbox = Outbox(
        store, "http://127.0.0.1:1", "s", give_up_after_h=72, clock=lambda: NOON, jitter=lambda: jitter
    )
    again = outbox.again_at(Letter(1, "k", {}, attempt, NOON - age), answer)
    return (again - NOON).total_seconds() if again else None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/hotline.db")


@pytest.mark.parametrize(
    ("status", "taken", "final"),
    [
        (200, True, False),
        (204, True, False),
        (409, True, True),
        (400, False, True),
        (401, False, True),
        (404, False, True),
        (408, False, False),
        (425, False, False),
        (429, False, False),
        (302, False, False),
        (500, False, False),
        (503, False, False),
        (None, False, False),
    ],
)
def test_what_an_answer_means(status: int | None, taken: bool, final: bool) -> None:
    assert (Answer(status).taken, Answer(status).final) == (taken, final)


def test_waits_double_up_to_an_hour_and_vary_by_half(store: Store) -> None:
    broken = Answer(500)
    assert [wait_s(store, broken, attempt=attempt) for attempt in (1, 2, 3, 11, 12, 500)] == [
        2,
        4,
        8,
        2048,
        3600,
        3600,
    ]
    assert wait_s(store, broken, attempt=3, jitter=0.0) == 4
    assert wait_s(store, broken, attempt=3, jitter=0.5) == 6


@pytest.mark.parametrize(
    ("retry_after", "waits_s"),
    [
        ("120", 120),
        ("1", 2),
        ("Sun, 09 Mar 2025 04:10:00 GMT", 600),
        ("Sun, 09 Mar 2025 03:00:00 GMT", 2),
        ("Sun, 09 Mar 2025 04:10:00 -0000", 2),
        ("999999999", 86400),
        ("soon", 2),
        ("", 2),
    ],
)
def test_retry_after_is_a_least_wait_within_reason(store: Store, retry_after: str, waits_s: float) -> None:
    assert wait_s(store, Answer(429, "", retry_after)) == waits_s


def test_a_message_is_given_up_at_its_age_and_at_a_final_refusal(store: Store) -> None:
    assert wait_s(store, Answer(None), age=timedelta(hours=72, seconds=-2)) == 2
    assert wait_s(store, Answer(None), age=timedelta(hours=72, seconds=-1)) is None
    assert wait_s(store, Answer(400)) is None


def test_a_message_is_signed_with_its_time() -> None:
    """The figure is that of `printf '%s' '1741492800.{"a":1}' | openssl dgst -sha256 -hmac key`."""
    expected = "sha256=dcac4217a5b1bdb2ddafbfc31b020587d0ba4ed6cc32db33cf4c508ac23c1b6d"
    assert sign("key", "1741492800", b'{"a":1}') == expected
    assert sign("key", "1741492801", b'{"a":1}') != expected
    assert sign("kez", "1741492800", b'{"a":1}') != expected


def test_the_check_in_operations_takes_what_is_ours_and_nothing_else() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"^    def is_ours.*?(?=^\S)", page, re.M | re.S)
    assert found
    clock = SimpleNamespace(time=lambda: 1741492800.5)
    names: dict[str, Any] = {"hashlib": hashlib, "hmac": hmac, "time": clock}
    exec(textwrap.dedent(found[0]), names)
    is_ours: Callable[[dict[str, str], bytes, str], bool] = names["is_ours"]
    body, now = b'{"key":"k"}', "1741492790"
    headers = {"X-Hotline-Timestamp": now, "X-Hotline-Signature": sign("secret of both", now, body)}
    assert is_ours(headers, body, "secret of both")
    assert not is_ours(headers, body, "another secret")
    assert not is_ours(headers, body + b" ", "secret of both")
    old = "1741492400"
    headers = {"X-Hotline-Timestamp": old, "X-Hotline-Signature": sign("secret of both", old, body)}
    assert not is_ours(headers, body, "secret of both")
