"""A scripted OpenAI-compatible endpoint on loopback: real HTTP, real SSE, and every way to fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Script: TypeAlias = Callable[["Request"], Awaitable[None]]


@dataclass
class Request:
    """One request as it arrived, and the means to answer it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    kept: bool = False  # the connection may serve another request after this

    async def send(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data) if self.kept else data)
        await self.writer.drain()

    async def head(self, status: str = "200 OK", kind: str = "text/event-stream") -> None:
        await self.send(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode())

    async def kept_head(self) -> None:
        """Begin an answer in chunks, after which the connection stays."""
        await self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.kept = True

    async def event(self, data: str) -> None:
        await self.send(f"data: {data}\n\n".encode())

    async def delta(self, finish: str | None = None, **delta: Any) -> None:
        await self.event(json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))


@dataclass
class LlmServer:
    """Answers the n-th request by the n-th script (the last again and again) and keeps what it was asked."""

    scripts: list[Script]
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # the first request has come
    hung_up: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # a client closed before the answer was over

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (await self._answer(reader, writer)).kept:
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()  # which a client under test may do
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines) if k}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        request = Request(start.split()[1], headers, body, reader, writer)
        self.requests.append(request)
        self.asked.set()
        await self.scripts[min(len(self.requests), len(self.scripts)) - 1](request)
        return request


@asynccontextmanager
async def llm_server(*scripts: Script) -> AsyncIterator[LlmServer]:
    """Run the endpoint on a free port of loopback while the context lasts; `url` ends in /v1."""
    server = LlmServer(list(scripts))
    listener = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()


def says(*parts: str) -> Script:
    """A good answer in these pieces."""

    async def script(request: Request) -> None:
        await request.head()
        await request.delta(role="assistant", content="")
        for part in parts:
            await request.delta(content=part)
        await request.delta(finish="stop")
        await request.event("[DONE]")

    return script


def says_as_likely(logprob: float | None, *parts: str, thoughts: str = "") -> Script:
    """As `says`; for who asks, with this logprob for each piece, and -9 for what is thought aloud."""

    async def script(request: Request) -> None:
        await request.head()
        pieces = [(f"<think>{thoughts}", -9.0), ("</think>", -9.0)] if thoughts else []
        for part, value in [*pieces, *((part, logprob) for part in parts)]:
            choice: dict[str, Any] = {"index": 0, "delta": {"content": part}, "finish_reason": None}
            if request.body.get("logprobs"):
                choice["logprobs"] = {"content": [{"token": part, "logprob": value, "top_logprobs": []}]}
            await request.event(json.dumps({"choices": [choice]}))
        await request.delta(finish="stop")
        await request.event("[DONE]")

    return script


def calls_tool(name: str, arguments: str, text: str = "") -> Script:
    """A tool call whose arguments come in two pieces, with or without words before it."""

    async def script(request: Request) -> None:
        await request.head()
        if text:
            await request.delta(content=text)
        half = len(arguments) // 2
        await request.delta(
            tool_calls=[{"index": 0, "id": "c", "function": {"name": name, "arguments": arguments[:half]}}]
        )
        await request.delta(tool_calls=[{"index": 0, "function": {"arguments": arguments[half:]}}])
        await request.delta(finish="tool_calls")
        await request.event("[DONE]")

    return script


def refuses(status: str) -> Script:
    """An HTTP error."""

    async def script(request: Request) -> None:
        await request.head(status, "application/json")
        await request.send(b'{"error": {"message": "scripted"}}')

    return script


def breaks_off(*parts: str) -> Script:
    """Says these pieces and closes the connection in the middle of the answer."""

    async def script(request: Request) -> None:
        await request.head()
        for part in parts:
            await request.delta(content=part)

    return script


def resets() -> Script:
    """Closes the connection without a word."""

    async def script(request: Request) -> None:
        request.writer.transport.abort()

    return script


def garbles(*parts: str) -> Script:
    """Says these pieces, then sends an event that is not JSON."""

    async def script(request: Request) -> None:
        await request.head()
        for part in parts:
            await request.delta(content=part)
        await request.event('{"choices": [{"delta": {"cont')
        await request.event("[DONE]")

    return script


def dribbles(*parts: str) -> Script:
    """Says these pieces, then only keeps the connection alive, until the client hangs up."""

    async def script(request: Request) -> None:
        await request.head()
        for part in parts:
            await request.delta(content=part)
        while not request.writer.is_closing():
            await request.send(b": keep-alive\n\n")
            await request.delta(content="")
            await asyncio.sleep(0.02)

    return script


def drips(*parts: str, every_s: float) -> Script:
    """Says the last of these pieces again and again, one piece every so often, until the client hangs up."""

    async def script(request: Request) -> None:
        await request.head()
        for part in parts[:-1]:
            await request.delta(content=part)
        while not request.writer.is_closing():
            await request.delta(content=parts[-1])
            await asyncio.sleep(every_s)

    return script


def drips_arguments(name: str, *, every_s: float) -> Script:
    """Begins a tool call whose arguments never end."""

    async def script(request: Request) -> None:
        await request.head()
        await request.delta(
            tool_calls=[{"index": 0, "function": {"name": name, "arguments": '{"request": "'}}]
        )
        while not request.writer.is_closing():
            await request.delta(tool_calls=[{"index": 0, "function": {"arguments": "很"}}])
            await asyncio.sleep(every_s)

    return script


def thinks_for_ever() -> Script:
    """Takes the request and says nothing, not even a status, until the client hangs up."""

    async def script(request: Request) -> None:
        while await request.reader.read(1024):
            pass
        raise ConnectionResetError

    return script


def lingers(*parts: str) -> Script:
    """A good answer, after which the connection stays open, without [DONE], until the client hangs up."""

    async def script(request: Request) -> None:
        await request.head()
        for part in parts:
            await request.delta(content=part)
        await request.delta(finish="stop")
        await thinks_for_ever()(request)

    return script


def says_and_stays(*parts: str) -> Script:
    """A good answer on a connection that then serves the next request."""

    async def script(request: Request) -> None:
        await request.kept_head()
        for part in parts:
            await request.delta(content=part, finish="null")
        await request.delta(finish="stop")
        await request.event("[DONE]")
        await request.send(b"")

    return script


def calls_tools(*calls: tuple[str, str], text: str = "") -> Script:
    """Several tool calls (name, arguments) at once, behind words if any."""

    async def script(request: Request) -> None:
        await request.head()
        if text:
            await request.delta(content=text)
        for index, (name, arguments) in enumerate(calls):
            function = {"name": name, "arguments": arguments}
            await request.delta(tool_calls=[{"index": index, "id": f"call{index}", "function": function}])
        await request.delta(finish="tool_calls")
        await request.event("[DONE]")

    return script


def asks_for_rest(retry_after: str, status: str = "429 Too Many Requests") -> Script:
    """An HTTP error that says when to come again."""

    async def script(request: Request) -> None:
        await request.head(f"{status}\r\nRetry-After: {retry_after}", "application/json")
        await request.send(b'{"error": {"message": "scripted"}}')

    return script


def reasons(thoughts: str, *parts: str) -> Script:
    """Thinks aloud in reasoning_content, as some servers stream it, and then says these pieces."""

    async def script(request: Request) -> None:
        await request.head()
        for at in range(0, len(thoughts), 3):
            await request.delta(reasoning_content=thoughts[at : at + 3])
        for part in parts:
            await request.delta(content=part)
        await request.delta(finish="stop")
        await request.event("[DONE]")

    return script
