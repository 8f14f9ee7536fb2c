"""People who are to be called back: why, when, by which seat, how often it was tried, and what came of it.

A call-back waits until it is due; one node claims it to dial it; it is then done, failed, or waits for the
next attempt. What a dead node was dialling is claimed by another. Whoever has one already gets no second: the
open one takes the newer matter. Scripted ones, which the agent itself makes, are apart from that.

People at desks change who takes one and when, close one by hand, and open one again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from records import Conflict, NotFound, to_iso
from records.calls import paged
from records.engine import Database
from records.queue import DEAD_AFTER_S
from records.schema import callbacks, nodes, seats

CALLBACK_STATUS = ("waiting", "dialling", "done", "failed", "cancelled")
REASONS = ("promised", "abandoned", "satisfaction")
OPEN = ("waiting", "dialling")
BY_HAND = ("handled", "not_reached", "not_wanted")  # results that people give, without a call of ours
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
        seat: str = "",
    ) -> str:
        """Have somebody called back and return the id; the same `key` gets the same.

        `script` names what the agent itself asks; without one a seat talks: `seat`, if one is given. Raises
        ValueError for an unknown reason, and for a number that is none.
        """
        if reason not in REASONS:
            raise ValueError(f"reason {reason!r} is unknown; right is one of {', '.join(REASONS)}")
        if not caller:
            raise ValueError("a withheld number cannot be called back")
        now = to_iso(self._now())
        matter = {"call_id": call_id, "skill": skill, "summary": dict(summary), "updated_at": now}
        matter |= {"seat": seat} if seat else {}
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

    def due(
        self, node: str, limit: int = 1, *, scripted_only: bool = False, free: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """Claim what is due, the longest due first, as an attempt of this node's; rows as `page` has them.

        With `scripted_only` none that needs a seat; with `free`, ids of seats, none that another seat takes.
        """
        query = self._due(limit, scripted_only, free)
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

    def _due(self, limit: int, scripted_only: bool, free: Collection[str] | None) -> Any:
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
        if free is not None:
            query = query.where(callbacks.c.seat.in_(["", *free]))
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
        open_ = and_(callbacks.c.caller == caller, callbacks.c.status.in_(OPEN))
        ended = {"status": "done", "result": "reached", "done_in": call_id}
        if not caller:
            return 0
        with self._db.write() as connection:
            changed = update(callbacks).where(open_, _BY_A_SEAT)
            return connection.execute(changed.values(**ended, updated_at=to_iso(self._now()))).rowcount

    def cancel(self, id_: str) -> dict[str, Any]:
        """Nobody is called back. Raises NotFound; Conflict where it is being dialled or is over."""
        return self._set(id_, {"status": "cancelled"}, ("waiting",), "only one that waits can be cancelled")

    def change(
        self,
        id_: str,
        *,
        seat: str | None = None,
        due_at: datetime | None = None,
        request: str | None = None,
    ) -> dict[str, Any]:
        """Give it to a seat ("" for any), put it at another time, tell the matter anew; what is None stays.

        Raises NotFound, also for the seat; Conflict where it does not wait, or has no part for a seat.
        """
        with self._db.write() as connection:
            row = self._find(connection, id_)
            values: dict[str, Any] = {"due_at": to_iso(due_at)} if due_at else {}
            if request is not None:
                values["summary"] = {**row["summary"], "request": request}
            if seat is not None:
                if seat and row["script"]:
                    raise Conflict(f"the agent itself makes the call-back {id_}; no seat can be given")
                if seat and not connection.scalar(select(seats.c.id).where(seats.c.id == seat)):
                    raise NotFound(f"there is no seat {seat}")
                values["seat"] = seat
            return self._set(id_, values, ("waiting",), "only one that waits can be changed")

    def close(self, id_: str, result: str, note: str = "") -> dict[str, Any]:
        """It was seen to without a call of ours; `result` is one of BY_HAND.

        Raises NotFound; ValueError; Conflict where it is being dialled or is over, unless that was in vain.
        """
        if result not in BY_HAND:
            raise ValueError(f"result {result!r} is unknown; right is one of {', '.join(BY_HAND)}")
        ended = {"status": "done", "result": result, "note": note}
        return self._set(id_, ended, ("waiting", "failed"), "only one that waits or has failed can be closed")

    def reopen(self, id_: str) -> dict[str, Any]:
        """One that has failed, or was cancelled, is made after all: now, and tried as often as a new one.

        Raises NotFound; Conflict where it is something else, or where the same person waits for another.
        """
        anew = {"status": "waiting", "due_at": to_iso(self._now()), "attempts": 0, "node": "", "result": ""}
        with self._db.write() as connection:
            row = self._find(connection, id_)
            same = and_(callbacks.c.caller == row["caller"], callbacks.c.status.in_(OPEN), _BY_A_SEAT)
            if not row["script"] and connection.scalar(select(callbacks.c.id).where(same).limit(1)):
                raise Conflict(f"whom the call-back {id_} is for is called back already")
            return self._set(
                id_, anew, ("failed", "cancelled"), "only one that was in vain can be made again"
            )

    def _set(
        self, id_: str, values: Mapping[str, Any], while_: Collection[str], otherwise: str
    ) -> dict[str, Any]:
        """Change one whose status is one of `while_`. Raises NotFound, Conflict."""
        mine = and_(callbacks.c.id == id_, callbacks.c.status.in_(list(while_)))
        with self._db.write() as connection:
            changed = update(callbacks).where(mine).values(**values, updated_at=to_iso(self._now()))
            row = connection.execute(changed.returning(*_SHOWN)).mappings().one_or_none()
            if row is not None:
                return dict(row)
            found = self._find(connection, id_)
        raise Conflict(f"the call-back {id_} is {found['status']}; {otherwise}")

    def _find(self, connection: Connection, id_: str) -> dict[str, Any]:
        row = connection.execute(select(*_SHOWN).where(callbacks.c.id == id_)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no call-back {id_}")
        return dict(row)

    def get(self, id_: str) -> dict[str, Any] | None:
        """One of them; None if there is none."""
        with self._db.read() as connection:
            row = connection.execute(select(*_SHOWN).where(callbacks.c.id == id_)).mappings().one_or_none()
            return dict(row) if row else None

    def page(
        self,
        status: str = "",
        page: int = 1,
        *,
        reason: str = "",
        seat: str = "",
        caller: str = "",
        of_seats: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """A page of them, newest first, without their keys; of status "open", what waits or is being dialled,
        the one that is due first.

        `seat` is the one that takes them, `caller` any part of the number; with `of_seats` only what one of
        these seats takes, or any. Raises ValueError for an unknown status.
        """
        if status and status not in (*CALLBACK_STATUS, "open"):
            raise ValueError(f"status {status!r} is unknown; right is open, {', '.join(CALLBACK_STATUS)}")
        query = select(*_SHOWN)
        if status:
            query = query.where(callbacks.c.status.in_(OPEN if status == "open" else (status,)))
        for column, value in ((callbacks.c.reason, reason), (callbacks.c.seat, seat)):
            if value:
                query = query.where(column == value)
        if caller:
            query = query.where(callbacks.c.caller.contains(caller, autoescape=True))
        if of_seats is not None:
            query = query.where(callbacks.c.seat.in_(["", *of_seats]))
        with self._db.read() as connection:
            return paged(connection, query, _FIRST if status == "open" else _NEWEST, page)


def give_up_seat(connection: Connection, seat_id: str) -> None:
    """What a seat that is no more was to take is taken by any."""
    open_ = and_(callbacks.c.seat == seat_id, callbacks.c.status.in_(OPEN))
    connection.execute(update(callbacks).where(open_).values(seat=""))


_BY_A_SEAT: ColumnElement[bool] = callbacks.c.script == ""
_FIRST = (callbacks.c.due_at, callbacks.c.created_at, callbacks.c.id)
