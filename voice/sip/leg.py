"""One SIP leg as the event loop sees it: audio, keys and hang-up, without touching pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import anyio.lowlevel

from voice.media import PlayoutBuffer
from voice.phone import (
    FRAME_S,
    Busy,
    CallError,
    Declined,
    LegGone,
    LineStats,
    NoAnswer,
    Tap,
    Unreachable,
)

HIGH_WATER_S = 0.5  # play() waits above this
AUDIO_QUEUE_S = 10.0  # frames kept for a reader that lags; beyond this the oldest are dropped and counted


class LegControl(Protocol):
    """What a leg asks of its endpoint. Each raises LegGone, or another CallError when the library refuses."""

    async def answer_leg(self, leg: SipLeg) -> None: ...

    async def send_keys(self, leg: SipLeg, digits: str) -> None: ...

    async def hangup_leg(self, leg: SipLeg, code: int) -> None: ...


def error_for(status: int) -> CallError:
    """The error for a leg that ended with this SIP status before it was answered."""
    if status in (486, 600):
        return Busy(f"the other side is busy (SIP {status})")
    if status == 603:
        return Declined("the other side declined (SIP 603)")
    if status in (408, 480, 487):
        return NoAnswer(f"nobody answered (SIP {status})")
    return Unreachable(f"the number could not be reached (SIP {status})")


class SipLeg:
    """See voice.phone.Leg. The on_* methods are called by the endpoint, on the loop."""

    def __init__(
        self, control: LegControl, loop: asyncio.AbstractEventLoop, *, call_id: str, remote: str, local: str
    ) -> None:
        self.call_id = call_id
        self.remote = remote
        self.local = local
        self.playout = PlayoutBuffer()
        self.rang = False
        self.held = False  # by the other side: nothing is sent, and no time passes for who listens
        self.dropped_frames = 0
        self._control = control
        self._tap: Tap | None = None
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listening = False
        self._digits: asyncio.Queue[str | None] = asyncio.Queue()
        self._moved = asyncio.Event()  # set on every tick and at the end
        self._local_hangup = False
        self._line = LineStats()
        self.up: asyncio.Future[None] = loop.create_future()  # answered, with media
        self._gone: asyncio.Future[str] = loop.create_future()

    def on_tick(self, received: bytes, sent: bytes) -> None:
        if self._gone.done():
            return
        if self._tap is not None:
            self._tap(received, sent)
        if self._listening and not self.held:
            self._frames.put_nowait(received)
            if self._frames.qsize() * FRAME_S > AUDIO_QUEUE_S:
                self._frames.get_nowait()
                self.dropped_frames += 1
        self._moved.set()

    def on_digit(self, digit: str) -> None:
        self._digits.put_nowait(digit)

    def on_up(self) -> None:
        if not self.up.done():
            self.up.set_result(None)

    def on_line(self, stats: LineStats) -> None:
        self._line = stats

    def on_gone(self, status: int, reason: str = "remote_hangup") -> None:
        if self._gone.done():
            return
        if not self.up.done():
            self.up.set_exception(error_for(status))
            self.up.exception()  # seen: nobody may be waiting any more
        self._gone.set_result("local_hangup" if self._local_hangup else reason)
        self._frames.put_nowait(None)
        self._digits.put_nowait(None)
        self._moved.set()

    async def answer(self) -> None:
        await self._control.answer_leg(self)
        try:
            await asyncio.shield(self.up)
        except CallError as error:
            raise LegGone("the caller hung up while we answered") from error

    async def audio(self) -> AsyncIterator[bytes]:
        self._listening = not self._gone.done()
        try:
            while self._listening and (frame := await self._frames.get()) is not None:
                yield frame
        finally:
            self._listening = False

    async def dtmf(self) -> AsyncIterator[str]:
        while not (self._gone.done() and self._digits.empty()):
            digit = await self._digits.get()
            if digit is None:
                return
            yield digit

    async def play(self, pcm: bytes) -> None:
        await self._until(lambda: self.playout.pending_s < HIGH_WATER_S)
        await anyio.lowlevel.checkpoint_if_cancelled()  # stopped while it woke: nothing more may be queued
        self.playout.put(pcm)

    async def drained(self) -> None:
        await self._until(lambda: self.playout.pending_s == 0.0)

    async def _until(self, ready: Callable[[], bool]) -> None:
        while True:
            if self._gone.done():
                raise LegGone("the leg has ended")
            if ready():
                return
            self._moved.clear()
            await self._moved.wait()

    def clear(self) -> float:
        return self.playout.clear()

    def played_s(self) -> float:
        return self.playout.sent_s

    def tap(self, listener: Tap | None) -> None:
        self._tap = listener

    async def send_dtmf(self, digits: str) -> None:
        await self._control.send_keys(self, digits)

    async def hangup(self, code: int = 0) -> None:
        if self._gone.done():
            return
        self._local_hangup = True
        try:
            await self._control.hangup_leg(self, code)
        except LegGone:
            return  # it ended by itself meanwhile

    def line(self) -> LineStats:
        return self._line

    async def gone(self) -> str:
        return await asyncio.shield(self._gone)
