"""One call, from answer to goodbye: `run_call()` and the session it runs."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeAlias

import anyio
import structlog

from asr import Recognizer
from dialog import (
    Action,
    Basis,
    CallContext,
    Dialog,
    EndCall,
    FileTicket,
    Memory,
    Message,
    Summary,
    TicketDraft,
    Transfer,
    phrases,
)
from tts import Voice
from voice.ear import BargedIn, Ear, Heard, HeardEvent, HearingFailed, Keys, NobodySpoke, SpeechBegan
from voice.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Happened,
    Journal,
    TicketFiled,
    TransferUpdated,
    Turn,
)
from voice.mouth import Mouth, Speech
from voice.phone import Leg, LegGone, Phone
from voice.policies import Policy, TransferRequest
from voice.recorder import CallRecorder, StereoFile
from voice.replies import Replies, Reply, TextSource
from voice.seats import SeatBoard
from voice.streams import closing
from voice.transfer import SeatSettings, TransferRunner
from voice.turns import TurnSettings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kit:
    """What a call needs from the rest of the program; one for all calls."""

    recognizer: Recognizer
    voice: Voice
    dialog: Dialog
    phone: Phone
    board: SeatBoard
    journal: Journal
    policy: Policy
    open_recording: Callable[[str], tuple[StereoFile, str]]  # call id -> file, its name for the record
    file_ticket: Callable[[CallContext, str, TicketDraft], Awaitable[str]]  # call, key -> number; raises
    turns: TurnSettings
    seats: SeatSettings
    max_call_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class _ReplyOver:
    """A reply has been spoken to its end, or failed; `action` is what comes next."""

    action: Action | None


Event: TypeAlias = "HeardEvent | _ReplyOver"


async def run_call(leg: Leg, kit: Kit) -> None:
    """Answer, talk, perhaps transfer, and leave a complete record; returns when the leg is gone."""
    call = CallContext(leg.call_id, leg.remote)
    file, name = kit.open_recording(call.call_id)
    kit.journal.emit(CallStarted(call.call_id, leg.remote, leg.local, _now(), name))
    session = Session(leg, kit, call, CallRecorder(leg, file))
    end_reason = "failed"
    try:
        await leg.answer()
        kit.journal.emit(CallAnswered(call.call_id, _now()))
        with anyio.move_on_after(kit.max_call_s) as limit:
            await session.converse()
        end_reason = "max_duration" if limit.cancelled_caught else session.end_reason
        await leg.hangup()
        await leg.gone()
    except LegGone:
        end_reason = "caller_hangup"
    except Exception as error:
        log.error("call_failed", call_id=call.call_id, exc_info=error)
        session.happened("failed", {"stage": "session", "error": type(error).__name__})
    finally:
        with anyio.CancelScope(shield=True):
            await leg.hangup()
            file.close()
            kit.journal.emit(CallEnded(call.call_id, _now(), end_reason, session.outcome))
            await kit.journal.durable()


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Session:
    """The state of one call, all on the event loop. Public: converse(), and what it left for the record."""

    def __init__(self, leg: Leg, kit: Kit, call: CallContext, recorder: CallRecorder) -> None:
        self.end_reason = "caller_hangup"
        self.outcome = "abandoned"  # until the caller got something
        self._leg = leg
        self._kit = kit
        self._call = call
        self._recorder = recorder
        self._history: list[Message] = []
        self._turn_count = 0
        self._memory: Memory | None = None
        self._rate = 1.0
        self._silences = 0
        self._failures = 0
        self._spoken_to = False  # the caller has said something
        self._handing_over = False
        self._cut: Speech | None = None  # stopped by a barge-in, not yet known whether for words
        self._send, self._events = anyio.create_memory_object_stream[Event](math.inf)
        self._mouth = Mouth(leg, kit.voice)
        self._replies = Replies(
            call.call_id,
            self._mouth,
            recorder,
            kit.journal,
            on_closed=self._on_reply_closed,
            on_over=self._on_reply_over,
        )
        self._ear = Ear(
            leg, kit.recognizer, kit.turns, emit=self._send.send_nowait, agent_speaks=self._agent_speaks
        )

    def happened(self, kind: str, detail: Mapping[str, Any] | None = None) -> None:
        """Put an event into the record."""
        self._kit.journal.emit(Happened(self._call.call_id, self._recorder.clock_s, kind, detail or {}))

    def _agent_speaks(self) -> bool:
        return self._replies.current is not None

    async def converse(self) -> None:
        """Greet, then answer what is heard until the call is over."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._end_with_leg)
            self._tasks.start_soon(self._ear.listen)
            self._say(self._kit.dialog.greeting(self._call))
            async for event in self._events:
                if not await self._handle(event):
                    break
            self._tasks.cancel_scope.cancel()

    async def _end_with_leg(self) -> None:
        """When the caller hangs up, so do we; a transfer under way sees to that end itself."""
        await self._leg.gone()
        if self._handing_over:
            return
        self._replies.stop()
        self._tasks.cancel_scope.cancel()

    async def _handle(self, event: Event) -> bool:
        """React to one event; False when the conversation is over."""
        if isinstance(event, SpeechBegan):
            self._silences = 0
            if self._replies.unheard:
                self._replies.stop()  # the caller goes on: what we were about to say answers half a sentence
        elif isinstance(event, BargedIn):
            self._cut = self._replies.stop()
            self.happened("barge_in")
        elif isinstance(event, Heard):
            self._on_heard(event)
        elif isinstance(event, HearingFailed):
            self._on_hearing_failed(event)
        elif isinstance(event, NobodySpoke):
            self._on_silence()
        elif isinstance(event, Keys):
            self._on_keys(event.digits)
        elif event.action is not None:
            return await self._act(event.action)
        return True

    # what the caller did

    def _on_heard(self, heard: Heard) -> None:
        text = heard.transcript.text
        cut, self._cut = self._cut, None
        if not text:
            self._resume(cut)
            return
        if self._replies.current is not None and not heard.interrupted_agent:
            self.happened("backchannel")  # said over us, but not to stop us
            return
        self._spoken_to = True
        self._silences = 0
        index = self._next_index()
        self._emit_caller_turn(index, heard)
        message = Message("caller", text, heard.transcript.confidence)
        if self._history and self._history[-1].who == "caller":  # our reply to the first half was never heard
            first = self._history.pop()
            message = replace(
                message, text=first.text + text, confidence=min(first.confidence, message.confidence)
            )
        self._history.append(message)
        self._start(self._dialog_text, heard)

    def _resume(self, cut: Speech | None) -> None:
        """Noise without words: if it stopped us, go on from the clause where we were."""
        if cut is not None and cut.unheard_clauses and self._replies.current is None:
            self.happened("resumed")
            self._say("".join(cut.unheard_clauses))

    def _on_hearing_failed(self, failed: HearingFailed) -> None:
        log.warning("asr_failed", call_id=self._call.call_id, error=str(failed.error))
        self.happened("failed", {"stage": "asr", "error": str(failed.error)})
        self._replies.stop()
        self._apologize()

    def _on_silence(self) -> None:
        if self._replies.current is not None:
            return
        self._silences += 1
        self.happened("no_input", {"times": self._silences})
        if self._silences == 1:
            self._say(phrases.NO_INPUT_FIRST)
        elif self._silences == 2:
            self._say(phrases.NO_INPUT_SECOND)
        elif self._spoken_to:
            self._say(phrases.NO_INPUT_TRANSFER, self._transfer("no_input"))
        else:
            self._say(phrases.NO_INPUT_GOODBYE, EndCall())

    def _on_keys(self, digits: str) -> None:
        self.happened("dtmf", {"count": len(digits)})
        self._replies.stop()
        self._spoken_to = True
        self._silences = 0
        if digits == "0":
            self._say(phrases.TO_HUMAN, self._transfer("caller_asked"))
            return
        at_s = self._recorder.clock_s
        self._kit.journal.emit(
            Turn(self._call.call_id, self._next_index(), "caller", digits, at_s, at_s, asr_confidence=1.0)
        )
        self._history.append(Message("caller", digits))
        self._start(self._dialog_text, None)

    # replies

    def _say(self, text: str, action: Action | None = None) -> None:
        """Speak a fixed sentence as a turn of its own, then do `action`."""

        async def fixed(reply: Reply) -> AsyncIterator[str]:
            reply.action = action
            yield text

        self._start(fixed, None)

    def _start(self, source: TextSource, heard: Heard | None) -> None:
        basis = Basis(1.0, memory=self._memory, rate=self._rate)
        reply = Reply(self._next_index(), heard, basis, anyio.current_time())
        self._replies.start(self._tasks, source, reply)

    def _on_reply_closed(self, reply: Reply, heard_text: str) -> None:
        """Remember only what the caller really heard."""
        if not heard_text and not reply.acted:
            return
        self._memory, self._rate = reply.basis.memory, reply.basis.rate
        self._history.append(Message("agent", heard_text, memory=self._memory))
        if self.outcome == "abandoned" and reply.heard is not None:
            self.outcome = "answered"

    def _on_reply_over(self, reply: Reply) -> None:
        if not reply.failure:
            self._failures = 0
            self._send.send_nowait(_ReplyOver(reply.action))
            return
        self.happened("failed", {"stage": reply.failure})
        self._failures += 1
        if reply.failure == "tts" and self._failures > 1:  # not even the apology can be spoken: a person
            self._send.send_nowait(_ReplyOver(self._transfer("failure")))
        else:
            self._say(phrases.PROBLEM, self._transfer("failure"))

    def _apologize(self) -> None:
        self._failures += 1
        if self._failures > 1:
            self._say(phrases.PROBLEM, self._transfer("failure"))
        else:
            self._say(phrases.PROBLEM_RETRY)

    async def _dialog_text(self, reply: Reply) -> AsyncIterator[str]:
        """The dialog's text; its Basis and Action are kept aside, its work orders filed on the way."""
        asking_again = True
        while asking_again:
            asking_again = False
            async with closing(self._kit.dialog.reply(self._call, tuple(self._history))) as items:
                async for item in items:
                    if isinstance(item, str):
                        yield item
                    elif isinstance(item, Basis):
                        reply.basis = item
                    elif isinstance(item, FileTicket):
                        reply.acted = True
                        self._history.append(
                            Message("result", await self._file(item.draft), memory=self._memory)
                        )
                        asking_again = True
                        break
                    else:
                        reply.action = item

    async def _file(self, draft: TicketDraft) -> str:
        """File a work order once; returns its number, "" when it failed."""
        key = f"{self._call.call_id}:{len(self._history)}"
        try:
            number = await self._kit.file_ticket(self._call, key, draft)
        except Exception as error:
            log.error("ticket_failed", call_id=self._call.call_id, exc_info=error)
            self.happened("failed", {"stage": "ticket", "error": type(error).__name__})
            return ""
        self.outcome = "ticket"
        self._kit.journal.emit(TicketFiled(self._call.call_id, number))
        return number

    # the record

    def _next_index(self) -> int:
        self._turn_count += 1
        return self._turn_count - 1

    def _emit_caller_turn(self, index: int, heard: Heard) -> None:
        self._kit.journal.emit(
            Turn(
                self._call.call_id,
                index,
                "caller",
                heard.transcript.text,
                heard.started_s,
                heard.ended_s,
                asr_confidence=heard.transcript.confidence,
                interrupted=False,
            )
        )

    # endings

    def _transfer(self, reason: Any) -> Transfer:
        return Transfer(reason, self._kit.dialog.summarize(self._call, tuple(self._history)))

    async def _act(self, action: Action) -> bool:
        if isinstance(action, Transfer):
            await self._hand_over(action)
        self.end_reason = "transferred" if self.outcome == "transferred" else "agent_hangup"
        return False

    async def _hand_over(self, transfer: Transfer) -> None:
        """Give the caller to a person; our ear is closed meanwhile, so music is not taken for speech."""
        self._ear.deaf = self._handing_over = True
        call_id = self._call.call_id
        self.happened("transfer_started", {"reason": transfer.reason})
        self._kit.journal.emit(TransferUpdated(call_id, transfer.reason, transfer.summary))
        runner = TransferRunner(
            self._leg,
            phone=self._kit.phone,
            board=self._kit.board,
            voice=self._kit.voice,
            mouth=self._mouth,
            recorder=self._recorder,
            settings=self._kit.seats,
            tell=self.happened,
            promise_callback=self._promise_callback,
        )
        outcome = "caller_gone"
        try:
            request = TransferRequest(transfer.summary, transfer.skill, self._kit.seats.max_seats)
            outcome = (await runner.run(self._kit.policy, request)).word
        finally:
            if outcome == "connected":
                self.outcome = "transferred"
            self._kit.journal.emit(
                TransferUpdated(call_id, transfer.reason, transfer.summary, runner.last_seat_id, outcome)
            )

    async def _promise_callback(self, summary: Summary) -> bool:
        """Nobody could take the call: a work order asks the staff to call back."""
        draft = TicketDraft(
            category="回拨",
            department=summary.department,
            urgency="urgent",
            title="未接通人工坐席，请回拨来电人",
            text=summary.request,
            slots={"contact": self._call.caller, "matter": summary.request, "place": summary.place},
        )
        return bool(await self._file(draft))
