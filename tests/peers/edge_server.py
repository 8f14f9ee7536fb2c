"""A stand-in for the read-aloud service that edge-tts talks to: its wire protocol on loopback, with faults.

Each character of the text is answered by 0.24 s of a tone of its own, between stretches of silence, as MP3 of
the service's format (MPEG-2 layer III, 24 kHz, mono, 48 kbit/s).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import unescape

from aiohttp import WSMsgType, web

Fault = Literal["none", "403", "503", "silent", "dribble", "stall", "disconnect", "no_audio", "garbage"]

FRAME_S = 576 / 24000
FRAMES_PER_CHARACTER = 10
LEADING_FRAMES = 8
TRAILING_FRAMES = 30
_FRAMES_PER_MESSAGE = 5
_HEADER = bytes([0xFF, 0xF3, 0x64, 0xC4])
_FRAME_BYTES = 144
_LOUD = 200


def mp3_frame(line: int, gain: int = _LOUD) -> bytes:
    """One MP3 frame that holds a single spectral line, about (line + 0.5) * 20.8 Hz; gain 0 is silence.

    The line is the last of the "big values", coded by Huffman table 1 in pairs: 1 is (0, 0), 01s is (±1, 0),
    001s is (0, ±1).
    """
    pairs = line // 2 + 1
    spectrum = "1" * (pairs - 1) + ("010" if line % 2 == 0 else "0010")
    side = [(0, 8), (0, 1), (len(spectrum), 12), (pairs, 9), (gain, 8), (0, 9), (0, 1)]
    side += [(1, 5), (1, 5), (1, 5), (7, 4), (7, 3), (0, 1), (0, 1)]
    bits = "".join(format(value, f"0{width}b") for value, width in side) + spectrum
    body = int(bits.ljust((_FRAME_BYTES - 4) * 8, "0"), 2)
    return _HEADER + body.to_bytes(_FRAME_BYTES - 4, "big")


def line_of(at: int) -> int:
    """The spectral line of the tone that stands for the character at this place."""
    return 20 + 7 * (at % 20)


def frames_for(text: str) -> list[bytes]:
    """The MP3 frames that answer a text."""
    silent = mp3_frame(20, gain=0)
    spoken = [mp3_frame(line_of(at)) for at in range(len(text)) for _ in range(FRAMES_PER_CHARACTER)]
    return [silent] * LEADING_FRAMES + spoken + [silent] * TRAILING_FRAMES


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    text: str
    voice: str
    rate: str
    output_format: str


class EdgeServer:
    """Use as an async context manager; `faults` are dealt out one a connection, then all goes well."""

    def __init__(self, *faults: Fault) -> None:
        self._faults = deque(faults)
        self.connections = 0
        self.requests: list[Request] = []
        self.url = ""

    async def __aenter__(self) -> EdgeServer:
        app = web.Application()
        app.router.add_get("/edge/v1", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"ws://{host}:{port}/edge/v1?TrustedClientToken=test"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        fault: Fault = self._faults.popleft() if self._faults else "none"
        if fault in ("403", "503") or not {"ConnectionId", "Sec-MS-GEC", "Sec-MS-GEC-Version"} <= set(
            request.query
        ):
            return web.Response(status=503 if fault == "503" else 403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        config = await self._receive(socket, "speech.config")
        ssml = await self._receive(socket, "ssml")
        self.requests.append(_parse(config, ssml))
        await self._answer(socket, request, self.requests[-1].text, fault)
        await socket.close()
        return socket

    async def _receive(self, socket: web.WebSocketResponse, path: str) -> str:
        message = await socket.receive()
        assert message.type is WSMsgType.TEXT, message
        assert f"\r\nPath:{path}\r\n\r\n" in message.data, message.data
        return str(message.data)

    async def _answer(
        self, socket: web.WebSocketResponse, request: web.Request, text: str, fault: Fault
    ) -> None:
        await socket.send_str(_text_message("turn.start", '{"context":{"serviceTag":"0"}}'))
        await socket.send_str(
            _text_message("response", '{"context":{},"audio":{"type":"inline","streamId":"0"}}')
        )
        if fault == "silent":
            await asyncio.sleep(30)
        frames = [] if fault == "no_audio" else frames_for(text)
        for at in range(0, len(frames), _FRAMES_PER_MESSAGE):
            data = b"".join(frames[at : at + _FRAMES_PER_MESSAGE])
            await socket.send_bytes(_audio_message(b"no mp3 " * 100 if fault == "garbage" else data))
            if fault == "dribble":
                await asyncio.sleep(0.02)
            if at > len(frames) // 2 and fault == "stall":
                await asyncio.sleep(30)
            if at > len(frames) // 2 and fault == "disconnect":
                assert request.transport is not None
                request.transport.abort()
                return
        await socket.send_str(_text_message("audio.metadata", _boundary(text, len(frames))))
        await socket.send_bytes(_audio_message(b""))
        await socket.send_str(_text_message("turn.end", "{}"))


def _text_message(path: str, body: str) -> str:
    return f"X-RequestId:0\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{body}"


def _audio_message(data: bytes) -> bytes:
    content_type = b"Content-Type:audio/mpeg\r\n" if data else b""
    header = b"X-RequestId:0\r\n" + content_type + b"X-StreamId:0\r\nPath:audio\r\n"
    return len(header).to_bytes(2, "big") + header + data


def _boundary(text: str, frames: int) -> str:
    ticks = int(frames * FRAME_S * 1e7)
    data = f'{{"Offset":0,"Duration":{ticks},"text":{{"Text":"{text}","Length":{len(text)}}}}}'
    return f'{{"Metadata":[{{"Type":"SentenceBoundary","Data":{data}}}]}}'


def _parse(config: str, ssml: str) -> Request:
    found = re.search(r"<voice name='(.*?)'><prosody .*?rate='(.*?)'.*?>(.*?)</prosody>", ssml, re.DOTALL)
    output = re.search(r'"outputFormat":"(.*?)"', config)
    assert found is not None, ssml
    assert output is not None, config
    return Request(unescape(found[3]), found[1], found[2], output[1])
