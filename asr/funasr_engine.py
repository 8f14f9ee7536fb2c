"""Recognition by FunASR on PyTorch: Paraformer streaming, then SenseVoice or Paraformer on it all.

Needs the extra `funasr`. `asr/funasr_onnx_engine.py` runs the same models without PyTorch and is the one to
recommend on CPUs.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from asr import ModelError, Word
from asr.funasr_common import CHUNK, Samples, TwoPassRecognizer, read_config, require_files
from asr.funasr_decoding import FRAME_S, SAMPLE_RATE, ctc_tokens, spoken, spread, timed
from asr.funasr_text import Token, Vocabulary, hotword_list, without_tags

_STREAMING = ("ParaformerStreaming",)
_SENSEVOICE = "SenseVoiceSmall"
_WITH_HOTWORDS = ("SeacoParaformer", "ContextualParaformer")
_OFFLINE = (_SENSEVOICE, "Paraformer", "BiCifParaformer", *_WITH_HOTWORDS)
_PUNCTUATION = ("CTTransformer",)
_INSTALL = 'the engine funasr is not installed; pip install "hotline-voice-agent[funasr]"'

_AHEAD = 5  # frames a chunk hears of the next one
_CHUNKS = {"chunk_size": [0, 10, _AHEAD], "encoder_chunk_look_back": 4, "decoder_chunk_look_back": 1}

_log = logging.getLogger(__name__)


class FunasrRecognizer(TwoPassRecognizer):
    """The FunASR engine; one for all calls, each `transcribe` an utterance of its own."""

    def __init__(
        self,
        *,
        streaming: Path,
        offline: Path | None = None,
        punctuation: Path | None = None,
        hotwords: Sequence[str] = (),
        sample_rate: int = 8000,
        workers: int = 0,
    ) -> None:
        """Load the models in these folders, for audio at `sample_rate` Hz decoded by `workers` threads.

        Without `offline` the streaming text is final. `punctuation` writes `Transcript.raw`. `hotwords` are
        heard more readily by a SeACo-Paraformer as `offline`. 0 workers are one per core. Blocks while the
        models load (half a minute); nothing is ever fetched. Raises ModelError.
        """
        first = _Streaming(_Model(streaming, "streaming", _STREAMING))
        second = _Offline(_Model(offline, "offline", _OFFLINE), hotwords) if offline else None
        punctuate = _punctuation(_Model(punctuation, "punctuation", _PUNCTUATION)) if punctuation else None
        super().__init__(first, second, punctuate, sample_rate=sample_rate, workers=workers)


class _Model:
    """A model in memory. Its weights are shared; its settings, which it changes as it runs, are not."""

    def __init__(self, folder: Path, role: str, kinds: tuple[str, ...]) -> None:
        self.folder = folder.expanduser().resolve()
        config = read_config(self.folder, role)
        self.kind = config.get("model")
        if self.kind not in kinds:
            raise ModelError(
                f"{self.folder} is a {self.kind} model, but the {role} model must be {' or '.join(kinds)}"
            )
        loaded = _load(self.folder, role, _settings(self.folder, role, str(self.kind)))
        self.tokenizer = loaded.kwargs["tokenizer"]
        self.no_bias = getattr(loaded.model, "NO_BIAS", None)
        self._own = _Own(loaded)
        for name, layer in _output_layers(loaded.model):
            layer.register_forward_hook(partial(self._keep, name))

    def run(self, given: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """FunASR's own result, and the scores of the output layers by name, shape (rows, vocabulary)."""
        try:
            results = self._own.auto.generate(input=given, **options)
            return (results[0] if results else {}), self._own.scores
        finally:
            self._own.scores = {}

    def _keep(self, name: str, _layer: Any, _inputs: Any, output: Any) -> None:
        self._own.scores[name] = output.numpy()[0]

    def vocabulary(self) -> Vocabulary:
        """The model's tokens."""
        pieces = getattr(self.tokenizer, "sp", None)
        if pieces is not None:
            return Vocabulary([pieces.id_to_piece(number) for number in range(pieces.get_piece_size())])
        return Vocabulary(self.tokenizer.token_list)


class _Own(threading.local):
    """What each thread has of a model for itself (`__init__` runs once in each)."""

    def __init__(self, loaded: Any) -> None:
        self.auto = copy.copy(loaded)
        self.scores: dict[str, Any] = {}


def _output_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """The layers that score the tokens: generate() gives words, but not how sure the model is of them.

    Their names are those of the published weights.
    """
    if hasattr(model, "ctc") and model.ctc is not None:
        yield "ctc", model.ctc.ctc_lo
    if hasattr(model, "decoder") and hasattr(model.decoder, "output_layer"):
        yield "decoder", model.decoder.output_layer
    if hasattr(model, "hotword_output_layer"):
        yield "hotwords", model.hotword_output_layer


class _Streaming:
    """The first pass: Paraformer, 600 ms at a time."""

    def __init__(self, model: _Model) -> None:
        self.vocabulary = model.vocabulary()
        self._model = model
        with _loading(model.folder, "streaming"):
            self.start().accept(_trial(), last=True)

    def start(self) -> _Stream:
        """Begin an utterance."""
        return _Stream(self._model)


class _Stream:
    """One utterance in the first pass: FunASR keeps its state in `cache`."""

    def __init__(self, model: _Model) -> None:
        self._model = model
        self._cache: dict[str, Any] = {}
        self._samples = 0

    def accept(self, samples: Samples, *, last: bool) -> list[Token]:
        """The tokens of one chunk. Their times are spread over it: FunASR does not tell them."""
        start_s = max(0.0, self._samples / SAMPLE_RATE - _AHEAD * FRAME_S)
        self._samples += len(samples)
        end_s = self._samples / SAMPLE_RATE - (0.0 if last else _AHEAD * FRAME_S)
        _, scores = self._model.run(_floats(samples), cache=self._cache, is_final=last, **_CHUNKS)
        if "decoder" not in scores:
            return []
        found = spoken(scores["decoder"])
        return timed(found, spread(len(found), start_s, end_s))


