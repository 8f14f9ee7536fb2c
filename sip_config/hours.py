"""Hours of the day, as settings write them: 08:30-20:00."""

from __future__ import annotations

import re
from datetime import time

_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def parse_hours(value: str) -> tuple[int, int]:
    """Begin and end in minutes since midnight; "" is all day. Raises ValueError."""
    if not value:
        return 0, 24 * 60
    found = _HOURS.fullmatch(value)
    begin, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if not found or not begin < end <= 24 * 60:
        raise ValueError('write begin and end within one day, such as "08:30-20:00"')
    return begin, end


def within(hours: str, now: time) -> bool:
    """Whether `now` is within `hours`."""
    begin, end = parse_hours(hours)
    return begin <= now.hour * 60 + now.minute < end
