"""The human side of a transfer: seats, the board that knows who is free, and what seats want done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from voice.policies import Queued


@dataclass(frozen=True, slots=True)
class Seat:
    """A person with a telephone; `call_id` is the call that it was claimed for."""

    id: str
    name: str
    uri: str
    skills: tuple[str, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """What a seat wants done with the caller it talks to: hold, resume, add, drop, send_on or hand_back.

    `detail` is {"uri"} of whom to add, {"seat"} or {"skill"} of whom to send on to.
    """

    action: str
    detail: Mapping[str, Any] = field(default_factory=dict)


# How a seat's part in a call ended: it talked, or why it did not.
Ended: TypeAlias = Literal["talked", "declined", "busy", "no_answer", "unreachable", "unused"]


@dataclass(frozen=True, slots=True)
class SeatSettings:
    """How seats are rung; `accept` "answer" joins after the summary unless 2 is pressed, "key" wants a 1.

    A caller waits `max_wait_s` for a free one; `staffed` says whether seats are at work at this hour.
    `queue` is the SIP URI of the PBX's queue, for the policies that hand callers to it; it gets `ring_s` too.
    """

    ring_s: float = 20.0
    accept: Literal["answer", "key"] = "answer"
    key_wait_s: float = 8.0
    max_seats: int = 3
    max_wait_s: float = 0.0
    staffed: Callable[[], bool] = lambda: True
    queue: str = ""


class SeatBoard(Protocol):
    """Hands out free seats, each to one call at a time, to callers in their order."""

    async def claim(
        self, skill: str, call_id: str, exclude: Collection[str], *, priority: int = 0, only: str = ""
    ) -> Seat | Queued:
        """Take the best free seat for `skill`, or a place in the queue; it rings for this call from now on.

        `exclude` holds the ids of seats that were tried already, `only` the one that is wanted.
        """
        ...

    async def skill_for(self, about: str) -> str:
        """The skill of a seat that `about` names, the longest; "" where it names none."""
        ...

    async def leave(self, call_id: str) -> None:
        """Give up a place in the queue; harmless without one."""
        ...

    async def verdict(self, seat: Seat) -> str:
        """What the ringing seat did on the desk: accepted, declined or "" yet."""
        ...

    async def talking(self, seat: Seat) -> None:
        """The seat took the call."""
        ...

    async def release(self, seat: Seat, ended: Ended) -> None:
        """The seat's part is over; harmless when it is already."""
        ...

    async def commands(self, call_id: str) -> Sequence[Command]:
        """What the seat wants done since this was last asked."""
        ...
