"""What a person at a seat needs beside the call: the seat, the calls it had, what a caller had before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, true, update

from records import Conflict, NotFound, to_iso
from records.callbacks import give_up_seat
from records.calls import overview
from records.engine import Database
from records.schema import call_events, calls, seat_skills, seats, tickets, transfers, waiting
from records.tickets import OPEN

IN_CALL = ("ringing", "talking")
NEWEST = 10  # calls and work orders of a caller
MOST = 200  # calls of a seat
_QUEUE = select(func.count().label("waiting")).select_from(waiting).subquery()
_GLANCE = select(seats.c.id, seats.c.status, seats.c.call_id, seats.c.user, _QUEUE.c.waiting).select_from(
    _QUEUE.outerjoin(seats, true())  # in one round trip; without any seat one row, of nulls
)


class Board(NamedTuple):
    """The seat board at a glance: seats as id -> (status, call_id, user), and how many callers wait."""

    seats: dict[str, tuple[str, str | None, str]]
    waiting: int


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

    def remove(self, seat_id: str) -> None:
        """Take a seat away; what it was to call back, any seat does.

        Raises NotFound; Conflict while it is in a call, or somebody works there and is not away.
        """
        with self._db.write() as connection:
            seat = _seat(connection, seat_id)
            if seat["status"] in IN_CALL:
                raise Conflict(f"the seat {seat_id} is in a call")
            if seat["user"] and seat["status"] != "away":
                raise Conflict(f"{seat['user']} works at the seat {seat_id}; set it away first")
            give_up_seat(connection, seat_id)
            connection.execute(delete(seat_skills).where(seat_skills.c.seat_id == seat_id))
            connection.execute(delete(seats).where(seats.c.id == seat_id))

    def board(self) -> Board:
        """The board at a glance, cheap enough to be asked for many times a second."""
        with self._db.read() as connection:
            rows = connection.execute(_GLANCE).all()
        return Board({row[0]: (row[1], row[2], row[3]) for row in rows if row[0] is not None}, rows[0][4])

    def coming(self, call_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Who calls and what for, by call: {"caller", "started_at", "answered_at", "reason", "summary"}.

        `reason` and `summary` are null before the transfer is written.
        """
        if not call_ids:
            return {}
        columns = (calls.c.id, calls.c.caller, calls.c.started_at, calls.c.answered_at)
        query = (
            select(*columns, transfers.c.reason, transfers.c.summary)
            .outerjoin(transfers, transfers.c.call_id == calls.c.id)
            .where(calls.c.id.in_(call_ids))
        )
        with self._db.read() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
        return {row.pop("id"): row for row in found}

    def calls(self, seat_id: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """The calls begun from `since` to before `until` that the seat was rung for, newest first.

        Each is a call as in `Store.calls`, with the transfer's `transfer_outcome`, `request` and `connected`:
        whether this seat talked to the caller.
        """
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
            .where(calls.c.started_at >= to_iso(since), calls.c.started_at < to_iso(until))
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
