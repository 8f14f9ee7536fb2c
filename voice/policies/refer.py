"""Hand-overs to a queue of the PBX there is: by REFER, by REFER with Replaces, or by dialling the queue.

Each falls back to the next lesser way: a REFER that fails to a dialled queue, a Replaces that fails to our
own bridge, a queue that cannot be had to a promised call-back. The caller hears music or words throughout.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

from dialog import phrases
from voice.policies import (
    Bridge,
    DialQueue,
    Music,
    Outcome,
    Policy,
    Refer,
    ReleaseSeat,
    Replace,
    Result,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
)
from voice.policies.warm import promise, talked

R = StepResult
CALLER_GONE = Outcome("caller_gone", caller_gone=True)


def refer(request: TransferRequest) -> Generator[Step, Result, Outcome]:
    """Blind: the PBX takes the caller to its queue and we are out of the call; else the queue is dialled."""
    yield Music()
    result = yield Refer()
    if result is R.TRANSFERRED:
        return Outcome("connected")
    if result is R.CALLER_GONE:
        return CALLER_GONE
    # A REFER that is not taken is told at once; after any other failure the caller has waited in vain.
    if result is not R.UNREACHABLE and (yield TellCaller(phrases.SEAT_DID_NOT_ANSWER)) is R.CALLER_GONE:
        return CALLER_GONE
    return (yield from dial(request))


def dial(request: TransferRequest) -> Generator[Step, Result, Outcome]:
    """The queue is dialled and bridged; we stay in the call and go on recording."""
    result = yield from _reach_queue()
    if result is R.ANSWERED:
        result = yield Bridge()
        if result is not R.UNREACHABLE:
            return (yield from talked(result))
        result = yield from _unless_gone(result)
    return (yield from _in_vain(result))


def replaces(request: TransferRequest) -> Generator[Step, Result, Outcome]:
    """Attended: the queue answers us first, then the PBX joins it with the caller; else we bridge the two."""
    result = yield from _reach_queue()
    if result is R.ANSWERED:
        result = yield Replace()
        if result is R.TRANSFERRED:
            yield ReleaseSeat()
            return Outcome("connected")
        if result is not R.CALLER_GONE:
            result = yield Bridge()
            if result is not R.UNREACHABLE:
                return (yield from talked(result))
            result = yield from _unless_gone(result)
    return (yield from _in_vain(result))


def _reach_queue() -> Generator[Step, Result, Result]:
    result = yield Music()
    return result if result is R.CALLER_GONE else (yield DialQueue())


def _unless_gone(result: Result) -> Generator[Step, Result, Result]:
    """What could not be joined may have been the caller, who hung up just then."""
    there = yield Music()
    return there if there is R.CALLER_GONE else result


def _in_vain(result: Result) -> Generator[Step, Result, Outcome]:
    yield ReleaseSeat()
    if result is R.CALLER_GONE:
        return CALLER_GONE
    assert isinstance(result, StepResult), result
    return (yield from promise(result.value))


HANDOVERS: Mapping[str, Policy] = {"refer": refer, "replaces": replaces, "dial": dial}
