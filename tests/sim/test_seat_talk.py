"""Whole calls in virtual time: what a seat does on the desk, and what it wants done in the talk."""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio
import pytest

from dialog import phrases
from tests.sim.lines import SeatScript
from tests.sim.scenario import ANSWER, GREETING, Call, Scenario, Step, hold
from tests.sim.steps import agent, caller, hangs_up, happens, music
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


@pytest.mark.parametrize("scenario", SCENES, ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_the_greeting_is_that_of_the_other_scenes() -> None:
    assert GREETING in TO_HUMAN
