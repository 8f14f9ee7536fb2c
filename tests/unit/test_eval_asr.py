"""`hotline eval asr`: engines run over labelled speech, what is measured, and what the command says."""

from __future__ import annotations

import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asr import AsrError, EngineFailed, ModelError, Transcript, Word
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from hotline import asr_evaluation, evaluation
from hotline.asr_evaluation import Plan, measure, right_words, run_plan
from hotline.cli import main
from hotline.errors import UsageError
from hotline.evaluation_figures import EngineResult, figures
from hotline.labelled_speech import load_clips
from hotline.line_conditions import Condition
from hotline.sections import AsrSettings
from hotline.speech import write_wav
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit]

SENTENCES = {
    "a": "我想咨询一下出生证明要收费吗",
    "b": "门牌号是七幺五四三幺",
    "c": "请问经济适用房可以网上办吗",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three recordings the built-in model understands; the text of one claims more than is said."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, sentence in SENTENCES.items():
        write_wav(folder / f"{name}.wav", synthesise(sentence, variant="m8"), 8000)
        written = {"a": f"{sentence}？", "b": "门牌号是715431", "c": f"<b>{sentence}</b>谢谢"}[name]
        (folder / f"{name}.txt").write_text(written, encoding="utf-8")
    return folder


class Scripted:
    """Hears the same in everything."""

    sample_rate = 8000

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        async for _ in audio:
            pass
        yield Transcript("您好", True, 0.9, (Word("您好", 0.0, 0.1, 0.9),))

    async def aclose(self) -> None:
        """Nothing to close."""


class Failing(Scripted):
    """Fails on some utterances."""

    def __init__(self, *errors: AsrError | None) -> None:
        self.errors = list(errors)

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        async for transcript in super().transcribe(audio):
            yield transcript


def plan(data: Path, *conditions: Condition, jobs: int = 1) -> Plan:
    return Plan(load_clips(data)[0], conditions or [Condition()], jobs=jobs)


@pytest.mark.anyio
async def test_an_utterance_that_fails_counts_as_not_heard(data: Path) -> None:
    engine = Failing(None, None, EngineFailed("the server is gone", retryable=True))
    told: list[int] = []
    (row,) = await run_plan(engine, plan(data), lambda: told.append(1))
    failed = row.clips[1]
    assert (failed.error, failed.heard, failed.deletions) == ("the server is gone", "", failed.characters)
    assert [clip.heard for clip in row.clips] == ["您好", "", "您好"]
    assert figures(row, paced=False).failed == 1
    assert len(told) == 3


@pytest.mark.anyio
@pytest.mark.parametrize(
    "errors",
    [
        (EngineFailed("the server is gone", retryable=True),),
        (None, None, EngineFailed("the server is gone", retryable=False)),
        (None, ModelError("the server is gone")),
    ],
)
async def test_an_engine_that_cannot_work_is_given_up(
    data: Path, errors: tuple[AsrError | None, ...]
) -> None:
    with pytest.raises(AsrError, match="the server is gone"):
        await run_plan(Failing(*errors), plan(data, jobs=2), lambda: None)


@pytest.mark.anyio
async def test_no_more_than_asked_for_run_at_once(data: Path) -> None:
    at_once, most, warm = 0, 0, False
    full = anyio.Event()

    class Counting(Scripted):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
            nonlocal at_once, most, warm
            at_once += 1
            most = max(most, at_once)
            if at_once == 3:
                full.set()
            async for _ in audio:
                if warm:
                    await full.wait()  # the first two wait for the third; a fourth beside them is counted
            yield Transcript("好", True)
            warm = True
            at_once -= 1

    clips = load_clips(data)[0] * 4
    await run_plan(Counting(), Plan(clips, [Condition()], jobs=3), lambda: None)
    assert most == 3


@pytest.mark.anyio
async def test_the_built_in_model_under_several_conditions(data: Path) -> None:
    engine = VoskRecognizer(BUILTIN, workers=2)
    conditions = [Condition(), Condition("alaw"), Condition(noise_db=-15.0)]
    rows = await run_plan(engine, plan(data, *conditions, jobs=2), lambda: None)
    await engine.aclose()
    clean, alaw, noisy = (figures(row, paced=False) for row in rows)
    assert [clip.name for clip in rows[0].clips] == ["a.wav", "b.wav", "c.wav"]
    assert [clip.cer for clip in rows[0].clips[:2]] == [0, 0], "punctuation and digits are no errors"
    told_more = rows[0].clips[2]
    assert (told_more.substitutions, told_more.deletions, told_more.insertions) == (0, 4, 0)  # BB 谢谢
    assert clean.cer == pytest.approx(4 / clean.characters)
    assert clean.sentence_error_rate == pytest.approx(1 / 3)
    assert alaw.cer <= clean.cer + 0.1
    assert noisy.cer > 0.5
    assert 0 < clean.real_time_factor_cpu < 2
    assert clean.real_time_factor_wall is not None
    assert math.isclose(clean.audio_s, sum(clip.audio_s for clip in rows[0].clips))
    assert all(0 <= confidence <= 1 for confidence, _ in rows[0].words)
    assert all(right for _, right in rows[0].words)


def test_a_word_is_right_when_all_of_it_is_in_the_text() -> None:
    words = (Word("医院", 0, 1, 0.9), Word("，", 1, 1, 0.1), Word("18", 1, 2, 0.8), Word("号楼", 2, 3, 0.7))
    final = Transcript("医院18号楼", True, 0.8, words)
    assert right_words(final, "医院十八号门") == [(0.9, True), (0.8, True), (0.7, False)]
    assert right_words(Transcript("", True), "医院") == []


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ("vosk", {"engine": ("vosk",)}),
        ("vosk:/models/a:b", {"engine": ("vosk",), "model": "/models/a:b"}),
        ("funasr-onnx:/m", {"engine": ("funasr-onnx",), "funasr_streaming": "/m"}),
        ("funasr-ws:ws://h:10095", {"engine": ("funasr-ws",), "servers": ("ws://h:10095",)}),
        ("vosk-ws:wss://h", {"engine": ("vosk-ws",), "servers": ("wss://h",)}),
    ],
)
def test_an_engine_changes_only_what_it_names(spec: str, changed: dict[str, Any]) -> None:
    configured = AsrSettings(workers=3, models_dir=Path("m"))
    name, chosen = evaluation._engine(configured, spec)
    assert chosen == configured.model_copy(update=changed)
    assert name == (spec if spec != "vosk" else "vosk:builtin")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("kaldi", "no such engine; write vosk, "),
        ("", "no such engine"),
        ("funasr", "needs funasr_streaming"),
        ("funasr-ws", "needs servers"),
        ("vosk-ws:h:2700", "ws://"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluation._engine(AsrSettings(), spec)


def _dies(*_: object) -> None:
    os._exit(9)


def test_an_engine_that_ends_its_process_is_an_error_of_its_own(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asr_evaluation, "_measure_here", _dies)
    result = measure("x", AsrSettings(), (), plan(data))
    assert "ended the process" in result.error
    assert (result.rows, result.exit_code) == ((), 1)


def test_the_command_measures_in_processes_of_their_own(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--engine", "vosk", "--engine", f"vosk:{data}", "--loss", "50", "--jobs", "2"]
    assert main(["eval", "asr", "set", *arguments, "--json", "--report", "r.html"]) == 1
    shown = capsys.readouterr()
    assert "not a Vosk model" in shown.err.strip().splitlines()[-1]
    document = json.loads(shown.out)
    assert (document["clips"], document["skipped"], document["jobs"]) == (3, [], 2)
    good, bad = document["engines"]
    assert bad["engine"] == f"vosk:{data}"
    assert bad["rows"] == []
    assert [row["condition"]["loss_percent"] for row in good["rows"]] == [0.0, 50.0]
    assert good["rows"][0]["cer"] < good["rows"][1]["cer"]
    assert good["rows"][0]["per_clip"][0]["name"] == "c.wav", "the worst comes first"
    assert 1e6 < good["memory_loaded_bytes"] <= good["memory_peak_bytes"]
    page = Path("r.html").read_text(encoding="utf-8")
    assert "含来电人原话" in page
    assert "&lt;b&gt;请问" in page


def test_the_command_prints_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "d.wav").write_bytes(b"no sound")
    (data / "d.txt").write_text("好")
    assert main(["eval", "asr", "set", "--through", "alaw", "--limit", "4"]) == 0
    shown = capsys.readouterr()
    assert "vosk:builtin" in shown.out
    assert "A-law" in shown.out
    assert "谢谢" in shown.out
    assert "skipped d.wav: not a PCM WAV file" in shown.err
    assert "3 recordings are used, 1 are skipped" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["set", "--engine", "whisper"], "no such engine"),
        (["set", "--noise-file", "set/a.wav"], "--noise-file needs --noise"),
        (["set", "--noise", "5", "--noise-file", "silent.wav"], "no sound in it"),
        (["set", "--noise", "5", "--noise-file", "gone.wav"], "gone.wav"),
        (["set", "--report", "nowhere/r.html"], "nowhere/r.html: cannot be written"),
        (["set", "--report", "set"], "cannot be written"),
        (["set", "--loss", "101"], "--loss"),
        (["set", "--jobs", "0"], "--jobs"),
        (["set", "--through", "gsm"], "gsm"),
        (["set", "--limit", "1", "--engine", "vosk:nowhere"], "nowhere"),
    ],
)
def test_what_cannot_work_is_one_line(
    data: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(Path("silent.wav"), bytes(800), 8000)
    assert main(["eval", "asr", *arguments]) == 2
    shown = capsys.readouterr()
    line = shown.err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert said in line
    assert shown.out == ""


def test_an_error_that_may_pass_ends_in_1(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EngineResult("x", error="gone", exit_code=1)
    monkeypatch.setattr(asr_evaluation, "measure", lambda *_: broken)
    assert main(["eval", "asr", "set"]) == 1
