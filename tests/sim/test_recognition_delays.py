"""The delays that `hotline eval asr --paced` tells, of engines whose delays are known."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from asr import Transcript, Word
from hotline.asr_evaluation import Heard, hear
from tests.sim.virtual_time import run_virtual

pytestmark = [pytest.mark.sim]


class Scripted:
    """Has a partial once it has heard so many pieces, and its final some time after the end."""

    sample_rate = 8000

    def __init__(self, *, after_pieces: int = 3, late_s: float = 0.12, slow_start_s: float = 0.0) -> None:
        self.after_pieces = after_pieces
        self.late_s = late_s
        self.slow_start_s = slow_start_s
        self.pieces: list[bytes] = []

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        await anyio.sleep(self.slow_start_s)
        yield Transcript("")
        async for piece in audio:
            self.pieces.append(piece)
            if len(self.pieces) == self.after_pieces:
                yield Transcript("您")
        await anyio.sleep(self.late_s)
        yield Transcript("您好", True, 0.9, (Word("您好", 0.0, 0.1, 0.9),))

    async def aclose(self) -> None:
        """Nothing to close."""


def test_delays_count_from_the_sound_itself() -> None:
    engine = Scripted()
    heard = run_virtual(_paced, engine, bytes(320 * 10 + 100))
    assert [len(piece) for piece in engine.pieces] == [320] * 10 + [100]
    assert heard.first_words_ms == pytest.approx(3 * 20 - 40)
    assert heard.first_words_audio_s == pytest.approx(0.02)
    assert heard.finalisation_ms == pytest.approx(120)
    assert heard.wall_s == pytest.approx(0.34)


def test_an_engine_late_to_listen_gains_nothing() -> None:
    heard = run_virtual(_paced, Scripted(slow_start_s=1.0), bytes(320 * 10))
    assert heard.first_words_ms == pytest.approx(1000 - 40)
    assert heard.finalisation_ms == pytest.approx(1000 - 200 + 120)


def test_an_engine_without_partials_has_no_first_words() -> None:
    heard = run_virtual(_paced, Scripted(after_pieces=0), bytes(320 * 10))
    assert heard.first_words_ms is None
    assert heard.final.text == "您好"


def test_at_full_speed_there_are_no_delays_to_tell() -> None:
    heard = run_virtual(_at_once, Scripted(), bytes(320 * 10))
    assert (heard.first_words_ms, heard.first_words_audio_s, heard.finalisation_ms) == (None, None, None)
    assert heard.wall_s == pytest.approx(0.12)


async def _paced(engine: Scripted, pcm: bytes) -> Heard:
    return await hear(engine, pcm, 0.04, paced=True)


async def _at_once(engine: Scripted, pcm: bytes) -> Heard:
    return await hear(engine, pcm, 0.04, paced=False)
