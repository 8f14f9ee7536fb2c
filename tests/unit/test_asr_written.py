"""What was heard, written: numbers in digits, streets as the city spells them, both forms kept."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from asr import EngineFailed, Transcript, Word
from asr.numbers_written import number_writer
from asr.pool import Load
from asr.written import Writer, WrittenRecognizer
from dialog.places import load_gazetteer

pytestmark = [pytest.mark.unit]

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("written_cases.yaml").read_text("utf-8"))
STAYS: list[str] = CASES.pop("stays")
WRITTEN = {
    said: written[0] if isinstance(written, list) else written
    for group in CASES.values()
    for said, written in group.items()
}
WRITER = Writer(load_gazetteer().names)


@pytest.mark.parametrize(("said", "written"), WRITTEN.items())
def test_numbers_are_written_in_digits(said: str, written: str) -> None:
    assert WRITER.write(said) == written


@pytest.mark.parametrize("said", STAYS)
def test_words_that_only_hold_numerals_stay(said: str) -> None:
    assert WRITER.write(said) == said


@pytest.mark.parametrize("written", WRITTEN.values())
def test_what_is_written_stays_as_it_is(written: str) -> None:
    assert WRITER.write(written) == written


def test_names_with_numerals_stay_and_others_do_not() -> None:
    write = number_writer(["十八号公馆", "二十里铺", "天桥"])
    assert write("十八号公馆十八号楼在二十里铺二十号") == "十八号公馆18号楼在二十里铺20号"


def test_any_heap_of_numerals_is_written_without_an_error() -> None:
    """Recognisers make heaps of them; what cannot be a number must not reach cn2an."""
    rng = random.Random(7)
    signs = "零一二两三四五六七八九十百千万亿幺点半分之块毛元号楼单元月年日岁几个第周初叉"
    for _ in range(4_000):
        heap = "".join(rng.choices(signs, k=rng.randint(1, 16)))
        assert WRITER.write(heap) or not heap


@pytest.mark.parametrize(
    ("heard", "spelled"),
    [
        ("人民洞路的路灯坏了", "人民东路的路灯坏了"),
        ("我家住在见设东路十八号", "我家住在建设东路十八号"),
        ("就在必水湾门口", "就在碧水湾门口"),
        ("安居院五栋三零二", "安居苑五栋三零二"),  # a wrong last character, but a house number
        ("阳光化园和学远路都停水", "阳光花园和学院路都停水"),
        ("人民录十八号", "人民路十八号"),
    ],
)
def test_a_street_heard_as_homophones_is_spelled_as_the_city_spells_it(heard: str, spelled: str) -> None:
    assert WRITER.spell(heard) == spelled


@pytest.mark.parametrize(
    "heard",
    [
        "人民东路的路灯坏了",
        "这样未来成本会上升",  # 未来城
        "一辆汽车占道经营",  # 汽车站
        "安居院里停满了车",  # no house number
        "不是中山路是钟山路",  # the caller tells two apart
        "新人名字写错了",
        "货车站在路边",  # 火车站
        "",
        "路",
    ],
)
def test_other_words_are_not_taken_for_streets(heard: str) -> None:
    assert WRITER.spell(heard) == heard


def test_a_name_that_sounds_like_another_is_left_as_it_was_heard() -> None:
    writer = Writer(["文化路", "文华路", "广场"])
    assert writer.spell("纹花路在光场") == "纹花路在光场"


def test_without_names_numbers_are_written_all_the_same() -> None:
    assert Writer().write("人民洞路十八号") == "人民洞路18号"


class ScriptedEngine:
    """Tells the transcripts it was given, whatever the audio is."""

    sample_rate = 16000

    def __init__(self, *transcripts: Transcript, error: Exception | None = None) -> None:
        self._transcripts = transcripts
        self._error = error
        self.closed = self.left = False

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        try:
            async for _ in audio:
                pass
            for transcript in self._transcripts:
                yield transcript
            if self._error:
                raise self._error
        finally:
            self.left = True

    async def aclose(self) -> None:
        self.closed = True


class LoadedEngine(ScriptedEngine):
    """An engine that decodes in this process."""

    def load(self) -> Load:
        return Load(utterances=3)


async def silence() -> AsyncIterator[bytes]:
    yield bytes(320)


async def hear(engine: ScriptedEngine) -> list[Transcript]:
    return [item async for item in WrittenRecognizer(engine, WRITER).transcribe(silence())]


@pytest.mark.anyio
async def test_the_final_is_written_and_partials_pass() -> None:
    words = (Word("人民洞路", 0.1, 0.9, 0.4), Word("十八号", 0.9, 1.6, 0.9))
    partials = [Transcript("人民洞路十"), Transcript("人民洞路十八号")]
    final = Transcript("人民洞路十八号", True, 0.62, words)
    assert await hear(ScriptedEngine(*partials, final)) == [
        *partials,
        Transcript("人民东路18号", True, 0.62, words, raw="人民洞路十八号"),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("final", [Transcript("等一下", True, 0.9), Transcript("", True)])
async def test_what_needs_no_writing_has_no_second_form(final: Transcript) -> None:
    assert await hear(ScriptedEngine(final)) == [final]


@pytest.mark.anyio
async def test_what_the_engine_keeps_of_its_own_text_is_kept() -> None:
    final = Transcript("喂我住八号楼", True, 0.9, raw="喂，我住八号楼。")
    assert await hear(ScriptedEngine(final)) == [Transcript("喂我住8号楼", True, 0.9, raw="喂，我住八号楼。")]


@pytest.mark.anyio
async def test_errors_come_through_and_closing_reaches_the_engine() -> None:
    broken = ScriptedEngine(Transcript("喂"), error=EngineFailed("the engine broke", retryable=True))
    with pytest.raises(EngineFailed, match="the engine broke"):
        await hear(broken)
    engine = ScriptedEngine(Transcript("喂"), Transcript("喂你好", True))
    recognizer = WrittenRecognizer(engine, WRITER)
    transcripts = recognizer.transcribe(silence())
    assert await anext(transcripts) == Transcript("喂")
    await transcripts.aclose()
    assert engine.left
    await recognizer.aclose()
    assert engine.closed


def test_it_is_as_loaded_as_its_engine() -> None:
    assert WrittenRecognizer(LoadedEngine(), WRITER).load() == Load(utterances=3)
    assert WrittenRecognizer(ScriptedEngine(), WRITER).load() == Load()
    assert WrittenRecognizer(ScriptedEngine(), WRITER).sample_rate == 16000
