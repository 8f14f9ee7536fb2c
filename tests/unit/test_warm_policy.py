"""Every exit of a warm transfer, by next() and send(): the steps asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dialog import Summary, phrases
from tests.unit.policy_script import follow
from voice.policies import (
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
from voice.policies.warm import warm

pytestmark = [pytest.mark.unit]

R = StepResult
SUMMARY = Summary(request="路灯不亮")
Script = Sequence[tuple[Step, Result]]

MUSIC = (Music(), R.DONE)
CLAIMED = (ClaimSeat("tax"), R.DONE)
NONE_FREE = (ClaimSeat("tax"), Queued(0, 0, 0.0))
LEFT = (LeaveQueue(), R.DONE)
ONCE_MORE = (TellCaller(phrases.SEAT_DID_NOT_ANSWER), R.DONE)
ANSWERED = (RingSeat(), R.ANSWERED)
ACCEPTED = (Whisper(SUMMARY), R.ACCEPTED)
RELEASED = (ReleaseSeat(), R.DONE)
PROMISED = (PromiseCallback(), R.DONE)
TO_TALK = [MUSIC, CLAIMED, ANSWERED, ACCEPTED]
SORRY = (TellCaller(phrases.TRANSFER_FAILED), R.DONE)


def play(script: Script, *, max_seats: int = 3) -> Outcome:
    return follow(warm(TransferRequest(SUMMARY, "tax", max_seats)), script)


def gone(step: Step) -> tuple[Step, StepResult]:
    return step, R.CALLER_GONE


# -- connected -----------------------------------------------------------------------------------------------


def test_the_seat_hangs_up_first_and_the_caller_hears_goodbye() -> None:
    goodbye = (TellCaller(phrases.GOODBYE), R.DONE)
    assert play([*TO_TALK, (Bridge(), R.SEAT_GONE), RELEASED, goodbye]) == Outcome("connected")


def test_the_caller_hangs_up_during_that_goodbye() -> None:
    script = [*TO_TALK, (Bridge(), R.SEAT_GONE), RELEASED, gone(TellCaller(phrases.GOODBYE))]
    assert play(script) == Outcome("connected", caller_gone=True)


def test_the_caller_hangs_up_first() -> None:
    assert play([*TO_TALK, gone(Bridge()), RELEASED]) == Outcome("connected", caller_gone=True)


# -- nobody --------------------------------------------------------------------------------------------------


def test_nobody_is_free() -> None:
    script = [MUSIC, NONE_FREE, LEFT, PROMISED, (TellCaller(phrases.NOBODY_FREE), R.DONE)]
    assert play(script) == Outcome("no_seat")


def test_nobody_is_free_and_the_caller_does_not_wait_for_the_promise() -> None:
    script = [MUSIC, NONE_FREE, LEFT, PROMISED, gone(TellCaller(phrases.NOBODY_FREE))]
    assert play(script) == Outcome("no_seat", caller_gone=True)


def test_a_promise_that_cannot_be_kept_is_not_given() -> None:
    script = [
        MUSIC,
        NONE_FREE,
        LEFT,
        (PromiseCallback(), R.UNREACHABLE),
        (TellCaller(phrases.BUSY_GOODBYE), R.DONE),
    ]
    assert play(script) == Outcome("no_seat")


# -- a seat that does not take it ----------------------------------------------------------------------------

FAILED: list[tuple[str, Script, str]] = [
    ("busy", [(RingSeat(), R.BUSY)], "busy"),
    ("declines the ringing", [(RingSeat(), R.DECLINED)], "declined"),
    ("does not answer", [(RingSeat(), R.NO_ANSWER)], "no_answer"),
    ("cannot be reached", [(RingSeat(), R.UNREACHABLE)], "unreachable"),
    ("declines by key", [ANSWERED, (Whisper(SUMMARY), R.DECLINED)], "declined"),
    ("hangs up during the summary", [ANSWERED, (Whisper(SUMMARY), R.SEAT_GONE)], "declined"),
    ("presses no key", [ANSWERED, (Whisper(SUMMARY), R.NO_ANSWER)], "no_answer"),
    ("is lost while being joined", [ANSWERED, ACCEPTED, (Bridge(), R.UNREACHABLE)], "unreachable"),
]
each_failure = pytest.mark.parametrize(
    ("failure", "word"), [case[1:] for case in FAILED], ids=[case[0] for case in FAILED]
)


@each_failure
def test_the_only_seat_fails(failure: Script, word: str) -> None:
    script = [MUSIC, CLAIMED, *failure, RELEASED, MUSIC, NONE_FREE, LEFT, PROMISED, SORRY]
    assert play(script) == Outcome(word)


@each_failure
def test_the_next_seat_takes_it(failure: Script, word: str) -> None:
    second = [MUSIC, CLAIMED, ONCE_MORE, MUSIC, ANSWERED, ACCEPTED, gone(Bridge()), RELEASED]
    script = [MUSIC, CLAIMED, *failure, RELEASED, *second]
    assert play(script) == Outcome("connected", caller_gone=True)


@each_failure
def test_no_more_seats_are_tried_than_allowed(failure: Script, word: str) -> None:
    again = [MUSIC, CLAIMED, ONCE_MORE, MUSIC, *failure, RELEASED]
    script = [MUSIC, CLAIMED, *failure, RELEASED, *again, *again, LEFT, PROMISED, SORRY]
    assert play(script) == Outcome(word)
    assert play([MUSIC, CLAIMED, *failure, RELEASED, LEFT, PROMISED, SORRY], max_seats=1) == Outcome(word)


# -- the caller does not wait --------------------------------------------------------------------------------

SECOND = [MUSIC, CLAIMED, (RingSeat(), R.BUSY), RELEASED, MUSIC, CLAIMED]
LEAVES: list[tuple[str, Script]] = [
    ("at once", [gone(Music())]),
    ("while a seat is claimed", [MUSIC, gone(ClaimSeat("tax"))]),
    ("while it rings", [MUSIC, CLAIMED, gone(RingSeat())]),
    ("during the summary", [MUSIC, CLAIMED, ANSWERED, gone(Whisper(SUMMARY))]),
    ("when told of the next seat", [*SECOND, gone(TellCaller(phrases.SEAT_DID_NOT_ANSWER))]),
    ("before the next seat rings", [*SECOND, ONCE_MORE, gone(Music())]),
]


@pytest.mark.parametrize("script", [case[1] for case in LEAVES], ids=[case[0] for case in LEAVES])
def test_the_caller_hangs_up_and_no_seat_is_kept(script: Script) -> None:
    assert play([*script, RELEASED]) == Outcome("caller_gone", caller_gone=True)


def test_the_caller_hangs_up_during_the_apology() -> None:
    script = [
        MUSIC,
        CLAIMED,
        (RingSeat(), R.BUSY),
        RELEASED,
        LEFT,
        PROMISED,
        gone(TellCaller(phrases.TRANSFER_FAILED)),
    ]
    assert play(script, max_seats=1) == Outcome("busy", caller_gone=True)
