"""A recogniser, a voice and a record in memory, all on the loop's (virtual) clock.

The audio is real to the parts under test: a caller's speech is speech to webrtcvad, and every frame carries a
mark that tells which utterance, or which clause of the agent's, it is a part of. So the recogniser knows just
the words whose audio it was given, and a leg knows just the words that were really played.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle

import anyio
import numpy as np

from asr import EngineFailed, Transcript
from tests.unit.espeak import synthesise
from tts import VoiceFailed
from voice.events import CallEnded, CallEvent, Happened, TransferUpdated, Turn
from voice.media import SILENCE, level_dbfs
from voice.phone import FRAME_BYTES, FRAME_S, SAMPLE_RATE

HIGH_WATER_S = 0.5
MARK = 1234
MUSIC = "♪"
_BABBLE = "请问社保卡丢了怎么补办需要带什么材料到哪里去办理呢我想问一下外地户口能不能办居住证"
_DIP = range(46, 49)  # of every 50 frames
_FADE_FRAMES, _FADE_DB = 10, 15.0  # of the last words


# -- sounds --------------------------------------------------------------------------------------------------
@cache
def voiced_frames(variant: str = "f5") -> list[bytes]:
    """Ten seconds of an espeak voice that a speech detector takes for speech, but for a short dip a second.

    Its pauses and closures are left out, so that words begin and end where a script says; without any dip a
    detector would take it for the line's own noise in the end.
    """
    pcm = synthesise(_BABBLE, variant=variant)
    frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES)]
    loudest = sorted(map(level_dbfs, frames))[round(0.95 * len(frames))]
    loud = cycle([frame for frame in frames if level_dbfs(frame) > loudest - 12])
    return [SILENCE if index % 50 in _DIP else next(loud) for index in range(500)]


@dataclass(frozen=True)
class Utterance:
    """What somebody says into a leg, and what the recogniser makes of it; no text is a noise."""

    text: str
    lasts_s: float
    confidence: float = 0.95
    partials: bool = True
    breaks_asr_at_s: float | None = None  # the engine fails once it has had this much of it


_utterances: list[Utterance] = []  # the number in a frame's mark; frames of all tests are alike but for it
_clauses: dict[bytes, str] = {}


def spoken_frames(utterance: Utterance, *, goes_on: bool = False) -> list[bytes]:
    """The utterance as audio, marked; its end fades as a voice does, but not where the speaker `goes_on`."""
    _utterances.append(utterance)
    voiced = voiced_frames()
    count = round(utterance.lasts_s / FRAME_S)
    frames = []
    for index in range(count):
        frame = np.frombuffer(voiced[index % len(voiced)], "<i2")
        faded = 0 if goes_on else max(0, index + 1 + _FADE_FRAMES - count) / _FADE_FRAMES
        frame = (frame * 10 ** (-_FADE_DB * faded / 20)).astype("<i2")
        mark = np.array([MARK, len(_utterances) - 1, index], "<i2")
        frames.append(mark.tobytes() + frame[len(mark) :].tobytes())
    return frames


async def _frames(audio: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A turn's audio comes in pieces of several frames."""
    async for piece in audio:
        for at in range(0, len(piece), FRAME_BYTES):
            yield piece[at : at + FRAME_BYTES]


class ScriptedRecognizer:
    """Hears the words whose audio it gets; partials lag behind the sound, the final comes after the end."""

    sample_rate = SAMPLE_RATE

    def __init__(self, partial_lag_s: float = 0.2, final_s: float = 0.1) -> None:
        self.partial_lag_s = partial_lag_s
        self.final_s = final_s
        self.open = 0

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        got: dict[int, dict[int, float]] = {}  # when each frame of an utterance was heard
        heard_s, told = 0.0, ""
        self.open += 1
        try:
            async for frame in _frames(audio):
                heard_s += FRAME_S
                mark, number, index = np.frombuffer(frame[:6], "<i2").tolist()
                if mark == MARK:
                    got.setdefault(number, {})[index] = heard_s
                    breaks_s = _utterances[number].breaks_asr_at_s
                    if breaks_s is not None and len(got[number]) * FRAME_S >= breaks_s:
                        raise EngineFailed("the scripted engine broke", retryable=True)
                if round(heard_s / FRAME_S) % 5:
                    continue
                partial = _words(got, heard_s - self.partial_lag_s)
                if partial != told and all(_utterances[number].partials for number in got):
                    told = partial
                    yield Transcript(partial)
            await anyio.sleep(self.final_s)
            confidence = min((_utterances[number].confidence for number in got), default=0.0)
            text = _words(got, heard_s)
            yield Transcript(text, final=True, confidence=confidence if text else 0.0)
        finally:
            self.open -= 1

    async def aclose(self) -> None: ...


