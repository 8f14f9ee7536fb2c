"""Callers of two nodes compete for the same seats, in virtual time on one real database.

`python -m tests.sim.test_two_nodes 200` plays as many days as one likes.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
import structlog.testing

from hotline.seat_board import RecordSeats
from records import CHINA, RecordsError
from records.store import Store
from tests.sim.lines import ScriptedBoard, ScriptedLeg, ScriptedPhone, SeatScript
from tests.sim.scenario import Call, Scenario, check_any_call
from tests.sim.steps import agent_begins, keys
from tests.sim.test_promises import Book
from tests.sim.virtual_time import run_virtual
from voice.phone import Busy, Declined
from voice.session import run_call

pytestmark = [pytest.mark.sim]

T = TypeVar("T")
NOON = datetime(2025, 11, 21, 12, tzinfo=CHINA)
SEATS = ("s1", "s2")
WRAP_UP_S = 3.0


class InlineWriter:
    """A records.writer.Writer without a thread; while `broken`, nothing is written and what is left waits."""

    def __init__(self) -> None:
        self.broken = False
        self._left: list[Callable[[], object]] = []

    def submit(self, work: Callable[..., object], *args: object) -> None:
        self._left.append(lambda: work(*args))
        self._write()

    async def run(self, work: Callable[..., T], *args: object) -> T:
        await anyio.sleep(0.01)
        if self.broken:
            raise RecordsError("the scripted database is away", retryable=True)
        self._write()
        return work(*args)

    def _write(self) -> None:
        while self._left and not self.broken:
            self._left.pop(0)()


class SharedPhone(ScriptedPhone):
    """The seats' telephones, which all nodes ring; each has one line."""

    def __init__(self, seats: list[SeatScript]) -> None:
        super().__init__(seats)
        self.clashes = 0  # how often one was rung that was in a call
        self._calls = Counter[str]()

    async def dial(self, uri: str, **how: Any) -> ScriptedLeg:
        name = uri.partition(":")[2].partition("@")[0]
        if self._calls[name]:
            self.clashes += 1
            raise Busy("its line is in use")
        self._calls[name] += 1
        try:
            leg = await super().dial(uri, **how)
        except BaseException:
            self._calls[name] -= 1
            raise
        asyncio.ensure_future(leg.gone()).add_done_callback(lambda _: self._calls.subtract([name]))
        return leg


@dataclass
class Node:
    """One program: its own way to the database, its board of seats."""

    name: str
    url: str
    clock: Callable[[], datetime]
    writer: InlineWriter = field(default_factory=InlineWriter)
    store: Store = field(init=False)
    board: RecordSeats = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.url, clock=self.clock)
        writer: Any = self.writer
        self.board = RecordSeats(self.store, writer, self.name, WRAP_UP_S, read=self.read)

    async def read(self, work: Callable[..., T], *args: object) -> T:
        await anyio.sleep(0.005)
        if self.writer.broken:
            raise RecordsError("the scripted database is away", retryable=True)
        return work(*args)


@dataclass
class Day:
    """What came of it."""

    calls: list[Call]
    books: list[Book]
    phone: SharedPhone
    seats: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    lost_contact: bool


@contextmanager
def two_nodes() -> Iterator[list[Node]]:
    loop = asyncio.get_running_loop()
    began = loop.time()

    def clock() -> datetime:
        return NOON + timedelta(seconds=loop.time() - began)

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'hotline.db'}"
        nodes = [Node(name, url, clock) for name in ("n1", "n2")]
        nodes[0].store.seed_seats(
            {"id": name, "uri": f"sip:{name}@test", "status": "free", "skills": skills}
            for name, skills in zip(SEATS, (["tax"], []), strict=True)
        )
        yield nodes
        for node in nodes:
            node.board.close()
            node.store.close()


def play(seed: int) -> Day:
    with structlog.testing.capture_logs():
        return run_virtual(_play, seed)


