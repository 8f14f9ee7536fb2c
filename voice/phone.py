"""The telephone as the rest of the program sees it: legs, the phone that dials and joins them, what fails.

Errors, as a tree:

    CallError               a leg could not be had, or is gone
    ├── Busy                486, 600: the other side is on a call
    ├── Declined            603: the other side said no
    ├── NoAnswer            it rang and nobody answered in time (408, 480, our own time-out)
    ├── Unreachable         no route, transport error, 404, 5xx: the number or trunk is dead
    └── LegGone             the leg has ended; nothing more can be done with it
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from voice.calm import Calm

SAMPLE_RATE = 8000  # Hz of all audio on a leg: mono s16le
FRAME_S = 0.02
FRAME_BYTES = int(SAMPLE_RATE * FRAME_S) * 2
BYTES_PER_CHUNK = 5 * FRAME_BYTES


class CallError(Exception):
    """A leg could not be had, or is gone."""

    outcome = "failed"  # the word for it in a call's record


class Busy(CallError):
    """The other side is on a call (486, 600)."""

    outcome = "busy"


class Declined(CallError):
    """The other side said no (603)."""

    outcome = "declined"


class NoAnswer(CallError):
    """It rang and nobody answered in time (408, 480, our own time-out)."""

    outcome = "no_answer"


class Unreachable(CallError):
    """No route, transport error, 404 or 5xx: the number or the trunk is dead."""

    outcome = "unreachable"


class LegGone(CallError):
    """The leg has ended; nothing more can be done with it."""

    outcome = "gone"


@dataclass(frozen=True, slots=True)
class LineStats:
    """How a leg's RTP fared, as its statistics (RFC 3550) have it; `remote_*` is the other side's account."""

    codec: str = ""
    received_packets: int = 0
    lost_packets: int = 0
    jitter_ms: float = 0.0
    sent_packets: int = 0
    remote_lost_packets: int = 0
    remote_jitter_ms: float = 0.0
    round_trip_ms: float | None = None  # None: the other side sends no reports
    late_frames: int = 0  # that our own audio clock came too late for


class Tap(Protocol):
    """Gets every tick of a leg's audio, both directions; called on the event loop, must not wait."""

    def __call__(self, received: bytes, sent: bytes) -> None: ...


class Leg(Protocol):
    """One side of a telephone call. Audio is SAMPLE_RATE mono s16le in frames of FRAME_S."""

    call_id: str  # ours, one for all legs of a call
    remote: str  # the other side's number or user name
    local: str  # the number that was called (incoming) or the name we call from
    held: bool  # its other side has put us on hold (RFC 3264, 8.4), and hears nothing

    async def answer(self) -> None:
        """Send 200 OK and start the audio. Raises LegGone."""
        ...

    async def listen(self, hear: Tap, calm: Callable[[], Calm] | None = None) -> None:
        """Give every tick (received, sent) from now on to `hear` until the leg is gone.

        Each as it comes, or several together where `calm`, asked whenever some were given, allows it. Raises
        what `hear` raises.
        """
        ...

    def catch_up(self) -> None:
        """Give the ticks that have come and wait, and ask anew how long the next may."""
        ...

    def dtmf(self) -> AsyncIterator[str]:
        """Each key pressed on the other side; ends when the leg is gone."""
        ...

    async def play(self, pcm: bytes) -> None:
        """Queue audio for the other side; waits while the buffer is full. Raises LegGone."""
        ...

    async def drained(self) -> None:
        """Wait until all queued audio has been sent, or dropped by clear(). Raises LegGone."""
        ...

    def clear(self) -> float:
        """Drop all queued audio now; returns the seconds of it that had been sent since the last clear()."""
        ...

    def hold(self) -> None:
        """Send silence from now on, keeping what is queued; harmless twice. clear() ends it."""
        ...

    def release(self) -> None:
        """Go on after hold() with what is queued, from the last quiet moment; harmless without it."""
        ...

    def played_s(self) -> float:
        """Seconds of queued audio sent since the last clear()."""
        ...

    def tap(self, listener: Tap | None) -> None:
        """Give every tick (received, sent) to `listener` until it is None or the leg is gone."""
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Send keys by RFC 4733. Raises LegGone."""
        ...

    async def hangup(self, code: int = 0) -> None:
        """End the leg (0: BYE, CANCEL or 603 as fits); harmless when it is gone already."""
        ...

    def line(self) -> LineStats:
        """How its RTP has fared so far, as of the last second."""
        ...

    async def gone(self) -> str:
        """Wait until the leg has ended; returns why: remote_hangup, local_hangup, media_timeout or failed."""
        ...


class Phone(Protocol):
    """Dials and joins legs, and hands them back to the other side."""

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Leg:
        """Ring `uri` and return the answered leg. Raises Busy, Declined, NoAnswer, Unreachable.

        Cancelling the task cancels the ringing.
        """
        ...

    async def bridge(self, a: Leg, b: Leg) -> None:
        """Let two legs hear each other; their taps and listen() go on. Raises LegGone."""
        ...

    async def unbridge(self, a: Leg, b: Leg) -> None:
        """Let two legs no longer hear each other; harmless when they did not. Raises LegGone."""
        ...

    async def refer(
        self, leg: Leg, target: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        """Ask the other side of `leg` to call `target` instead of us (REFER); returns when it did.

        `headers` go into its INVITE to `target`. When it accepts, reports no failure and hangs up on us, it
        has the caller: success too. Raises Busy, Declined, NoAnswer, Unreachable (also when it does not take
        REFER), which all leave the leg as it was, or LegGone. RFC 3515, RFC 5589.
        """
        ...

    async def replace(self, leg: Leg, other: Leg, *, timeout_s: float) -> None:
        """Ask the other side of `leg` to take over `other`'s call; both legs then end (REFER with Replaces).

        Returns and raises as refer() does. RFC 3891, RFC 5589.
        """
        ...
