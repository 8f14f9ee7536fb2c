"""Speech synthesis: the `Voice` protocol; one engine per file beside this one.

Errors, as a tree (an engine raises nothing else):

    TtsError                the voice could not speak
    ├── VoiceMissing        the engine, voice or model is not installed or not known; a retry does not help
    └── VoiceFailed         the engine or its service broke or was too slow; `retryable` says if a retry helps
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class TtsError(Exception):
    """The voice could not speak; `retryable` says whether the same call may succeed later."""

    retryable = False


class VoiceMissing(TtsError):
    """The engine, voice or model is not installed or not known; the message says what would be right."""


class VoiceFailed(TtsError):
    """The engine or its service broke or was too slow."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class Voice(Protocol):
    """Speaks Mandarin text."""

    name: str  # identifies engine and voice, for the cache and the record, e.g. "espeak:cmn-latn-pinyin+f2"
    sample_rate: int  # Hz of what speak() yields: mono s16le

    def speak(self, text: str, *, rate: float = 1.0) -> AsyncIterator[bytes]:
        """Yield the audio of one clause or sentence as it is made; `rate` 0.7 is slower. Raises TtsError."""
        ...

    async def aclose(self) -> None:
        """Free what the engine holds."""
        ...
