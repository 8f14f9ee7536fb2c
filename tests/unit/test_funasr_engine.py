"""FunASR on PyTorch: the engine's conduct, and that it hears what FunASR itself hears."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from asr.funasr_common import CHUNK, TwoPassRecognizer
from asr.funasr_engine import FunasrRecognizer
from asr.funasr_text import joined
from tests.unit.funasr_contract import SECONDS, FolderContract, FunasrContract, OpenEngine, hear, open_small
from tests.unit.funasr_models import make_funasr, speech

pytestmark = [
    pytest.mark.unit,
    pytest.mark.anyio,
    pytest.mark.timeout(300),  # importing funasr alone takes 20 s of computing
    pytest.mark.skipif(
        find_spec("funasr") is None or find_spec("torch") is None,
        reason="the extra funasr is not installed",
    ),
]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_funasr(tmp_path_factory.mktemp("funasr"))


@pytest.fixture(scope="session")
def open_engine() -> OpenEngine:
    return FunasrRecognizer


@pytest.fixture(scope="module")
def recognizer(open_engine: OpenEngine, folders: Path) -> Iterator[TwoPassRecognizer]:
    engine = open_small(open_engine, folders)
    yield engine
    anyio.run(engine.aclose)


@pytest.fixture(scope="module")
def streaming_only(open_engine: OpenEngine, folders: Path) -> Iterator[TwoPassRecognizer]:
    engine = open_small(open_engine, folders, second="")
    yield engine
    anyio.run(engine.aclose)


class TestFunasr(FunasrContract):
    """The contract, on PyTorch."""


class TestFunasrFolders(FolderContract):
    """The contract for folders, on PyTorch."""

    needed = {
        "streaming": ("config.yaml", "model.pt", "am.mvn", "tokens.json"),
        "sensevoice": ("config.yaml", "model.pt", "am.mvn", "chn_jpn_yue_eng_ko_spectok.bpe.model"),
        "paraformer": ("config.yaml", "model.pt", "am.mvn", "tokens.json"),
        "seaco": ("config.yaml", "model.pt", "am.mvn", "tokens.json"),
        "punctuation": ("config.yaml", "model.pt", "tokens.json"),
    }
    network_file = "model.pt"
    install = 'pip install "hotline-voice-agent[funasr]"'
    library = "funasr"


def direct(folder: Path, **settings: Any) -> Any:
    """The model, loaded and used as FunASR's own examples do."""
    from funasr import AutoModel

    return AutoModel(
        model=str(folder),
        device="cpu",
        ncpu=1,
        disable_update=True,
        disable_pbar=True,
        frontend_conf={"dither": 0.0, "cmvn_file": str(folder / "am.mvn")},
        **settings,
    )


def at_16_khz(pcm: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.repeat(np.frombuffer(pcm, "<i2"), 2).astype(np.int16)


def test_the_first_pass_hears_what_funasr_hears(folders: Path) -> None:
    recognizer = open_small(FunasrRecognizer, folders, "")
    samples = at_16_khz(speech(31, SECONDS))
    stream, cache = recognizer._first.start(), {}
    model = direct(folders / "streaming")
    mine, theirs = [], ""
    for start in range(0, len(samples), CHUNK):
        chunk, last = samples[start : start + CHUNK], start + CHUNK >= len(samples)
        mine += stream.accept(chunk, last=last)
        theirs += model.generate(
            input=chunk.astype(np.float32) / 32768,
            cache=cache,
            is_final=last,
            chunk_size=[0, 10, 5],
            encoder_chunk_look_back=4,
            decoder_chunk_look_back=1,
        )[0]["text"]
    anyio.run(recognizer.aclose)
    assert joined(recognizer._first.vocabulary.words(mine)).replace(" ", "") == theirs.replace(" ", "")
    assert len(theirs) > 10


@pytest.mark.parametrize("kind", ["paraformer", "bicif", "contextual", "seaco", "sensevoice"])
def test_the_second_pass_hears_what_funasr_hears(folders: Path, kind: str) -> None:
    hotwords = {"hotwords": ("丁七", "万丈")} if kind in ("contextual", "seaco") else {}
    recognizer = open_small(FunasrRecognizer, folders, kind, **hotwords)
    samples = at_16_khz(speech(32, SECONDS))
    words = recognizer._second.words(samples)  # type: ignore[union-attr]
    anyio.run(recognizer.aclose)
    pieces = folders / kind / "chn_jpn_yue_eng_ko_spectok.bpe.model"
    settings = {"tokenizer_conf": {"bpemodel": str(pieces)}} if pieces.exists() else {}
    options = {"hotword": "丁七 万丈"} if hotwords else {}
    options |= {"language": "zh"} if kind == "sensevoice" else {"output_timestamp": True}
    given = samples.astype(np.float32) / 32768
    result = direct(folders / kind, **settings).generate(input=given, **options)[0]
    mine, theirs = joined(words).replace(" ", ""), _plain(result["text"])
    if kind == "sensevoice":  # theirs begins with four tags, which random weights say as words
        assert theirs.endswith(mine[1:])
        assert 0 <= len(theirs) - len(mine) <= 4
    else:
        assert mine == theirs
    if "timestamp" in result:
        assert [[round(word.start_s * 1000), round(word.end_s * 1000)] for word in words] == result[
            "timestamp"
        ]


def _plain(text: str) -> str:
    """FunASR's text without tags, blanks and punctuation."""
    return "".join(letter for letter in text.replace("<|zh|>", "").replace("<unk>", "") if letter.isalnum())


async def test_how_sure_the_model_is(folders: Path) -> None:
    """Weights ten times as big make the model surer of the same words."""
    import torch

    sure = folders.parent / "sure"
    sure.mkdir(exist_ok=True)
    for name in ("config.yaml", "tokens.json", "am.mvn"):
        (sure / name).write_bytes((folders / "streaming" / name).read_bytes())
    weights = torch.load(folders / "streaming" / "model.pt")
    for name in ("decoder.output_layer.weight", "decoder.output_layer.bias"):
        weights[name] = weights[name] * 10
    torch.save(weights, sure / "model.pt")
    unsure, surer = open_small(FunasrRecognizer, folders, ""), FunasrRecognizer(streaming=sure)
    first, second = await hear(unsure, speech(1, 2.0)), await hear(surer, speech(1, 2.0))
    assert first[-1].text == second[-1].text
    assert 0 < first[-1].confidence < 0.1 < second[-1].confidence < 1
    assert len({word.confidence for word in second[-1].words}) > 3, "the words are not all equally sure"
    await unsure.aclose()
    await surer.aclose()


async def test_each_model_runs_on_one_thread(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    recognizer = open_small(FunasrRecognizer, folders)
    counts: list[int] = []
    heard = recognizer._second.words  # type: ignore[union-attr]

    def watched(samples: Any) -> Any:
        counts.append(torch.get_num_threads())
        return heard(samples)

    monkeypatch.setattr(recognizer._second, "words", watched)
    await hear(recognizer, speech(1, 1.0))
    await recognizer.aclose()
    assert counts == [1]


def test_loading_leaves_the_programs_logging_alone(folders: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    open_small(FunasrRecognizer, folders, "seaco", punctuation=folders / "punctuation")
    assert (list(root.handlers), root.level) == before
    assert tuple(capfd.readouterr()) == ("", "")
