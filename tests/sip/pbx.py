"""A PBX by hand: it brings a caller to the agent, has a queue, and takes the caller back as it is told to."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.sip.agent import eventually
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

NUMBER = "13600000001"


@dataclass(frozen=True, slots=True)
class Manners:
    """How the PBX behaves in one call."""

    refer: int = 202  # the response to REFER; 0: none
    tells: Sequence[int] = (100, 200)  # the new call's states that it reports, by NOTIFY
    hangs_up: bool = True  # on the agent, after the last of them
    queue: Sequence[int] = (180, 200)  # what the queue answers an INVITE


@dataclass(slots=True)
class Dialog:
    """One of the agent's legs, seen from the PBX."""

    peer: Address
    call_id: str
    ours: str  # the value of our From in requests
    theirs: str  # and of our To
    target: str = ""  # the agent's Contact
    cseq: int = 1
    over: bool = False
    invite: SipMessage | None = None  # of a leg that the agent opened


@dataclass
class Pbx:
    """One user agent on loopback; `received` holds the agent's requests of this call, each once."""

    manners: Manners = field(default_factory=Manners)
    received: list[SipMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = loopback_socket()
        self._audio = loopback_socket()
        self._socket.settimeout(0.1)
        self._dialogs: dict[str, Dialog] = {}
        self._caller: Dialog | None = None
        self._answer: SipMessage | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="pbx", daemon=True)

    def __enter__(self) -> Pbx:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._thread.join(timeout=10)
        self._socket.close()
        self._audio.close()

    @property
    def queue(self) -> str:
        """The queue's SIP address."""
        return "sip:8000@{}:{}".format(*self._socket.getsockname())

    # what a test does and sees

    def call(self, agent: Address, manners: Manners) -> None:
        """Bring a caller to the agent, who is answered."""
        self.manners = manners
        self.received.clear()
        self._answer = None
        mine = "{}:{}".format(*self._socket.getsockname())
        caller = self._caller = Dialog(
            agent,
            secrets.token_hex(8),
            f"<sip:{NUMBER}@{mine}>;tag={secrets.token_hex(4)}",
            "<sip:12345@{}:{}>".format(*agent),
            "sip:12345@{}:{}".format(*agent),
        )
        self._dialogs[caller.call_id] = caller
        self._request(caller, "INVITE", sdp(self._audio.getsockname()[1]), "application/sdp")
        answer = eventually(lambda: self._answer)
        assert answer.status == 200, answer.start
        caller.theirs = answer.header("To")
        caller.target = _contact(answer)
        self._request(caller, "ACK")

    def press(self, key: str) -> None:
        """The caller presses a key."""
        assert self._answer is not None
        for sequence in range(10):
            packet = rtp_packet(8, sequence, sequence * 160, PCMA_SILENCE, marker=not sequence)
            self._audio.sendto(packet, self._answer.rtp)
            time.sleep(0.02)
        for packet in event_packets(self._answer.event_payload, key, 10, 1600):
            self._audio.sendto(packet, self._answer.rtp)
            time.sleep(0.02)

    def hang_up(self) -> None:
        """The caller hangs up."""
        assert self._caller is not None
        self._end(self._caller)

    def until(self, method: str, *, timeout_s: float = 20.0) -> SipMessage:
        """The agent's first request of this kind, once it has come."""
        found: SipMessage = eventually(
            lambda: next((each for each in self.received if each.method == method), None), timeout_s=timeout_s
        )
        return found

    def methods(self, *, queue: bool) -> list[str]:
        """The agent's requests on the caller's leg, or on those to the queue."""
        assert self._caller is not None
        of_caller = self._caller.call_id
        return [each.method for each in self.received if (each.header("Call-ID") != of_caller) is queue]

    # SIP

    def _serve(self) -> None:
        seen: set[tuple[str, str]] = set()
        while not self._stopping:
            try:
                raw, source = self._socket.recvfrom(MAX_BYTES)
            except TimeoutError:
                continue
            if not raw.strip():
                continue  # a keep-alive
            message = SipMessage.parse(raw)
            if message.status:
                self._on_response(message)
            elif (key := (message.method, message.header("Via"))) not in seen:
                seen.add(key)
                self.received.append(message)
                self._on_request(message, source)

    def _on_response(self, message: SipMessage) -> None:
        if message.header("CSeq").endswith("INVITE") and message.status >= 200:
            self._answer = message

    def _on_request(self, message: SipMessage, source: Address) -> None:
        dialog = self._dialogs.get(message.header("Call-ID"))
        if message.method == "INVITE":
            self._ring(message, source)
        elif message.method == "ACK":
            return
        elif message.method == "REFER" and dialog:
            if self.manners.refer:
                self._respond(message, source, self.manners.refer)
            if self.manners.refer == 202:
                self._take(dialog, message)
        else:
            self._respond(message, source, 200)
            if message.method == "BYE" and dialog:
                dialog.over = True
            if message.method == "CANCEL" and dialog and dialog.invite:
                self._respond(dialog.invite, source, 487)

    def _ring(self, invite: SipMessage, source: Address) -> None:
        """The agent calls the queue."""
        tagged = f"{invite.header('To')};tag=queue"
        dialog = Dialog(source, invite.header("Call-ID"), tagged, invite.header("From"), _contact(invite))
        dialog.invite = invite
        self._dialogs[dialog.call_id] = dialog
        for status in self.manners.queue:
            self._respond(invite, source, status)

    def _take(self, dialog: Dialog, refer: SipMessage) -> None:
        """Report how the new call goes, then perhaps hang up; with Replaces on the replaced leg too."""
        for status in self.manners.tells:
            state = "active;expires=60" if status < 200 else "terminated;reason=noresource"
            headers = ["Event: refer", f"Subscription-State: {state}"]
            self._request(dialog, "NOTIFY", f"SIP/2.0 {status} Told\r\n", "message/sipfrag", headers)
            time.sleep(0.05)
        if self.manners.hangs_up:
            self._end(dialog)
            replaced = re.search(r"[?&]Replaces=([^%>]+)", refer.header("Refer-To"))
            if replaced:
                self._end(self._dialogs[replaced[1]])

    def _end(self, dialog: Dialog) -> None:
        if not dialog.over:
            dialog.over = True
            self._request(dialog, "BYE")

    def _request(
        self, dialog: Dialog, method: str, body: str = "", kind: str = "", headers: Sequence[str] = ()
    ) -> None:
        dialog.cseq += method != "ACK"
        mine = "{}:{}".format(*self._socket.getsockname())
        request = request_bytes(
            method,
            dialog.target,
            via=f"UDP {mine}",
            ours=dialog.ours,
            theirs=dialog.theirs,
            call_id=dialog.call_id,
            cseq=dialog.cseq,
            contact=f"sip:pbx@{mine}",
            headers=headers,
            body=body,
            kind=kind,
        )
        self._socket.sendto(request, dialog.peer)

    def _respond(self, request: SipMessage, source: Address, status: int) -> None:
        body = sdp(self._audio.getsockname()[1]) if request.method == "INVITE" and status == 200 else ""
        response = response_bytes(request, status, tag="queue", contact=self.queue, body=body)
        self._socket.sendto(response, source)


def _contact(message: SipMessage) -> str:
    uri = re.search(r"<(.+?)>", message.header("Contact"))
    assert uri, message.header("Contact")
    return uri[1]
