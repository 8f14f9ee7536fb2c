"""Runs recognisers over labelled speech, each engine in a process of its own.

So memory and processor time are that engine's alone, libraries that cannot share a process stay apart, and an
engine that crashes takes nothing with it.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import rich.progress

from asr import AsrError, ModelError, Recognizer, Transcript
from hotline.character_errors import Alignment, align, compared
from hotline.console import err
from hotline.evaluation_figures import ClipResult, EngineResult, RowResult
from hotline.labelled_speech import Clip
from hotline.line_conditions import FRAME, SAMPLE_RATE, Condition, Samples, apply, first_sound_s
from hotline.sections import AsrSettings
from hotline.speech import open_recognizer, read_wav
from voice.streams import closing

_FRAME_S = FRAME / SAMPLE_RATE
_FRAME_BYTES = 2 * FRAME


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: `jobs` clips at once; `paced`: at the speed of speech, which gives delays."""

    clips: Sequence[Clip]
    conditions: Sequence[Condition]
    noise_file: Path | None = None
    jobs: int = 1
    paced: bool = False


@dataclass(slots=True)
class Heard:
    """What came of one clip, and when."""

    final: Transcript
    wall_s: float
    first_words_audio_s: float | None = None
    first_words_ms: float | None = None
    finalisation_ms: float | None = None
    error: str = ""


def measure(name: str, settings: AsrSettings, hotwords: Sequence[str], plan: Plan) -> EngineResult:
    """Run the plan on the engine that `settings` name, in a new process; errors are in the result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(_measure_here, name, settings, hotwords, plan).result()
        except BrokenProcessPool:
            return EngineResult(
                name, error="it ended the process it ran in (a crash, or out of memory)", exit_code=1
            )


async def run_plan(recognizer: Recognizer, plan: Plan, tell: Callable[[], object]) -> list[RowResult]:
    """The plan's conditions in turn; `tell` is called after each clip. Raises AsrError when none can work."""
    noise = await anyio.to_thread.run_sync(_noise, plan.noise_file)
    first = await anyio.to_thread.run_sync(_prepare, plan.clips[0], Condition(), None)
    warm_up = await hear(recognizer, first.pcm, first.sound_s, paced=False)
    if warm_up.error:
        raise AsrError(warm_up.error)
    return [await _Row(recognizer, plan, condition, noise, tell).run() for condition in plan.conditions]


