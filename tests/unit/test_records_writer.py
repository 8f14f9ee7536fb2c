"""The writer: order, durability, batches, and what happens when the database cannot be written."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from records import CHINA, RecordsError, engine, writer
from records.store import Store
from records.writer import Writer

pytestmark = [pytest.mark.unit]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hotline.db"


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr(writer, "RETRY_AFTER_S", (0.0, 0.0))
    store = Store(f"sqlite:///{path}", clock=lambda: datetime(2025, 3, 9, tzinfo=CHINA))
    yield store
    store.close()


def committed(path: Path) -> list[str]:
    """What another process would find in the database."""
    with closing(sqlite3.connect(path)) as other:
        return [row[0] for row in other.execute("SELECT id FROM calls ORDER BY id")]


class Gate:
    """Holds the writer's thread inside a write until it is opened, so that a test decides what waits."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def hold(self, about: str) -> None:
        self.entered.set()
        self.opened.wait(10)


@pytest.mark.anyio
async def test_durable_means_committed_and_in_order(store: Store, path: Path) -> None:
    records = Writer(store)
    for n in range(300):
        records.submit(store.save_call, f"c{n:03d}", caller=str(n))
        records.submit(store.save_call, f"c{n:03d}", caller="last")
    await records.durable()
    assert committed(path) == [f"c{n:03d}" for n in range(300)]
    assert {call["caller"] for call in store.calls()["items"]} == {"last"}
    records.close()


@pytest.mark.anyio
async def test_writes_that_wait_are_committed_together(store: Store, path: Path) -> None:
    records, gate = Writer(store), Gate()
    begun: list[object] = []
    batch = store.batch

    def counting(*, all_or_none: bool = False) -> Any:
        begun.append(None)
        return batch(all_or_none=all_or_none)

    store.batch = counting  # type: ignore[method-assign]
    records.submit(gate.hold, "")
    gate.entered.wait(10)
    for n in range(100):
        records.submit(store.save_call, f"c{n:02d}")
    gate.opened.set()
    await records.durable()
    assert len(committed(path)) == 100
    assert len(begun) == 2
    records.close()


@pytest.mark.anyio
async def test_more_than_a_batch_is_written_whether_urgent_or_not(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_SIZE", 3)
    records = Writer(store)
    for n in range(10):
        records.submit(store.save_call, f"c{n}")
    await records.durable(urgent=False)
    assert len(committed(path)) == 10
    for n in range(10, 20):
        records.submit(store.save_call, f"c{n}")
    await records.durable()
    assert len(committed(path)) == 20
    records.close()


@pytest.mark.anyio
async def test_what_was_said_is_kept_even_if_its_call_was_never_saved(store: Store) -> None:
    records = Writer(store)
    records.submit(store.save_turn, "c1", 0, who="caller", text="你好")
    records.submit(store.add_event, "c2", 1.0, "barge_in", {})
    records.submit(store.add_line, "c3", {"leg": "caller"})
    await records.durable()
    kept = [store.call(call_id) or {} for call_id in ("c1", "c2", "c3")]
    assert [turn["text"] for turn in kept[0]["turns"]] == ["你好"]
    assert [event["kind"] for event in kept[1]["events"]] == ["barge_in"]
    assert kept[2]["line"] == [{"leg": "caller"}]
    records.close()


@pytest.mark.anyio
async def test_run_gives_the_result_after_what_was_submitted_before(store: Store, path: Path) -> None:
    records = Writer(store)
    records.submit(store.save_call, "c1", caller="1")
    number = await records.run(
        store.file_ticket,
        "k",
        call_id="c1",
        caller="1",
        category="",
        department="",
        urgency="normal",
        title="",
        text="",
        slots={},
    )
    assert number == "25030900001"
    assert committed(path) == ["c1"]
    with pytest.raises(RecordsError, match="no work order"):
        await records.run(store.update_ticket, "7", status="closed")
    records.close()


@pytest.mark.anyio
async def test_a_failed_write_is_reported_once_to_whom_it_concerns(store: Store, path: Path) -> None:
    records = Writer(store)
    records.submit(store.save_turn, "c1", 0, who=None)
    records.submit(store.save_call, "c2", colour="red")
    records.submit(store.save_call, "c3", caller="3")
    await records.durable("c3")
    with pytest.raises(RecordsError, match=r"1 writes failed, the first about c1"):
        await records.durable("c1")
    await records.durable("c1")
    with pytest.raises(RecordsError, match="the first about c2"):
        await records.durable()
    await records.durable()
    assert committed(path) == ["c3"]
    records.close()


@pytest.mark.anyio
async def test_writes_survive_a_database_that_is_locked_for_a_while(store: Store, path: Path) -> None:
    records = Writer(store)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    records.submit(store.save_call, "c1", caller="1")
    with pytest.raises(RecordsError, match="database is locked"):
        await records.durable("c1")
    with pytest.raises(RecordsError, match="database is locked"):
        await records.run(store.save_call, "c2")
    assert committed(path) == []
    blocker.execute("COMMIT")
    blocker.close()
    records.submit(store.save_call, "c3")
    await records.durable("c3")
    assert committed(path) == ["c1", "c3"]  # whoever waited for c2 was told, and may try again
    records.close()


@pytest.mark.anyio
async def test_close_writes_what_is_queued_and_refuses_more(store: Store, path: Path) -> None:
    records = Writer(store)
    for n in range(50):
        records.submit(store.save_call, f"c{n:02d}")
    records.close()
    assert len(committed(path)) == 50
    records.submit(store.save_call, "late")
    with pytest.raises(RecordsError, match="the writer is closed"):
        await records.durable()


def test_close_says_when_records_are_lost(store: Store, path: Path) -> None:
    records = Writer(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        records.submit(store.save_call, "c1")
        with pytest.raises(RecordsError, match="the latest records are lost"):
            records.close()
