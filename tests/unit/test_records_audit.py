"""The audit trail: kept with what it tells of or not at all, merged where asked, found again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from records import CHINA, NotFound, RecordsError
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hotline.db"


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    store = Store(url, clock=clock)
    yield store
    store.close()


def test_an_entry_says_who_did_what_when_and_from_where(store: Store) -> None:
    store.audit("li", "ops", "ticket_changed", "25030900001", {"fields": ["status"]}, "10.0.0.7")
    assert store.audit.page() == {
        "items": [
            {
                "id": 1,
                "at": "2025-03-09T04:00:00.000Z",
                "who": "li",
                "role": "ops",
                "action": "ticket_changed",
                "about": "25030900001",
                "detail": {"fields": ["status"]},
                "address": "10.0.0.7",
            }
        ],
        "total": 1,
        "page": 1,
    }


def test_entries_are_found_by_person_thing_action_and_time(store: Store, clock: Clock) -> None:
    for minute, (who, action, about) in enumerate(
        [("li", "login", ""), ("li", "listen", "c1"), ("wang", "listen", "c1"), ("wang", "listen", "c2")]
    ):
        clock.now = NOON + timedelta(minutes=minute)
        store.audit(who, "ops", action, about)

    def found(**filters: object) -> list[int]:
        return [entry["id"] for entry in store.audit.page(**filters)["items"]]  # type: ignore[arg-type]

    assert found() == [4, 3, 2, 1]
    assert found(who="li") == [2, 1]
    assert found(about="c1") == [3, 2]
    assert found(about="c1", who="wang", action="listen") == [3]
    assert found(from_=NOON + timedelta(minutes=1), to=NOON + timedelta(minutes=3)) == [3, 2]
    assert found(page=2) == []


def test_listening_is_one_entry_for_person_call_address_and_time(store: Store, clock: Clock) -> None:
    def listened(who: str = "li", call: str = "c1", address: str = "10.0.0.7") -> bool:
        return store.audit.once(600, who, "ops", "listen", call, address)

    assert [listened() for _ in range(5)] == [True, False, False, False, False]
    assert listened(who="wang")
    assert listened(call="c2")
    assert listened(address="10.0.0.8")
    clock.now += timedelta(seconds=599)
    assert not listened()
    clock.now += timedelta(seconds=1)
    assert listened()
    assert store.audit.page()["total"] == 5


def test_what_is_undone_leaves_no_entry_and_what_leaves_none_is_undone(store: Store) -> None:
    def remove(name: str, *, first: str) -> None:
        with store.batch():
            if first == "entry":
                store.audit("li", "admin", "user_removed", name)
            store.accounts.remove(name)
            if first == "change":
                store.audit("li", "admin", "user_removed", name)

    with pytest.raises(NotFound):
        remove("nobody", first="entry")
    assert store.audit.page()["total"] == 0
    store.add_user("wang", "seat", "long enough pw")
    with store._db.write() as connection:  # as a broken table would
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO lost")
    with pytest.raises(RecordsError, match="audit"):
        remove("wang", first="change")
    assert store.accounts.get("wang")
