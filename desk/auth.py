"""Who may do what: every request is refused unless signed in, or to one of a few open paths."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import anyio.to_thread
from fastapi import Depends, HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from records import RecordsError
from records.store import Store
from records.users import MACHINE

COOKIE = "hotline_session"
SESSION_TTL_S = 12 * 3600.0
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/favicon.ico"})
OPEN_PREFIX = "/static/"  # the pages' own scripts and styles; no data
SESSION_PATH = "/api/v1/session"
PASSWORD_PATH = "/api/v1/session/password"
TOTP_PATH = "/api/v1/session/totp"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request: an account by its session, or a machine by the fixed token (role admin)."""

    name: str
    role: str
    must_change: bool = False


class Gate:
    """The ASGI layer around the desk that lets through only who is signed in."""

    def __init__(self, app: ASGIApp, *, store: Store, api_token: str | None) -> None:
        self._app = app
        self._store = store
        self._api_token = api_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the desk has no websockets
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refusal = await self._refusal(scope)
        except RecordsError as error:
            refusal = _denied(503, str(error))
        await (refusal or self._app)(scope, receive, send_with_headers)

    async def _refusal(self, scope: Scope) -> Response | None:
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            return None
        if path == SESSION_PATH and method == "POST":
            stranger = "origin" in headers and not same_origin(headers)
            return _denied(403, "sign in from the desk's own page") if stranger else None
        bearer = _bearer(headers)
        token = bearer or cookie_parser(headers.get("cookie", "")).get(COOKIE)
        identity = await self._identify(token, bearer is not None) if token else None
        if identity is None:
            if path.startswith("/api/") or path == "/metrics":
                return _denied(401, "sign in, or send Authorization: Bearer TOKEN")
            query = scope["query_string"].decode("latin-1")
            return RedirectResponse(
                f"/login?next={quote(f'{path}?{query}' if query else path, safe='/')}", 303
            )
        if bearer is None and method not in SAFE_METHODS and not same_origin(headers):
            return _denied(403, "a change with the session cookie must come from the desk's own page")
        if identity.must_change and path not in (SESSION_PATH, PASSWORD_PATH):
            if path.startswith("/api/") or path == "/metrics":
                return _denied(403, f"change the one-time password first: PUT {PASSWORD_PATH}")
            return RedirectResponse("/login", 303)
        scope.setdefault("state", {})["identity"] = identity
        return None

    async def _identify(self, token: str, by_bearer: bool) -> Identity | None:
        if by_bearer and self._api_token and hmac.compare_digest(token.encode(), self._api_token.encode()):
            return Identity(MACHINE, "admin")
        user = await anyio.to_thread.run_sync(self._store.session_user, token)
        return Identity(user.name, user.role, user.must_change) if user else None


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that the request comes from a page of this very site."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _denied(status: int, detail: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"detail": detail}, status, headers)


def current(request: Request) -> Identity:
    """The sender of a request that passed the gate."""
    identity: Identity = request.state.identity
    return identity


Me = Annotated[Identity, Depends(current)]


def only(*roles: str) -> Any:
    """A dependency that lets through these roles alone."""

    def check(me: Me) -> None:
        if me.role not in roles:
            raise HTTPException(403, f"the role {me.role} may not do this; {' or '.join(roles)} may")

    return Depends(check)


class Throttle:
    """Slows down guessing: after `limit` failures within `window_s`, a key has to wait."""

    def __init__(
        self, limit: int = 5, window_s: float = 60.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._failures: dict[tuple[str, str], deque[float]] = {}

    def wait_s(self, key: tuple[str, str]) -> float:
        """Seconds until the key may try again, 0.0 for now."""
        failures = self._recent(key)
        return failures[0] + self._window_s - self._clock() if len(failures) >= self._limit else 0.0

    def failed(self, key: tuple[str, str]) -> None:
        """Count a failure."""
        if len(self._failures) > 10_000:  # forget those whose window has passed
            self._failures = {k: self._recent(k) for k in list(self._failures) if self._recent(k)}
        self._failures.setdefault(key, deque()).append(self._clock())

    def _recent(self, key: tuple[str, str]) -> deque[float]:
        failures = self._failures.get(key, deque())
        while failures and failures[0] <= self._clock() - self._window_s:
            failures.popleft()
        return failures
