"""A stand-in for FunASR's runtime servers: their wire protocol on loopback, with faults.

What it hears comes from a decoder like Vosk's, scripted or real: partials are told as the running guess of
the first pass, results as the segments of the second. `flavour` is which server it dresses up as.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.peers.vosk_server import Decoder, dribbled, parsed

Flavour = Literal["cpp", "cpp-files", "python", "python-2024"]
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
    "late_in_second",
    "not_json",
    "wrong_types",
    "binary",
    "no_mode",
    "failed_ack",
]
HEADERS = {
    "cpp": "WebSocket++/0.8.2",
    "cpp-files": "WebSocket++/0.8.2",
    "python": "Python/3.10 websockets/12.0",
    "python-2024": "Python/3.8 websockets/11.0",
}
GARBAGE: dict[str, str | bytes] = {
    "not_json": "Internal Server Error",
    "wrong_types": '{"mode": "2pass-online", "text": 7, "is_final": "no"}',
    "binary": b"\x00\x01\x02",
    "no_mode": '{"mode": "3pass", "text": "甲"}',
}


@dataclass
class Utterance:
    """One utterance as it came in."""

    start: dict[str, Any]
    connection: int
    audio: bytearray = field(default_factory=bytearray)
    messages: list[int] = field(default_factory=list)  # bytes in each message with audio
    end: dict[str, Any] | None = None
    guessed: str = ""  # told of the running guess since the last segment
    segments: list[str] = field(default_factory=list)

    @property
    def mode(self) -> str:
        return str(self.start["mode"])


class FunasrServer:
    """Use as an async context manager; `faults` are dealt out one a connection, then all goes well."""

    def __init__(
        self,
        *faults: Fault,
        decoder: Callable[[float], Decoder],
        flavour: Flavour = "cpp",
        hide_software: bool = False,
    ) -> None:
        self._faults = deque(faults)
        self._decoder = decoder
        self._flavour = flavour
        self._header = "nginx" if hide_software else HEADERS[flavour]
        self.connections = 0
        self.open = 0
        self.utterances: list[Utterance] = []
        self.url = ""
        self._server: Server | None = None

    async def __aenter__(self) -> FunasrServer:
        python = self._flavour.startswith("python")
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._handshake,
            subprotocols=[Subprotocol("binary")] if python else None,
            server_header=self._header,
            close_timeout=0.2,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"ws://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _handshake(self, socket: ServerConnection, _: Request) -> Response | None:
        self.connections += 1
        fault = self._faults.popleft() if self._faults else "none"
        if fault == "refuse":
            return socket.respond(503, "full\n")
        if fault == "no_handshake":
            await socket.wait_closed()
        socket.fault = fault  # type: ignore[attr-defined]
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.open += 1
        try:
            await self._session(socket, socket.fault, self.connections)  # type: ignore[attr-defined]
        except ConnectionClosed:
            return
        finally:
            self.open -= 1

    async def _session(self, socket: ServerConnection, fault: Fault, connection: int) -> None:
        decoder: Decoder | None = None
        mine: list[Utterance] = []
        async for message in socket:
            if isinstance(message, str):
                told = json.loads(message)
                if told.get("is_speaking"):
                    mine.append(Utterance(told, connection))
                    self.utterances.append(mine[-1])
                    # Python takes whatever comes for 16 kHz.
                    rate = 16000 if self._flavour.startswith("python") else told["audio_fs"]
                    decoder = self._decoder(rate)
                    if fault == "late_in_second" and len(mine) == 2:
                        await self._send(socket, fault, {**_online(mine[0], "迟到"), "is_final": True})
                    continue
                mine[-1].end = told
            assert decoder is not None
            utterance, ends = mine[-1], isinstance(message, str)
            if isinstance(message, bytes):
                utterance.audio += message
                utterance.messages.append(len(message))
            if await self._misbehave(socket, fault, len(mine), utterance, ends):
                return
            heard = await asyncio.to_thread(_decode, decoder, message, ends)
            for reply in self._replies(utterance, heard, ends, failed=fault == "failed_ack"):
                await self._send(socket, fault, reply)
            if ends and fault == "disconnect_after_final":
                socket.transport.close()  # as when the program dies
                return
            if ends and fault == "late":
                await self._send(socket, fault, _online(utterance, "迟到"))

    async def _misbehave(
        self, socket: ServerConnection, fault: Fault, number: int, utterance: Utterance, ends: bool
    ) -> bool:
        """Do what the fault says at this point; True when nothing is to be answered any more."""
        middle = len(utterance.audio) > 16000
        if fault in GARBAGE and middle:
            await socket.send(GARBAGE[fault])
        if fault == "silent" or (fault == "silent_at_end" and ends):
            async for _ in socket:
                continue
            return True
        breaks = (fault == "disconnect" and middle) or (fault == "disconnect_at_end" and ends)
        if breaks or (fault == "disconnect_in_second" and number == 2):
            socket.transport.abort()
            return True
        return False

    async def _send(self, socket: ServerConnection, fault: Fault, reply: dict[str, Any]) -> None:
        text = json.dumps(reply, ensure_ascii=False)
        if fault == "slow":
            await asyncio.sleep(0.01)
        await socket.send(dribbled(text) if fault == "dribble" else text)

    def _replies(
        self,
        utterance: Utterance,
        heard: tuple[str, list[dict[str, Any]] | None],
        ends: bool,
        *,
        failed: bool,
    ) -> Iterator[dict[str, Any]]:
        """What this kind of server says to what was heard: a guess, or the words of a segment."""
        guess, words = heard
        if self._flavour == "python-2024" and utterance.mode == "online" and ends:
            return  # it forgets what it has not guessed yet
        if words is None or (utterance.mode == "online" and self._flavour != "cpp-files"):
            if words is not None:
                guess = "".join(word["word"] for word in words)
            online = guess.removeprefix(utterance.guessed) if guess.startswith(utterance.guessed) else ""
            utterance.guessed = "" if words is not None else utterance.guessed + online
            reply = _online(utterance, online)
        else:
            utterance.guessed = ""
            reply = _segment(utterance, words, self._flavour)
        if self._flavour == "cpp":
            yield from _as_cpp(reply, ends)
        elif self._flavour == "cpp-files":
            yield from _as_cpp_files(utterance, reply, ends)
        else:
            yield from _as_python(utterance, reply, ends, newest=self._flavour == "python", failed=failed)


def _decode(decoder: Decoder, message: str | bytes, ends: bool) -> tuple[str, list[dict[str, Any]] | None]:
    """The running guess, or the words of a segment that is over."""
    if ends:
        return "", parsed(decoder.FinalResult()).get("result", [])
    assert isinstance(message, bytes)
    if decoder.AcceptWaveform(message):
        return "", parsed(decoder.Result()).get("result", [])
    return parsed(decoder.PartialResult())["partial"].replace(" ", ""), None


def _online(utterance: Utterance, text: str) -> dict[str, Any]:
    mode = "online" if utterance.mode == "online" else "2pass-online"
    return {"mode": mode, "text": text, "wav_name": utterance.start["wav_name"]}


def _segment(utterance: Utterance, words: list[dict[str, Any]], flavour: Flavour) -> dict[str, Any]:
    """A segment with punctuation, and a time for each character."""
    text = "".join(word["word"] for word in words)
    times = []
    for word in words:
        step_s = (word["end"] - word["start"]) / len(word["word"])
        edges = [round(1000 * (word["start"] + at * step_s)) for at in range(len(word["word"]) + 1)]
        times += [list(pair) for pair in itertools.pairwise(edges)]
    mode = "offline" if utterance.mode == "offline" and flavour != "cpp" else "2pass-offline"
    reply = {"mode": mode, "text": f"{text}。" if text else "", "wav_name": utterance.start["wav_name"]}
    if text and flavour.startswith("cpp"):
        reply["timestamp"] = json.dumps(times)
        reply["stamp_sents"] = [{"text_seg": " ".join(text), "punc": "。", "ts_list": times}]
    elif text and flavour == "python":
        reply["timestamp"] = [[begin - times[0][0], end - times[0][0]] for begin, end in times]
    return reply


def _as_cpp(reply: dict[str, Any], ends: bool) -> Iterator[dict[str, Any]]:
    """is_final in the last reply alone, which comes even with nothing to say, and then has no mode."""
    if "timestamp" not in reply:
        reply["timestamp"] = 1785300000000  # the wall clock, while there are no times
    if not reply["text"]:
        del reply["mode"]
    if reply["text"] or ends:
        yield {**reply, "is_final": ends}


def _as_cpp_files(utterance: Utterance, reply: dict[str, Any], ends: bool) -> Iterator[dict[str, Any]]:
    """One reply, and never is_final."""
    if reply["mode"].endswith("offline"):
        utterance.segments.append(reply["text"])
    if ends:
        text = "".join(utterance.segments)
        yield {"mode": "offline", "text": text, "wav_name": reply["wav_name"], "is_final": False}


def _as_python(
    utterance: Utterance, reply: dict[str, Any], ends: bool, *, newest: bool, failed: bool
) -> Iterator[dict[str, Any]]:
    """is_final says little; the newest acknowledges the end, the one before says nothing to nothing."""
    segment = reply["mode"].endswith("offline")
    if newest:
        named = {"spk_name": "unknown", "spk_score": 0.0} if segment else {}
        if reply["text"] or segment:
            yield {**reply, **named, "is_final": segment or ends}
        if ends and utterance.end and utterance.end.get("is_end"):
            ack = {"mode": utterance.mode, "wav_name": reply["wav_name"], "is_end": True}
            error = {"error": "offline inference failed: out of memory"} if failed else {}
            yield {**ack, **error, "is_final": not failed}
    elif reply["text"]:
        yield {**reply, "is_final": not ends}
