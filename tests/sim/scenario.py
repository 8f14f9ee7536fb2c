"""Scripted calls: what the caller does and what must be heard, as steps; what must be in the record.

A Step is a coroutine function of the Call; `steps.py` holds those that scripts are written with.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Literal

import anyio
import structlog.testing

from dialog import (
    Action,
    Basis,
    CallContext,
    Dialog,
    Message,
    Summary,
    TicketDraft,
    TicketState,
    phrases,
)
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.passages import Passage
from tests.sim.fakes import MUSIC, KeptFile, KeptJournal, ScriptedRecognizer, ScriptedVoice
from tests.sim.lines import ReferScript, Run, ScriptedBoard, ScriptedLeg, ScriptedPhone, SeatScript
from tests.sim.virtual_time import run_virtual
from voice.endpointing import Endpointer, EndpointSettings
from voice.events import Turn
from voice.kit import Kit
from voice.phone import FRAME_S
from voice.policies.refer import HANDOVERS
from voice.policies.warm import warm
from voice.replies import Pace
from voice.seats import SeatSettings
from voice.session import run_call
from voice.turns import TurnSettings

CALLER = "13800138000"
TICKET = "25112100007"
CARD = Passage(
    "card", "社保卡丢了怎么补办？", "请您带上身份证，到任意一家社保卡合作银行补办，当场就能拿到新卡。"
)
POOL = Passage("pool", "游泳馆几点开门？", "市游泳馆每天早上六点开门。")
GREETING = phrases.greeting("临江市", "一二三四五热线")
ANSWER = CARD.answer + phrases.ANYTHING_ELSE
LONGEST_WAIT_S = 60.0


class AttentiveDialog:
    """Passes everything on to a dialog and keeps what it was told."""

    def __init__(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self.histories: list[Sequence[Message]] = []

    def greeting(self, call: CallContext) -> str:
        return self._dialog.greeting(call)

    def reply(self, call: CallContext, history: Sequence[Message]) -> AsyncIterator[str | Basis | Action]:
        self.histories.append(history)
        return self._dialog.reply(call, history)

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        return self._dialog.summarize(call, history)


class NoTickets:
    """A TicketLookup on an empty store."""

    async def by_number(self, number: str) -> TicketState | None:
        return None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        return []

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return None


@cache
def embedded_dialog() -> EmbeddedDialog:
    """The real dialog, on two questions."""
    return EmbeddedDialog(Knowledge([CARD, POOL], lambda: date(2025, 11, 21)), NoTickets())


@dataclass(eq=False)
class Scenario:
    """A call to be held: the script, the parts that are not as usual, and what the record must say."""

    name: str
    steps: list[Step]
    end: tuple[str, str]  # end_reason, outcome
    turns: str = ""  # one per line: "agent  …" or "caller …", as heard; ✂ where it was cut off
    events: str = ""  # kinds, in order
    transfer: tuple[str, str, str] | None = None  # reason, seat, outcome
    seats: list[SeatScript] = field(default_factory=list)
    seat_log: list[str] | None = None
    accept: Literal["answer", "key"] = "answer"
    handover: Literal["", "refer", "replaces", "dial"] = ""  # to a PBX, whose queue is the only seat
    refer: ReferScript = field(default_factory=ReferScript)
    voice: ScriptedVoice = field(default_factory=ScriptedVoice)
    recognizer: ScriptedRecognizer = field(default_factory=ScriptedRecognizer)
    dialog: Dialog | None = None
    files_tickets: bool = True
    filing_s: float = 0.02
    durable_s: float = 0.005
    tickets: int = 0  # work orders that must have been filed
    max_call_s: float = 1800.0
    crashes: bool = False  # a bug in the program, as seen from the call
    remote: str = CALLER

    def __str__(self) -> str:
        return self.name


@dataclass(repr=False)
class Call:
    """A scenario being held."""

    scenario: Scenario
    leg: ScriptedLeg
    phone: ScriptedPhone
    board: ScriptedBoard
    journal: KeptJournal = field(default_factory=KeptJournal)
    file: KeptFile = field(default_factory=KeptFile)
    filed: dict[str, TicketDraft] = field(default_factory=dict)  # by key
    dialog: AttentiveDialog = field(init=False)
    over: anyio.Event = field(default_factory=anyio.Event)
    node: anyio.CancelScope = field(default_factory=anyio.CancelScope)  # cancelled when it stops
    told: int = 0  # runs of leg.heard that a step has asked for already

    def __post_init__(self) -> None:
        self.journal.takes_s = self.scenario.durable_s
        self.dialog = AttentiveDialog(self.scenario.dialog or embedded_dialog())

    async def file_ticket(self, call: CallContext, key: str, draft: TicketDraft) -> str:
        await anyio.sleep(self.scenario.filing_s)
        if not self.scenario.files_tickets:
            raise OSError("the scripted store is full")
        self.filed[key] = draft
        return TICKET

    def kit(self) -> Kit:
        scenario = self.scenario
        return Kit(
            recognizer=scenario.recognizer,
            voice=scenario.voice,
            dialog=self.dialog,
            phone=self.phone,
            board=self.board,
            journal=self.journal,
            policy=HANDOVERS[scenario.handover] if scenario.handover else warm,
            open_recording=lambda call_id: (self.file, f"{call_id}.wav"),
            file_ticket=self.file_ticket,
            turns=TurnSettings(),
            endpointer=Endpointer(EndpointSettings()),
            pace=Pace(),
            seats=SeatSettings(
                accept=scenario.accept, queue=scenario.seats[0].seat.uri if scenario.handover else ""
            ),
            max_call_s=scenario.max_call_s,
        )

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something that must come."""
        with anyio.move_on_after(LONGEST_WAIT_S):
            while not true():
                assert not self.over.is_set(), f"the call ended without {what}; {self.so_far()}"
                await anyio.sleep(FRAME_S)
            return
        raise AssertionError(f"no sign of {what}; {self.so_far()}")

    def said_all(self, run: Run) -> bool:
        """Whether this clause has been heard, to the end of its sound."""
        over = (
            self.leg.is_gone
            or run is not self.leg.heard[-1]
            or anyio.current_time() > run.ended_at + FRAME_S / 2
        )
        return over and run.frames >= round(len(run.text) * self.scenario.voice.s_per_char / FRAME_S)

    def so_far(self) -> str:
        heard = "".join(
            f"\n  {run.began_at - self.leg.answered_at:7.2f} {run.text} ({run.frames})"
            for run in self.leg.heard
        )
        return f"heard:{heard}\nevents: {[event.kind for event in self.journal.happened]}"