async def _play(seed: int) -> Day:
    dice = random.Random(seed)
    scripts = [
        SeatScript(
            id=name,
            answers_after_s=dice.choice([0.5, 2.0, 2.0, math.inf]),
            refuses=dice.choice([None, None, None, Busy, Declined]),
            leaves_after_bridge_s=dice.choice([4.0, 15.0, 40.0]),
        )
        for name in SEATS[: dice.choice([1, 2])]
    ]
    phone = SharedPhone(scripts)
    calls, books = [], []
    with two_nodes() as nodes:
        for name in SEATS[len(scripts) :]:
            nodes[0].store.set_seat_status(name, "away")
        async with anyio.create_task_group() as tasks:
            for node in nodes:
                tasks.start_soon(node.board.run)
            async with anyio.create_task_group() as callers:
                for number in range(dice.randint(2, 4)):
                    call, book = _call(f"c{number}", scripts, phone), Book()
                    calls.append(call)
                    books.append(book)
                    comes, stays = dice.choice([0.0, 0.5, 8.0]), dice.choice([8.0, 20.0, 60.0, 150.0])
                    callers.start_soon(_ring, call, book, dice.choice(nodes), comes, stays)
                callers.start_soon(_want, dice.choice(nodes), acts(dice, len(calls)))
                if lost_contact := dice.random() < 0.3:
                    callers.start_soon(_lose_contact, dice.choice(nodes), dice.choice([2.0, 10.0]), 20.0)
            await anyio.sleep(WRAP_UP_S + 20.0)
            tasks.cancel_scope.cancel()
        left = nodes[1].store
        return Day(calls, books, phone, left.seats(), left.queue.waiting(), lost_contact)


Wanted = tuple[float, str, str, dict[str, str]]  # after so many seconds, in which call, what


def acts(dice: random.Random, calls: int) -> list[Wanted]:
    """What is wanted of calls on the desk, whoever talks in them."""
    known: list[tuple[str, dict[str, str]]] = [
        ("hold", {}),
        ("resume", {}),
        ("hand_back", {}),
        ("send_on", {"seat": dice.choice(SEATS)}),
        ("send_on", {"skill": "tax"}),
    ]
    return [
        (dice.choice([0.5, 5.0, 15.0]), f"c{dice.randrange(calls)}", *dice.choice(known))
        for _ in range(dice.randint(0, 5))
    ]


async def _want(node: Node, wanted: list[Wanted]) -> None:
    for after_s, call_id, action, detail in wanted:
        await anyio.sleep(after_s)
        node.store.commands.give(call_id, action, detail, "li")


def _call(call_id: str, seats: list[SeatScript], phone: SharedPhone) -> Call:
    leg = ScriptedLeg(call_id=call_id, remote=f"1380000{call_id}")
    return Call(Scenario(call_id, [], ("", ""), seats=seats), leg, phone, ScriptedBoard([]))


async def _ring(call: Call, book: Book, node: Node, comes_s: float, stays_s: float) -> None:
    kit = replace(call.kit(), callbacks=book, board=node.board)
    kit = replace(kit, seats=replace(kit.seats, max_wait_s=60.0))

    async def agent_side() -> None:
        await run_call(call.leg, kit)
        call.over.set()

    await anyio.sleep(comes_s)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agent_side)
        await agent_begins("您好，")(call)
        await keys("0", after_s=0.2)(call)
        with anyio.move_on_after(stays_s):
            await call.over.wait()
        call.leg.leave()
        with anyio.fail_after(60):
            await call.over.wait()


async def _lose_contact(node: Node, after_s: float, for_s: float) -> None:
    """The node cannot reach the database for longer than a dead one is waited for."""
    await anyio.sleep(after_s)
    node.writer.broken = True
    await anyio.sleep(for_s)
    node.writer.broken = False


def judge(day: Day) -> Counter[str]:
    """Check what must be true of any day; the outcomes of its transfers."""
    assert day.waiting == [], "a place in the queue is left"
    assert {seat["status"] for seat in day.seats} <= {"free", "away"}, day.seats
    assert all(seat["call_id"] is None for seat in day.seats)
    assert day.lost_contact or not day.phone.clashes, "one seat was given to two callers"
    outcomes = Counter[str]()
    for call, book in zip(day.calls, day.books, strict=True):
        check_any_call(call)
        assert "failed" not in [event.kind for event in call.journal.happened], call.so_far()
        transfer = call.journal.transfer
        outcome = transfer.outcome if transfer else "none"
        outcomes[outcome] += 1
        assert outcome, call.so_far()
        promised = [reason for _, reason, _ in book.promised]
        assert ("promised" in promised) == (outcome not in ("connected", "caller_gone", "none"))
    return outcomes


def test_whatever_callers_of_two_nodes_do_each_seat_is_one_callers_and_free_in_the_end() -> None:
    outcomes = sum((judge(play(seed)) for seed in range(12)), Counter[str]())
    assert len(outcomes) > 2, outcomes


if __name__ == "__main__":
    all_outcomes = Counter[str]()
    for seed in range(int(sys.argv[1])):
        print(f"day {seed}", end="\r", flush=True)  # noqa: T201 - a tool for the shell
        all_outcomes += judge(play(seed))
    print(all_outcomes)  # noqa: T201
