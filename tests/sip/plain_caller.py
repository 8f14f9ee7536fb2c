"""A caller by hand: one dialog over UDP and its audio, so that a test decides every packet of it."""

from __future__ import annotations

import queue
import re
import secrets
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.sip.g711 import from_a_law, to_a_law
from tests.sip.plain import MAX_BYTES, PCMA_SILENCE, Address, SipMessage, event_packets, rtp_packet, sdp

PCMA = 8
FRAME_S = 0.02
FRAME_BYTES = 320  # s16le at 8 kHz
SOUND = 180  # a decoded sample above this is no silence
QUIET_S = 0.8  # the agent has fallen silent; pauses between its clauses are shorter


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """What RTP's header says (RFC 3550), the payload, and when it came by the monotonic clock."""

    payload_type: int
    sequence: int
    timestamp: int
    payload: bytes
    at: float = 0.0

    @classmethod
    def parse(cls, raw: bytes, at: float = 0.0) -> RtpPacket:
        _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", raw[:12])
        return cls(kind & 0x7F, sequence, timestamp, raw[12:], at)


def is_sound(packet: RtpPacket) -> bool:
    """Whether an A-law packet is no silence."""
    if packet.payload_type != PCMA:
        return False
    samples = np.frombuffer(from_a_law(packet.payload), "<i2")
    return bool(np.abs(samples.astype(np.int32)).max(initial=0) > SOUND)


@dataclass(frozen=True, slots=True)
class Frame:
    """What one packet is to carry; `since` frames ago its event began, whose time it is stamped with."""

    payload: bytes
    payload_type: int = PCMA
    marker: bool = False
    since: int = 0


