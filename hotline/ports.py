"""What voice and dialog need of the records, in their own terms: work orders to look up and file, seats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import anyio.to_thread
import structlog

from dialog import CallContext, TicketDraft, TicketState
from records import RecordsError
from records.store import Store
from records.tickets import TICKET_STATUS
from records.writer import Writer
from voice.seats import Seat

log = structlog.get_logger()


class RecordTickets:
    """A dialog.TicketLookup on the store, and the one place that files work orders."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def by_number(self, number: str) -> TicketState | None:
        row = await anyio.to_thread.run_sync(self._store.ticket, number)
        return _state(row) if row else None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        rows = await anyio.to_thread.run_sync(self._store.tickets_of_caller, caller) if caller else []
        return [_state(row) for row in rows]

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        place = draft.slots.get("place", "")
        row = await anyio.to_thread.run_sync(self._store.open_ticket_like, draft.category, place)
        return _state(row) if row else None

    async def file(self, call: CallContext, key: str, draft: TicketDraft) -> str:
        """File a work order, committed when this returns, once per key. Raises RecordsError."""
        return await self._writer.run(
            self._store.file_ticket,
            key,
            call_id=call.call_id,
            caller=call.caller,
            category=draft.category,
            department=draft.department,
            urgency=draft.urgency,
            title=draft.title,
            text=draft.text,
            slots=dict(draft.slots),
            secret=draft.secret,
            joins=draft.joins,
        )


def _state(row: dict[str, Any]) -> TicketState:
    return TicketState(
        number=row["id"],
        title=row["title"],
        status=TICKET_STATUS[row["status"]],
        department=row["department"],
        filed_at=row["created_at"],
        name=row["slots"].get("name", ""),
        contact=row["slots"].get("contact", ""),
    )


class RecordSeats:
    """A voice.seats.SeatBoard on the store; a claim is one atomic update, so that nodes can share seats."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    async def claim(self, skill: str, call_id: str, exclude: Collection[str]) -> Seat | None:
        try:
            row = await self._writer.run(self._store.claim_seat, skill, call_id, exclude=exclude)
        except RecordsError as error:  # without the board nobody can be found free: the caller is told so
            log.error("seat_board_failed", call_id=call_id, error=str(error))
            return None
        return Seat(row["id"], row["name"], row["uri"], tuple(row["skills"])) if row else None

    async def talking(self, seat: Seat) -> None:
        await self._set(seat, "talking")

    async def release(self, seat: Seat) -> None:
        await self._set(seat, "free")

    async def _set(self, seat: Seat, status: str) -> None:
        try:
            await self._writer.run(self._store.set_seat_status, seat.id, status)
        except RecordsError as error:  # the call goes on
            log.error("seat_board_failed", seat=seat.id, error=str(error))
