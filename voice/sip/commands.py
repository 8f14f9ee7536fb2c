"""The way between the event loop and the library's thread: operations one way, news the other."""

from __future__ import annotations

import asyncio
import queue
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import pjsua2 as pj
import structlog

from voice.phone import Unreachable

log = structlog.get_logger()
T = TypeVar("T")


KEEP_ALIVE = b"\r\n"  # RFC 5626's; the library drops it as soon as it has read it


class Commands:
    """run(), post() and wake() are for the event loop; the others for the library's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waker: socket.socket | None = None
        self._waiting: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    async def run(self, operation: Callable[[], T]) -> T:
        """Run an operation on the library's thread. Raises CallError for what the library refuses."""
        done: asyncio.Future[T] = self._loop.create_future()

        def command() -> None:
            try:
                result = operation()
            except pj.Error as error:
                self.tell(settle, done, None, Unreachable(f"SIP operation refused: {error.reason}"))
            except Exception as error:
                self.tell(settle, done, None, error)
            else:
                self.tell(settle, done, result, None)

        self.post(command)
        return await done

    def post(self, operation: Callable[[], object]) -> None:
        """Have an operation run soon."""
        self._waiting.put(operation)
        self.wake()

    def open(self, address: tuple[str, int]) -> None:
        """From now on commands end the library's wait for events, by a datagram to its own `address`."""
        self._waker = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._waker.connect(address)

    def close(self) -> None:
        """Before the library is destroyed."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()

    @property
    def wakes(self) -> bool:
        """Commands end the library's wait; else they are seen when it ends by itself."""
        return self._waker is not None

    def wake(self) -> None:
        """End the library's wait for events."""
        waker = self._waker
        if waker is not None:
            try:
                waker.send(KEEP_ALIVE, socket.MSG_DONTWAIT)
            except OSError as error:  # it is closing, or has more to read than it can take: it is awake
                log.debug("sip_not_woken", cause=str(error))

    def perform(self) -> None:
        """Run what waits."""
        while not self._waiting.empty():
            self._waiting.get()()

    def tell(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function` on the event loop."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.warning("event_loop_closed", lost=function.__name__)


def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give a future its result, unless whoever waited has gone."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
