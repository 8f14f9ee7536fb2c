"""FunASR's models on onnxruntime: the engine's conduct, and that it hears what PyTorch hears."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from asr import ModelError
from asr.funasr_common import CHUNK, Samples, TwoPassRecognizer
from asr.funasr_onnx_engine import FunasrOnnxRecognizer
from asr.funasr_text import joined
from tests.unit.funasr_contract import (
    SECONDS,
    FolderContract,
    FunasrContract,
    OpenEngine,
    hear,
    open_small,
    whole_copy,
)
from tests.unit.funasr_models import FEATURES, export, make_funasr, make_funasr_onnx, speech

_MISSING = [
    extra
    for extra, modules in {
        "funasr-onnx": ("onnxruntime", "kaldi_native_fbank"),
        "funasr": ("funasr", "torch"),
    }.items()
    if any(find_spec(module) is None for module in modules)
]
_MISSING += ["onnx (a package, not an extra)"] if find_spec("onnx") is None else []

pytestmark = [
    pytest.mark.unit,
    pytest.mark.anyio,
    pytest.mark.timeout(300),  # importing funasr alone, which makes the models, takes 20 s of computing
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


@pytest.fixture(scope="session")
def torch_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_funasr(tmp_path_factory.mktemp("funasr"))


@pytest.fixture(scope="session")
def folders(torch_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_funasr_onnx(tmp_path_factory.mktemp("funasr-onnx"), torch_folders)


@pytest.fixture(scope="session")
def open_engine() -> OpenEngine:
    return FunasrOnnxRecognizer


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


class TestFunasrOnnx(FunasrContract):
    """The contract, on onnxruntime."""


class TestFunasrOnnxFolders(FolderContract):
    """The contract for folders, on onnxruntime."""

    needed = {
        "streaming": ("config.yaml", "model.onnx", "decoder.onnx", "am.mvn", "tokens.json"),
        "sensevoice": ("config.yaml", "model.onnx", "am.mvn", "tokens.json"),
        "paraformer": ("config.yaml", "model.onnx", "am.mvn", "tokens.json"),
        "seaco": ("config.yaml", "model.onnx", "model_eb.onnx", "am.mvn", "tokens.json"),
        "punctuation": ("config.yaml", "model.onnx", "tokens.json"),
    }
    network_file = "model.onnx"
    install = 'pip install "hotline-voice-agent[funasr-onnx]"'
    library = "onnxruntime"


@pytest.mark.parametrize("kind", ["paraformer", "bicif", "sensevoice"])
async def test_the_second_pass_hears_what_pytorch_hears(
    folders: Path, torch_folders: Path, kind: str
) -> None:
    from asr.funasr_engine import FunasrRecognizer

    engines = [
        open_small(FunasrOnnxRecognizer, folders, kind),
        open_small(FunasrRecognizer, torch_folders, kind),
    ]
    mine, theirs = [(await hear(engine, speech(41, SECONDS)))[-1] for engine in engines]
    for engine in engines:
        await engine.aclose()
    assert mine.text == theirs.text
    assert [word.confidence for word in mine.words] == pytest.approx(
        [word.confidence for word in theirs.words], rel=1e-3
    )
    if kind != "paraformer":  # its export tells no times
        assert [word.start_s for word in mine.words] == pytest.approx(
            [word.start_s for word in theirs.words], abs=0.021
        )


def wide(pcm: bytes) -> Samples:
    """The audio at 16 kHz, after a fashion."""
    return np.repeat(np.frombuffer(pcm, "<i2"), 2).astype(np.int16)


def test_the_passes_hear_what_funasrs_own_onnx_package_hears(folders: Path) -> None:
    """Up to the end: there that package looks at some frames twice, and drops the last token unread."""
    funasr_onnx = pytest.importorskip("funasr_onnx", reason="the package funasr-onnx is not installed")
    online = pytest.importorskip("funasr_onnx.paraformer_online_bin")
    recognizer = open_small(FunasrOnnxRecognizer, folders, "bicif")
    samples = wide(speech(42, 4.0))[: CHUNK * 4 + 3000]
    theirs = online.Paraformer(str(folders / "streaming"), chunk_size=[5, 10, 5], intra_op_num_threads=1)
    theirs.frontend.opts.frame_opts.dither = 0
    stream, cache = recognizer._first.start(), {}
    for start in range(0, len(samples), CHUNK):
        last = start + CHUNK >= len(samples)
        chunk = samples[start : start + CHUNK]
        mine = joined(recognizer._first.vocabulary.words(stream.accept(chunk, last=last)))
        result = theirs(_floats(chunk), param_dict={"cache": cache, "is_final": last})
        assert mine == "".join(item["preds"][0] for item in result)
        assert mine
    whole = funasr_onnx.Paraformer(str(folders / "bicif"), intra_op_num_threads=1)
    whole.frontend.opts.frame_opts.dither = 0
    result = whole(_floats(samples))[0]
    words = recognizer._second.words(samples)  # type: ignore[union-attr]
    anyio.run(recognizer.aclose)
    assert [word.text for word in words[:-1]] == result["preds"].split()


@pytest.mark.parametrize("kind", ["contextual", "seaco"])
async def test_hotwords_are_those_of_funasrs_own_onnx_package(folders: Path, kind: str) -> None:
    funasr_onnx = pytest.importorskip("funasr_onnx", reason="the package funasr-onnx is not installed")
    recognizer = open_small(FunasrOnnxRecognizer, folders, kind, hotwords=("丁七", "万丈"))
    samples = wide(speech(45, 3.0))
    theirs = funasr_onnx.SeacoParaformer(str(folders / kind), intra_op_num_threads=1)
    theirs.frontend.opts.frame_opts.dither = 0
    result = theirs(_floats(samples), "丁七 万丈")[0]
    words = recognizer._second.words(samples)  # type: ignore[union-attr]
    await recognizer.aclose()
    heard = result["preds"] if isinstance(result["preds"], str) else "".join(result["preds"][1])
    assert "".join(word.text for word in words[:-1]) == heard.replace(" ", "")


def _floats(samples: Samples) -> np.ndarray[Any, np.dtype[np.float32]]:
    return samples.astype(np.float32) / 32768


async def test_quantized_networks_are_taken_where_there_are_some(
    torch_folders: Path, folders: Path, tmp_path: Path
) -> None:
    for kind in ("streaming", "sensevoice"):
        export(torch_folders / kind, tmp_path / kind, quantize=True)
    (tmp_path / "sensevoice" / "model.onnx").unlink()
    small, full = open_small(FunasrOnnxRecognizer, tmp_path), open_small(FunasrOnnxRecognizer, folders)
    assert small._first.decoder.path.name == "decoder_quant.onnx"  # type: ignore[attr-defined]
    heard = (await hear(small, speech(1, SECONDS)))[-1]
    assert heard.text
    assert heard != (await hear(full, speech(1, SECONDS)))[-1]
    await small.aclose()
    await full.aclose()


@pytest.mark.parametrize("piece", [1, 77, 160, 399, 9600, 100_000])
def test_features_do_not_depend_on_the_pieces(folders: Path, piece: int) -> None:
    from asr.funasr_features import Features

    front_end = _front_end(folders)
    samples = wide(speech(43, 0.9 if piece > 1 else 0.1))
    whole = Features(front_end).accept(samples, last=True)
    features = Features(front_end)
    starts = range(0, len(samples), piece)
    pieces = [features.accept(samples[at : at + piece], last=at + piece >= len(samples)) for at in starts]
    assert whole.shape == (-(-(1 + (len(samples) - 400) // 160) // 6), FEATURES)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_features_are_funasrs(folders: Path) -> None:
    import torch
    from funasr.frontends.wav_frontend import WavFrontend

    from asr.funasr_features import Features

    theirs = WavFrontend(cmvn_file=str(folders / "bicif" / "am.mvn"), lfr_m=7, lfr_n=6, dither=0.0)
    for count in (400, 401, 1359, 1360, 1361, 16000, 33333):
        samples = wide(speech(44, 2.2))[:count]
        expected, _ = theirs(torch.from_numpy(_floats(samples))[None], [count])
        mine = Features(_front_end(folders)).accept(samples, last=True)
        np.testing.assert_allclose(mine, expected[0].numpy(), rtol=1e-4, atol=1e-4)


def test_too_little_audio_has_no_features(folders: Path) -> None:
    from asr.funasr_features import Features

    for count in (0, 1, 399):
        assert Features(_front_end(folders)).accept(np.zeros(count, np.int16), last=True).shape == (
            0,
            FEATURES,
        )


def _front_end(folders: Path) -> Any:
    from asr.funasr_features import load_front_end

    return load_front_end(folders / "bicif", {"frontend_conf": {"fs": 16000, "lfr_m": 7, "lfr_n": 6}})


def test_a_model_for_another_rate(folders: Path, tmp_path: Path) -> None:
    copy = whole_copy(folders / "streaming", tmp_path / "narrow")
    config = (copy / "config.yaml").read_text(encoding="utf-8").replace("fs: 16000", "fs: 8000")
    (copy / "config.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(ModelError, match=r"narrow: a model for 8000 Hz; use one for 16000 Hz"):
        FunasrOnnxRecognizer(streaming=copy)


def test_tokens_of_another_model(folders: Path, tmp_path: Path) -> None:
    copy = whole_copy(folders / "streaming", tmp_path / "mixed")
    (copy / "tokens.json").write_bytes((folders / "sensevoice" / "tokens.json").read_bytes())
    with pytest.raises(ModelError, match=r"mixed.* do not belong together: logits is 8404 wide, not 508"):
        FunasrOnnxRecognizer(streaming=copy)
