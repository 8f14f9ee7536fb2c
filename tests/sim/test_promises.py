"""Callers who ring and whom nobody can take: who is promised a call-back, and who needs none any more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import anyio
import pytest

from dialog import CallContext, Summary, phrases
from tests.sim.lines import ScriptedBoard, ScriptedLeg, ScriptedPhone, SeatScript
from tests.sim.scenario import ANSWER, CALLER, GREETING, Call, Scenario, Step, check_any_call
from tests.sim.steps import agent, agent_begins, caller, hangs_up, happens, keys, music, silence
from tests.sim.test_seat_talk import QUESTION, wants
from tests.sim.virtual_time import run_virtual
from voice.phone import Busy
from voice.session import run_call

pytestmark = [pytest.mark.sim]


@dataclass
class Book:
    """Promises that are kept in memory, or cannot be."""

    keeps: bool = True
    promised: list[tuple[str, str, str]] = field(default_factory=list)  # caller, reason, request
    served: list[str] = field(default_factory=list)
    skills: list[str] = field(default_factory=list)  # that the promised ones want

    async def promise(self, call: CallContext, reason: str, summary: Summary, skill: str) -> bool:
        self.promised.append((call.caller, reason, summary.request))
        self.skills.append(skill)
        return self.keeps

    async def reached(self, call: CallContext) -> None:
        self.served.append(call.caller)


def ring(
    *steps: Step, seats: list[SeatScript], book: Book | None, caller: str = CALLER, ahead: int = 0
) -> Call:
    """A caller rings and does `steps`; others may wait for a seat before."""
    return run_virtual(_ring, steps, seats, book, caller, ahead)


async def _ring(
    steps: tuple[Step, ...],
    seats: list[SeatScript],
    book: Book | None,
    caller: str,
    ahead: int,
) -> Call:
    leg = ScriptedLeg(call_id="c0ffee", remote=caller)
    scenario = Scenario("rings", [], ("", ""), seats=seats)
    call = Call(scenario, leg, ScriptedPhone(seats), ScriptedBoard(seats))
    call.board.ahead = ahead
    kit = call.kit()
    kit = replace(kit, callbacks=book, seats=replace(kit.seats, max_wait_s=60.0 if ahead else 0.0))

    async def answered() -> None:
        await run_call(leg, kit)
        call.over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answered)
        for step in steps:
            await step(call)
        with anyio.fail_after(120):
            await call.over.wait()
        await anyio.sleep(5.0)
    check_any_call(call)
    return call


def events(call: Call) -> list[str]:
    return [event.kind for event in call.journal.happened]


TO_SEAT = (agent(GREETING), keys("0"), agent(phrases.TO_HUMAN))
IN_VAIN = [SeatScript(refuses=Busy)]


def test_whom_no_seat_takes_is_promised_a_call_back_and_no_work_order_is_filed() -> None:
    book = Book()
    call = ring(*TO_SEAT, music(), agent(phrases.TRANSFER_FAILED), seats=IN_VAIN, book=book)
    assert [(who, reason) for who, reason, _ in book.promised] == [(CALLER, "promised")]
    assert (call.filed, call.journal.ended.outcome) == ({}, "callback")
    assert "callback_promised" in events(call)


@pytest.mark.parametrize(("skills", "wanted"), [(("税务", "社保", "社保卡"), "社保卡"), (("税务",), "")])
def test_the_matter_names_the_skill_that_a_seat_shall_have(skills: tuple[str, ...], wanted: str) -> None:
    book = Book()
    asks = (agent(GREETING), caller(QUESTION), agent(ANSWER), keys("0"), agent(phrases.TO_HUMAN))
    seats = [SeatScript(refuses=Busy, skills=skills)]
    ring(*asks, music(), agent(phrases.TRANSFER_FAILED), seats=seats, book=book)
    assert book.skills == [wanted]


@pytest.mark.parametrize("book", [None, Book(keeps=False)], ids=["no book", "cannot be kept"])
def test_where_that_cannot_be_kept_a_work_order_asks_for_it(book: Book | None) -> None:
    call = ring(*TO_SEAT, music(), agent(phrases.TRANSFER_FAILED), seats=IN_VAIN, book=book)
    assert [draft.category for draft in call.filed.values()] == ["回拨"]
    assert "callback_promised" not in events(call)


def test_a_withheld_number_is_promised_nothing_and_its_matter_is_kept() -> None:
    call = ring(*TO_SEAT, music(), agent(phrases.BUSY_GOODBYE), seats=IN_VAIN, book=None, caller="")
    assert [draft.category for draft in call.filed.values()] == ["回拨"]


def test_who_hangs_up_while_waiting_in_the_queue_is_called_back() -> None:
    book = Book()
    steps = (*TO_SEAT, music(), happens("queued"), hangs_up(after_s=2.0))
    call = ring(*steps, seats=[SeatScript()], book=book, ahead=2)
    assert [(who, reason) for who, reason, _ in book.promised] == [(CALLER, "abandoned")]
    assert call.journal.transfer
    assert call.journal.transfer.outcome == "caller_gone"
    assert call.journal.ended.end_reason == "caller_hangup"


def test_who_hangs_up_while_a_free_seat_rings_is_not() -> None:
    book = Book()
    steps = (*TO_SEAT, music(), happens("seat_ringing"), hangs_up(after_s=1.0))
    ring(*steps, seats=[SeatScript(answers_after_s=10.0)], book=book)
    assert book.promised == []


def offered(*steps: Step) -> Call:
    """Who has waited long is offered a call-back, and does `steps`."""
    waits = (
        music(),
        agent(phrases.queued(2, 60.0)),
        music(20.0),
        agent(phrases.queued(2, 60.0), within_ms=9000),
    )
    return ring(*TO_SEAT, *waits, music(20.0), *steps, seats=[SeatScript()], book=Book(), ahead=2)


OFFERED = agent(phrases.OFFER_CALLBACK, within_ms=15_000)


@pytest.mark.parametrize("pressed_after_s", [0.2, 2.0, 4.5])
def test_who_would_rather_wait_has_time_to_press_1(pressed_after_s: float) -> None:
    call = offered(OFFERED, keys("1", after_s=pressed_after_s), music(4.0), hangs_up())
    assert phrases.NOBODY_FREE not in [turn.text for turn in call.journal.turns]


def test_1_may_be_pressed_while_it_is_offered_and_another_key_is_no_answer() -> None:
    call = offered(
        agent_begins(phrases.OFFER_CALLBACK, within_ms=9000), keys("21"), silence(20.0), hangs_up()
    )
    assert phrases.NOBODY_FREE not in [turn.text for turn in call.journal.turns]


@pytest.mark.parametrize(
    ("pressed", "after_s"),
    [("1", 0.5), ("1", 9.0), ("0", 0.5)],
    ids=["long before", "just before", "a person"],
)
def test_what_was_pressed_before_the_offer_is_no_answer_to_it(pressed: str, after_s: float) -> None:
    call = offered(keys(pressed, after_s=after_s), OFFERED, agent(phrases.NOBODY_FREE, within_ms=6000))
    assert [turn.text for turn in call.journal.turns][-1] == phrases.NOBODY_FREE


def test_a_promise_made_after_a_first_seat_had_talked_to_the_caller_stands() -> None:
    """Sent on, and nobody there: they are told that somebody will call, and somebody must."""
    book = Book()
    steps = (
        happens("bridged"),
        wants("send_on", seat="seat-2"),
        agent(phrases.TRANSFER_FAILED, within_ms=9000),
    )
    seats = [SeatScript(), SeatScript(id="seat-2", refuses=Busy)]
    call = ring(*TO_SEAT, music(), *steps, seats=seats, book=book)
    assert ([reason for _, reason, _ in book.promised], book.served) == (["promised"], [])
    assert call.journal.ended.outcome == "callback"


def test_who_hangs_up_in_the_queue_with_a_withheld_number_is_promised_nothing() -> None:
    book = Book(keeps=False)
    steps = (*TO_SEAT, music(), happens("queued"), hangs_up(after_s=2.0))
    call = ring(*steps, seats=[SeatScript()], book=book, ahead=2, caller="")
    assert "callback_promised" not in events(call)
    assert call.journal.ended.outcome != "callback"


def test_who_talks_to_a_seat_needs_no_call_back_any_more() -> None:
    book = Book()
    ring(*TO_SEAT, happens("bridged"), seats=[SeatScript(leaves_after_bridge_s=20.0)], book=book)
    assert (book.promised, book.served) == ([], [CALLER])
