"""Recognition of many calls at once: `python -m bench.recognition_load [AT_ONCE] [ROUNDS] [MODEL]`.

Every utterance is fed as a telephone would, a frame each 20 ms, ending with the silence that ends a turn;
first one at a time, then AT_ONCE (16) together, ROUNDS (3) times. Exit code 1 when finals come over 150 ms
later (p95) with all at once than with one alone, or when somebody was not heard.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
import soxr
from rich.console import Console
from rich.table import Table

from asr.catalog import resolve_model
from asr.vosk_engine import VoskRecognizer
from tts.espeak_voice import EspeakVoice

SENTENCES = (
    "请问社保卡丢了怎么补办",
    "我想咨询一下出生证明要收费吗",
    "建设路三百五十八号的路灯坏了好几天了",
    "请问经济适用房可以网上办吗",
    "我要投诉小区楼下的烧烤店太吵了",
    "公积金贷款最多能贷多少钱",
    "居住证怎么办理需要什么材料",
    "我们小区从昨天晚上开始就停水了",
)
VOICES = ("f5", "m8")  # the built-in model never heard them
SAMPLE_RATE = 8000
FRAME_BYTES = 320  # 20 ms
FRAME_S = 0.02
END_SILENCE_S = 0.5  # of silence, at the end of a turn
PROBE_S = 0.01
BOUND_MS = 150.0


@dataclass(slots=True)
class Measured:
    """What one way of running gave; times in ms, audio in s."""

    final_ms: list[float] = field(default_factory=list)
    first_partial_ms: list[float] = field(default_factory=list)
    lag_ms: list[float] = field(default_factory=list)
    oldest_wait_ms: list[float] = field(default_factory=list)
    waiting_ms: list[float] = field(default_factory=list)
    unheard: int = 0


async def _recordings() -> list[bytes]:
    """Every sentence by every voice, with the silence that ends a turn."""
    found = []
    for voice_name, sentence in itertools.product(VOICES, SENTENCES):
        voice = EspeakVoice(voice_name)
        pcm = np.frombuffer(b"".join([chunk async for chunk in voice.speak(sentence)]), "<i2")
        narrow = soxr.resample(pcm, voice.sample_rate, SAMPLE_RATE).astype("<i2").tobytes()
        found.append(narrow + bytes(round(END_SILENCE_S * SAMPLE_RATE) * 2))
    return found


async def _utterance(recognizer: VoskRecognizer, pcm: bytes, measured: Measured) -> None:
    """Feed one recording at the speed of speech and note when its words came."""
    loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 500)
    speech_s = loud[0] / SAMPLE_RATE
    started = ended = time.perf_counter()

    async def frames() -> AsyncIterator[bytes]:
        nonlocal ended
        for number, start in enumerate(range(0, len(pcm), FRAME_BYTES), 1):
            await anyio.sleep(max(0.0, started + number * FRAME_S - time.perf_counter()))
            yield pcm[start : start + FRAME_BYTES]
        ended = time.perf_counter()

    text, first_at = "", 0.0
    async for heard in recognizer.transcribe(frames()):
        if heard.text and not first_at:
            first_at = time.perf_counter()
        text = heard.text
    measured.final_ms.append((time.perf_counter() - ended) * 1000)
    if text:
        measured.first_partial_ms.append((first_at - started - speech_s) * 1000)
    measured.unheard += not text


async def _watch(recognizer: VoskRecognizer, measured: Measured) -> None:
    """Sample how late the event loop is and how much audio waits."""
    while True:
        asked = time.perf_counter()
        await anyio.sleep(PROBE_S)
        measured.lag_ms.append((time.perf_counter() - asked - PROBE_S) * 1000)
        load = recognizer.load()
        measured.oldest_wait_ms.append(load.oldest_wait_s * 1000)
        measured.waiting_ms.append(load.waiting_s * 1000)


async def _run(recognizer: VoskRecognizer, rounds: Sequence[Sequence[bytes]]) -> Measured:
    """Each round's recordings together, begun within a second of each other, and round after round."""
    measured = Measured()
    chance = random.Random(12345)

    async def begin(pcm: bytes, wait_s: float) -> None:
        await anyio.sleep(wait_s)
        await _utterance(recognizer, pcm, measured)

    async with anyio.create_task_group() as watching:
        watching.start_soon(_watch, recognizer, measured)
        for together in rounds:
            async with anyio.create_task_group() as calls:
                for pcm in together:
                    calls.start_soon(begin, pcm, chance.random() if len(together) > 1 else 0.0)
        watching.cancel_scope.cancel()
    return measured


async def _real_time_factor(recognizer: VoskRecognizer, recordings: Sequence[bytes]) -> float:
    """Processor time for a second of audio, handed in without pauses."""

    async def whole(pcm: bytes) -> AsyncIterator[bytes]:
        yield pcm

    before = time.process_time()
    for pcm in recordings:
        async for _ in recognizer.transcribe(whole(pcm)):
            pass
    return (time.process_time() - before) / (sum(map(len, recordings)) / 2 / SAMPLE_RATE)


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share * 100)) if values else float("nan")


def _cells(values: Sequence[float]) -> list[str]:
    return [f"{_percentile(values, share):.1f}" for share in (0.5, 0.95, 1.0)]


def _table(alone: Measured, together: Measured, at_once: int) -> Table:
    table = Table("ms", *("p50", "p95", "max") * 2, title=f"one alone | {at_once} at once")
    for title, key in (
        ("finalisation, end of audio to final", "final_ms"),
        ("first partial, after the first sound", "first_partial_ms"),
        ("event loop late by", "lag_ms"),
        ("oldest chunk waits", "oldest_wait_ms"),
        ("audio waiting, all calls", "waiting_ms"),
    ):
        table.add_row(title, *_cells(getattr(alone, key)), *_cells(getattr(together, key)))
    return table


async def _measure(at_once: int, rounds: int, model: str) -> int:
    console = Console()
    recordings = await _recordings()
    recognizer = VoskRecognizer(resolve_model(model, Path("data/models")), sample_rate=SAMPLE_RATE)
    endless = itertools.cycle(recordings)
    await _real_time_factor(recognizer, recordings[:1])  # warm
    factor = await _real_time_factor(recognizer, recordings)
    alone = await _run(recognizer, [[pcm] for pcm in recordings])
    together = await _run(recognizer, [list(itertools.islice(endless, at_once)) for _ in range(rounds)])
    await recognizer.aclose()
    console.print(_table(alone, together, at_once))
    later_ms = _percentile(together.final_ms, 0.95) - _percentile(alone.final_ms, 0.95)
    unheard = alone.unheard + together.unheard
    console.print(f"real-time factor {factor:.4f}")
    console.print(f"finals come {later_ms:.0f} ms later (p95); at most {BOUND_MS:.0f} ms are allowed")
    if unheard:
        console.print(f"[red]{unheard} utterances were not heard")
    return int(later_ms > BOUND_MS or unheard > 0)


def main(at_once: str = "16", rounds: str = "3", model: str = "builtin") -> int:
    """Measure, print the table; 1 when it is not good enough."""
    return anyio.run(_measure, int(at_once), int(rounds), model)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
