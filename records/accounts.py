"""Signing in, and what admins do with accounts: lock-out, second factor, roles, one-time passwords.

After LOCK_AFTER wrong passwords in a row, whichever nodes they were sent to, an account waits, twice as long
after each further one. Its second factor is a time-based code (RFC 6238) of which each is taken once:
`users.totp_secret` holds the secret and, after a colon, the time step of the last code taken, 0 while none
has confirmed it.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import pyotp
from sqlalchemy import Connection, delete, select, update

from records import Conflict, NotFound, to_iso
from records.engine import Database
from records.schema import sessions, users
from records.users import User, add, check_role, password_hash_of, password_is_right

LOCK_AFTER = 5
LOCK_S, MAX_LOCK_S = 60.0, 3600.0
STEP_S = 30  # of a code, as every authenticator has it
NEIGHBOURS = (0, -1, 1)  # steps by which the clock of a telephone may be off
OFF = ""  # as a totp_secret

Reason = Literal["", "password", "locked", "code_missing", "code"]


class Proof(NamedTuple):
    """That the password of a name was right or wrong, and by which hash."""

    name: str
    right: bool
    password_hash: str


class Admission(NamedTuple):
    """The account that may come in, or None and what was wrong."""

    user: User | None
    reason: Reason = ""


class Accounts:
    """The accounts of a store; every method but `prove` is one transaction, and all raise RecordsError."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._now = clock

    # Signing in

    def prove(self, name: str, password: str) -> Proof:
        """Check a password; takes tens of milliseconds by design, as long for a name that does not exist.

        So it stays outside any transaction; `admit` then decides.
        """
        with self._db.read() as connection:
            found = password_hash_of(connection, name)
        return Proof(name, password_is_right(found, password), found or "")

    def admit(self, proof: Proof, code: str | None = "") -> Admission:
        """Whether who gave this proof may come in; counts what was wrong, and forgets it after a success.

        `code` is of the second factor, None where that is not asked for. While an account is locked the right
        password is not taken either, and nothing is counted.
        """
        now = self._now()
        with self._db.write() as connection:
            row = _locked_row(connection, proof.name)
            if row is None:
                return Admission(None, "password")
            if row["locked_until"] and row["locked_until"] > to_iso(now):
                return Admission(None, "locked")
            if not proof.right or not hmac.compare_digest(row["password_hash"], proof.password_hash):
                _count_failure(connection, row, now)
                return Admission(None, "password")
            secret, confirmed = _parted(row["totp_secret"])
            kept = row["totp_secret"]
            if code is not None and confirmed:
                if not code:
                    return Admission(None, "code_missing")
                step = _step_of(secret, code, now, after=confirmed)
                if step is None:
                    _count_failure(connection, row, now)
                    return Admission(None, "code")
                kept = f"{secret}:{step}"
            _change(connection, proof.name, failures=0, locked_until=None, totp_secret=kept)
            return Admission(User(row["name"], row["role"], row["must_change"]))

    # The second factor

    def begin_totp(self, name: str) -> str:
        """A new secret for the account, to be confirmed; asks for nothing yet. Raises NotFound, Conflict."""
        secret = pyotp.random_base32()
        with self._db.write() as connection:
            row = _row(connection, name)
            if _parted(row["totp_secret"])[1]:
                raise Conflict(f"the second factor of {name} is on already; an admin can take it away")
            _change(connection, name, totp_secret=f"{secret}:0")
        return secret

    def confirm_totp(self, name: str, code: str) -> bool:
        """Have the code asked for from now on; False for a wrong one. Raises NotFound, Conflict."""
        with self._db.write() as connection:
            row = _row(connection, name)
            secret, confirmed = _parted(row["totp_secret"])
            if not secret or confirmed:
                raise Conflict(f"there is no second factor of {name} to be confirmed; begin one first")
            step = _step_of(secret, code, self._now(), after=0)
            if step is not None:
                _change(connection, name, totp_secret=f"{secret}:{step}")
            return step is not None

    def drop_totp(self, name: str) -> None:
        """Ask for the password alone again. Raises NotFound."""
        with self._db.write() as connection:
            _change(connection, name, totp_secret=OFF)

    # For admins

    def add(self, name: str, role: str, password_hash: str, *, must_change: bool = False) -> None:
        """Add an account; `must_change`: its password is for one time. Raises Conflict, ValueError."""
        with self._db.write() as connection:
            add(connection, name, role, password_hash, self._now(), must_change)

    def all(self) -> list[dict[str, Any]]:
        """All accounts by name, as `get` gives them."""
        with self._db.read() as connection:
            rows = connection.execute(select(users).order_by(users.c.name)).mappings()
            return [self._shown(dict(row)) for row in rows]

    def get(self, name: str) -> dict[str, Any]:
        """{"name", "role", "must_change", "locked_until" (None: it is not), "totp", "created_at"}.

        Raises NotFound.
        """
        with self._db.read() as connection:
            return self._shown(_row(connection, name))

    def set_role(self, name: str, role: str) -> None:
        """Give another role, which ends the account's sessions. Raises NotFound, Conflict, ValueError."""
        check_role(role)
        with self._db.write() as connection:
            if role != "admin":
                _keep_an_admin(connection, name)
            _change(connection, name, role=role)
            _end_sessions(connection, name)

    def set_password(self, name: str, password_hash: str, *, must_change: bool = False) -> None:
        """Give a password, which ends sessions and a lock. Raises NotFound."""
        with self._db.write() as connection:
            given = {"password_hash": password_hash, "must_change": must_change}
            _change(connection, name, **given, failures=0, locked_until=None)
            _end_sessions(connection, name)

    def unlock(self, name: str) -> None:
        """Let an account try again at once. Raises NotFound."""
        with self._db.write() as connection:
            _change(connection, name, failures=0, locked_until=None)

    def remove(self, name: str) -> None:
        """Remove an account with its sessions. Raises NotFound, Conflict for the last admin."""
        with self._db.write() as connection:
            _row(connection, name)
            _keep_an_admin(connection, name)
            connection.execute(delete(users).where(users.c.name == name))

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        until = row["locked_until"]
        return {
            **{key: row[key] for key in ("name", "role", "must_change", "created_at")},
            "locked_until": until if until and until > to_iso(self._now()) else None,
            "totp": _parted(row["totp_secret"])[1] > 0,
        }


