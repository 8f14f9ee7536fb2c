"""SIP by hand: a seat's telephone that answers as told, and single requests, with no library in between."""

from __future__ import annotations

import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

MAX_BYTES = 65535
PCMA_SILENCE = b"\xd5" * 160
EVENT_PAYLOAD = 101  # the payload type at which we want RFC 4733 events

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A message taken apart: header names in lower case, several of one name in order."""

    start: str
    headers: dict[str, list[str]]
    body: str

    @classmethod
    def parse(cls, raw: bytes) -> SipMessage:
        head, _, body = raw.decode().partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        return cls(start, headers, body)

    def header(self, name: str) -> str:
        return self.headers[name.lower()][0]

    @property
    def method(self) -> str:
        return self.start.split()[0]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def rtp(self) -> Address:
        """Where its SDP wants RTP."""
        host = re.search(r"^c=IN IP4 (\S+)", self.body, re.M)
        port = re.search(r"^m=audio (\d+)", self.body, re.M)
        assert host, self.body
        assert port, self.body
        return host[1], int(port[1])

    @property
    def event_payload(self) -> int:
        """The payload type at which its SDP wants RFC 4733 events."""
        match = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", self.body, re.M)
        assert match, self.body
        return int(match[1])


def sdp(port: int, *, direction: str = "sendrecv") -> str:
    """PCMA and RFC 4733 events at a loopback port."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 8 {EVENT_PAYLOAD}", "a=rtpmap:8 PCMA/8000"]
    lines += [f"a=rtpmap:{EVENT_PAYLOAD} telephone-event/8000", f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"


def rtp_packet(payload_type: int, sequence: int, timestamp: int, payload: bytes, *, marker: bool) -> bytes:
    head = struct.pack("!BBHII", 0x80, payload_type | marker << 7, sequence, timestamp, 0x12345678)
    return head + payload


def event_packets(payload_type: int, digit: str, sequence: int, timestamp: int) -> list[bytes]:
    """One key by RFC 4733: 100 ms, the end sent three times."""
    event = "0123456789*#".index(digit)
    packets = []
    for step in range(8):
        end, duration = step >= 5, 160 * min(step + 1, 6)
        payload = struct.pack("!BBH", event, (end << 7) | 10, duration)
        packets.append(rtp_packet(payload_type, sequence + step, timestamp, payload, marker=step == 0))
    return packets


def loopback_socket() -> socket.socket:
    """A UDP socket on a free port of loopback."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


class SipClient:
    """Sends single requests to an agent and reads what comes back, over UDP or TCP."""

    def __init__(self, agent: Address, transport: str = "UDP") -> None:
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(5)
        self._transport = transport
        if transport == "UDP":
            self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(agent)
        self._agent = agent
        self.call_id = secrets.token_hex(8)
        self.tag = secrets.token_hex(4)

    def __enter__(self) -> SipClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def request(
        self,
        method: str,
        *,
        cseq: int = 1,
        to_tag: str = "",
        branch: str = "",
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        """Send one well-formed request."""
        host, port = self._agent
        mine = "{}:{}".format(*self._socket.getsockname())
        lines = [
            f"{method} sip:12345@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/{self._transport} {mine};branch=z9hG4bK{branch or secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: <sip:13700000000@{mine}>;tag={self.tag}",
            f"To: <sip:12345@{host}:{port}>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:13700000000@{mine};transport={self._transport.lower()}>",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.send("\r\n".join(lines) + "\r\n\r\n" + body)

    def send(self, text: str) -> None:
        """Send anything at all."""
        self._socket.sendall(text.encode())

    def response(self) -> SipMessage:
        """The next final response; raises TimeoutError."""
        while True:
            message = SipMessage.parse(self._socket.recv(MAX_BYTES))
            if message.status >= 200:
                return message


class SeatPhone:
    """A seat's telephone: answers every INVITE with `statuses` in turn, and notes what it is sent.

    With 200 as the last it takes the call, plays silence and then presses `keys`.
    """

    def __init__(self, *statuses: int, keys: str = "") -> None:
        self.statuses = statuses
        self.keys = keys
        self.received: list[SipMessage] = []
        self._socket = loopback_socket()
        self._audio = loopback_socket()
        self._thread = threading.Thread(target=self._serve, name="seat", daemon=True)
        self._stopping = False
        self._invite: tuple[SipMessage, Address] | None = None

    @property
    def uri(self) -> str:
        return "sip:1001@{}:{}".format(*self._socket.getsockname())

    def __enter__(self) -> SeatPhone:
        self._socket.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._thread.join(timeout=10)
        self._socket.close()
        self._audio.close()

    def methods(self) -> list[str]:
        """The requests received, repetitions left out."""
        seen = {
            (message.method, message.header("CSeq"), message.header("Call-ID")): 0
            for message in self.received
        }
        return [method for method, _, _ in seen]

    def _serve(self) -> None:
        while not self._stopping:
            try:
                raw, source = self._socket.recvfrom(MAX_BYTES)
            except TimeoutError:
                continue
            if not raw.strip():
                continue  # a keep-alive
            message = SipMessage.parse(raw)
            if not message.status:
                self.received.append(message)
                self._answer(message, source)

    def _answer(self, message: SipMessage, source: Address) -> None:
        if message.method == "INVITE":
            if self._invite and self._invite[0].header("Via") == message.header("Via"):
                return  # sent again
            self._invite = (message, source)
            for status in self.statuses:
                self._respond(message, source, status)
        elif message.method == "CANCEL":
            self._respond(message, source, 200)
            if self._invite:
                self._respond(*self._invite, 487)
        elif message.method == "BYE":
            self._respond(message, source, 200)
        elif message.method == "ACK" and self._invite and self.statuses[-1:] == (200,):
            self._press(self._invite[0])

    def _respond(self, request: SipMessage, source: Address, status: int) -> None:
        body = sdp(self._audio.getsockname()[1]) if status == 200 and request.method == "INVITE" else ""
        lines = [f"SIP/2.0 {status} Told"]
        lines += [f"Via: {via}" for via in request.headers["via"]]
        lines += [f"{name}: {request.header(name)}" for name in ("From", "Call-ID", "CSeq")]
        lines += [f"To: {request.header('To')};tag=seat", f"Contact: <{self.uri}>"]
        lines += ["Content-Type: application/sdp"] if body else []
        lines += [f"Content-Length: {len(body)}"]
        self._socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), source)

    def _press(self, invite: SipMessage) -> None:
        """A second of silence, then the keys."""
        sequence = 0
        for _ in range(50):
            packet = rtp_packet(8, sequence, sequence * 160, PCMA_SILENCE, marker=not sequence)
            self._audio.sendto(packet, invite.rtp)
            sequence += 1
            time.sleep(0.02)
        for key in self.keys:
            for packet in event_packets(invite.event_payload, key, sequence, sequence * 160):
                self._audio.sendto(packet, invite.rtp)
                time.sleep(0.02)
            sequence += 8
