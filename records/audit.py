"""The audit trail: who did what, when and from where; only ever added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from records import to_iso
from records.calls import paged
from records.engine import Database
from records.schema import audit

_NEWEST = (audit.c.id.desc(),)


class Audit:
    """The audit trail of a store; calling it adds an entry.

    Within `Store.batch` an entry is in the same transaction as what it tells of: both are kept, or neither.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def __call__(
        self,
        who: str,
        role: str,
        action: str,
        about: str = "",
        detail: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> None:
        """Add that `who` (an account, or cli:LOGIN) did `action` (listen, login, …) to `about` (an id).

        `detail` must be writable as JSON, and holds neither callers' words nor secrets; `address` is where
        the request came from.
        """
        row = {"who": who, "role": role, "action": action, "about": about, "address": address}
        with self._db.write() as connection:
            at = to_iso(self._now())
            connection.execute(audit.insert().values(**row, at=at, detail=dict(detail or {})))

    def once(
        self, within_s: float, who: str, role: str, action: str, about: str = "", address: str = ""
    ) -> bool:
        """Add an entry unless the same one was added less than `within_s` ago, which gives False."""
        since = to_iso(self._now() - timedelta(seconds=within_s))
        row = {"who": who, "role": role, "action": action, "about": about, "address": address}
        same = [audit.c[name] == value for name, value in row.items()]
        query = select(audit.c.id).where(*same, audit.c.at > since).limit(1)
        with self._db.read() as connection:  # most of many ranges that a player asks for end here
            if connection.execute(query).first():
                return False
        with self._db.write() as connection:
            if connection.execute(query).first():
                return False
            self(who, role, action, about, address=address)
            return True

    def page(
        self,
        who: str = "",
        about: str = "",
        action: str = "",
        from_: datetime | None = None,
        to: datetime | None = None,
        page: int = 1,
    ) -> dict[str, Any]:
        """A page (from 1) of entries, newest first, as {"items", "total", "page"}; `from_` <= at < `to`.

        An item is {"id", "at", "who", "role", "action", "about", "detail", "address"}.
        """
        query = select(audit)
        for name, value in {"who": who, "about": about, "action": action}.items():
            if value:
                query = query.where(audit.c[name] == value)
        if from_ is not None:
            query = query.where(audit.c.at >= to_iso(from_))
        if to is not None:
            query = query.where(audit.c.at < to_iso(to))
        with self._db.read() as connection:
            return paged(connection, query, _NEWEST, page)
