"""The way between the event loop and the library's thread: operations one way, news the other."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any, TypeVar

import pjsua2 as pj
import structlog

from voice.phone import Unreachable

log = structlog.get_logger()
T = TypeVar("T")


class Commands:
    """run() and post() are for the event loop; perform() and tell() for the library's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
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

        self._waiting.put(command)
        return await done

    def post(self, operation: Callable[[], object]) -> None:
        """Have an operation run soon."""
        self._waiting.put(operation)

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
