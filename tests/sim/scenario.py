"""Scripted calls: what the caller does and what must be heard, as steps; what must be in the record.

A Step is a coroutine function of the Call; those below are what a script is written with. Times are seconds
(milliseconds where it says so) of the call's virtual clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Literal

import anyio

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
from dialog.knowledge import Knowledge, Passage
from dialog.manager import EmbeddedDialog
from tests.sim.fakes import (
    MUSIC,
    KeptFile,
    KeptJournal,
    Run,
    ScriptedBoard,
    ScriptedLeg,
    ScriptedPhone,
    ScriptedRecognizer,
    ScriptedVoice,
    SeatScript,
    Utterance,
)
from tests.sim.virtual_time import run_virtual
from voice.phone import FRAME_S
from voice.policies.warm import warm
from voice.session import Kit, run_call
from voice.transfer import SeatSettings
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


@cache
def embedded_dialog() -> EmbeddedDialog:
    """The real dialog, on two questions."""
    return EmbeddedDialog(Knowledge([CARD, POOL], lambda: date(2025, 11, 21)), NoTickets())


@dataclass
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
    voice: ScriptedVoice = field(default_factory=ScriptedVoice)
    recognizer: ScriptedRecognizer = field(default_factory=ScriptedRecognizer)
    dialog: Dialog | None = None
    files_tickets: bool = True
    filing_s: float = 0.02
    tickets: int = 0  # work orders that must have been filed
    max_call_s: float = 1800.0

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
    told: int = 0  # runs of leg.heard that a step has asked for already

    def __post_init__(self) -> None:
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
            policy=warm,
            open_recording=lambda call_id: (self.file, f"{call_id}.wav"),
            file_ticket=self.file_ticket,
            turns=TurnSettings(),
            seats=SeatSettings(accept=scenario.accept),
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
        heard = "".join(f"\n  {run.began_at:7.2f} {run.text} ({run.frames})" for run in self.leg.heard)
        return f"heard:{heard}\nevents: {[event.kind for event in self.journal.happened]}"


Step = Callable[[Call], Awaitable[None]]


# -- what scripts are written with ---------------------------------------------------------------------------
def agent(text: str, *, within_ms: float = 2500) -> Step:
    """The agent's next words are `text`, begun within so long of the last sound on the line; to their end."""

    async def step(call: Call) -> None:
        await _begins(call, text, within_ms)
        said = ""
        while said != text:
            await call.until(lambda: len(call.leg.heard) > call.told, f"all of {text!r}")
            run = call.leg.heard[call.told]
            await call.until(lambda run=run: call.said_all(run), f"all of {run.text!r}")
            said += run.text
            call.told += 1
            assert text.startswith(said), f"expected {text!r}; {call.so_far()}"

    return step


async def _begins(call: Call, text: str, within_ms: float) -> None:
    leg = call.leg
    last_sound_at = max(leg.last_sound_at, leg.heard[call.told - 1].ended_at if call.told else 0.0)
    await call.until(lambda: len(leg.heard) > call.told, f"{text!r}")
    run = leg.heard[call.told]
    assert text.startswith(run.text), f"expected {text!r}; {call.so_far()}"
    gap_ms = (run.began_at - last_sound_at) * 1000
    assert gap_ms <= within_ms, f"{text!r} came after {gap_ms:.0f} ms; {call.so_far()}"


def agent_begins(text: str, *, within_ms: float = 2500) -> Step:
    """The agent begins to say `text`; the script goes on while it speaks."""

    async def step(call: Call) -> None:
        await _begins(call, text, within_ms)
        call.told += 1

    return step


def agent_was_stopped(*, within_ms: float) -> Step:
    """The agent fell silent within so long of the beginning of the caller's last words."""

    async def step(call: Call) -> None:
        leg = call.leg
        took_ms = (leg.heard[-1].ended_at - leg.speech_began_at) * 1000
        assert took_ms <= within_ms, f"spoke on for {took_ms:.0f} ms; {call.so_far()}"
        call.told = len(leg.heard)

    return step


def silence(for_s: float) -> Step:
    """Nobody does anything for so long."""

    async def step(call: Call) -> None:
        await anyio.sleep(for_s)

    return step


def caller(
    text: str,
    *,
    after_s: float = 0.5,
    lasts_s: float = 0.0,
    partials: bool = True,
    confidence: float = 0.95,
    breaks_asr_at_s: float | None = None,
) -> Step:
    """The caller says `text` (five characters a second), or makes a noise where it is empty."""
    utterance = Utterance(text, lasts_s or len(text) * 0.2, confidence, partials, breaks_asr_at_s)

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        call.leg.speak(utterance)
        await call.until(lambda: not call.leg.speaking, f"the end of the caller's {text!r}")

    return step


def noise(lasts_s: float, *, after_s: float = 0.5) -> Step:
    """Sound that is speech to the VAD and holds no word."""
    return caller("", after_s=after_s, lasts_s=lasts_s)


def keys(digits: str, *, after_s: float = 0.5) -> Step:
    """The caller presses keys, three a second."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        for digit in digits:
            call.leg.press(digit)
            await anyio.sleep(0.3)

    return step


def hangs_up(*, after_s: float = 0.5) -> Step:
    """The caller hangs up."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        call.leg.leave()

    return step


def music(for_s: float = 0.5) -> Step:
    """The caller hears music, for so long at least."""

    async def step(call: Call) -> None:
        await call.until(lambda: len(call.leg.heard) > call.told, "music")
        assert call.leg.heard[call.told].text == MUSIC, call.so_far()
        await call.until(
            lambda: (
                sum(run.frames for run in call.leg.heard[call.told :] if run.text == MUSIC) >= for_s / FRAME_S
            ),
            "more music",
        )
        while call.told < len(call.leg.heard) and call.leg.heard[call.told].text == MUSIC:
            call.told += 1

    return step


def happens(kind: str) -> Step:
    """Wait for an event in the record."""

    async def step(call: Call) -> None:
        await call.until(lambda: kind in [event.kind for event in call.journal.happened], f"event {kind}")

    return step


# -- holding and judging -------------------------------------------------------------------------------------
def hold(scenario: Scenario) -> Call:
    """Hold the call in virtual time, then check what must be true of any call and of this one."""
    call = run_virtual(_hold, scenario)
    _check_any_call(call)
    _check_record(call)
    return call


async def _hold(scenario: Scenario) -> Call:
    leg = ScriptedLeg(call_id="c0ffee", remote=CALLER)
    call = Call(scenario, leg, ScriptedPhone(scenario.seats), ScriptedBoard(scenario.seats))

    async def agent_side() -> None:
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


def _check_any_call(call: Call) -> None:
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
    """Every caller's turn was safe in the store before the agent was next heard."""
    journal = call.journal
    for number, event in enumerate(journal.events):
        if getattr(event, "who", "") != "caller":
            continue
        safe_at = min(at for at, count in journal.durable_at if count > number)
        next_word_at = [r.began_at for r in call.leg.heard if r.began_at > journal.emitted_at[number] + 0.05]
        assert not next_word_at or safe_at <= next_word_at[0], event


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


def _as_line(turn: object) -> str:
    who, text = getattr(turn, "who", ""), getattr(turn, "text", "")
    if who == "caller":
        return f"caller {text}"
    return f"agent  {turn.heard_text}{'✂' if turn.interrupted else ''}"  # type: ignore[attr-defined]
