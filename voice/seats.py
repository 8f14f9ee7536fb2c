"""The human side of a transfer: seats and the board that knows who is free."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seat:
    """A person with a telephone."""

    id: str
    name: str
    uri: str
    skills: tuple[str, ...] = ()


class SeatBoard(Protocol):
    """Hands out free seats, each to one call at a time."""

    async def claim(self, skill: str, call_id: str, exclude: Collection[str]) -> Seat | None:
        """Take the best free seat for `skill`, or None; it is ringing for this call from now on.

        `exclude` holds the ids of seats that were tried already.
        """
        ...

    async def talking(self, seat: Seat) -> None:
        """The seat took the call."""
        ...

    async def release(self, seat: Seat) -> None:
        """The seat is free again; harmless when it is already."""
        ...
