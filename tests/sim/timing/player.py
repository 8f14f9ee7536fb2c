"""Holds a timed call: the real run_call() in virtual time, with the caller's side played from the table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import anyio
import structlog.testing

from dialog import Action, Basis, CallContext, EndCall, FileTicket, Message, Summary, TicketDraft, Transfer
from tests.sim.fakes import MUSIC, ScriptedRecognizer, Utterance
from tests.sim.lines import ScriptedBoard, ScriptedPhone, SeatScript
from tests.sim.scenario import GREETING, Call, Scenario, check_any_call
from tests.sim.timing.sounds import (
    S_PER_CHAR,
    Stretch,
    TimedLeg,
    TimedVoice,
    noise,
    words,
)
from tests.sim.timing.table import Answers, Does, Timed
from tests.sim.virtual_time import run_virtual
from tts.clauses import split_clauses
from voice.events import Turn
from voice.phone import FRAME_S
from voice.session import run_call

LONGEST_WAIT_S = 60.0
QUIET_S = 4.0  # after which the caller who has nothing more to do hangs up
KEY_S = 0.3  # from one key to the next
GREETING_END = split_clauses(GREETING)[-1]


class TableDialog:
    """A dialog that says what the table says; only `answers` decide, the history is for the checks."""

    def __init__(self, answers: Sequence[Answers]) -> None:
        self._answers = answers

    def greeting(self, call: CallContext) -> str:
        return GREETING

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncIterator[str | Basis | Action]:
        asked = history[-1].who if history[-1].who == "result" else history[-1].text
        answer = next(answer for answer in self._answers if answer.hears in asked)
        first_basis = Basis(
            0.9, expects=answer.expects, digits=answer.digits, must_be_heard=answer.must_be_heard
        )
        yield first_basis
        for item in answer.says:
            if isinstance(item, str):
                yield item
            else:
                await anyio.sleep(item)
        if answer.then == "file":
            yield FileTicket(TicketDraft("", "", "normal", "路灯坏了", "路灯坏了"))
        elif answer.then == "end":
            yield EndCall()
        elif answer.then == "transfer":
            yield Transfer("caller_asked", Summary())

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        return Summary(request="有事")


@dataclass(frozen=True)
class Sounded:
    """Something the caller did, on the loop's clock."""

    what: str
    began_at: float
    ended_at: float


@dataclass(repr=False)
class Played:
    """A timed call that was held."""

    timed: Timed
    call: Call
    leg: TimedLeg
    caller: list[Sounded] = field(default_factory=list)
    asked: int = 0  # times the dialog was asked for a reply

    @property
    def zero_at(self) -> float:
        """The end of the greeting, as it is when nothing cuts it; times in tables count from here."""
        ends = [stretch for stretch in self.leg.stretches if stretch.text == GREETING_END]
        return ends[0].began_at + ends[0].whole_s if ends else self.leg.answered_at


def play(timed: Timed) -> Played:
    """Hold the call, and check what must be true of any call."""
    with structlog.testing.capture_logs() as logs:
        played = run_virtual(_hold, timed)
    assert not [entry for entry in logs if entry["event"] == "call_failed"]
    check_any_call(played.call)
    return played


async def _hold(timed: Timed) -> Played:
    scenario = Scenario(
        timed.name,
        steps=[],
        end=("", ""),
        seats=[SeatScript()] if timed.seat else [],
        voice=TimedVoice(
            first_audio_s=timed.tts.first_audio_s,
            fails=lambda text: any(word in text for word in timed.tts.fails),
        ),
        recognizer=ScriptedRecognizer(timed.asr.partial_lag_s, timed.asr.final_s),
        dialog=TableDialog(timed.dialog) if timed.dialog else None,
        filing_s=timed.filing_s,
        remote=timed.number,
    )
    line = timed.line
    leg = TimedLeg(
        call_id="c0ffee",
        remote=timed.number,
        background=noise(line.noise, 10.0, line.noise_dbfs) if line.noise_dbfs is not None else (),
        echo_db=line.echo_db,
        echo_delay_s=line.echo_delay_s,
    )
    call = Call(scenario, leg, ScriptedPhone(scenario.seats, scenario.refer), ScriptedBoard(scenario.seats))
    played = Played(timed, call, leg)
    failures: list[AssertionError] = []

    async def agent_side() -> None:
        await run_call(leg, call.kit())
        call.over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agent_side)
        try:
            await _caller_side(played)
        except AssertionError as error:  # told by itself, not within a group
            failures.append(error)
            leg.leave()
        await call.over.wait()
        await anyio.sleep(2.0)  # nothing may stir after the end
    for failure in failures:
        raise failure
    played.asked = len(call.dialog.histories)
    return played


