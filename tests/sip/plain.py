"""SIP by hand: a seat's telephone that answers as told, and single requests, with no library in between."""

from __future__ import annotations

import re
import secrets
import socket
import struct
from collections.abc import Mapping, Sequence
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


def request_bytes(
    method: str,
    target: str,
    *,
    via: str,
    ours: str,
    theirs: str,
    call_id: str,
    cseq: int,
    contact: str,
    headers: Sequence[str] = (),
    body: str = "",
    kind: str = "application/sdp",
    branch: str = "",
) -> bytes:
    """A well-formed request; `via` is transport and address (UDP 127.0.0.1:5060), `headers` are lines."""
    lines = [
        f"{method} {target} SIP/2.0",
        f"Via: SIP/2.0/{via};branch=z9hG4bK{branch or secrets.token_hex(8)};rport",
        "Max-Forwards: 70",
        f"From: {ours}",
        f"To: {theirs}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        f"Contact: <{contact}>",
        *headers,
    ]
    return _written(lines, body, kind)


def response_bytes(request: SipMessage, status: int, *, tag: str, contact: str, body: str = "") -> bytes:
    """A well-formed response to it; `tag` is ours, for a request that begins a dialog."""
    to = request.header("To")
    lines = [f"SIP/2.0 {status} Told"]
    lines += [f"Via: {via}" for via in request.headers["via"]]
    lines += [f"{name}: {request.header(name)}" for name in ("From", "Call-ID", "CSeq")]
    lines += [f"To: {to}" if "tag=" in to else f"To: {to};tag={tag}", f"Contact: <{contact}>"]
    return _written(lines, body, "application/sdp")


def _written(lines: Sequence[str], body: str, kind: str) -> bytes:
    ends = [f"Content-Type: {kind}"] if body else []
    return ("\r\n".join([*lines, *ends, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()


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
        request = request_bytes(
            method,
            f"sip:12345@{host}:{port}",
            via=f"{self._transport} {mine}",
            ours=f"<sip:13700000000@{mine}>;tag={self.tag}",
            theirs=f"<sip:12345@{host}:{port}>" + (f";tag={to_tag}" if to_tag else ""),
            call_id=self.call_id,
            cseq=cseq,
            contact=f"sip:13700000000@{mine};transport={self._transport.lower()}",
            headers=[f"{name}: {value}" for name, value in (headers or {}).items()],
            body=body,
            branch=branch,
        )
        self._socket.sendall(request)

    def send(self, text: str) -> None:
        """Send anything at all."""
        self._socket.sendall(text.encode())

    def response(self) -> SipMessage:
        """The next final response; raises TimeoutError."""
        while True:
            message = SipMessage.parse(self._socket.recv(MAX_BYTES))
            if message.status >= 200:
                return message
