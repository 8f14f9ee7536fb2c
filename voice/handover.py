"""A transfer as a session asks for it: carried out, and in the record from its decision to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from dialog import CallContext, Summary, TicketDraft, Transfer
from voice.call_events import WaitingKeys
from voice.events import TransferUpdated
from voice.kit import Kit
from voice.overhear import Overhearing
from voice.phone import Leg, LineStats
from voice.policies import Outcome, TransferRequest
from voice.recorder import CallRecorder
from voice.transfer import TransferRunner, callback_draft


@dataclass(slots=True)
class HandOver:
    """Gives a caller to a person.

    `connected`, `caller_gone`, `handed_back` and `promised` (a call-back) say what came of it.
    """

    kit: Kit
    call: CallContext
    leg: Leg
    recorder: CallRecorder
    overhearing: Overhearing
    say: Callable[[str], Awaitable[None]]  # to the caller
    tell: Callable[[str, Mapping[str, Any]], None]  # an event, for the record
    line: Callable[[Literal["caller", "seat"], LineStats], None]
    file_ticket: Callable[[TicketDraft], Awaitable[str]]
    keys: WaitingKeys
    connected: bool = False
    caller_gone: bool = False
    handed_back: bool = False
    promised: bool = False

    async def run(self, transfer: Transfer) -> None:
        """Carry `transfer` out to its end, which is the call's. Raises what the policy's steps raise."""
        kit, told = self.kit, transfer.summary
        update = TransferUpdated(self.call.call_id, transfer.reason, transfer.summary)
        self.tell("transfer_started", {"reason": transfer.reason})
        kit.journal.emit(update)
        about = f"{told.category} {told.department} {told.request}"
        skill = transfer.skill or await kit.board.skill_for(about)
        runner = TransferRunner(
            self.leg,
            phone=kit.phone,
            board=kit.board,
            voice=kit.voice,
            recorder=self.recorder,
            overhearing=self.overhearing,
            settings=kit.seats,
            say=self._say,
            tell=self.tell,
            line=partial(self.line, "seat"),
            promise=partial(self._promise, transfer.summary, skill),
            pressed=self.keys.pressed,
        )
        outcome = Outcome("failed")
        try:
            request = TransferRequest(
                transfer.summary,
                skill,
                kit.seats.max_seats,
                max_wait_s=kit.seats.max_wait_s,
                priority=1 if transfer.reason == "emergency" else 0,
                staffed=transfer.reason == "emergency" or kit.seats.staffed(),
            )
            outcome = await runner.run(kit.policy, request)
        finally:
            self.connected, self.caller_gone = runner.connected, outcome.caller_gone
            self.handed_back = outcome.handed_back
            kit.journal.emit(replace(update, seat=runner.last_seat_id, outcome=outcome.word))
        if kit.callbacks is None:
            return
        if outcome.word == "connected":
            await kit.callbacks.reached(self.call)
        elif outcome.caller_gone and runner.queued and not self.promised:
            await self._call_back("abandoned", transfer.summary, skill)

    async def _say(self, text: str) -> None:
        self.keys.ask()  # what is keyed from here on answers this sentence
        await self.say(text)

    async def _promise(self, summary: Summary, skill: str) -> bool:
        """A call-back, or else a work order that asks the staff for one; a withheld number gets none."""
        if await self._call_back("promised", summary, skill):
            return True
        filed = await self.file_ticket(callback_draft(self.call.caller, summary))
        return bool(filed and self.call.caller)

    async def _call_back(
        self, reason: Literal["promised", "abandoned"], summary: Summary, skill: str
    ) -> bool:
        book = self.kit.callbacks
        if book is None or not await book.promise(self.call, reason, summary, skill):
            return False
        self.promised = True
        self.tell("callback_promised", {"reason": reason})
        return True
