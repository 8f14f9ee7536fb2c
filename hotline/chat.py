"""The same dialog by text: one history per session, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from dialog import Basis, CallContext, Dialog, FileTicket, Memory, Message, TicketDraft

MAX_SESSIONS = 1000


class TextChat:
    """Answers text messages with the dialog of the telephone; the oldest of MAX_SESSIONS is forgotten."""

    def __init__(
        self, dialog: Dialog, file_ticket: Callable[[CallContext, str, TicketDraft], Awaitable[str]]
    ) -> None:
        self._dialog = dialog
        self._file_ticket = file_ticket
        self._sessions: OrderedDict[str, list[Message]] = OrderedDict()

    async def __call__(self, session: str, text: str) -> dict[str, Any]:
        """One message in, one reply out, as `POST /api/v1/chat` answers."""
        history = self._sessions.setdefault(session, [])
        self._sessions.move_to_end(session)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        call = CallContext(call_id=f"chat-{session}", caller="")
        history.append(Message("caller", text))
        reply, basis, action, memory = "", Basis(1.0), "", _last_memory(history)
        asking = True
        while asking:
            asking = False
            async for item in self._dialog.reply(call, tuple(history)):
                if isinstance(item, str):
                    reply += item
                elif isinstance(item, Basis):
                    basis, memory = item, item.memory
                elif isinstance(item, FileTicket):
                    number = await self._file_ticket(call, f"{call.call_id}:{len(history)}", item.draft)
                    history.append(Message("result", number, memory=memory))
                    action, asking = "ticket", True
                else:
                    action = {"Transfer": "transfer", "EndCall": "end_call"}[type(item).__name__]
        history.append(Message("agent", reply, memory=memory))
        return {
            "reply": reply,
            "action": action or None,
            "sources": list(basis.sources),
            "confidence": basis.confidence,
        }


def _last_memory(history: list[Message]) -> Memory | None:
    return next((message.memory for message in reversed(history) if message.memory is not None), None)
