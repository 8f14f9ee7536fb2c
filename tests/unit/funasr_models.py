"""Small FunASR models of the published ones' shape: the same files and layers, narrow, with random weights.

What they hear is nonsense, but always the same nonsense for the same audio. Needs the extra `funasr`; for
ONNX also the package `onnx`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

WIDTH = 32  # of the networks; the published ones have 512
FEATURES = 560  # columns of a frame: 7 steps of 80 mel bands, as in the published models
NO_BIAS = (
    8377  # the token by which SeACo's hotword decoder abstains; its ONNX export has this number built in
)

_LETTERS = [chr(0x4E00 + number) for number in range(8404 - 7)]
TOKENS = ["<blank>", "<s>", "</s>", *_LETTERS, "hel@@", "lo", "ok", "<unk>"]
PIECES = ["<unk>", "<s>", "</s>", "<|zh|>", "▁", "▁he", "llo", "，", *_LETTERS[:500]]

_FRONT_END = {"fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
_PARAFORMER = {"ctc_weight": 0.0, "lsm_weight": 0.1, "length_normalized_loss": True, "predictor_bias": 1}
_CIF = {"idim": WIDTH, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
_UPSAMPLING = {
    "smooth_factor2": 0.25,
    "noise_threshold2": 0.01,
    "upsample_times": 3,
    "use_cif1_cnn": False,
    "upsample_type": "cnn_blstm",
}


def make_streaming(folder: Path) -> Path:
    """A paraformer-zh-streaming."""
    return _write(folder, _paraformer("ParaformerStreaming", is_streaming=True))


def make_paraformer(folder: Path) -> Path:
    """A Paraformer for whole utterances, without times."""
    return _write(folder, _paraformer("Paraformer"))


def make_bicif(folder: Path) -> Path:
    """A Paraformer for whole utterances that tells times."""
    return _write(folder, _with_times(_paraformer("BiCifParaformer")))


def make_contextual(folder: Path) -> Path:
    """A contextual Paraformer, the older one that hears hotwords, without times."""
    config = _paraformer("ContextualParaformer")
    config["model_conf"] |= {"inner_dim": WIDTH, "bias_encoder_type": "lstm"}
    config["decoder"] = "ContextualParaformerDecoder"
    return _write(folder, config)


def make_seaco(folder: Path) -> Path:
    """A SeACo-Paraformer, which hears hotwords and tells times."""
    config = _with_times(_paraformer("SeacoParaformer"))
    config["model_conf"] |= {
        "inner_dim": WIDTH,
        "bias_encoder_type": "lstm",
        "bias_encoder_bid": False,
        "NO_BIAS": NO_BIAS,
    }
    config["seaco_decoder"] = "ParaformerSANMDecoder"
    config["seaco_decoder_conf"] = {
        **_decoder(),
        "num_blocks": 6,  # hotwords are filtered by the attention of the sixth
        "att_layer_num": 6,
        "kernel_size": 21,
        "use_output_layer": False,
        "wo_input_layer": True,
    }
    return _write(folder, config)


def make_sensevoice(folder: Path) -> Path:
    """A SenseVoiceSmall, with its SentencePiece model as well as its tokens.json."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = _sentencepiece(folder / "chn_jpn_yue_eng_ko_spectok.bpe.model")
    config = {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {**_encoder(), "tp_blocks": 1, "input_layer": "pe"},
        "frontend": "WavFrontend",
        "frontend_conf": {**_FRONT_END, "lfr_m": 7, "lfr_n": 6},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
        "normalize": None,
    }
    return _write(folder, config, tokens=pieces, bpemodel=folder / "chn_jpn_yue_eng_ko_spectok.bpe.model")


