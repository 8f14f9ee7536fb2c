"""Everything durable: calls, turns, events, transfers, work orders, seats, accounts, recordings, exports.

All SQL of the program lives in this package. It imports nothing of ours.

Errors, as a tree:

    RecordsError            the store or a recording failed; `retryable` says if a retry helps
    ├── NotFound            there is no such call, work order, seat or user
    └── Conflict            the name or id is taken already, or the state does not allow it
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))  # one zone, no summer time: dates of work orders, searches and exports


class RecordsError(Exception):
    """The store or a recording could not be read or written."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class NotFound(RecordsError):
    """There is no such call, work order, seat or user."""


class Conflict(RecordsError):
    """The name or id is taken already, or the state does not allow it."""


def china_now() -> datetime:
    """The present where the hotline is, whatever zone the machine keeps."""
    return datetime.now(CHINA)


def today_in_china() -> date:
    """The day there."""
    return china_now().date()


def why(error: OSError) -> str:
    """What the system says is wrong with a file, in words that fit."""
    if isinstance(error, FileExistsError):  # mkdir's word for a file where a folder should be
        return "its folder's name is that of a file"
    return error.strerror or str(error)


def to_iso(moment: datetime | str) -> str:
    """Write a time as the store keeps it: ISO 8601 in UTC, milliseconds, Z; so that text order is time order.

    Raises ValueError for a time without a zone.
    """
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone; give it in UTC, e.g. 2025-01-31T08:00:00Z")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
