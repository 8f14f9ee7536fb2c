"""Threads for decoding, shared fairly by all utterances, and how far behind they are.

An utterance with audio waiting stands in line once; its turn is one chunk, then it goes to the back. So a
call that hands in a minute of audio at once delays another call's next chunk by one chunk, not by a minute.
Whoever has finished speaking and is nearly decoded goes first: somebody waits for the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import anyio

from asr import AsrError, EngineFailed

CHUNK_S = 0.1  # decoded in one go: short, so that threads are shared fairly and a cancelled call costs little
NICENESS = 5  # of the decoding threads, beside the program's own
_READ_AHEAD = 300  # chunks of one utterance; what its source has beyond them stays there and is not counted
_NEARLY_DONE = 5  # chunks: an utterance that has ended and has no more than these left goes first

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Load:
    """How far behind decoding is at one moment, and how much was decoded so far.

    `waiting_s` is the audio handed in whose decoding has not begun, of all `utterances` under way together;
    `oldest_wait_s` is how long the chunk that waits longest has waited. Both are near 0 while the threads
    keep up; where `oldest_wait_s` stays above `CHUNK_S`, words come late: no further call should be taken.
    Since the start, `decoded_s` of audio took the threads together `busy_s`: their quotient, times the calls
    that speak at a time, is the number of threads it needs.
    """

    utterances: int = 0
    waiting_s: float = 0.0
    oldest_wait_s: float = 0.0
    decoded_s: float = 0.0
    busy_s: float = 0.0

    @classmethod
    def together(cls, loads: Sequence[Load]) -> Load:
        """That of several recognisers in one process."""
        return cls(
            sum(load.utterances for load in loads),
            sum(load.waiting_s for load in loads),
            max((load.oldest_wait_s for load in loads), default=0.0),
            sum(load.decoded_s for load in loads),
            sum(load.busy_s for load in loads),
        )


@runtime_checkable
class HasLoad(Protocol):
    """A recogniser that decodes in this process, and can so fall behind."""

    def load(self) -> Load:
        """How far behind decoding is now."""
        ...


class DecodingPool:
    """Runs blocking decoders in a few threads, one chunk of one utterance at a time."""

    def __init__(
        self, engine: str, sample_rate: int, workers: int = 0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`engine` names it in errors; `workers` 0 is one thread per core we may use; audio is mono s16le."""
        self._engine = engine
        self._chunk_bytes = round(sample_rate * CHUNK_S) * 2
        self._clock = clock
        self._threads = ThreadPoolExecutor(
            workers or len(os.sched_getaffinity(0)), thread_name_prefix="asr", initializer=_stand_back
        )
        self._lock = threading.Lock()  # guards what follows, and the chunks of every utterance
        self._utterances: set[_Utterance[Any]] = set()
        self._line: deque[_Utterance[Any]] = deque()
        self._closed = False
        self._decoded_s = self._busy_s = 0.0

    async def run(
        self, audio: AsyncIterator[bytes], decode: Callable[[bytes, bool], T]
    ) -> AsyncGenerator[T, None]:
        """Yield `decode(chunk, last)` for each `CHUNK_S` of `audio`; the last chunk is shorter, or empty.

        `decode` runs in a thread, never twice at a time. Errors of `audio` come through, and AsrError of
        `decode`; anything else it raises becomes EngineFailed. Closing stops the work within one chunk;
        `audio` itself stays the caller's to close.
        """
        utterance = _Utterance(decode)
        with self._lock:
            if self._closed:
                raise self._closed_error()
            self._utterances.add(utterance)
        reading = asyncio.create_task(self._read(utterance, audio))
        try:
            while not isinstance(outcome := await utterance.outcomes.get(), _Over):
                yield outcome
            if outcome.error is not None:
                raise outcome.error
        finally:
            self._leave(utterance)
            reading.cancel()
            with anyio.CancelScope(shield=True):  # so that nothing reads `audio` any more on return
                await asyncio.wait([reading])

    def load(self) -> Load:
        """How much is waiting now; cheap enough to be asked for every new call."""
        with self._lock:
            waiting = [utterance.chunks for utterance in self._utterances if utterance.chunks]
            chunks = sum(len(chunk.pcm) for chunks in waiting for chunk in chunks) / self._chunk_bytes
            now = self._clock()
            oldest_s = max((now - chunks[0].since for chunks in waiting), default=0.0)
            waiting_s = chunks * CHUNK_S
            return Load(len(self._utterances), waiting_s, oldest_s, self._decoded_s, self._busy_s)

    def close(self) -> None:
        """Free the threads; utterances under way end with EngineFailed."""
        with self._lock:
            self._closed = True
            self._line.clear()
            under_way = list(self._utterances)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for utterance in under_way:
            utterance.tell(_Over(self._closed_error()))

    async def _read(self, utterance: _Utterance[Any], audio: AsyncIterator[bytes]) -> None:
        tail = bytearray()
        try:
            async for piece in audio:
                tail += piece
                while len(tail) >= self._chunk_bytes:
                    await utterance.room()
                    self._add(utterance, bytes(tail[: self._chunk_bytes]), last=False)
                    del tail[: self._chunk_bytes]
            self._add(utterance, bytes(tail), last=True)
        except BaseException as error:
            utterance.tell(_Over(error))
            if not isinstance(error, Exception):
                raise

    def _add(self, utterance: _Utterance[Any], pcm: bytes, *, last: bool) -> None:
        with self._lock:
            utterance.chunks.append(_Chunk(pcm, last, self._clock()))
            self._stand_in_line(utterance)

    def _stand_in_line(self, utterance: _Utterance[Any]) -> None:
        """The lock is held."""
        if not utterance.busy and utterance.chunks and utterance in self._utterances and not self._closed:
            utterance.busy = True
            self._line.append(utterance)
            self._threads.submit(self._work)

    def _work(self) -> None:
        """One chunk, in a thread; there is one such job for each utterance in the line."""
        with self._lock:
            if not self._line:  # the utterance this was meant for is gone
                return
            utterance = next((one for one in self._line if one.nearly_done()), self._line[0])
            self._line.remove(utterance)
            chunk = utterance.chunks.popleft()
        began_s = self._clock()
        try:
            utterance.tell(utterance.decode(chunk.pcm, chunk.last))
        except Exception as error:
            utterance.tell(_Over(self._as_asr_error(error)))
            self._leave(utterance)
        else:
            if chunk.last:
                utterance.tell(_Over())
        with self._lock:
            self._decoded_s += len(chunk.pcm) / self._chunk_bytes * CHUNK_S
            self._busy_s += self._clock() - began_s
            utterance.busy = False
            self._stand_in_line(utterance)

    def _leave(self, utterance: _Utterance[Any]) -> None:
        with self._lock:
            self._utterances.discard(utterance)
            if utterance in self._line:
                self._line.remove(utterance)

    def _as_asr_error(self, error: Exception) -> AsrError:
        if isinstance(error, AsrError):
            return error
        failure = EngineFailed(f"{self._engine} failed on an utterance: {error}", retryable=True)
        failure.__cause__ = error  # engines raise what they like: vosk a bare Exception
        return failure

    def _closed_error(self) -> EngineFailed:
        return EngineFailed("the recogniser is closed", retryable=False)


