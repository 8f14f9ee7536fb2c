"""What every recogniser must do, run on each engine this machine has, over the same recordings."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import vosk

from asr import EngineFailed, Recognizer, Transcript
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

SENTENCES = ["我想咨询一下出生证明要收费吗", "请问经济适用房可以网上办吗", "门牌号是七幺五四三幺"]
CASES = [(text, variant) for text in SENTENCES for variant in ("m8", "f5")]  # voices the model never heard


@pytest.fixture(scope="module", params=["vosk"])
def recognizer(request: pytest.FixtureRequest) -> Iterator[Recognizer]:
    engine = {"vosk": lambda: VoskRecognizer(BUILTIN, workers=2)}[request.param]()
    yield engine
    anyio.run(engine.aclose)


async def frames(pcm: bytes, *, frame: int = 320) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), frame):
        yield pcm[start : start + frame]


async def hear(recognizer: Recognizer, pcm: bytes, *, frame: int = 320) -> list[Transcript]:
    return [heard async for heard in recognizer.transcribe(frames(pcm, frame=frame))]


@pytest.mark.parametrize(("text", "variant"), CASES)
async def test_text_is_right(recognizer: Recognizer, text: str, variant: str) -> None:
    *_, final = await hear(recognizer, synthesise(text, variant=variant))
    assert final.text == text
    assert final.confidence > 0.8


async def test_partials_grow_and_one_final_comes_last(recognizer: Recognizer) -> None:
    heard = await hear(recognizer, synthesise(SENTENCES[0]))
    assert [item.final for item in heard] == [False] * (len(heard) - 1) + [True]
    partials = [item.text for item in heard[:-1]]
    assert len(partials) >= 4
    assert len(set(partials)) == len(partials), "a partial was repeated"
    assert len(partials[0]) < len(partials[-1]) <= len(SENTENCES[0])
    assert all(not item.words and item.confidence == 0.0 for item in heard[:-1])


async def test_word_times_run_through_the_utterance(recognizer: Recognizer) -> None:
    pcm = synthesise(SENTENCES[1])
    *_, final = await hear(recognizer, pcm)
    assert "".join(word.text for word in final.words) == final.text
    times = [edge for word in final.words for edge in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= len(pcm) / 16000 + 0.2
    assert all(0 <= word.confidence <= 1 for word in final.words)


@pytest.mark.parametrize("frame", [7, 1000, 1_000_000])
async def test_chunk_size_does_not_matter(recognizer: Recognizer, frame: int) -> None:
    *_, final = await hear(recognizer, synthesise(SENTENCES[2]), frame=frame)
    assert final.text == SENTENCES[2]


async def test_a_pause_in_the_middle_cuts_nothing(recognizer: Recognizer) -> None:
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
    noise = np.random.default_rng(1).normal(0, 3000, 8000 * 3).astype("<i2").tobytes()
    *_, final = await hear(recognizer, noise)
    assert final.final
    assert len(final.text) < 20
    *_, after = await hear(recognizer, synthesise(SENTENCES[0]))
    assert after.text == SENTENCES[0]
    assert capfd.readouterr().err == "", "the engine wrote to the program's stderr"


async def test_eight_at_once_are_kept_apart(recognizer: Recognizer) -> None:
    finals: dict[int, str] = {}

    async def one(number: int, text: str, variant: str) -> None:
        finals[number] = (await hear(recognizer, synthesise(text, variant=variant)))[-1].text

    cases = (CASES * 2)[:8]
    async with anyio.create_task_group() as group:
        for number, (text, variant) in enumerate(cases):
            group.start_soon(one, number, text, variant)
    assert [finals[number] for number in range(8)] == [text for text, _ in cases]


async def test_closing_early_leaves_the_engine_usable(recognizer: Recognizer) -> None:
    async with contextlib.aclosing(recognizer.transcribe(frames(synthesise(SENTENCES[0])))) as heard:  # type: ignore[type-var]
        async for item in heard:
            assert not item.final
            break
    assert (await hear(recognizer, synthesise(SENTENCES[0])))[-1].text == SENTENCES[0]


async def test_cancelling_leaves_no_task_and_no_thread_behind(recognizer: Recognizer) -> None:
    started = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            started.set()
            yield synthesise(SENTENCES[0])

    async def listen() -> None:
        async for _ in recognizer.transcribe(endless()):
            pass

    before = len(anyio.get_running_tasks())
    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await started.wait()
        group.cancel_scope.cancel()
    assert len(anyio.get_running_tasks()) == before
    assert (await hear(recognizer, synthesise(SENTENCES[0])))[-1].text == SENTENCES[0]


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
    await hear(recognizer, synthesise(SENTENCES[0]))
    assert threads
    assert all(name.startswith("asr") for name in threads)


async def test_an_error_of_the_audio_source_comes_through(recognizer: Recognizer) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3200)
        raise ConnectionError("the line is gone")

    with pytest.raises(ConnectionError, match="the line is gone"):
        [item async for item in recognizer.transcribe(broken())]


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
