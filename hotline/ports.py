"""What the dialog needs of the records, in its own terms: work orders to look up and file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread

from dialog import CallContext, TicketDraft, TicketState
from records.store import Store
from records.tickets import TICKET_STATUS
from records.writer import Writer


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
