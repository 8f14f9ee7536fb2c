"""A scripted OpenAI-compatible endpoint for embeddings on loopback: real HTTP, and ways to fail."""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SIZE = 64


def vector(text: str) -> list[float]:
    """What the model makes of a text: the same for the same characters in any order."""
    numbers = [0.01] * SIZE
    for char in text:
        numbers[zlib.crc32(char.encode()) % SIZE] += 1.0
    return numbers


def honest(texts: list[str]) -> tuple[int, bytes]:
    """One vector for each text, in another order, as the protocol allows."""
    data = [{"object": "embedding", "index": i, "embedding": vector(text)} for i, text in enumerate(texts)]
    return 200, json.dumps({"object": "list", "data": data[::-1], "model": "m"}).encode()


def answering(data: Any, status: int = 200) -> Callable[[list[str]], tuple[int, bytes]]:
    """Always this, whatever is asked."""
    return lambda texts: (status, json.dumps(data).encode())


def of_size(size: int) -> Callable[[list[str]], tuple[int, bytes]]:
    """Vectors of so many numbers."""
    return lambda texts: (
        200,
        json.dumps({"data": [{"index": i, "embedding": [1.0] * size} for i in range(len(texts))]}).encode(),
    )


ODD = {
    "not JSON": lambda texts: (200, b"<html>"),
    "no data": answering({}),
    "a list": answering([1, 2]),
    "one too few": lambda texts: honest(texts[1:]),
    "sizes that differ": lambda texts: (
        200,
        json.dumps(
            {"data": [{"index": i, "embedding": [1.0] * (i + 2)} for i in range(len(texts))]}
        ).encode(),
    ),
    "not numbers": lambda texts: (
        200,
        json.dumps({"data": [{"index": i, "embedding": ["x"]} for i in range(len(texts))]}).encode(),
    ),
    "nowhere": lambda texts: (
        200,
        json.dumps({"data": [{"index": i, "embedding": [0.0] * 4} for i in range(len(texts))]}).encode(),
    ),
    "not finite": lambda texts: (
        200,
        json.dumps({"data": [{"index": i, "embedding": [math.nan] * 4} for i in range(len(texts))]}).encode(),
    ),
    "500": answering({"error": {"message": "out of memory"}}, 500),
    "429": answering({"error": {"message": "slow down"}}, 429),
}


@dataclass
class EmbeddingsServer:
    """Answers by `script`, when `free` is set; keeps what it was asked."""

    script: Callable[[list[str]], tuple[int, bytes]] = honest
    asked: list[list[str]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    connections: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower()
                length = int(lines.split("content-length:")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                assert lines.startswith("post /v1/embeddings ")
                assert body["model"] == "m"
                self.asked.append(body["input"])
                self.headers.append(lines)
                await self.free.wait()
                status, answer = self.script(body["input"])
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed
        finally:
            writer.close()


@asynccontextmanager
async def embeddings_server() -> AsyncIterator[EmbeddingsServer]:
    """A server on a port of the system's choice."""
    server = EmbeddingsServer()
    server.free.set()
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    async with listening:
        yield server
        server.free.set()
