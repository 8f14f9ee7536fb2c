"""Queries on calls and what happened in them; each function works within the connection it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, func, or_, select, update

from records import to_iso
from records.engine import is_all_or_none, upsert
from records.schema import call_events, calls, seats, transfers, turns

PAGE_SIZE = 50
CALL_FIELDS = frozenset(c.name for c in calls.c) - {"id", "line"}
TURN_FIELDS = frozenset(c.name for c in turns.c) - {"call_id", "index"}
_INSERT_EVENT = call_events.insert()


class ClosedCall(NamedTuple):
    """A call that a died process left open, closed now; `recording` is its file name or empty."""

    call_id: str
    recording: str


def check_fields(given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise TypeError(f"{what} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")


def save_call(connection: Connection, call_id: str, now: datetime, fields: Mapping[str, Any]) -> None:
    check_fields(fields, CALL_FIELDS, "a call")
    values = {k: to_iso(v) if k.endswith("_at") and v is not None else v for k, v in fields.items()}
    at_first = {} if "started_at" in values else {"started_at": to_iso(now)}
    upsert(connection, calls, {"id": call_id}, values, at_first)


def ensure_call(connection: Connection, call_id: str, now: datetime) -> None:
    """Have a row for the call, so that nothing said is refused because the call's own row failed.

    The row is nearly always there; where a refused write is done again anyhow, it is not made sure of before.
    """
    if not is_all_or_none(connection):
        upsert(connection, calls, {"id": call_id}, {}, {"started_at": to_iso(now)})


def save_turn(
    connection: Connection, call_id: str, index: int, now: datetime, fields: Mapping[str, Any]
) -> None:
    check_fields(fields, TURN_FIELDS, "a turn")
    values = dict(fields)
    if "sources" in values:
        values["sources"] = list(values["sources"])
    if "stages_ms" in values:
        values["stages_ms"] = dict(values["stages_ms"])
    if "decision" in values:
        values["decision"] = dict(values["decision"])
    ensure_call(connection, call_id, now)
    upsert(connection, turns, {"call_id": call_id, "index": index}, values)


def add_event(
    connection: Connection, call_id: str, at_s: float, kind: str, detail: Mapping[str, Any], now: datetime
) -> None:
    ensure_call(connection, call_id, now)
    _insert_event(connection, call_id, at_s, kind, detail)


def add_line(connection: Connection, call_id: str, quality: Mapping[str, Any], now: datetime) -> None:
    ensure_call(connection, call_id, now)
    lines = connection.execute(select(calls.c.line).where(calls.c.id == call_id)).scalar_one()
    connection.execute(update(calls).where(calls.c.id == call_id).values(line=[*lines, dict(quality)]))


def _insert_event(
    connection: Connection, call_id: str, at_s: float, kind: str, detail: Mapping[str, Any]
) -> None:
    row = {"call_id": call_id, "at_s": at_s, "kind": kind, "detail": dict(detail)}
    connection.execute(_INSERT_EVENT, row)


def save_transfer(connection: Connection, call_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    ensure_call(connection, call_id, now)
    upsert(connection, transfers, {"call_id": call_id}, values)


def list_calls(
    connection: Connection,
    *,
    from_: datetime | None,
    to: datetime | None,
    caller: str,
    q: str,
    outcome: str,
    page: int,
) -> dict[str, Any]:
    query = select(*(column for column in calls.c if column.name != "line"))
    if from_ is not None:
        query = query.where(calls.c.started_at >= to_iso(from_))
    if to is not None:
        query = query.where(calls.c.started_at < to_iso(to))
    if caller:
        query = query.where(calls.c.caller.contains(caller, autoescape=True))
    if outcome:
        query = query.where(calls.c.outcome == outcome)
    if q:
        columns = (turns.c.text, turns.c.asr_raw)
        said = select(turns.c.call_id).where(or_(*(c.icontains(q, autoescape=True) for c in columns)))
        query = query.where(calls.c.id.in_(said))
    newest = (calls.c.started_at.desc(), calls.c.id.desc())
    return paged(connection, query, newest, page, overview=overview())


def overview() -> tuple[ColumnElement[Any], ...]:
    """What a list shows at a glance: how many turns, and what the caller said first."""
    of_call = turns.c.call_id == calls.c.id
    count = select(func.count()).where(of_call).scalar_subquery()
    first = (
        select(turns.c.text)
        .where(of_call, turns.c.who == "caller", turns.c.text != "")
        .order_by(turns.c.index)
        .limit(1)
        .scalar_subquery()
    )
    return (count.label("turn_count"), func.coalesce(first, "").label("first_words"))


def paged(
    connection: Connection,
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    page: int,
    *,
    overview: Sequence[ColumnElement[Any]] = (),
) -> dict[str, Any]:
    """One page of a query (pages from 1) in the shape of every list: items, total, page."""
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    shown = query.add_columns(*overview).order_by(*order).limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
    rows = connection.execute(shown).mappings()
    return {"items": [dict(row) for row in rows], "total": total, "page": page}


def get_call(connection: Connection, call_id: str) -> dict[str, Any] | None:
    row = connection.execute(select(calls).where(calls.c.id == call_id)).mappings().one_or_none()
    if row is None:
        return None
    turn_columns = [c for c in turns.c if c.name != "call_id"]
    turn_rows = connection.execute(
        select(*turn_columns).where(turns.c.call_id == call_id).order_by(turns.c.index)
    )
    event_rows = connection.execute(
        select(call_events.c.at_s, call_events.c.kind, call_events.c.detail)
        .where(call_events.c.call_id == call_id)
        .order_by(call_events.c.at_s, call_events.c.id)
    )
    transfer = connection.execute(
        select(transfers.c.reason, transfers.c.summary, transfers.c.seat, transfers.c.outcome).where(
            transfers.c.call_id == call_id
        )
    )
    moved = transfer.mappings().one_or_none()
    return {
        **{k: v for k, v in row.items() if k not in ("ticket_id", "recording", "line")},
        "turns": [dict(turn) for turn in turn_rows.mappings()],
        "events": [dict(event) for event in event_rows.mappings()],
        "transfer": dict(moved) if moved else None,
        "line": row["line"],
        "ticket_id": row["ticket_id"],
        "recording": row["recording"],
    }


def close_unfinished(connection: Connection, node: str) -> list[ClosedCall]:
    open_calls = connection.execute(
        select(calls).where(calls.c.node == node, calls.c.ended_at.is_(None))
    ).mappings()
    closed = []
    for call in open_calls.all():
        call_id = call["id"]
        last_s = _last_moment_s(connection, call_id)
        began = datetime.fromisoformat((call["answered_at"] or call["started_at"]).replace("Z", "+00:00"))
        connection.execute(
            update(calls)
            .where(calls.c.id == call_id)
            .values(
                ended_at=to_iso(began + timedelta(seconds=last_s)),
                end_reason="failed",
                outcome=call["outcome"] or ("ticket" if call["ticket_id"] else "failed"),
            )
        )
        _close_transfer(connection, call_id)
        _insert_event(connection, call_id, last_s, "process_died", {})
        # The seat's line went down with the process, as at any end of a call.
        connection.execute(
            update(seats).where(seats.c.call_id == call_id).values(status="free", call_id=None)
        )
        closed.append(ClosedCall(call_id, call["recording"]))
    return closed


def _close_transfer(connection: Connection, call_id: str) -> None:
    """A hand-over that the process could not see to its end: whom it had reached, and whether they talked."""
    of_seats = select(call_events).where(call_events.c.call_id == call_id).order_by(call_events.c.id)
    happened = [event for event in connection.execute(of_seats).mappings() if "seat" in event["detail"]]
    connected = any(event["kind"] == "bridged" for event in happened)
    values = {"outcome": "connected" if connected else "failed"}
    values |= {"seat": happened[-1]["detail"]["seat"]} if happened else {}
    left_open = (transfers.c.call_id == call_id) & (transfers.c.outcome == "")
    connection.execute(update(transfers).where(left_open).values(**values))


def lost_calls(connection: Connection, node: str) -> list[ClosedCall]:
    died = exists().where(call_events.c.call_id == calls.c.id, call_events.c.kind == "process_died")
    failed = select(calls.c.id, calls.c.recording).where(calls.c.node == node, calls.c.end_reason == "failed")
    return [ClosedCall(*row) for row in connection.execute(failed.where(died))]


def _last_moment_s(connection: Connection, call_id: str) -> float:
    turn_s = select(func.max(func.coalesce(turns.c.ended_s, turns.c.started_s))).where(
        turns.c.call_id == call_id
    )
    event_s = select(func.max(call_events.c.at_s)).where(call_events.c.call_id == call_id)
    found = [connection.execute(query).scalar() for query in (turn_s, event_s)]
    return max((float(at_s) for at_s in found if at_s is not None), default=0.0)


def call_exists(connection: Connection, call_id: str) -> bool:
    return bool(connection.execute(select(exists().where(calls.c.id == call_id))).scalar())
