"""One call that we place: rung, asked who it is, then given to a seat or asked what a script asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from dialog import CallContext, Summary
from dialog.scripts import Progress, Script, ScriptDialog
from voice.conversation import Conversation
from voice.events import CallEnded, CallStarted, Happened
from voice.kit import Kit
from voice.phone import CallError
from voice.policies import Queued
from voice.seats import Command, Ended, Seat, SeatBoard
from voice.session import run_call

RING_S = 45.0  # people walk to their telephone


@dataclass(frozen=True, slots=True)
class CallBack:
    """Whom to ring and why; `last` is the attempt after which there is no other, `seat` who shall talk."""

    id: str
    reason: str
    number: str
    uri: str  # the number at the trunk
    summary: Summary
    script: Script
    skill: str = ""
    seat: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class CameOf:
    """What came of a call that we placed.

    `result` is busy, declined, no_answer, unreachable or gone (nobody was reached); wrong_person,
    not_confirmed, refused or hung_up; connected or no_seat; answered or partly (of a script's questions);
    failed. `answers` has, for each question answered, {"value", "said"}.
    """

    result: str
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _SameAgain:
    """The promises of a call that keeps one: nobody free means that it is tried again, not a second one."""

    last: bool
    unserved: bool = False

    async def promise(
        self, call: CallContext, reason: Literal["promised", "abandoned"], summary: Summary, skill: str
    ) -> bool:
        self.unserved = self.unserved or reason == "promised"
        return not self.last  # else it is a work order

    async def reached(self, call: CallContext) -> None: ...


@dataclass(frozen=True, slots=True)
class _FirstTo:
    """A board that gives a call to `seat` where that is free, and else to any."""

    board: SeatBoard
    seat: str

    async def claim(
        self, skill: str, call_id: str, exclude: Collection[str], *, priority: int = 0, only: str = ""
    ) -> Seat | Queued:
        if not only and self.seat not in exclude:
            found = await self.board.claim(skill, call_id, exclude, priority=priority, only=self.seat)
            if isinstance(found, Seat):
                return found
        return await self.board.claim(skill, call_id, exclude, priority=priority, only=only)

    async def skill_for(self, about: str) -> str:
        return await self.board.skill_for(about)

    async def leave(self, call_id: str) -> None:
        await self.board.leave(call_id)

    async def verdict(self, seat: Seat) -> str:
        return await self.board.verdict(seat)

    async def talking(self, seat: Seat) -> None:
        await self.board.talking(seat)

    async def release(self, seat: Seat, ended: Ended) -> None:
        await self.board.release(seat, ended)

    async def commands(self, call_id: str) -> Sequence[Command]:
        return await self.board.commands(call_id)


async def call_back(task: CallBack, kit: Kit, *, call_id: str, own: str) -> CameOf:
    """Ring `task.number` as `own`, and hold the call; both are in the record. Raises nothing of its own."""
    placed = {"id": task.id, "reason": task.reason}
    rung_at = _now()
    try:
        leg = await kit.phone.dial(task.uri, call_id=call_id, timeout_s=RING_S)
    except CallError as error:
        kit.journal.emit(CallStarted(call_id, own, task.number, rung_at, ""))
        kit.journal.emit(Happened(call_id, 0.0, "callback", {**placed, "outcome": error.outcome}))
        kit.journal.emit(CallEnded(call_id, _now(), error.outcome, "not_reached"))
        await kit.journal.durable()
        return CameOf(error.outcome)
    dialog = ScriptDialog(task.script, task.summary, task.skill, afterwards=kit.dialog)
    again = None if task.script.questions else _SameAgain(task.last)
    board = _FirstTo(kit.board, task.seat) if task.seat else kit.board
    theirs = replace(kit, dialog=dialog, board=board, callbacks=again or kit.callbacks)
    talk = await run_call(leg, theirs, placed)
    progress = dialog.progress(talk.messages)
    result = _result(task.script, progress, talk, unserved=again is not None and again.unserved)
    return CameOf(result, dict(progress.answers))


def _result(script: Script, progress: Progress, talk: Conversation, *, unserved: bool) -> str:
    hung_up = talk.end_reason in ("caller_hangup", "media_timeout")
    if talk.connected and not unserved:
        return "connected"
    if talk.end_reason == "failed":
        return "failed"
    if progress.verdict in ("wrong_person", "refused"):
        return progress.verdict
    if unserved:
        return "no_seat"
    if progress.verdict != "confirmed":
        return "hung_up" if hung_up else "not_confirmed"
    if not script.questions:
        return "hung_up" if hung_up else "failed"
    return "answered" if len(progress.answers) == len(script.questions) else "partly"


def _now() -> datetime:
    return datetime.now(timezone.utc)
