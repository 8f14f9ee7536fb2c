"""Warm transfer: ring a seat, tell it the summary, join the two; next seat when it does not work out."""

from __future__ import annotations

from collections.abc import Generator

from dialog import phrases
from voice.policies import (
    Bridge,
    ClaimSeat,
    Music,
    Outcome,
    PromiseCallback,
    ReleaseSeat,
    RingSeat,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
    Whisper,
)

R = StepResult


def warm(request: TransferRequest) -> Generator[Step, StepResult, Outcome]:
    """Try up to `max_seats` seats; the caller hears music throughout and words at every end."""
    last = "no_seat"
    for attempt in range(request.max_seats):
        result = yield from _win_seat(request, again=attempt > 0)
        if result is R.NONE_FREE:
            break
        if result is R.ACCEPTED:
            result = yield Bridge()
            if result is not R.UNREACHABLE:
                return (yield from talked(result))
        yield ReleaseSeat()
        if result is R.CALLER_GONE:
            return Outcome("caller_gone", caller_gone=True)
        last = "declined" if result is R.SEAT_GONE else result.value
    return (yield from promise(last))


def _win_seat(request: TransferRequest, *, again: bool) -> Generator[Step, StepResult, StepResult]:
    """Find a seat that accepts: ACCEPTED, or the result of the step that went wrong."""
    told: list[tuple[Step, StepResult]] = [
        (TellCaller(phrases.SEAT_DID_NOT_ANSWER), R.DONE),
        (Music(), R.DONE),
    ]
    plan: list[tuple[Step, StepResult]] = [
        (Music(), R.DONE),
        (ClaimSeat(request.skill), R.DONE),
        *(told if again else []),  # only now: "once more" is a promise
        (RingSeat(), R.ANSWERED),
        (Whisper(request.summary), R.ACCEPTED),
    ]
    result = R.DONE
    for step, hoped in plan:
        result = yield step
        if result is not hoped:
            break
    return result


def talked(result: StepResult) -> Generator[Step, StepResult, Outcome]:
    """The end of a hand-over that was bridged: a caller who is left alone hears goodbye."""
    yield ReleaseSeat()
    if result is R.CALLER_GONE:
        return Outcome("connected", caller_gone=True)
    gone = (yield TellCaller(phrases.GOODBYE)) is R.CALLER_GONE
    return Outcome("connected", caller_gone=gone)


def promise(word: str) -> Generator[Step, StepResult, Outcome]:
    """The end of a hand-over that reached nobody: a call-back, or an apology if that cannot be recorded."""
    promised = yield PromiseCallback()
    if promised is not R.DONE:
        text = phrases.BUSY_GOODBYE
    else:
        text = phrases.NOBODY_FREE if word == "no_seat" else phrases.TRANSFER_FAILED
    gone = (yield TellCaller(text)) is R.CALLER_GONE
    return Outcome(word, caller_gone=gone)
