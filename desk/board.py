"""Changes of the seat board as live events, whichever node made them: the desk looks at the database."""

from __future__ import annotations

import time
from typing import Any

import anyio.to_thread
import structlog

from desk.live import LiveFeed
from records import RecordsError
from records.store import Store

log = structlog.get_logger()

LOOK_EVERY_S = 0.15

Board = dict[str, tuple[Any, ...]]


class BoardWatch:
    """Publishes `seat` for every seat that has changed, and `queue_length` when that has.

    It only looks when asked to, which those who watch the feed do: nobody watches, nothing is read.
    """

    def __init__(self, store: Store, live: LiveFeed) -> None:
        self._store = store
        self._live = live
        self._seen: Board | None = None
        self._waiting = 0
        self._next_at = 0.0

    async def look(self) -> None:
        """Publish what has changed since the last look; at most once in LOOK_EVERY_S for all who ask."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + LOOK_EVERY_S
        try:
            seats, waiting = await anyio.to_thread.run_sync(self._read)
        except RecordsError as error:
            log.warning("seat_board_unread", error=str(error))
            return
        before = self._seen
        self._seen = {seat["id"]: (seat["status"], seat["call_id"], seat["user"]) for seat in seats}
        if before is None:
            self._waiting = waiting
            return
        for seat in seats:
            if before.get(seat["id"]) != self._seen[seat["id"]]:
                detail = {key: seat[key] for key in ("id", "name", "status", "since", "user", "node")}
                self._live.publish({"kind": "seat", "call_id": seat["call_id"] or "", "detail": detail})
        if waiting != self._waiting:
            self._waiting = waiting
            self._live.publish({"kind": "queue_length", "call_id": "", "detail": {"waiting": waiting}})

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        return self._store.seats(), len(self._store.queue.waiting())
