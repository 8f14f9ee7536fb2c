"""Recognition by Vosk (Kaldi): streaming, on the CPU, in a few threads of its own.

Vosk decides by itself that an utterance has ended and starts the next; here the caller of `transcribe`
decides, so the pieces Vosk cuts are joined again into one result.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import vosk

from asr import Transcript, Word
from asr.pool import DecodingPool, Load
from asr.vosk_grammar import grammar_json
from asr.vosk_model import VoskModel, load_model

_KEPT = 4  # decoders
_UTTERANCES = 50  # that a decoder hears before it is replaced
_UNKNOWN = frozenset({"[unk]", "<unk>", "<UNK>", "[UNK]", "<SPOKEN_NOISE>", "[SPN]"})


class VoskRecognizer:
    """The Vosk engine; one for all calls, each `transcribe` an utterance of its own."""

    def __init__(
        self, model_path: Path, *, sample_rate: int = 8000, workers: int = 0, grammar: Sequence[str] = ()
    ) -> None:
        """Load the model, for audio at `sample_rate` Hz decoded by `workers` threads (0: one per core).

        With a `grammar` nothing but these phrases, in any order, is heard; only models whose graph is put
        together while they run can do that. Blocks while the model loads. Raises ModelError.
        """
        self.sample_rate = sample_rate
        self._decoders = _Decoders(load_model(model_path), sample_rate, grammar)
        self._pool = DecodingPool("Vosk", sample_rate, workers)

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        Partials come when the words change. Raises EngineFailed. Closing or cancelling stops the work within
        one chunk; `audio` itself stays the caller's to close.
        """
        utterance = _Utterance(self._decoders, self.sample_rate)
        heard = ""
        async with aclosing(self._pool.run(audio, utterance.decode)) as transcripts:
            async for transcript in transcripts:
                if transcript.final or transcript.text != heard:
                    heard = transcript.text
                    yield transcript

    def load(self) -> Load:
        """How far behind decoding is now."""
        return self._pool.load()

    async def aclose(self) -> None:
        """Free the threads; transcriptions still running end with EngineFailed."""
        self._pool.close()


class _Decoders:
    """Kaldi's decoders for one model; some that have finished are kept for the next utterance.

    Only for a dynamic graph: its decoder keeps what it has put together of it, and so needs a sixth less
    time, a third less with a grammar. For a fixed graph a new one costs 0.05 ms and an old one saves nothing.
    What was put together takes memory, so few are kept, and not for ever.
    """

    def __init__(self, model: VoskModel, sample_rate: int, grammar: Sequence[str]) -> None:
        self.rate = max(sample_rate, model.sample_rate)  # Kaldi thins out by itself, but never fills in
        self._model = model
        self._grammar = [grammar_json(model, grammar)] if grammar else []
        self._kept: list[_Decoder] = []

    def take(self) -> _Decoder:
        """One for a new utterance."""
        try:
            return self._kept.pop()
        except IndexError:
            kaldi = vosk.KaldiRecognizer(self._model.handle, self.rate, *self._grammar)
            kaldi.SetWords(True)
            return _Decoder(kaldi)

    def give_back(self, decoder: _Decoder) -> None:
        """One whose utterance came to its end: only then has Kaldi forgotten the speaker and the words."""
        decoder.utterances += 1
        if self._model.dynamic_graph and decoder.utterances < _UTTERANCES and len(self._kept) < _KEPT:
            self._kept.append(decoder)


@dataclass(slots=True)
class _Decoder:
    """One of Kaldi's decoders; its clock runs on from one utterance to the next."""

    kaldi: Any
    utterances: int = 0
    samples: int = 0  # it has been given, at its own rate


class _Utterance:
    """One utterance; its methods run in the pool, never two at a time."""

    def __init__(self, decoders: _Decoders, sample_rate: int) -> None:
        self._decoders = decoders
        self._upsampler = (
            soxr.ResampleStream(sample_rate, decoders.rate, 1, dtype="int16")
            if decoders.rate > sample_rate
            else None
        )
        self._decoder: _Decoder | None = None
        self._begun_s = 0.0  # on the decoder's clock
        self._words: list[Word] = []

    def decode(self, pcm: bytes, last: bool) -> Transcript:
        """Decode a chunk; the whole text so far, after the `last` one the final result."""
        decoder = self._ready()
        samples = self._fit(pcm, last=last)
        decoder.samples += len(samples) // 2
        guess = ""
        if samples and decoder.kaldi.AcceptWaveform(samples):
            self._words += self._read(decoder.kaldi.Result())
        elif not last:
            guess = json.loads(decoder.kaldi.PartialResult()).get("partial", "")
        if last:
            self._words += self._read(decoder.kaldi.FinalResult())
            self._decoders.give_back(decoder)
        text = join_words([*(word.text for word in self._words), *guess.split()])
        if not last:
            return Transcript(text)
        return Transcript(text, True, _confidence(self._words), tuple(self._words))

    def _ready(self) -> _Decoder:
        if self._decoder is None:
            self._decoder = self._decoders.take()
            self._begun_s = self._decoder.samples / self._decoders.rate
        return self._decoder

    def _fit(self, pcm: bytes, *, last: bool) -> bytes:
        pcm = pcm[: len(pcm) // 2 * 2]
        if self._upsampler is None:
            return pcm
        samples: bytes = self._upsampler.resample_chunk(np.frombuffer(pcm, "<i2"), last=last).tobytes()
        return samples

    def _read(self, result: str) -> list[Word]:
        return [
            Word(
                item["word"],
                max(0.0, float(item["start"]) - self._begun_s),
                max(0.0, float(item["end"]) - self._begun_s),
                min(1.0, float(item["conf"])),
            )
            for item in json.loads(result).get("result", [])
            if item["word"] not in _UNKNOWN
        ]


def join_words(words: Iterable[str]) -> str:
    """Words as text: Chinese without blanks, a blank between Latin words or numbers, unknowns left out."""
    text = ""
    for word in words:
        if word in _UNKNOWN:
            continue
        latin = text[-1:].isascii() and text[-1:].isalnum() and word[:1].isascii() and word[:1].isalnum()
        text += f" {word}" if latin else word
    return text


def _confidence(words: list[Word]) -> float:
    characters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / characters if characters else 0.0