def _words(got: Mapping[int, Mapping[int, float]], by_s: float) -> str:
    """The characters at least half of whose audio had been heard by then."""
    text = ""
    for number, frames in got.items():
        utterance = _utterances[number]
        known = {index for index, heard_s in frames.items() if heard_s <= by_s + 1e-9}
        per_char = utterance.lasts_s / FRAME_S / max(1, len(utterance.text))
        for at, char in enumerate(utterance.text):
            whole = range(round(at * per_char), round((at + 1) * per_char))
            text += char if 2 * len(known.intersection(whole)) >= len(whole) else ""
    return text


class ScriptedVoice:
    """Speaks five characters a second; `fails` says at which clauses it breaks."""

    name = "scripted"
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        *,
        first_audio_s: float = 0.1,
        s_per_char: float = 0.2,
        fails: Callable[[str], bool] = lambda text: False,
        close_s: float = 0.0,
    ) -> None:
        self.first_audio_s = first_audio_s
        self.s_per_char = s_per_char
        self.fails = fails
        self.close_s = close_s  # how long the engine takes to let go when it is stopped
        self.open = 0

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        self.open += 1
        stopped = True
        try:
            await anyio.sleep(self.first_audio_s)
            if self.fails(text):
                raise VoiceFailed("the scripted voice broke", retryable=True)
            for _ in range(round(len(text) * self.s_per_char / rate / FRAME_S)):
                yield clause_frame(text)
            stopped = False
        finally:
            self.open -= 1
            if stopped and self.close_s:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(self.close_s)

    async def aclose(self) -> None: ...


@cache
def clause_frame(text: str) -> bytes:
    """A frame of the agent saying this clause: a level of its own."""
    frame = np.full(FRAME_BYTES // 2, 2000 + len(_clauses), "<i2").tobytes()
    know_clause(frame, text)
    return frame


def know_clause(frame: bytes, text: str) -> None:
    """Let this frame be one of the agent saying `text`."""
    _clauses[frame] = text


def clause_of(frame: bytes) -> str:
    """What the agent says in this frame."""
    return _clauses.get(frame, MUSIC)


# -- the record ----------------------------------------------------------------------------------------------
@dataclass
class KeptJournal:
    """A voice.events.Journal that keeps everything, and when it was safe."""

    takes_s: float = 0.005  # to be safe
    events: list[CallEvent] = field(default_factory=list)
    emitted_at: list[float] = field(default_factory=list)
    durable_at: list[tuple[float, int]] = field(default_factory=list)  # time, events safe by then

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)
        self.emitted_at.append(anyio.current_time())

    async def durable(self) -> None:
        count = len(self.events)
        await anyio.sleep(self.takes_s)
        self.durable_at.append((anyio.current_time(), count))

    @property
    def turns(self) -> list[Turn]:
        """As they stand at last, by index."""
        latest = {event.index: event for event in self.events if isinstance(event, Turn)}
        return [latest[index] for index in sorted(latest)]

    @property
    def happened(self) -> list[Happened]:
        return [event for event in self.events if isinstance(event, Happened)]

    @property
    def transfer(self) -> TransferUpdated | None:
        return next((e for e in reversed(self.events) if isinstance(e, TransferUpdated)), None)

    @property
    def ended(self) -> CallEnded:
        (ended,) = [event for event in self.events if isinstance(event, CallEnded)]
        return ended


class KeptFile:
    """A voice.recorder.StereoFile in memory."""

    def __init__(self) -> None:
        self.left = bytearray()
        self.right = bytearray()
        self.closed = False
        self.failed = False

    def write(self, left: bytes, right: bytes, /) -> None:
        assert len(left) == len(right) == FRAME_BYTES
        self.left += left
        self.right += right

    def close(self) -> None:
        self.closed = True
