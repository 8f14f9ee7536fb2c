"""Whole calls in virtual time: a seat calls in a third party, and who hears, records and transcribes whom."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import anyio
import numpy as np
import pytest

from dialog import phrases
from tests.sim.fakes import MARK, MUSIC, Utterance, voiced_frames
from tests.sim.lines import SeatScript
from tests.sim.scenario import CALLER, Call, Scenario, Step, hold
from tests.sim.steps import agent, caller, hangs_up, happens, music, silence
from tests.sim.test_handover import ASKED, TALKS, TO_HUMAN
from tests.sim.test_seat_talk import wants
from voice.phone import FRAME_BYTES, Busy, LegGone, Unreachable

pytestmark = [pytest.mark.sim]

TALK = TALKS.removesuffix(" unbridged")
OFFICE = "office"
URI = f"sip:{OFFICE}@test"
HELLO, ANSWERS, ASKS = "您好这里是房管局", "明天上午派人过去", "请问几点到我家里"
WHISPERED = "他家住在哪里"


def says(who: str, text: str, *, after_s: float = 0.5) -> Step:
    """A seat, or the third party, says `text`, five characters a second."""
    utterance = Utterance(text, len(text) * 0.2)

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        leg = call.phone.legs[who]
        leg.speak(utterance)
        await call.until(lambda: not leg.speaking, f"the end of {text!r}")

    return step


def joined(*pairs: Collection[str]) -> Step:
    """Just these hear each other."""

    async def step(call: Call) -> None:
        assert call.phone.joined == {frozenset(pair) for pair in pairs}

    return step


def talk(name: str, *steps: Step, said: str = "", events: str, office: SeatScript | None = None) -> Scenario:
    """A talk with a seat, in which a third party can be rung."""
    return Scenario(
        name,
        [*ASKED, happens("bridged"), *steps],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + said,
        events=f"{TALK} {events} unbridged",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript(), office or SeatScript(id=OFFICE)],
    )


ALL_THREE = joined((CALLER, "seat-1"), ("seat-1", OFFICE), (CALLER, OFFICE))
TOGETHER = talk(
    "three talk with each other, and each is transcribed as who it is",
    wants("add", uri=URI),
    happens("third_party"),
    ALL_THREE,
    says(OFFICE, HELLO),
    says("seat-1", "您好", after_s=2.0),
    caller(ASKS, after_s=1.0),
    says(OFFICE, ANSWERS, after_s=1.0),
    hangs_up(after_s=2.0),
    said=f"third {HELLO}\n seat 您好\n caller {ASKS}\n third {ANSWERS}",
    events="third_party third_party",
)
CONSULT = talk(
    "a seat asks a department while the caller is on hold, then all three talk",
    wants("hold"),
    happens("seat_held"),
    music(),
    wants("add", uri=URI),
    happens("third_party"),
    joined(("seat-1", OFFICE)),
    says("seat-1", WHISPERED),
    says(OFFICE, "不清楚"),
    silence(1.5),
    wants("resume", after_s=0.0),
    happens("seat_resumed"),
    ALL_THREE,
    says(OFFICE, HELLO, after_s=1.0),
    hangs_up(after_s=2.0),
    said=f"third {HELLO}",
    events="seat_held third_party seat_resumed third_party",
)
SCENES = [
    TOGETHER,
    CONSULT,
    talk(
        "on hold the caller hears neither of them, and they each other",
        wants("add", uri=URI),
        happens("third_party"),
        wants("hold"),
        happens("seat_held"),
        joined(("seat-1", OFFICE)),
        music(),
        says(OFFICE, WHISPERED),
        hangs_up(after_s=2.0),
        events="third_party seat_held third_party",
    ),
    talk(
        "a third party that leaves is missed by nobody",
        wants("add", uri=URI),
        happens("third_party", times=2),
        says("seat-1", ASKS, after_s=1.0),
        hangs_up(after_s=2.0),
        said=f"seat {ASKS}",
        events="third_party third_party",
        office=SeatScript(id=OFFICE, leaves_after_bridge_s=2.0),
    ),
    talk(
        "a third party that is sent away can be called in again",
        wants("add", uri=URI),
        happens("third_party"),
        wants("drop"),
        happens("third_party", times=2),
        wants("add", uri=URI),
        happens("third_party", times=3),
        hangs_up(after_s=2.0),
        events="third_party third_party third_party third_party",
    ),
    talk(
        "one that rings is called off",
        wants("add", uri=URI),
        wants("add", uri=URI),
        wants("drop"),
        silence(2.0),
        hangs_up(),
        events="",
        office=SeatScript(id=OFFICE, answers_after_s=math.inf),
    ),
    talk(
        "one that rings rings no longer when the talk is over",
        wants("add", uri=URI),
        silence(2.0),
        hangs_up(),
        events="",
        office=SeatScript(id=OFFICE, answers_after_s=math.inf),
    ),
    talk(
        "one that is busy leaves the two as they were",
        wants("add", uri=URI),
        happens("command_failed"),
        joined((CALLER, "seat-1")),
        caller(ASKS),
        hangs_up(after_s=2.0),
        said=f"caller {ASKS}",
        events="command_failed",
        office=SeatScript(id=OFFICE, refuses=Busy),
    ),
    replace(
        talk("", events=""),
        name="it goes when the seat hands the caller back",
        steps=[
            *ASKED,
            happens("bridged"),
            music(),
            wants("add", uri=URI),
            happens("third_party"),
            wants("hand_back"),
            agent(phrases.BACK_AGAIN, within_ms=6000),
            hangs_up(),
        ],
        turns=TO_HUMAN + f"agent  {phrases.BACK_AGAIN}",
        events=f"{TALK} third_party handed_back third_party unbridged",
    ),
]


@pytest.mark.parametrize("scenario", SCENES, ids=str)
def test_call(scenario: Scenario) -> None:
    call = hold(scenario)
    office = [line for line in call.phone.log if line.startswith(OFFICE)]
    rung, ended = office.count(f"{OFFICE} rings"), office.count(f"{OFFICE} stops ringing")
    assert rung - ended == office.count(f"{OFFICE} answers") or scenario.seats[1].refuses


def recorded(call: Call) -> list[int]:
    """The numbers of utterances in the recording's right channel, in their order."""
    right = np.frombuffer(bytes(call.file.right), "<i2").reshape(-1, FRAME_BYTES // 2)
    numbers = [
        int(frame[1]) for frame in right if frame[0] == MARK and frame[2] == len(voiced_frames()) // 50
    ]
    return list(dict.fromkeys(numbers))


def test_what_a_third_party_says_to_the_caller_is_recorded_with_the_seats_voice() -> None:
    assert len(recorded(hold(TOGETHER))) == len([HELLO, ANSWERS, "您好"])


def test_what_it_says_while_the_caller_is_on_hold_is_not() -> None:
    assert len(recorded(hold(CONSULT))) == len([HELLO])


@pytest.mark.parametrize("error", [LegGone, Unreachable])
def test_a_caller_who_cannot_be_joined_again_is_not_left_in_silence(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of the seat fails on resume: the caller goes on hearing music, until the seat tries again."""

    def fails_once(call: Call) -> None:
        bridge = call.phone.bridge

        async def failing(*legs: object) -> None:
            monkeypatch.setattr(call.phone, "bridge", bridge)
            raise error("scripted")

        monkeypatch.setattr(call.phone, "bridge", failing)

    async def breaks(call: Call) -> None:
        fails_once(call)

    async def hears_music(call: Call) -> None:
        run = call.leg.heard[-1]
        assert run.text == MUSIC
        assert anyio.current_time() - run.ended_at < 0.1

    steps = [
        wants("hold"),
        happens("seat_held"),
        music(),
        breaks,
        wants("resume"),
        silence(3.0),
        hears_music,
        wants("resume"),
        happens("seat_resumed"),
        hangs_up(after_s=2.0),
    ]
    told = "" if error is LegGone else "command_failed "
    hold(talk(f"resume fails with {error.__name__}", *steps, events=f"seat_held {told}seat_resumed"))
