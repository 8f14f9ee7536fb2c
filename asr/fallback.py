"""A chain of recognisers: when one fails, also in mid-utterance, the next one hears all of it."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio

from asr import AsrError, EngineFailed, ModelError, Recognizer, Transcript
from asr.kept_audio import KeptAudio, Partials, Tell, recognise_apart

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Link:
    """One engine and how it has fared."""

    engine: Recognizer
    failed: bool = False
    left_alone_until: float = 0.0  # on the chain's clock

    @property
    def name(self) -> str:
        return type(self.engine).__name__


class FallbackRecognizer:
    """Recognises by the first of `engines` that works.

    An engine that fails is left alone by all calls for `retry_after_s` seconds of `clock`, by default the
    event loop's, then tried again; one whose model is missing is left alone for good. When all are to be
    left alone, all are tried. The engine that takes over in mid-utterance hears it from its start, faster
    than it was spoken, while new audio goes on coming in; its partials are held back until they are as long
    as what was shown, and there is one final.
    """

    def __init__(
        self,
        engines: Sequence[Recognizer],
        *,
        retry_after_s: float = 30.0,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        """Raises ModelError without an engine, ValueError when their sample rates differ."""
        if not engines:
            raise ModelError("a chain of recognisers needs at least one engine")
        rates = {engine.sample_rate for engine in engines}
        if len(rates) > 1:
            raise ValueError(f"the recognisers of a chain must have one sample rate, not {sorted(rates)}")
        self.sample_rate = engines[0].sample_rate
        self._links = [_Link(engine) for engine in engines]
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._closed = False

    def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        `audio` is taken in as it comes, however slow an engine is. When all engines fail, the error of the
        last is raised.
        """
        return recognise_apart(audio, self._recognise)

    async def aclose(self) -> None:
        """Close all engines; transcriptions still running end with EngineFailed."""
        self._closed = True
        async with AsyncExitStack() as closing:  # all are closed, whatever one of them raises
            for link in self._links:
                closing.push_async_callback(link.engine.aclose)

    async def _recognise(self, kept: KeptAudio, tell: Tell) -> None:
        partials = Partials(tell)
        links = self._in_order()
        for link, next_one in zip(links, [*links[1:], None], strict=True):
            self._check_open()
            try:
                await _hear(link.engine, kept, partials, tell)
            except AsrError as error:
                self._check_open()
                if kept.error is not None:
                    raise
                self._left_alone(link, error, next_one)
                if next_one is None:
                    raise
                partials.begin_again()
            else:
                if link.failed:
                    _log.info("recogniser %s works again", link.name)
                    link.failed = False
                return

    def _in_order(self) -> list[_Link]:
        now = self._clock()
        return [link for link in self._links if now >= link.left_alone_until] or list(self._links)

    def _left_alone(self, link: _Link, error: AsrError, next_one: _Link | None) -> None:
        _log.warning(
            "recogniser %s failed, %s: %s",
            link.name,
            f"{next_one.name} takes over" if next_one else "and no other is left",
            error,
        )
        link.failed = True
        pause_s = math.inf if isinstance(error, ModelError) else self._retry_after_s
        link.left_alone_until = self._clock() + pause_s

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFailed("the recogniser is closed", retryable=False)


async def _hear(engine: Recognizer, kept: KeptAudio, partials: Partials, tell: Tell) -> None:
    """One engine on the whole utterance. Raises AsrError, also where the engine ends without a final."""
    told = False
    heard = engine.transcribe(kept.read())
    try:
        async for transcript in heard:
            if transcript.final:
                told = True
                tell(transcript)
            else:
                partials.show(transcript.text)
    except AsrError as error:
        if not told:
            raise
        _log.warning("recogniser %s failed after its final: %s", type(engine).__name__, error)
    finally:
        if isinstance(heard, AsyncGenerator):
            await heard.aclose()
    if not told:
        raise EngineFailed("the engine ended without a final result", retryable=True)
