"""The listening half of a call: frames in; turns, transcripts, keys and silences out."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from asr import AsrError, Recognizer, Transcript
from dialog import Expects
from voice.calm import Calm
from voice.endpointing import Endpointer
from voice.listener import Listener
from voice.phone import FRAME_S, Leg
from voice.streams import closing
from voice.turns import Turn, TurnSettings

PIECE_FRAMES = 5  # go to the recogniser together: it decodes 0.1 s at a time, and a piece costs the loop
KEYS_PAUSE_S = 2.5  # keyed digits are taken together until this long a pause, or #


@dataclass(frozen=True, slots=True)
class Pausing:
    """The caller is silent for the moment, after these words; told again when others are recognised."""

    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A caller's turn, transcribed. Times are seconds of the caller's audio; `ended_s` is the last sound."""

    transcript: Transcript
    started_s: float
    ended_s: float
    over_agent: bool  # it began while the agent spoke,
    interrupted_agent: bool  # and stopped it
    endpoint_ms: float  # from the last sound to the decision that the turn is over
    asr_ms: float  # from that decision to the final transcript


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The recogniser broke; the caller's words are lost."""

    error: AsrError
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Keys:
    """Digits the caller keyed, taken together; "0" comes alone and at once."""

    digits: str
    began_s: float = 0.0  # the first of them, on the clock of the caller's audio


HeardEvent: TypeAlias = "Turn | Pausing | Heard | HearingFailed | Keys"


class _Utterance:
    """One turn's audio on its way to the recogniser, and what came back so far."""

    def __init__(self, preroll: list[bytes], started_s: float, *, over_agent: bool) -> None:
        self.started_s = started_s
        self.over_agent = over_agent
        self.ended_s = started_s
        self.endpoint_s = 0.0
        self.decided_at = 0.0  # event-loop time
        self.interrupted_agent = False
        self.partial = ""
        self._send, self._receive = anyio.create_memory_object_stream[bytes](math.inf)
        self._piece: list[bytes] = []
        self._send.send_nowait(b"".join(preroll))

    def feed(self, frame: bytes) -> None:
        self._piece.append(frame)
        if len(self._piece) >= PIECE_FRAMES:
            self._hand_over()

    def end(self) -> None:
        self._hand_over()
        self._send.close()

    def _hand_over(self) -> None:
        if self._piece:
            self._send.send_nowait(b"".join(self._piece))
            self._piece.clear()

    async def audio(self) -> AsyncIterator[bytes]:
        async for piece in self._receive:
            yield piece

    async def over(self) -> None:
        """Wait for the end of the turn; the audio until then is not wanted any more."""
        async for _ in self._receive:
            pass

    def close(self) -> None:
        self._send.close()
        self._receive.close()


