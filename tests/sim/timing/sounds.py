"""What is on the line in a timed call: voices, noises, echo; a recogniser that knows words when they fell.

Every frame of a caller's words carries a mark (which utterance, which frame of it), and every frame of the
agent's voice is unlike any other, so that the recogniser knows just what it was given and the leg just what
was played. The caller's and the agent's voices, and an echo of the latter, are real sound to the detector.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from typing import Literal

import anyio
import numpy as np

from asr import EngineFailed, Transcript
from tests.sim import fakes
from tests.sim.fakes import MARK, MUSIC, ScriptedRecognizer, ScriptedVoice
from tests.sim.lines import ScriptedLeg
from voice.media import SILENCE, PlayoutBuffer, mix
from voice.phone import FRAME_BYTES, FRAME_S, SAMPLE_RATE

S_PER_CHAR = 0.2
CALLER_HZ, OTHER_HZ, AGENT_HZ = 180.0, 200.0, 240.0  # pitches of voices
NoiseKind = Literal["voice", "cough", "door", "hiss", "street"]


@cache
def babble(pitch_hz: float) -> list[bytes]:
    """Ten seconds of a voice around this pitch that a speech detector takes for speech in every frame."""
    t = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    pitch = pitch_hz * (1 + 0.12 * np.sin(2 * np.pi * 1.3 * t) + 0.05 * np.sin(2 * np.pi * 3.1 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = (  # level, Hz, bandwidth in Hz
        (1.0, 550 + 150 * np.sin(2 * np.pi * 2.2 * t), 160),
        (0.6, 1500 + 350 * np.sin(2 * np.pi * 1.7 * t + 1), 220),
        (0.35, 2600 + 150 * np.sin(2 * np.pi * 1.1 * t), 300),
    )
    wave = np.zeros(len(t))
    for harmonic in range(1, 40):
        hz = harmonic * pitch
        level = 0.05 + sum(share / (1 + ((hz - at) / width) ** 2) for share, at, width in formants)
        wave += np.where(hz < 3700, level, 0) * np.sin(harmonic * phase + 0.7 * harmonic**2)
    wave *= 0.75 + 0.25 * np.sin(2 * np.pi * 4.5 * t)
    pcm = (wave / np.abs(wave).max() * 9000).astype("<i2").tobytes()
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


# -- the caller's side ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Words:
    """Words as they fall: each character with its first frame and the one after its last."""

    text: str
    chars: tuple[tuple[int, int], ...]
    frames: int
    confidence: float = 0.95
    asr_fails_at_s: float | None = None


_said: list[Words] = []  # the number in a frame's mark


def words(
    text: str, *, lasts_s: float, pauses_s: Sequence[float], confidence: float, fails: float | None
) -> Words:
    """`text` at an even pace within `lasts_s` of sound (0: five characters a second), a pause at each …"""
    parts = text.split("…")
    whole = "".join(parts)
    per_char = (lasts_s or len(whole) * S_PER_CHAR) / len(whole) / FRAME_S
    gaps = islice(cycle(pauses_s), len(parts) - 1)
    chars: list[tuple[int, int]] = []
    at = 0.0
    for part in parts:
        chars += [(round(at + i * per_char), round(at + (i + 1) * per_char)) for i in range(len(part))]
        at = chars[-1][1] + next(gaps, 0.0) / FRAME_S
    return Words(whole, tuple(chars), chars[-1][1], confidence, fails)


def spoken(said: Words) -> list[bytes]:
    """The words as marked frames; pauses are silent."""
    _said.append(said)
    sounding = {index for begin, end in said.chars for index in range(begin, end)}
    voice = babble(CALLER_HZ)
    return [
        np.array([MARK, len(_said) - 1, index], "<i2").tobytes() + voice[index % len(voice)][6:]
        if index in sounding
        else SILENCE
        for index in range(said.frames)
    ]


@cache
def noise(kind: NoiseKind, lasts_s: float, level_dbfs: float) -> list[bytes]:
    """A noise as frames: a voice without words, a cough, a door, line hiss, a street."""
    frames = round(lasts_s / FRAME_S)
    if kind == "voice":
        return list(islice(cycle(babble(OTHER_HZ)), frames))
    count = frames * FRAME_BYTES // 2
    wave = np.random.default_rng(12345).standard_normal(count)
    if kind == "street":  # low rumble under some hiss
        wave = np.convolve(wave, np.hanning(24), "same") / 3 + 0.1 * wave
    elif kind == "cough":
        wave = np.convolve(wave, np.hanning(6), "same")
        wave *= np.minimum(1.0, np.arange(count) / 80) * np.exp(-np.arange(count) / SAMPLE_RATE / 0.08)
    elif kind == "door":
        wave *= np.exp(-np.arange(count) / SAMPLE_RATE / 0.006)
    wave *= 32768 * 10 ** (level_dbfs / 20) / np.sqrt(np.mean(wave**2))
    pcm = np.clip(wave, -32000, 32000).astype("<i2").tobytes()
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


class _Incoming(deque[bytes]):
    """The frames that a TimedLeg receives: all that sounds at its other end, mixed; never exhausted."""

    def __init__(self, background: Sequence[bytes], echo_db: float | None, echo_delay_s: float) -> None:
        super().__init__()
        self.sounds: list[deque[bytes]] = []
        self._background = cycle(background or [SILENCE])
        self._echo = 10 ** (echo_db / 20) if echo_db is not None else 0.0
        self._echoes = deque([SILENCE] * round(echo_delay_s / FRAME_S))

    def sent(self, frame: bytes) -> None:
        """The agent's frame of this tick, which will come back."""
        self._echoes.append(frame)

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> bytes:
        frame, mark = next(self._background), b""
        for sound in self.sounds:
            sounding = sound.popleft()
            if sounding[:2] == MARK.to_bytes(2, "little"):
                mark = mark or sounding[:6]
            frame = mix(sounding, frame) if sounding is not SILENCE else frame
        self.sounds = [sound for sound in self.sounds if sound]
        echoed = self._echoes.popleft() if self._echoes else SILENCE
        if self._echo and echoed is not SILENCE:
            quieter = (np.frombuffer(echoed, "<i2") * self._echo).astype("<i2").tobytes()
            frame = mix(quieter, frame)
        return mark + frame[len(mark) :] if mark else frame


