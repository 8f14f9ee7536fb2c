"""Recognition by FunASR's models on onnxruntime, without PyTorch: the one to recommend on CPUs.

Needs the extra `funasr-onnx`. The published ONNX models are networks only: features, chunks and the search
for tokens are done here, as FunASR's own runtimes do them (and `asr/funasr_engine.py` by way of PyTorch).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr import ModelError, Word
from asr.funasr_common import CHUNK, Samples, TwoPassRecognizer, read_config, require_files
from asr.funasr_decoding import SAMPLE_RATE, Cif, Floats, ctc_tokens, spoken, spread, timed, weighed_times
from asr.funasr_text import MAX_HOTWORD_TOKENS, Token, Vocabulary, hotword_list, units, with_marks

if TYPE_CHECKING:
    from asr.funasr_features import FrontEnd

_INSTALL = 'the engine funasr-onnx is not installed; pip install "hotline-voice-agent[funasr-onnx]"'
_NEW = 10  # frames of 60 ms in a chunk
_AROUND = 5  # frames the network hears before and after those it looks for tokens in
_MANDARIN, _WITHOUT_ITN = 3, 15  # SenseVoice's numbers
_BEGIN = 1  # <s>: as a hotword, "none of them"
_LONGEST_TEXT = 200  # tokens the punctuation model sees at once

_log = logging.getLogger(__name__)


class FunasrOnnxRecognizer(TwoPassRecognizer):
    """The FunASR engine without PyTorch; one for all calls, each `transcribe` an utterance of its own."""

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
        models load; nothing is ever fetched. Raises ModelError.
        """
        try:
            import kaldi_native_fbank  # noqa: F401
            import onnxruntime  # noqa: F401
        except ImportError as error:
            raise ModelError(f"{_INSTALL} ({error})") from error
        first = _Streaming(_Folder(streaming, "streaming"))
        second = _Offline(_Folder(offline, "offline"), hotwords) if offline else None
        punctuate = _punctuation(_Folder(punctuation, "punctuation")) if punctuation else None
        super().__init__(first, second, punctuate, sample_rate=sample_rate, workers=workers)


class _Folder:
    """A folder with a model."""

    def __init__(self, path: Path, role: str) -> None:
        self.path = path.expanduser().resolve()
        self.role = role
        self.config = read_config(self.path, role)

    def network(self, name: str, inputs: Sequence[str]) -> _Network:
        """The network in `name`_quant.onnx, or else in `name`.onnx; it must have these inputs."""
        quantized = self.path / f"{name}_quant.onnx"
        if not quantized.is_file():
            require_files(self.path, (f"{name}.onnx",), self.role)
        network = _Network(quantized if quantized.is_file() else self.path / f"{name}.onnx", self.role)
        if missing := set(inputs) - set(network.inputs):
            raise ModelError(
                f"{network.path} is not the {self.role} model: it takes no {', '.join(sorted(missing))}"
            )
        return network

    def front_end(self) -> FrontEnd:
        """How its features are made."""
        from asr.funasr_features import load_front_end

        require_files(self.path, ("am.mvn",), self.role)
        return load_front_end(self.path, self.config)

    def vocabulary(self) -> Vocabulary:
        """Its tokens.json."""
        require_files(self.path, ("tokens.json",), self.role)
        try:
            tokens = json.loads((self.path / "tokens.json").read_text(encoding="utf-8"))
            return Vocabulary([str(token) for token in tokens])
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"{self.path / 'tokens.json'} is not a list of tokens; fetch it anew") from error

    def number(self, section: str, key: str) -> float:
        """A number of config.yaml."""
        try:
            return float(self.config[section][key])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.path / 'config.yaml'} has no {section}.{key}; fetch the {self.role} model anew"
            ) from error

    def proved(self, trial: Callable[[], Any]) -> Any:
        """What `trial` gives, which runs the model: one that does not fit its files would fail in calls."""
        try:
            return trial()
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
            raise ModelError(
                f"{self.path}: its files do not belong together ({first}); fetch the {self.role} model anew"
            ) from error


