"""People who are to be called back: why, when, how often it was tried, and what came of it.

A call-back waits until it is due; one node claims it to dial it; it is then done, failed, or waits for the
next attempt. What a dead node was dialling is claimed by another. Whoever has one already gets no second: the
open one takes the newer matter. Scripted ones, which the agent itself makes, are apart from that.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update

from records import Conflict, NotFound, to_iso
from records.calls import paged
from records.engine import Database
from records.queue import DEAD_AFTER_S
from records.schema import callbacks, nodes

CALLBACK_STATUS = ("waiting", "dialling", "done", "failed", "cancelled")
REASONS = ("promised", "abandoned", "satisfaction")
_NEWEST = (callbacks.c.created_at.desc(), callbacks.c.id)
_SHOWN = [c for c in callbacks.c if c.name != "key"]


class Callbacks:
    """The call-backs of the whole hotline; every method is one transaction and raises RecordsError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def promise(
        self,
        key: str,
        *,
        reason: str,
        call_id: str,
        caller: str,
        skill: str = "",
        summary: Mapping[str, Any],
        due_at: datetime,
        script: str = "",
    ) -> str:
        """Have somebody called back and return the id; the same `key` gets the same.

        `script` names what the agent itself asks; without one a seat talks. Raises ValueError for an unknown
        reason, and for a number that is none.
        """
        if reason not in REASONS:
            raise ValueError(f"reason {reason!r} is unknown; right is one of {', '.join(REASONS)}")
        if not caller:
            raise ValueError("a withheld number cannot be called back")
        now = to_iso(self._now())
        matter = {"call_id": call_id, "skill": skill, "summary": dict(summary), "updated_at": now}
        with self._db.write() as connection:
            known = connection.scalar(select(callbacks.c.id).where(callbacks.c.key == key))
            if known is not None:
                return str(known)
            same = and_(callbacks.c.caller == caller, callbacks.c.status == "waiting", _BY_A_SEAT)
            open_ = None if script else connection.scalar(select(callbacks.c.id).where(same).limit(1))
            if open_ is not None:
                connection.execute(update(callbacks).where(callbacks.c.id == open_).values(**matter))
                return str(open_)
            row = {**matter, "id": secrets.token_hex(8), "key": key, "reason": reason, "caller": caller}
            row |= {"script": script, "due_at": to_iso(due_at), "created_at": now}
            connection.execute(callbacks.insert().values(**row))
            return str(row["id"])

    def due(self, node: str, limit: int = 1, *, scripted_only: bool = False) -> list[dict[str, Any]]:
        """Claim what is due, the longest due first, as an attempt of this node's; rows as `page` has them.

        With `scripted_only` none that needs a seat.
        """
        query = self._due(limit, scripted_only)
        with self._db.read() as connection:  # nobody else waits while there is nothing to do
            if connection.execute(query).first() is None:
                return []
        with self._db.write() as connection:
            # The lock is for PostgreSQL; SQLite has one writer anyway.
            ids = list(connection.scalars(query.with_for_update(skip_locked=True)))
            taken = {"status": "dialling", "node": node, "attempts": callbacks.c.attempts + 1}
            claimed = update(callbacks).where(callbacks.c.id.in_(ids))
            connection.execute(claimed.values(**taken, updated_at=to_iso(self._now())))
            rows = connection.execute(select(*_SHOWN).where(callbacks.c.id.in_(ids)).order_by(*_FIRST))
            return [dict(row) for row in rows.mappings()]

    def _due(self, limit: int, scripted_only: bool) -> Any:
        now = self._now()
        dead = to_iso(now - timedelta(seconds=DEAD_AFTER_S))
        alive = select(nodes.c.name).where(nodes.c.seen_at >= dead)
        lost = and_(
            callbacks.c.status == "dialling",
            callbacks.c.updated_at < dead,
            callbacks.c.node.not_in(alive),
        )
        waits = and_(callbacks.c.status == "waiting", callbacks.c.due_at <= to_iso(now))
        query = select(callbacks.c.id).where(or_(waits, lost)).order_by(*_FIRST).limit(limit)
        return query.where(~_BY_A_SEAT) if scripted_only else query

    def done(
        self, id_: str, node: str, result: str, *, answers: Mapping[str, Any] | None = None, done_in: str = ""
    ) -> bool:
        """It came to its end in the call `done_in`; False where `node` no longer has it."""
        ended = {"status": "done", "result": result, "answers": dict(answers or {}), "done_in": done_in}
        return self._end(id_, node, ended)

    def again(
        self, id_: str, node: str, result: str, again_at: datetime | None, *, counts: bool = True
    ) -> bool:
        """It was in vain: another attempt then, or none (failed); False where `node` no longer has it.

        An attempt that was broken off by us does not count.
        """
        values: dict[str, Any] = {"status": "waiting" if again_at else "failed", "result": result}
        if again_at:
            values |= {"due_at": to_iso(again_at), "node": ""}
        if not counts:
            values["attempts"] = callbacks.c.attempts - 1
        return self._end(id_, node, values)

    def _end(self, id_: str, node: str, values: Mapping[str, Any]) -> bool:
        mine = and_(callbacks.c.id == id_, callbacks.c.node == node, callbacks.c.status == "dialling")
        with self._db.write() as connection:
            changed = update(callbacks).where(mine).values(**values, updated_at=to_iso(self._now()))
            return connection.execute(changed).rowcount > 0

    def forget(self, node: str) -> None:
        """What `node` was dialling before it was started anew waits again."""
        was = and_(callbacks.c.node == node, callbacks.c.status == "dialling")
        with self._db.write() as connection:
            connection.execute(update(callbacks).where(was).values(status="waiting", node=""))

    def reached(self, caller: str, call_id: str) -> int:
        """Who was to be called back by a seat has reached one in this call; how many were open."""
        open_ = and_(callbacks.c.caller == caller, callbacks.c.status.in_(("waiting", "dialling")))
        ended = {"status": "done", "result": "reached", "done_in": call_id}
        if not caller:
            return 0
        with self._db.write() as connection:
            changed = update(callbacks).where(open_, _BY_A_SEAT)
            return connection.execute(changed.values(**ended, updated_at=to_iso(self._now()))).rowcount

    def cancel(self, id_: str) -> dict[str, Any]:
        """Nobody is called back. Raises NotFound; Conflict where it is being dialled or is over."""
        waits = and_(callbacks.c.id == id_, callbacks.c.status == "waiting")
        ended = {"status": "cancelled", "updated_at": to_iso(self._now())}
        with self._db.write() as connection:
            changed = update(callbacks).where(waits).values(**ended).returning(*_SHOWN)
            row = connection.execute(changed).mappings().one_or_none()
            if row is not None:
                return dict(row)
            found = connection.scalar(select(callbacks.c.status).where(callbacks.c.id == id_))
        if found is None:
            raise NotFound(f"there is no call-back {id_}")
        raise Conflict(f"the call-back {id_} is {found}; only one that waits can be cancelled")

    def get(self, id_: str) -> dict[str, Any] | None:
        """One of them; None if there is none."""
        with self._db.read() as connection:
            row = connection.execute(select(*_SHOWN).where(callbacks.c.id == id_)).mappings().one_or_none()
            return dict(row) if row else None

    def page(self, status: str = "", page: int = 1) -> dict[str, Any]:
        """A page of them, newest first, without their keys. Raises ValueError for an unknown status."""
        if status and status not in CALLBACK_STATUS:
            raise ValueError(f"status {status!r} is unknown; right is {', '.join(CALLBACK_STATUS)}")
        query = select(*_SHOWN)
        if status:
            query = query.where(callbacks.c.status == status)
        with self._db.read() as connection:
            return paged(connection, query, _NEWEST, page)


_BY_A_SEAT: ColumnElement[bool] = callbacks.c.script == ""
_FIRST = (callbacks.c.due_at, callbacks.c.created_at, callbacks.c.id)