def _stand_back() -> None:
    """Decoding goes after the event loop and the audio clock where there are too few cores for all."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


@dataclass(frozen=True, slots=True)
class _Chunk:
    pcm: bytes
    last: bool
    since: float  # on the pool's clock


@dataclass(frozen=True, slots=True)
class _Over:
    """No more comes of this utterance."""

    error: BaseException | None = None


class _Utterance(Generic[T]):
    """One utterance's chunks on their way to a thread, and what came of them on its way back to the loop."""

    def __init__(self, decode: Callable[[bytes, bool], T]) -> None:
        self.decode = decode
        self.outcomes: asyncio.Queue[T | _Over] = asyncio.Queue()
        self.chunks: deque[_Chunk] = deque()
        self.busy = False  # in line, or being decoded
        self._loop = asyncio.get_running_loop()
        self._progress = asyncio.Event()

    def nearly_done(self) -> bool:
        return self.chunks[-1].last and len(self.chunks) <= _NEARLY_DONE

    def tell(self, outcome: T | _Over) -> None:
        """Hand `outcome` to the event loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._take, outcome)

    def _take(self, outcome: T | _Over) -> None:
        self.outcomes.put_nowait(outcome)
        self._progress.set()

    async def room(self) -> None:
        """Wait until another chunk may be handed in."""
        while len(self.chunks) >= _READ_AHEAD:
            self._progress.clear()
            await self._progress.wait()
