"""RFC 4475's torture messages: what is valid is answered as the RFC says, what is not does no harm.

The messages are in torture/, each under its name in the RFC, adapted so that they concern this agent:
`@AGENT@` and `@ME@` stand for addresses, `@TRANSPORT@` for UDP or TCP, `@RUN@` for something new each time,
`@LENGTH@` for the true length of the body. wsinv has no tag in To, so that it begins a call.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import time

import pytest

from tests.sip.agent import ANSWER, QUESTION, ROOT, Agent, eventually, words
from tests.sip.plain import MAX_BYTES, SipClient, SipMessage

pytestmark = [pytest.mark.sip]

TORTURE = ROOT / "tests" / "sip" / "torture"
SILENCE_S = 0.3  # nothing came, where nothing is a right answer
RESPONSE_S = 5.0
NOTHING = 0

REFUSED = frozenset({*range(400, 500), 501, 505})
DROPPED_OR_REFUSED = REFUSED | {NOTHING}
TAKEN = {200}

# What may come back. The names are the RFC's, as is the order.
WELL_FORMED = ["wsinv", "esc01", "lwsdisp", "longreq", "semiuri", "transports", "mpart01"]  # section 3.1.1
RESPONSES = ["unreason", "noreason", "scalarlg", "bigcode", "bcast"]  # to nothing that we asked
# Methods we do not know, and telephones that we do not know and that want to register.
NOT_FOR_US = ["intmeth", "escnull", "esc02", "regaut01", "cparam01", "cparam02", "regescrt", "unksm2"]
# Section 3.1.2 and others: what must not be taken.
BROKEN = [
    "badinv01",
    "ncl",
    "scalar02",
    "quotbal",
    "ltgtruri",
    "lwsruri",
    "regbadct",
    "badvers",
    "mismatch02",
]
BROKEN += ["insuf", "unkscm", "novelsc", "invut", "inv2543"]
# What a receiver may refuse, or take because the damage does not concern it, such as a date nobody reads.
TOLERABLE = [
    "clerr",
    "lwsstart",
    "trws",
    "escruri",
    "baddate",
    "badaspec",
    "baddn",
    "mismatch01",
    "badbranch",
]
TOLERABLE += ["bext01", "multi01", "mcl01", "zeromf", "sdp01"]

EXPECTED: dict[str, frozenset[int]] = {
    **dict.fromkeys(WELL_FORMED, frozenset(TAKEN)),
    **dict.fromkeys(RESPONSES, frozenset({NOTHING})),
    **dict.fromkeys(NOT_FOR_US, DROPPED_OR_REFUSED),
    **dict.fromkeys(BROKEN, DROPPED_OR_REFUSED),
    **dict.fromkeys(TOLERABLE, DROPPED_OR_REFUSED | TAKEN),
    "dblreq": DROPPED_OR_REFUSED | TAKEN,  # REGISTER, and over TCP a valid INVITE behind it
}


class Line:
    """A socket of our own to the agent."""

    def __init__(self, agent: Agent, transport: str) -> None:
        self._transport = transport
        if transport == "UDP":
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(("127.0.0.1", 0))
            self._socket.connect(agent.address)
        else:
            self._socket = socket.create_connection(agent.address)
        self.me = "{}:{}".format(*self._socket.getsockname())
        self._stream = b""

    def close(self) -> None:
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def message(self, name: str, agent: Agent) -> bytes:
        """A torture message, its places filled in."""
        raw = (TORTURE / f"{name}.dat").read_bytes()
        body = raw.partition(b"\r\n\r\n")[2]
        places = {"AGENT": agent.sip, "ME": self.me, "TRANSPORT": self._transport}
        places |= {"RUN": secrets.token_hex(4), "LENGTH": str(len(body))}
        for place, value in places.items():
            raw = raw.replace(f"@{place}@".encode(), value.encode())
        return raw

    def final(self, timeout_s: float) -> SipMessage | None:
        """The next final response; None when none comes in time, or the agent closes the connection."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                received = self._socket.recv(MAX_BYTES)
            except (TimeoutError, ConnectionError):
                return None
            if not received:
                return None
            self._stream += received
            while (whole := self._cut()) is not None:
                if whole.status >= 200:
                    return whole
        return None

    def _cut(self) -> SipMessage | None:
        """The next message that has come completely."""
        head, blank, rest = self._stream.lstrip().partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
        size = int(length[1]) if length else 0
        if not blank or len(rest) < size:
            return None
        self._stream = rest[size:]
        return SipMessage.parse(head.decode(errors="replace").encode() + blank + rest[:size])

    def finish(self, response: SipMessage) -> None:
        """ACK the response to an INVITE; end the call if it was accepted."""
        cseq = response.header("CSeq").split()[0]
        if response.status >= 300:
            self._follow(response, "ACK", cseq, response.header("Via").partition("branch=")[2].split(";")[0])
        else:
            self._follow(response, "ACK", cseq, f"z9hG4bK{secrets.token_hex(6)}")
            self._follow(response, "BYE", str(int(cseq) + 1), f"z9hG4bK{secrets.token_hex(6)}")
            bye = self.final(RESPONSE_S)
            assert bye is not None
            assert bye.status == 200

    def _follow(self, response: SipMessage, method: str, cseq: str, branch: str) -> None:
        contact = re.search(r"<(.+?)>", "".join(response.headers.get("contact", [])))
        lines = [f"{method} {contact[1] if contact else 'sip:12345@127.0.0.1'} SIP/2.0"]
        lines += [f"Via: SIP/2.0/{self._transport} {self.me};branch={branch}", "Max-Forwards: 70"]
        lines += [f"{name}: {response.header(name)}" for name in ("From", "To", "Call-ID")]
        lines += [f"CSeq: {cseq} {method}", "Content-Length: 0"]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_torture_message(agent: Agent, name: str, transport: str) -> None:
    with contextlib.closing(Line(agent, transport)) as line:
        raw = line.message(name, agent)
        line.send(raw)
        response = line.final(SILENCE_S if NOTHING in EXPECTED[name] else RESPONSE_S)
        last = response
        if last is not None and name == "dblreq":  # over TCP the INVITE behind the REGISTER is answered too
            last = line.final(SILENCE_S)
        if last is not None and re.search(rb"INVITE +sip:", raw):
            line.finish(last)
    status = response.status if response else NOTHING
    assert status in EXPECTED[name], response.start if response else "no response"
    with SipClient(agent.address) as client:
        client.request("OPTIONS")
        assert client.response().status == 200, "the agent is alive"


def test_every_message_of_the_rfc_is_here() -> None:
    assert {path.stem for path in TORTURE.glob("*.dat")} == set(EXPECTED)
    assert len(EXPECTED) == 49


def test_no_call_is_stuck_and_the_next_one_is_served(agent: Agent) -> None:
    eventually(lambda: "hotline_calls_active 0" in agent.api.get("/metrics").text, timeout_s=40)
    caller = agent.ring("--at-once", "--say", QUESTION)
    caller.report()
    call = agent.record(caller.number)
    assert words(call, "caller") == [QUESTION]
    assert words(call, "agent")[-1].startswith(ANSWER)
    listed = agent.api.get("/api/v1/calls").json()["items"]
    assert [item["id"] for item in listed if not item["ended_at"]] == []
    assert agent.process.poll() is None
    assert "Traceback" not in agent.errors()
    assert "sip_callback_failed" not in agent.errors()
