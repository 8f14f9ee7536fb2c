"""An event loop whose clock jumps to the next timer when nothing is to be done: long calls take no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: where a selector would sleep until the next timer, the loop's clock moves on instead."""

    now_s = 1000.0  # a time of 0.0 is nobody's real time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits and no timer is set: the call would hang for ever")
        self.now_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code that waits for timers and for its own tasks only: no threads, no sockets, no processes."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_virtual(main: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run `main(*args)` to its end in virtual time."""
    return anyio.run(main, *args, backend_options={"loop_factory": VirtualTimeLoop})
