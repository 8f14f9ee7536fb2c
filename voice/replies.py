"""What the agent is saying now: one reply at a time, started, stopped, and written into the record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio
import structlog
from anyio.abc import TaskGroup

from dialog import Action, Basis
from tts import TtsError
from voice.ear import Heard
from voice.events import Journal, Turn
from voice.mouth import Mouth, Speech
from voice.phone import LegGone
from voice.recorder import CallRecorder

log = structlog.get_logger()


@dataclass(slots=True)
class Reply:
    """A reply under way: what it answers, what it rests on, what comes after it."""

    index: int  # of its turn
    heard: Heard | None  # the caller's turn it answers; None when nobody asked
    basis: Basis
    started_at: float  # event-loop time
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    action: Action | None = None  # to do once it has been spoken
    acted: bool = False  # something with an effect was done on the way; it can't be taken back
    failure: str = ""  # "tts" or "dialog" when it broke


TextSource = Callable[[Reply], AsyncIterator[str]]


class Replies:
    """Speaks replies; `on_closed` is told what was heard of each, `on_over` when one ended or broke."""

    def __init__(
        self,
        call_id: str,
        mouth: Mouth,
        recorder: CallRecorder,
        journal: Journal,
        *,
        on_closed: Callable[[Reply, str], None],
        on_over: Callable[[Reply], None],
    ) -> None:
        self._call_id = call_id
        self._mouth = mouth
        self._recorder = recorder
        self._journal = journal
        self._on_closed = on_closed
        self._on_over = on_over
        self.current: Reply | None = None

    @property
    def unheard(self) -> bool:
        """A reply is being prepared, nothing of it could be heard yet, and it can still be taken back."""
        return self.current is not None and not self.current.acted and not self._mouth.audible

    def start(self, tasks: TaskGroup, source: TextSource, reply: Reply) -> None:
        """Stop what is being said and speak the text that `source` gives."""
        self.stop()
        self.current = reply
        self._recorder.expect_sound()
        tasks.start_soon(self._speak, reply, source)

    def stop(self) -> Speech | None:
        """Fall silent now; returns what was being said, with what was heard of it."""
        reply, self.current = self.current, None
        if reply is None:
            return None
        speech = self._mouth.stop()
        reply.scope.cancel()
        self._close(reply, speech)
        return speech

    async def _speak(self, reply: Reply, source: TextSource) -> None:
        async def before_audio() -> None:
            """What the caller said, and what we are about to say, are in the store before it is heard."""
            if self._mouth.speech is not None:
                self._emit_turn(reply, self._mouth.speech, over=False)
            await self._journal.durable()

        speech = Speech()
        with reply.scope:
            try:
                await self._mouth.say(source(reply), speech, rate=reply.basis.rate, before_audio=before_audio)
            except LegGone:
                pass  # the session hears of it from the leg; the turn is closed below
            except Exception as error:
                reply.failure = "tts" if isinstance(error, TtsError) else "dialog"
                log.error("reply_failed", call_id=self._call_id, stage=reply.failure, exc_info=error)
        if self.current is not reply:
            return  # stopped: the record is written, somebody else speaks now
        self.current = None
        self._close(reply, speech)
        self._on_over(reply)

    def _close(self, reply: Reply, speech: Speech | None) -> None:
        heard_text = speech.heard_text if speech is not None else ""
        if speech is not None and heard_text:
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
            )
        )


def _stages_ms(reply: Reply, speech: Speech) -> dict[str, float]:
    """How the response gap came about: endpointing, ASR, dialog, TTS."""
    stages = {}
    if reply.heard is not None:
        stages["endpoint"] = round(reply.heard.endpoint_ms, 1)
        stages["asr"] = round(reply.heard.asr_ms, 1)
    if speech.first_text_at:
        stages["dialog"] = round((speech.first_text_at - reply.started_at) * 1000, 1)
    if speech.first_audio_at:
        stages["tts"] = round((speech.first_audio_at - speech.first_text_at) * 1000, 1)
    return stages
