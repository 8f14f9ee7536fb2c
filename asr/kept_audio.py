"""One utterance's audio, kept from its start, for recognisers that may have to begin again elsewhere."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import anyio

from asr import Transcript

Tell: TypeAlias = Callable[[Transcript], None]


class KeptAudio:
    """Takes the audio in as fast as it comes; any number of readers get all of it, each at its own pace.

    What is kept is the utterance and no more: its length is bounded by whoever ends the caller's turn.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None  # of the source of the audio
        self._pieces: list[bytes] = []
        self._ended = False
        self._news = anyio.Event()

    async def fill(self, audio: AsyncIterator[bytes]) -> None:
        """Take in all of `audio`; an error of it is raised to the readers, after what came before it."""
        try:
            async for piece in audio:
                if piece:
                    self._pieces.append(piece)
                    self._tell_readers()
        except Exception as error:
            self.error = error
        self._ended = True
        self._tell_readers()

    def read(self) -> AsyncIterator[bytes]:
        """The audio from its start to its end; each step waits for what has not come yet."""
        return _Reader(self)

    async def piece(self, index: int) -> bytes | None:
        """One piece as it came in, None after the last. Raises the error of the source."""
        while index >= len(self._pieces) and not self._ended:
            await self._news.wait()
        if index < len(self._pieces):
            return self._pieces[index]
        if self.error is not None:
            raise self.error
        return None

    async def has_begun(self) -> bool:
        """Wait for the first whole sample; False when the audio ends without one."""
        while not self._ended and sum(map(len, self._pieces[:2])) < 2:
            await self._news.wait()
        return sum(map(len, self._pieces[:2])) >= 2

    def _tell_readers(self) -> None:
        self._news.set()
        self._news = anyio.Event()


class _Reader:
    """No generator: an engine may drop it halfway, in any task, and nothing is left to be closed."""

    def __init__(self, kept: KeptAudio) -> None:
        self._kept = kept
        self._position = 0

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._kept.piece(self._position)
        if piece is None:
            raise StopAsyncIteration
        self._position += 1
        return piece


class Partials:
    """Passes partials on, each once; after a new beginning, none that is shorter than what was shown."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._shown = ""
        self._catching_up = False

    def begin_again(self) -> None:
        """Another engine hears the utterance from its start: the caller's words must not seem to vanish."""
        self._catching_up = True

    def show(self, text: str) -> None:
        """Tell the text so far, where it is news."""
        if text == self._shown or (self._catching_up and len(text) < len(self._shown)):
            return
        self._shown, self._catching_up = text, False
        self._tell(Transcript(text))


async def recognise_apart(
    audio: AsyncIterator[bytes], work: Callable[[KeptAudio, Tell], Awaitable[None]]
) -> AsyncGenerator[Transcript, None]:
    """Run `work` in a task of its own while `audio` is taken in; yield what it tells.

    A task of its own, because no task group and no time limit may be open across a yield. Errors of `audio`
    and of `work` come through as they are. Closing ends the task before it returns.
    """
    send, receive = anyio.create_memory_object_stream[Transcript](math.inf)

    async def run() -> None:
        with send:
            await _with_kept(audio, work, send.send_nowait)

    task = asyncio.get_running_loop().create_task(run())
    try:
        with receive:
            async for transcript in receive:
                yield transcript
        await task
    finally:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # told above, or nobody listens any more


async def _with_kept(
    audio: AsyncIterator[bytes], work: Callable[[KeptAudio, Tell], Awaitable[None]], tell: Tell
) -> None:
    kept, failure = KeptAudio(), None
    async with anyio.create_task_group() as group:
        group.start_soon(kept.fill, audio)
        try:
            await work(kept, tell)
        except Exception as error:  # raised below: out of a task group it would come in an ExceptionGroup
            failure = error
        group.cancel_scope.cancel()
    if (error_to_tell := kept.error or failure) is not None:
        raise error_to_tell
