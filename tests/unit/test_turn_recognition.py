"""A recogniser's partials are known by the audio it had heard, however long it took to decode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio.lowlevel
import pytest

from asr import Transcript
from asr.pool import Load
from hotline.errors import UsageError
from hotline.line_conditions import SAMPLE_RATE
from hotline.turn_evaluation import Evaluation, Material
from hotline.turn_recognition import Recognition
from tests.unit.test_turn_evaluation import Level, clip
from voice.manner import Manner

pytestmark = [pytest.mark.unit]


class CountsFrames:
    """Has recognised a character for each 0.1 s it was given; decodes a little after it was given them."""

    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self._decoded_s = 0.0

    def load(self) -> Load:
        return Load(decoded_s=self._decoded_s)

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        text = ""
        pieces = aiter(audio)
        waiting = asyncio.ensure_future(anext(pieces))
        while True:
            try:
                piece = await waiting
            except StopAsyncIteration:
                break
            waiting = asyncio.ensure_future(anext(pieces))
            await anyio.lowlevel.checkpoint()
            self._decoded_s += len(piece) / 2 / SAMPLE_RATE
            text += "一"
            yield Transcript(text, final=False)
        yield Transcript("二", final=True)

    async def aclose(self) -> None:
        """Nothing to close."""


def test_a_recognisers_words_are_known_by_the_audio_it_had_heard() -> None:
    one = clip()
    recognition = Recognition(CountsFrames())
    words = recognition.words(one)
    begin_s = one.first_s - 0.4
    words.turn_began(one.first_s)
    assert words.partial(begin_s + 0.1) == ""
    assert words.partial(begin_s + 0.16) == "一"  # a piece of 0.1 s, and 0.05 s for decoding
    assert words.partial(begin_s + 1.06) == "一" * 10
    assert recognition.heard_s == pytest.approx(one.last_s - begin_s + 1.0, abs=0.1)
    again = recognition.words(one)
    again.turn_began(begin_s + 1.0)
    assert again.partial(begin_s + 1.06) == "一" * 4  # what came within 0.4 s before the turn belongs to it
    assert words.partial(begin_s + 1.06) == "一" * 10


class Elsewhere:
    """Decodes on another machine."""

    sample_rate = SAMPLE_RATE

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        async for _ in audio:
            yield Transcript("", final=False)

    async def aclose(self) -> None:
        """Nothing to close."""


def test_a_recogniser_elsewhere_is_refused() -> None:
    with pytest.raises(UsageError, match="decodes in this process"):
        Recognition(Elsewhere())


def test_the_recogniser_hears_synthetic_callers_and_no_others() -> None:
    one = clip()
    recognition = Recognition(CountsFrames())

    def listening(patience: float, _caller: Manner) -> Level:
        return Level(patience)

    spoken_by_machine = replace(one, kind="synthetic")
    run = Evaluation(listening, Material([one]), recognition=recognition)
    run.endings("human", 0.5)
    assert recognition.heard_s == 0.0
    run = Evaluation(listening, Material([spoken_by_machine]), recognition=recognition)
    assert run.run([0.5]).recognition_cpu_s_per_minute is not None
    assert recognition.heard_s > 0.0
