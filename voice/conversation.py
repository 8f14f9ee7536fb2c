"""The talk of one call: what the caller does, what the agent says to it, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import structlog

from asr import Transcript
from dialog import Action, CallContext, EndCall, Message, Transfer, phrases
from dialog.expecting import asked_in
from dialog.intents import is_backchannel, is_presence_check
from voice import turns
from voice.answers import Answers
from voice.call_events import CallEvents, Event, ReplyOver
from voice.call_record import CallRecord
from voice.ear import Ear, Heard, HearingFailed, Keys, Pausing
from voice.handover import HandOver
from voice.history import History
from voice.kit import Kit
from voice.mouth import Mouth
from voice.overhear import Overhearing, SharedAudio
from voice.phone import Leg
from voice.recorder import CallRecorder
from voice.replies import Replies, Reply, TextSource, fixed_text
from voice.silences import answer_to_silence

log = structlog.get_logger()


class Conversation:
    """The talk of one call, all on the event loop: hears, answers, hands over, and tells the record."""

    def __init__(self, leg: Leg, kit: Kit, call: CallContext, recorder: CallRecorder) -> None:
        self.end_reason = "caller_hangup"
        self.outcome = "abandoned"  # until the caller got something
        self.satisfaction: int | None = None  # as in dialog.Basis
        self.connected = False  # a seat has talked to the caller
        self._leg = leg
        self._kit = kit
        self._call = call
        self._recorder = recorder
        self._record = CallRecord(call.call_id, kit.journal, recorder)
        self.happened, self.tell_line = self._record.happened, self._record.line
        self._history = History()
        self._silences = 0
        self._failures = 0  # in a row
        self._spoken_to = False  # the caller has said something
        self._handing_over = False
        self._asked: Heard | None = None  # the caller's last turn
        self._meanwhile: list[Heard] = []  # said over what must be heard, and comes after it
        self._answer_next = False  # it is to be answered
        self._limit = anyio.CancelScope()
        self._events = CallEvents(clock=lambda: self._ear.now_s())
        self._replies = Replies(
            call.call_id,
            Mouth(leg, kit.voice),
            recorder,
            kit.journal,
            kit.pace,
            on_closed=self._on_reply_closed,
            on_over=self._on_reply_over,
        )
        audio = SharedAudio(leg)
        self._overhearing = Overhearing(audio, kit, self._record)
        self._ear = Ear(
            audio.as_leg(),
            kit.recognizer,
            kit.turns,
            kit.endpointer,
            emit=self._events.heard,
            agent_speaks=lambda: self._replies.current is not None,
        )
        self._answers = Answers(
            kit, call, self._history, self._replies, happened=self.happened, on_filed=self._on_filed
        )

    def close(self) -> None:
        """Let go of what the call held; harmless twice."""
        self._events.close()

    @property
    def messages(self) -> tuple[Message, ...]:
        """What has been said and heard, oldest first."""
        return self._history.messages

    async def converse(self) -> None:
        """Greet, then answer what is heard until the call is over."""
        async with anyio.create_task_group() as self._tasks:
            self._overhearing.open(self._tasks)
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
            await self._overhearing.finish()
            self._tasks.cancel_scope.cancel()

    async def _end_with_leg(self) -> None:
        """When the caller hangs up, so do we; a transfer under way sees to that end itself."""
        await self._leg.gone()
        if not self._handing_over:
            self._tasks.cancel_scope.cancel()

    async def _limit_time(self) -> None:
        """A call that does not come to its end is given to a person."""
        with anyio.CancelScope() as self._limit:
            await anyio.sleep(self._kit.max_call_s)
            if not self._handing_over:
                self.happened("time_up")
                self._say(phrases.TIME_UP, self._transfer("failure"))

    async def _handle(self, event: Event) -> bool:
        """React to one event; False when the conversation is over."""
        if isinstance(event, turns.Turn):
            self._on_turn(event)
        elif isinstance(event, Pausing):
            self._on_pausing(event.text)
        elif isinstance(event, Heard):
            self._on_heard(event)
        elif isinstance(event, HearingFailed):
            self._on_hearing_failed(event)
        elif isinstance(event, Keys):
            self._on_keys(event.digits)
        else:
            return await self._on_over(event.action)
        return True

    # what the caller did

    def _on_turn(self, turn: turns.Turn) -> None:
        match turn:
            case turns.Turn.BEGAN:
                self._answers.ahead.new_turn()
                if self._replies.unheard:
                    self._replies.pause()  # the caller goes on: what we were to say answers half a sentence
            case turns.Turn.HOLD:
                self._replies.hold()
            case turns.Turn.RELEASE:
                self._replies.release()
            case turns.Turn.BARGE_IN:
                self._on_barge_in()
            case turns.Turn.FALSE_ALARM:
                self._resume()
            case turns.Turn.ENDED:
                self._tasks.start_soon(self._bridge_hearing)
            case turns.Turn.NO_INPUT:
                self._on_silence()

    def _on_barge_in(self) -> None:
        if self._replies.current is not None and not self._replies.must_be_heard:
            if not self._replies.unheard:
                self.happened("barge_in")
            self._replies.pause()

    def _on_pausing(self, text: str) -> None:
        """The turn may be over: have the reply ready."""
        if self._replies.current is None and self._ear.open_utterances == 1:
            self._answers.prepare(self._tasks, text)

    async def _bridge_hearing(self) -> None:
        """A caller whose words are late in being recognised is told that we are at it."""
        asked = self._asked
        await anyio.sleep(self._kit.pace.hearing_late_s)
        late = self._ear.open_utterances and self._asked is asked and not self._ear.in_turn
        if late and self._replies.current is None and not self._handing_over:
            self.happened("filler", {"late": "asr"})
            self._say(phrases.ASR_BEHIND, must_be_heard=True)

    def _on_heard(self, heard: Heard) -> None:
        text = heard.transcript.text
        if not text:
            self._go_on()
            return
        murmur = is_backchannel(text)
        answer = murmur and self._replies.asks_yes_no
        over_us = self._replies.current is not None and heard.over_agent
        if over_us and not (answer or heard.interrupted_agent):
            too_short = heard.ended_s - heard.started_s < self._kit.turns.barge_in_speech_s
            if too_short or murmur or is_presence_check(text):
                self._on_murmured_over_us(heard)
                return
            self._on_barge_in()  # the recogniser was too slow to tell while the caller spoke
        if not answer and self._replies.paused is not None and (murmur or is_presence_check(text)):
            self._on_murmured(heard)
            return
        self._asked = heard
        self._record_caller(heard.transcript, heard.started_s, heard.ended_s)
        if self._replies.must_be_heard or (answer and self._replies.current is not None):
            self._meanwhile.append(heard)
            return
        self._to_history(heard.transcript)
        self._replies.stop()
        if not self._ear.open_utterances:  # else the caller goes on: both are answered as one
            self._answer()

    def _on_murmured_over_us(self, heard: Heard) -> None:
        """Not said to stop us; but 喂？ into our silence wants an answer."""
        asked = is_presence_check(heard.transcript.text)
        if asked and self._replies.reassure(self._tasks, phrases.STILL_HERE):
            self._record_caller(heard.transcript, heard.started_s, heard.ended_s)
        else:
            self.happened("backchannel")

    def _on_murmured(self, heard: Heard) -> None:
        """A long 嗯 stopped us, or 喂？: go on where we were."""
        preface = ""
        if is_presence_check(heard.transcript.text) and self._replies.paused is not None:
            self._record_caller(heard.transcript, heard.started_s, heard.ended_s)
            preface = phrases.STILL_TALKING if self._replies.paused.done_chars else phrases.STILL_HERE
        else:
            self.happened("backchannel")
        self._resume(preface)

    def _go_on(self) -> None:
        """Noise without words: if it stopped us, go on where we were."""
        if self._replies.current is not None or self._ear.open_utterances:
            return
        if self._replies.paused is not None:
            self._resume()
        elif self._history.unanswered:
            self._answer()

    def _resume(self, preface: str = "") -> None:
        if self._replies.current is None and self._replies.paused is not None:
            self.happened("resumed")
            self._replies.resume(self._tasks, self._record.next_index(), preface)

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
        text, then = answer_to_silence(self._silences, self._spoken_to, self._history.closing)
        self._say(text, self._transfer("no_input") if then == "transfer" else EndCall() if then else None)

    def _on_keys(self, digits: str) -> None:
        self.happened("dtmf", {"count": len(digits)})
        if self._replies.firm:
            return  # a person is being called already
        self._replies.stop()
        if digits == "0":
            self._say(phrases.TO_HUMAN, self._transfer("caller_asked"))
            return
        at_s = self._recorder.clock_s
        keyed = Transcript(digits, final=True, confidence=1.0)
        self._record_caller(keyed, at_s, at_s)
        self._to_history(keyed)
        self._start(self._answers.text, None)

    # replies

    def _say(self, text: str, action: Action | None = None, *, must_be_heard: bool = False) -> None:
        """Speak a fixed sentence as a turn of its own, then do `action`."""
        self._start(fixed_text(text, action, must_be_heard=must_be_heard), None)

    def _start(self, source: TextSource, heard: Heard | None) -> None:
        self._answers.ahead.forget()
        self._replies.start(self._tasks, source, self._new_reply(heard))

    def _answer(self) -> None:
        """Reply to what the caller said last."""
        self._answer_next = False
        if reply := self._answers.ahead.take(self._history.messages):
            reply.index, reply.heard = self._record.next_index(), self._asked
            self._replies.adopt(self._tasks, reply)
        else:
            self._start(self._answers.text, self._asked)

    async def tell(self, text: str) -> None:
        """Speak a sentence to its end, outside the conversation. Raises TtsError, LegGone."""
        await self._replies.tell(self._new_reply(None), text)

    def _new_reply(self, heard: Heard | None) -> Reply:
        return Reply(self._record.next_index(), heard, self._history.basis())

    def _on_reply_closed(self, reply: Reply, heard_text: str) -> None:
        """Remember only what the caller really heard."""
        expects = reply.basis.expects if reply.basis.expects != "anything" else asked_in(reply.text)
        self._ear.expect(expects, reply.basis.digits)
        if heard_text or reply.acted:
            self._history.agent_said(heard_text, reply.basis)
            if self.outcome == "abandoned" and reply.answers:
                self.outcome = "answered"
        if reply.confirmed and reply.basis.satisfaction is not None:
            self.satisfaction = reply.basis.satisfaction
        for heard in self._meanwhile:
            self._to_history(heard.transcript)
            self._answer_next = True
        self._meanwhile.clear()

    def _on_reply_over(self, reply: Reply) -> None:
        if not reply.failure:
            self._events.put(ReplyOver(reply.action))
            return
        self.happened("failed", {"stage": reply.failure})
        self._failures += 1
        if reply.failure == "tts" and self._failures > 1:  # not even the apology can be spoken: a person
            self._events.put(ReplyOver(self._transfer("failure")))
        else:
            self._say(phrases.PROBLEM, self._transfer("failure"))

    # the record

    def _on_filed(self) -> None:
        self.outcome = "ticket"

    def _to_history(self, said: Transcript) -> None:
        self._history.caller_said(said.text, said.confidence, said.raw)

    def _record_caller(self, said: Transcript, started_s: float, ended_s: float) -> None:
        self._spoken_to = True
        self._silences = self._failures = 0
        self._record.said("caller", self._record.next_index(), said, started_s, ended_s)

    # endings

    def _transfer(self, reason: Any) -> Transfer:
        return Transfer(reason, self._kit.dialog.summarize(self._call, self._history.messages))

    async def _on_over(self, action: Action | None) -> bool:
        """A reply has ended; False when the conversation is over."""
        if action is not None:
            self._replies.stop()  # to what came in between: that is not answered any more
            self.end_reason = "agent_hangup"
            if isinstance(action, Transfer):
                return await self._hand_over(action)
            return False
        if self._answer_next and not self._ear.open_utterances:
            self._answer()
        return True

    async def _hand_over(self, transfer: Transfer) -> bool:
        """Give the caller to a person; True when the person hands the caller back to us.

        Our ear is closed meanwhile, so music is not taken for speech.
        """
        self._ear.deaf = self._handing_over = True
        hand_over = HandOver(
            self._kit,
            self._call,
            self._leg,
            self._recorder,
            self._overhearing,
            say=self.tell,
            tell=self.happened,
            line=self.tell_line,
            file_ticket=self._answers.file,
            keys=self._events.hand_over(),
        )
        try:
            await hand_over.run(transfer)
        finally:
            self.connected = self.connected or hand_over.connected
            if hand_over.connected:
                self.end_reason = self.outcome = "transferred"
            elif hand_over.caller_gone:
                self.end_reason = "caller_hangup"
            if hand_over.promised:
                self.outcome = "callback"
        if hand_over.handed_back:
            self._take_back()
        return hand_over.handed_back

    def _take_back(self) -> None:
        """A seat hands the caller back, who may have another question, or say how it was."""
        self._events.take_back()
        self._ear.deaf = self._handing_over = self._answer_next = False
        self._silences = self._failures = 0
        self._call = self._answers.call = replace(self._call, handed_back=True)
        self._limit.cancel()  # that was time with the seat too
        self._tasks.start_soon(self._limit_time)
        self._tasks.start_soon(self._end_with_leg)  # which may have ended meanwhile
        self._start(fixed_text(phrases.BACK_AGAIN, None, closing=True), None)
