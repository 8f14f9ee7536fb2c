"""One call, from answer to goodbye: `run_call()` and the session it runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, Literal, TypeAlias

import anyio
import structlog

from asr import Transcript
from dialog import Action, Basis, CallContext, EndCall, FileTicket, TicketDraft, Transfer, phrases
from tts import TtsError
from voice.ear import BargedIn, Ear, Heard, HeardEvent, HearingFailed, Keys, NobodySpoke, SpeechBegan
from voice.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Happened,
    LineQuality,
    TicketFiled,
    TransferUpdated,
    Turn,
)
from voice.history import History
from voice.kit import Kit
from voice.mouth import Mouth
from voice.phone import Leg, LegGone, LineStats
from voice.policies import Outcome, TransferRequest
from voice.recorder import CallRecorder
from voice.replies import Replies, Reply, TextSource
from voice.streams import closing
from voice.transfer import TransferRunner
from voice.turns import is_backchannel

log = structlog.get_logger()
BREAK_OFF_S = 10.0  # for the last words of a call that went wrong


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
    recorder = kit.recorders[call.call_id] = CallRecorder(leg, file, kit.journal)
    session = Session(leg, kit, call, recorder)
    end_reason = "failed"
    try:
        await leg.answer()
        kit.journal.emit(CallAnswered(call.call_id, _now()))
        await session.converse()
        end_reason = session.end_reason
        await leg.hangup()
        await leg.gone()
    except LegGone:
        end_reason = "caller_hangup"
    except anyio.get_cancelled_exc_class():
        end_reason = "shutdown"
        session.happened("failed", {"stage": "shutdown"})
        with anyio.CancelScope(shield=True):
            await _last_words(session, phrases.SHUTDOWN_GOODBYE)
        raise
    except Exception as error:
        log.error("call_failed", call_id=call.call_id, exc_info=error)
        session.happened("failed", {"stage": "session", "error": type(error).__name__})
        await _last_words(session, phrases.PROBLEM_GOODBYE)
    finally:
        with anyio.CancelScope(shield=True):
            if end_reason == "caller_hangup" and await leg.gone() == "media_timeout":
                end_reason = "media_timeout"
            await leg.hangup()
            session.close()
            del kit.recorders[call.call_id]
            file.close()
            session.tell_line("caller", leg.line())
            kit.journal.emit(CallEnded(call.call_id, _now(), end_reason, session.outcome))
            await kit.journal.durable()


async def _last_words(session: Session, text: str) -> None:
    with suppress(LegGone, TtsError), anyio.move_on_after(BREAK_OFF_S):
        await session.tell(text)


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Session:
    """The state of one call, all on the event loop. Public: converse(), tell(), and what the record needs."""

    def __init__(self, leg: Leg, kit: Kit, call: CallContext, recorder: CallRecorder) -> None:
        self.end_reason = "caller_hangup"
        self.outcome = "abandoned"  # until the caller got something
        self._leg = leg
        self._kit = kit
        self._call = call
        self._recorder = recorder
        self._history = History()
        self._turn_count = 0
        self._silences = 0
        self._failures = 0  # in a row
        self._spoken_to = False  # the caller has said something
        self._handing_over = False
        self._asked: Heard | None = None  # the caller's last turn
        self._send, self._events = anyio.create_memory_object_stream[Event](math.inf)
        self._replies = Replies(
            call.call_id,
            Mouth(leg, kit.voice),
            recorder,
            kit.journal,
            on_closed=self._on_reply_closed,
            on_over=self._on_reply_over,
        )
        self._ear = Ear(
            leg,
            kit.recognizer,
            kit.turns,
            emit=self._send.send_nowait,
            agent_speaks=lambda: self._replies.current is not None,
        )

    def close(self) -> None:
        """Let go of what the call held; harmless twice."""
        self._send.close()
        self._events.close()

    def happened(self, kind: str, detail: Mapping[str, Any] | None = None) -> None:
        """Put an event into the record."""
        self._kit.journal.emit(Happened(self._call.call_id, self._recorder.clock_s, kind, detail or {}))

    async def converse(self) -> None:
        """Greet, then answer what is heard until the call is over."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._end_with_leg)
            self._tasks.start_soon(self._limit_time)
            self._ear.heard_s = self._recorder.clock_s
            self._tasks.start_soon(self._ear.listen)
            self._say(self._kit.dialog.greeting(self._call))
            try:
                async for event in self._events:
                    if not await self._handle(event):
                        break
            finally:
                self._replies.stop()
            self._tasks.cancel_scope.cancel()

    async def _end_with_leg(self) -> None:
        """When the caller hangs up, so do we; a transfer under way sees to that end itself."""
        await self._leg.gone()
        if not self._handing_over:
            self._tasks.cancel_scope.cancel()

    async def _limit_time(self) -> None:
        """A call that does not come to its end is given to a person."""
        await anyio.sleep(self._kit.max_call_s)
        if not self._handing_over:
            self.happened("time_up")
            self._say(phrases.TIME_UP, self._transfer("failure"))

    async def _handle(self, event: Event) -> bool:
        """React to one event; False when the conversation is over."""
        if isinstance(event, SpeechBegan):
            if self._replies.unheard:
                self._replies.pause()  # the caller goes on: what we were about to say answers half a sentence
        elif isinstance(event, BargedIn):
            self._on_barge_in()
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

    def _on_barge_in(self) -> None:
        if self._replies.current is not None and not self._replies.firm:
            if not self._replies.unheard:
                self.happened("barge_in")
            self._replies.pause()

    def _on_heard(self, heard: Heard) -> None:
        text = heard.transcript.text
        if not text:
            self._go_on()
            return
        if self._replies.current is not None and not heard.interrupted_agent:
            too_short = heard.ended_s - heard.started_s < self._kit.turns.barge_in_speech_s
            if too_short or is_backchannel(text):
                self.happened("backchannel")  # said over us, but not to stop us
                return
            self._on_barge_in()  # the recogniser was too slow to tell while the caller spoke
        self._asked = heard
        self._caller_said(heard.transcript, heard.started_s, heard.ended_s)
        if self._replies.firm:
            return  # for the record, and for the person who is being called already
        self._replies.stop()
        if not self._ear.open_utterances:  # else the caller goes on: both are answered as one
            self._start(self._dialog_text, heard)

    def _go_on(self) -> None:
        """Noise without words: if it stopped us, go on where we were."""
        if self._replies.current is not None or self._ear.open_utterances:
            return
        if self._replies.paused is not None:
            self.happened("resumed")
            self._replies.resume(self._tasks, self._next_index())
        elif self._history.unanswered:
            self._start(self._dialog_text, self._asked)

    def _on_hearing_failed(self, failed: HearingFailed) -> None:
        log.warning("asr_failed", call_id=self._call.call_id, error=str(failed.error))
        self.happened("failed", {"stage": "asr", "error": str(failed.error)})
        if self._replies.current is not None:
            return  # said over us, and not to stop us
        self._failures += 1
        if self._failures > 1:
            self._say(phrases.PROBLEM, self._transfer("failure"))
        else:
            self._say(phrases.PROBLEM_RETRY)

    def _on_silence(self) -> None:
        if self._replies.current is not None or self._ear.open_utterances:
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
        if self._replies.firm:
            return  # a person is being called already
        self._replies.stop()
        if digits == "0":
            self._say(phrases.TO_HUMAN, self._transfer("caller_asked"))
            return
        at_s = self._recorder.clock_s
        self._caller_said(Transcript(digits, final=True, confidence=1.0), at_s, at_s)
        self._start(self._dialog_text, None)

    # replies

    def _say(self, text: str, action: Action | None = None) -> None:
        """Speak a fixed sentence as a turn of its own, then do `action`."""

        async def fixed(reply: Reply) -> AsyncIterator[str]:
            reply.action = action
            yield text

        self._start(fixed, None)

    def _start(self, source: TextSource, heard: Heard | None) -> None:
        self._replies.start(self._tasks, source, self._new_reply(heard))

    async def tell(self, text: str) -> None:
        """Speak a sentence to its end, outside the conversation. Raises TtsError, LegGone."""
        await self._replies.tell(self._new_reply(None), text)

    def _new_reply(self, heard: Heard | None) -> Reply:
        return Reply(self._next_index(), heard, self._history.basis())

    def _on_reply_closed(self, reply: Reply, heard_text: str) -> None:
        """Remember only what the caller really heard."""
        if not heard_text and not reply.acted:
            return
        self._history.agent_said(heard_text, reply.basis)
        if self.outcome == "abandoned" and reply.answers:
            self.outcome = "answered"

    def _on_reply_over(self, reply: Reply) -> None:
        if not reply.failure:
            self._send.send_nowait(_ReplyOver(reply.action))
            return
        self.happened("failed", {"stage": reply.failure})
        self._failures += 1
        if reply.failure == "tts" and self._failures > 1:  # not even the apology can be spoken: a person
            self._send.send_nowait(_ReplyOver(self._transfer("failure")))
        else:
            self._say(phrases.PROBLEM, self._transfer("failure"))

    async def _dialog_text(self, reply: Reply) -> AsyncIterator[str]:
        """The dialog's text; its Basis and Action are kept aside, its work orders filed on the way."""
        while True:
            async with closing(self._kit.dialog.reply(self._call, self._history.messages)) as items:
                async for item in items:
                    if isinstance(item, str):
                        yield item
                    elif isinstance(item, Basis):
                        reply.basis, reply.answers = item, True
                    elif isinstance(item, FileTicket):
                        await reply.until(lambda: reply.audible or not reply.text)
                        reply.acted = True
                        with anyio.CancelScope(shield=True):  # filed and known to be filed, or neither
                            self._history.acted(await self._file(item.draft), reply.basis)
                        break  # and ask again
                    else:
                        reply.action = item
                else:
                    return

    async def _file(self, draft: TicketDraft) -> str:
        """File a work order, the same one only once; returns its number, "" when it failed."""
        key = f"{self._call.call_id}:{hashlib.sha256(repr(draft).encode()).hexdigest()[:16]}"
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

    def tell_line(self, leg: Literal["caller", "seat"], stats: LineStats) -> None:
        """Put how a leg's line was into the record."""
        self._kit.journal.emit(LineQuality(self._call.call_id, leg, **asdict(stats)))

    def _next_index(self) -> int:
        self._turn_count += 1
        return self._turn_count - 1

    def _caller_said(self, said: Transcript, started_s: float, ended_s: float) -> None:
        self._spoken_to = True
        self._silences = self._failures = 0
        turn = Turn(self._call.call_id, self._next_index(), "caller", said.text, started_s, ended_s)
        self._kit.journal.emit(replace(turn, asr_raw=said.raw, asr_confidence=said.confidence))
        self._history.caller_said(said.text, said.confidence, said.raw)

    # endings

    def _transfer(self, reason: Any) -> Transfer:
        return Transfer(reason, self._kit.dialog.summarize(self._call, self._history.messages))

    async def _act(self, action: Action) -> bool:
        self.end_reason = "agent_hangup"
        if isinstance(action, Transfer):
            await self._hand_over(action)
        return False

    async def _hand_over(self, transfer: Transfer) -> None:
        """Give the caller to a person; our ear is closed meanwhile, so music is not taken for speech."""
        self._ear.deaf = self._handing_over = True
        kit = self._kit
        update = TransferUpdated(self._call.call_id, transfer.reason, transfer.summary)
        self.happened("transfer_started", {"reason": transfer.reason})
        kit.journal.emit(update)
        runner = TransferRunner(
            self._leg,
            phone=kit.phone,
            board=kit.board,
            voice=kit.voice,
            recorder=self._recorder,
            settings=kit.seats,
            say=self.tell,
            tell=self.happened,
            line=partial(self.tell_line, "seat"),
            file_ticket=self._file,
        )
        outcome = Outcome("failed")
        try:
            request = TransferRequest(transfer.summary, transfer.skill, kit.seats.max_seats)
            outcome = await runner.run(kit.policy, request)
        finally:
            if runner.connected:
                self.end_reason = self.outcome = "transferred"
            elif outcome.caller_gone:
                self.end_reason = "caller_hangup"
            kit.journal.emit(replace(update, seat=runner.last_seat_id, outcome=outcome.word))
