"""Waiting for a seat, by next() and send(): where the caller stands, how long they wait, what is offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dialog import Summary, phrases
from tests.unit.policy_script import follow
from voice.policies import (
    AskKey,
    Bridge,
    ClaimSeat,
    LeaveQueue,
    Music,
    Outcome,
    PromiseCallback,
    Queued,
    ReleaseSeat,
    Result,
    RingSeat,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
    Whisper,
)
from voice.policies.warm import KEY_WAIT_S, TELL_EVERY_S, warm

pytestmark = [pytest.mark.unit]

R = StepResult
SUMMARY = Summary(request="路灯不亮")
REQUEST = TransferRequest(SUMMARY, max_wait_s=50.0)
AHEAD_2, AHEAD_1 = Queued(2, 3, 180.0), Queued(1, 3, 90.0)
MUSIC = (Music(), R.DONE)
LEFT = (LeaveQueue(), R.DONE)
TALK: list[tuple[Step, Result]] = [
    (RingSeat(), R.ANSWERED),
    (Whisper(SUMMARY), R.ACCEPTED),
]
GOODBYE: list[tuple[Step, Result]] = [
    (Bridge(), R.SEAT_GONE),
    (ReleaseSeat(), R.DONE),
    (TellCaller(phrases.GOODBYE), R.DONE),
]
PROMISED: list[tuple[Step, Result]] = [
    LEFT,
    (PromiseCallback(), R.DONE),
    (TellCaller(phrases.NOBODY_FREE), R.DONE),
]


def claim(result: Result, wait_s: float = 0.0, priority: int = 0) -> tuple[Step, Result]:
    return ClaimSeat("", priority, wait_s), result


def told(place: Queued) -> tuple[Step, Result]:
    return TellCaller(phrases.queued(place.ahead, place.expected_s)), R.DONE


def play(script: Sequence[tuple[Step, Result]], request: TransferRequest = REQUEST) -> Outcome:
    return follow(warm(request), script)


def test_who_waits_hears_where_they_stand_and_then_gets_a_seat() -> None:
    script = [MUSIC, claim(AHEAD_2), told(AHEAD_2), MUSIC, claim(R.DONE, TELL_EVERY_S), *TALK, *GOODBYE]
    assert play(script) == Outcome("connected")


def test_it_is_told_again_as_it_changes_and_a_callback_is_promised_in_the_end() -> None:
    waited = [MUSIC, claim(AHEAD_2), told(AHEAD_2), MUSIC, claim(AHEAD_1, TELL_EVERY_S), told(AHEAD_1)]
    offered: list[tuple[Step, Result]] = [
        MUSIC,
        claim(AHEAD_1, 20.0),
        (TellCaller(phrases.OFFER_CALLBACK), R.DONE),
    ]
    asked = [*waited, *offered, (AskKey(KEY_WAIT_S), R.NO_ANSWER)]
    assert play([*asked, claim(AHEAD_1), *PROMISED]) == Outcome("no_seat")
    free_meanwhile = [*asked, claim(R.DONE), MUSIC]
    assert play([*free_meanwhile, *TALK, *GOODBYE]) == Outcome("connected")
    left = [*asked, claim(R.DONE), (Music(), R.CALLER_GONE), (ReleaseSeat(), R.DONE)]
    assert play(left) == Outcome("caller_gone", caller_gone=True)


def test_who_would_rather_wait_goes_on_waiting() -> None:
    waited = [MUSIC, claim(AHEAD_2), told(AHEAD_2), MUSIC, claim(AHEAD_1, TELL_EVERY_S), told(AHEAD_1)]
    offered: list[tuple[Step, Result]] = [
        MUSIC,
        claim(AHEAD_1, 20.0),
        (TellCaller(phrases.OFFER_CALLBACK), R.DONE),
    ]
    stays: list[tuple[Step, Result]] = [(AskKey(KEY_WAIT_S), R.ACCEPTED), MUSIC, claim(R.DONE, TELL_EVERY_S)]
    assert play([*waited, *offered, *stays, *TALK, *GOODBYE]) == Outcome("connected")


def test_nobody_waits_where_nobody_is_at_work() -> None:
    assert play([MUSIC, claim(Queued(0, 0, 0.0)), *PROMISED]) == Outcome("no_seat")


def test_outside_the_hours_a_callback_is_promised_at_once() -> None:
    script: list[tuple[Step, Result]] = [
        LEFT,
        (PromiseCallback(), R.DONE),
        (TellCaller(phrases.OUT_OF_HOURS), R.DONE),
    ]
    assert play(script, replace(REQUEST, staffed=False)) == Outcome("no_seat")


@pytest.mark.parametrize(
    "script",
    [
        [MUSIC, claim(AHEAD_2), (told(AHEAD_2)[0], R.CALLER_GONE)],
        [MUSIC, claim(AHEAD_2), told(AHEAD_2), (Music(), R.CALLER_GONE)],
        [MUSIC, claim(AHEAD_2), told(AHEAD_2), MUSIC, claim(R.CALLER_GONE, TELL_EVERY_S)],
    ],
)
def test_who_hangs_up_while_waiting_is_gone(script: list[tuple[Step, Result]]) -> None:
    assert play([*script, (ReleaseSeat(), R.DONE)]) == Outcome("caller_gone", caller_gone=True)


def test_an_emergency_asks_with_priority() -> None:
    script = [MUSIC, claim(R.DONE, priority=1), *TALK, *GOODBYE]
    assert play(script, replace(REQUEST, priority=1)) == Outcome("connected")


def test_a_seat_sends_the_caller_on_or_hands_them_back() -> None:
    sent_on: list[tuple[Step, Result]] = [(Bridge(), R.SENT_ON), (ReleaseSeat(), R.DONE)]
    back: list[tuple[Step, Result]] = [(Bridge(), R.HANDED_BACK), (ReleaseSeat(), R.DONE)]
    script = [MUSIC, claim(R.DONE), *TALK, *sent_on, MUSIC, claim(R.DONE), *TALK, *back]
    assert play(script) == Outcome("connected", handed_back=True)


@pytest.mark.parametrize(
    ("ahead", "expected_s", "words"),
    [
        (0, 20.0, "坐席都在通话中，您排在第一位，很快就到您，请不要挂机。"),
        (2, 180.0, "坐席都在通话中，您前面还有两位，预计等待三分钟左右，请不要挂机。"),
        (12, 600.0, "坐席都在通话中，您前面还有十二位，预计等待十分钟左右，请不要挂机。"),
    ],
)
def test_the_place_in_words(ahead: int, expected_s: float, words: str) -> None:
    assert phrases.queued(ahead, expected_s) == words