class PlainCaller:
    """Calls an agent, sends a frame every 20 ms, speaks when told, keeps what it hears.

    `local` is the address it calls from; `media` where its SDP wants the agent's audio, if not at itself: a
    relay's. Its own audio then goes to `send_to`, which is the agent's unless set.
    """

    def __init__(
        self, agent: Address, number: str, *, local: str = "127.0.0.1", media: Address | None = None
    ) -> None:
        self.number = number
        self.callee = "12345"
        self.call_id = secrets.token_hex(8)
        self.tag = secrets.token_hex(4)
        self.to_tag = ""
        self.ended = threading.Event()  # by a BYE of either side
        self.heard: list[RtpPacket] = []
        self.requests: list[SipMessage] = []  # of the agent, in the dialog
        self.send_to: Address | None = None
        self.said_at = 0.0  # when the last packet of what it was told to say went out
        self.dead = False  # its line: nothing more is sent
        self._agent = agent
        self._sip, self._rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._sip, self._rtp):
            each.bind((local, 0))
        self.address: Address = self._sip.getsockname()
        self.rtp_address: Address = self._rtp.getsockname()
        self._media = media or self.rtp_address
        self._cseq = 0
        self._sent: dict[str, bytes] = {}  # the newest request of each method
        self._target = "sip:12345@{}:{}".format(*agent)
        self._responses: queue.SimpleQueue[SipMessage] = queue.SimpleQueue()
        self._frames: deque[Frame] = deque()
        self._last_sound = 0.0
        self._closing = False
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._signal, self._talk)]

    def __enter__(self) -> PlainCaller:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.to_tag and not self.ended.is_set():
            self.send("BYE")
        self._closing = True
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)
        self._sip.close()
        self._rtp.close()

    def invite(self, *, headers: str = "") -> SipMessage:
        """INVITE and its final response; a refusal is acknowledged."""
        self.send("INVITE", body=sdp(self._media[1]), headers=headers)
        answer = self.response("INVITE")
        if answer.status >= 300:
            self._sip.sendto(self._acknowledgement(), self._agent)
        return answer

    def _acknowledgement(self) -> bytes:
        """ACK of a refusal: in the transaction of its INVITE (RFC 3261, 17.1.1.3)."""
        head, _, _ = self._sent["INVITE"].partition(b"\r\nContent-Type")
        ack = head.replace(b"INVITE sip:", b"ACK sip:", 1).replace(b" INVITE\r\n", b" ACK\r\n", 1)
        return ack + b"\r\nContent-Length: 0\r\n\r\n"

    def dial(self) -> SipMessage:
        """INVITE, the 200 OK, ACK; from then on audio flows."""
        answer = self.invite()
        assert answer.status == 200, answer.start
        self.accept(answer)
        return answer

    def accept(self, answer: SipMessage) -> None:
        """ACK of the 200 OK; from then on audio flows."""
        self.to_tag = answer.header("To").partition("tag=")[2]
        contact = re.search(r"<(.+?)>", answer.header("Contact"))
        assert contact, answer.header("Contact")
        self._target = contact[1]
        self.send("ACK", cseq=self._cseq)
        self.send_to = self.send_to or answer.rtp
        self._threads[1].start()

    def ask(self, pcm: bytes, *, timeout_s: float = 40.0) -> None:
        """Wait until the agent is silent, speak, and hear its answer out."""
        deadline = time.monotonic() + timeout_s
        self.until_quiet(timeout_s=timeout_s)
        self.say(pcm)
        spoken = self.until_said()
        self._wait(lambda: self._last_sound > spoken + 0.1, deadline)
        self._wait(lambda: self._quiet_for() > QUIET_S, deadline)

    def until_quiet(self, *, timeout_s: float = 40.0) -> None:
        """Wait until the agent has said something and is silent."""
        self._wait(lambda: self._quiet_for() > QUIET_S, time.monotonic() + timeout_s)

    def until_said(self) -> float:
        """Wait until all that is queued has been sent; when its last packet was."""
        self._wait(lambda: not self._frames, time.monotonic() + 40.0)
        time.sleep(FRAME_S)
        return self.said_at

    def say(self, pcm: bytes) -> None:
        """Queue speech, mono s16le at 8 kHz."""
        whole = pcm + bytes(-len(pcm) % FRAME_BYTES)
        coded = to_a_law(whole)
        self._frames.extend(Frame(coded[at : at + 160]) for at in range(0, len(coded), 160))

    def fall_silent(self) -> None:
        """What is left of it is not said."""
        self._frames.clear()

    def press(self, digit: str, payload_type: int, *, marker: bool = True) -> None:
        """Queue a key as RFC 4733 events; some gateways leave the marker bit out."""
        for step, raw in enumerate(event_packets(payload_type, digit, 0, 0)):
            payload = RtpPacket.parse(raw).payload
            self._frames.append(Frame(payload, payload_type, marker and not step, step))

    def hang_up(self, *, cseq: int | None = None) -> None:
        """BYE and its 200 OK."""
        self.send("BYE", cseq=cseq)
        assert self.response("BYE").status == 200
        self.ended.set()

    def heard_pcm(self) -> bytes:
        """All audio received, in the order it was sent, a lost packet as silence."""
        frames = {packet.sequence: packet.payload for packet in self.heard if packet.payload_type == PCMA}
        if not frames:
            return b""
        wanted = range(min(frames), max(frames) + 1)
        return b"".join(from_a_law(frames.get(number, PCMA_SILENCE)) for number in wanted)

    def request(self, method: str, *, cseq: int | None = None, body: str = "", headers: str = "") -> bytes:
        """A well-formed request of this dialog, not sent; `headers` are whole lines."""
        if cseq is None:
            self._cseq += 1
            cseq = self._cseq
        host, port = self._agent
        me = "{}:{}".format(*self.address)
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self.number}@{me}>;tag={self.tag}",
            f"To: <sip:{self.callee}@{host}:{port}>" + (f";tag={self.to_tag}" if self.to_tag else ""),
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.number}@{me}>",
        ]
        lines += headers.splitlines()
        lines += ["Content-Type: application/sdp"] if body and "Content-Type" not in headers else []
        return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()

    def send(self, method: str, *, cseq: int | None = None, body: str = "", headers: str = "") -> None:
        """Send a request of this dialog."""
        self._sent[method] = self.request(method, cseq=cseq, body=body, headers=headers)
        self._sip.sendto(self._sent[method], self._agent)

    def response(self, method: str) -> SipMessage:
        """The next final response to such a request, sent again while none comes (RFC 3261, 17.1)."""
        for wait_s in (0.5, 1, 2, 4, 4):
            deadline = time.monotonic() + wait_s
            while (left := deadline - time.monotonic()) > 0:
                try:
                    message = self._responses.get(timeout=left)
                except queue.Empty:
                    break
                if message.status >= 200 and self._answers(message, method):
                    return message
            self._sip.sendto(self._sent[method], self._agent)
        raise AssertionError(f"no response to {method}")

    def _answers(self, response: SipMessage, method: str) -> bool:
        """Whether it is to our newest request of this method: it has the branch (RFC 3261, 17.1.3)."""
        branch = "".join(response.headers.get("via", [])).partition("branch=")[2].partition(";")[0]
        return f"branch={branch};".encode() in self._sent[method]

    def _wait(self, ready: Callable[[], bool], deadline: float) -> None:
        while not ready():
            assert time.monotonic() < deadline, f"{self.number} waited in vain for the agent"
            assert not self.ended.is_set(), f"the agent hung up on {self.number}"
            time.sleep(FRAME_S)

    def _quiet_for(self) -> float:
        """Seconds since the agent's last sound; negative before its first."""
        return time.monotonic() - self._last_sound if self._last_sound else -1.0

    def _signal(self) -> None:
        """Read responses; answer what the agent requests with 200."""
        self._sip.settimeout(0.1)
        while not self._closing:
            try:
                raw, source = self._sip.recvfrom(MAX_BYTES)
            except TimeoutError:
                continue
            if self.call_id.encode() not in raw:
                continue  # a keep-alive, or an answer to somebody who pretended to be us
            message = SipMessage.parse(raw.decode(errors="replace").encode())
            if message.status:
                self._responses.put(message)
                if "ACK" in self._sent and self._answers(message, "INVITE"):
                    self._sip.sendto(self._sent["ACK"], self._agent)  # ours was lost
                continue
            self.requests.append(message)
            if message.method != "ACK":
                self._sip.sendto(_ok(message), source)
            if message.method == "BYE":
                self.ended.set()

    def _talk(self) -> None:
        """A frame every 20 ms; between them, take what comes."""
        sequence, due = secrets.randbelow(30000), time.monotonic()
        first = sequence
        while not self._closing and not self.ended.is_set():
            frame = self._frames.popleft() if self._frames else Frame(PCMA_SILENCE)
            stamp, marker = (sequence - frame.since) * 160, frame.marker or sequence == first
            packet = rtp_packet(frame.payload_type, sequence, stamp, frame.payload, marker=marker)
            assert self.send_to is not None
            if not self.dead:
                self._rtp.sendto(packet, self.send_to)
            if frame.payload is not PCMA_SILENCE:
                self.said_at = time.monotonic()
            sequence, due = sequence + 1, due + FRAME_S
            while (left := due - time.monotonic()) > 0:
                if select.select([self._rtp], [], [], left)[0]:
                    self._hear(self._rtp.recv(MAX_BYTES))

    def _hear(self, raw: bytes) -> None:
        packet = RtpPacket.parse(raw, time.monotonic())
        self.heard.append(packet)
        if is_sound(packet):
            self._last_sound = packet.at


def _ok(request: SipMessage) -> bytes:
    lines = ["SIP/2.0 200 OK", *(f"Via: {via}" for via in request.headers["via"])]
    lines += [f"{name}: {request.header(name)}" for name in ("From", "To", "Call-ID", "CSeq")]
    return ("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n").encode()
