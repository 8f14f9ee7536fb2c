"""Queries on the seat board; each function works within the connection it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, delete, exists, select, update

from records import NotFound, to_iso
from records.engine import upsert
from records.schema import seat_skills, seats

SEAT_STATUS = ("away", "free", "ringing", "talking", "wrap_up")


def save_seat(
    connection: Connection,
    seat_id: str,
    name: str,
    uri: str,
    skills: Iterable[str],
    now: datetime,
    status: str,
) -> None:
    """Add a seat with `status`, or change an existing one, which keeps its own."""
    check_status(status)
    at_first = {"status": status, "since": to_iso(now)}
    upsert(connection, seats, {"id": seat_id}, {"name": name, "uri": uri}, at_first)
    connection.execute(delete(seat_skills).where(seat_skills.c.seat_id == seat_id))
    rows = [{"seat_id": seat_id, "skill": skill} for skill in sorted(set(skills))]
    if rows:
        connection.execute(seat_skills.insert(), rows)


def list_seats(connection: Connection, seat_id: str | None = None) -> list[dict[str, Any]]:
    query = select(seats).order_by(seats.c.id)
    skill_query = select(seat_skills).order_by(seat_skills.c.skill)
    if seat_id is not None:
        query = query.where(seats.c.id == seat_id)
        skill_query = skill_query.where(seat_skills.c.seat_id == seat_id)
    found = [{**row, "skills": []} for row in connection.execute(query).mappings()]
    by_id = {seat["id"]: seat for seat in found}
    for row in connection.execute(skill_query).mappings():
        by_id[row["seat_id"]]["skills"].append(row["skill"])
    return found


def set_status(
    connection: Connection,
    seat_id: str,
    status: str,
    now: datetime,
    *,
    unless: Collection[str] = (),
) -> bool:
    """Set a seat's status unless it is one of `unless` now; False when it was. Raises NotFound."""
    check_status(status)
    values: Mapping[str, Any] = {"status": status, "since": to_iso(now)}
    if status in ("away", "free"):
        values = {**values, "call_id": None}
    statement = update(seats).where(seats.c.id == seat_id, seats.c.status.not_in(list(unless)))
    if connection.execute(statement.values(values)).rowcount:
        return True
    if not list_seats(connection, seat_id):
        raise NotFound(f"there is no seat {seat_id}")
    return False


def claim(
    connection: Connection, skill: str, call_id: str, now: datetime, exclude: Collection[str]
) -> dict[str, Any] | None:
    claimed = connection.execute(claim_statement(skill, call_id, now, exclude)).scalar_one_or_none()
    return list_seats(connection, claimed)[0] if claimed is not None else None


def claim_statement(skill: str, call_id: str, now: datetime, exclude: Collection[str]) -> Update:
    """One UPDATE that picks and takes a seat, so that no two calls ever ring the same one."""
    able = exists().where(seat_skills.c.seat_id == seats.c.id, seat_skills.c.skill == skill)
    pick = (
        select(seats.c.id)
        .where(seats.c.status == "free", seats.c.id.not_in(list(exclude)))
        .order_by(able.desc(), seats.c.since, seats.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # for PostgreSQL; SQLite has one writer anyway
        .scalar_subquery()
    )
    return (
        update(seats)
        .where(seats.c.id == pick, seats.c.status == "free")
        .values(status="ringing", call_id=call_id, since=to_iso(now))
        .returning(seats.c.id)
    )


VERDICTS = ("accepted", "declined")


def verdict(connection: Connection, seat_id: str) -> str:
    query = select(seats.c.verdict).where(seats.c.id == seat_id)
    return str(connection.execute(query).scalar_one_or_none() or "")


def set_verdict(connection: Connection, seat_id: str, given: str) -> bool:
    if given not in VERDICTS:
        raise ValueError(f"verdict {given!r} is unknown; right is {' or '.join(VERDICTS)}")
    ringing = (seats.c.id == seat_id) & (seats.c.status == "ringing")
    return bool(connection.execute(update(seats).where(ringing).values(verdict=given)).rowcount)


def check_status(status: str) -> None:
    if status not in SEAT_STATUS:
        raise ValueError(f"seat status {status!r} is unknown; right is one of {', '.join(SEAT_STATUS)}")
