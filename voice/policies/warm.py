"""Warm transfer: find a seat, tell it the summary, join the two; next seat when it does not work out.

Who must wait hears where they stand, and music; after `max_wait_s` a call-back is promised, unless they would
rather go on waiting.
"""

from __future__ import annotations

from collections.abc import Generator

from dialog import phrases
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

R = StepResult
TELL_EVERY_S = 30.0  # where the caller stands
KEY_WAIT_S = 5.0

Going = Generator[Step, Result, StepResult]


def warm(request: TransferRequest) -> Generator[Step, Result, Outcome]:
    """Try up to `max_seats` seats; the caller hears music throughout and words at every end."""
    last, tried = "no_seat", 0
    sent_on = False  # a seat has talked to the caller
    while request.staffed and tried < request.max_seats:
        result = yield from _win_seat(request, again=tried > 0)
        if result is R.NONE_FREE:
            break
        tried += 1
        if result is R.ACCEPTED:
            joined = yield Bridge()
            if joined is R.SENT_ON:
                yield ReleaseSeat()
                sent_on, tried = True, 0
                continue
            if joined is not R.UNREACHABLE:
                return (yield from talked(joined))
            result = R.UNREACHABLE
        yield ReleaseSeat()
        if result is R.CALLER_GONE:
            return Outcome("connected" if sent_on else "caller_gone", caller_gone=True)
        last = "declined" if result is R.SEAT_GONE else result.value
    yield LeaveQueue()
    return (yield from promise(last, staffed=request.staffed))


def _win_seat(request: TransferRequest, *, again: bool) -> Going:
    """Find a seat that accepts: ACCEPTED, NONE_FREE, or the result of the step that went wrong."""
    result = yield from _get_seat(request)
    if result is not R.DONE:
        return result
    told: list[tuple[Step, StepResult]] = [
        (TellCaller(phrases.SEAT_DID_NOT_ANSWER), R.DONE),
        (Music(), R.DONE),
    ]
    plan: list[tuple[Step, StepResult]] = [
        *(told if again else []),  # only now: "once more" is a promise
        (RingSeat(), R.ANSWERED),
        (Whisper(request.summary), R.ACCEPTED),
    ]
    for step, hoped in plan:
        result = yield from _do(step)
        if result is not hoped:
            break
    return result


def _get_seat(request: TransferRequest) -> Going:
    """Claim a seat, waiting in the queue for it: DONE, NONE_FREE or CALLER_GONE."""
    waited_s, told_s = 0.0, -TELL_EVERY_S
    wait_s = 0.0
    while True:
        if (yield Music()) is R.CALLER_GONE:
            return R.CALLER_GONE
        found = yield ClaimSeat(request.skill, request.priority, wait_s)
        if not isinstance(found, Queued):
            return found
        waited_s += wait_s
        if not found.on_duty:
            return R.NONE_FREE
        if waited_s >= request.max_wait_s:
            stays = (yield from _offer_callback(request)) if waited_s else R.NONE_FREE
            if stays is not R.ACCEPTED:
                return stays
            waited_s, told_s = 0.0, 0.0
        elif waited_s - told_s >= TELL_EVERY_S:
            if (yield TellCaller(phrases.queued(found.ahead, found.expected_s))) is R.CALLER_GONE:
                return R.CALLER_GONE
            told_s = waited_s
        wait_s = min(TELL_EVERY_S, request.max_wait_s - waited_s)


def _offer_callback(request: TransferRequest) -> Going:
    """Who has waited long may go on waiting: ACCEPTED, else NONE_FREE, or CALLER_GONE.

    DONE: a seat came free meanwhile, and is theirs.
    """
    if (yield TellCaller(phrases.OFFER_CALLBACK)) is R.CALLER_GONE:
        return R.CALLER_GONE
    pressed = yield from _do(AskKey(KEY_WAIT_S))
    if pressed is not R.NO_ANSWER:
        return pressed
    found = yield ClaimSeat(request.skill, request.priority)
    if isinstance(found, Queued):
        return R.NONE_FREE
    return R.CALLER_GONE if (yield Music()) is R.CALLER_GONE else found


def _do(step: Step) -> Going:
    result = yield step
    assert isinstance(result, StepResult), result
    return result


def talked(result: Result) -> Generator[Step, Result, Outcome]:
    """The end of a hand-over that was bridged: a caller who is left alone hears goodbye."""
    yield ReleaseSeat()
    if result is R.HANDED_BACK:
        return Outcome("connected", handed_back=True)
    if result is R.CALLER_GONE:
        return Outcome("connected", caller_gone=True)
    gone = (yield TellCaller(phrases.GOODBYE)) is R.CALLER_GONE
    return Outcome("connected", caller_gone=gone)


def promise(word: str, *, staffed: bool = True) -> Generator[Step, Result, Outcome]:
    """The end of a hand-over that reached nobody: a call-back, or an apology if that cannot be recorded."""
    promised = yield PromiseCallback()
    if promised is not R.DONE:
        text = phrases.BUSY_GOODBYE
    elif not staffed:
        text = phrases.OUT_OF_HOURS
    else:
        text = phrases.NOBODY_FREE if word == "no_seat" else phrases.TRANSFER_FAILED
    gone = (yield TellCaller(text)) is R.CALLER_GONE
    return Outcome(word, caller_gone=gone)