# -- the caller ----------------------------------------------------------------------------------------------
async def _caller_side(played: Played) -> None:
    for does in played.timed.caller:
        at = await _moment(played, does)
        await anyio.sleep(max(0.0, at - anyio.current_time()))
        assert not played.leg.is_gone, f"the call was over before the caller could: {does}"
        await _do(played, does)
    await _hang_up_when_quiet(played)


async def _moment(played: Played, does: Does) -> float:
    """When the row's time has come, on the loop's clock."""
    if does.later is not None:
        return played.caller[-1].ended_at + does.later
    words = does.into or split_clauses(does.after or GREETING)[-1]
    since = played.caller[-1].began_at if played.caller else 0.0
    with anyio.move_on_after(LONGEST_WAIT_S):
        while not played.call.over.is_set():
            for stretch in played.leg.stretches:
                at = stretch.text.find(words)
                past = stretch.began_at + stretch.whole_s <= since and (does.into or does.after)
                if at < 0 or stretch.first or past:
                    continue
                begins_at = stretch.began_at + at * S_PER_CHAR
                return begins_at + does.at + (0.0 if does.into else len(words) * S_PER_CHAR)
            await anyio.sleep(FRAME_S)
    raise AssertionError(f"{words!r} was never heard, so the caller could not: {does}\n{story(played)}")


async def _do(played: Played, does: Does) -> None:
    began_at, lasts_s = anyio.current_time(), 0.0
    if does.hangs_up:
        played.leg.leave()
    elif does.keys:
        for number, key in enumerate(does.keys):
            await anyio.sleep(KEY_S if number else 0.0)
            played.leg.press(key)
        lasts_s = anyio.current_time() - began_at
    elif does.noise is not None:
        frames = noise(does.noise, does.lasts_s, does.dbfs)
        lasts_s = len(frames) * FRAME_S
        played.leg.sound(frames)
    else:
        partials = played.timed.asr.partials
        said = Utterance(does.says, does.lasts_s, does.confidence, partials, does.asr_fails_at_s)
        frames = words(said, does.pause_s)
        lasts_s = len(frames) * FRAME_S
        played.leg.sound(frames)
    played.caller.append(Sounded(str(does), began_at, began_at + lasts_s))


async def _hang_up_when_quiet(played: Played) -> None:
    leg, began_at = played.leg, anyio.current_time()
    while not leg.is_gone:
        happened = [event.kind for event in played.call.journal.happened]
        now = anyio.current_time()
        ends = [sound.ended_at for sound in played.caller] + [heard.ended_at for heard in leg.stretches]
        last_at = max([began_at, *ends])
        leaves = "bridged" in happened or ("transfer_started" not in happened and not played.timed.stays)
        if leaves and now - last_at > QUIET_S:
            leg.leave()
        assert now - last_at < LONGEST_WAIT_S, f"the call never ended\n{story(played)}"
        await anyio.sleep(FRAME_S)


# -- telling -------------------------------------------------------------------------------------------------
def story(played: Played) -> str:
    """What was heard when, in seconds from the end of the greeting; for messages."""
    lines = [(sound.began_at, sound.ended_at, f"caller  {sound.what}") for sound in played.caller]
    for stretch in played.leg.stretches:
        lines.append((stretch.began_at, stretch.ended_at, f"agent   {heard_of(stretch)}"))
    for event in played.call.journal.happened:
        at = played.leg.answered_at + event.at_s
        lines.append((at, at, f"event   {event.kind}"))
    zero_at = played.zero_at
    told = [
        f"  {began - zero_at:7.2f} {ended - zero_at:7.2f}  {what}" for began, ended, what in sorted(lines)
    ]
    recorded = [f"  {turn_line(turn)}" for turn in played.call.journal.turns]
    return "\n".join(["heard, from … to:", *told, "recorded:", *recorded])


def heard_of(stretch: Stretch) -> str:
    """The clause as far as it was heard; | where that begins or ends within it."""
    if stretch.text == MUSIC:
        return MUSIC
    per_char = stretch.clause_frames / len(stretch.text)
    heard = stretch.text[int(stretch.first / per_char + 0.01) : int(stretch.next / per_char + 0.01)]
    return "|" * bool(stretch.first) + heard + "|" * (stretch.next < stretch.clause_frames)


def turn_line(turn: Turn) -> str:
    """A turn of the record as tables write it."""
    if turn.who == "caller":
        return f"caller {turn.text}"
    return f"agent {turn.heard_text}{'✂' if turn.interrupted else ''}"
