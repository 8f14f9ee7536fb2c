"""What the agent is saying now: one reply at a time, begun, paused, gone on with, and put into the record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
import structlog
from anyio.abc import TaskGroup

from dialog import Action, Basis, Transfer, phrases
from tts import TtsError
from voice.ear import Heard
from voice.events import Happened, Journal, Turn
from voice.mouth import Mouth, Speech
from voice.phone import LegGone
from voice.recorder import CallRecorder
from voice.streams import closing

log = structlog.get_logger()

NOTICED_S = 0.4  # less of a reply, when it is stopped, counts as nothing heard of it
_FIRM = ("caller_asked", "emergency", "failure")  # reasons to hand over that nothing said meanwhile undoes


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a caller waits in silence before being told that the answer is coming; seconds."""

    filler_after_s: float = 0.7  # from the begin of a reply
    filler_again_s: float = 3.0  # from the end of what was said last
    hearing_late_s: float = 1.0  # for the recogniser, from the end of the caller's turn


@dataclass(slots=True)
class Reply:
    """A reply under way: what it answers, what it rests on, what comes after it."""

    index: int  # of its turn
    heard: Heard | None  # the caller's turn it answers; None when nobody asked
    basis: Basis
    started_at: float = 0.0  # event-loop time
    action: Action | None = None  # to do once it has been spoken
    answers: bool = False  # the dialog made it, for something the caller said or keyed
    acted: bool = False  # something with an effect was done on the way; it can't be taken back
    failure: str = ""  # "tts" or "dialog" when it broke
    text: str = ""  # all that its source has given so far
    complete: bool = False  # the source has no more
    done_chars: int = 0  # of `text`, heard before it was last paused
    confirmed: bool = False  # the caller's turn is over, and it was what this reply answers
    audible: bool = False  # its audio has begun, and is not paused
    preface: str = ""  # a filler to begin or go on with
    at_last_clause: bool = False  # when it was last paused
    reading: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    making: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    speaking: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def firm(self) -> bool:
        """It announces a hand-over that goes ahead whatever is said meanwhile."""
        return isinstance(self.action, Transfer) and self.action.reason in _FIRM

    @property
    def must_be_heard(self) -> bool:
        """Nothing said over it stops it."""
        return self.firm or self.basis.must_be_heard

    def changed(self) -> None:
        """Wake whoever waits in until()."""
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for a change after which this holds."""
        while not true():
            await self._changed.wait()

    async def text_from(self, at: int) -> str:
        """The text from this character on, as soon as there is some; "" when there will be none."""
        await self.until(lambda: self.complete or len(self.text) > at)
        return self.text[at:]


TextSource = Callable[[Reply], AsyncIterator[str]]


def fixed_text(
    text: str, action: Action | None, *, must_be_heard: bool = False, closing: bool = False
) -> TextSource:
    """One sentence, and what is done after it; the rest as in dialog.Basis."""

    async def source(reply: Reply) -> AsyncIterator[str]:
        reply.action = action
        reply.basis = replace(reply.basis, must_be_heard=must_be_heard, closing=closing)
        yield text

    return source


class Replies:
    """Speaks replies; `on_closed` is told what was heard of each, `on_over` when one ended or broke.

    A reply's text is read to its end by a task of its own, so that a reply that was stopped by a mere noise
    can go on where it was, and so that its action is known before it has been spoken.
    """

    def __init__(
        self,
        call_id: str,
        mouth: Mouth,
        recorder: CallRecorder,
        journal: Journal,
        pace: Pace,
        *,
        on_closed: Callable[[Reply, str], None],
        on_over: Callable[[Reply], None],
    ) -> None:
        self._call_id = call_id
        self._mouth = mouth
        self._recorder = recorder
        self._journal = journal
        self._pace = pace
        self._on_closed = on_closed
        self._on_over = on_over
        self.current: Reply | None = None
        self.paused: Reply | None = None

    @property
    def unheard(self) -> bool:
        """A reply is being prepared, nothing of it could be heard yet, and it can still be taken back."""
        reply = self.current
        return reply is not None and not (reply.acted or reply.must_be_heard or self._mouth.audible)

    @property
    def firm(self) -> bool:
        """The reply under way announces a hand-over that goes ahead whatever is said meanwhile."""
        return self.current is not None and self.current.firm

    @property
    def must_be_heard(self) -> bool:
        """Nothing said over the reply under way stops it."""
        return self.current is not None and self.current.must_be_heard

    @property
    def asks_yes_no(self) -> bool:
        """The caller hears the end of a question to which 对 or 嗯 is an answer."""
        reply = self.current or self.paused
        if reply is None or reply.basis.expects != "yes_no" or not reply.complete:
            return False
        return reply.at_last_clause or self._mouth.at_last_clause

    def prepare(self, tasks: TaskGroup, source: TextSource, reply: Reply) -> None:
        """Have the text that `source` gives and its first sounds made, for adopt() or discard()."""
        tasks.start_soon(self._read, reply, source)
        tasks.start_soon(self._make, reply)

    def adopt(self, tasks: TaskGroup, reply: Reply) -> None:
        """Stop what is being said and speak a reply that was prepared."""
        self.stop()
        self._begin(tasks, reply)

    def discard(self, reply: Reply) -> None:
        """Forget a reply that was prepared."""
        reply.reading.cancel()
        reply.making.cancel()

    def start(self, tasks: TaskGroup, source: TextSource, reply: Reply) -> None:
        """Stop what is being said and speak the text that `source` gives."""
        self.stop()
        tasks.start_soon(self._read, reply, source)
        self._begin(tasks, reply)

    def hold(self) -> None:
        """Fall silent for the time being, until release(), or pause() or stop() forgets it."""
        if self.current is not None and not self.current.must_be_heard:
            self._mouth.hold()

    def release(self) -> None:
        """Go on after hold(); harmless without it."""
        self._mouth.release()

    def reassure(self, tasks: TaskGroup, text: str) -> bool:
        """Say `text` now if the caller hears nothing while the reply is being made; whether so."""
        reply, speech = self.current, self._mouth.speech
        if reply is None or speech is None or not self._mouth.silent_now:
            return False
        self.release()
        tasks.start_soon(self._fill, reply, speech, text)
        return True

    def pause(self) -> None:
        """Fall silent now, until resume(), or stop() or start() forgets the reply."""
        if self.current is None:
            return
        self._recorder.catch_up()  # until now we spoke
        reply, self.current = self.current, None
        self.paused = reply
        reply.at_last_clause = self._mouth.at_last_clause
        speech = self._mouth.stop()
        reply.speaking.cancel()
        reply.audible = False
        self._close(reply, speech)
        if speech is not None:
            reply.done_chars += speech.done_chars
            if speech.heard_s:
                reply.heard = None  # the gap to the caller's turn has been measured

    def resume(self, tasks: TaskGroup, index: int, preface: str = "") -> None:
        """Go on with the paused reply, from the clause that was cut, as the turn `index`."""
        reply, self.paused = self.paused, None
        if reply is not None:
            reply.index = index
            reply.preface = preface
            reply.speaking = anyio.CancelScope()
            self._begin(tasks, reply)

    def stop(self) -> None:
        """Fall silent now and forget what was being said."""
        self.pause()
        reply, self.paused = self.paused, None
        if reply is not None:
            reply.reading.cancel()

    async def tell(self, reply: Reply, text: str) -> None:
        """Speak a fixed sentence to its end while no other reply is under way. Raises TtsError, LegGone."""
        reply.text, reply.complete = text, True
        reply.started_at = anyio.current_time()
        self._recorder.expect_sound()
        speech = Speech(reply.basis.rate)
        try:
            await self._utter(reply, speech)
        finally:
            self._close(reply, speech)

    def _begin(self, tasks: TaskGroup, reply: Reply) -> None:
        self.current = reply
        reply.confirmed = True
        reply.started_at = anyio.current_time()
        reply.changed()
        self._recorder.expect_sound()
        tasks.start_soon(self._speak, reply)

    async def _read(self, reply: Reply, source: TextSource) -> None:
        with reply.reading:
            try:
                async with closing(source(reply)) as texts:
                    async for text in texts:
                        reply.text += text
                        reply.changed()
            except Exception as error:
                reply.failure = "dialog"
                log.error("reply_failed", call_id=self._call_id, stage="dialog", exc_info=error)
            reply.complete = True
            reply.changed()

    async def _make(self, reply: Reply) -> None:
        with reply.making:
            try:
                speech = Speech()
                await self._mouth.make(_pieces(reply, speech), speech)
            except TtsError as error:  # told again, and dealt with, when it is to be heard
                log.warning("voice_not_ready", call_id=self._call_id, error=str(error))

    async def _speak(self, reply: Reply) -> None:
        speech = Speech()
        with reply.speaking:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._bridge, reply, speech)
                gone = await self._try_to_utter(reply, speech)
                self.current = None  # at once: what comes next may cancel us
                self._close(reply, speech)
                beside.cancel_scope.cancel()
            if not gone:
                self._on_over(reply)

    async def _try_to_utter(self, reply: Reply, speech: Speech) -> bool:
        """Note in the reply what went wrong; True when the leg is gone."""
        try:
            await self._utter(reply, speech)
        except LegGone:
            return True  # the session hears of it from the leg
        except Exception as error:
            reply.failure = "tts" if isinstance(error, TtsError) else "dialog"
            log.error("reply_failed", call_id=self._call_id, stage=reply.failure, exc_info=error)
            reply.reading.cancel()
        return False

    async def _bridge(self, reply: Reply, speech: Speech) -> None:
        """Say fillers while nothing comes of the reply."""
        wait_s, text = self._pace.filler_after_s, phrases.FILLER_FIRST
        while True:
            if speech.clauses:
                wait_s, text = self._pace.filler_again_s, phrases.FILLER_AGAIN
                try:
                    await self._mouth.silent()
                except LegGone:
                    return
            said = len(speech.clauses)
            await anyio.sleep(wait_s)
            if len(speech.clauses) == said:
                await self._fill(reply, speech, text)

    async def _fill(self, reply: Reply, speech: Speech, text: str) -> None:
        at_s = self._recorder.clock_s
        try:
            if await self._mouth.fill(speech, text, before_audio=partial(self._before_audio, reply, speech)):
                self._journal.emit(Happened(self._call_id, at_s, "filler"))
        except (LegGone, TtsError) as error:  # the reply itself meets the same, and deals with it
            log.warning("filler_failed", call_id=self._call_id, error=str(error))

    async def _utter(self, reply: Reply, speech: Speech) -> None:
        before_audio = partial(self._before_audio, reply, speech)
        preface, reply.preface = reply.preface, ""
        await self._mouth.say(_pieces(reply, speech), speech, before_audio=before_audio, preface=preface)

    async def _before_audio(self, reply: Reply, speech: Speech) -> None:
        """What the caller said, and what we are about to say, are in the store before it is heard."""
        self._emit_turn(reply, speech, over=False)
        await self._journal.durable()
        reply.audible = True
        reply.changed()

    def _close(self, reply: Reply, speech: Speech | None) -> None:
        heard_text = speech.heard_reply if speech is not None and _counts(speech) else ""
        if speech is not None and speech.first_audio_at:
            self._emit_turn(reply, speech, over=True)
        self._on_closed(reply, heard_text)

    def _emit_turn(self, reply: Reply, speech: Speech, *, over: bool) -> None:
        sound_s = self._recorder.sound_s
        gap_ms = None
        if sound_s is not None and reply.heard is not None:
            gap_ms = round((sound_s - reply.heard.ended_s) * 1000, 1)
        self._journal.emit(
            Turn(
                self._call_id,
                reply.index,
                "agent",
                speech.text,
                started_s=sound_s if sound_s is not None else self._recorder.clock_s,
                ended_s=self._recorder.clock_s if over else None,
                dialog_confidence=reply.basis.confidence,
                interrupted=speech.stopped,
                heard_text=speech.heard_text if over else None,
                response_gap_ms=gap_ms,
                sources=reply.basis.sources,
                stages_ms=_stages_ms(reply, speech),
                decision=reply.basis.decision,
            )
        )


def _counts(speech: Speech) -> bool:
    """Whether the caller can have noticed: who goes on over our first syllable has not finished."""
    return not speech.stopped or speech.heard_s >= NOTICED_S


async def _pieces(reply: Reply, speech: Speech) -> AsyncIterator[str]:
    """The reply's text from where it was paused, as it comes."""
    at = reply.done_chars
    while piece := await reply.text_from(at):
        at += len(piece)
        speech.rate = reply.basis.rate
        yield piece


def _stages_ms(reply: Reply, speech: Speech) -> dict[str, float]:
    """How the response gap came about: endpointing, ASR, dialog, TTS."""
    stages = {}
    if reply.heard is not None:
        stages["endpoint"] = round(reply.heard.endpoint_ms, 1)
        stages["asr"] = round(reply.heard.asr_ms, 1)
    if speech.first_text_at:
        stages["dialog"] = round((speech.first_text_at - reply.started_at) * 1000, 1)
    if speech.first_audio_at >= speech.first_text_at > 0.0:  # else a filler came first
        stages["tts"] = round((speech.first_audio_at - speech.first_text_at) * 1000, 1)
    return stages
