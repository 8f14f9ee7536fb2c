"""Speech recognition: the `Recognizer` protocol and what it yields; one engine per file beside this one.

Errors, as a tree (an engine raises nothing else):

    AsrError                the recogniser could not do its work
    ├── ModelError          the model is missing, corrupt or of the wrong kind; a retry does not help
    └── EngineFailed        the engine broke during an utterance; `retryable` says whether a retry may help
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


class AsrError(Exception):
    """The recogniser could not do its work; `retryable` says whether the same call may succeed later."""

    retryable = False


class ModelError(AsrError):
    """The model is missing, corrupt or of the wrong kind; the message names the path and the remedy."""


class EngineFailed(AsrError):
    """The engine broke during an utterance."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; times are seconds from the start of the utterance, confidence is 0..1."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard so far: a partial (`final=False`, no words) or the one final result of an utterance.

    `confidence` (0..1) is the mean over the characters of the words, 0.0 for a partial or for nothing heard.
    `raw` is the engine's own text where `text` was then written otherwise (numbers, street names), else "".
    """

    text: str
    final: bool = False
    confidence: float = 0.0
    words: tuple[Word, ...] = ()
    raw: str = ""


class Recognizer(Protocol):
    """Turns one utterance of telephone audio into text, streaming."""

    sample_rate: int  # Hz; audio is mono s16le at this rate

    def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncIterator[Transcript]:
        """Yield partials while `audio` runs and exactly one final when it ends; raises AsrError."""
        ...

    async def aclose(self) -> None:
        """Free threads and connections; running transcriptions end with an error."""
        ...
