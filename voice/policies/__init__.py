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
    CALLER_GONE = "caller_gone"


@dataclass(frozen=True, slots=True)
class TellCaller:
    """Say this to the caller, to its end; the music stops for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Music:
    """Let the caller hear music from now on."""


@dataclass(frozen=True, slots=True)
class ClaimSeat:
    """Take a free seat: DONE or NONE_FREE."""

    skill: str


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
    """Let caller and seat talk until one is gone: SEAT_GONE, CALLER_GONE; or UNREACHABLE: not joined."""


@dataclass(frozen=True, slots=True)
class ReleaseSeat:
    """Hang up on the seat or queue if need be; a seat goes back to the board."""


@dataclass(frozen=True, slots=True)
class PromiseCallback:
    """Record that somebody will call the caller back: DONE, or UNREACHABLE when it could not be recorded."""


Step: TypeAlias = (
    "TellCaller | Music | ClaimSeat | RingSeat | Whisper | DialQueue | Refer | Replace"
    " | Bridge | ReleaseSeat | PromiseCallback"
)


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Whom to hand over, and why; `max_seats` bounds how many seats are tried."""

    summary: Summary
    skill: str = ""
    max_seats: int = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transfer ended: connected, no_seat, declined, busy, no_answer, unreachable or caller_gone."""

    word: str
    caller_gone: bool = False


Policy: TypeAlias = Callable[[TransferRequest], Generator[Step, StepResult, Outcome]]
