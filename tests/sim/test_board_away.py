"""The database is away for a while, in virtual time: who waits goes on waiting, who talks goes on talking."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import anyio.to_thread
import pytest
import structlog.testing

from dialog import phrases
from hotline.seat_board import in_thread
from tests.sim.lines import ScriptedBoard, ScriptedLeg, SeatScript
from tests.sim.scenario import CALLER, Call, Scenario, check_any_call
from tests.sim.steps import agent, happens, music
from tests.sim.test_promises import TO_SEAT, Book
from tests.sim.test_two_nodes import Node, SharedPhone, two_nodes
from tests.sim.virtual_time import run_virtual
from voice.policies import Queued
from voice.seats import Seat
from voice.session import run_call

pytestmark = [pytest.mark.sim]


def play(scene: Callable[[Node], Awaitable[None]]) -> None:
    async def on_a_node() -> None:
        with two_nodes() as (node, _):
            await scene(node)

    with structlog.testing.capture_logs():
        run_virtual(on_a_node)


def status(node: Node) -> list[str]:
    return [seat["status"] for seat in node.store.seats()]


async def _who_waits(node: Node) -> None:
    board = node.board
    seats = [await board.claim("", call_id, ()) for call_id in ("c1", "c2")]
    waits = await board.claim("", "c3", ())
    assert isinstance(waits, Queued)
    assert waits.on_duty == 2
    node.writer.broken = True
    assert await board.claim("", "c3", ()) == waits
    assert await board.claim("", "c4", ()) == Queued(0, 0, 0.0), "who did not wait is not made to"
    first = seats[0]
    assert isinstance(first, Seat)
    await board.talking(first)
    await board.release(first, "talked")
    assert status(node) == ["ringing", "ringing"]
    node.writer.broken = False
    assert isinstance(await board.claim("", "c3", ()), Queued)
    assert status(node) == ["wrap_up", "ringing"], "it is written as soon as it can be"
    await board.leave("c3")
    node.writer.broken = True
    assert await board.claim("", "c3", ()) == Queued(0, 0, 0.0), "it has no place any more"


async def _whose_matter(node: Node) -> None:
    about = ["how to pay income tax", "water"]
    assert [await node.board.skill_for(each) for each in about] == ["tax", ""]


def test_a_matter_names_the_skill_of_a_seat() -> None:
    play(_whose_matter)


def test_who_waits_keeps_the_place_and_what_became_of_a_seat_is_written_later() -> None:
    play(_who_waits)


async def _who_talks(node: Node) -> None:
    seats = [SeatScript(id="s1", leaves_after_bridge_s=10.0)]
    node.store.set_seat_status("s2", "away")
    leg = ScriptedLeg(call_id="c0ffee", remote=CALLER)
    call = Call(Scenario("talks", [], ("", ""), seats=seats), leg, SharedPhone(seats), ScriptedBoard([]))
    book = Book()
    kit = replace(call.kit(), board=node.board, callbacks=book)

    async def agent_side() -> None:
        await run_call(leg, kit)
        call.over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agent_side)
        for step in (*TO_SEAT, music(), happens("seat_answered")):
            await step(call)
        node.writer.broken = True
        await happens("bridged")(call)
        await agent(phrases.GOODBYE, within_ms=13_000)(call)
        await call.over.wait()
    check_any_call(call)
    at = {event.kind: event.at_s for event in call.journal.happened}
    assert at["unbridged"] - at["bridged"] == pytest.approx(10.0, abs=0.1)
    goodbye = call.journal.turns[-1]
    assert goodbye.started_s - at["unbridged"] < 0.3, "no silence before it"
    assert book.served == [CALLER]
    node.writer.broken = False
    await node.board.leave("c0ffee")
    assert status(node)[0] == "wrap_up"


def test_a_talk_goes_on_and_ends_with_words_while_the_database_is_away() -> None:
    play(_who_talks)


@pytest.mark.anyio
async def test_nobody_who_is_cancelled_waits_for_a_read_that_hangs() -> None:
    reads, answers = threading.Event(), threading.Event()

    def hangs() -> None:
        reads.set()
        answers.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, hangs)
        await anyio.to_thread.run_sync(reads.wait)
        tasks.cancel_scope.cancel()
    assert not answers.is_set()
    answers.set()
