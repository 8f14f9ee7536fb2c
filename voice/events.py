"""Everything that happens in a call, in order, as plain records: the one output of a call session.

Emitting never waits; `Journal.durable()` waits until all emitted so far is in the store.
Times named `*_s` are seconds since the call was answered (0 before), on the clock of the caller's audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from dialog import Summary


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A caller's INVITE arrived and is being answered."""

    call_id: str
    caller: str
    callee: str
    at: datetime  # UTC
    recording: str  # file name within records.dir, "" when not recorded


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """We sent 200 OK."""

    call_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, written when it is known and again (same index) when it is complete."""

    call_id: str
    index: int
    who: Literal["agent", "caller", "seat", "third"]  # a third party in a talk with a seat, as a department
    text: str
    started_s: float
    ended_s: float | None = None
    asr_raw: str = ""  # what the recogniser heard, where `text` is written otherwise
    asr_confidence: float | None = None
    dialog_confidence: float | None = None
    interrupted: bool = False
    heard_text: str | None = None
    response_gap_ms: float | None = None
    sources: tuple[str, ...] = ()
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    decision: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happened:
    """Anything else worth replaying: barge_in, dtmf, no_input, transfer_started, seat_ringing, bridged …"""

    call_id: str
    at_s: float
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransferUpdated:
    """A transfer was decided, or ended; written again as its outcome becomes known."""

    call_id: str
    reason: str
    summary: Summary
    seat: str = ""
    outcome: str = (
        ""  # "" while under way; connected, no_seat, declined, no_answer, busy, unreachable, caller_gone
    )


@dataclass(frozen=True, slots=True)
class TicketFiled:
    """A work order was filed in this call."""

    call_id: str
    ticket_id: str


@dataclass(frozen=True, slots=True)
class LineQuality:
    """What a leg's RTP was like from its begin to its end: RTP sequence numbers and RTCP reports (RFC 3550).

    Jitter is the mean over the leg. `remote_*` is what the other side reported of the audio we sent; where it
    reported nothing, `round_trip_ms` is None and they are 0.
    """

    call_id: str
    leg: Literal["caller", "seat"]
    codec: str  # PCMA, PCMU, G722 …; "" where no audio was agreed
    received_packets: int
    lost_packets: int
    jitter_ms: float
    sent_packets: int
    remote_lost_packets: int
    remote_jitter_ms: float
    round_trip_ms: float | None
    late_frames: int  # of 20 ms, that our own audio port was called for too late


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over."""

    call_id: str
    at: datetime
    end_reason: str  # caller_hangup, agent_hangup, transferred, rejected_busy, media_timeout, failed, …
    outcome: str  # answered, ticket, transferred, abandoned, …
    satisfaction: int | None = None  # 1 (not satisfied) to 3 (satisfied), where the caller said


CallEvent: TypeAlias = (
    "CallStarted | CallAnswered | Turn | Happened | TransferUpdated | TicketFiled | LineQuality | CallEnded"
)


class Journal(Protocol):
    """Where a session's events go."""

    def emit(self, event: CallEvent) -> None:
        """Take one event; never waits, never raises."""
        ...

    async def durable(self) -> None:
        """Wait until everything emitted so far would survive a crash of this process."""
        ...