class _Offline:
    """The second pass: SenseVoice or a Paraformer over the whole utterance."""

    def __init__(self, model: _Model, hotwords: Sequence[str]) -> None:
        self._vocabulary = model.vocabulary()
        self._model = model
        self._options: dict[str, Any] = {"output_timestamp": True}
        if model.kind == _SENSEVOICE:
            self._options = {"language": "zh", "use_itn": False}
        if hotwords and model.kind in _WITH_HOTWORDS:
            self._options["hotword"] = " ".join(hotword_list(hotwords))
        elif hotwords:
            _log.warning("hotwords are of no use to a %s, only to a SeacoParaformer", model.kind)
        with _loading(model.folder, "offline"):
            self.words(_trial())

    def words(self, samples: Samples) -> tuple[Word, ...]:
        """What is said in the audio."""
        result, scores = self._model.run(_floats(samples), **self._options)
        if "ctc" in scores and self._model.kind == _SENSEVOICE:
            return self._vocabulary.words(ctc_tokens(scores["ctc"]))
        if "decoder" not in scores:
            return ()
        found = spoken(self._with_hotwords(scores["decoder"], scores.get("hotwords")))
        evenly = spread(len(found), 0.0, len(samples) / SAMPLE_RATE)
        words = self._vocabulary.words(timed(found, evenly))
        times = result.get("timestamp") or []
        if len(times) != len(words):
            return words
        return tuple(
            Word(word.text, start_ms / 1000, end_ms / 1000, word.confidence)
            for word, (start_ms, end_ms) in zip(words, times, strict=True)
        )

    def _with_hotwords(self, rows: Any, hotwords: Any) -> Any:
        """SeACo's rule: where its second decoder does not abstain, it is right."""
        if hotwords is None:
            return rows
        abstains = hotwords.argmax(axis=-1) == self._model.no_bias
        return np.where(abstains[:, None], rows, hotwords)


def _punctuation(model: _Model) -> Callable[[str], str]:
    def punctuate(text: str) -> str:
        # In a list: FunASR would open a bare text as a file if there is one of that name.
        result, _ = model.run([text])
        return without_tags(str(result.get("text", ""))).strip()

    with _loading(model.folder, "punctuation"):
        punctuate("你好")
    return punctuate


def _settings(folder: Path, role: str, kind: str) -> dict[str, Any]:
    """What AutoModel is told beyond the folder; raises ModelError for what FunASR would see too late."""
    require_files(folder, ("model.pt",), role)
    if role == "punctuation":
        if (folder / "jieba_usr_dict").exists():
            raise ModelError(
                f"{folder} adds its own words to jieba, which the dialog uses too; take the model "
                "punc_ct-transformer_zh-cn-common-vocab272727-pytorch"
            )
        require_files(folder, ("tokens.json",), role)
        return {}
    require_files(folder, ("am.mvn",), role)
    # The noise FunASR adds to the audio would make two hearings of one audio differ.
    settings: dict[str, Any] = {"frontend_conf": {"dither": 0.0, "cmvn_file": str(folder / "am.mvn")}}
    if kind == _SENSEVOICE:
        found = sorted(folder.glob("*bpe.model"))
        if not found:
            raise ModelError(f"{folder} is not a whole FunASR model: *bpe.model missing; fetch it anew")
        settings["tokenizer_conf"] = {"bpemodel": str(found[0])}
    else:
        require_files(folder, ("tokens.json",), role)
    return settings


def _load(folder: Path, role: str, settings: dict[str, Any]) -> Any:
    with _quiet() as printed, _loading(folder, role):
        from funasr import AutoModel

        model = AutoModel(
            model=str(folder),  # an absolute path of a folder: FunASR fetches only what is not there
            device="cpu",
            ncpu=1,
            disable_update=True,
            disable_pbar=True,
            log_level="ERROR",
            ignore_init_mismatch=False,
            **settings,
        )
    missing = printed.getvalue().count("miss key in ckpt")
    if missing > len(model.model.state_dict()) // 10:
        raise ModelError(
            f"{folder / 'model.pt'} and config.yaml do not belong together: {missing} parameters missing; "
            f"fetch the {role} model anew"
        )
    return model


@contextlib.contextmanager
def _loading(folder: Path, role: str) -> Iterator[None]:
    """Whatever goes wrong inside is a ModelError of one line."""
    try:
        yield
    except ModelError:
        raise
    except ImportError as error:
        raise ModelError(f"{_INSTALL} ({error})") from error
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
        raise ModelError(
            f"{folder} does not load as a FunASR model ({first}); fetch the {role} model anew"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Keep FunASR from printing and from setting up logging and warnings for the whole program."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    if _worth_logging not in root.filters:
        root.addFilter(_worth_logging)
    printed = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("ignore")
            yield printed
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _worth_logging(record: logging.LogRecord) -> bool:
    """FunASR logs to the root logger: of that, only errors, and never hotwords or texts."""
    return "funasr" not in Path(record.pathname).parts or record.levelno >= logging.ERROR


def _trial() -> Samples:
    """Half a second of faint noise: a model that cannot hear it would fail in a call."""
    return np.random.default_rng(0).normal(0, 100, CHUNK).astype(np.int16)


def _floats(samples: Samples) -> Any:
    return samples.astype(np.float32) / 32768
