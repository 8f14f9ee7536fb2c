"""What it costs to record calls durably: `python -m bench.records [--calls N] [--turns N] [--speed X]`.

Calls emit into the journal what real ones do, on a clock that runs `--speed` times as fast: an exchange is a
caller's turn, an event, the agent's turn before it is spoken, a wait until that is durable, and the same turn
complete. The processor time is that of the writer's thread, and of the whole process less the idle
loop's own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import anyio

from desk.live import LiveFeed
from hotline.journal import RecordJournal
from records.store import Store
from records.writer import Writer
from voice.events import CallAnswered, CallEnded, CallStarted, Happened, LineQuality, Turn

EXCHANGE_S = 8.0  # caller speaks, agent answers
QUESTION, ANSWER = "我们小区门口的路灯坏了三天了", "好的，您反映的路灯问题我记下来了，请问具体是哪条路？"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--calls", type=int, default=120, help="calls at the same time")
    arguments.add_argument("--turns", type=int, default=4, help="exchanges in each call")
    arguments.add_argument("--speed", type=float, default=2.0, help="how many times as fast as real calls")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(_measure, Path(folder) / "records.db", given.calls, given.turns, given.speed)


async def _measure(path: Path, calls: int, turns: int, speed: float) -> None:
    store = Store(f"sqlite:///{path}")
    writer = Writer(store)
    journal = RecordJournal(store, writer, LiveFeed(), "bench")
    waits_s: list[float] = []
    idle_s = await _idle_cost(calls, turns, speed)
    async with anyio.create_task_group() as telling:
        telling.start_soon(journal.tell_live)
        writer_s = await writer.run(_thread_time, "")
        process_s, began = time.process_time(), time.perf_counter()
        async with anyio.create_task_group() as talking:
            for n in range(calls):
                talking.start_soon(_call, journal, f"call-{n:04d}", turns, speed, n / calls, waits_s)
        process_s = time.process_time() - process_s - idle_s
        wall_s = time.perf_counter() - began
        writer_s = await writer.run(_thread_time, "") - writer_s
        telling.cancel_scope.cancel()
    journal.close()
    writer.close()
    store.close()
    exchanges = calls * turns
    events = exchanges * 4 + calls * 4
    waits_s.sort()
    print(f"{exchanges} exchanges, {events} events in {wall_s:.1f} s: {events / wall_s:.0f} events/s")
    for name, spent_s in (("writer's thread", writer_s), ("all threads", process_s)):
        per_exchange_us, per_event_us = spent_s / exchanges * 1e6, spent_s / events * 1e6
        print(f"{name:16} {per_exchange_us:6.0f} µs/exchange {per_event_us:6.0f} µs/event")
    print(f"durable: median {waits_s[len(waits_s) // 2] * 1e3:.1f} ms, ", end="")
    print(f"p95 {waits_s[len(waits_s) * 95 // 100] * 1e3:.1f} ms")


async def _idle_cost(calls: int, turns: int, speed: float) -> float:
    """The processor time that the same waits take with nothing to record."""

    async def wait(phase: float) -> None:
        await anyio.sleep(EXCHANGE_S * phase / speed)
        for _ in range(turns * 2):
            await anyio.sleep(EXCHANGE_S / 2 / speed)

    before_s = time.process_time()
    async with anyio.create_task_group() as waiting:
        for number in range(calls):
            waiting.start_soon(wait, number / calls)
    return time.process_time() - before_s


async def _call(
    journal: RecordJournal, call_id: str, turns: int, speed: float, phase: float, waits_s: list[float]
) -> None:
    now: Callable[[], datetime] = partial(datetime.now, timezone.utc)
    await anyio.sleep(EXCHANGE_S * phase / speed)
    journal.emit(CallStarted(call_id, "13800000000", "12345", now(), f"{call_id}.wav"))
    journal.emit(CallAnswered(call_id, now()))
    for index in range(0, turns * 2, 2):
        at_s = index * EXCHANGE_S / 2
        journal.emit(Turn(call_id, index, "caller", QUESTION, at_s, at_s + 3.0, QUESTION, 0.93))
        journal.emit(Happened(call_id, at_s + 3.0, "barge_in", {"after_ms": 620}))
        stages_ms = {"endpoint": 310.0, "asr": 82.1, "dialog": 12.6, "tts": 95.3}
        reply = partial(
            Turn, call_id, index + 1, "agent", ANSWER, at_s + 3.6, response_gap_ms=612.4, stages_ms=stages_ms
        )
        journal.emit(reply())
        asked = time.perf_counter()
        await journal.durable()
        waits_s.append(time.perf_counter() - asked)
        await anyio.sleep(EXCHANGE_S / 2 / speed)
        journal.emit(reply(ended_s=at_s + 7.9, heard_text=ANSWER))
        await anyio.sleep(EXCHANGE_S / 2 / speed)
    journal.emit(LineQuality(call_id, "caller", "PCMA", 4210, 12, 3.1, 4228, 4, 5.0, 38.5, 2))
    journal.emit(CallEnded(call_id, now(), "caller_hangup", "answered"))
    await journal.durable()


def _thread_time(about: str) -> float:
    return time.thread_time()


if __name__ == "__main__":
    main()
