"""One SIP leg as the event loop sees it: audio, keys and hang-up, without touching pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import anyio.lowlevel

from voice.calm import Calm
from voice.media import PlayoutBuffer
from voice.phone import (
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


class LegControl(Protocol):
    """What a leg asks of its endpoint. Each raises LegGone, or another CallError when the library refuses."""

    async def answer_leg(self, leg: SipLeg) -> None: ...

    async def send_keys(self, leg: SipLeg, digits: str) -> None: ...

    async def hangup_leg(self, leg: SipLeg, code: int) -> None: ...

    def give_ticks(self) -> None: ...


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
        self._control = control
        self._loop = loop
        self._tap: Tap | None = None
        self._hear: Tap | None = None
        self._calm_of: Callable[[], Calm] | None = None  # who listens
        self._calm = Calm()
        self._below_s = -1.0  # the most that may be pending for one who waits; nobody waits below 0
        self._heard_all: asyncio.Future[None] = loop.create_future()
        self._digits: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []  # for at most so much pending, s
        self._local_hangup = False
        self._line = LineStats()
        self.up: asyncio.Future[None] = loop.create_future()  # answered, with media
        self._gone: asyncio.Future[str] = loop.create_future()

    def due(self, received: bytes, magnitude: Callable[[bytes], float]) -> bool:
        """Whether what has come is to be given now; asked by the clock's thread for each tick."""
        awaited = self._below_s >= 0.0 and self.playout.pending_s <= self._below_s
        return self._calm.ends(received, magnitude) or awaited

    def on_tick(self, received: bytes, sent: bytes, held: bool = False) -> None:
        """One tick; `held` if the other side had us on hold."""
        if self._gone.done():
            return
        if self._tap is not None:
            self._tap(received, sent)
        if self._hear is not None and not held:
            try:
                self._hear(received, sent)
            except Exception as error:  # of who listens: it is theirs, not the other legs'
                self._hear = None
                self._heard_all.set_exception(error)
        self._wake()

    def on_given(self) -> None:
        """All ticks that had come were given."""
        self._calm = self._calm_of() if self._calm_of is not None and self._hear is not None else Calm()

    def _wake(self) -> None:
        """Let those go on whose wish has come true."""
        if self._waiting:
            pending_s = self.playout.pending_s
            for below_s, future in self._waiting:
                if (pending_s <= below_s or self._gone.done()) and not future.done():
                    future.set_result(None)

    def on_digit(self, digit: str) -> None:
        self._digits.put_nowait(digit)

    def on_up(self) -> None:
        if not self.up.done():
            self.up.set_result(None)

    def on_line(self, stats: LineStats) -> None:
        self._line = stats

    def on_gone(self, status: int, reason: str = "remote_hangup") -> None:
        self.catch_up()
        if self._gone.done():
            return
        if not self.up.done():
            self.up.set_exception(error_for(status))
            self.up.exception()  # seen: nobody may be waiting any more
        self._gone.set_result("local_hangup" if self._local_hangup else reason)
        if self._hear is not None and not self._heard_all.done():
            self._heard_all.set_result(None)
        self._digits.put_nowait(None)
        self._wake()

    async def answer(self) -> None:
        await self._control.answer_leg(self)
        try:
            await asyncio.shield(self.up)
        except CallError as error:
            raise LegGone("the caller hung up while we answered") from error

    async def listen(self, hear: Tap, calm: Callable[[], Calm] | None = None) -> None:
        if self._gone.done():
            return
        self.catch_up()  # what came before is for who listened before
        self._hear, self._calm_of, self._heard_all = hear, calm, self._loop.create_future()
        self.on_given()
        try:
            await self._heard_all
        finally:
            self._hear = self._calm_of = None
            self.on_given()

    def catch_up(self) -> None:
        self._control.give_ticks()
        self.on_given()

    async def dtmf(self) -> AsyncIterator[str]:
        while not (self._gone.done() and self._digits.empty()):
            digit = await self._digits.get()
            if digit is None:
                return
            yield digit

    async def play(self, pcm: bytes) -> None:
        await self._pending_at_most(HIGH_WATER_S)
        await anyio.lowlevel.checkpoint_if_cancelled()  # stopped while it woke: nothing more may be queued
        self.playout.put(pcm)

    async def drained(self) -> None:
        await self._pending_at_most(0.0)

    async def _pending_at_most(self, below_s: float) -> None:
        while not self._gone.done():
            if self.playout.pending_s <= below_s:
                return
            waiting = below_s, self._loop.create_future()
            self._waiting.append(waiting)
            self._below_s = max(below_s, self._below_s)
            try:
                await waiting[1]
            finally:
                self._waiting.remove(waiting)
                self._below_s = max((below_s for below_s, _ in self._waiting), default=-1.0)
        raise LegGone("the leg has ended")

    def clear(self) -> float:
        return self.playout.clear()

    def hold(self) -> None:
        self.playout.hold()

    def release(self) -> None:
        self.playout.release()

    def played_s(self) -> float:
        return self.playout.sent_s

    def tap(self, listener: Tap | None) -> None:
        self.catch_up()
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
