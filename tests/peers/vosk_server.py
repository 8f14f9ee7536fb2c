"""A stand-in for vosk-server: its wire protocol on loopback, scripted or with a real model, with faults."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Flavour = Literal["python", "python-old", "cpp"]
Fault = Literal[
    "none",
    "refuse",
    "no_handshake",
    "slow",
    "dribble",
    "silent",
    "silent_at_end",
    "disconnect",
    "disconnect_at_end",
    "disconnect_after_final",
    "disconnect_in_second",
    "late",
    "not_json",
    "wrong_types",
    "binary",
    "wrong_words",
]
HEADERS = {
    "python": "Python/3.12 websockets/13.1",
    "python-old": "Python/3.8 websockets/8.1",
    "cpp": "Boost.Beast/347 websocket-server-async",
}
GARBAGE: dict[str, str | bytes] = {
    "not_json": "Internal Server Error",
    "wrong_types": '{"partial": 7, "text": ["x"]}',
    "binary": b"\x00\x01\x02",
    "wrong_words": '{"text": "x", "result": [{"word": "x", "start": "soon"}]}',
}


class Decoder(Protocol):
    """What is used of vosk.KaldiRecognizer."""

    def AcceptWaveform(self, data: bytes) -> int: ...
    def PartialResult(self) -> str: ...
    def Result(self) -> str: ...
    def FinalResult(self) -> str: ...


class ScriptedDecoder:
    """Hears `segments`, words and the seconds they last, in any audio; its clock never goes back."""

    def __init__(self, segments: Sequence[tuple[str, float]], rate: float) -> None:
        self._segments = segments
        self._rate = rate
        self._at = 0  # the segment
        self._into_s = 0.0  # it
        self._clock_s = 0.0

    def AcceptWaveform(self, data: bytes) -> int:
        seconds = len(data) / 2 / self._rate
        self._clock_s += seconds
        self._into_s += seconds
        return int(self._at < len(self._segments) and self._into_s >= self._segments[self._at][1] - 1e-9)

    def PartialResult(self) -> str:
        words, lasts_s = self._segments[self._at] if self._at < len(self._segments) else ("", 1.0)
        known = words.split()[: int(len(words.split()) * self._into_s / lasts_s)]
        return json.dumps({"partial": " ".join(known)}, ensure_ascii=False)

    def Result(self) -> str:
        words, lasts_s = self._segments[self._at]
        begun_s, step_s = self._clock_s - self._into_s, lasts_s / len(words.split())
        self._at, self._into_s = self._at + 1, 0.0
        result = [
            {"word": word, "start": begun_s + at * step_s, "end": begun_s + (at + 1) * step_s, "conf": 0.9}
            for at, word in enumerate(words.split())
        ]
        return json.dumps({"text": words, "result": result}, ensure_ascii=False)

    def FinalResult(self) -> str:
        nothing = self._at >= len(self._segments) or self._into_s == 0
        result = '{"text": ""}' if nothing else self.Result()
        self._at, self._into_s = 0, 0.0
        return result


@dataclass
class Received:
    """What came in over one connection."""

    fault: str
    texts: list[str] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    finals: int = 0
    close_code: int | None = None


class VoskServer:
    """Use as an async context manager; `faults` are dealt out one a connection, then all goes well."""

    def __init__(
        self,
        *faults: Fault,
        decoder: Callable[[float], Decoder],
        flavour: Flavour = "python",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._faults = deque(faults)
        self._decoder = decoder
        self._flavour = flavour
        self._tls = tls
        self.connections: list[Received] = []
        self.open = 0
        self.url = ""
        self._server: Server | None = None

    async def __aenter__(self) -> VoskServer:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._handshake,
            server_header=HEADERS[self._flavour],
            close_timeout=0.2,
            ssl=self._tls,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"{'wss' if self._tls else 'ws'}://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _handshake(self, socket: ServerConnection, _: Request) -> Response | None:
        fault = self._faults.popleft() if self._faults else "none"
        self.connections.append(Received(fault))
        if fault == "refuse":
            return socket.respond(503, "full\n")
        if fault == "no_handshake":
            await socket.wait_closed()
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.open += 1
        received = self.connections[-1]
        try:
            await self._session(socket, received)
        except ConnectionClosed:
            return
        finally:
            received.close_code = socket.close_code
            self.open -= 1

    async def _session(self, socket: ServerConnection, received: Received) -> None:
        rate, decoder = 8000.0, None
        async for message in socket:
            if isinstance(message, str):
                received.texts.append(message)
                if self._flavour != "cpp" and "config" in message:
                    rate = float(json.loads(message)["config"].get("sample_rate", rate))
                    continue
            decoder = decoder or self._decoder(rate)
            answer, stop = await asyncio.to_thread(self._decode, decoder, message)
            if isinstance(message, bytes):
                received.audio += message
            ends = message in ('{"eof" : 1}', '{"reset" : 1}')
            received.finals += ends
            if await self._misbehave(socket, received, ends):
                return
            await self._send(socket, answer, received.fault)
            if received.fault == "disconnect_after_final" and ends:
                socket.transport.close()  # as when the program dies
                return
            if received.fault == "late" and ends:
                await socket.send('{"partial": "迟到"}')
            if stop and self._flavour != "cpp":
                return

    def _decode(self, decoder: Decoder, message: str | bytes) -> tuple[str, bool]:
        if message == '{"eof" : 1}':
            return decoder.FinalResult(), True
        if message == '{"reset" : 1}' and self._flavour == "python":
            return decoder.FinalResult(), False
        if isinstance(message, str):
            if self._flavour != "cpp":
                raise TypeError("initializer for ctype 'char *' must be a cdata pointer, not str")
            message = message.encode()[: len(message) // 2 * 2]  # taken for audio
        if decoder.AcceptWaveform(message):
            return decoder.Result(), False
        return decoder.PartialResult(), False

    async def _misbehave(self, socket: ServerConnection, received: Received, ends: bool) -> bool:
        """Do what the fault says at this point; True when nothing is to be answered any more."""
        fault, middle = received.fault, len(received.audio) > 8000
        if fault in GARBAGE and middle:
            await socket.send(GARBAGE[fault])
        if fault == "silent" or (fault == "silent_at_end" and ends):
            async for _ in socket:
                continue
            return True
        breaks = (fault == "disconnect" and middle) or (fault == "disconnect_at_end" and ends)
        if breaks or (fault == "disconnect_in_second" and received.finals == 1 and not ends):
            socket.transport.abort()
            return True
        return False

    async def _send(self, socket: ServerConnection, answer: str, fault: str) -> None:
        if fault == "slow":
            await asyncio.sleep(0.01)
        await socket.send(dribbled(answer) if fault == "dribble" else answer)


async def dribbled(answer: str) -> AsyncIterator[str]:
    """A message in fragments, with pauses."""
    for at in range(0, len(answer), 16):
        await asyncio.sleep(0.001)
        yield answer[at : at + 16]


def parsed(answer: str) -> dict[str, Any]:
    """A decoder's answer."""
    found: dict[str, Any] = json.loads(answer)
    return found
