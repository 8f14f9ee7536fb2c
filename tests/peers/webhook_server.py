"""A city's work order system on loopback: takes signed messages once by key, and fails in every way told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

MAX_AGE_S = 300


@dataclass
class Request:
    """One message as it arrived, and the means to answer it."""

    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    at_s: float

    @property
    def key(self) -> str:
        return self.headers["x-hotline-key"]

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message

    async def answer(self, status: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()


Script: TypeAlias = Callable[["WebhookServer", Request], Awaitable[None]]


@dataclass
class WebhookServer:
    """Answers the n-th message by the n-th script, further ones by `takes`; keeps all that came."""

    secret: str
    scripts: list[Script]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key, in their order
    open_keys: set[str] = field(default_factory=set)
    at_once: int = 0  # times a message came while the same one was being answered
    unsigned: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has hung up, as it may
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
        body = await reader.readexactly(int(headers["content-length"]))
        request = Request(headers, body, writer, time.monotonic())
        self.requests.append(request)
        if not self._signed(request):
            self.unsigned += 1
            await request.answer("401 Unauthorized", body="签名不对".encode())
            return
        self.at_once += request.key in self.open_keys
        self.open_keys.add(request.key)
        try:
            number = len(self.requests) - 1
            await (self.scripts[number] if number < len(self.scripts) else takes)(self, request)
        finally:
            self.open_keys.discard(request.key)

    def _signed(self, request: Request) -> bool:
        """As docs/operations.md tells receivers to check it."""
        timestamp = request.headers["x-hotline-timestamp"]
        signed = timestamp.encode() + b"." + request.body
        right = "sha256=" + hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(timestamp)) <= MAX_AGE_S
        same_key = request.message["key"] == request.key
        return fresh and same_key and hmac.compare_digest(right, request.headers["x-hotline-signature"])

    def take(self, request: Request) -> bool:
        """Keep the message; False where it is there already."""
        new = request.key not in self.taken
        self.taken.setdefault(request.key, request.message)
        return new


@asynccontextmanager
async def webhook_server(secret: str, *scripts: Script) -> AsyncIterator[WebhookServer]:
    """Run the system on a free port of loopback while the context lasts."""
    server = WebhookServer(secret, list(scripts))
    listener = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hotline"
    try:
        yield server
    finally:
        listener.close()


async def takes(server: WebhookServer, request: Request) -> None:
    """200, or 409 for a key that is there already."""
    await request.answer("200 OK" if server.take(request) else "409 Conflict")


def refuses(status: str, *headers: str, body: bytes = b"") -> Script:
    """An HTTP error."""

    async def script(_server: WebhookServer, request: Request) -> None:
        await request.answer(status, *headers, body=body)

    return script


async def hangs_up(_server: WebhookServer, request: Request) -> None:
    """Closes the connection without an answer."""
    request.writer.transport.abort()


async def takes_and_hangs_up(server: WebhookServer, request: Request) -> None:
    """Has the message, but nobody learns of it."""
    server.take(request)
    request.writer.transport.abort()


async def breaks_off(server: WebhookServer, request: Request) -> None:
    """Says 200 and closes the connection in the middle of the answer."""
    server.take(request)
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await request.writer.drain()
    request.writer.close()


async def talks_for_ever(_server: WebhookServer, request: Request) -> None:
    """An error page without an end."""
    request.writer.write(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not request.writer.is_closing():
        request.writer.write(b"100\r\n" + b"x" * 256 + b"\r\n")
        await request.writer.drain()


def takes_slowly(after_s: float) -> Script:
    """Has the message at once, and says so late."""

    async def script(server: WebhookServer, request: Request) -> None:
        new = server.take(request)
        await asyncio.sleep(after_s)
        await request.answer("200 OK" if new else "409 Conflict")

    return script
