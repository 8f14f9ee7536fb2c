"""What is on the line in a timed call: voices, pauses, noises, and the agent's own voice coming back.

All of it is real sound to the speech detector. Every frame of the agent's voice is unlike any other, so that
a leg knows which part of which clause was heard, and when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice
from typing import Literal

import numpy as np

from tests.sim.fakes import (
    MARK,
    MUSIC,
    ScriptedVoice,
    Utterance,
    know_clause,
    spoken_frames,
    voiced_frames,
)
from tests.sim.lines import ScriptedLeg
from voice.media import SILENCE, PlayoutBuffer, mix
from voice.phone import FRAME_BYTES, FRAME_S, SAMPLE_RATE

S_PER_CHAR = 0.2
OTHER_VOICE, AGENT_VOICE = "m8", "f2"  # a caller's is f5
NoiseKind = Literal["voice", "cough", "door", "hiss", "street"]


# -- the caller's side ---------------------------------------------------------------------------------------
def words(said: Utterance, pauses_s: Sequence[float]) -> list[bytes]:
    """What is said, at an even pace, as frames; at each … of its text there is a pause.

    `lasts_s` 0 is five characters a second; the recogniser may break in the last part.
    """
    parts = said.text.split("…")
    characters = sum(map(len, parts))
    per_char = (said.lasts_s or characters * S_PER_CHAR) / characters
    pauses = cycle(pauses_s)
    frames: list[bytes] = []
    for part in parts[:-1]:
        frames += spoken_frames(
            replace(said, text=part, lasts_s=len(part) * per_char, breaks_asr_at_s=None), goes_on=True
        )
        frames += [SILENCE] * round(next(pauses) / FRAME_S)
    return frames + spoken_frames(replace(said, text=parts[-1], lasts_s=len(parts[-1]) * per_char))


@cache
def noise(kind: NoiseKind, lasts_s: float, level_dbfs: float) -> list[bytes]:
    """A noise as frames: a voice without words, a cough, a door, line hiss, a street."""
    frames = round(lasts_s / FRAME_S)
    if kind == "voice":
        return list(islice(cycle(voiced_frames(OTHER_VOICE)), frames))
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


# -- the agent's voice ---------------------------------------------------------------------------------------
_agent_frames: dict[bytes, tuple[str, int, int]] = {}  # a clause's text, which of its frames, of how many


@cache
def _clause_frames(text: str, rate: float) -> list[bytes]:
    """The agent saying this clause; every frame is known to be of it."""
    number = len(_agent_frames)  # no two frames of any clauses are alike
    count = round(len(text) * S_PER_CHAR / rate / FRAME_S)
    frames = []
    for index, voiced in enumerate(islice(cycle(voiced_frames(AGENT_VOICE)), count)):
        frame = np.array([index, number % 32768], "<i2").tobytes() + voiced[4:]
        _agent_frames[frame] = text, index, count
        know_clause(frame, text)
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
