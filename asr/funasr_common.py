"""What both FunASR engines share: an utterance in two passes, and checks of the model folders.

The first pass streams, for what the agent must know while the caller speaks; the second hears the whole
utterance again with a better model, for what is answered.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr
import yaml
from numpy.typing import NDArray

from asr import ModelError, Transcript, Word
from asr.funasr_decoding import SAMPLE_RATE
from asr.funasr_text import Token, Vocabulary, joined, mean_confidence
from asr.pool import DecodingPool, Load

CHUNK = 9600  # samples the streaming model takes at a time: 600 ms
MIN_SAMPLES = 400  # 25 ms: less than that makes no feature

_SILENT_BELOW = 32  # of 32768, about -60 dB: asked about silence, the models make words up
_SEGMENT_S = 20.0  # the second pass hears no more at once: so long were the models' training utterances
_CUT_S = 0.1  # segments are cut at the quietest so much

_log = logging.getLogger(__name__)

Samples = NDArray[np.int16]


class Stream(Protocol):
    """One utterance in the first pass."""

    def accept(self, samples: Samples, *, last: bool) -> list[Token]:
        """The new tokens after `CHUNK` more samples at 16 kHz; the `last` ones may be fewer, or none."""
        ...


class FirstPass(Protocol):
    """A streaming model in memory, shared by all utterances."""

    vocabulary: Vocabulary

    def start(self) -> Stream:
        """Begin an utterance."""
        ...


class SecondPass(Protocol):
    """A model in memory that hears whole utterances."""

    def words(self, samples: Samples) -> tuple[Word, ...]:
        """What is said in up to 20 s of audio at 16 kHz; times are seconds from its start."""
        ...


class TwoPassRecognizer:
    """Implements `asr.Recognizer` on a first and perhaps a second pass; one for all calls."""

    def __init__(
        self,
        first: FirstPass,
        second: SecondPass | None,
        punctuate: Callable[[str], str] | None,
        *,
        sample_rate: int,
        workers: int,
    ) -> None:
        self.sample_rate = sample_rate
        self._first = first
        self._second = second
        self._punctuate = punctuate
        self._pool = DecodingPool("FunASR", sample_rate, workers)

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        Partials come when the words change, at most every 600 ms. The final is the second pass's, or the
        first's where that heard nothing. Raises EngineFailed. Closing or cancelling stops the work after what
        is being computed; `audio` itself stays the caller's to close.
        """
        utterance = _Utterance(self._first, self._second, self._punctuate, self.sample_rate)
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


class _Utterance:
    """One utterance's state; `decode` runs in the pool, never twice at a time."""

    def __init__(
        self,
        first: FirstPass,
        second: SecondPass | None,
        punctuate: Callable[[str], str] | None,
        sample_rate: int,
    ) -> None:
        self._vocabulary = first.vocabulary
        self._stream = first.start()
        self._second = second
        self._punctuate = punctuate
        # Not in int16: soxr then adds noise that differs each time, and so would the words in doubtful cases.
        self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        self._pending: Samples = np.zeros(0, np.int16)
        self._whole: list[Samples] = []  # only for the second pass
        self._tokens: list[Token] = []
        self._samples = 0
        self._is_audible = False

    def decode(self, pcm: bytes, last: bool) -> Transcript:
        """Take in some audio; the whole text so far, after the `last` of it the final result."""
        self._take(pcm, last=last)
        while len(self._pending) > CHUNK or (len(self._pending) == CHUNK and not last):
            chunk, self._pending = self._pending[:CHUNK], self._pending[CHUNK:]
            self._tokens += self._stream.accept(chunk, last=False)
        if last:
            return self._final()
        return Transcript(joined(self._vocabulary.words(self._tokens)) if self._is_audible else "")

    def _take(self, pcm: bytes, *, last: bool) -> None:
        given = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32)
        filled_in = self._resampler.resample_chunk(given, last=last)
        samples: Samples = np.clip(np.round(filled_in), -32768, 32767).astype(np.int16)
        self._pending = np.concatenate([self._pending, samples])
        self._samples += len(samples)
        self._is_audible = self._is_audible or bool((np.abs(samples.astype(np.int32)) >= _SILENT_BELOW).any())
        if self._second is not None:
            self._whole.append(samples)

    def _final(self) -> Transcript:
        if not self._is_audible or self._samples < MIN_SAMPLES:
            return Transcript("", final=True)
        self._tokens += self._stream.accept(self._pending, last=True)
        words = self._again() or self._vocabulary.words(self._tokens)
        text = joined(words)
        raw = self._punctuate(text) if text and self._punctuate else ""
        return Transcript(text, True, mean_confidence(words), words, raw if raw != text else "")

    def _again(self) -> tuple[Word, ...]:
        """The second pass's words; none where there is no such pass, or it failed."""
        if self._second is None:
            return ()
        words: list[Word] = []
        samples = np.concatenate(self._whole)
        try:
            for start, end in segments(samples):
                at_s = start / SAMPLE_RATE
                words += [
                    Word(word.text, at_s + word.start_s, at_s + word.end_s, word.confidence)
                    for word in self._second.words(samples[start:end])
                ]
        except Exception as error:  # the first pass's words are there: the call need not suffer
            _log.warning("the second pass failed, the streaming text stands: %s", type(error).__name__)
            return ()
        return tuple(words)


def segments(samples: Samples) -> list[tuple[int, int]]:
    """Where to cut long audio, as (start, end): each up to 20 s, cut where its second half is quietest."""
    longest, step = round(_SEGMENT_S * SAMPLE_RATE), round(_CUT_S * SAMPLE_RATE)
    cuts = [0]
    while len(samples) - cuts[-1] > longest:
        half = samples[cuts[-1] + longest // 2 : cuts[-1] + longest].astype(np.float32)
        loudness = np.square(half[: len(half) // step * step].reshape(-1, step)).sum(axis=1)
        cuts.append(cuts[-1] + longest // 2 + int(loudness.argmin()) * step + step // 2)
    return list(zip(cuts, [*cuts[1:], len(samples)], strict=True))


def read_config(folder: Path, role: str) -> dict[str, Any]:
    """The config.yaml of the model in `folder`; `role` ("streaming", …) is for messages.

    Raises ModelError with one line that names the folder, what is wrong and what would be right.
    """
    require_files(folder, ("config.yaml",), role)
    try:
        return dict(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ModelError(
            f"{folder / 'config.yaml'} is not a FunASR model's configuration; fetch the {role} model anew"
        ) from error


def require_files(folder: Path, names: tuple[str, ...], role: str) -> None:
    """Raises ModelError when `folder` is not there or one of the files `names` is not in it."""
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is no folder; the {role} model is fetched by hand, see docs/decisions/funasr.md"
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder} is not a whole FunASR model: {', '.join(missing)} missing; fetch the {role} model anew"
        )
