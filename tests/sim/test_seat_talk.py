"""Whole calls in virtual time: what a seat does on the desk, and what it wants done in the talk."""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio
import pytest

from dialog import phrases
from tests.sim.lines import SeatScript
from tests.sim.scenario import ANSWER, GREETING, Call, Scenario, Step, hold
from tests.sim.steps import agent, agent_begins, caller, hangs_up, happens, keys, music, silence
from tests.sim.test_handover import ASKED, RINGS, TALKS, TO_HUMAN
from voice.seats import Command

pytestmark = [pytest.mark.sim]

QUESTION = "社保卡丢了怎么补办"


def desk(change: Callable[[Call], object], after_s: float = 1.0) -> Step:
    """Something is done on the desk."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        change(call)

    return step


def wants(action: str, after_s: float = 1.0, **detail: str) -> Step:
    """The seat wants something done in the talk."""
    return desk(lambda call: call.board.wanted.append(Command(action, detail)), after_s)


def holds(on: bool, after_s: float = 1.0) -> Step:
    """The seat presses the hold key of its telephone."""
    return desk(lambda call: setattr(call.phone.legs["seat-1"], "held", on), after_s)


def verdict(seat: str, given: str) -> Step:
    return desk(lambda call: call.board.verdicts.update({seat: given}))


SCENES = [
    Scenario(
        "a seat that takes the call on the desk hears no summary",
        [
            *ASKED,
            happens("seat_ringing"),
            verdict("seat-1", "accepted"),
            happens("bridged"),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript(answers_after_s=3.0)],
        accept="key",
    ),
    Scenario(
        "a seat that declines on the desk rings no longer: the next one does",
        [
            *ASKED,
            happens("seat_ringing"),
            verdict("seat-1", "declined"),
            music(),
            agent(phrases.SEAT_DID_NOT_ANSWER),
            happens("bridged"),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.SEAT_DID_NOT_ANSWER}",
        events=f"{RINGS} seat_failed seat_ringing seat_answered seat_accepted bridged unbridged",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(answers_after_s=math.inf), SeatScript(id="seat-2")],
        seat_log=["seat-1 rings", "seat-1 stops ringing", "seat-2 rings", "seat-2 answers", "seat-2 talks"],
    ),
    Scenario(
        "a caller on hold hears music, and the seat again after it",
        [
            *ASKED,
            happens("bridged"),
            wants("hold"),
            happens("seat_held"),
            music(),
            wants("resume"),
            happens("seat_resumed"),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=f"{TALKS.removesuffix(' unbridged')} seat_held seat_resumed unbridged",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
        seat_log=["seat-1 rings", "seat-1 answers", "seat-1 talks", "seat-1 is apart", "seat-1 talks"],
    ),
    Scenario(
        "a telephone's own hold key does the same, and only that key ends it",
        [
            *ASKED,
            happens("bridged"),
            holds(True),
            happens("seat_held"),
            music(),
            wants("resume"),
            happens("command_failed"),
            holds(False),
            happens("seat_resumed"),
            wants("hold"),
            happens("seat_held", times=2),
            holds(True),
            holds(False),
            wants("resume"),
            happens("seat_resumed", times=2),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=(
            f"{TALKS.removesuffix(' unbridged')} seat_held command_failed seat_resumed seat_held seat_resumed"
            " unbridged"
        ),
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
        seat_log=[
            "seat-1 rings",
            "seat-1 answers",
            "seat-1 talks",
            *["seat-1 is apart", "seat-1 talks"] * 2,
        ],
    ),
    Scenario(
        "a seat hands the caller back to the agent, who goes on",
        [
            *ASKED,
            happens("bridged"),
            music(),
            wants("hand_back"),
            agent(phrases.BACK_AGAIN),
            caller(QUESTION),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.BACK_AGAIN}\n caller {QUESTION}\n agent  {ANSWER}",
        events=f"{TALKS.removesuffix(' unbridged')} handed_back unbridged",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "a seat sends the caller on to another",
        [
            *ASKED,
            happens("bridged"),
            wants("send_on", seat="seat-3"),
            happens("sent_on"),
            happens("bridged", times=2),
            hangs_up(after_s=2.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=(
            f"{TALKS.removesuffix(' unbridged')} sent_on unbridged"
            " seat_ringing seat_answered seat_accepted bridged unbridged"
        ),
        transfer=("caller_asked", "seat-3", "connected"),
        seats=[SeatScript(), SeatScript(id="seat-2"), SeatScript(id="seat-3")],
        seat_log=[
            "seat-1 rings",
            "seat-1 answers",
            "seat-1 talks",
            "seat-3 rings",
            "seat-3 answers",
            "seat-3 talks",
        ],
    ),
]

TALK = TALKS.removesuffix(" unbridged")


def handed_back(name: str, *after: Step, said: str, end: tuple[str, str], events: str = "") -> Scenario:
    """A seat talks to the caller for a while and hands them back; then `after`."""
    return Scenario(
        name,
        [
            *ASKED,
            happens("bridged"),
            music(),
            *after,
        ],
        end=end,
        turns=TO_HUMAN + said,
        events=f"{TALK} {events}",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    )


BACK = agent(phrases.BACK_AGAIN, within_ms=9000)
SAID_BACK = f"agent  {phrases.BACK_AGAIN}\n"
SCENES += [
    handed_back(
        "keys of the talk with the seat are nobody's, also those that were being keyed at its end",
        keys("0"),
        keys("123#"),
        wants("hand_back", after_s=0.0),
        keys("45", after_s=0.0),
        BACK,
        silence(3.0),
        caller(QUESTION, after_s=0.0),
        agent(ANSWER),
        hangs_up(),
        said=SAID_BACK + f"caller {QUESTION}\n agent  {ANSWER}",
        end=("transferred", "transferred"),
        events="handed_back unbridged",
    ),
    handed_back(
        "keys after it are the agent's again",
        wants("hand_back"),
        BACK,
        keys("0"),
        agent(phrases.TO_HUMAN),
        happens("bridged", times=2),
        hangs_up(),
        said=SAID_BACK + f"agent  {phrases.TO_HUMAN}",
        end=("transferred", "transferred"),
        events=f"handed_back unbridged dtmf {TALKS}",
    ),
    handed_back(
        "who needs nothing more is asked how it was",
        wants("hand_back"),
        BACK,
        caller("没有了谢谢"),
        agent(phrases.ASK_SATISFACTION),
        caller("满意"),
        agent(phrases.RATED_GOODBYE),
        said=SAID_BACK
        + f"""caller 没有了谢谢
            agent  {phrases.ASK_SATISFACTION}
            caller 满意
            agent  {phrases.RATED_GOODBYE}""",
        end=("agent_hangup", "transferred"),
        events="handed_back unbridged",
    ),
    handed_back(
        "who says nothing is let go, not given to a seat once more",
        wants("hand_back"),
        BACK,
        agent(phrases.SILENT_GOODBYE, within_ms=7000),
        said=SAID_BACK + f"agent  {phrases.SILENT_GOODBYE}",
        end=("agent_hangup", "transferred"),
        events="handed_back unbridged no_input",
    ),
    handed_back(
        "a caller who hangs up in that very moment is gone",
        desk(lambda call: (call.board.wanted.append(Command("hand_back")), call.leg.leave())),
        said="",
        end=("transferred", "transferred"),
        events="unbridged",
    ),
    handed_back(
        "a caller who hangs up as the seat hands them back is gone",
        wants("hand_back"),
        happens("handed_back"),
        hangs_up(after_s=0.0),
        said="",
        end=("transferred", "transferred"),
        events="handed_back unbridged",
    ),
    Scenario(
        "what was said over the announcement is not answered after the seat",
        [
            agent(GREETING),
            caller("转人工"),
            agent_begins("好的，"),
            caller("请你们快一点", after_s=0.5),
            happens("bridged"),
            wants("hand_back", after_s=5.0),
            happens("handed_back"),
            silence(5.0),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"caller 请你们快一点\n {SAID_BACK}",
        events=f"{TALK} handed_back unbridged",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "what a seat wanted of a talk that is over is not done in the next",
        [
            *ASKED,
            happens("bridged"),
            wants("send_on", seat="seat-2"),
            happens("sent_on"),
            wants("hold", after_s=0.0),
            wants("hand_back", after_s=0.0),
            happens("bridged", times=2),
            hangs_up(after_s=3.0),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=f"{TALK} sent_on unbridged {TALKS.removeprefix('transfer_started ')}",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(), SeatScript(id="seat-2")],
    ),
]


@pytest.mark.parametrize("scenario", SCENES, ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_the_greeting_is_that_of_the_other_scenes() -> None:
    assert GREETING in TO_HUMAN
