"""Kamailio in front of nodes, and calls by hand that keep to their Route set: for the tests of the proxy."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotline.settings import Settings
from sip_config.kamailio import render
from tests.sip.agent import environment, eventually
from tests.sip.plain import MAX_BYTES, Address, SipMessage, sdp

LOOPBACK = "127.0.0.1"
INSIDE = "127.0.0.2"  # where nodes see the proxy
STRANGER = "127.0.0.9"  # an address that no trunk has


def free_port(host: str = LOOPBACK) -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((host, 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(tcp.getsockname()[1])


class Proxy:
    """A Kamailio with the configuration that `hotline kamailio-config` makes; `keys` are those of [proxy]."""

    def __init__(self, folder: Path, nodes: Sequence[str], **keys: Any) -> None:
        self.address: Address = (LOOPBACK, free_port())
        self.inside: Address = (INSIDE, free_port(INSIDE))
        self.tls_port = free_port()
        proxy = {
            "listen": "{}:{}".format(*self.address),
            "inside": "{}:{}".format(*self.inside),
            "tls_port": self.tls_port,
            "nodes": [{"uri": f"sip:{node}"} for node in nodes],
            "probe_s": 1,
            **keys,
        }
        trunk = {"name": "city", "uri": "sip:127.0.0.1", "networks": ["127.0.0.1/32"]}
        settings = Settings.model_validate({"proxy": proxy, "sip": {"trunks": [trunk]}})
        self._control = folder / "control"
        self._file = folder / "kamailio.cfg"
        self._log = folder / "log"
        folder.mkdir()
        for name, text in render(settings.proxy, settings.sip, folder, self._control).items():
            (folder / name).write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Check the configuration, start the process, wait until it answers."""
        check = ["kamailio", "-c", "-f", str(self._file)]
        checked = subprocess.run(check, capture_output=True, text=True, env=environment(), check=False)
        assert checked.returncode == 0, checked.stderr
        assert not re.search("WARNING|ERROR|CRITICAL", checked.stderr), checked.stderr
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["kamailio", "-DD", "-E", "-f", str(self._file)],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )
        eventually(lambda: self.command("core.uptime"), timeout_s=20)

    def stop(self) -> None:
        """SIGTERM; whatever is left of its process group is killed."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10)
        self._process = None

    def command(self, *words: str) -> str:
        """What kamcmd prints; empty when nobody answers it."""
        command = ["kamcmd", "-s", f"unix:{self._control}", *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
        except subprocess.TimeoutExpired:
            return ""

    def nodes(self) -> dict[str, tuple[str, int]]:
        """Of each node (HOST:PORT): A for taking calls (I, T: not), and its calls by the proxy's count."""
        found = re.findall(
            r"URI: sip:(\S+)\s+FLAGS: (\w).*?DLGLOAD: (\d+)", self.command("dispatcher.list"), re.S
        )
        return {uri: (state, int(load)) for uri, state, load in found}

    def until_nodes_are(self, *wanted: tuple[str, int]) -> None:
        """Wait until the nodes, in order, are in these states with so many calls."""
        eventually(lambda: tuple(self.nodes().values()) == wanted, timeout_s=15)

    def count(self, name: str) -> int:
        """A statistic, such as dropped_flood."""
        found = re.search(rf"{name}: (\d+)", self.command("stats.fetch", f"script.{name}"))
        assert found, name
        return int(found[1])

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")


class ProxiedCall:
    """One dialog by hand, over UDP or (with `tls`) TLS; what belongs to it follows its Record-Route."""

    def __init__(
        self,
        to: Address,
        number: str,
        *,
        local: str = LOOPBACK,
        tls: ssl.SSLContext | None = None,
        target: str = "",
    ) -> None:
        self.number, self.to = number, to
        self.call_id, self.tag = secrets.token_hex(8), secrets.token_hex(4)
        self.routes: list[str] = []
        self._to_header = f"<sip:12345@{to[0]}:{to[1]}>"
        self._target = target or f"sip:12345@{to[0]}:{to[1]}"
        self._cseq = 0
        self._up = False  # answered, and nobody has said BYE
        self._transport = "TLS" if tls else "UDP"
        self._unread = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tls else socket.SOCK_DGRAM)
        self._socket.bind((local, 0))
        self._socket.settimeout(15)
        self._socket.connect(to)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")

    def __enter__(self) -> ProxiedCall:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._up:
            self.send("BYE")
        self._socket.close()

    def send(self, method: str, *, cseq: int | None = None, body: str = "", agent: str = "test") -> None:
        """A request: of this dialog once it is there."""
        if cseq is None:
            self._cseq += 1
        mine = "{}:{}".format(*self._socket.getsockname())
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/{self._transport} {mine};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            *(f"Route: {route}" for route in self.routes),
            f"From: <sip:{self.number}@{mine}>;tag={self.tag}",
            f"To: {self._to_header}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq if cseq is None else cseq} {method}",
            f"Contact: <sip:{self.number}@{mine};transport={self._transport.lower()}>",
            f"User-Agent: {agent}",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def response(self, *, timeout_s: float = 15) -> SipMessage:
        """The next final response; raises TimeoutError, or ConnectionError when the other side closed."""
        self._socket.settimeout(timeout_s)
        while (message := self._message()).status < 200:
            pass
        return message

    def request(self) -> SipMessage:
        """The other side's next request, answered with 200."""
        while (message := self._message()).status:
            pass
        self._up = self._up and message.method != "BYE"
        lines = ["SIP/2.0 200 OK", *(f"Via: {via}" for via in message.headers["via"])]
        lines += [f"{name}: {message.header(name)}" for name in ("From", "To", "Call-ID", "CSeq")]
        self._socket.sendall(("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n").encode())
        return message

    def dial(self) -> SipMessage:
        """INVITE and the ACK of its final response, which is returned."""
        self.send("INVITE", body=sdp(9))
        answer = self.response()
        if answer.status == 200:
            contact = re.search(r"<(.+?)>", answer.header("Contact"))
            assert contact, answer.header("Contact")
            self._target, self._to_header = contact[1], answer.header("To")
            listed = ",".join(answer.headers.get("record-route", []))
            self.routes = [part.strip() for part in listed.split(",") if part][::-1]
            self.send("ACK", cseq=self._cseq)
            self._up = True
        return answer

    def hang_up(self) -> int:
        """BYE; the status of its answer."""
        self._up = False
        self.send("BYE")
        return self.response().status

    def _message(self) -> SipMessage:
        if self._transport == "UDP":
            return SipMessage.parse(self._socket.recv(MAX_BYTES))
        while not (match := re.match(rb"(.*?\r\n\r\n)", self._unread, re.S)):
            self._read()
        length = re.search(rb"Content-Length: *(\d+)", match[1], re.I)
        size = len(match[1]) + (int(length[1]) if length else 0)
        while len(self._unread) < size:
            self._read()
        whole, self._unread = self._unread[:size], self._unread[size:]
        return SipMessage.parse(whole)

    def _read(self) -> None:
        got = self._socket.recv(MAX_BYTES)
        if not got:
            raise ConnectionError("the proxy has closed the connection")
        self._unread += got