def make_punctuation(folder: Path) -> Path:
    """A CT-Transformer."""
    config = {
        "model": "CTTransformer",
        "model_conf": {
            "ignore_id": 0,
            "embed_unit": WIDTH,
            "att_unit": WIDTH,
            "dropout_rate": 0.1,
            "punc_list": ["<unk>", "_", "，", "。", "？", "、"],
            "punc_weight": [1.0] * 6,
            "sentence_end_id": 3,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": {**_encoder(), "input_size": WIDTH, "padding_idx": 0},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    }
    return _write(folder, config)


def make_funasr(folder: Path) -> Path:
    """A folder with a model of each kind for `FunasrRecognizer`, each in a folder of its kind's name."""
    make_streaming(folder / "streaming")
    make_sensevoice(folder / "sensevoice")
    make_paraformer(folder / "paraformer")
    make_bicif(folder / "bicif")
    make_contextual(folder / "contextual")
    make_seaco(folder / "seaco")
    make_punctuation(folder / "punctuation")
    return folder


def make_funasr_onnx(folder: Path, funasr: Path) -> Path:
    """The models of `make_funasr` in `funasr`, exported for `FunasrOnnxRecognizer`; the same folder names."""
    for source in sorted(funasr.iterdir()):
        export(source, folder / source.name)
    return folder


def export(source: Path, target: Path, *, quantize: bool = False) -> Path:
    """The model in `source` as ONNX in `target`, with FunASR's own exporter."""
    _, auto_model = _funasr()
    settings: dict[str, Any] = {}
    if pieces := sorted(source.glob("*.bpe.model")):
        settings["tokenizer_conf"] = {"bpemodel": str(pieces[0])}
    with _quietly(), _narrow_exporter():
        model = auto_model(model=str(source), device="cpu", ncpu=1, disable_update=True, **settings)
        model.export(type="onnx", quantize=quantize, output_dir=str(target))
    for name in ("config.yaml", "tokens.json", "am.mvn"):
        if (source / name).exists():
            (target / name).write_bytes((source / name).read_bytes())
    return target


@contextlib.contextmanager
def _narrow_exporter() -> Iterator[None]:
    """FunASR's exporter speaks torch's old way, and takes models with hotwords to be 512 wide."""
    import torch
    from funasr.models.contextual_paraformer import export_meta as contextual
    from funasr.models.seaco_paraformer import export_meta as seaco

    speech, lengths = torch.randn(2, 30, FEATURES), torch.tensor([15, 30], dtype=torch.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", functools.partial(torch.onnx.export, dynamo=False))
        example = (speech, lengths, torch.randn(2, 1, WIDTH))
        for module in (contextual, seaco):
            patch.setattr(module, "export_backbone_dummy_inputs", lambda _model: example)
        yield


def _encoder() -> dict[str, Any]:
    return {
        "output_size": WIDTH,
        "attention_heads": 2,
        "linear_units": 64,
        "num_blocks": 2,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }


def _streaming_encoder() -> dict[str, Any]:
    return {
        **_encoder(),
        "input_layer": "pe_online",
        "chunk_size": [12, 15],
        "stride": [8, 10],
        "pad_left": [0, 0],
        "encoder_att_look_back_factor": [4, 4],
        "decoder_att_look_back_factor": [1, 1],
    }


def _decoder() -> dict[str, Any]:
    return {
        "attention_heads": 2,
        "linear_units": 64,
        "num_blocks": 2,
        "att_layer_num": 2,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "self_attention_dropout_rate": 0.1,
        "src_attention_dropout_rate": 0.1,
    }


def _paraformer(kind: str, *, is_streaming: bool = False) -> dict[str, Any]:
    return {
        "model": kind,
        "model_conf": dict(_PARAFORMER),
        "encoder": "SANMEncoderChunkOpt" if is_streaming else "SANMEncoder",
        "encoder_conf": _streaming_encoder() if is_streaming else _encoder(),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {**_decoder(), "sanm_shfit": 5 if is_streaming else 0},
        "predictor": "CifPredictorV2",
        "predictor_conf": dict(_CIF),
        "frontend": "WavFrontendOnline" if is_streaming else "WavFrontend",
        "frontend_conf": {**_FRONT_END, "lfr_m": 7, "lfr_n": 6},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "normalize": None,
    }


def _with_times(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "predictor": "CifPredictorV3", "predictor_conf": {**_CIF, **_UPSAMPLING}}


def _write(
    folder: Path, config: dict[str, Any], *, tokens: list[str] | None = None, bpemodel: Path | None = None
) -> Path:
    """Write the files of a published model, with random weights."""
    torch, auto_model = _funasr()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    (folder / "tokens.json").write_text(json.dumps(tokens or TOKENS, ensure_ascii=False), encoding="utf-8")
    built = copy.deepcopy(config)
    if bpemodel:
        built["tokenizer_conf"]["bpemodel"] = str(bpemodel)
    else:
        built["tokenizer_conf"]["token_list"] = str(folder / "tokens.json")
    if "frontend_conf" in config:
        _write_normalisation(folder / "am.mvn")
        built["frontend_conf"]["cmvn_file"] = str(folder / "am.mvn")
    if config["model"] != "Paraformer":  # that one goes without, as folders exported from training do
        _write_file_list(folder, bpemodel)
    with _quietly():
        model, _ = auto_model.build_model(**built, device="cpu", ncpu=1)  # seeds its random weights with 0
    torch.save(model.state_dict(), folder / "model.pt")
    return folder


def _write_file_list(folder: Path, bpemodel: Path | None) -> None:
    """The configuration.json of ModelScope."""
    tokenizer = {"bpemodel": bpemodel.name} if bpemodel else {"token_list": "tokens.json"}
    files = {"init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": tokenizer}
    files["frontend_conf"] = {"cmvn_file": "am.mvn"}
    content = {"framework": "pytorch", "model": {"type": "funasr"}, "file_path_metas": files}
    (folder / "configuration.json").write_text(json.dumps(content), encoding="utf-8")


def _write_normalisation(path: Path) -> None:
    """About the mean and spread of the log-mel energies of speech."""
    shift, scale = " ".join(["-10.0"] * FEATURES), " ".join(["0.25"] * FEATURES)
    path.write_text(
        f"<Nnet> \n<Splice> {FEATURES} {FEATURES}\n[ 0 ]\n"
        f"<AddShift> {FEATURES} {FEATURES} \n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> {FEATURES} {FEATURES} \n<LearnRateCoef> 0 [ {scale} ]\n</Nnet> \n",
        encoding="utf-8",
    )


def _sentencepiece(path: Path) -> list[str]:
    """Write a SentencePiece model whose pieces are `PIECES`; the pieces in the order of their numbers."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3}
    for piece in PIECES:
        kind = 4 if piece.startswith("<|") else kinds.get(piece, 1)
        model.pieces.add(piece=piece, score=0.0, type=kind)
    path.write_bytes(model.SerializeToString())
    return PIECES


def _funasr() -> tuple[Any, Any]:
    with _quietly():
        import torch
        from funasr import AutoModel
    return torch, AutoModel


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
            root.handlers[:] = handlers
            root.setLevel(level)


def speech(seed: int, seconds: float) -> bytes:
    """Speech-like noise at 8 kHz, mono s16le: bands that change five times a second, never twice the same."""
    rng = np.random.default_rng(seed)
    count = round(seconds * 8000)
    pieces = [_syllable(rng) for _ in range(-(-count // 1600))]
    samples = np.concatenate([*pieces, np.zeros(0)])[:count]
    return samples.astype("<i2").tobytes()


def _syllable(rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    times = np.arange(1600) / 8000
    tones = [np.sin(2 * np.pi * rng.uniform(150, 3400) * times + rng.uniform(0, 6)) for _ in range(4)]
    return np.asarray(np.sum(tones, axis=0) * rng.uniform(300, 4000) + rng.normal(0, 100, 1600))
