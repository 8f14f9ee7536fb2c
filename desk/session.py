"""Signing in and out, changing one's password, and having a second factor asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import anyio
import anyio.to_thread
import segno
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field
from pyotp import TOTP

from desk.auth import COOKIE, PASSWORD_PATH, SESSION_PATH, SESSION_TTL_S, TOTP_PATH, Me, Throttle
from desk.requests import Body
from desk.trail import Noted, Trail, address_of
from records.accounts import Admission, Proof, Reason
from records.store import Store
from records.users import hash_password

ISSUER = "12345"  # what an authenticator shows beside the name
_REFUSED = "wrong name or password; after several wrong ones an account waits, or is unlocked by an admin"
_REFUSALS: Mapping[Reason, str] = {
    "code_missing": "send the code of the second factor as well",
    "code": "the code of the second factor is wrong, or was used already",
}


class SignIn(Body):
    """Name and password of an account, and the code of its second factor where that is on."""

    name: str = Field(max_length=100)
    password: str = Field(max_length=200)
    code: str = Field("", max_length=20)


class Password(Body):
    """One's own password, once more."""

    password: str = Field(max_length=200)


class Code(Body):
    """A code of the authenticator."""

    code: str = Field(max_length=20)


class SecondFactor(BaseModel):
    """For the authenticator, shown this once: the secret (base32), and the same as an otpauth:// address.

    `qr` is that address as a QR code: a data: URI of an SVG, drawn here, as nobody else may see it.
    """

    secret: str
    uri: str
    qr: str


class NewPassword(Body):
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

    async def prove(name: str, password: str) -> Proof:
        return await anyio.to_thread.run_sync(store.accounts.prove, name, password, limiter=hashing)

    @router.post(SESSION_PATH)
    async def sign_in(body: SignIn, request: Request, response: Response) -> Account:
        """Sign in; sets the session cookie. 401 with `WWW-Authenticate: TOTP` asks for the code too."""
        address = address_of(request)
        wait_s = throttle.wait_s((address, body.name))
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise HTTPException(
                429, f"too many wrong passwords; wait {seconds} s", {"Retry-After": str(seconds)}
            )
        proof = await prove(body.name, body.password)
        (user, reason), token = await anyio.to_thread.run_sync(_admit, store, proof, body.code, address)
        if user is None:
            if reason != "code_missing":
                throttle.failed((address, body.name))
            challenge = {"WWW-Authenticate": "TOTP"} if reason in _REFUSALS else None
            raise HTTPException(401, _REFUSALS.get(reason, _REFUSED), challenge)
        _set_cookie(request, response, token)
        return Account(name=user.name, role=user.role, must_change=user.must_change)

    @router.get(SESSION_PATH)
    async def who(me: Me) -> Account:
        """Who is signed in."""
        return Account(name=me.name, role=me.role, must_change=me.must_change)

    @router.delete(SESSION_PATH, status_code=204)
    async def sign_out(request: Request, response: Response, noted: Noted) -> None:
        """Sign out."""
        token = request.cookies.get(COOKIE)
        if token:
            await anyio.to_thread.run_sync(_close_session, store, token, noted)
        response.delete_cookie(COOKIE)

    @router.put(PASSWORD_PATH)
    async def change_password(
        body: NewPassword, me: Me, noted: Noted, request: Request, response: Response
    ) -> Account:
        """Change one's own password; ends all other sessions of the account."""
        await _ask_again(store, await prove(me.name, body.old), noted)
        if body.new == body.old:
            raise HTTPException(422, "the new password is the old one")
        try:
            hashed = await anyio.to_thread.run_sync(hash_password, body.new, limiter=hashing)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        token = await anyio.to_thread.run_sync(_change_password, store, me.name, hashed, noted)
        _set_cookie(request, response, token)
        return Account(name=me.name, role=me.role, must_change=False)

    @router.post(TOTP_PATH)
    async def begin_second_factor(body: Password, me: Me, noted: Noted) -> SecondFactor:
        """Begin a second factor (RFC 6238); it is on once a code of it was sent by PUT."""
        await _ask_again(store, await prove(me.name, body.password), noted)
        secret = await anyio.to_thread.run_sync(store.accounts.begin_totp, me.name)
        uri = TOTP(secret).provisioning_uri(name=me.name, issuer_name=ISSUER)
        qr = segno.make(uri, error="m", micro=False).svg_data_uri(light="#fff")
        return SecondFactor(secret=secret, uri=uri, qr=qr)

    @router.put(TOTP_PATH, status_code=204)
    def confirm_second_factor(body: Code, me: Me, noted: Noted) -> Response:
        """Have a code asked for from now on."""
        with store.batch():
            if not store.accounts.confirm_totp(me.name, body.code):
                raise HTTPException(422, f"code: {_REFUSALS['code']}")
            noted("totp_on", me.name)
        return Response(status_code=204)

    return router


def _admit(store: Store, proof: Proof, code: str, address: str) -> tuple[Admission, str]:
    """Decide, with a session for who may come in; in one transaction, so that names take the same time."""
    with store.batch():
        admission = store.accounts.admit(proof, code)
        user, reason = admission
        if user is not None:
            store.audit(user.name, user.role, "login", address=address)
            return admission, store.open_session(user.name, SESSION_TTL_S)
        if reason != "code_missing":
            # Nobody has shown to be this account.
            store.audit("", "", "login_failed", proof.name, {"reason": reason}, address)
        return admission, ""


async def _ask_again(store: Store, proof: Proof, noted: Trail) -> None:
    """Raises HTTPException where the one who has the session does not know its password."""

    def admit() -> bool:
        with store.batch():
            user, reason = store.accounts.admit(proof, code=None)
            if user is None:
                noted("password_refused", proof.name, reason=reason)
            return user is not None

    if not await anyio.to_thread.run_sync(admit):
        raise HTTPException(403, "the password until now is wrong; after several wrong ones it takes a while")


def _change_password(store: Store, name: str, password_hash: str, noted: Trail) -> str:
    """The token of a new session; all others end."""
    with store.batch():
        store.accounts.set_password(name, password_hash)
        noted("password_changed", name)
        return store.open_session(name, SESSION_TTL_S)


def _close_session(store: Store, token: str, noted: Trail) -> None:
    with store.batch():
        store.close_session(token)
        noted("logout")


def _set_cookie(request: Request, response: Response, token: str) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION_TTL_S), httponly=True, samesite="lax", secure=secure
    )
