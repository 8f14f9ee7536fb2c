"""Recognition by Vosk (Kaldi): streaming, on the CPU, in a few threads of its own.

Vosk decides by itself that an utterance has ended and starts the next; here the caller of `transcribe`
decides, so the pieces Vosk cuts are joined again into one result.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import vosk

from asr import Transcript, Word
from asr.pool import DecodingPool, Load
from asr.vosk_grammar import grammar_json
from asr.vosk_model import VoskModel, load_model

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
        self._model = load_model(model_path)
        self._grammar = grammar_json(self._model, grammar) if grammar else ""
        self._pool = DecodingPool("Vosk", sample_rate, workers)

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        Partials come when the words change. Raises EngineFailed. Closing or cancelling stops the work within
        one chunk; `audio` itself stays the caller's to close.
        """
        decoder = _Decoder(self._model, self.sample_rate, self._grammar)
        heard = ""
        async with aclosing(self._pool.run(audio, decoder.decode)) as transcripts:
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


class _Decoder:
    """One utterance's decoder; its methods run in the pool, never two at a time.

    It is not used again for another utterance. Making one takes 0.05 ms, and a used one carries the clock of
    its words, and in models with i-vectors the voice of its speaker, over to the next caller.
    """

    def __init__(self, model: VoskModel, sample_rate: int, grammar: str) -> None:
        self._model = model
        self._grammar = grammar
        self._rate = max(sample_rate, model.sample_rate)  # Kaldi thins out by itself, but never fills in
        self._upsampler = (
            soxr.ResampleStream(sample_rate, self._rate, 1, dtype="int16")
            if self._rate > sample_rate
            else None
        )
        self._decoder: Any = None
        self._words: list[Word] = []

    def decode(self, pcm: bytes, last: bool) -> Transcript:
        """Decode a chunk; the whole text so far, after the `last` one the final result."""
        decoder = self._ready()
        samples = self._fit(pcm, last=last)
        guess = ""
        if samples and decoder.AcceptWaveform(samples):
            self._words += _words(decoder.Result())
        elif not last:
            guess = json.loads(decoder.PartialResult()).get("partial", "")
        if last:
            self._words += _words(decoder.FinalResult())
        text = join_words([*(word.text for word in self._words), *guess.split()])
        if not last:
            return Transcript(text)
        return Transcript(text, True, _confidence(self._words), tuple(self._words))

    def _ready(self) -> Any:
        if self._decoder is None:
            more = (self._grammar,) if self._grammar else ()
            self._decoder = vosk.KaldiRecognizer(self._model.handle, self._rate, *more)
            self._decoder.SetWords(True)
        return self._decoder

    def _fit(self, pcm: bytes, *, last: bool) -> bytes:
        pcm = pcm[: len(pcm) // 2 * 2]
        if self._upsampler is None:
            return pcm
        samples: bytes = self._upsampler.resample_chunk(np.frombuffer(pcm, "<i2"), last=last).tobytes()
        return samples


def join_words(words: Iterable[str]) -> str:
    """Words as text: Chinese without blanks, a blank between Latin words or numbers, unknowns left out."""
    text = ""
    for word in words:
        if word in _UNKNOWN:
            continue
        latin = text[-1:].isascii() and text[-1:].isalnum() and word[:1].isascii() and word[:1].isalnum()
        text += f" {word}" if latin else word
    return text


def _words(result: str) -> list[Word]:
    found = json.loads(result).get("result", [])
    return [
        Word(item["word"], float(item["start"]), float(item["end"]), min(1.0, float(item["conf"])))
        for item in found
        if item["word"] not in _UNKNOWN
    ]


def _confidence(words: list[Word]) -> float:
    characters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / characters if characters else 0.0
