"""From a call session's events to the store and to those who watch live."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import anyio
import structlog

from desk.live import LiveFeed
from dialog import Summary
from records import RecordsError, to_iso
from records.store import Store
from records.writer import Writer
from voice.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallStarted,
    Happened,
    LineQuality,
    TicketFiled,
    TransferUpdated,
    Turn,
)

log = structlog.get_logger()
_NOBODY = "live feed"  # no write is about it, so that failures are left for durable() to tell


class RecordJournal:
    """A voice.events.Journal: written in order by the writer's thread, then told to the live feed.

    `observe` counts every event as it is emitted.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        live: LiveFeed,
        node: str,
        observe: Callable[[CallEvent], None] = lambda event: None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._live = live
        self._node = node
        self._observers = [observe]
        self._written, self._to_tell = anyio.create_memory_object_stream[CallEvent](math.inf)
        self._telling = 0

    @property
    def queue(self) -> int:
        """How many events are not in the store yet, as far as is known."""
        return self._to_tell.statistics().current_buffer_used + self._telling

    def watch(self, observe: Callable[[CallEvent], None]) -> None:
        """Show `observe` too every event as it is emitted; it must not wait."""
        self._observers.append(observe)

    def emit(self, event: CallEvent) -> None:
        self._write(event)
        self._written.send_nowait(event)
        for observe in self._observers:
            try:
                observe(event)
            except Exception as error:  # of who watches: the call goes on, and is on record
                log.error("observer_failed", call_id=event.call_id, exc_info=error)

    async def tell_live(self) -> None:
        """Publish each event once it is in the store, where its hearers will read it; until cancelled."""
        async for event in self._to_tell:
            # What came meanwhile is in the same commit: one wait for all of it keeps up with many calls.
            events = [event]
            while self._to_tell.statistics().current_buffer_used:
                events.append(self._to_tell.receive_nowait())
            self._telling = len(events)
            await self._writer.durable(about=_NOBODY, urgent=False)
            self._telling = 0
            for event in events:
                self._live.publish(_as_json(event))

    def close(self) -> None:
        """No more events; the live feed is told nothing further."""
        self._written.close()
        self._to_tell.close()

    async def durable(self) -> None:
        try:
            await self._writer.durable()
        except RecordsError as error:  # the call goes on: a person on the line matters more than its record
            log.error("record_not_durable", error=str(error))

    def _write(self, event: CallEvent) -> None:
        submit, store, call_id = self._writer.submit, self._store, event.call_id
        if isinstance(event, CallStarted):
            submit(
                store.save_call,
                call_id,
                node=self._node,
                caller=event.caller,
                callee=event.callee,
                started_at=event.at,
                recording=event.recording,
            )
        elif isinstance(event, CallAnswered):
            submit(store.save_call, call_id, answered_at=event.at)
        elif isinstance(event, Turn):
            values = _values(event)
            del values["call_id"]
            submit(store.save_turn, call_id, **values)
        elif isinstance(event, Happened):
            submit(store.add_event, call_id, _values(event)["at_s"], event.kind, dict(event.detail))
        elif isinstance(event, TransferUpdated):
            submit(
                store.save_transfer, call_id, event.reason, asdict(event.summary), event.seat, event.outcome
            )
        elif isinstance(event, TicketFiled):
            submit(store.save_call, call_id, ticket_id=event.ticket_id)
        elif isinstance(event, LineQuality):
            quality = _values(event)
            del quality["call_id"]
            submit(store.add_line, call_id, quality)
        elif isinstance(event, CallEnded):
            submit(
                store.save_call,
                call_id,
                ended_at=event.at,
                end_reason=event.end_reason,
                outcome=event.outcome,
                satisfaction=event.satisfaction,
            )


_KINDS: dict[type, str] = {
    CallStarted: "call_started",
    CallAnswered: "call_answered",
    Turn: "turn",
    TransferUpdated: "transfer",
    TicketFiled: "ticket",
    LineQuality: "line_quality",
    CallEnded: "call_ended",
}


_SECONDS = frozenset({"started_s", "ended_s", "at_s"})
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in (*_KINDS, Happened)}


def _values(event: CallEvent) -> dict[str, Any]:
    """As dataclasses.asdict, without its deep copies, which would take longer than all else done here.

    Seconds are whole milliseconds: what a sum of frames has beyond them is not to be read.
    """
    values = {name: getattr(event, name) for name in _FIELDS[type(event)]}
    for name in _SECONDS.intersection(values):
        if values[name] is not None:
            values[name] = round(values[name], 3)
    return values


def _as_json(event: CallEvent) -> dict[str, Any]:
    values = {name: _plain(value) for name, value in _values(event).items()}
    return values if isinstance(event, Happened) else {"kind": _KINDS[type(event)], **values}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_iso(value)
    return asdict(value) if isinstance(value, Summary) else value
