"""A seat's telephone by hand: treats each call as it is told to, and keeps what it was sent and heard."""

from __future__ import annotations

import math
import re
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from socket import socket

from tests.sip.plain import (
    MAX_BYTES,
    PCMA_SILENCE,
    Address,
    SipMessage,
    event_packets,
    loopback_socket,
    request_bytes,
    response_bytes,
    rtp_packet,
    sdp,
)
from tests.sip.plain_caller import PCMA, QUIET_S, RtpPacket, is_sound
from tests.sip.tones import tone_frames

FRAME_S = 0.02
AGAIN_S = 0.5  # what was not acknowledged is sent again


@dataclass(frozen=True, slots=True)
class Manner:
    """What a seat does with a call; no `responses`: its telephone is off. Times are from its answer."""

    responses: tuple[int, ...] = (180, 200)
    answers_after_s: float = 0.3  # the last of the responses
    keys: str = ""
    keys_after_s: float = 1.0
    hears_out: bool = False  # presses the keys only when the agent has been quiet for a while
    leaves_after_s: float = math.inf
    falls_silent_after_s: float = math.inf  # no audio any more, and no BYE either
    tone_hz: int = 0  # what it says, all the time; 0: silence


@dataclass(slots=True)
class SeatCall:
    """A call to a seat as its telephone saw it; times by the monotonic clock, 0.0: it did not happen."""

    manner: Manner
    invite: SipMessage
    source: Address
    rtp: Address  # where it wants our audio
    invited_at: float
    answered_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""  # refused, CANCEL, BYE; left: our own BYE
    heard: list[RtpPacket] = field(default_factory=list)
    last_sound: float = 0.0  # when it last heard something
    _to_answer: bool = True
    _acknowledged: bool = False
    _again_at: float = 0.0
    _requests: int = 0  # of ours in it
    _keys: str = ""
    _packets: list[bytes] = field(default_factory=list)  # of a key
    _sequence: int = 0

    @property
    def hotline_call(self) -> str:
        """The root call's id."""
        return self.invite.header("X-Hotline-Call") if "x-hotline-call" in self.invite.headers else ""

    @property
    def up(self) -> bool:
        """Answered, and not over."""
        return bool(self.answered_at) and not self.ended_at


