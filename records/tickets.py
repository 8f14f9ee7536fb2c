"""Queries on work orders; each function works within the connection it is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from records import NotFound, RecordsError, to_iso
from records.calls import check_fields, ensure_call, paged
from records.engine import upsert
from records.schema import calls, ticket_days, tickets

# What a work order's status is called in the API, and what a caller or a seat is told.
TICKET_STATUS = {
    "filed": "已登记",
    "accepted": "已受理",
    "in_progress": "处理中",
    "resolved": "已办结",
    "closed": "已关闭",
}
OPEN = ("filed", "accepted", "in_progress")
URGENCIES = ("normal", "urgent", "emergency")
EDITABLE = frozenset({"category", "department", "urgency", "title", "text", "slots", "status"})
_SHOWN = [c for c in tickets.c if c.name != "key"]
_NEWEST = (tickets.c.created_at.desc(), tickets.c.id.desc())


def file_ticket(connection: Connection, key: str, now: datetime, fields: Mapping[str, Any]) -> str:
    done = connection.execute(select(tickets.c.id).where(tickets.c.key == key)).scalar_one_or_none()
    if done is not None:
        return str(done)
    call_id = fields["call_id"] or None
    if call_id:
        ensure_call(connection, call_id, now)
    number = _next_number(connection, now)
    row = {**fields, "call_id": call_id, "slots": dict(fields["slots"])}
    at = to_iso(now)
    connection.execute(tickets.insert().values(id=number, key=key, created_at=at, updated_at=at, **row))
    if call_id:
        connection.execute(update(calls).where(calls.c.id == call_id).values(ticket_id=number))
    return number


def _next_number(connection: Connection, now: datetime) -> str:
    """YYMMDD and a five-digit running number: digits only, to be read out and keyed in."""
    day = now.strftime("%y%m%d")
    upsert(connection, ticket_days, {"day": day}, {}, {"last": 0})
    last = connection.execute(
        update(ticket_days)
        .where(ticket_days.c.day == day)
        .values(last=ticket_days.c.last + 1)
        .returning(ticket_days.c.last)
    ).scalar_one()
    if last > 99_999:
        raise RecordsError("99999 work orders were filed today; there are no more numbers until tomorrow")
    return f"{day}{last:05d}"


def get_ticket(connection: Connection, number: str) -> dict[str, Any] | None:
    row = connection.execute(select(*_SHOWN).where(tickets.c.id == number)).mappings().one_or_none()
    return dict(row) if row else None


def list_tickets(
    connection: Connection, *, status: str, caller: str, department: str, q: str, page: int
) -> dict[str, Any]:
    query = select(*_SHOWN)
    if status:
        query = query.where(tickets.c.status == status)
    if caller:
        query = query.where(tickets.c.caller == caller)
    if department:
        query = query.where(tickets.c.department == department)
    if q:
        query = query.where(
            or_(
                tickets.c.title.icontains(q, autoescape=True),
                tickets.c.text.icontains(q, autoescape=True),
                tickets.c.id == q,
            )
        )
    return paged(connection, query, _NEWEST, page)


def tickets_of_caller(connection: Connection, caller: str, limit: int) -> list[dict[str, Any]]:
    if not caller:  # withheld numbers are many people
        return []
    query = select(*_SHOWN).where(tickets.c.caller == caller)
    newest = query.order_by(*_NEWEST).limit(limit)
    return [dict(row) for row in connection.execute(newest).mappings()]


def open_ticket_like(connection: Connection, category: str, place: str) -> dict[str, Any] | None:
    if not place:
        return None
    query = select(*_SHOWN).where(tickets.c.category == category, tickets.c.status.in_(OPEN))
    same = query.where(tickets.c.slots["place"].as_string() == place, tickets.c.joins == "")
    row = connection.execute(same.order_by(*_NEWEST).limit(1)).mappings().one_or_none()
    return dict(row) if row else None


def update_ticket(
    connection: Connection, number: str, now: datetime, fields: Mapping[str, Any]
) -> dict[str, Any]:
    check_fields(fields, EDITABLE, "an editable work order")
    _check_words(fields)
    statement = update(tickets).where(tickets.c.id == number).values(**fields, updated_at=to_iso(now))
    if connection.execute(statement).rowcount == 0:
        raise NotFound(f"there is no work order {number}")
    found = get_ticket(connection, number)
    assert found is not None
    return found


def _check_words(fields: Mapping[str, Any]) -> None:
    if fields.get("status", "filed") not in TICKET_STATUS:
        raise ValueError(f"status {fields['status']!r} is unknown; right is {', '.join(TICKET_STATUS)}")
    if fields.get("urgency", "normal") not in URGENCIES:
        raise ValueError(f"urgency {fields['urgency']!r} is unknown; right is {', '.join(URGENCIES)}")
