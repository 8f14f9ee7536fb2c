"""Accounts, for admins: added with a one-time password, changed, unlocked, removed."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from desk.auth import only
from desk.models import Page
from desk.requests import Body
from desk.trail import Noted
from records.store import Store
from records.users import hash_password

Role = Literal["seat", "ops", "admin"]


class UserIn(Body):
    """An account to be added."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    role: Role


class UserPatch(BaseModel):
    """What is to be changed: `new_password` gives a one-time one, `totp` false drops the second factor."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    new_password: Literal[True] | None = None
    unlock: Literal[True] | None = None
    totp: Literal[False] | None = None


class User(BaseModel):
    """An account; `locked_until` is null while it is not locked; `totp`: signing in needs a code too."""

    name: str
    role: str
    must_change: bool
    locked_until: str | None
    totp: bool
    created_at: str


class UserChanged(User):
    """An account after a change; `one_time_password` is shown this once, null where none was made."""

    one_time_password: str | None


def accounts_router(store: Store) -> APIRouter:
    """The routes below /api/v1/users."""
    router = APIRouter(prefix="/api/v1/users", tags=["accounts"], dependencies=[only("admin")])

    @router.get("", response_model=Page[User])
    def list_users() -> dict[str, Any]:
        """All accounts."""
        found = store.accounts.all()
        return {"items": found, "total": len(found), "page": 1}

    @router.post("", status_code=201, response_model=UserChanged)
    def add_user(body: UserIn, noted: Noted) -> dict[str, Any]:
        """Add an account; its one-time password is in the answer."""
        password, hashed = _one_time_password()
        try:
            with store.batch():
                store.accounts.add(body.name, body.role, hashed, must_change=True)
                noted("user_added", body.name, role=body.role)
        except ValueError as error:
            raise HTTPException(422, f"name: {error}") from error
        return {**store.accounts.get(body.name), "one_time_password": password}

    @router.patch("/{name}", response_model=UserChanged)
    def change_user(name: str, body: UserPatch, noted: Noted) -> dict[str, Any]:
        """Give another role or a one-time password, which end sessions; unlock; reset the second factor."""
        before = store.accounts.get(name)
        if not body.model_fields_set:
            return {**before, "one_time_password": None}
        # Hashing takes long by design: before the transaction.
        password, hashed = _one_time_password() if body.new_password else (None, "")
        with store.batch():
            if body.role:
                store.accounts.set_role(name, body.role)
            if password:
                store.accounts.set_password(name, hashed, must_change=True)
            if body.unlock:
                store.accounts.unlock(name)
            if body.totp is False:
                store.accounts.drop_totp(name)
            noted("user_changed", name, **body.model_dump(exclude_none=True))
        return {**store.accounts.get(name), "one_time_password": password}

    @router.delete("/{name}", status_code=204)
    def remove_user(name: str, noted: Noted) -> Response:
        """Remove an account and end its sessions; 409 for the last admin."""
        with store.batch():
            store.accounts.remove(name)
            noted("user_removed", name)
        return Response(status_code=204)

    return router


def _one_time_password() -> tuple[str, str]:
    """A password, and its hash."""
    password = secrets.token_urlsafe(12)
    return password, hash_password(password)
