"""A chain of voices: when one fails, the next one speaks."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tts import TtsError, VoiceFailed, VoiceMissing
from tts.cache import CachedVoice
from tts.spoken import spoken

_SYLLABLES_PER_S = 3.5  # slower than any of the voices, so that nothing unheard is skipped
_PAUSES = "，。；：、！？,;!?"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Link:
    """One voice and how it has fared."""

    voice: CachedVoice
    failures: int = 0  # in a row
    closed_until: float = 0.0  # on the chain's clock

    def usable(self, now: float) -> bool:
        return now >= self.closed_until


class FallbackVoice:
    """Speaks by the first of `voices` that works.

    A voice that fails `failure_threshold` times in a row is passed over for `retry_after_s` seconds of
    `clock`, then tried once again; one that is missing is passed over for good. When all are to be passed
    over, all are tried. A voice that breaks off inside a clause is followed by the next one from the last
    pause before the break: nothing is lost, and at most that phrase is heard twice.
    """

    def __init__(
        self,
        voices: Sequence[CachedVoice],
        *,
        failure_threshold: int = 2,
        retry_after_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not voices:
            raise VoiceMissing("a chain needs at least one voice")
        rates = {voice.sample_rate for voice in voices}
        if len(rates) > 1:
            raise ValueError(f"the voices of a chain must have one sample rate, not {sorted(rates)}")
        self.name = ">".join(voice.name for voice in voices)
        self.sample_rate = voices[0].sample_rate
        self._links = [_Link(voice) for voice in voices]
        self._failure_threshold = failure_threshold
        self._retry_after_s = retry_after_s
        self._clock = clock

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield mono s16le at `sample_rate`. Raises VoiceFailed when every voice has failed."""
        left = spoken(text)
        errors: list[str] = []
        for link in self._order():
            heard_s = 0.0
            try:
                async with aclosing(link.voice.speak(left, rate=rate)) as audio:
                    async for chunk in audio:
                        heard_s += len(chunk) / 2 / self.sample_rate
                        yield chunk
            except TtsError as error:
                self._failed(link, error)
                errors.append(f"{link.voice.name}: {error}")
                left = unheard(left, heard_s * rate)
            else:
                link.failures, link.closed_until = 0, 0.0
                return
        raise VoiceFailed("no voice could speak: " + "; ".join(errors), retryable=True)

    async def warm(self, texts: Iterable[str], *, rate: float = 1.0) -> None:
        """Have fixed `texts` ready in every voice that works. Raises VoiceFailed when none does."""
        wanted = list(texts)
        errors: list[str] = []
        for link in self._links:
            try:
                await link.voice.warm(wanted, rate=rate)
            except TtsError as error:
                self._failed(link, error)
                errors.append(f"{link.voice.name}: {error}")
        if len(errors) == len(self._links):
            raise VoiceFailed("no voice could speak: " + "; ".join(errors), retryable=True)

    async def aclose(self) -> None:
        """Free all voices."""
        for link in self._links:
            await link.voice.aclose()

    def _order(self) -> list[_Link]:
        now = self._clock()
        return [link for link in self._links if link.usable(now)] or list(self._links)

    def _failed(self, link: _Link, error: TtsError) -> None:
        _log.warning("voice %s failed: %s", link.voice.name, error)
        link.failures += 1
        if isinstance(error, VoiceMissing):
            link.closed_until = float("inf")
        elif link.failures >= self._failure_threshold:
            link.closed_until = self._clock() + self._retry_after_s


def unheard(text: str, heard_s: float) -> str:
    """What of `text` is to be said again after `heard_s` seconds of it at normal speed were heard."""
    said = int(heard_s * _SYLLABLES_PER_S)
    cut = max((text.rfind(mark, 0, said) for mark in _PAUSES), default=-1)
    return text[cut + 1 :]