class _Network:
    """One .onnx file; running it is safe from several threads, each call on one thread."""

    def __init__(self, path: Path, role: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # utterances differ in length: the arena would only grow
        options.log_severity_level = 4  # its errors are raised as well
        self.path = path
        self._role = role
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has an exception class for each kind of trouble
            first = next(iter(str(error).splitlines()), "")[:200]
            raise ModelError(
                f"{path} does not load as an ONNX model ({first}); fetch the {role} model anew"
            ) from error
        self.inputs: dict[str, list[Any]] = {item.name: item.shape for item in self._session.get_inputs()}
        self._outputs: dict[str, list[Any]] = {item.name: item.shape for item in self._session.get_outputs()}

    def require_width(self, name: str, width: int) -> None:
        """Raises ModelError unless the input or output `name`, where there is one, is `width` wide."""
        shape = self.inputs.get(name) or self._outputs.get(name)
        if shape and isinstance(shape[-1], int) and shape[-1] != width:
            raise ModelError(
                f"{self.path} and the files beside it do not belong together: {name} is {shape[-1]} wide, "
                f"not {width}; fetch the {self._role} model anew"
            )

    def run(self, **inputs: Any) -> dict[str, Any]:
        """The outputs by name."""
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))


class _Streaming:
    """The first pass: Paraformer, 600 ms at a time."""

    def __init__(self, folder: _Folder) -> None:
        self.vocabulary = folder.vocabulary()
        self.front_end = folder.front_end()
        self.encoder = folder.network("model", ("speech", "speech_lengths"))
        self.decoder = folder.network("decoder", ("enc", "enc_len", "acoustic_embeds", "acoustic_embeds_len"))
        self.width = int(folder.number("encoder_conf", "output_size"))
        self.encoder.require_width("speech", self.front_end.width)
        self.encoder.require_width("enc", self.width)
        self.decoder.require_width("logits", len(self.vocabulary))
        self.threshold = folder.number("predictor_conf", "threshold")
        self.tail_threshold = folder.number("predictor_conf", "tail_threshold")
        folder.proved(lambda: self.start().accept(_trial(), last=True))

    def start(self) -> _Stream:
        """Begin an utterance."""
        return _Stream(self)

    def placed(self, frames: Floats, first: int) -> Floats:
        """Frames scaled, with their place in the utterance added; the export leaves that to its user."""
        half = self.front_end.width // 2
        rates = np.exp(np.arange(half) * (-np.log(10000.0) / (half - 1)))
        angles = np.arange(first + 1, first + 1 + len(frames))[:, None] * rates[None, :]
        places = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        placed: Floats = (frames * self.width**0.5 + places).astype(np.float32)
        return placed


class _Stream:
    """One utterance in the first pass.

    The network hears windows of frames: `_AROUND`, `_NEW` in which tokens are looked for, `_AROUND`. The next
    window begins `_NEW` later; before the first frame there is nothing (zeros).
    """

    def __init__(self, model: _Streaming) -> None:
        from asr.funasr_features import Features

        self._model = model
        self._features = Features(model.front_end)
        self._cif = Cif(model.width, model.threshold, model.tail_threshold)
        self._memory = {
            name: np.zeros((1, int(shape[1]), int(shape[2])), np.float32)
            for name, shape in model.decoder.inputs.items()
            if name.startswith("in_cache_")
        }
        self._window = np.zeros((2 * _AROUND, model.front_end.width), np.float32)
        self._frames = 0  # heard so far

    def accept(self, samples: Samples, *, last: bool) -> list[Token]:
        """The tokens of one chunk."""
        frames = self._features.accept(samples, last=last)
        self._window = np.concatenate([self._window, self._model.placed(frames, self._frames)])
        self._frames += len(frames)
        tokens: list[Token] = []
        while len(self._window) >= 2 * _AROUND + _NEW:
            tokens += self._search(2 * _AROUND + _NEW, last=False)
        if last and self._frames:
            if len(self._window) > _AROUND + _NEW:  # more to look through than the network was trained for
                tokens += self._search(len(self._window), last=False)
            tokens += self._search(len(self._window), last=True)
        return tokens

    def _search(self, length: int, *, last: bool) -> list[Token]:
        """Look for tokens in the first window's new frames, and go on to the next window."""
        window = self._window[None, :length]
        first = self._frames - len(self._window) + _AROUND  # of the new frames, counted from the beginning
        self._window = self._window[_NEW:]
        heard = self._model.encoder.run(speech=window, speech_lengths=np.array([length], np.int32))
        new = slice(_AROUND, _AROUND + _NEW)
        embeddings, times = self._cif.feed(heard["enc"][0, new], heard["alphas"][0, new], first, last=last)
        if not times:
            return []
        said = self._model.decoder.run(
            enc=heard["enc"],
            enc_len=heard["enc_len"].astype(np.int32),
            acoustic_embeds=embeddings[None],
            acoustic_embeds_len=np.array([len(times)], np.int32),
            **self._memory,
        )
        for name, before in self._memory.items():
            self._memory[name] = said[name.replace("in", "out", 1)][:, :, -before.shape[2] :]
        found = spoken(said["logits"][0])
        return timed(found, [times[one.row] for one in found])


