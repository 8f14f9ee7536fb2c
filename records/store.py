"""The store: the one door to the database, synchronous and safe to use from any thread.

A write is committed, and on SQLite fsynced, when its method returns; within `batch()`, when the batch ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from records import calls, china_now, knowledge, outbox, seats, tickets, users
from records.accounts import Accounts
from records.audit import Audit
from records.callbacks import Callbacks
from records.calls import ClosedCall
from records.commands import Commands
from records.engine import Database
from records.queue import Queue
from records.users import User
from records.workplace import Workplace


class Store:
    """All that is durable except audio: calls, work orders, seats, accounts.

    `url` is sqlite:///FILE or postgresql://…; `clock` gives the present as an aware datetime, whose date is
    the one in work order numbers. Raises RecordsError when the database cannot be opened or is no database;
    so does every method when it cannot be read or written. With `tell_tickets` every work order filed or
    changed is put into the `outbox`, to be sent to the city's own system.
    """

    def __init__(
        self, url: str, *, clock: Callable[[], datetime] = china_now, tell_tickets: bool = False
    ) -> None:
        self._db = Database(url)
        self._now = clock
        self._tell_tickets = tell_tickets
        self.outbox = outbox.Messages(self._db, clock)
        self.queue = Queue(self._db, clock)
        self.commands = Commands(self._db, clock)
        self.accounts = Accounts(self._db, clock)
        self.audit = Audit(self._db, clock)
        self.callbacks = Callbacks(self._db, clock)
        self.workplace = Workplace(self._db, clock)

    def close(self) -> None:
        """Close all connections."""
        self._db.close()

    @contextmanager
    def batch(self, *, all_or_none: bool = False) -> Iterator[None]:
        """Commit all writes of this thread within the block at once; each of them can still fail alone.

        With `all_or_none`, which is several times cheaper, none can: whatever is raised must leave the block.
        A turn or event of a call that was never saved, which else makes the call's row, is then refused too.
        """
        with self._db.write(all_or_none=all_or_none):
            yield

    # Calls

    def save_call(self, call_id: str, **fields: Any) -> None:
        """Add a call or change the given fields: node, caller, callee, started_at, answered_at, ended_at
        (aware datetimes or ISO 8601), end_reason, outcome, recording, ticket_id, satisfaction."""
        with self._db.write() as connection:
            calls.save_call(connection, call_id, self._now(), fields)

    def save_turn(self, call_id: str, index: int, **fields: Any) -> None:
        """Add a turn or change the given fields; they are those of a turn in docs/interface.md."""
        with self._db.write() as connection:
            calls.save_turn(connection, call_id, index, self._now(), fields)

    def add_event(self, call_id: str, at_s: float, kind: str, detail: Mapping[str, Any]) -> None:
        """Add what happened `at_s` seconds after the answer; `detail` must be writable as JSON."""
        with self._db.write() as connection:
            calls.add_event(connection, call_id, at_s, kind, detail, self._now())

    def add_line(self, call_id: str, quality: Mapping[str, Any]) -> None:
        """Add what one leg's audio was like, as in docs/interface.md; `quality` must be writable as JSON."""
        with self._db.write() as connection:
            calls.add_line(connection, call_id, quality, self._now())

    def save_transfer(
        self, call_id: str, reason: str, summary: Mapping[str, Any], seat: str, outcome: str
    ) -> None:
        """Add or replace the call's transfer; `outcome` is empty while it is under way."""
        values = {"reason": reason, "summary": dict(summary), "seat": seat, "outcome": outcome}
        with self._db.write() as connection:
            calls.save_transfer(connection, call_id, self._now(), values)

    def calls(
        self,
        from_: datetime | None = None,
        to: datetime | None = None,
        caller: str = "",
        q: str = "",
        outcome: str = "",
        page: int = 1,
    ) -> dict[str, Any]:
        """A page (from 1) of calls, newest first, as {"items", "total", "page"}.

        `from_` <= started_at < `to`; `caller` is any part of the number; `q` is looked for in what was said.
        An item is a call without turns, events, transfer and line, but with turn_count and first_words.
        """
        with self._db.read() as connection:
            return calls.list_calls(
                connection, from_=from_, to=to, caller=caller, q=q, outcome=outcome, page=page
            )

    def call(self, call_id: str) -> dict[str, Any] | None:
        """A call with all that happened in it, as in docs/interface.md; None if there is none."""
        with self._db.read() as connection:
            return calls.get_call(connection, call_id)

    def close_unfinished(self, node: str) -> list[ClosedCall]:
        """Close the calls a died process left open, at their last turn or event; free their seats."""
        with self._db.write() as connection:
            return calls.close_unfinished(connection, node)

    def lost_calls(self, node: str) -> list[ClosedCall]:
        """The calls that were closed because the node's process had died, by itself or by another node."""
        with self._db.read() as connection:
            return calls.lost_calls(connection, node)

    # Work orders

    def file_ticket(
        self,
        key: str,
        *,
        call_id: str | None,
        caller: str,
        category: str,
        department: str,
        urgency: str,
        title: str,
        text: str,
        slots: Mapping[str, str],
        secret: bool = False,
        joins: str = "",
    ) -> str:
        """File a work order and return its number (11 digits); the same `key` gets the same number."""
        fields = {
            "call_id": call_id,
            "caller": caller,
            "category": category,
            "department": department,
            "urgency": urgency,
            "title": title,
            "text": text,
            "slots": slots,
            "secret": secret,
            "joins": joins,
        }
        with self._db.write() as connection:
            now = self._now()
            number = tickets.file_ticket(connection, key, now, fields)
            found = tickets.get_ticket(connection, number) if self._tell_tickets else None
            if found:
                outbox.put_ticket(connection, "ticket.filed", found, now)
            return number

    def ticket(self, number: str) -> dict[str, Any] | None:
        """A work order, None if there is none; its status is one of records.tickets.TICKET_STATUS."""
        with self._db.read() as connection:
            return tickets.get_ticket(connection, number)

    def tickets(
        self, status: str = "", caller: str = "", department: str = "", q: str = "", page: int = 1
    ) -> dict[str, Any]:
        """A page of work orders, newest first; `q` is looked for in title and text, or is a number."""
        with self._db.read() as connection:
            return tickets.list_tickets(
                connection, status=status, caller=caller, department=department, q=q, page=page
            )

    def tickets_of_caller(self, caller: str, limit: int = 20) -> list[dict[str, Any]]:
        """The newest work orders of a telephone number; none for a withheld one."""
        with self._db.read() as connection:
            return tickets.tickets_of_caller(connection, caller, limit)

    def open_ticket_like(self, category: str, place: str) -> dict[str, Any] | None:
        """The newest open work order of this category at this very place; None for an unknown place."""
        with self._db.read() as connection:
            return tickets.open_ticket_like(connection, category, place)

    def update_ticket(self, number: str, **fields: Any) -> dict[str, Any]:
        """Change category, department, urgency, title, text, slots or status; returns the work order.

        Raises NotFound, ValueError.
        """
        with self._db.write() as connection:
            now = self._now()
            changed = tickets.update_ticket(connection, number, now, fields)
            if self._tell_tickets:
                outbox.put_ticket(connection, "ticket.updated", changed, now)
            return changed

    # Knowledge

    def put_passages(self, passages: Iterable[Mapping[str, Any]]) -> int:
        """Add passages, or replace those of the same id, all or none; the knowledge base's new revision.

        The fields are those of a passage in docs/interface.md, days as dates or ISO 8601. Raises ValueError.
        """
        return self.change_passages(passages)

    def remove_passages(self, ids: Collection[str]) -> int:
        """Take passages out, all or none; the new revision. Raises NotFound."""
        return self.change_passages((), ids)

    def change_passages(
        self,
        changed: Iterable[Mapping[str, Any]],
        removed: Collection[str] = (),
        *,
        since: int | None = None,
    ) -> int:
        """`put_passages` and `remove_passages` at once, as one revision.

        Raises Conflict when the knowledge base has another revision than `since`, NotFound, ValueError.
        """
        rows = knowledge.as_rows(changed)
        with self._db.write() as connection:
            return knowledge.change(connection, self._now(), rows, removed, since=since)

    def add_passage(self, passage: Mapping[str, Any]) -> int:
        """Add a passage whose id is not taken; the new revision. Raises Conflict, ValueError."""
        with self._db.write() as connection:
            return knowledge.add(connection, self._now(), passage)

    def replace_passage(self, passage: Mapping[str, Any]) -> int:
        """Replace a passage that is there; the new revision. Raises NotFound, ValueError."""
        with self._db.write() as connection:
            return knowledge.replace(connection, self._now(), passage)

    def knowledge_revision(self) -> int:
        """The revision of the knowledge base: how often it was changed, 0 for never."""
        with self._db.read() as connection:
            return knowledge.revision(connection)

    def passages_since(self, revision: int) -> tuple[list[dict[str, Any]], list[str], int]:
        """What changed after `revision`: passages, ids of removed ones, the newest revision; 0: all."""
        with self._db.read() as connection:
            return knowledge.since(connection, revision)

    def passages(self, q: str = "", page: int = 1) -> dict[str, Any]:
        """A page of passages, newest change first; `q` is part of question, answer or source, or an id."""
        with self._db.read() as connection:
            return knowledge.find(connection, q, page)

    def passage(self, passage_id: str) -> dict[str, Any] | None:
        """A passage, None if there is none."""
        with self._db.read() as connection:
            return knowledge.get(connection, passage_id)

    def count_passages(self) -> int:
        """How many passages there are."""
        with self._db.read() as connection:
            return knowledge.count(connection)

    def turns_of_calls_with(self, kinds: Collection[str], from_: datetime) -> Sequence[Mapping[str, Any]]:
        """All turns, call by call, of calls since `from_` where an agent's `decision` is of one of `kinds`.

        Each is {"call_id", "index", "who", "text", "decision", "started_at" (of the call)}.
        """
        with self._db.read() as connection:
            return knowledge.turns_of_calls_with(connection, sorted(kinds), from_)

    # Seats

    def seed_seats(self, configured: Iterable[Mapping[str, Any]]) -> None:
        """Have each seat {"id", "name", "uri", "skills", "status"}: new ones start with that status (away
        if none is given), known ones keep their own."""
        with self._db.write() as connection:
            for seat in configured:
                seats.save_seat(
                    connection,
                    seat["id"],
                    seat.get("name") or seat["id"],
                    seat["uri"],
                    seat.get("skills", ()),
                    self._now(),
                    seat.get("status", "away"),
                )

    def seats(self) -> list[dict[str, Any]]:
        """All seats as {"id", "name", "uri", "skills", "status", "since", "call_id"}."""
        with self._db.read() as connection:
            return seats.list_seats(connection)

    def set_seat_status(self, seat_id: str, status: str, *, unless: Collection[str] = ()) -> bool:
        """Set a seat's status, unless it is one of `unless` now (then False). Raises NotFound, ValueError."""
        with self._db.write() as connection:
            return seats.set_status(connection, seat_id, status, self._now(), unless=unless)

    def claim_seat(self, skill: str, call_id: str, *, exclude: Collection[str] = ()) -> dict[str, Any] | None:
        """Take a free seat for a call (free -> ringing): one with the skill first, then the longest idle.

        None when no seat is free; `exclude` holds the ids of seats that this call shall not try again.
        """
        with self._db.write() as connection:
            return seats.claim(connection, skill, call_id, self._now(), exclude)

    def seat_verdict(self, seat_id: str) -> str:
        """What the seat did on the desk with the call that it rings for: accepted, declined or ""."""
        with self._db.read() as connection:
            return seats.verdict(connection, seat_id)

    def set_verdict(self, seat_id: str, verdict: str) -> bool:
        """The seat takes (accepted) or declines the call that it rings for; False when it does not ring."""
        with self._db.write() as connection:
            return seats.set_verdict(connection, seat_id, verdict)

    def release_seat(self, seat_id: str, status: str = "free") -> None:
        """Let go of a claimed seat. Raises NotFound, ValueError."""
        self.set_seat_status(seat_id, status)

    # Accounts

    def add_user(self, name: str, role: str, password: str, *, must_change: bool = False) -> None:
        """Add an account with the role seat, ops or admin. Raises Conflict, ValueError."""
        self.accounts.add(name, role, users.hash_password(password), must_change=must_change)

    def users(self) -> list[dict[str, Any]]:
        """All accounts, as `Accounts.all`."""
        return self.accounts.all()

    def set_password(self, name: str, password: str) -> None:
        """Set a password and end the account's sessions. Raises NotFound, ValueError."""
        self.accounts.set_password(name, users.hash_password(password))

    def verify_user(self, name: str, password: str) -> User | None:
        """The account, if the password is right and it is not locked; wrong ones are counted."""
        return self.accounts.admit(self.accounts.prove(name, password), code=None).user

    def first_admin(self) -> str | None:
        """On the very first start create the account admin and return its one-time password, else None."""
        password = secrets.token_urlsafe(12)
        hashed = users.hash_password(password)
        with self._db.write() as connection:
            if users.count(connection):
                return None
            users.add(connection, "admin", "admin", hashed, self._now(), True)
        return password

    def open_session(self, name: str, ttl_s: float) -> str:
        """A new random token that stands for the account for `ttl_s` seconds."""
        with self._db.write() as connection:
            return users.open_session(connection, name, self._now(), ttl_s)

    def session_user(self, token: str) -> User | None:
        """The account a session token stands for, None if it is unknown or over."""
        with self._db.read() as connection:
            return users.session_user(connection, token, self._now())

    def close_session(self, token: str) -> None:
        """End a session; harmless when it is over."""
        with self._db.write() as connection:
            users.close_session(connection, token)
