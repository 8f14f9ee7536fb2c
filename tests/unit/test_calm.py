"""Ticks that are given together are heard as those given one by one, and nothing is told later for it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from voice.calm import Calm
from voice.endpointing import Endpointer, EndpointSettings
from voice.listener import Listener
from voice.media import SILENCE
from voice.phone import FRAME_BYTES, SAMPLE_RATE
from voice.turns import Turn, TurnSettings

pytestmark = [pytest.mark.unit]

SAMPLES = FRAME_BYTES // 2
WORDS = "请问社保卡怎么补办"


def magnitude(frame: bytes) -> float:
    return float(np.abs(np.frombuffer(frame, "<i2").astype(int)).mean())


def given(calm: Calm, levels: list[float]) -> int:
    """After how many ticks of these magnitudes they are given."""
    for count, level in enumerate(levels, start=1):
        if calm.ends(np.full(SAMPLES, level, "<i2").tobytes(), magnitude):
            return count
    return 0


def test_without_anything_each_tick_is_given_at_once() -> None:
    assert given(Calm(), [0]) == 1


def test_ticks_wait_whatever_is_in_them() -> None:
    assert given(Calm(5), [9000] * 9) == 5


def test_quiet_ticks_wait_until_one_is_not_quiet() -> None:
    assert given(Calm(1, 10, 20, 60), [30] * 20) == 10
    assert given(Calm(1, 10, 20, 60), [30, 30, 60]) == 3
    assert given(Calm(1, 10, 20, 60), [30, 19]) == 2


# -- a whole call: ticked one by one, and together -------------------------------------------------


def sound(seed: int) -> Iterator[bytes]:
    """Stretches of noise of changing loudness, of voice in it, and of pauses, for half a minute."""
    chance = np.random.default_rng(seed)
    noise = 6.0
    while True:
        frames = int(chance.integers(3, 120))
        kind = chance.integers(4)
        if kind == 0:
            noise = float(chance.choice([0.0, 6.0, 60.0, 300.0]))
        time_s = np.arange(frames * SAMPLES) / SAMPLE_RATE
        samples = chance.normal(0, noise, len(time_s))
        if kind > 1:
            pitch = 130 + 40 * np.sin(2 * math.pi * 1.3 * time_s).cumsum() / SAMPLE_RATE
            beat = 0.6 + 0.4 * np.sin(2 * math.pi * 4 * time_s)
            voice = sum(np.sin(2 * math.pi * n * np.cumsum(pitch) / SAMPLE_RATE) / n for n in range(1, 18))
            samples += float(chance.choice([200, 1500, 6000])) * beat * voice
        pcm = samples.clip(-32000, 32000).astype("<i2").tobytes()
        for at in range(0, len(pcm), FRAME_BYTES):
            yield pcm[at : at + FRAME_BYTES]


class Call:
    """A listener on a line; the words of a turn are recognised as it goes on, while the agent may speak."""

    def __init__(self, *, together: bool) -> None:
        self.told: list[tuple[int, int, Turn]] = []  # at which tick what was told, and of which tick
        self.batches = 0
        self._listener = Listener(TurnSettings(), Endpointer(EndpointSettings()))
        self._together = together
        self._calm = Calm()
        self._waiting: list[tuple[int, bytes]] = []
        self._partial = ""
        self._agent_speaks = False

    def tick(self, now: int, frame: bytes) -> None:
        self._waiting.append((now, frame))
        if self._calm.ends(frame, magnitude) or not self._together:
            self.give(now)

    def agent(self, now: int, speaks: bool) -> None:
        """It begins or ceases to speak after this tick."""
        self.give(now)
        self._agent_speaks = speaks
        self.look()

    def recognised(self, now: int) -> None:
        """A word more."""
        if self._listener.in_turn:
            self.give(now)
            self._partial = WORDS[: len(self._partial) + 1]
            self.look()

    def give(self, now: int) -> None:
        self.batches += 1
        for tick, frame in self._waiting:
            turn = self._listener.take(frame, SILENCE, agent_speaks=self._agent_speaks, partial=self._partial)
            if turn is Turn.ENDED:
                self._partial = ""
            if turn is not None:
                self.told.append((now, tick, turn))
        self._waiting.clear()
        self.look()

    def look(self) -> None:
        self._calm = self._listener.calm(agent_speaks=self._agent_speaks, partial=self._partial)


@pytest.mark.parametrize("seed", range(6))
def test_a_call_is_heard_alike_and_as_early(seed: int) -> None:
    each, together = Call(together=False), Call(together=True)
    chance = np.random.default_rng(seed)
    ticks = 3000
    speaks = False
    for now, frame in zip(range(ticks), sound(seed), strict=False):
        for call in (each, together):
            call.tick(now, frame)
        if chance.random() < 0.01:
            speaks = not speaks
            for call in (each, together):
                call.agent(now, speaks)
        if now % 20 == 7:
            for call in (each, together):
                call.recognised(now)
    assert together.told == each.told
    assert together.batches < 0.8 * each.batches  # also where the agent is talked over half of the time


def test_many_kinds_of_turns_are_in_these_calls() -> None:
    told = set()
    for seed in range(6):
        call = Call(together=True)
        for now, frame in zip(range(3000), sound(seed), strict=False):
            call.tick(now, frame)
            if now % 400 == 0:
                call.agent(now, now % 800 == 0)
            if now % 20 == 7:
                call.recognised(now)
        told |= {turn for *_, turn in call.told}
    assert told >= {Turn.BEGAN, Turn.PAUSED, Turn.ENDED, Turn.HOLD, Turn.BARGE_IN}