def lock_s(failures: int) -> float:
    """How long an account waits after so many wrong passwords in a row."""
    if failures < LOCK_AFTER:
        return 0.0
    doubled = min(failures - LOCK_AFTER, math.ceil(math.log2(MAX_LOCK_S / LOCK_S)))
    return float(min(LOCK_S * 2**doubled, MAX_LOCK_S))


def _count_failure(connection: Connection, row: dict[str, Any], now: datetime) -> None:
    failures = row["failures"] + 1
    wait_s = lock_s(failures)
    until = to_iso(now + timedelta(seconds=wait_s)) if wait_s else None
    _change(connection, row["name"], failures=failures, locked_until=until)


def _step_of(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The time step that a code belongs to, None for a wrong one or one not newer than the last taken."""
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_S
    given = "".join(code.split()).encode()
    steps = [step for step in (present + by for by in NEIGHBOURS) if step > after]
    return next((s for s in steps if hmac.compare_digest(totp.generate_otp(s).encode(), given)), None)


def _parted(totp_secret: str) -> tuple[str, int]:
    """The secret, and the step of the last code taken: 0 while the second factor is not on."""
    secret, _, step = totp_secret.partition(":")
    return secret, int(step or 0)


def _locked_row(connection: Connection, name: str) -> dict[str, Any] | None:
    # The lock is for PostgreSQL, so that no wrong password goes uncounted; SQLite has one writer anyway.
    query = select(users).where(users.c.name == name).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row else None


def _row(connection: Connection, name: str) -> dict[str, Any]:
    row = connection.execute(select(users).where(users.c.name == name)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no user {name}")
    return dict(row)


def _change(connection: Connection, name: str, **values: Any) -> None:
    if connection.execute(update(users).where(users.c.name == name).values(values)).rowcount == 0:
        raise NotFound(f"there is no user {name}")


def _end_sessions(connection: Connection, name: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.user == name))


def _keep_an_admin(connection: Connection, name: str) -> None:
    """Raises Conflict where the account is the only admin; locks them, so that no two remove each other."""
    query = select(users.c.name).where(users.c.role == "admin").order_by(users.c.name).with_for_update()
    if connection.execute(query).scalars().all() == [name]:
        raise Conflict(f"{name} is the last admin; make another account an admin first")