class _Offline:
    """The second pass: SenseVoice or a Paraformer over the whole utterance."""

    def __init__(self, folder: _Folder, hotwords: Sequence[str]) -> None:
        self._vocabulary = folder.vocabulary()
        self._front_end = folder.front_end()
        self._network = folder.network("model", ("speech", "speech_lengths"))
        self._network.require_width("speech", self._front_end.width)
        for scores in ("logits", "ctc_logits"):
            self._network.require_width(scores, len(self._vocabulary))
        inputs = self._network.inputs
        self._is_paraformer = "language" not in inputs
        self._more: dict[str, Any] = {}
        if "language" in inputs:
            self._more["language"] = np.array([_MANDARIN], np.int32)
            self._more["textnorm"] = np.array([_WITHOUT_ITN], np.int32)
        if "bias_embed" in inputs:
            encoder = folder.network("model_eb", ("hotword",))
            self._more["bias_embed"] = folder.proved(lambda: self._encoded(encoder, hotwords))
        elif hotwords:
            _log.warning("hotwords are of no use to %s, only to a SeACo-Paraformer", folder.path)
        folder.proved(lambda: self.words(_trial()))

    def words(self, samples: Samples) -> tuple[Word, ...]:
        """What is said in the audio."""
        from asr.funasr_features import Features

        frames = Features(self._front_end).accept(samples, last=True)
        if not len(frames):
            return ()
        try:
            heard = self._network.run(
                speech=frames[None], speech_lengths=np.array([len(frames)], np.int32), **self._more
            )
        except Exception as error:
            if not self._is_paraformer:
                raise
            # An exported Paraformer that finds no token fails, instead of saying so.
            _log.debug("the second pass heard nothing: %s", type(error).__name__)
            return ()
        if "ctc_logits" in heard:
            return self._vocabulary.words(ctc_tokens(heard["ctc_logits"][0, : heard["encoder_out_lens"][0]]))
        found = spoken(heard["logits"][0, : int(heard["token_num"][0])])
        duration_s = len(samples) / SAMPLE_RATE
        if "us_alphas" in heard:
            times = weighed_times(heard["us_alphas"][0], len(found), duration_s)
        else:
            times = spread(len(found), 0.0, duration_s)
        return self._vocabulary.words(timed(found, times))

    def _encoded(self, encoder: _Network, hotwords: Sequence[str]) -> Floats:
        """The hotwords as the network wants them, shape (1, hotwords + 1, width); the last one is none."""
        tokens = [[self._vocabulary.number(unit) for unit in units(word)] for word in hotword_list(hotwords)]
        tokens.append([_BEGIN])
        padded = np.zeros((len(tokens), MAX_HOTWORD_TOKENS), np.int32)
        for row, numbers in zip(padded, tokens, strict=True):
            row[: len(numbers)] = numbers
        states = encoder.run(hotword=padded)["hw_embed"]  # after each token: (tokens, hotwords, width)
        ends = [len(numbers) - 1 for numbers in tokens]
        embedded: Floats = states[ends, np.arange(len(tokens))][None]
        return embedded


def _punctuation(folder: _Folder) -> Callable[[str], str]:
    if (folder.path / "jieba_usr_dict").exists():
        raise ModelError(
            f"{folder.path} works on words, with a dictionary of its own for jieba; take the model "
            "punc_ct-transformer_zh-cn-common-vocab272727-onnx, which works on characters"
        )
    vocabulary = folder.vocabulary()
    network = folder.network("model", ("inputs", "text_lengths"))
    try:
        listed = [str(mark) for mark in folder.config["model_conf"]["punc_list"]]
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{folder.path / 'config.yaml'} has no model_conf.punc_list; fetch it anew"
        ) from error
    known = {",": "，", "，": "，", "。": "。", "?": "？", "？": "？", "、": "、"}
    marks = [known.get(mark, "") for mark in listed]

    def punctuate(text: str) -> str:
        tokens = units(text)
        found: list[str] = []
        for start in range(0, len(tokens), _LONGEST_TEXT):
            numbers = [vocabulary.number(token) for token in tokens[start : start + _LONGEST_TEXT]]
            scores = network.run(
                inputs=np.array([numbers], np.int32), text_lengths=np.array([len(numbers)], np.int32)
            )["logits"][0]
            found += [marks[best] for best in scores.argmax(axis=-1)]
        return with_marks(tokens, found)

    folder.proved(lambda: punctuate("你好"))
    return punctuate


def _trial() -> Samples:
    """Half a second of faint noise."""
    return np.random.default_rng(0).normal(0, 100, CHUNK).astype(np.int16)