class SeatPhone:
    """Answers every INVITE with `statuses` in turn, or as `manner` says; one call at a time.

    With 200 as the last it takes the call, plays silence and then presses `keys`.
    """

    def __init__(
        self, *statuses: int, keys: str = "", manner: Callable[[SipMessage], Manner] | None = None
    ) -> None:
        told = Manner(statuses, answers_after_s=0.0, keys=keys)
        self._manner = manner or (lambda _invite: told)
        self.received: list[SipMessage] = []
        self.calls: list[SeatCall] = []
        self._socket, self._audio = loopback_socket(), loopback_socket()
        self._left: socket | None = None  # where the audio was before
        self._thread = threading.Thread(target=self._run, name="seat", daemon=True)
        self._stopping = False

    @property
    def uri(self) -> str:
        return "sip:1001@{}:{}".format(*self._socket.getsockname())

    def __enter__(self) -> SeatPhone:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._thread.join(timeout=10)
        self._socket.close()
        for audio in (self._audio, self._left):
            if audio is not None:
                audio.close()

    def methods(self) -> list[str]:
        """The requests received, repetitions left out."""
        seen = {
            (message.method, message.header("CSeq"), message.header("Call-ID")): 0
            for message in list(self.received)
        }
        return [method for method, _, _ in seen]

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping:
            call = self.calls[-1] if self.calls else None
            if call is not None and not call.ended_at:
                self._go_on(call, time.monotonic())
            due = max(due + FRAME_S, time.monotonic() - 0.2)
            while (left_s := due - time.monotonic()) > 0:
                for ready in select.select([self._socket, self._audio], [], [], left_s)[0]:
                    raw, source = ready.recvfrom(MAX_BYTES)
                    if ready is self._audio:
                        self._hear(raw)
                    elif raw.strip()[:1].isalpha():  # else a keep-alive, or audio for who had the port before
                        self._on_message(SipMessage.parse(raw), source)

    # SIP

    def _on_message(self, message: SipMessage, source: Address) -> None:
        call = next((one for one in self.calls if _same_dialog(one.invite, message)), None)
        if message.status:
            if call is not None and message.header("CSeq").endswith("INVITE") and message.status >= 200:
                self._request(call, "ACK")
            return
        self.received.append(message)
        if message.method == "INVITE":
            self._on_invite(message, source, call)
        elif message.method == "ACK":
            if call is not None:
                call._acknowledged = True
        else:
            self._respond(message, source, 200 if call is not None else 481)
            if call is not None and not call.ended_at and message.method in ("BYE", "CANCEL"):
                if message.method == "CANCEL":
                    self._respond(call.invite, call.source, 487)
                self._over(call, message.method)

    def _on_invite(self, message: SipMessage, source: Address, call: SeatCall | None) -> None:
        if call is not None:
            if message.header("CSeq") != call.invite.header("CSeq"):  # else sent again
                call.rtp = message.rtp if message.body else call.rtp
                self._respond(message, source, 200)
            return
        call = SeatCall(self._manner(message), message, source, message.rtp, time.monotonic())
        self.calls.append(call)
        for status in call.manner.responses[:-1]:
            self._respond(message, source, status)
        call._to_answer = bool(call.manner.responses)
        self._go_on(call, call.invited_at)

    def _over(self, call: SeatCall, by: str) -> None:
        call.ended_at, call.ended_by = time.monotonic(), by

    def _go_on(self, call: SeatCall, now: float) -> None:
        """What is due now: the answer, audio, keys, hanging up."""
        manner = call.manner
        if call._to_answer and now >= call.invited_at + manner.answers_after_s:
            self._answer(call, now)
        if not call.answered_at or call.ended_at:
            return
        since_s = now - call.answered_at
        if not call._acknowledged and now > call._again_at:
            call._again_at = now + AGAIN_S
            self._respond(call.invite, call.source, 200)
        if since_s > manner.leaves_after_s:
            self._leave(call)
        elif call._acknowledged and since_s < manner.falls_silent_after_s:
            self._speak(call, now)

    def _answer(self, call: SeatCall, now: float) -> None:
        call._to_answer = False
        status = call.manner.responses[-1]
        self._respond(call.invite, call.source, status)
        if status == 200:
            call.answered_at, call._again_at, call._keys = now, now + AGAIN_S, call.manner.keys
        elif status > 200:
            self._over(call, "refused")

    def hang_up(self) -> None:
        """End the call there is."""
        call = self.calls[-1]
        if not call.ended_at:
            self._leave(call)

    def offer(self, call: SeatCall, direction: str) -> None:
        """Change a call's audio by a re-INVITE: `inactive` holds it, `sendrecv` goes on."""
        self._request(call, "INVITE", sdp(self._audio.getsockname()[1], direction=direction))

    def move(self, call: SeatCall) -> None:
        """Go on at another RTP port, as a telephone does whose network changes."""
        self._left, self._audio = self._audio, loopback_socket()
        self.offer(call, "sendrecv")

    def _leave(self, call: SeatCall) -> None:
        self._request(call, "BYE")
        self._over(call, "left")

    def _request(self, call: SeatCall, method: str, body: str = "") -> None:
        """Send a request within the call; an ACK is for the last INVITE."""
        mine = "{}:{}".format(*self._socket.getsockname())
        target = re.search(r"<(.+?)>", call.invite.header("Contact"))
        assert target, call.invite.header("Contact")
        call._requests += method != "ACK"
        request = request_bytes(
            method,
            target[1],
            via=f"UDP {mine}",
            ours=f"{call.invite.header('To')};tag=seat",
            theirs=call.invite.header("From"),
            call_id=call.invite.header("Call-ID"),
            cseq=call._requests,
            contact=self.uri,
            body=body,
        )
        self._socket.sendto(request, call.source)

    def _respond(self, request: SipMessage, source: Address, status: int) -> None:
        body = sdp(self._audio.getsockname()[1]) if status == 200 and request.method == "INVITE" else ""
        response = response_bytes(request, status, tag="seat", contact=self.uri, body=body)
        self._socket.sendto(response, source)

    # audio

    def _speak(self, call: SeatCall, now: float) -> None:
        manner, number = call.manner, call._sequence
        if call._keys and self._presses_now(call, now):
            key, call._keys = call._keys[0], call._keys[1:]
            call._packets = event_packets(call.invite.event_payload, key, number, number * 160)
        if call._packets:
            packet = call._packets.pop(0)
        else:
            payload = tone_frames(manner.tone_hz)[number % 50] if manner.tone_hz else PCMA_SILENCE
            packet = rtp_packet(PCMA, number, number * 160, payload, marker=not number)
        self._audio.sendto(packet, call.rtp)
        call._sequence += 1

    def _presses_now(self, call: SeatCall, now: float) -> bool:
        if call._packets:
            return False
        if call.manner.hears_out:
            return bool(call.last_sound) and now - call.last_sound > QUIET_S
        return now > call.answered_at + call.manner.keys_after_s

    def _hear(self, raw: bytes) -> None:
        call = self.calls[-1] if self.calls else None
        if call is None or not call.up:
            return
        packet = RtpPacket.parse(raw, time.monotonic())
        call.heard.append(packet)
        if is_sound(packet):
            call.last_sound = packet.at


def _same_dialog(invite: SipMessage, message: SipMessage) -> bool:
    return invite.header("Call-ID") == message.header("Call-ID")
