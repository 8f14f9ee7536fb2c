"""Signing in and out, and changing one's password."""

from __future__ import annotations

import math

import anyio
import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from desk.auth import COOKIE, PASSWORD_PATH, SESSION_PATH, SESSION_TTL_S, Me, Throttle
from records.store import Store


class SignIn(BaseModel):
    """Name and password of an account."""

    name: str = Field(max_length=100)
    password: str = Field(max_length=200)


class NewPassword(BaseModel):
    """The password until now, and the one from now on."""

    old: str = Field(max_length=200)
    new: str = Field(max_length=200)


class Account(BaseModel):
    """Who is signed in; `must_change`: nothing else is allowed before the one-time password is changed."""

    name: str
    role: str
    must_change: bool


def session_router(store: Store) -> APIRouter:
    """The routes below /api/v1/session."""
    router = APIRouter(tags=["session"])
    throttle = Throttle()
    hashing = anyio.CapacityLimiter(2)  # a password check takes 64 MiB and all it gets of the processor

    @router.post(SESSION_PATH)
    async def sign_in(body: SignIn, request: Request, response: Response) -> Account:
        """Sign in; sets the session cookie."""
        key = (request.client.host if request.client else "", body.name)
        wait_s = throttle.wait_s(key)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise HTTPException(
                429, f"too many wrong passwords; wait {seconds} s", {"Retry-After": str(seconds)}
            )
        user = await anyio.to_thread.run_sync(store.verify_user, body.name, body.password, limiter=hashing)
        if user is None:
            throttle.failed(key)
            raise HTTPException(401, "wrong name or password")
        _set_cookie(
            request, response, await anyio.to_thread.run_sync(store.open_session, user.name, SESSION_TTL_S)
        )
        return Account(name=user.name, role=user.role, must_change=user.must_change)

    @router.get(SESSION_PATH)
    async def who(me: Me) -> Account:
        """Who is signed in."""
        return Account(name=me.name, role=me.role, must_change=me.must_change)

    @router.delete(SESSION_PATH, status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        """Sign out."""
        token = request.cookies.get(COOKIE)
        if token:
            await anyio.to_thread.run_sync(store.close_session, token)
        response.delete_cookie(COOKIE)

    @router.put(PASSWORD_PATH)
    async def change_password(body: NewPassword, me: Me, request: Request, response: Response) -> Account:
        """Change one's own password; ends all other sessions of the account."""
        user = await anyio.to_thread.run_sync(store.verify_user, me.name, body.old, limiter=hashing)
        if user is None:
            raise HTTPException(403, "the password until now is wrong")
        if body.new == body.old:
            raise HTTPException(422, "the new password is the old one")
        try:
            await anyio.to_thread.run_sync(store.set_password, me.name, body.new, limiter=hashing)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        _set_cookie(
            request, response, await anyio.to_thread.run_sync(store.open_session, me.name, SESSION_TTL_S)
        )
        return Account(name=me.name, role=me.role, must_change=False)

    return router


def _set_cookie(request: Request, response: Response, token: str) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION_TTL_S), httponly=True, samesite="lax", secure=secure
    )
