"""Callers who wait for a seat, in their order, on whatever node they are; and nodes that have died.

A caller joins the queue when asking for a seat and leaves it with one, or by giving up. A seat goes to a
caller only when more are free than others wait before: nobody is overtaken. What a dead node held is let
go by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, or_, select, tuple_, update

from records import to_iso
from records.engine import Database, upsert
from records.schema import call_events, nodes, seats, waiting
from records.seats import claim

DEAD_AFTER_S = 15.0  # without a sign of life a node counts as dead
TALK_S = 180.0  # how long a seat talks, while nothing is known of it
RECENT = 40  # events of talks that tell how long one lasts


class Claim(NamedTuple):
    """What came of asking for a seat: the seat, or how many wait before, for how many seats at work."""

    seat: dict[str, Any] | None
    ahead: int
    on_duty: int


class Queue:
    """The queue of the whole hotline; every method is one transaction and raises RecordsError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def claim(
        self, skill: str, call_id: str, *, node: str = "", priority: int = 0, exclude: Collection[str] = ()
    ) -> Claim:
        """Take a seat for a call (free -> ringing), or a place in the queue; never a seat of `exclude`.

        `priority` above 0 comes before all others.
        """
        now = self._now()
        place = {"node": node, "skill": skill, "priority": priority}
        with self._db.write() as connection:
            upsert(connection, waiting, {"call_id": call_id}, place, {"since": to_iso(now)})
            ahead, on_duty = (
                _ahead(connection, call_id),
                _count(connection, "free", "ringing", "talking", "wrap_up"),
            )
            seat = None
            if _count(connection, "free") > ahead:
                seat = claim(connection, skill, call_id, now, exclude)
            if seat is not None:
                connection.execute(delete(waiting).where(waiting.c.call_id == call_id))
                connection.execute(
                    update(seats).where(seats.c.id == seat["id"]).values(node=node, verdict="")
                )
                seat |= {"node": node, "verdict": ""}
            return Claim(seat, ahead, on_duty)

    def leave(self, call_id: str) -> None:
        """Give up a place; harmless without one."""
        with self._db.write() as connection:
            connection.execute(delete(waiting).where(waiting.c.call_id == call_id))

    def waiting(self) -> list[dict[str, Any]]:
        """Who waits, the next one first, as {"call_id", "node", "skill", "priority", "since"}."""
        with self._db.read() as connection:
            rows = connection.execute(select(waiting).order_by(*_ORDER)).mappings()
            return [dict(row) for row in rows]

    def talk_s(self) -> float:
        """How long a seat talked to a caller lately, on average; TALK_S while there is nothing to go by."""
        kinds = ("bridged", "unbridged")
        newest = select(call_events).where(call_events.c.kind.in_(kinds)).order_by(call_events.c.id.desc())
        with self._db.read() as connection:
            rows = connection.execute(newest.limit(RECENT)).mappings().all()
        events = sorted(rows, key=lambda row: (row["call_id"], row["id"]))
        talks = [
            after["at_s"] - before["at_s"]
            for before, after in pairwise(events)
            if before["call_id"] == after["call_id"] and (before["kind"], after["kind"]) == kinds
        ]
        return sum(talks) / len(talks) if talks else TALK_S

    def beat(self, node: str) -> list[str]:
        """Say that `node` is alive; let go of what dead ones held, and return their names."""
        now = self._now()
        with self._db.write() as connection:
            upsert(connection, nodes, {"name": node}, {"seen_at": to_iso(now)})
            limit = to_iso(now - timedelta(seconds=DEAD_AFTER_S))
            dead = list(connection.scalars(select(nodes.c.name).where(nodes.c.seen_at < limit)))
            if dead:
                self._let_go(connection, dead)
            return dead

    def forget(self, node: str) -> None:
        """What `node` held before it was started anew is let go."""
        with self._db.write() as connection:
            self._let_go(connection, [node])

    def _let_go(self, connection: Connection, names: Collection[str]) -> None:
        free = {"status": "free", "call_id": None, "verdict": "", "since": to_iso(self._now())}
        held = and_(seats.c.node.in_(names), seats.c.status.in_(("ringing", "talking", "wrap_up")))
        connection.execute(update(seats).where(held).values(**free))
        connection.execute(delete(waiting).where(waiting.c.node.in_(names)))
        connection.execute(delete(nodes).where(nodes.c.name.in_(names)))


_ORDER = (waiting.c.priority.desc(), waiting.c.since, waiting.c.call_id)


def _ahead(connection: Connection, call_id: str) -> int:
    mine = connection.execute(select(waiting).where(waiting.c.call_id == call_id)).mappings().one()
    before = or_(
        waiting.c.priority > mine["priority"],
        and_(
            waiting.c.priority == mine["priority"],
            tuple_(waiting.c.since, waiting.c.call_id) < tuple_(mine["since"], mine["call_id"]),
        ),
    )
    return int(connection.execute(select(func.count()).select_from(waiting).where(before)).scalar_one())


def _count(connection: Connection, *status: str) -> int:
    query = select(func.count()).select_from(seats).where(seats.c.status.in_(status))
    return int(connection.execute(query).scalar_one())