Step = Callable[[Call], Awaitable[None]]


# -- holding and judging -------------------------------------------------------------------------------------
@cache
def hold(scenario: Scenario) -> Call:
    """Hold the call in virtual time, then check what must be true of any call and of this one."""
    with structlog.testing.capture_logs() as logs:
        call = hold_call(scenario)
    assert any(entry["event"] == "call_failed" for entry in logs) is scenario.crashes
    check_any_call(call)
    _check_record(call)
    return call


def hold_call(scenario: Scenario) -> Call:
    """Hold the call in virtual time; what came of it is for the caller to judge."""
    return run_virtual(_hold, scenario)


async def _hold(scenario: Scenario) -> Call:
    leg = ScriptedLeg(call_id="c0ffee", remote=scenario.remote)
    call = Call(scenario, leg, ScriptedPhone(scenario.seats, scenario.refer), ScriptedBoard(scenario.seats))

    async def agent_side() -> None:
        with call.node:
            await run_call(leg, call.kit())
        call.over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agent_side)
        for step in scenario.steps:
            await step(call)
        with anyio.fail_after(LONGEST_WAIT_S):
            await call.over.wait()
        await anyio.sleep(5.0)  # nothing may stir after the end
    return call


def check_any_call(call: Call) -> None:
    """What must be true of every call that is over."""
    journal, scenario = call.journal, call.scenario
    assert call.leg.is_gone
    assert call.file.closed
    assert journal.events[-1] is journal.ended
    assert all(leg.is_gone for leg in call.phone.legs.values()), "a seat is left on the line"
    assert set(call.board.status.values()) <= {"free"}, "a seat is left claimed"
    assert scenario.recognizer.open == 0
    assert scenario.voice.open == 0
    for turn in journal.turns:
        assert turn.ended_s is not None, f"never closed: {turn}"
        assert turn.ended_s >= turn.started_s >= 0.0, turn
    recorded = "".join(turn.heard_text or "" for turn in journal.turns if turn.who == "agent")
    played = "".join(
        run.text[: int(run.frames * FRAME_S / scenario.voice.s_per_char + 0.01)]
        for run in call.leg.heard
        if run.text != MUSIC
    )
    assert abs(len(recorded) - len(played)) <= 3, f"recorded {recorded!r}, played {played!r}"
    _check_durable_before_heard(call)


def _check_durable_before_heard(call: Call) -> None:
    """What the caller said was safe in the store before the agent was heard to answer it."""
    journal, answers = call.journal, [t for t in call.journal.turns if t.who == "agent" and t.heard_text]
    for number, event in enumerate(journal.events):
        if isinstance(event, Turn) and event.who == "caller":
            safe_at = min((at for at, count in journal.durable_at if count > number), default=math.inf)
            for answer in answers:
                assert answer.index < event.index or safe_at <= answer.started_s + call.leg.answered_at, event


def _check_record(call: Call) -> None:
    journal, scenario = call.journal, call.scenario
    turns = [_as_line(turn) for turn in journal.turns]
    assert turns == [line.strip() for line in scenario.turns.strip().splitlines()]
    assert " ".join(event.kind for event in journal.happened) == " ".join(scenario.events.split())
    told = journal.transfer
    assert ((told.reason, told.seat, told.outcome) if told else None) == scenario.transfer
    assert (journal.ended.end_reason, journal.ended.outcome) == scenario.end
    assert len(call.filed) == scenario.tickets
    if scenario.seat_log is not None:
        assert call.phone.log == scenario.seat_log


def _as_line(turn: Turn) -> str:
    if turn.who != "agent":
        return f"{turn.who} {turn.text}"
    return f"agent  {turn.heard_text}{'✂' if turn.interrupted else ''}"
