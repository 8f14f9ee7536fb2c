"""From a call's events to the store and to those who watch live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog.testing

from desk.live import LiveFeed
from hotline.journal import RecordJournal
from records.store import Store
from records.writer import Writer
from voice.events import CallAnswered, CallEnded, CallEvent, CallStarted, Happened, LineQuality

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

NOON = datetime(2025, 3, 9, 4, 0, tzinfo=timezone.utc)
EVENTS: list[CallEvent] = [
    CallStarted("c1", "13800000000", "12345", NOON, "c1.wav"),
    CallAnswered("c1", NOON),
    Happened("c1", 1.4999999999999305, "barge_in"),
    LineQuality("c1", "seat", "PCMU", 50, 0, 1.0, 50, 0, 0.0, None, 0),
    LineQuality("c1", "caller", "PCMA", 4210, 12, 3.1, 4228, 4, 5.0, 38.5, 2),
    CallEnded("c1", NOON, "media_timeout", "abandoned"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    yield store
    store.close()


class KeptFeed(LiveFeed):
    """Notes what was published, and how much of it the store knew by then."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.told: list[dict[str, Any]] = []
        self.stored: list[int] = []
        self.all = anyio.Event()

    def publish(self, event: dict[str, Any]) -> None:
        self.told.append(event)
        call = self.store.call("c1")
        self.stored.append(len(call["line"]) if call else -1)
        if len(self.told) == len(EVENTS):
            self.all.set()


async def test_every_event_is_counted_stored_and_then_told(store: Store) -> None:
    feed, counted = KeptFeed(store), list[CallEvent]()
    writer = Writer(store)
    journal = RecordJournal(store, writer, feed, "n1", observe=counted.append)
    for event in EVENTS:
        journal.emit(event)
    assert counted == EVENTS
    assert journal.queue == len(EVENTS)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.tell_live)
        await feed.all.wait()
        tasks.cancel_scope.cancel()
    assert journal.queue == 0
    assert [event["kind"] for event in feed.told] == [
        "call_started",
        "call_answered",
        "barge_in",
        "line_quality",
        "line_quality",
        "call_ended",
    ]
    assert (feed.told[0]["at"], feed.told[2]["at_s"]) == ("2025-03-09T04:00:00.000Z", 1.5)
    assert feed.stored == [2] * len(EVENTS), "all of it was in the store before any of it was told"
    journal.close()
    writer.close()
    call = store.call("c1")
    assert call
    assert (call["end_reason"], call["node"]) == ("media_timeout", "n1")
    assert [event["at_s"] for event in call["events"]] == [1.5]
    assert [line["leg"] for line in call["line"]] == ["seat", "caller"]
    assert call["line"][1] == {
        "leg": "caller",
        "codec": "PCMA",
        "received_packets": 4210,
        "lost_packets": 12,
        "jitter_ms": 3.1,
        "sent_packets": 4228,
        "remote_lost_packets": 4,
        "remote_jitter_ms": 5.0,
        "round_trip_ms": 38.5,
        "late_frames": 2,
    }


async def test_one_who_watches_and_breaks_costs_neither_the_call_nor_its_record(store: Store) -> None:
    feed, seen = KeptFeed(store), list[CallEvent]()

    def breaks(event: CallEvent) -> None:
        raise ValueError("a bug")

    writer = Writer(store)
    journal = RecordJournal(store, writer, feed, "n1", observe=breaks)
    journal.watch(seen.append)
    with structlog.testing.capture_logs() as logs:
        for event in EVENTS:
            journal.emit(event)
        await journal.durable()
    writer.close()
    journal.close()
    assert seen == EVENTS
    call = store.call("c1")
    assert call
    assert call["end_reason"] == "media_timeout"
    assert {entry["event"] for entry in logs} == {"observer_failed"}
