"""What every recogniser must do, run on each engine this machine has, over the same recordings.

An engine is added by its name in `ENGINES`. A module that imports some of these tests runs them on a fixture
`recognizer` of its own, which is taken for one that understands.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import itertools
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import vosk

from asr import EngineFailed, Recognizer, Transcript
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from tests.unit import funasr_models
from tests.unit.espeak import synthesise
from tests.unit.vosk_lookahead import make_dynamic

pytestmark = [
    pytest.mark.unit,
    pytest.mark.anyio,
    pytest.mark.timeout(300),  # importing funasr alone takes 20 s of computing
]

SENTENCES = ["我想咨询一下出生证明要收费吗", "请问经济适用房可以网上办吗", "门牌号是七幺五四三幺"]
CASES = [(text, variant) for text in SENTENCES for variant in ("m8", "f5")]  # voices the model never heard
LEAK_MB = 6.0  # in 250 utterances: a server of the tests keeps 4 that it was sent; decoders would be 20
KEPT_DECODERS = 4
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Engine:
    """An engine under test: how it is made, in a folder of its own, and what may be asked of it."""

    make: Callable[[Path], Recognizer]
    understands: bool = True  # else its weights are random: it hears nonsense, but always the same
    needs: tuple[str, ...] = ()  # packages


def _vosk_dynamic(folder: Path) -> Recognizer:
    return VoskRecognizer(make_dynamic(BUILTIN, folder / "model"), workers=2)


def _funasr(folder: Path) -> Recognizer:
    from asr.funasr_engine import FunasrRecognizer

    streaming = funasr_models.make_streaming(folder / "streaming")
    offline = funasr_models.make_paraformer(folder / "offline")
    return FunasrRecognizer(streaming=streaming, offline=offline, workers=2)


def _funasr_onnx(folder: Path) -> Recognizer:
    from asr.funasr_onnx_engine import FunasrOnnxRecognizer

    streaming = funasr_models.make_streaming(folder / "torch" / "streaming")
    offline = funasr_models.make_paraformer(folder / "torch" / "offline")
    return FunasrOnnxRecognizer(
        streaming=funasr_models.export(streaming, folder / "streaming"),
        offline=funasr_models.export(offline, folder / "offline"),
        workers=2,
    )


_FUNASR = ("funasr", "torch", "kaldi_native_fbank")
ENGINES = {
    "vosk": Engine(lambda _folder: VoskRecognizer(BUILTIN, workers=2)),
    "vosk-dynamic": Engine(_vosk_dynamic),  # a graph as in the official small models
    "funasr": Engine(_funasr, understands=False, needs=_FUNASR),
    "funasr-onnx": Engine(_funasr_onnx, understands=False, needs=(*_FUNASR, "onnx", "onnxruntime")),
}
_made: dict[int, Engine] = {}  # by the id of the recogniser


@pytest.fixture(scope="module", params=list(ENGINES))
def recognizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recognizer]:
    engine = ENGINES[request.param]
    for package in engine.needs:
        if find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    made = engine.make(tmp_path_factory.mktemp("models"))
    _made[id(made)] = engine
    yield made
    del _made[id(made)]
    anyio.run(made.aclose)


def understands(recognizer: Recognizer) -> bool:
    engine = _made.get(id(recognizer))
    return engine is None or engine.understands


async def expected(recognizer: Recognizer, text: str, pcm: bytes) -> str:
    """What is to be heard in `pcm`: `text`, or, where that is nonsense, what the engine hears when alone."""
    return text if understands(recognizer) else (await hear(recognizer, pcm))[-1].text


async def frames(pcm: bytes, *, frame: int = 320) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), frame):
        yield pcm[start : start + frame]


async def hear(recognizer: Recognizer, pcm: bytes, *, frame: int = 320) -> list[Transcript]:
    return [heard async for heard in recognizer.transcribe(frames(pcm, frame=frame))]


@pytest.mark.parametrize(("text", "variant"), CASES)
async def test_text_is_right(recognizer: Recognizer, text: str, variant: str) -> None:
    pcm = synthesise(text, variant=variant)
    *_, final = await hear(recognizer, pcm)
    assert final.text == await expected(recognizer, text, pcm)
    assert final.text
    assert 0.0 < final.confidence <= 1.0
    if understands(recognizer):
        assert final.confidence > 0.8


async def test_partials_grow_and_one_final_comes_last(recognizer: Recognizer) -> None:
    heard = await hear(recognizer, synthesise(SENTENCES[0]))
    assert [item.final for item in heard] == [False] * (len(heard) - 1) + [True]
    partials = [item.text for item in heard[:-1]]
    assert len(partials) >= 4
    assert all(one != after for one, after in itertools.pairwise(partials)), "a partial was repeated"
    assert len(partials[0]) < len(partials[-1])
    assert all(not item.words and item.confidence == 0.0 for item in heard[:-1])
    if understands(recognizer):
        assert len(partials[-1]) <= len(SENTENCES[0])


async def test_word_times_run_through_the_utterance(recognizer: Recognizer) -> None:
    pcm = synthesise(SENTENCES[1])
    for _ in range(2):  # also when something is kept from the utterance before
        *_, final = await hear(recognizer, pcm)
        assert "".join(word.text for word in final.words) == final.text.replace(" ", "")
        times = [edge for word in final.words for edge in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= len(pcm) / 16000 + 0.2
        assert all(0 <= word.confidence <= 1 for word in final.words)


@pytest.mark.parametrize("frame", [7, 1000, 1_000_000])
async def test_chunk_size_does_not_matter(recognizer: Recognizer, frame: int) -> None:
    pcm = synthesise(SENTENCES[2])
    *_, final = await hear(recognizer, pcm, frame=frame)
    assert final.text == await expected(recognizer, SENTENCES[2], pcm)


async def test_a_pause_in_the_middle_cuts_nothing(recognizer: Recognizer) -> None:
    if not understands(recognizer):
        pytest.skip("compares words with what was said")
    first, second = synthesise(SENTENCES[0]), synthesise(SENTENCES[1])
    pause = bytes(2 * 8000 * 3)  # longer than any engine's own endpointing waits
    heard = await hear(recognizer, first + pause + second)
    assert heard[-1].text == SENTENCES[0] + SENTENCES[1]
    assert [item.final for item in heard].count(True) == 1
    assert heard[-2].text.startswith(SENTENCES[0]), "a partial forgot the words before the pause"
    after = [word for word in heard[-1].words if word.start_s > len(first) / 16000 + 2]
    assert "".join(word.text for word in after) == SENTENCES[1]


@pytest.mark.parametrize("pcm", [b"", b"\0", bytes(2), bytes(16000)])
async def test_nothing_said_is_an_empty_final(recognizer: Recognizer, pcm: bytes) -> None:
    assert await hear(recognizer, pcm) == [Transcript("", final=True)]


async def test_noise_does_no_harm(recognizer: Recognizer, capfd: pytest.CaptureFixture[str]) -> None:
    pcm = synthesise(SENTENCES[0])
    said = await expected(recognizer, SENTENCES[0], pcm)
    noise = np.random.default_rng(1).normal(0, 3000, 8000 * 3).astype("<i2").tobytes()
    *_, final = await hear(recognizer, noise)
    assert final.final
    if understands(recognizer):
        assert len(final.text) < 20
    *_, after = await hear(recognizer, pcm)
    assert after.text == said
    assert capfd.readouterr().err == "", "the engine wrote to the program's stderr"


async def test_a_minute_of_speech_is_heard_to_its_end(recognizer: Recognizer) -> None:
    pcm, said, number = b"", "", 0
    while len(pcm) < 60 * 16000:
        text, variant = CASES[number % len(CASES)]
        pcm += synthesise(text, variant=variant) + bytes(round(0.4 * 16000) // 2 * 2)
        said += text
        number += 1
    heard = await hear(recognizer, pcm)
    final = heard[-1]
    assert [item.final for item in heard].count(True) == 1
    assert len(pcm) / 16000 - 2 < final.words[-1].end_s <= len(pcm) / 16000 + 0.2
    if understands(recognizer):
        assert difflib.SequenceMatcher(None, final.text, said, autojunk=False).ratio() > 0.97


async def test_ten_at_once_are_kept_apart(recognizer: Recognizer) -> None:
    cases = (CASES * 2)[:10]
    recordings = [synthesise(text, variant=variant) for text, variant in cases]
    said = [await expected(recognizer, text, pcm) for (text, _), pcm in zip(cases, recordings, strict=True)]
    finals: dict[int, str] = {}

    async def one(number: int, pcm: bytes) -> None:
        finals[number] = (await hear(recognizer, pcm))[-1].text

    async with anyio.create_task_group() as group:
        for number, pcm in enumerate(recordings):
            group.start_soon(one, number, pcm)
    assert [finals[number] for number in range(10)] == said


async def test_closing_early_leaves_the_engine_usable(recognizer: Recognizer) -> None:
    pcm = synthesise(SENTENCES[0])
    said = await expected(recognizer, SENTENCES[0], pcm)
    async with contextlib.aclosing(recognizer.transcribe(frames(pcm))) as heard:  # type: ignore[type-var]
        async for item in heard:
            assert not item.final
            break
    assert (await hear(recognizer, pcm))[-1].text == said


async def test_cancelling_leaves_no_task_and_no_thread_behind(recognizer: Recognizer) -> None:
    pcm = synthesise(SENTENCES[0])
    said = await expected(recognizer, SENTENCES[0], pcm)
    started = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            started.set()
            yield pcm

    async def listen() -> None:
        async for _ in recognizer.transcribe(endless()):
            pass

    tasks, threads = len(anyio.get_running_tasks()), threading.active_count()
    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await started.wait()
        group.cancel_scope.cancel()
    assert len(anyio.get_running_tasks()) == tasks
    assert threading.active_count() <= threads
    assert (await hear(recognizer, pcm))[-1].text == said


async def test_hundreds_of_utterances_leave_no_memory_behind(recognizer: Recognizer) -> None:
    pcm = synthesise(SENTENCES[0])[:6400]  # 0.4 s
    decoders_of_others = _decoders()

    async def one(number: int) -> None:
        async with contextlib.aclosing(recognizer.transcribe(frames(pcm))) as heard:  # type: ignore[type-var]
            async for _ in heard:
                if number == 3:
                    break  # somebody hangs up

    async def hear_many(count: int) -> None:
        for _ in range(count // 10):
            async with anyio.create_task_group() as group:
                for number in range(10):
                    group.start_soon(one, number)
        gc.collect()

    await hear_many(100)
    used_mb = [_memory_mb()]
    for _ in range(3):  # what is lost is lost in every third; the allocator's moods are not
        await hear_many(250)
        used_mb.append(_memory_mb())
    assert min(after - before for before, after in pairwise(used_mb)) < LEAK_MB
    if isinstance(recognizer, VoskRecognizer):  # a server's decoders are its own affair
        assert _decoders() - decoders_of_others <= KEPT_DECODERS


def _memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def _decoders() -> int:
    return sum(type(item) is vosk.KaldiRecognizer for item in gc.get_objects())


async def test_an_error_of_the_audio_source_comes_through(recognizer: Recognizer) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3200)
        raise ConnectionError("the line is gone")

    with pytest.raises(ConnectionError, match="the line is gone"):
        [item async for item in recognizer.transcribe(broken())]


async def test_decoding_never_runs_on_the_event_loop(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(recognizer, VoskRecognizer):
        pytest.skip("looks at the Vosk engine's own decoder")
    threads: set[str] = set()

    class Watched(vosk.KaldiRecognizer):  # type: ignore[misc]
        def AcceptWaveform(self, data: bytes) -> Any:
            threads.add(threading.current_thread().name)
            return super().AcceptWaveform(data)

    monkeypatch.setattr("vosk.KaldiRecognizer", Watched)
    monkeypatch.setattr(recognizer._decoders, "_kept", [])
    await hear(recognizer, synthesise(SENTENCES[0]))
    assert threads
    assert all(name.startswith("asr") for name in threads)


async def test_a_closed_recogniser_says_so() -> None:
    engine = VoskRecognizer(BUILTIN, workers=1)
    await engine.aclose()
    with pytest.raises(EngineFailed, match="closed") as raised:
        await hear(engine, bytes(3200))
    assert not raised.value.retryable


async def test_closing_ends_a_running_transcription() -> None:
    engine = VoskRecognizer(BUILTIN, workers=1)

    async def source() -> AsyncIterator[bytes]:
        yield synthesise(SENTENCES[0])
        await engine.aclose()
        yield synthesise(SENTENCES[0])

    with pytest.raises(EngineFailed, match="closed"):
        [item async for item in engine.transcribe(source())]


async def test_a_model_of_another_rate_gets_its_own_rate(tmp_path: Path) -> None:
    """A 16 kHz model (the official ones are) refuses telephone audio, so the engine fills it in."""
    folder = tmp_path / "wide"
    shutil.copytree(BUILTIN, folder)
    conf = folder / "conf" / "mfcc.conf"
    conf.write_text(conf.read_text().replace("=8000", "=16000"))
    engine = VoskRecognizer(folder, workers=1)
    pcm = synthesise(SENTENCES[0])
    *_, final = await hear(engine, pcm)
    await engine.aclose()
    # The words are wrong (the model was trained at 8 kHz); that all the audio got through is the point.
    assert final.words
    assert final.words[-1].end_s == pytest.approx(len(pcm) / 16000, abs=0.5)