async def hear(recognizer: Recognizer, pcm: bytes, sound_s: float, *, paced: bool) -> Heard:
    """Let `recognizer` hear `pcm`, whose first sound is at `sound_s`, in pieces of 20 ms.

    Paced, each piece is there when a telephone would have it; delays count from then, also where the engine
    was late to take it. Only errors that may pass are kept in the result; others are raised.
    """
    started = anyio.current_time()
    pieces = max(1, -(-len(pcm) // _FRAME_BYTES))
    given = 0

    async def audio() -> AsyncIterator[bytes]:
        nonlocal given
        for given in range(1, pieces + 1):
            if paced:
                await anyio.sleep_until(started + given * _FRAME_S)
            yield pcm[(given - 1) * _FRAME_BYTES : given * _FRAME_BYTES]

    heard = Heard(Transcript("", final=True), 0.0)
    try:
        async with closing(recognizer.transcribe(audio())) as transcripts:
            async for transcript in transcripts:
                now_s = anyio.current_time() - started
                if transcript.final:
                    heard.final = transcript
                    heard.finalisation_ms = (now_s - pieces * _FRAME_S) * 1000 if paced else None
                elif paced and transcript.text and heard.first_words_ms is None:
                    heard.first_words_ms = (now_s - sound_s) * 1000
                    heard.first_words_audio_s = given * _FRAME_S - sound_s
    except AsrError as error:
        if not error.retryable:
            raise
        heard = Heard(Transcript("", final=True), 0.0, error=str(error))
    heard.wall_s = anyio.current_time() - started
    return heard


def right_words(final: Transcript, reference: str) -> list[tuple[float, bool]]:
    """Each word's confidence, and whether all its characters stand in `reference` (as compared)."""
    words = [(compared(word.text), word.confidence) for word in final.words]
    right = iter(align(reference, "".join(text for text, _ in words)).heard_right())
    return [(confidence, all([next(right) for _ in text])) for text, confidence in words if text]


@dataclass(frozen=True, slots=True)
class _Prepared:
    pcm: bytes
    sound_s: float
    cpu_s: float  # what preparing took: not the engine's


@dataclass(slots=True)
class _Row:
    """One condition under way."""

    recognizer: Recognizer
    plan: Plan
    condition: Condition
    noise: Samples | None
    tell: Callable[[], object]
    results: dict[int, ClipResult] = field(default_factory=dict)
    words: list[tuple[float, bool]] = field(default_factory=list)
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)
    preparing_cpu_s: float = 0.0
    broken: AsrError | None = None

    async def run(self) -> RowResult:
        room = anyio.Semaphore(self.plan.jobs)
        before_s = time.process_time()
        async with anyio.create_task_group() as tasks:
            for number, clip in enumerate(self.plan.clips):
                await room.acquire()
                tasks.start_soon(self._one, number, clip, room, tasks.cancel_scope)
        cpu_s = time.process_time() - before_s - self.preparing_cpu_s
        if self.broken is not None:
            raise self.broken
        clips = tuple(self.results[number] for number in range(len(self.plan.clips)))
        return RowResult(self.condition, clips, tuple(self.words), self.confusions, cpu_s)

    async def _one(self, number: int, clip: Clip, room: anyio.Semaphore, scope: anyio.CancelScope) -> None:
        try:
            prepared = await anyio.to_thread.run_sync(_prepare, clip, self.condition, self.noise)
            self.preparing_cpu_s += prepared.cpu_s
            heard = await hear(self.recognizer, prepared.pcm, prepared.sound_s, paced=self.plan.paced)
            self.results[number] = self._compare(clip, heard)
            self.tell()
        except AsrError as error:
            self.broken = error
            scope.cancel()
        finally:
            room.release()

    def _compare(self, clip: Clip, heard: Heard) -> ClipResult:
        reference, text = compared(clip.text), heard.final.raw or heard.final.text
        alignment: Alignment = align(reference, compared(text))
        self.confusions.update(alignment.confusions())
        self.words += right_words(heard.final, reference)
        return ClipResult(
            name=clip.name,
            text=clip.text,
            heard=text,
            characters=len(reference),
            substitutions=alignment.substitutions,
            deletions=alignment.deletions,
            insertions=alignment.insertions,
            audio_s=clip.duration_s,
            wall_s=heard.wall_s,
            first_words_audio_s=heard.first_words_audio_s,
            first_words_ms=heard.first_words_ms,
            finalisation_ms=heard.finalisation_ms,
            error=heard.error,
        )


def _prepare(clip: Clip, condition: Condition, noise: Samples | None) -> _Prepared:
    before_s = time.thread_time()
    pcm = read_wav(clip.file)
    line = apply(pcm, condition, name=clip.name, noise=noise)
    return _Prepared(line, first_sound_s(pcm), time.thread_time() - before_s)


def _noise(file: Path | None) -> Samples | None:
    return np.frombuffer(read_wav(file), "<i2").astype(np.float64) if file else None


def _measure_here(name: str, settings: AsrSettings, hotwords: Sequence[str], plan: Plan) -> EngineResult:
    before_bytes, before_s = _memory("VmRSS"), time.perf_counter()
    try:
        recognizer = open_recognizer(settings, hotwords)
        load_s = time.perf_counter() - before_s
        loaded_bytes = _grown(before_bytes, "VmRSS")
        rows = anyio.run(_run_shown, name, recognizer, plan)
    except AsrError as error:
        code = 2 if isinstance(error, ModelError) else 1
        return EngineResult(name, error=" ".join(str(error).split()), exit_code=code)
    return EngineResult(name, tuple(rows), load_s, loaded_bytes, _grown(before_bytes, "VmHWM"))


async def _run_shown(name: str, recognizer: Recognizer, plan: Plan) -> list[RowResult]:
    """Run the plan with a progress bar on a terminal."""
    columns: list[Any] = ["{task.description}", rich.progress.BarColumn(), rich.progress.MofNCompleteColumn()]
    columns.append(rich.progress.TimeRemainingColumn())
    with rich.progress.Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(name, total=len(plan.clips) * len(plan.conditions))
        try:
            return await run_plan(recognizer, plan, lambda: bar.advance(task))
        finally:
            await recognizer.aclose()


def _grown(before_bytes: int | None, key: str) -> int | None:
    now_bytes = _memory(key)
    return None if now_bytes is None or before_bytes is None else now_bytes - before_bytes


def _memory(key: str) -> int | None:
    """This process's VmRSS (memory now) or VmHWM (at its highest); None where the kernel does not tell."""
    status = Path("/proc/self/status")
    found = re.search(rf"^{key}:\s+(\d+) kB", status.read_text(), re.M) if status.is_file() else None
    return int(found[1]) * 1024 if found else None
