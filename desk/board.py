"""Changes of the seat board as live events, whichever node made them: the desk looks at the database."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.to_thread
import structlog

from desk.live import Event, LiveFeed
from records import RecordsError
from records.store import Store
from records.workplace import Board

log = structlog.get_logger()

LOOK_EVERY_S = 0.05  # a glance at the board, which is cheap; seats are read when it has changed
AGAIN_AFTER_S = 1.0  # while the database cannot be read
_SHOWN = ("id", "name", "status", "since", "user", "node")


class BoardWatch:
    """Publishes `seat` for every seat that has changed, and `queue_length` when that has.

    The event of a seat that rings holds what its pop shows, so that the pop waits for nothing else.
    While nobody watches the feed nothing is read.
    """

    def __init__(self, store: Store, live: LiveFeed) -> None:
        self._store = store
        self._live = live
        self._seen: Board | None = None
        self._failing = False

    async def run(self) -> None:
        """Until cancelled: publish what changes."""
        while True:
            await self._live.until_watched()
            await self.look()
            await anyio.sleep(AGAIN_AFTER_S if self._failing else LOOK_EVERY_S)

    async def look(self) -> None:
        """Publish what has changed since the last look; the first tells nothing. A fault is logged once."""
        try:
            self._seen, events = await anyio.to_thread.run_sync(self._read, self._seen)
        except RecordsError as error:
            if not self._failing:
                log.warning("seat_board_unread", error=str(error))
            self._failing = True
            return
        self._failing = False
        for event in events:
            self._live.publish(event)

    def _read(self, before: Board | None) -> tuple[Board, list[Event]]:
        now = self._store.workplace.board()
        if before is None or now == before:
            return now, []
        events: list[Event] = []
        if now.seats != before.seats:
            seats = [seat for seat in self._store.seats() if before.seats.get(seat["id"]) != _glance(seat)]
            coming = self._store.workplace.coming(
                [seat["call_id"] for seat in seats if seat["status"] == "ringing" and seat["call_id"]]
            )
            now = now._replace(seats=now.seats | {seat["id"]: _glance(seat) for seat in seats})
            events += [_seat_event(seat, coming) for seat in seats]
        if now.waiting != before.waiting:
            events.append({"kind": "queue_length", "call_id": "", "detail": {"waiting": now.waiting}})
        return now, events


def _glance(seat: dict[str, Any]) -> tuple[str, str | None, str]:
    return seat["status"], seat["call_id"], seat["user"]


def _seat_event(seat: dict[str, Any], coming: dict[str, dict[str, Any]]) -> Event:
    detail = {key: seat[key] for key in _SHOWN}
    if seat["status"] == "ringing":
        detail["call"] = coming.get(seat["call_id"])
    return {"kind": "seat", "call_id": seat["call_id"] or "", "detail": detail}
