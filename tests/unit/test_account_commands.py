"""The commands for accounts and exports: what they change, and that the audit trail says so."""

from __future__ import annotations

import io
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotline.cli import main
from records.store import Store

pytestmark = [pytest.mark.unit]

ME = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
Command = Callable[..., int]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///data/hotline.db")
    yield store
    store.close()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, store: Store) -> Command:
    def run(arguments: str, typed: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed + "\n"))
        return main(arguments.split())

    return run


def trail(store: Store) -> list[tuple[str, str, str, Any]]:
    items = store.audit.page()["items"][::-1]
    return [(item["who"], item["action"], item["about"], item["detail"]) for item in items]


def test_changes_of_accounts_are_in_the_trail(
    command: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert command("user add wang --role ops", "first password") == 0
    assert command("user add wang", "another password") == 1
    assert command("user add li", "short") == 2
    assert command("user add cli:root", "a long password") == 2
    assert command("user passwd wang", "second password") == 0
    assert command("user unlock nobody") == 1
    assert trail(store) == [
        (ME, "user_added", "wang", {"role": "ops"}),
        (ME, "user_changed", "wang", {"new_password": True}),
    ]


def test_a_locked_account_is_unlocked(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.add_user("wang", "ops", "first password")
    for _ in range(5):
        assert store.verify_user("wang", "wrong") is None
    until = store.accounts.get("wang")["locked_until"]
    assert command("user list") == 0
    assert until in capsys.readouterr().out
    assert command("user unlock wang") == 0
    assert store.verify_user("wang", "first password")
    assert trail(store) == [(ME, "user_changed", "wang", {"unlock": True})]


def test_a_second_factor_is_taken_away(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.add_user("wang", "ops", "first password")
    store.accounts.begin_totp("wang")
    assert command("user totp wang") == 2
    assert "--off takes it away" in capsys.readouterr().err
    assert command("user totp wang --off") == 0
    assert command("user totp nobody --off") == 1
    assert trail(store) == [(ME, "user_changed", "wang", {"totp": False})]


def test_exports_are_in_the_trail_before_anything_is_written(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.save_call("c1", node="n", caller="13800000000", callee="12345", started_at="2025-01-01T00:00:00Z")
    for format_ in ("vcon", "csv", "txt"):
        assert command(f"export c1 --format {format_}") == 0
    assert command("export c2") == 1
    assert trail(store) == [(ME, "export", "c1", {"format": name}) for name in ("vcon", "csv", "txt")]
    with store._db.write() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO lost")
    capsys.readouterr()
    assert command("export c1") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "no such table: audit" in said.err
