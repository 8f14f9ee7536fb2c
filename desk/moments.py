"""Days and times as requests write them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, TypeAdapter, ValidationError

from records import CHINA

T = TypeVar("T", date, datetime)
_DAY = len("2025-01-31")
_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)
_FIRST_YEAR, _LAST_YEAR = 1900, 2999  # in UTC, too, and with a day more, there are such times


def _written(text: object) -> object:
    """Left to itself pydantic makes a bare date midnight UTC."""
    if not isinstance(text, str):
        return text
    try:
        return date.fromisoformat(text) if len(text) == _DAY else _TIME.validate_python(text)
    except (ValidationError, ValueError):
        raise ValueError("write a day, 2025-01-31, or a time, 2025-01-31T08:00:00+08:00") from None


def _of_our_time(value: T) -> T:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year is to be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


Moment = Annotated[datetime | date, BeforeValidator(_written), AfterValidator(_of_our_time)]
Day = Annotated[date, AfterValidator(_of_our_time)]
DueTime = Annotated[AwareDatetime, AfterValidator(_of_our_time)]


def moment(value: datetime | date, whole_day: timedelta) -> datetime:
    """A time, in China where it names no zone; for a day its begin there, and `whole_day` later."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=CHINA)
    return datetime.combine(value, time(), CHINA) + whole_day
