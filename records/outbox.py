"""Messages to the city's own system: put in with the change they tell of, claimed, sent, tried again.

A message is due at `next_at`; while a node sends it, that is when the claim runs out, so that another node
takes over from one that died. `next_at` is NEVER once the message was taken, or has failed for good. Messages
about one work order go in their order: a later one waits for an earlier one, unless that has failed for good,
for each holds the whole work order.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from records import Conflict, NotFound, to_iso
from records.calls import paged
from records.engine import Database, upsert
from records.schema import outbox

NEVER = ""  # as a time to try again
KEPT_DAYS = 7  # so long a message that was taken can still be seen
MAX_ERROR_CHARS = 500
HIDDEN = "（保密）"

_SHOWN = [c for c in outbox.c if c.name != "body"]
_WAITING = outbox.c.next_at > NEVER  # a range of the index: what was taken is never looked at
_FAILED = outbox.c.sent_at.is_(None) & (outbox.c.next_at == NEVER)
OUTBOX_STATUS: Mapping[str, ColumnElement[bool]] = {
    "waiting": _WAITING,
    "failed": _FAILED,
    "sent": outbox.c.sent_at.is_not(None),
}
_NEWEST = (outbox.c.id.desc(),)
_LETTER = (outbox.c.id, outbox.c.key, outbox.c.body, outbox.c.attempts, outbox.c.created_at)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message claimed for sending; `attempt` counts from 1 and tells one claim from the next."""

    id: int
    key: str
    body: Mapping[str, Any]
    attempt: int
    created_at: datetime


def put_ticket(
    connection: Connection,
    kind: Literal["ticket.filed", "ticket.updated"],
    ticket: Mapping[str, Any],
    now: datetime,
) -> None:
    """Put in that a work order was filed, which is told once, or changed, which is told every time."""
    number, at = str(ticket["id"]), to_iso(now)
    key = f"{number}:{kind}" if kind == "ticket.filed" else f"{number}:{kind}:{at}:{secrets.token_hex(4)}"
    body = {"key": key, "kind": kind, "at": at, "ticket": without_secrets(ticket)}
    row = {"kind": kind, "about": number, "body": body, "next_at": at, "created_at": at}
    upsert(connection, outbox, {"key": key}, {}, row)


