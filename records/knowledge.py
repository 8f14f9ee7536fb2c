"""Queries on the knowledge base; each function works within the connection it is given.

Every change raises the one revision of the whole knowledge base first, which makes writers queue up (also on
PostgreSQL): whoever sees a revision sees all changes up to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from records import Conflict, NotFound, to_iso
from records.calls import check_fields, paged
from records.engine import upsert, upsert_statement
from records.schema import calls, knowledge_revision, passages, turns

FIELDS = frozenset(c.name for c in passages.c) - {"removed", "revision", "updated_at"}
_NEEDED = ("id", "question", "answer")
_SHOWN = [c for c in passages.c if c.name not in ("removed", "revision")]
_TURN = (turns.c.call_id, turns.c.index, turns.c.who, turns.c.text, turns.c.decision, calls.c.started_at)
_AT_ONCE = 500  # ids in one statement; SQLite takes some thousands
_REVISION = {"id": 1}


def revision(connection: Connection) -> int:
    """The newest revision; 0 while nothing was ever put in."""
    return connection.execute(select(knowledge_revision.c.revision)).scalar_one_or_none() or 0


def as_rows(passages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Passages as `change` takes them, made before a transaction begins, since of many it takes seconds.

    Raises ValueError for a passage that lacks something.
    """
    return [_row(passage) for passage in passages]


def change(
    connection: Connection,
    now: datetime,
    rows: Sequence[Mapping[str, Any]],
    removed: Collection[str] = (),
    *,
    since: int | None = None,
) -> int:
    """Put `rows` in and take `removed` out, as one revision, which is returned.

    Raises Conflict when the newest revision is not `since` (None: any is right), NotFound for a removed id
    that is not there.
    """
    if not rows and not removed:
        return revision(connection)
    number = _raise_revision(connection)
    if since is not None and number != since + 1:
        raise Conflict("the knowledge base was changed by somebody else meanwhile; try again")
    stamp = {"revision": number, "updated_at": to_iso(now)}
    if rows:
        values = tuple(c.name for c in passages.c if c.name != "id")
        statement = upsert_statement(connection.dialect.name, passages, ("id",), values)
        connection.execute(statement, [{**row, "removed": False, **stamp} for row in rows])
    _remove(connection, removed, stamp)
    return number


def add(connection: Connection, now: datetime, passage: Mapping[str, Any]) -> int:
    """Put in a passage whose id is free; the new revision. Raises Conflict, ValueError."""
    number = _raise_revision(connection)
    if get(connection, str(passage["id"])) is not None:
        raise Conflict(f"there is a passage {passage['id']} already; change that one, or choose another id")
    row = {**_row(passage), "removed": False, "revision": number, "updated_at": to_iso(now)}
    upsert(connection, passages, {"id": row.pop("id")}, row)
    return number


def replace(connection: Connection, now: datetime, passage: Mapping[str, Any]) -> int:
    """Change a passage that is there; the new revision. Raises NotFound, ValueError."""
    number = _raise_revision(connection)
    row = {**_row(passage), "revision": number, "updated_at": to_iso(now)}
    there = (passages.c.id == row.pop("id"), ~passages.c.removed)
    if connection.execute(update(passages).where(*there).values(**row)).rowcount == 0:
        raise _unknown(str(passage["id"]))
    return number


def since(connection: Connection, known: int) -> tuple[list[dict[str, Any]], list[str], int]:
    """What changed after the revision `known`: passages, ids of removed ones, and the newest revision."""
    newest = revision(connection)
    # Nothing later than `newest`: on PostgreSQL a later statement sees what was committed in between.
    news = (passages.c.revision > known, passages.c.revision <= newest)
    there = connection.execute(select(*_SHOWN).where(*news, ~passages.c.removed).order_by(passages.c.id))
    changed = [dict(row) for row in there.mappings()]
    if not known:
        return changed, [], newest
    gone = connection.execute(select(passages.c.id).where(*news, passages.c.removed))
    return changed, [str(row.id) for row in gone], newest


def get(connection: Connection, passage_id: str) -> dict[str, Any] | None:
    query = select(*_SHOWN).where(passages.c.id == passage_id, ~passages.c.removed)
    row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row else None


def find(connection: Connection, q: str, page: int) -> dict[str, Any]:
    query = select(*_SHOWN).where(~passages.c.removed)
    if q:
        columns = (passages.c.question, passages.c.answer, passages.c.source)
        query = query.where(or_(passages.c.id == q, *(c.icontains(q, autoescape=True) for c in columns)))
    newest = (passages.c.revision.desc(), passages.c.id)
    return paged(connection, query, newest, page)


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).where(~passages.c.removed)).scalar_one())


def turns_of_calls_with(
    connection: Connection, kinds: Sequence[str], from_: datetime
) -> Sequence[Mapping[str, Any]]:
    """The turns, in order, of all calls since `from_` in which the agent decided for one of these `kinds`."""
    decided = turns.c.decision["kind"].as_string().in_(kinds)
    recent = calls.c.started_at >= to_iso(from_)
    wanted = select(turns.c.call_id).join(calls, calls.c.id == turns.c.call_id).where(decided, recent)
    query = select(*_TURN).join(calls, calls.c.id == turns.c.call_id).where(turns.c.call_id.in_(wanted))
    rows = connection.execute(query.order_by(turns.c.call_id, turns.c.index)).mappings()
    return [dict(row) for row in rows]


def _raise_revision(connection: Connection) -> int:
    upsert(connection, knowledge_revision, _REVISION, {}, {"revision": 0})
    raised = update(knowledge_revision).values(revision=knowledge_revision.c.revision + 1)
    return int(connection.execute(raised.returning(knowledge_revision.c.revision)).scalar_one())


def _remove(connection: Connection, ids: Collection[str], stamp: Mapping[str, Any]) -> None:
    left = iter(sorted(ids))
    while some := list(islice(left, _AT_ONCE)):
        there = (passages.c.id.in_(some), ~passages.c.removed)
        gone = connection.execute(
            update(passages).where(*there).values(removed=True, **stamp).returning(passages.c.id)
        )
        missing = set(some) - {row.id for row in gone}
        if missing:
            raise _unknown(min(missing))


def _row(passage: Mapping[str, Any]) -> dict[str, Any]:
    check_fields(passage, FIELDS, "a passage")
    for name in _NEEDED:
        if not passage.get(name):
            raise ValueError(f"a passage needs {name}; {passage.get('id') or 'one'} has none")
    row = {name: passage.get(name) or "" for name in FIELDS}
    days = {name: _day(passage.get(name)) for name in ("valid_from", "valid_to")}
    return {**row, **days, "phrasings": list(passage.get("phrasings") or ())}


def _day(value: date | str | None) -> str | None:
    return value.isoformat() if isinstance(value, date) else value or None


def _unknown(passage_id: str) -> NotFound:
    return NotFound(f"there is no passage {passage_id}")
