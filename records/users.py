"""Accounts and their sessions; each function works within the connection it is given.

Passwords are kept as Argon2id hashes, session tokens as SHA-256 hashes: a copy of the database opens no door.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import Connection, delete, func, select

from records import Conflict, to_iso
from records.schema import sessions, users

ROLES = ("seat", "ops", "admin")
MIN_PASSWORD_LENGTH = 10
MAX_NAME_LENGTH = 100
MACHINE = "api-token"  # stands in the records for whoever has the fixed token
_hasher = PasswordHasher()


def _fits_none() -> str:
    """A hash that belongs to no password, as dear to verify as any and for nothing to make."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (_hasher.salt_len, _hasher.hash_len)
    )
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


# Verified for unknown names too, so that the time taken does not tell which names exist.
_NOBODY = _fits_none()


class User(NamedTuple):
    """An account; `must_change` until the one-time password it was given has been replaced."""

    name: str
    role: str
    must_change: bool


def hash_password(password: str) -> str:
    """Raises ValueError for a password that is too short."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise ValueError(f"the password is too short; it needs at least {MIN_PASSWORD_LENGTH} characters")
    return _hasher.hash(password)


def add(
    connection: Connection, name: str, role: str, password_hash: str, now: datetime, must_change: bool
) -> None:
    check_role(role)
    check_name(name)
    if connection.execute(select(users.c.name).where(users.c.name == name)).first():
        raise Conflict(f"there is a user {name} already")
    row = {"name": name, "role": role, "password_hash": password_hash}
    connection.execute(users.insert().values(**row, must_change=must_change, created_at=to_iso(now)))


def check_role(role: str) -> None:
    if role not in ROLES:
        raise ValueError(f"role {role!r} is unknown; right is one of {', '.join(ROLES)}")


def check_name(name: str) -> None:
    """Raises ValueError for a name that cannot be typed, or that the audit trail uses for somebody else."""
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError("a user needs a name without blanks around it")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"the name is too long; it may have {MAX_NAME_LENGTH} characters")
    if name in (MACHINE, ".", "..") or set("/:") & set(name):
        raise ValueError(f"a user cannot be called {name!r}; give a name without / and :")


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(users)).scalar_one())


def password_hash_of(connection: Connection, name: str) -> str | None:
    query = select(users.c.password_hash).where(users.c.name == name)
    hashed: str | None = connection.execute(query).scalar_one_or_none()
    return hashed


def password_is_right(hashed: str | None, password: str) -> bool:
    """Check a password (tens of milliseconds by design, so outside any transaction); None: of nobody."""
    try:
        _hasher.verify(hashed or _NOBODY, password)
    except VerificationError:
        return False
    return hashed is not None


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(connection: Connection, name: str, now: datetime, ttl_s: float) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(delete(sessions).where(sessions.c.expires_at < to_iso(now)))
    row = {"token_hash": token_hash(token), "user": name, "created_at": to_iso(now)}
    connection.execute(sessions.insert().values(**row, expires_at=to_iso(now + timedelta(seconds=ttl_s))))
    return token


def session_user(connection: Connection, token: str, now: datetime) -> User | None:
    query = (
        select(users.c.name, users.c.role, users.c.must_change)
        .join(sessions, sessions.c.user == users.c.name)
        .where(sessions.c.token_hash == token_hash(token), sessions.c.expires_at >= to_iso(now))
    )
    row = connection.execute(query).one_or_none()
    return User(*row) if row else None


def close_session(connection: Connection, token: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash(token)))
