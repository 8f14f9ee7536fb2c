"""Vosk's grammars: nothing else is heard; refused where the graph or the words do not allow it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asr import ModelError, Transcript
from asr.vosk_engine import VoskRecognizer
from asr.vosk_grammar import grammar_json
from asr.vosk_model import BUILTIN, VoskModel, check_model, load_model
from tests.unit.espeak import synthesise
from tests.unit.vosk_lookahead import make_dynamic

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

PHRASES = ["我想咨询一下", "出生证明", "要收费吗", "转人工"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dynamic(BUILTIN, tmp_path_factory.mktemp("dynamic") / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> VoskModel:
    return load_model(folder)


async def hear(engine: VoskRecognizer, text: str) -> Transcript:
    async def audio() -> AsyncIterator[bytes]:
        yield synthesise(text)

    *_, final = [item async for item in engine.transcribe(audio())]
    return final


async def test_only_the_grammar_is_heard(folder: Path) -> None:
    engine = VoskRecognizer(folder, workers=1, grammar=PHRASES)
    for _ in range(2):  # by a new decoder, and by one used again
        final = await hear(engine, "我想咨询一下出生证明要收费吗")
        assert final.text == "我想咨询一下出生证明要收费吗"
        assert final.confidence > 0.8
        other = await hear(engine, "请问经济适用房可以网上办吗")
        assert set(other.text) <= set("".join(PHRASES))
    await engine.aclose()


def test_phrases_are_cut_into_words_of_the_model(model: VoskModel) -> None:
    lines = json.loads(grammar_json(model, ["我想咨询一下", "出生 证明", "转人工"]))
    assert [line.replace(" ", "") for line in lines[:3]] == ["我想咨询一下", "出生证明", "转人工"]
    assert "出生 证明" in lines, "blanks are boundaries"
    assert len(lines[0].split()) < 6, "long words before short ones"
    assert all(model.knows(word) for line in lines for word in line.split())


def test_words_the_model_does_not_have_are_refused(model: VoskModel) -> None:
    with pytest.raises(ModelError, match="the grammar says '魑魅魍魉', but the model has no such words"):
        grammar_json(model, ["转人工", "魑魅魍魉"])


def test_a_fixed_graph_takes_no_grammar() -> None:
    with pytest.raises(ModelError, match=r"graph \(HCLG\.fst\) is fixed, so it takes no grammar"):
        VoskRecognizer(BUILTIN, grammar=["转人工"])


@pytest.mark.parametrize("name", ["HCLr.fst", "Gr.fst", "disambig_tid.int"])
def test_a_missing_part_of_a_dynamic_graph_is_named(name: str, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    (copy / "graph" / name).unlink()
    with pytest.raises(ModelError, match=f"graph/{name}"):
        check_model(copy)
