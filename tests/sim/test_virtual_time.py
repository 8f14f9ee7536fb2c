"""The virtual clock itself."""

from __future__ import annotations

import time

import anyio
import pytest

from tests.sim.virtual_time import run_virtual

pytestmark = [pytest.mark.sim]


def test_an_hour_passes_at_once_and_timers_fire_in_order() -> None:
    async def main() -> tuple[list[str], float]:
        order: list[str] = []

        async def later(name: str, delay_s: float) -> None:
            await anyio.sleep(delay_s)
            order.append(name)

        began_s = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later, "c", 3600.0)
            tasks.start_soon(later, "a", 0.02)
            tasks.start_soon(later, "b", 60.0)
        return order, anyio.current_time() - began_s

    started = time.monotonic()
    order, took_s = run_virtual(main)
    assert order == ["a", "b", "c"]
    assert took_s == pytest.approx(3600.0, abs=0.001)
    assert time.monotonic() - started < 5.0


def test_time_limits_are_virtual_too() -> None:
    async def main() -> bool:
        with anyio.move_on_after(30.0) as limit:
            await anyio.sleep(31.0)
        return limit.cancelled_caught

    assert run_virtual(main)


def test_a_call_that_would_hang_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="hang for ever"):
        run_virtual(anyio.Event().wait)
