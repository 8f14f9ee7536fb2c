"""What people at the desk want done in a running call, handed to the node that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from records import to_iso
from records.engine import Database
from records.schema import call_commands

ACTIONS = ("hold", "resume", "add", "drop", "send_on", "hand_back")


class Commands:
    """Commands to running calls; every method is one transaction and raises RecordsError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    def give(self, call_id: str, action: str, detail: Mapping[str, Any], by: str) -> None:
        """Ask for `action` in a call. Raises ValueError for an unknown one."""
        if action not in ACTIONS:
            raise ValueError(f"action {action!r} is unknown; right is one of {', '.join(ACTIONS)}")
        row = {"call_id": call_id, "action": action, "detail": dict(detail), "by": by}
        with self._db.write() as connection:
            connection.execute(call_commands.insert().values(**row, created_at=to_iso(self._now())))

    def take(self, call_id: str) -> list[dict[str, Any]]:
        """What was asked for since the last time, oldest first, as {"action", "detail", "by"}."""
        mine = (call_commands.c.call_id == call_id) & call_commands.c.taken.is_(False)
        with self._db.read() as connection:
            if connection.execute(select(call_commands.c.id).where(mine).limit(1)).first() is None:
                return []
        with self._db.write() as connection:
            rows = (
                connection.execute(select(call_commands).where(mine).order_by(call_commands.c.id))
                .mappings()
                .all()
            )
            connection.execute(update(call_commands).where(mine).values(taken=True))
        return [{key: row[key] for key in ("action", "detail", "by")} for row in rows]
