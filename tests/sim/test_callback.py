"""Calls that the agent places, in virtual time: who picks up, what is asked, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import anyio
import pytest

from dialog import CallContext, Summary, phrases
from dialog.scripts import NOT_CONFIRMED, load_script
from tests.sim.lines import ScriptedBoard, ScriptedLeg, ScriptedPhone, SeatScript
from tests.sim.scenario import ANSWER, CALLER, Call, Scenario, Step, check_any_call
from tests.sim.steps import agent, agent_begins, caller, hangs_up, happens, keys, music, silence
from tests.sim.test_seat_talk import wants
from tests.sim.virtual_time import run_virtual
from voice.callback import RING_S, CallBack, CameOf, call_back
from voice.events import CallStarted
from voice.phone import Busy, CallError, Declined, NoAnswer, Unreachable

pytestmark = [pytest.mark.sim]

URI = f"sip:{CALLER}@trunk.test:5080"
SUMMARY = Summary(caller=CALLER, request="社保卡补办进度", open_points=("要多久",))
PROMISED, ASKING = load_script("callback", "临江市"), load_script("satisfaction", "临江市")
WHO = PROMISED.opening + PROMISED.confirm.ask
SOLVED, RATING, COMMENT = (question.ask for question in ASKING.questions)


class Line(ScriptedPhone):
    """A phone that also reaches the person who is called back."""

    def __init__(self, seats: list[SeatScript], person: ScriptedLeg, refuses: type[CallError] | None) -> None:
        super().__init__(seats)
        self._person = person
        self._refuses = refuses

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> ScriptedLeg:
        if uri != URI:
            return await super().dial(uri, call_id=call_id, timeout_s=timeout_s, headers=headers)
        assert timeout_s == RING_S
        await anyio.sleep(3.0)
        if self._refuses:
            raise self._refuses("scripted")
        self._answering = asyncio.ensure_future(self._person.answer())  # its sound begins once it is heard
        return self._person


@dataclass
class Book:
    """Promises that are kept in memory."""

    promised: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    async def promise(self, call: CallContext, reason: str, summary: Summary, skill: str) -> bool:
        self.promised.append(reason)
        return True

    async def reached(self, call: CallContext) -> None:
        self.served.append(call.caller)


@dataclass
class Held:
    """A call that was placed, over now."""

    call: Call
    came_of: CameOf
    book: Book

    @property
    def events(self) -> list[str]:
        return [event.kind for event in self.call.journal.happened]

    @property
    def said(self) -> str:
        """All that the other side could hear."""
        return "".join(turn.heard_text or "" for turn in self.call.journal.turns if turn.who == "agent")


def place(
    *steps: Step,
    seats: list[SeatScript] | None = None,
    refuses: type[CallError] | None = None,
    asking: bool = False,
    last: bool = False,
    seat: str = "",
) -> Held:
    """Place the call while the person does `steps`."""
    return run_virtual(_place, steps, seats or [], refuses, asking, last, seat)


async def _place(
    steps: tuple[Step, ...],
    seats: list[SeatScript],
    refuses: type[CallError] | None,
    asking: bool,
    last: bool,
    seat: str,
) -> Held:
    scenario = Scenario("placed", [], ("", ""), seats=seats)
    leg = ScriptedLeg(call_id="c0ffee", remote=CALLER)
    phone = Line(seats, leg, refuses)
    call, book = Call(scenario, leg, phone, ScriptedBoard(seats)), Book()
    kit = replace(call.kit(), callbacks=book)
    script = ASKING if asking else PROMISED
    task = CallBack("cb1", "promised", CALLER, URI, SUMMARY, script, skill="社保", seat=seat, last=last)
    came_of: list[CameOf] = []

    async def ring() -> None:
        came_of.append(await call_back(task, kit, call_id="c0ffee", own="12345"))
        call.over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ring)
        for step in steps:
            await step(call)
        with anyio.fail_after(120):
            await call.over.wait()
        await anyio.sleep(5.0)
    if refuses is None:
        check_any_call(call)
    return Held(call, came_of[0], book)


SEAT = [SeatScript(leaves_after_bridge_s=20.0)]


def test_who_says_that_they_called_talks_to_a_seat_that_knows_the_matter() -> None:
    held = place(agent(WHO), caller("对是我"), agent(PROMISED.thanks), happens("bridged"), seats=SEAT)
    assert held.came_of == CameOf("connected")
    assert held.events[0] == "callback"
    assert held.call.journal.happened[0].detail == {"id": "cb1", "reason": "promised"}
    transfer = held.call.journal.transfer
    assert transfer
    assert (transfer.summary, transfer.seat, transfer.outcome) == (SUMMARY, "seat-1", "connected")
    (started,) = [event for event in held.call.journal.events if isinstance(event, CallStarted)]
    assert (started.caller, started.callee) == ("12345", CALLER)
    assert held.book == Book(), "the one that is being kept is closed by its result"


@pytest.mark.parametrize(("seat", "talks"), [("s2", "s2"), ("", "s1"), ("s3", "s1")])
def test_the_seat_that_it_was_given_to_talks_or_any_where_that_is_not_free(seat: str, talks: str) -> None:
    seats = [SeatScript(name, leaves_after_bridge_s=20.0) for name in ("s1", "s2")]
    steps = agent(WHO), caller("对是我"), agent(PROMISED.thanks), happens("bridged")
    held = place(*steps, seats=seats, seat=seat)
    assert held.call.journal.transfer
    assert (held.call.journal.transfer.seat, held.came_of.result) == (talks, "connected")


@pytest.mark.parametrize("refuses", [Busy, Declined, NoAnswer, Unreachable])
def test_who_is_not_reached_is_in_the_record(refuses: type[CallError]) -> None:
    held = place(refuses=refuses)
    assert held.came_of == CameOf(refuses.outcome)
    assert held.call.journal.happened[0].detail["outcome"] == refuses.outcome
    assert (held.call.journal.ended.end_reason, held.call.journal.ended.outcome) == (
        refuses.outcome,
        "not_reached",
    )


def test_somebody_else_hears_an_apology_and_nothing_of_the_matter() -> None:
    held = place(agent(WHO), caller("不是你打错了"), agent(PROMISED.wrong_person), seats=SEAT)
    assert held.came_of.result == "wrong_person"
    assert held.said == WHO + PROMISED.wrong_person
    assert held.call.phone.log == [], "no seat was rung"


def test_words_that_say_neither_are_asked_about_once_and_then_left() -> None:
    again = PROMISED.again + PROMISED.confirm.ask
    held = place(
        agent(WHO), caller("什么事情说吧"), agent(again), caller("他出去了"), agent(PROMISED.not_confirmed)
    )
    assert held.came_of.result == "not_confirmed"


def test_a_machine_that_says_nothing_is_left() -> None:
    held = place(agent(WHO), silence(45.0))
    assert held.came_of.result == "not_confirmed"
    assert SUMMARY.request not in held.said


def test_who_hangs_up_is_not_rung_again() -> None:
    held = place(agent_begins(PROMISED.opening[:3]), hangs_up(after_s=1.0))
    assert held.came_of.result == "hung_up"


def test_who_has_no_time_is_left_in_peace_for_now() -> None:
    held = place(agent(WHO), caller("我在开会"), agent(PROMISED.not_now))
    assert held.came_of.result == "not_confirmed"


@pytest.mark.parametrize("last", [False, True])
def test_when_no_seat_takes_it_it_is_tried_again_and_in_the_end_a_work_order(last: bool) -> None:
    seats = [SeatScript(refuses=Busy)]
    held = place(
        agent(WHO),
        caller("是的"),
        agent(PROMISED.thanks),
        happens("callback_promised") if not last else silence(10.0),
        seats=seats,
        last=last,
    )
    assert held.came_of.result == "no_seat"
    assert held.book.promised == [], "it is the same one, not a second"
    assert len(held.call.filed) == (1 if last else 0)
    assert phrases.NOBODY_FREE in held.said or phrases.TRANSFER_FAILED in held.said


def test_a_person_who_is_asked_for_before_that_is_told_that_nobody_confirmed() -> None:
    held = place(agent(WHO), caller("转人工"), agent(phrases.TO_HUMAN), happens("bridged"), seats=SEAT)
    assert held.came_of.result == "connected"
    transfer = held.call.journal.transfer
    assert transfer
    assert transfer.summary.open_points == (*SUMMARY.open_points, NOT_CONFIRMED)


AFTERWARDS = (
    agent(WHO),
    caller("对是我"),
    agent(PROMISED.thanks),
    happens("bridged"),
    music(),
    wants("hand_back"),
    agent(phrases.BACK_AGAIN, within_ms=9000),
)


def test_who_is_handed_back_may_ask_something_else_as_any_caller_may() -> None:
    held = place(
        *AFTERWARDS,
        caller("社保卡丢了怎么补办"),
        agent(ANSWER),
        caller("没有了谢谢"),
        agent(phrases.ASK_SATISFACTION),
        caller("满意"),
        agent(phrases.RATED_GOODBYE),
        seats=[SeatScript()],
    )
    assert held.came_of == CameOf("connected")
    assert held.call.journal.ended.satisfaction == 3


def test_a_work_order_that_they_file_then_makes_it_no_call_in_vain() -> None:
    held = place(
        *AFTERWARDS,
        caller("我要投诉楼下的饭店半夜油烟很大"),
        silence(1.0),
        keys("0", after_s=6.0),
        happens("bridged", times=2),
        hangs_up(after_s=3.0),
        seats=[SeatScript()],
    )
    assert held.came_of == CameOf("connected")
    transfer = held.call.journal.transfer
    assert transfer
    assert "油烟" in transfer.summary.request, "the newer matter"


def test_who_asks_for_a_seat_again_is_given_one_that_knows_the_matter() -> None:
    seats = [SeatScript(), SeatScript(id="seat-2")]
    held = place(
        *AFTERWARDS,
        caller("转人工"),
        agent(phrases.TO_HUMAN),
        happens("bridged", times=2),
        hangs_up(after_s=2.0),
        seats=seats,
    )
    transfer = held.call.journal.transfer
    assert transfer
    assert (transfer.summary, transfer.outcome) == (SUMMARY, "connected")
    assert held.came_of == CameOf("connected")


def test_who_asks_for_a_seat_again_and_gets_none_is_rung_again() -> None:
    seats = [SeatScript()]

    async def busy(call: Call) -> None:
        seats[0].refuses = Busy

    held = place(*AFTERWARDS, busy, caller("转人工"), agent(phrases.TO_HUMAN), silence(9.0), seats=seats)
    assert held.came_of == CameOf("no_seat")


def test_a_script_is_asked_to_its_end_and_the_answers_kept_with_what_was_said() -> None:
    held = place(
        agent(ASKING.opening + ASKING.confirm.ask),
        caller("嗯是我"),
        agent(SOLVED),
        caller("还没有解决"),
        agent(RATING),
        keys("3"),
        agent(COMMENT, within_ms=3000),  # another key might have come
        caller("希望快一点派人来看"),
        agent(ASKING.thanks),
        asking=True,
    )
    assert held.came_of == CameOf(
        "answered",
        {
            "solved": {"value": False, "said": "还没有解决"},
            "rating": {"value": 1, "said": "3"},
            "comment": {"value": "希望快一点派人来看", "said": "希望快一点派人来看"},
        },
    )
    assert held.call.journal.ended.end_reason == "agent_hangup"


def test_an_answer_is_kept_when_the_person_hangs_up_on_the_next_question() -> None:
    held = place(
        agent(ASKING.opening + ASKING.confirm.ask),
        caller("是的"),
        agent(SOLVED),
        caller("已经处理好了"),
        hangs_up(after_s=0.6),
        asking=True,
    )
    assert held.came_of == CameOf("partly", {"solved": {"value": True, "said": "已经处理好了"}})


def test_an_unclear_answer_is_asked_for_once_more_and_a_seat_may_be_asked_for_in_between() -> None:
    held = place(
        agent(ASKING.opening + ASKING.confirm.ask),
        caller("是的"),
        agent(SOLVED),
        caller("这个说来话长"),
        agent(ASKING.again + SOLVED),
        caller("我要转人工"),
        agent(phrases.TO_HUMAN),
        happens("bridged"),
        seats=SEAT,
        asking=True,
    )
    assert held.came_of.result == "connected"
    assert held.book.served == [CALLER], "an open promise of theirs is no longer needed"
