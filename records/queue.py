"""Callers who wait for a seat, in their order, on whatever node they are; and nodes that have died.

A caller joins the queue when asking for a seat and leaves it with one, or by giving up. A free seat is kept
for the first who waits and may have it: nobody is overtaken, and nobody waits for a seat that another cannot
have. What a dead node held is let go by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, tuple_, update

from records import to_iso
from records.engine import Database, upsert
from records.schema import call_events, nodes, seats, waiting
from records.seats import check_status, claim, list_seats

DEAD_AFTER_S = 15.0  # without a sign of life a node counts as dead
TALK_S = 180.0  # how long a seat talks, while nothing is known of it
RECENT = 40  # events of talks that tell how long one lasts
AT_WORK = ("free", "ringing", "talking", "wrap_up")
_NOTHING: Mapping[str, str] = {}


class Claim(NamedTuple):
    """What came of asking for a seat: the seat, or how many wait before, for how many seats at work.

    Only seats that the call may have count, and callers before it who may have one of these; `talks` is how
    many of theirs these seats will hold first, about: fewer, where other seats may take them too.
    """

    seat: dict[str, Any] | None
    ahead: int
    on_duty: int
    talks: float


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
        place = {"node": node, "skill": skill, "priority": priority, "exclude": sorted(exclude)}
        with self._db.write() as connection:
            upsert(connection, waiting, {"call_id": call_id}, place, {"since": to_iso(now)})
            at_work = [seat for seat in list_seats(connection) if seat["status"] in AT_WORK]
            everybody = {seat["id"] for seat in at_work}
            mine = everybody.difference(exclude)
            before = _before(connection, call_id)
            theirs = [everybody.difference(one["exclude"]) for one in before]
            rivals = [may_have for may_have in theirs if may_have & mine]
            kept = _kept(before, (seat for seat in at_work if seat["status"] == "free"))
            seat = None
            if mine - kept:
                seat = claim(connection, skill, call_id, now, kept.union(exclude))
            if seat is not None:
                connection.execute(delete(waiting).where(waiting.c.call_id == call_id))
                connection.execute(
                    update(seats).where(seats.c.id == seat["id"]).values(node=node, verdict="")
                )
                seat |= {"node": node, "verdict": ""}
            talks = sum(len(may_have & mine) / len(may_have) for may_have in rivals)
            return Claim(seat, len(rivals), len(mine), talks)

    def leave(self, call_id: str) -> None:
        """Give up a place; harmless without one."""
        with self._db.write() as connection:
            connection.execute(delete(waiting).where(waiting.c.call_id == call_id))

    def waiting(self) -> list[dict[str, Any]]:
        """Who waits, the next one first, as {"call_id", "node", "skill", "priority", "since"}."""
        with self._db.read() as connection:
            rows = connection.execute(select(waiting).order_by(*_ORDER)).mappings()
            return [dict(row) for row in rows]

    def talking(self, seat_id: str, call_id: str) -> bool:
        """The seat took this call; False where it is no longer this call's."""
        return self._change(_of(seat_id, call_id), {"status": "talking"})

    def release(self, seat_id: str, call_id: str, status: str) -> bool:
        """The seat's part in this call is over; False where it is no longer this call's."""
        check_status(status)
        without = {"call_id": None} if status in ("free", "away") else {}
        return self._change(_of(seat_id, call_id), {"status": status, **without})

    def end_wrap_up(self, seat_id: str, call_id: str) -> bool:
        """The seat's time after this call is over; False where it does something else by now."""
        wraps_up = and_(_of(seat_id, call_id), seats.c.status == "wrap_up")
        return self._change(wraps_up, {"status": "free", "call_id": None})

    def _change(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        with self._db.write() as connection:
            changed = update(seats).where(which).values(**values, since=to_iso(self._now()))
            return connection.execute(changed).rowcount > 0

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

    def beat(self, node: str, talking: Mapping[str, str] = _NOTHING) -> list[str]:
        """Say that `node` is alive; let go of what dead ones held, and return their names.

        `talking` are the calls of its seats. Where others took it for dead, it takes back those that are
        nobody's yet.
        """
        now = self._now()
        with self._db.write() as connection:
            known = connection.scalar(select(nodes.c.name).where(nodes.c.name == node))
            upsert(connection, nodes, {"name": node}, {"seen_at": to_iso(now)})
            for seat_id, call_id in () if known else talking.items():
                free = and_(seats.c.id == seat_id, seats.c.status == "free")
                again = {"status": "talking", "call_id": call_id, "node": node, "since": to_iso(now)}
                connection.execute(update(seats).where(free).values(**again))
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


def _of(seat_id: str, call_id: str) -> ColumnElement[bool]:
    return and_(seats.c.id == seat_id, seats.c.call_id == call_id)


def _before(connection: Connection, call_id: str) -> list[Mapping[str, Any]]:
    """Who waits before this call, the next one first."""
    mine = connection.execute(select(waiting).where(waiting.c.call_id == call_id)).mappings().one()
    before = or_(
        waiting.c.priority > mine["priority"],
        and_(
            waiting.c.priority == mine["priority"],
            tuple_(waiting.c.since, waiting.c.call_id) < tuple_(mine["since"], mine["call_id"]),
        ),
    )
    rows = connection.execute(select(waiting).where(before).order_by(*_ORDER)).mappings()
    return [dict(row) for row in rows]


def _kept(before: Iterable[Mapping[str, Any]], free: Iterable[Mapping[str, Any]]) -> set[str]:
    """The free seats that are for those who wait `before`: for each the best that it may have."""
    left = sorted(free, key=lambda seat: (seat["since"], seat["id"]))
    kept = set()
    for one in before:
        may_have = [seat for seat in left if seat["id"] not in one["exclude"]]
        if may_have:
            best = min(may_have, key=lambda seat: one["skill"] not in seat["skills"])
            left.remove(best)
            kept.add(best["id"])
    return kept
