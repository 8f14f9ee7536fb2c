"""A clause that is being made, for all who listen to it, to its end even when they have gone."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import anyio

from tts import VoiceFailed
from tts.streams import closing

_log = logging.getLogger(__name__)


class Making:
    """Audio made by a task of its own and heard by any number of listeners, each from its beginning.

    A caller who interrupts stops listening, not the work: the whole goes to `keep`, so that it is made once
    however often it is interrupted. Work that nobody listens to ends after `finish_s`. Whoever makes one
    cancels and awaits its `task` in the end.
    """

    def __init__(
        self, audio: AsyncIterator[bytes], keep: Callable[[bytes], Awaitable[None]], *, finish_s: float
    ) -> None:
        self.over = False
        self.lasting = False  # a listener wants it kept for good
        self._audio = audio
        self._keep = keep
        self._finish_s = finish_s
        self._chunks: list[bytes] = []
        self._error: Exception | None = None
        self._moved = anyio.Event()
        self._listeners = 0
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + finish_s)
        self.task = asyncio.create_task(self._make())

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Yield the audio as it is made, whatever is there already at once.

        Raises what the engine raised, VoiceFailed when it was stopped.
        """
        self._listeners += 1
        self._scope.deadline = math.inf
        heard = 0
        try:
            while True:
                if fresh := self._chunks[heard:]:
                    heard += len(fresh)
                    yield b"".join(fresh)
                elif self.over:
                    break
                else:
                    await self._moved.wait()
            if self._error is not None:
                raise self._error
        finally:
            self._listeners -= 1
            if not self._listeners and not self.over:
                self._scope.deadline = anyio.current_time() + self._finish_s

    async def _make(self) -> None:
        self._error = VoiceFailed("the synthesis was stopped before its end", retryable=True)
        try:
            with self._scope:
                async with closing(self._audio) as audio:
                    async for chunk in audio:
                        self._chunks.append(chunk)
                        self._wake()
                await self._keep(b"".join(self._chunks))
                self._error = None
        except Exception as error:
            self._error = error
        finally:
            self.over = True
            self._wake()
        if self._error is not None and not self._listeners:
            _log.warning("voice: %s; its listener had gone already", self._error)

    def _wake(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
