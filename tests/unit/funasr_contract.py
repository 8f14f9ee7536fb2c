"""What both FunASR engines must do, on models with random weights: the text is nonsense, the conduct is not.

A test module derives classes and gives them the fixtures `folders`, with a model of each kind in folders of
the kinds' names, `open_engine`, the engine's class, `recognizer` and `streaming_only`.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from asr import EngineFailed, ModelError, Transcript
from asr.funasr_common import TwoPassRecognizer, _Utterance
from tests.unit.funasr_models import speech

OpenEngine = Callable[..., TwoPassRecognizer]

SECONDS = 3.3
NO_ENERGY = np.full(8000, 8, "<i2").tobytes()  # what an idle A-law line carries


def open_small(
    engine: OpenEngine, folders: Path, second: str = "sensevoice", **more: Any
) -> TwoPassRecognizer:
    """The engine on the small models, with the second pass of that kind ("" for none)."""
    offline = folders / second if second else None
    return engine(streaming=folders / "streaming", offline=offline, workers=2, **more)


async def frames(pcm: bytes, *, frame: int = 320) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), frame):
        yield pcm[start : start + frame]


async def hear(recognizer: TwoPassRecognizer, pcm: bytes, *, frame: int = 320) -> list[Transcript]:
    return [heard async for heard in recognizer.transcribe(frames(pcm, frame=frame))]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def whole_copy(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


class FunasrContract:
    """How an engine hears, as methods; pytest collects those of derived classes."""

    async def test_partials_grow_and_one_final_comes_last(self, recognizer: TwoPassRecognizer) -> None:
        heard = await hear(recognizer, speech(1, SECONDS))
        assert [item.final for item in heard] == [False] * (len(heard) - 1) + [True]
        partials = [item.text for item in heard[:-1]]
        assert len(partials) >= 4
        assert all(later.startswith(earlier) for earlier, later in pairwise(partials))
        assert len(set(partials)) == len(partials), "a partial was repeated"
        assert all(not item.words and item.confidence == 0.0 for item in heard[:-1])

    async def test_partials_come_in_time(self, streaming_only: TwoPassRecognizer) -> None:
        """What was said in the first 600 ms is there when the next pieces come, not with the next 600 ms."""
        texts = []
        told = anyio.Event()

        async def source() -> AsyncIterator[bytes]:
            async for piece in frames(speech(1, 0.7)):
                yield piece
            await told.wait()

        async for item in streaming_only.transcribe(source()):
            texts.append(item.text)
            told.set()
        assert texts[0]
        assert len(texts) == 2

    @pytest.mark.parametrize("frame", [7, 1000, 1_000_000])
    async def test_chunk_size_does_not_matter(self, recognizer: TwoPassRecognizer, frame: int) -> None:
        pcm = speech(2, SECONDS)
        assert await hear(recognizer, pcm, frame=frame) == await hear(recognizer, pcm)

    async def test_texts_differ_as_the_audio_does(self, recognizer: TwoPassRecognizer) -> None:
        texts = {(await hear(recognizer, speech(seed, 2.0)))[-1].text for seed in range(5)}
        assert len(texts) == 5

    async def test_the_end_of_the_streaming_text_is_not_lost(self, streaming_only: TwoPassRecognizer) -> None:
        heard = await hear(streaming_only, speech(3, SECONDS))
        assert heard[-1].text.startswith(heard[-2].text)
        assert len(heard[-1].text) > len(heard[-2].text)
        assert heard[-1].words[-1].end_s == pytest.approx(SECONDS, abs=0.1)

    @pytest.mark.parametrize("second", ["", "sensevoice", "paraformer", "bicif", "contextual", "seaco"])
    async def test_words_and_their_times(self, open_engine: OpenEngine, folders: Path, second: str) -> None:
        recognizer = open_small(open_engine, folders, second)
        *_, final = await hear(recognizer, speech(4, SECONDS))
        await recognizer.aclose()
        assert len(final.words) > 5
        assert "".join(word.text for word in final.words) == final.text.replace(" ", "")
        starts = [word.start_s for word in final.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start_s <= word.end_s <= SECONDS + 0.1 for word in final.words)
        assert all(0 < word.confidence <= 1 for word in final.words)
        assert 0 < final.confidence <= 1

    async def test_the_second_pass_has_the_last_word(
        self, recognizer: TwoPassRecognizer, streaming_only: TwoPassRecognizer
    ) -> None:
        pcm = speech(5, SECONDS)
        two, one = await hear(recognizer, pcm), await hear(streaming_only, pcm)
        assert two[:-1] == one[:-1], "partials are the first pass's"
        assert two[-1].text != one[-1].text

    @pytest.mark.parametrize("pcm", [b"", b"\0", bytes(2), bytes(400), bytes(16000), NO_ENERGY])
    async def test_nothing_said_is_an_empty_final(self, recognizer: TwoPassRecognizer, pcm: bytes) -> None:
        assert await hear(recognizer, pcm) == [Transcript("", final=True)]

    @pytest.mark.parametrize("samples", [1, 100, 200, 480, 4799, 4800, 4801, 9600])
    async def test_any_length_ends_in_one_final(self, recognizer: TwoPassRecognizer, samples: int) -> None:
        heard = await hear(recognizer, speech(6, 2.0)[: samples * 2])
        assert [item.final for item in heard].count(True) == 1
        assert heard[-1].final

    async def test_noise_does_no_harm(
        self,
        recognizer: TwoPassRecognizer,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        before = await hear(recognizer, speech(1, SECONDS))
        noise = np.random.default_rng(1).normal(0, 3000, 8000 * 3).astype("<i2").tobytes()
        assert (await hear(recognizer, noise))[-1].final
        assert await hear(recognizer, speech(1, SECONDS)) == before
        assert tuple(capfd.readouterr()) == ("", ""), "the engine wrote to the program's stdout or stderr"
        assert not caplog.records

    async def test_a_minute_of_speech(self, recognizer: TwoPassRecognizer) -> None:
        heard = await hear(recognizer, speech(7, 60), frame=1_000_000)
        final = heard[-1]
        assert len(heard) > 60
        assert final.words[0].start_s < 1
        assert final.words[-1].end_s == pytest.approx(60, abs=0.5)
        gaps = [later.start_s - earlier.end_s for earlier, later in pairwise(final.words)]
        assert max(gaps) < 1, "a piece in the middle was not heard"

    async def test_ten_at_once_are_as_each_alone(self, recognizer: TwoPassRecognizer) -> None:
        utterances = [speech(20 + number, 1.0 + number / 3) for number in range(10)]
        alone = [await hear(recognizer, pcm) for pcm in utterances]
        together: dict[int, list[Transcript]] = {}

        async def one(number: int) -> None:
            together[number] = await hear(recognizer, utterances[number])

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(one, number)
        assert [together[number] for number in range(10)] == alone
        assert len({heard[-1].text for heard in alone}) == 10

    async def test_nothing_is_kept_of_many_utterances(self, recognizer: TwoPassRecognizer) -> None:
        async def many(count: int) -> None:
            for seed in range(count):
                await hear(recognizer, speech(seed, 0.5 + seed % 7 / 5), frame=1_000_000)

        await many(40)
        gc.collect()
        before = resident_bytes()
        await many(120)
        gc.collect()
        assert not [item for item in gc.get_objects() if type(item) is _Utterance]
        assert resident_bytes() - before < 12_000_000

    async def test_closing_early_leaves_the_engine_usable(self, recognizer: TwoPassRecognizer) -> None:
        before = await hear(recognizer, speech(1, SECONDS))
        async with contextlib.aclosing(recognizer.transcribe(frames(speech(8, 5.0)))) as heard:
            async for item in heard:
                assert not item.final
                break
        assert await hear(recognizer, speech(1, SECONDS)) == before

    async def test_cancelling_leaves_no_task_behind(self, recognizer: TwoPassRecognizer) -> None:
        started = anyio.Event()

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield speech(9, 1.0)

        async def listen() -> None:
            async for _ in recognizer.transcribe(endless()):
                started.set()

        before = len(anyio.get_running_tasks())
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await started.wait()
            group.cancel_scope.cancel()
        assert len(anyio.get_running_tasks()) == before
        assert (await hear(recognizer, speech(1, SECONDS)))[-1].text

    async def test_the_models_run_in_the_engines_threads(
        self, recognizer: TwoPassRecognizer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads: set[str] = set()
        heard = recognizer._second.words  # type: ignore[union-attr]

        def watched(samples: Any) -> Any:
            threads.add(threading.current_thread().name)
            return heard(samples)

        monkeypatch.setattr(recognizer._second, "words", watched)
        await hear(recognizer, speech(1, SECONDS))
        assert threads
        assert all(name.startswith("asr") for name in threads)

    async def test_an_error_of_the_audio_source_comes_through(self, recognizer: TwoPassRecognizer) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield speech(1, 1.0)
            raise ConnectionError("the line is gone")

        with pytest.raises(ConnectionError, match="the line is gone"):
            [item async for item in recognizer.transcribe(broken())]

    async def test_a_failing_second_pass_costs_no_words(
        self,
        recognizer: TwoPassRecognizer,
        streaming_only: TwoPassRecognizer,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fails(_samples: Any) -> Any:
            raise RuntimeError("out of luck")

        monkeypatch.setattr(recognizer._second, "words", fails)
        assert await hear(recognizer, speech(1, 2.0)) == await hear(streaming_only, speech(1, 2.0))
        assert "RuntimeError" in caplog.text

    async def test_a_second_pass_that_hears_nothing_leaves_the_streaming_text(
        self,
        recognizer: TwoPassRecognizer,
        streaming_only: TwoPassRecognizer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(recognizer._second, "words", lambda _samples: ())
        assert await hear(recognizer, speech(1, 2.0)) == await hear(streaming_only, speech(1, 2.0))

    async def test_punctuation_stays_out_of_the_text(
        self, recognizer: TwoPassRecognizer, open_engine: OpenEngine, folders: Path
    ) -> None:
        engine = open_small(open_engine, folders, punctuation=folders / "punctuation")
        plain, marked = await hear(recognizer, speech(1, 3)), await hear(engine, speech(1, 3))
        await engine.aclose()
        assert [item.text for item in marked] == [item.text for item in plain]
        assert all(not item.raw for item in [*plain, *marked[:-1]])
        bare = marked[-1].raw.translate(str.maketrans("", "", "，。？、"))
        assert bare == marked[-1].text
        assert len(bare) < len(marked[-1].raw)
        assert marked[-1].raw[-1] in "。？"

    @pytest.mark.parametrize("kind", ["contextual", "seaco"])
    async def test_hotwords_change_what_is_heard(
        self, open_engine: OpenEngine, folders: Path, kind: str
    ) -> None:
        finals = []
        for hotwords in ((), ("丁七", "万丈"), ("上下不与丐丑",)):
            engine = open_small(open_engine, folders, kind, hotwords=hotwords)
            finals.append((await hear(engine, speech(1, 3)))[-1])
            await engine.aclose()
        assert len(set(finals)) == 3

    def test_hotwords_nobody_hears_are_told(
        self, open_engine: OpenEngine, folders: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_small(open_engine, folders, "sensevoice", hotwords=("出生证明",))
        assert "hotwords are of no use" in caplog.text
        assert "出生证明" not in caplog.text

    async def test_a_closed_recogniser_says_so(self, open_engine: OpenEngine, folders: Path) -> None:
        engine = open_small(open_engine, folders)
        await engine.aclose()
        with pytest.raises(EngineFailed, match="closed") as raised:
            await hear(engine, speech(1, 1.0))
        assert not raised.value.retryable

    async def test_closing_ends_a_running_transcription(self, open_engine: OpenEngine, folders: Path) -> None:
        engine = open_small(open_engine, folders)

        async def source() -> AsyncIterator[bytes]:
            yield speech(1, 1.0)
            await engine.aclose()
            yield speech(1, 1.0)

        with pytest.raises(EngineFailed, match="closed"):
            [item async for item in engine.transcribe(source())]

    async def test_the_network_is_never_used(
        self, open_engine: OpenEngine, folders: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reached: list[Any] = []

        def refuse(*arguments: Any, **_: Any) -> Any:
            reached.append(arguments)
            raise OSError("no network in this test")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        engine = open_small(
            open_engine,
            folders,
            "seaco",
            punctuation=folders / "punctuation",
            hotwords=("http://127.0.0.1:9/words.txt", "丁七"),
        )
        assert (await hear(engine, speech(1, 2.0)))[-1].text
        await engine.aclose()
        assert not reached


class FolderContract:
    """What an engine says of models it cannot load, as methods likewise."""

    needed: dict[str, tuple[str, ...]]  # the files each model must have
    network_file: str
    install: str
    library: str

    def test_a_folder_that_is_not_there(self, open_engine: OpenEngine, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"nowhere is no folder; .*docs/decisions/funasr\.md"):
            open_engine(streaming=tmp_path / "nowhere")

    @pytest.mark.parametrize("kind", ["streaming", "sensevoice", "seaco", "punctuation"])
    def test_a_file_that_is_missing(
        self, open_engine: OpenEngine, folders: Path, tmp_path: Path, kind: str
    ) -> None:
        for name in self.needed[kind]:
            copy = whole_copy(folders / kind, tmp_path / name)
            (copy / name).unlink()
            role = kind if kind in ("streaming", "punctuation") else "offline"
            with pytest.raises(ModelError) as raised:
                open_engine(**{"streaming": folders / "streaming", role: copy})
            assert str(copy) in str(raised.value)
            assert name.rpartition("spectok.")[2] in str(raised.value)
            assert "fetch" in str(raised.value)
            assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("kind", ["streaming", "sensevoice", "paraformer", "punctuation"])
    def test_a_file_that_is_corrupt(
        self, open_engine: OpenEngine, folders: Path, tmp_path: Path, kind: str
    ) -> None:
        for name in self.needed[kind]:
            copy = whole_copy(folders / kind, tmp_path / name)
            (copy / name).write_bytes(b"\x80no such thing: [" * 5)
            role = kind if kind in ("streaming", "punctuation") else "offline"
            with pytest.raises(ModelError) as raised:
                open_engine(**{"streaming": folders / "streaming", role: copy})
            assert str(copy) in str(raised.value)
            assert "\n" not in str(raised.value)

    def test_models_in_the_wrong_place(self, open_engine: OpenEngine, folders: Path) -> None:
        with pytest.raises(ModelError, match=r"paraformer.* the streaming model"):
            open_engine(streaming=folders / "paraformer")
        with pytest.raises(ModelError, match=r"punctuation.* the offline model"):
            open_small(open_engine, folders, "punctuation")
        with pytest.raises(ModelError, match=r"sensevoice.* the punctuation model"):
            open_small(open_engine, folders, punctuation=folders / "sensevoice")

    def test_weights_of_another_model(self, open_engine: OpenEngine, folders: Path, tmp_path: Path) -> None:
        copy = whole_copy(folders / "streaming", tmp_path / "mixed")
        shutil.copy(folders / "punctuation" / self.network_file, copy / self.network_file)
        with pytest.raises(ModelError, match="mixed"):
            open_engine(streaming=copy)

    def test_a_punctuation_model_with_its_own_dictionary(
        self, open_engine: OpenEngine, folders: Path, tmp_path: Path
    ) -> None:
        copy = whole_copy(folders / "punctuation", tmp_path / "large")
        (copy / "jieba_usr_dict").write_text("丁七\n", encoding="utf-8")
        with pytest.raises(ModelError, match=r"jieba.*vocab272727"):
            open_small(open_engine, folders, punctuation=copy)

    def test_without_the_extra(
        self, open_engine: OpenEngine, folders: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, self.library, None)
        with pytest.raises(ModelError) as raised:
            open_engine(streaming=folders / "streaming")
        assert self.install in str(raised.value)
