"""Whole calls in virtual time: what caller and seat say to each other is transcribed, and is theirs alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import anyio
import pytest

from asr import EngineFailed, Transcript
from dialog import phrases
from tests.sim.fakes import ScriptedRecognizer, Utterance
from tests.sim.lines import ScriptedLeg, SeatScript
from tests.sim.scenario import ANSWER, GREETING, Call, Scenario, Step, hold
from tests.sim.steps import agent, caller, hangs_up, happens, music, silence
from tests.sim.test_handover import ASKED, TALKS, TO_HUMAN
from tests.sim.test_seat_talk import wants
from tests.sim.virtual_time import run_virtual
from voice.call_record import CallRecord
from voice.events import Turn
from voice.overhear import Overhearing, SharedAudio
from voice.recorder import CallRecorder

pytestmark = [pytest.mark.sim]

TALK = TALKS.removesuffix(" unbridged")
TROUBLE = "楼下的饭店半夜油烟很大"
QUESTION = "社保卡丢了怎么补办"
HELLO = "您好我是坐席小李"
ASKS = "请问是哪个小区"


def seat(
    text: str, *, after_s: float = 0.5, waits: bool = True, breaks_asr_at_s: float | None = None
) -> Step:
    """The seat says `text`, five characters a second; the script `waits`, or goes on beside it."""
    utterance = Utterance(text, len(text) * 0.2, breaks_asr_at_s=breaks_asr_at_s)

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        leg = call.phone.legs["seat-1"]
        leg.speak(utterance)
        if waits:
            await call.until(lambda: not leg.speaking, f"the end of the seat's {text!r}")

    return step


IN_TURN = Scenario(
    "caller and seat speak in turn",
    [
        *ASKED,
        happens("bridged"),
        seat(HELLO),
        caller(TROUBLE, after_s=1.0, confidence=0.7),
        seat(ASKS, after_s=1.0),
        caller("碧水湾", after_s=1.0),
        hangs_up(after_s=2.0),
    ],
    end=("transferred", "transferred"),
    turns=TO_HUMAN + f"seat {HELLO}\n caller {TROUBLE}\n seat {ASKS}\n caller 碧水湾",
    events=TALKS,
    transfer=("caller_asked", "seat-1", "connected"),
    seats=[SeatScript()],
)
OVER_EACH_OTHER = Scenario(
    "the caller speaks while the seat does: turns come in the order they were begun",
    [
        *ASKED,
        happens("bridged"),
        seat("您好我是坐席小李您的情况我已经看到了我来帮您办理", waits=False),
        caller("那太好了", after_s=2.0),
        hangs_up(after_s=4.0),
    ],
    end=("transferred", "transferred"),
    turns=TO_HUMAN + "seat 您好我是坐席小李您的情况我已经看到了我来帮您办理\n caller 那太好了",
    events=TALKS,
    transfer=("caller_asked", "seat-1", "connected"),
    seats=[SeatScript()],
)
HANDED_BACK = Scenario(
    "what was said to the seat is not told to the agent who goes on",
    [
        *ASKED,
        music(),
        happens("bridged"),
        caller(TROUBLE, after_s=1.0),
        wants("hand_back", after_s=2.0),
        agent(phrases.BACK_AGAIN),
        caller(QUESTION),
        agent(ANSWER),
        hangs_up(),
    ],
    end=("transferred", "transferred"),
    turns=TO_HUMAN + f"caller {TROUBLE}\n agent  {phrases.BACK_AGAIN}\n caller {QUESTION}\n agent  {ANSWER}",
    events=f"{TALK} handed_back unbridged",
    transfer=("caller_asked", "seat-1", "connected"),
    seats=[SeatScript()],
)
BROKEN = Scenario(
    "a recogniser that breaks is told once, and the talk goes on",
    [
        *ASKED,
        happens("bridged"),
        seat(HELLO, breaks_asr_at_s=0.6),
        seat(ASKS, after_s=2.0, breaks_asr_at_s=0.6),
        caller(TROUBLE, after_s=1.0),
        hangs_up(after_s=2.0),
    ],
    end=("transferred", "transferred"),
    turns=TO_HUMAN + f"caller {TROUBLE}",
    events=f"{TALK} failed unbridged",
    transfer=("caller_asked", "seat-1", "connected"),
    seats=[SeatScript()],
)
SCENES = [
    IN_TURN,
    OVER_EACH_OTHER,
    HANDED_BACK,
    BROKEN,
    Scenario(
        "while the caller is on hold nothing is said to the other, and nothing transcribed",
        [
            *ASKED,
            music(),
            happens("bridged"),
            seat(HELLO),
            silence(1.5),
            wants("hold", after_s=0.0),
            happens("seat_held"),
            seat("这个怎么这么麻烦", waits=False),
            caller("怎么还不来"),
            silence(1.5),
            wants("resume", after_s=0.0),
            happens("seat_resumed"),
            seat(ASKS, after_s=1.0),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"seat {HELLO}\n seat {ASKS}",
        events=f"{TALK} seat_held seat_resumed unbridged",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "the last words before somebody hangs up are in the record",
        [*ASKED, happens("bridged"), caller(TROUBLE, after_s=1.0), hangs_up(after_s=0.1)],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"caller {TROUBLE}",
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "the next seat is heard as the first was",
        [
            *ASKED,
            happens("bridged"),
            seat(HELLO),
            wants("send_on", seat="seat-2"),
            happens("bridged", times=2),
            caller(TROUBLE, after_s=1.0),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"seat {HELLO}\n caller {TROUBLE}",
        events=f"{TALK} sent_on unbridged {TALKS.removeprefix('transfer_started ')}",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(), SeatScript(id="seat-2")],
    ),
]


@pytest.mark.parametrize("scenario", SCENES, ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def overheard(call: Call) -> list[Turn]:
    (bridged,) = [event.at_s for event in call.journal.happened if event.kind == "bridged"]
    return [turn for turn in call.journal.turns if turn.started_s >= bridged]


def test_turns_are_on_the_callers_clock_and_say_how_well_they_were_heard() -> None:
    call = hold(IN_TURN)
    said = overheard(call)
    assert [turn.asr_confidence for turn in said] == [0.95, 0.7, 0.95, 0.95]
    assert call.leg.last_sound_at - call.leg.answered_at == pytest.approx(said[-1].ended_s, abs=0.1)
    lasted = [round((turn.ended_s or 0.0) - turn.started_s, 1) for turn in said]
    assert lasted == pytest.approx([len(turn.text) * 0.2 for turn in said], abs=0.2)


def test_what_is_said_over_each_other_overlaps_in_the_record() -> None:
    first, second = overheard(hold(OVER_EACH_OTHER))
    assert first.index < second.index
    assert first.started_s < second.started_s < (second.ended_s or 0.0) < (first.ended_s or 0.0)


def test_nothing_said_to_the_seat_reaches_the_dialog() -> None:
    call = hold(HANDED_BACK)
    told = [message.said for history in call.dialog.histories for message in history]
    assert QUESTION in told
    assert not any(TROUBLE[:4] in text for text in told)


def test_a_broken_recogniser_leaves_its_stage_in_the_record() -> None:
    (failed,) = [event for event in hold(BROKEN).journal.happened if event.kind == "failed"]
    assert failed.detail["stage"] == "asr"


class BuggyRecognizer(ScriptedRecognizer):
    """Where the engine would fail, it does what no recogniser may."""

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        try:
            async for transcript in super().transcribe(audio):
                yield transcript
        except EngineFailed as error:
            raise RuntimeError("a bug") from error


def test_a_bug_in_listening_ends_that_and_not_the_talk() -> None:
    call = hold(
        replace(
            BROKEN,
            name="a bug in a recogniser",
            recognizer=BuggyRecognizer(),
            events=f"{TALK} failed unbridged",
        )
    )
    (failed,) = [event for event in call.journal.happened if event.kind == "failed"]
    assert failed.detail["stage"] == "overhearing"
    assert overheard(call)[-1].text == TROUBLE, "the other side is heard on"


def test_callers_with_the_agent_come_first_when_the_machine_does_not_keep_up() -> None:
    """While it does not, the ears get silence; the record says so."""
    run_virtual(_overhear_under_load)


async def _overhear_under_load() -> None:
    busy = True
    leg, other = (ScriptedLeg(call_id="c0ffee", remote=remote) for remote in ("caller", "seat-1"))
    call = Call(IN_TURN, leg, None, None)  # type: ignore[arg-type]
    recorder = CallRecorder(leg, call.file, call.journal)
    record = CallRecord("c0ffee", call.journal, recorder)
    audio = SharedAudio(leg)
    overhearing = Overhearing(audio, replace(call.kit(), overloaded=lambda: busy), record)

    async def say(text: str) -> None:
        other.speak(Utterance(text, len(text) * 0.2))
        await anyio.sleep(len(text) * 0.2 + 2.0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audio.listen, lambda received, sent: None)
        await leg.answer()
        await other.answer()
        overhearing.open(tasks)
        overhearing.begin(other)
        await say(HELLO)
        busy = False
        await say(ASKS)
        await overhearing.finish()
        leg.leave()
        other.leave()
    assert [turn.text for turn in call.journal.turns] == [ASKS]
    assert [event.kind for event in call.journal.happened] == ["transcript_paused", "transcript_resumed"]


def test_the_greeting_is_that_of_the_other_scenes() -> None:
    assert GREETING in TO_HUMAN