def without_secrets(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """A work order as it is passed on: of one that is secret nothing tells who filed it."""
    told = dict(ticket)
    if not told["secret"]:
        return told
    slots = dict(told["slots"])
    name = str(slots.pop("name", ""))
    numbers = {str(number) for number in (slots.pop("contact", ""), told["caller"]) if number}
    told |= {"caller": "", "call_id": None, "slots": slots}
    # A name of one character is part of other words; with 先生 or 女士 it is a name.
    named = re.escape(name) + ("(?:先生|女士|小姐|同志)" if len(name) == 1 else "")
    for who in (*map(re.escape, numbers), *([named] if name else [])):
        told["title"], told["text"] = (re.sub(who, HIDDEN, told[field]) for field in ("title", "text"))
        told["slots"] = {key: re.sub(who, HIDDEN, str(value)) for key, value in told["slots"].items()}
    return told


class Messages:
    """The outbox of a store, for whoever sends the messages and whoever looks after it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def claim(self, node: str, claim_s: float) -> Letter | None:
        """Take the message that is due next for `claim_s` seconds, after which others may; None for none."""
        with self._db.read() as connection:  # nobody else waits while there is nothing to do
            if connection.execute(_due(self._now())).scalar_one_or_none() is None:
                return None
        with self._db.write() as connection:
            now = self._now()
            # The lock is for PostgreSQL; SQLite has one writer anyway.
            id_ = connection.execute(_due(now).with_for_update(skip_locked=True)).scalar_one_or_none()
            if id_ is None:
                return None
            until = to_iso(now + timedelta(seconds=claim_s))
            taken = {"attempts": outbox.c.attempts + 1, "taken_by": node, "next_at": until}
            row = connection.execute(
                update(outbox).where(outbox.c.id == id_).values(**taken).returning(*_LETTER)
            ).one()
        return Letter(
            row.id,
            row.key,
            row.body,
            row.attempts,
            datetime.fromisoformat(row.created_at.replace("Z", "+00:00")),
        )

    def sent(self, letter: Letter) -> None:
        """The message was taken; its text is not kept. What was taken long ago is forgotten."""
        now = self._now()
        done = {"sent_at": to_iso(now), "next_at": NEVER, "taken_by": "", "last_error": "", "body": {}}
        old = to_iso(now - timedelta(days=KEPT_DAYS))
        with self._db.write() as connection:
            connection.execute(update(outbox).where(outbox.c.id == letter.id).values(**done))
            connection.execute(delete(outbox).where(outbox.c.sent_at < old))

    def failed(self, letter: Letter, error: str, again_at: datetime | None) -> bool:
        """The message was not taken: try again then, or never; False where another node has taken it over."""
        again = to_iso(again_at) if again_at else NEVER
        values = {"next_at": again, "taken_by": "", "last_error": error[:MAX_ERROR_CHARS]}
        mine = outbox.c.id == letter.id, outbox.c.attempts == letter.attempt, outbox.c.sent_at.is_(None)
        with self._db.write() as connection:
            return connection.execute(update(outbox).where(*mine).values(**values)).rowcount > 0

    def retry(self, message_id: int) -> dict[str, Any]:
        """Send a message again at once, as if it had just been put in. Raises NotFound, Conflict."""
        with self._db.write() as connection:
            found = _get(connection, message_id)
            if found["status"] == "sent":
                raise Conflict(f"the message {message_id} was taken already")
            if found["taken_by"]:
                raise Conflict(f"the message {message_id} is being sent now, by {found['taken_by']}")
            at = to_iso(self._now())
            again = {"next_at": at, "created_at": at}
            connection.execute(update(outbox).where(outbox.c.id == message_id).values(**again))
            return _get(connection, message_id)

    def retry_failed(self) -> int:
        """Send all that have failed for good again at once; how many these are."""
        at = to_iso(self._now())
        with self._db.write() as connection:
            again = update(outbox).where(_FAILED).values(next_at=at, created_at=at)
            return connection.execute(again).rowcount

    def page(self, status: str = "", about: str = "", page: int = 1) -> dict[str, Any]:
        """A page of messages without their text, newest first; `about` is a work order's number.

        Raises ValueError where `status` is none of OUTBOX_STATUS.
        """
        if status and status not in OUTBOX_STATUS:
            raise ValueError(f"status {status!r} is unknown; right is {', '.join(OUTBOX_STATUS)}")
        query = select(*_SHOWN)
        if status:
            query = query.where(OUTBOX_STATUS[status])
        if about:
            query = query.where(outbox.c.about == about)
        with self._db.read() as connection:
            found = paged(connection, query, _NEWEST, page)
        return {**found, "items": [_shown(row) for row in found["items"]]}

    def count(self) -> dict[str, int]:
        """How many messages wait, and how many have failed for good."""
        failures = func.count().filter(_FAILED)
        query = select(func.count(), failures).where(outbox.c.sent_at.is_(None))
        with self._db.read() as connection:
            row = connection.execute(query).one()
        return {"waiting": row[0] - row[1], "failed": row[1]}


def _due(now: datetime) -> Select[tuple[int]]:
    """The message to be sent next: the one that has waited longest."""
    earlier = outbox.alias()
    about_the_same = (
        earlier.c.about == outbox.c.about,
        earlier.c.id < outbox.c.id,
        earlier.c.next_at > NEVER,
    )
    return (
        select(outbox.c.id)
        .where(
            _WAITING, outbox.c.next_at <= to_iso(now), ~select(earlier.c.id).where(*about_the_same).exists()
        )
        .order_by(outbox.c.next_at, outbox.c.id)
        .limit(1)
    )


def _get(connection: Connection, message_id: int) -> dict[str, Any]:
    row = connection.execute(select(*_SHOWN).where(outbox.c.id == message_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no message {message_id} in the outbox")
    return _shown(dict(row))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    waits = row["next_at"] > NEVER
    status = "waiting" if waits else "sent" if row["sent_at"] else "failed"
    return {**row, "status": status, "next_at": row["next_at"] if waits else None}