class Ear:
    """Listens to one leg until it is gone and tells `emit` what it heard; `agent_speaks` says if we do."""

    def __init__(
        self,
        leg: Leg,
        recognizer: Recognizer,
        settings: TurnSettings,
        endpointer: Endpointer,
        *,
        emit: Callable[[HeardEvent], None],
        agent_speaks: Callable[[], bool],
    ) -> None:
        self._leg = leg
        self._recognizer = recognizer
        self._settings = settings
        self._emit = emit
        self._agent_speaks = agent_speaks
        self._listener = Listener(settings, endpointer)
        kept_s = settings.preroll_s + settings.start_speech_s
        self._preroll: deque[bytes] = deque(maxlen=round(kept_s / FRAME_S))
        self._utterance: _Utterance | None = None
        self._begun: asyncio.Queue[_Utterance] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.open_utterances = 0  # heard or still being heard, and not told yet
        self.heard_s = 0.0  # on the clock of the caller's audio
        self._deaf = False

    @property
    def in_turn(self) -> bool:
        """The caller is speaking, or pausing."""
        return self._utterance is not None

    @property
    def deaf(self) -> bool:
        """While the caller is with a seat, or hears music: audio is not for us."""
        return self._deaf

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        self._leg.catch_up()
        self._deaf = deaf

    def now_s(self) -> float:
        """On the clock of the caller's audio, with what has just come."""
        self._leg.catch_up()
        return self.heard_s

    async def listen(self) -> None:
        """Run until the leg is gone."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._collect_keys)
            tasks.start_soon(self._transcribe_all)
            await self._leg.listen(self._take, self._calm)
            tasks.cancel_scope.cancel()

    async def _transcribe_all(self) -> None:
        """Each utterance from its begin, beside the others."""
        async with anyio.create_task_group() as transcriptions:
            while True:
                transcriptions.start_soon(self._transcribe, await self._begun.get())

    def expect(self, expects: Expects, digits: int = 0) -> None:
        """What the agent's last words asked for, which helps to tell when the answer is over."""
        self._listener.expects, self._listener.digits = expects, digits
        self._leg.catch_up()

    def _calm(self) -> Calm:
        """How long the next ticks may wait."""
        if self.deaf:
            return Calm(PIECE_FRAMES)
        partial = self._utterance.partial if self._utterance else ""
        return self._listener.calm(agent_speaks=self._agent_speaks(), partial=partial)

    def _take(self, received: bytes, sent: bytes) -> None:
        """One tick; called by the leg, outside of any task."""
        self.heard_s += FRAME_S
        if self.deaf:
            self._end_utterance()
            return
        self._preroll.append(received)
        if self._utterance is not None:
            self._utterance.feed(received)
        partial = self._utterance.partial if self._utterance else ""
        turn = self._listener.take(received, sent, agent_speaks=self._agent_speaks(), partial=partial)
        if turn is None:
            return
        if turn is Turn.BEGAN:
            self._begin_utterance()
        elif turn in (Turn.BARGE_IN, Turn.FALSE_ALARM) and self._utterance is not None:
            self._utterance.interrupted_agent = turn is Turn.BARGE_IN
        elif turn is Turn.ENDED:
            self._end_utterance()
        self._emit(Pausing(partial) if turn is Turn.PAUSED else turn)

    def _begin_utterance(self) -> None:
        began_s = max(0.0, self.heard_s - self._settings.start_speech_s)
        self._utterance = _Utterance(list(self._preroll), began_s, over_agent=self._agent_speaks())
        self.open_utterances += 1
        self._begun.put_nowait(self._utterance)

    def _end_utterance(self) -> None:
        if self._utterance is not None:
            self._utterance.endpoint_s = self._listener.silence_s
            self._utterance.ended_s = self.heard_s - self._listener.silence_s
            self._utterance.decided_at = self._loop.time()
            self._utterance.end()
            self._utterance = None
            self._preroll.clear()  # that was told: what is said next begins after it

    async def _transcribe(self, utterance: _Utterance) -> None:
        told: Heard | HearingFailed
        try:
            told = await self._recognise(utterance)
        except AsrError as error:
            utterance.partial = ""  # of words that are lost, nothing can be told
            await utterance.over()  # the apology waits until the caller has finished
            told = HearingFailed(error, utterance.started_s, utterance.ended_s)
        finally:
            utterance.close()
            self.open_utterances -= 1
        if not self.deaf:
            self._emit(told)

    async def _recognise(self, utterance: _Utterance) -> Heard:
        final = Transcript("", final=True)
        async with closing(self._recognizer.transcribe(utterance.audio())) as transcripts:
            async for transcript in transcripts:
                if transcript.final:
                    final = transcript
                else:
                    self._leg.catch_up()  # of what came before these words are not known
                    utterance.partial = transcript.text
                    self._leg.catch_up()
        await utterance.over()
        return Heard(
            final,
            utterance.started_s,
            utterance.ended_s,
            utterance.over_agent,
            utterance.interrupted_agent,
            endpoint_ms=utterance.endpoint_s * 1000,
            asr_ms=(self._loop.time() - utterance.decided_at) * 1000,
        )

    async def _collect_keys(self) -> None:
        """Group keys into numbers: a pause or # ends one; 0 alone always means a person."""
        send, receive = anyio.create_memory_object_stream[str](math.inf)
        async with receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self._forward_keys, send)
            digits, began_s = "", 0.0
            while True:
                with anyio.move_on_after(KEYS_PAUSE_S if digits else math.inf):
                    try:
                        key = await receive.receive()
                    except anyio.EndOfStream:
                        return
                    began_s = began_s if digits else self.now_s()
                    if key not in "#" and (digits or key != "0"):
                        self._emit(Turn.HOLD)
                        digits += key
                        continue
                    digits = digits or key
                self._emit(Turn.RELEASE if digits == "#" else Keys(digits, began_s))
                digits = ""

    async def _forward_keys(self, send: anyio.abc.ObjectSendStream[str]) -> None:
        async with send, closing(self._leg.dtmf()) as keys:
            async for key in keys:
                self._listener.stir()
                await send.send(key)
