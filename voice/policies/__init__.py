"""Transfer policies: pure generators that yield Steps, get a StepResult for each, and return an Outcome.

A policy does no I/O, so a test drives it with next() and send(); `voice/transfer.py` performs the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from dialog import Summary


class StepResult(Enum):
    """How a step went."""

    DONE = "done"
    NONE_FREE = "none_free"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    TRANSFERRED = "transferred"
    SEAT_GONE = "seat_gone"
    SENT_ON = "sent_on"
    HANDED_BACK = "handed_back"
    CALLER_GONE = "caller_gone"


@dataclass(frozen=True, slots=True)
class Queued:
    """No seat is free: how many callers wait before this one, for how many seats at work, how long about."""

    ahead: int
    on_duty: int
    expected_s: float


Result: TypeAlias = "StepResult | Queued"


@dataclass(frozen=True, slots=True)
class TellCaller:
    """Say this to the caller, to its end; the music stops for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Music:
    """Let the caller hear music from now on."""


@dataclass(frozen=True, slots=True)
class ClaimSeat:
    """Take a free seat, waiting for one up to `wait_s`: DONE, or Queued as it stands then.

    `priority` above 0 comes before all others.
    """

    skill: str
    priority: int = 0
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """Give up the place in the queue."""


@dataclass(frozen=True, slots=True)
class AskKey:
    """Wait for the caller to press 1: ACCEPTED, or NO_ANSWER after `wait_s`."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class RingSeat:
    """Dial the claimed seat: ANSWERED, BUSY, DECLINED, NO_ANSWER, UNREACHABLE."""


@dataclass(frozen=True, slots=True)
class DialQueue:
    """Dial the PBX's queue: ANSWERED, BUSY, DECLINED, NO_ANSWER, UNREACHABLE."""


@dataclass(frozen=True, slots=True)
class Refer:
    """Ask the PBX to take the caller to its queue: TRANSFERRED, BUSY, DECLINED, NO_ANSWER, UNREACHABLE."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Ask the PBX to join the caller and the queue that answered us: TRANSFERRED, or as for Refer."""


@dataclass(frozen=True, slots=True)
class Whisper:
    """Speak the summary to the seat only: ACCEPTED, DECLINED, SEAT_GONE."""

    summary: Summary


@dataclass(frozen=True, slots=True)
class Bridge:
    """Let caller and seat talk until one is gone, or the seat sends the caller on or back.

    SEAT_GONE, CALLER_GONE, SENT_ON, HANDED_BACK; or UNREACHABLE: not joined.
    """


@dataclass(frozen=True, slots=True)
class ReleaseSeat:
    """Hang up on the seat or queue if need be; a seat goes back to the board."""


@dataclass(frozen=True, slots=True)
class PromiseCallback:
    """Record that somebody will call the caller back: DONE, or UNREACHABLE when it could not be recorded."""


Step: TypeAlias = (
    "TellCaller | Music | ClaimSeat | LeaveQueue | AskKey | RingSeat | Whisper | DialQueue | Refer | Replace"
    " | Bridge | ReleaseSeat | PromiseCallback"
)


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Whom to hand over, and why; `max_seats` bounds how many seats are tried.

    A caller waits `max_wait_s` for a free seat before a call-back is offered, not at all when nobody is
    `staffed`: outside the hours.
    """

    summary: Summary
    skill: str = ""
    max_seats: int = 3
    max_wait_s: float = 0.0
    priority: int = 0
    staffed: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transfer ended: connected, no_seat, declined, busy, no_answer, unreachable or caller_gone.

    `handed_back`: the caller is the agent's again.
    """

    word: str
    caller_gone: bool = False
    handed_back: bool = False


Policy: TypeAlias = Callable[[TransferRequest], Generator[Step, Result, Outcome]]
