"""What every request goes through before its route: its size, its text, and parameters left empty."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, field_validator
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 1024 * 1024
_NO_NUL = "a NUL character is no part of any text"


class Body(BaseModel):
    """What a request brings; without NUL in its texts, which PostgreSQL cannot keep."""

    @field_validator("*", mode="before")
    @classmethod
    def _kept_by_any_database(cls, value: Any) -> Any:
        if _has_nul(value):
            raise ValueError(_NO_NUL)
        return value


def _has_nul(data: object) -> bool:
    if isinstance(data, str):
        return "\0" in data
    if isinstance(data, dict):
        return any(_has_nul(item) for pair in data.items() for item in pair)
    return isinstance(data, list) and any(map(_has_nul, data))


class Requests:
    """The ASGI layer that keeps from the routes what none of them is to see.

    A body larger than `MOST_BODY_BYTES`, or than `larger` allows for its path, is answered 413 before it is
    in memory, a NUL, which PostgreSQL cannot keep, 422. A parameter without a value (`?from=&to=`) is as good
    as left out.
    """

    def __init__(self, app: ASGIApp, *, larger: Mapping[str, int] = MappingProxyType({})) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], MOST_BODY_BYTES)
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            await JSONResponse({"detail": _NO_NUL}, 422)(scope, receive, send)
            return
        if _announced(scope) > most:
            await JSONResponse({"detail": _too_large(most)}, 413)(scope, receive, send)
            return
        if scope["path"].startswith("/api/"):
            scope = {**scope, "query_string": _without_empty(scope["query_string"])}
        await self._app(scope, _limited(receive, most), send)


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _limited(receive: Receive, most: int) -> Receive:
    """`receive` that ends with 413 when more comes than was announced, or nothing was."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise HTTPException(413, _too_large(most))
        return message

    return limited


def _too_large(most: int) -> str:
    return f"larger than {most >> 20} MiB; divide it"


def _without_empty(query: bytes) -> bytes:
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[2])
