"""The database under the store: durable, brought up step by step, and clear about what is wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql

from records import CHINA, Conflict, RecordsError
from records.engine import upsert_statement
from records.migrations import LATEST, migrate
from records.schema import metadata
from records.seats import claim_statement
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db", clock=lambda: NOON)
    yield store
    store.close()


def test_sqlite_is_set_up_to_be_durable(store: Store) -> None:
    with store._db.read() as connection:

        def pragma(name: str) -> Any:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 5000


def test_a_batch_is_committed_at_once_and_one_bad_write_fails_alone(store: Store, tmp_path: Path) -> None:
    with store.batch():
        store.save_call("c1", caller="1")
        with pytest.raises(Conflict):
            store.save_turn("c1", 0, who=None, text="x")
        store.save_call("c2", caller="2")
        outside = sqlite3.connect(tmp_path / "hotline.db")
        assert outside.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    assert outside.execute("SELECT id FROM calls ORDER BY id").fetchall() == [("c1",), ("c2",)]
    outside.close()


def test_a_batch_of_all_or_none_leaves_nothing_of_what_came_before_a_bad_write(store: Store) -> None:
    def write(who: str | None) -> None:
        with store.batch(all_or_none=True):
            store.save_call("c1", caller="1")
            store.save_turn("c1", 0, who="caller", text="x")
            store.save_turn("c1", 1, who=who, text="y")

    with pytest.raises(Conflict):
        write(None)
    assert store.call("c1") is None
    write("agent")
    store.save_turn("c1", 0, text="x z", ended_s=2.0)
    call = store.call("c1")
    assert call
    assert [(turn["who"], turn["text"]) for turn in call["turns"]] == [("caller", "x z"), ("agent", "y")]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    first.save_call("c1", caller="1")
    first.close()
    second = Store(url)
    assert second.calls()["total"] == 1
    second.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store(f"sqlite:///{path}").close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE schema_version SET version = 99")
    raw.commit()
    raw.close()
    with pytest.raises(RecordsError, match="schema version 99, this program knows"):
        Store(f"sqlite:///{path}")


def test_an_older_database_is_brought_up_step_by_step(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    ran: list[int] = []
    with engine.begin() as connection:
        migrate(connection)
    steps = {
        LATEST + 1: lambda c: ran.append(LATEST + 1),
        LATEST + 2: lambda c: c.exec_driver_sql("CREATE TABLE later (id INTEGER)") and ran.append(LATEST + 2),
    }
    for _ in range(2):  # the second time there is nothing left to do
        with engine.begin() as connection:
            migrate(connection, steps=steps, latest=LATEST + 2)
    assert ran == [LATEST + 1, LATEST + 2]
    assert "later" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_database_of_version_1_keeps_its_turns_and_learns_what_was_heard(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    first.save_turn("c1", 0, who="caller", text="你好")
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 1)
    raw.commit()
    raw.close()
    store = Store(url)
    store.save_turn("c1", 1, who="caller", text="18号", asr_raw="十八号")
    call = store.call("c1")
    assert call
    assert [(turn["text"], turn["asr_raw"]) for turn in call["turns"]] == [("你好", ""), ("18号", "十八号")]
    store.close()


def test_a_database_of_version_2_keeps_its_calls_and_learns_how_their_lines_were(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    first.save_call("c1", caller="1")
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 2)
    raw.commit()
    raw.close()
    store = Store(url)
    old = store.call("c1")
    assert old
    assert (old["caller"], old["line"]) == ("1", [])
    store.add_line("c1", {"leg": "caller"})
    new = store.call("c1")
    assert new
    assert new["line"] == [{"leg": "caller"}]
    store.close()


def test_a_database_of_version_3_keeps_its_work_orders_and_learns_knowledge(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    fields = {"caller": "1", "category": "供水", "department": "水务局", "urgency": "normal", "title": "停水"}
    number = first.file_ticket("k", call_id=None, text="停水", slots={"place": "人民路18号"}, **fields)
    first.save_turn("c1", 0, who="agent", text="您好")
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 3)
    raw.commit()
    raw.close()
    store = Store(url)
    ticket, call = store.ticket(number), store.call("c1")
    assert ticket
    assert call
    assert (ticket["secret"], ticket["joins"], call["satisfaction"]) == (False, "", None)
    assert call["turns"][0]["decision"] == {}
    same = store.open_ticket_like("供水", "人民路18号")
    assert same
    assert same["id"] == number
    assert store.open_ticket_like("供水", "人民路20号") is None
    assert store.open_ticket_like("供电", "人民路18号") is None
    assert store.open_ticket_like("供水", "") is None
    store.close()


def test_a_database_of_version_4_keeps_its_seats_and_accounts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    first.seed_seats([{"id": "s1", "name": "小李", "uri": "sip:1@192.0.2.1", "skills": [], "status": "free"}])
    first.add_user("li", "seat", "a long password")
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 4)
    raw.commit()
    raw.close()
    store = Store(url)
    (seat,) = store.seats()
    assert (seat["status"], seat["node"], seat["user"], seat["verdict"]) == ("free", "", "", "")
    assert store.verify_user("li", "a long password")
    claimed = store.claim_seat("", "c1")
    assert claimed
    store.close()


def test_a_database_of_version_5_keeps_who_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    first.queue.claim("", "c1")
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 5)
    raw.commit()
    raw.close()
    store = Store(url)
    store.seed_seats([{"id": "s1", "uri": "sip:1@192.0.2.1", "status": "free"}])
    assert store.queue.claim("", "c2").seat is None, "it is for who waited before"
    assert store.queue.claim("", "c1").seat
    store.close()


def test_a_database_of_version_6_keeps_its_callbacks(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = Store(url)
    promised = {"reason": "promised", "call_id": "c1", "caller": "13800138000", "due_at": NOON}
    id_ = first.callbacks.promise("k1", **promised, summary={"request": "社保卡"})
    first.close()
    raw = sqlite3.connect(tmp_path / "a.db")
    _take_back(raw, 6)
    raw.commit()
    raw.close()
    store = Store(url)
    row = store.callbacks.get(id_)
    assert row
    assert (row["summary"], row["seat"], row["note"]) == ({"request": "社保卡"}, "", "")
    store.close()


def _take_back(raw: sqlite3.Connection, version: int) -> None:
    """Make the database what that version of the program left behind."""
    for since, change in (
        (7, "ALTER TABLE callbacks DROP COLUMN seat"),
        (7, "ALTER TABLE callbacks DROP COLUMN note"),
        (6, "ALTER TABLE waiting DROP COLUMN exclude"),
        (2, "ALTER TABLE turns DROP COLUMN asr_raw"),
        (3, "ALTER TABLE calls DROP COLUMN line"),
        (4, "ALTER TABLE turns DROP COLUMN decision"),
        (4, "ALTER TABLE calls DROP COLUMN satisfaction"),
        (4, "ALTER TABLE tickets DROP COLUMN secret"),
        (4, "ALTER TABLE tickets DROP COLUMN joins"),
        (4, "DROP TABLE passages"),
        (4, "DROP TABLE knowledge_revision"),
        (4, "DROP TABLE outbox"),
        (5, "ALTER TABLE seats DROP COLUMN node"),
        (5, "ALTER TABLE seats DROP COLUMN user"),
        (5, "ALTER TABLE seats DROP COLUMN verdict"),
        (5, "ALTER TABLE users DROP COLUMN failures"),
        (5, "ALTER TABLE users DROP COLUMN locked_until"),
        (5, "ALTER TABLE users DROP COLUMN totp_secret"),
        (5, "DROP TABLE nodes"),
        (5, "DROP TABLE waiting"),
        (5, "DROP TABLE call_commands"),
        (5, "DROP TABLE callbacks"),
        (5, "DROP TABLE audit"),
    ):
        if version < since:
            raw.execute(change)
    raw.execute(f"UPDATE schema_version SET version = {version}")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "a.db")
    raw.execute("CREATE TABLE calls (x INTEGER)")
    raw.commit()
    raw.close()
    with pytest.raises(RecordsError, match="a table calls of another program"):
        Store(f"sqlite:///{tmp_path}/a.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///{tmp}/file/a.db", "cannot be written"),
        ("sqlite:///{tmp}", "cannot be written"),
        ("sqlite:///{tmp}/file", "file is not a database"),
        ("sqlite://", "names no file"),
        ("hotline.db", "is not a database URL"),
        ("mysql://h/db", "names mysql; right is sqlite or postgresql"),
    ],
)
def test_a_bad_database_is_one_clear_line(tmp_path: Path, url: str, message: str) -> None:
    (tmp_path / "file").write_bytes(b"this is not a database, but long enough to be looked at" * 30)
    with pytest.raises(RecordsError, match=message) as caught:
        Store(url.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)


def test_the_special_statements_are_also_good_postgresql() -> None:
    dialect = postgresql.dialect()
    calls = metadata.tables["calls"]
    statement = upsert_statement("postgresql", calls, ("id",), ("caller",))
    text = str(statement.compile(dialect=dialect, column_keys=["id", "caller"]))  # type: ignore[attr-defined]
    assert "ON CONFLICT (id) DO UPDATE SET caller = excluded.caller" in text
    claim = str(claim_statement("x", "c", NOON, ["s1"]).compile(dialect=dialect))
    assert "FOR UPDATE SKIP LOCKED" in claim
    assert "RETURNING seats.id" in claim
