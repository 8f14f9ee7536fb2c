"""The same dialog by text, on the record like a telephone call: each conversation is a call to TEXT."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

import anyio

from dialog import Basis, CallContext, Dialog, EndCall, FileTicket, Memory, Message, TicketDraft, Transfer
from voice.events import CallAnswered, CallEnded, CallStarted, Happened, Journal, TicketFiled, Turn

TEXT = "text"  # the number that was called
MAX_SESSIONS = 1000
IDLE_S = 1800.0  # a conversation is over when nothing was written for so long
LOOK_S = 60.0


@dataclass(slots=True)
class _Conversation:
    """One session from its first message to its end."""

    call: CallContext
    began_at: float  # event-loop time, as is
    last_at: float
    history: list[Message] = field(default_factory=list)
    turn_count: int = 0
    outcome: str = "abandoned"
    satisfaction: int | None = None  # as in dialog.Basis
    one_by_one: anyio.Lock = field(default_factory=anyio.Lock)


class TextChat:
    """Answers text messages with the dialog of the telephone; the oldest of MAX_SESSIONS is ended.

    After a goodbye, or IDLE_S, the same session begins a new conversation.
    """

    def __init__(
        self,
        dialog: Dialog,
        file_ticket: Callable[[CallContext, str, TicketDraft], Awaitable[str]],
        journal: Journal,
        new_call_id: Callable[[], str],
    ) -> None:
        self._dialog = dialog
        self._file_ticket = file_ticket
        self._journal = journal
        self._new_call_id = new_call_id
        self._sessions: OrderedDict[str, _Conversation] = OrderedDict()  # the one last written to is last

    async def __call__(self, session: str, text: str) -> dict[str, Any]:
        """One message in, one reply out, as `POST /api/v1/chat` answers; both are in the store by then."""
        self._end_idle()
        conversation = self._sessions.get(session) or self._begin(session)
        conversation.last_at = anyio.current_time()
        self._sessions.move_to_end(session)
        async with conversation.one_by_one:
            answer, over = await self._answer(conversation, text)
        if over and self._sessions.get(session) is conversation:
            self._end(session, "agent_hangup")
        await self._journal.durable()
        return answer

    async def run(self) -> None:
        """Until cancelled: end what nobody goes on with, also when nobody else writes."""
        while True:
            await anyio.sleep(LOOK_S)
            self._end_idle()

    def close(self) -> None:
        """End what is under way."""
        for session in list(self._sessions):
            self._end(session, "agent_hangup")

    def _begin(self, session: str) -> _Conversation:
        if len(self._sessions) >= MAX_SESSIONS:
            self._end(next(iter(self._sessions)), "agent_hangup")
        call, now = CallContext(self._new_call_id(), caller=""), anyio.current_time()
        conversation = self._sessions[session] = _Conversation(call, now, now)
        at = datetime.now(timezone.utc)
        self._journal.emit(CallStarted(call.call_id, call.caller, TEXT, at, recording=""))
        self._journal.emit(CallAnswered(call.call_id, at))
        return conversation

    def _end_idle(self) -> None:
        oldest = anyio.current_time() - IDLE_S
        for session in [key for key, value in self._sessions.items() if value.last_at < oldest]:
            self._end(session, "caller_hangup")

    def _end(self, session: str, reason: str) -> None:
        ended = self._sessions.pop(session)
        at = datetime.now(timezone.utc)
        self._journal.emit(CallEnded(ended.call.call_id, at, reason, ended.outcome, ended.satisfaction))

    async def _answer(self, conversation: _Conversation, text: str) -> tuple[dict[str, Any], bool]:
        """The reply to one message, and whether the dialog is over with it."""
        call, history = conversation.call, conversation.history
        self._take_turn(conversation, "caller", text, anyio.current_time())
        history.append(Message("caller", text))
        asked_at = anyio.current_time()
        reply, basis, action, memory = "", Basis(1.0), None, _last_memory(history)
        asking = True
        while asking:
            asking = False
            async for item in self._dialog.reply(call, tuple(history)):
                if isinstance(item, str):
                    reply += item
                elif isinstance(item, Basis):
                    basis, memory = item, item.memory
                    conversation.satisfaction = item.satisfaction or conversation.satisfaction
                elif isinstance(item, FileTicket):
                    number = await self._file_ticket(call, f"{call.call_id}:{len(history)}", item.draft)
                    self._journal.emit(TicketFiled(call.call_id, number))
                    history.append(Message("result", number, memory=memory))
                    conversation.outcome, action, asking = "ticket", "ticket", True
                elif isinstance(item, Transfer):
                    action = "transfer"
                    since_s = anyio.current_time() - conversation.began_at
                    self._journal.emit(
                        Happened(call.call_id, since_s, "transfer_started", {"reason": item.reason})
                    )
                else:
                    assert isinstance(item, EndCall), item
                    action = "end_call"
        history.append(Message("agent", reply, memory=memory))
        self._take_turn(conversation, "agent", reply, asked_at, basis)
        if conversation.outcome == "abandoned":
            conversation.outcome = "answered"
        answer = {
            "reply": reply,
            "action": action,
            "sources": list(basis.sources),
            "confidence": basis.confidence,
        }
        return answer, action == "end_call"

    def _take_turn(
        self,
        conversation: _Conversation,
        who: Literal["agent", "caller"],
        text: str,
        asked_at: float,
        basis: Basis | None = None,
    ) -> None:
        now = anyio.current_time()
        at_s = now - conversation.began_at
        turn = Turn(
            conversation.call.call_id,
            conversation.turn_count,
            who,
            text,
            started_s=at_s,
            ended_s=at_s,
            dialog_confidence=basis.confidence if basis else None,
            heard_text=text if basis else None,
            response_gap_ms=round((now - asked_at) * 1000, 1) if basis else None,
            sources=basis.sources if basis else (),
            decision=basis.decision if basis else {},
        )
        conversation.turn_count += 1
        self._journal.emit(turn)


def _last_memory(history: list[Message]) -> Memory | None:
    return next((message.memory for message in reversed(history) if message.memory is not None), None)
