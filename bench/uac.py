"""SIP of a load generator: one user agent client for many calls over one UDP socket (RFC 3261), no library.

Only what a caller needs: INVITE, ACK, BYE, retransmission over UDP, and an answer to what the agent asks.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_BYTES = 65535
T1_S = 0.5  # first retransmission; doubled each time
T2_S = 4.0  # at most this long between two
GIVE_UP_S = 8.0  # no final response for this long: nobody is there
_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")

Address = tuple[str, int]


def _header(message: str, name: str) -> str:
    match = re.search(rf"^{name}[ \t]*:[ \t]*(.*?)\r?$", message, re.M | re.I)
    return match[1] if match else ""


def _vias(message: str) -> str:
    return "\r\n".join(re.findall(r"^Via[ \t]*:.*?(?=\r?$)", message, re.M | re.I))


@dataclass(slots=True)
class Call:
    """One call as SIP sees it; `rtp` is where the agent wants audio, known once it is up."""

    number: str
    rtp_port: int
    on_up: Callable[[], None]
    on_over: Callable[[str], None]  # told once: "" after our own hang-up, else what went wrong
    call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    rtp: Address = ("", 0)
    state: str = "calling"  # calling, up, leaving, over
    _remote_to: str = ""
    _remote_uri: str = ""
    _sequence: int = 1
    _branch: str = ""
    _pending: bytes = b""  # a request without a final response
    _ringing: bool = False  # answered provisionally: the INVITE is not sent again
    _again_at: float = 0.0
    _wait_s: float = T1_S
    _give_up_at: float = 0.0


class UserAgent:
    """Sends and receives for all calls; `poll()` and `tick()` must be called often."""

    def __init__(self, agent: Address) -> None:
        self._agent = agent
        self._calls: dict[str, Call] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.setblocking(False)
        self._here = "{}:{}".format(*self._socket.getsockname())

    def close(self) -> None:
        """Free the port."""
        self._socket.close()

    def invite(self, call: Call, now: float) -> None:
        """Ring; the call's on_up() or on_over() is called later."""
        self._calls[call.call_id] = call
        call._remote_uri = "sip:12345@{}:{}".format(*self._agent)
        call._remote_to = f"<{call._remote_uri}>"
        self._request(call, "INVITE", now, _sdp(call.rtp_port))

    def bye(self, call: Call, now: float) -> None:
        """Hang up; the call's on_over() is called once the agent has confirmed it."""
        call.state = "leaving"
        call._sequence += 1
        self._request(call, "BYE", now)

    def tick(self, call: Call, now: float) -> None:
        """Send again what was not answered, as RFC 3261 section 17.1 has it for UDP."""
        if not call._pending:
            return
        if now > call._give_up_at:
            self._over(call, f"no answer to {'BYE' if call.state == 'leaving' else 'INVITE'}")
        elif now > call._again_at and not call._ringing:
            call._wait_s = min(T2_S, call._wait_s * 2)
            call._again_at = now + call._wait_s
            self._socket.sendto(call._pending, self._agent)

    def poll(self) -> None:
        """Take everything that has arrived."""
        while True:
            try:
                raw = self._socket.recv(MAX_BYTES)
            except BlockingIOError:
                return
            message = raw.decode("utf-8", "replace")
            call = self._calls.get(_header(message, "Call-ID"))
            status = _STATUS.match(raw)
            if status and call:
                self._response(call, int(status[1]), message)
            elif not status:
                self._asked(call, message)

    def _request(self, call: Call, method: str, now: float, body: str = "") -> None:
        call._branch = "z9hG4bK" + secrets.token_hex(8)
        call._pending = self._build(call, method, body)
        call._ringing = False
        call._wait_s, call._again_at, call._give_up_at = T1_S, now + T1_S, now + GIVE_UP_S
        self._socket.sendto(call._pending, self._agent)

    def _build(self, call: Call, method: str, body: str = "") -> bytes:
        lines = [
            f"{method} {call._remote_uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};branch={call._branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:{call.number}@{self._here}>;tag={call.tag}",
            f"To: {call._remote_to}",
            f"Call-ID: {call.call_id}",
            f"CSeq: {call._sequence} {method}",
            f"Contact: <sip:{call.number}@{self._here}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def _response(self, call: Call, status: int, message: str) -> None:
        method = _header(message, "CSeq").rpartition(" ")[2]
        if status < 200:
            call._ringing = True
        elif method == "BYE":
            self._over(call, "" if status == 200 else f"BYE was answered {status}")
        elif method == "INVITE" and status < 300:
            self._answered(call, message)
        elif method == "INVITE":
            call._remote_to = _header(message, "To")
            self._socket.sendto(self._build(call, "ACK"), self._agent)
            self._over(call, f"refused with {status}")

    def _answered(self, call: Call, message: str) -> None:
        first = call.state == "calling"
        if first:
            contact = re.search(r"<(sips?:[^>]+)>", _header(message, "Contact"))
            host = re.search(r"^c=IN IP4 (\S+)", message, re.M)
            port = re.search(r"^m=audio (\d+)", message, re.M)
            if not (contact and host and port):
                self._over(call, "a 200 OK without Contact or audio")
                return
            call._remote_to, call._remote_uri = _header(message, "To"), contact[1]
            call.rtp = (host[1], int(port[1]))
            call._pending = b""
        call._branch = "z9hG4bK" + secrets.token_hex(8)
        sequence, call._sequence = call._sequence, 1
        self._socket.sendto(self._build(call, "ACK"), self._agent)
        call._sequence = sequence
        if first:
            call.state = "up"
            call.on_up()

    def _asked(self, call: Call | None, message: str) -> None:
        """A request of the agent: BYE ends the call, nothing else is expected."""
        method = message.partition(" ")[0]
        if method == "ACK":
            return
        status = "200 OK" if method in ("BYE", "OPTIONS") else "501 Not Implemented"
        if call is None:
            status = "481 Call/Transaction Does Not Exist"
        names = ("From", "To", "Call-ID", "CSeq")
        lines = [
            f"SIP/2.0 {status}",
            _vias(message),
            *(f"{name}: {_header(message, name)}" for name in names),
        ]
        self._socket.sendto("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), self._agent)
        if call is not None and method == "BYE":
            self._over(call, "" if call.state == "leaving" else "the agent hung up")

    def _over(self, call: Call, failure: str) -> None:
        call.state = "over"
        call._pending = b""
        del self._calls[call.call_id]
        call.on_over(failure)


def _sdp(port: int) -> str:
    """A-law and RFC 4733 events on loopback."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000"]
    return "\r\n".join([*lines, "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv", ""])