class _Sent(PlayoutBuffer):
    """A playout buffer that tells of every frame taken."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        super().__init__()
        self._tell = tell

    def take(self) -> bytes:
        frame = super().take()
        self._tell(frame)
        return frame


@dataclass
class Stretch:
    """A part of one clause, or music, that was heard without a break; on the loop's clock."""

    text: str
    first: int  # frame of the clause
    clause_frames: int
    began_at: float
    frames: int = 0

    @property
    def ended_at(self) -> float:
        return self.began_at + self.frames * FRAME_S

    @property
    def next(self) -> int:
        """The frame of the clause that would come next."""
        return self.first + self.frames

    @property
    def whole_s(self) -> float:
        """How long the clause is when it is heard whole."""
        return self.clause_frames * FRAME_S


class TimedLeg(ScriptedLeg):
    """A leg on which sounds overlap: the caller's, noises, a background, and the agent's own echo."""

    def __init__(
        self,
        *,
        call_id: str,
        remote: str,
        background: Sequence[bytes] = (),
        echo_db: float | None = None,
        echo_delay_s: float = 0.2,
    ) -> None:
        super().__init__(call_id=call_id, remote=remote)
        self._outgoing = self._incoming = _Incoming(background, echo_db, echo_delay_s)
        self._playout = _Sent(self._sent)
        self.stretches: list[Stretch] = []

    def _sent(self, frame: bytes) -> None:
        self._incoming.sent(frame)
        if frame is SILENCE:
            return
        now = self.answered_at + self._ticks * FRAME_S
        text, index, count = _agent_frames.get(frame, (MUSIC, 0, 0))
        last = self.stretches[-1] if self.stretches else None
        goes_on = last is not None and last.text == text and (index == last.next or text == MUSIC)
        if last is None or not goes_on or (text != MUSIC and now - last.ended_at > FRAME_S / 2):
            last = Stretch(text, index, count, now)
            self.stretches.append(last)
        last.frames += 1

    def sound(self, frames: Sequence[bytes]) -> None:
        """Let this be heard from the next frame on, with whatever else sounds."""
        self._incoming.sounds.append(deque(frames))


# -- the recogniser ------------------------------------------------------------------------------------------
class TimedRecognizer(ScriptedRecognizer):
    """Tells every word `partial_lag_s` of audio after it fell, and all of them `final_s` after the end."""

    def __init__(self, partial_lag_s: float = 0.2, final_s: float = 0.1, *, partials: bool = True) -> None:
        super().__init__(partial_lag_s, final_s)
        self.partials = partials

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        got: dict[tuple[int, int], float] = {}  # when each marked frame came, in seconds of audio
        heard_s, told = 0.0, ""
        self.open += 1
        try:
            async for piece in audio:
                for at in range(0, len(piece), FRAME_BYTES):
                    heard_s += FRAME_S
                    mark, number, index = np.frombuffer(piece[at : at + 6], "<i2").tolist()
                    if mark == MARK:
                        got[number, index] = heard_s
                        fails_s = _said[number].asr_fails_at_s
                        if fails_s is not None and index * FRAME_S >= fails_s:
                            raise EngineFailed("the scripted engine broke", retryable=True)
                partial = _words(got, heard_s - self.partial_lag_s)
                if self.partials and partial != told:
                    told = partial
                    yield Transcript(partial)
            await anyio.sleep(self.final_s)
            text = _words(got, heard_s)
            confidence = min((_said[number].confidence for number, _ in got), default=0.0)
            yield Transcript(text, final=True, confidence=confidence if text else 0.0)
        finally:
            self.open -= 1


def _words(got: dict[tuple[int, int], float], until_s: float) -> str:
    """The characters at least half of whose frames had come by then."""
    text = ""
    for number in dict.fromkeys(number for number, _ in got):
        said = _said[number]
        for char, (begin, end) in zip(said.text, said.chars, strict=True):
            came = [got[number, index] for index in range(begin, end) if (number, index) in got]
            text += char if 2 * len(came) >= end - begin and max(came) <= until_s + 1e-6 else ""
    return text


# -- the agent's voice ---------------------------------------------------------------------------------------
_agent_frames: dict[bytes, tuple[str, int, int]] = {}  # a clause's text, which of its frames, of how many


@cache
def _clause_frames(text: str, rate: float) -> list[bytes]:
    """The agent saying this clause; every frame is known to be of it."""
    number = len(_agent_frames)  # no two frames of any clauses are alike
    count = round(len(text) * S_PER_CHAR / rate / FRAME_S)
    frames = []
    for index, voiced in enumerate(islice(cycle(babble(AGENT_HZ)), count)):
        frame = np.array([index, number % 32768], "<i2").tobytes() + voiced[4:]
        _agent_frames[frame] = text, index, count
        fakes._clauses[frame] = text
        frames.append(frame)
    return frames


class TimedVoice(ScriptedVoice):
    """Speaks five characters a second, in a voice that sounds like one."""

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        frames = iter(_clause_frames(text, rate))
        speaking = super().speak(text, rate=rate)
        try:
            async for _ in speaking:
                yield next(frames)
        finally:
            await speaking.aclose()
