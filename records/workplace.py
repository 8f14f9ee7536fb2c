"""What a person at a seat needs beside the call: the seat, the calls it had, what a caller had before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, or_, select, update

from records import CHINA, Conflict, NotFound, to_iso
from records.calls import overview
from records.engine import Database
from records.schema import call_events, calls, seats, tickets, transfers
from records.tickets import OPEN

IN_CALL = ("ringing", "talking")
NEWEST = 10  # calls and work orders of a caller
MOST = 200  # calls of a seat on one day


class Workplace:
    """The seats as places where accounts work; every method is one transaction and raises RecordsError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def take(self, seat_id: str, user: str) -> None:
        """Have `user` work at a seat, and at no other; one that another has left as away is taken over.

        Raises NotFound; Conflict while another works there, or while the user's seat until now is in a call.
        """
        with self._db.write() as connection:
            seat = _seat(connection, seat_id)
            if seat["user"] == user:
                return
            if seat["user"] and seat["status"] != "away":
                raise Conflict(f"another account works at the seat {seat_id}")
            mine = connection.execute(select(seats).where(seats.c.user == user)).mappings().all()
            for before in mine:
                self._empty(connection, before["id"], before["status"])
            connection.execute(update(seats).where(seats.c.id == seat_id).values(user=user))

    def leave(self, seat_id: str) -> None:
        """Have nobody work at a seat, which is away then. Raises NotFound; Conflict while it is in a call."""
        with self._db.write() as connection:
            self._empty(connection, seat_id, _seat(connection, seat_id)["status"])

    def _empty(self, connection: Connection, seat_id: str, status: str) -> None:
        if status in IN_CALL:
            raise Conflict(f"the seat {seat_id} is in a call")
        nobody = {"user": "", "status": "away", "call_id": None, "since": to_iso(self._now())}
        connection.execute(update(seats).where(seats.c.id == seat_id).values(nobody))

    def calls(self, seat_id: str, day: date) -> list[dict[str, Any]]:
        """The calls of one day in China that the seat was rung for, newest first.

        Each is a call as in `Store.calls`, with the transfer's `transfer_outcome`, `request` and `connected`:
        whether this seat talked to the caller.
        """
        begin = datetime.combine(day, time(), CHINA)
        end = begin + timedelta(days=1)
        rung = _happened("seat_ringing", seat_id)
        query = (
            select(
                *(column for column in calls.c if column.name != "line"),
                *overview(),
                transfers.c.outcome.label("transfer_outcome"),
                transfers.c.summary,
                _happened("bridged", seat_id).label("connected"),
            )
            .outerjoin(transfers, transfers.c.call_id == calls.c.id)
            .where(calls.c.started_at >= to_iso(begin), calls.c.started_at < to_iso(end))
            .where(or_(rung, transfers.c.seat == seat_id))
            .order_by(calls.c.started_at.desc(), calls.c.id.desc())
            .limit(MOST)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [_with_request(dict(row)) for row in rows]

    def history(self, number: str) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
        """The newest calls and the newest open work orders of a telephone number; none of a withheld one."""
        if not number:  # withheld numbers are many people
            return [], []
        had = select(*(column for column in calls.c if column.name != "line"), *overview())
        newest = had.where(calls.c.caller == number).order_by(calls.c.started_at.desc(), calls.c.id.desc())
        filed = select(*(column for column in tickets.c if column.name != "key"))
        open_ = filed.where(tickets.c.caller == number, tickets.c.status.in_(OPEN)).order_by(
            tickets.c.created_at.desc(), tickets.c.id.desc()
        )
        with self._db.read() as connection:
            earlier = [dict(row) for row in connection.execute(newest.limit(NEWEST)).mappings()]
            return earlier, [dict(row) for row in connection.execute(open_.limit(NEWEST)).mappings()]


def _happened(kind: str, seat_id: str) -> Any:
    of_seat = call_events.c.detail["seat"].as_string() == seat_id
    return exists().where(and_(call_events.c.call_id == calls.c.id, call_events.c.kind == kind, of_seat))


def _seat(connection: Connection, seat_id: str) -> dict[str, Any]:
    row = connection.execute(select(seats).where(seats.c.id == seat_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no seat {seat_id}")
    return dict(row)


def _with_request(row: dict[str, Any]) -> dict[str, Any]:
    summary = row.pop("summary") or {}
    outcome = row.pop("transfer_outcome") or ""
    return {**row, "request": summary.get("request", ""), "transfer_outcome": outcome}
