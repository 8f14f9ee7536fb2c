"""The guard's task on a loop that somebody holds up."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
import structlog

from hotline.overload import LoadGuard
from tests.sim.virtual_time import run_virtual

pytestmark = [pytest.mark.sim]


def test_the_task_measures_its_own_loop_and_logs_the_change_alone() -> None:
    seen: list[str | None] = []

    async def main() -> list[Any]:
        loop: Any = asyncio.get_running_loop()
        guard = LoadGuard(lambda: 0.0, clock=loop.time)
        with structlog.testing.capture_logs() as logged:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(guard.run)
                await anyio.sleep(3.01)
                seen.append(guard.ready(loop.time()))
                loop._jumping.now_s += 0.4  # somebody holds the loop
                seen.append(guard.ready(loop.time()))
                await anyio.sleep(1.0)
                seen.append(guard.ready(loop.time()))
                await anyio.sleep(2.0)
                seen.append(guard.ready(loop.time()))
                tasks.cancel_scope.cancel()
        return logged

    logged = run_virtual(main)
    assert seen == [None, "event_loop", "event_loop", None]
    assert [entry["event"] for entry in logged] == ["overloaded", "overload_over"]
    assert logged[0]["cause"] == "event_loop"
    assert logged[0]["late_ms"] == pytest.approx(310, abs=30)  # the next beat was due after 90 ms
