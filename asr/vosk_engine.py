"""Recognition by Vosk (Kaldi): streaming, on the CPU, in a few threads of its own.

Vosk decides by itself that an utterance has ended and starts the next; here the caller of `transcribe`
decides, so the pieces Vosk cuts are joined again into one result.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import soxr
import vosk

from asr import EngineFailed, Transcript, Word
from asr.vosk_model import VoskModel, load_model

CHUNK_S = 0.1  # decoded in one go: short, so that threads are shared fairly and a cancelled call costs little
_UNKNOWN = frozenset({"[unk]", "<unk>", "<UNK>", "[UNK]", "<SPOKEN_NOISE>", "[SPN]"})

T = TypeVar("T")


class VoskRecognizer:
    """The Vosk engine; one for all calls, each `transcribe` an utterance of its own."""

    def __init__(self, model_path: Path, *, sample_rate: int = 8000, workers: int = 0) -> None:
        """Load the model, for audio at `sample_rate` Hz decoded by `workers` threads (0: one per core).

        Blocks while the model loads. Raises ModelError.
        """
        self.sample_rate = sample_rate
        self._model = load_model(model_path)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="asr")

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        Partials come when the words change. Raises EngineFailed. Closing or cancelling stops the work within
        one chunk; `audio` itself stays the caller's to close.
        """
        utterance = _Utterance(self._model, self.sample_rate)
        size = int(self.sample_rate * CHUNK_S) * 2
        pending = bytearray()
        heard = ""
        async for piece in audio:
            pending += piece
            while len(pending) >= size:
                chunk = bytes(pending[:size])
                del pending[:size]
                text = await self._in_thread(partial(utterance.accept, chunk))
                if text != heard:
                    heard = text
                    yield Transcript(text)
        yield await self._in_thread(partial(utterance.finish, bytes(pending)))

    async def aclose(self) -> None:
        """Free the threads; transcriptions still running end with EngineFailed at their next chunk."""
        self._stop.set()
        self._pool.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run one chunk's work in the pool; when cancelled before it began, it never runs."""

        def guarded() -> T:
            if self._stop.is_set():
                raise EngineFailed("the recogniser is closed", retryable=False)
            try:
                return work()
            except Exception as error:  # vosk raises bare Exception
                raise EngineFailed(f"Vosk failed on an utterance: {error}", retryable=True) from error

        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, guarded)
        except RuntimeError as error:  # the pool is shut down
            raise EngineFailed("the recogniser is closed", retryable=False) from error
        return await future


class _Utterance:
    """One utterance's decoder; its methods run in the pool, never two at a time."""

    def __init__(self, model: VoskModel, sample_rate: int) -> None:
        self._model = model
        self._rate = max(sample_rate, model.sample_rate)  # Kaldi thins out by itself, but never fills in
        self._upsampler = (
            soxr.ResampleStream(sample_rate, self._rate, 1, dtype="int16")
            if self._rate > sample_rate
            else None
        )
        self._decoder: Any = None
        self._words: list[Word] = []

    def accept(self, pcm: bytes) -> str:
        """Decode a chunk; the whole text so far."""
        decoder = self._ready()
        if decoder.AcceptWaveform(self._fit(pcm, last=False)):
            self._words += _words(decoder.Result())
            guess = ""
        else:
            guess = json.loads(decoder.PartialResult())["partial"]
        return join_words([*(word.text for word in self._words), *guess.split()])

    def finish(self, pcm: bytes) -> Transcript:
        """Decode what is left and conclude."""
        decoder = self._ready()
        rest = self._fit(pcm, last=True)
        if rest and decoder.AcceptWaveform(rest):
            self._words += _words(decoder.Result())
        self._words += _words(decoder.FinalResult())
        text = join_words(word.text for word in self._words)
        return Transcript(text, True, _confidence(self._words), tuple(self._words))

    def _ready(self) -> Any:
        if self._decoder is None:
            self._decoder = vosk.KaldiRecognizer(self._model.handle, self._rate)
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
