"""The real Kamailio with our configuration in front of two real nodes."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.kamailio_proxy import STRANGER, ProxiedCall, Proxy, free_port
from tests.sip.agent import (
    ANSWER,
    QUESTION,
    Agent,
    Caller,
    environment,
    eventually,
    kinds,
    stored_call,
    voice_cache,
    words,
)
from tests.sip.agent import settings as node_settings
from tests.sip.plain import sdp
from tests.sip.seat_phone import SeatPhone

MISSING = [name for name in ("kamailio", "kamcmd") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason="Kamailio is not installed (Debian package kamailio)"),
]
TLS = bool(list(Path("/usr/lib").glob("*/kamailio/modules/tls.so"))) and shutil.which("openssl") is not None
MAX_CALLS = 2  # of one node
FREE = ("A", 0)
FLOOD = 2000
PROBE = """OPTIONS sip:12345@city.example SIP/2.0
Via: SIP/2.0/TCP 127.0.0.9;branch=z9hG4bK1
From: <sip:1@127.0.0.9>;tag=1
To: <sip:12345@city.example>
Call-ID: 1
CSeq: 1 OPTIONS
Content-Length: 0

""".replace("\n", "\r\n")


@dataclass
class Site:
    """Two nodes and the proxy in front of them."""

    folder: Path
    nodes: list[Agent]
    proxy: Proxy

    def call(self, number: str) -> ProxiedCall:
        return ProxiedCall(self.proxy.address, number)

    def node_of(self, number: str) -> Agent:
        """The node that took this caller's call."""
        return next(node for node in self.nodes if node.process.poll() is None and node.call_of(number))

    def other(self, node: Agent) -> Agent:
        return next(other for other in self.nodes if other is not node)

    def is_whole(self) -> None:
        """Wait until both nodes are there; of two new calls each takes one."""
        self.proxy.until_nodes_are(FREE, FREE)
        with self.call("1") as one, self.call("2") as two:
            assert (one.dial().status, two.dial().status) == (200, 200)
            self.until_calls_are(1, 1)
            assert one.hang_up() == two.hang_up() == 200

    def until_calls_are(self, *wanted: int) -> None:
        """Wait until the records of the nodes, in order, hold so many running calls (of a node down: 0)."""
        eventually(lambda: tuple(map(_running, self.nodes)) == wanted)


def _running(node: Agent) -> int:
    if node.process.poll() is not None:
        return 0
    calls = node.api.get("/api/v1/calls").json()["items"]
    return sum(bool(call["answered_at"]) and not call["ended_at"] for call in calls)


def certificate(folder: Path) -> dict[str, str]:
    """A self-made certificate of localhost; the keys of [proxy] that name it."""
    files = {"tls_cert_file": str(folder / "cert.pem"), "tls_key_file": str(folder / "key.pem")}
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-out", files["tls_cert_file"], "-keyout", files["tls_key_file"]]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, cache = tmp_path_factory.mktemp("kamailio"), voice_cache(tmp_path_factory)

    def node(number: int) -> Agent:
        sections: dict[str, dict[str, Any]] = {
            "sip": {"port": free_port()},
            "limits": {"max_calls": MAX_CALLS},
            "node": {"name": f"n{number}"},
        }
        return Agent(folder / f"node{number}", node_settings(cache, **sections))

    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as pool:
            nodes = []
            for agent in pool.map(node, (1, 2)):
                stack.callback(agent.stop)
                nodes.append(agent)
        tls = {"transports": ["udp", "tcp", "tls"], **certificate(folder)} if TLS else {}
        proxy = Proxy(folder / "proxy", [agent.sip for agent in nodes], rate_per_s=50, **tls)
        stack.enter_context(proxy).start()
        yield Site(folder, nodes, proxy)


@pytest.fixture(autouse=True)
def _all_free(site: Site) -> None:
    """Every test begins with both nodes free."""
    site.proxy.until_nodes_are(FREE, FREE)


def test_calls_go_to_the_node_with_the_fewest_and_one_too_many_is_refused(site: Site) -> None:
    with ExitStack() as stack:
        calls = [stack.enter_context(site.call(f"1300000000{index}")) for index in range(2 * MAX_CALLS + 1)]
        assert [call.dial().status for call in calls[:-1]] == [200] * (2 * MAX_CALLS)
        site.until_calls_are(MAX_CALLS, MAX_CALLS)
        refusal = calls[-1].dial()
        assert (refusal.status, int(refusal.header("Retry-After"))) == (503, 1)
        assert {call.hang_up() for call in calls[:-1]} == {200}
    for call in calls[:-1]:
        assert site.node_of(call.number).record(call.number)["end_reason"] == "caller_hangup"
    site.proxy.until_nodes_are(FREE, FREE)
    with site.call("13000000009") as probe:
        probe.send("OPTIONS")
        assert probe.response().status == 200


def test_a_conversation_over_tcp_is_understood(site: Site) -> None:
    number = "13100000000"
    command = [
        sys.executable,
        "-m",
        "hotline",
        "call",
        "sip:12345@{}:{}".format(*site.proxy.address),
        "--json",
    ]
    command += ["--from", number, "--transport", "tcp", "--at-once", "--say", QUESTION]
    caller = Caller(
        subprocess.Popen(
            command,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=site.folder,
        ),
        number,
    )
    try:
        report = caller.report()
    finally:
        caller.kill()
    assert report["end_reason"] == "caller_hangup"
    record = site.node_of(number).record(number)
    assert words(record, "caller") == [QUESTION]
    assert words(record, "agent")[-1].startswith(ANSWER)
    assert record["end_reason"] == "caller_hangup"


def test_a_drained_node_gets_no_new_calls_and_its_own_go_on_over_a_restart_of_the_proxy(site: Site) -> None:
    with ExitStack() as stack:
        running, elsewhere, longer, new = (
            stack.enter_context(site.call(f"1320000000{index}")) for index in range(4)
        )
        assert [call.dial().status for call in (running, elsewhere, longer)] == [200] * 3
        drained = site.node_of(running.number)
        assert drained is site.node_of(longer.number)
        drained.terminate()
        eventually(lambda: "draining" in drained.errors())
        assert new.dial().status == 200
        eventually(lambda: _running(site.other(drained)) == 2)
        assert elsewhere.hang_up() == new.hang_up() == 200

        site.proxy.stop()
        site.proxy.start()
        assert drained.process.poll() is None
        assert running.hang_up() == 200
        drained.terminate()  # the second SIGTERM ends it: its BYE finds the caller by the Route set
        assert longer.request().method == "BYE"
        assert drained.process.wait(timeout=20) == 0
    assert stored_call(drained, running.number)["end_reason"] == "caller_hangup"
    assert stored_call(drained, longer.number)["ended_at"]
    drained.stop()
    drained.start()
    site.is_whole()


def test_a_killed_node_costs_a_new_caller_less_than_two_seconds(site: Site) -> None:
    with (
        site.call("13300000000") as lost,
        site.call("13300000001") as first,
        site.call("13300000002") as next_,
    ):
        assert lost.dial().status == 200
        killed = site.node_of(lost.number)
        killed.kill()
        answered_s = []
        for call in (first, next_):
            began = time.monotonic()
            assert call.dial().status == 200
            answered_s.append(time.monotonic() - began)
        eventually(lambda: _running(site.other(killed)) == 2)
        assert max(answered_s) < 2.5  # two seconds, and a busy machine
        lost.send("BYE")  # nobody is there to answer it
        assert first.hang_up() == next_.hang_up() == 200

    killed.start()
    record = killed.call_of(lost.number)
    assert record
    assert (record["end_reason"], kinds(record)[-1]) == ("failed", "process_died")
    site.is_whole()


def test_strangers_and_floods_learn_nothing_and_disturb_nobody(site: Site) -> None:
    proxy = site.proxy
    with site.call("13500000000") as running, ProxiedCall(proxy.address, "1", local=STRANGER) as stranger:
        assert running.dial().status == 200
        for method in ("OPTIONS", "INVITE", "REGISTER", "BYE"):
            stranger.send(method, body=sdp(9) if method == "INVITE" else "")
        for _ in range(FLOOD):
            stranger.send("INVITE", body=sdp(9))
        with pytest.raises(TimeoutError):
            stranger.response(timeout_s=1)
        with socket.create_connection(proxy.address, timeout=5, source_address=(STRANGER, 0)) as connection:
            connection.sendall(PROBE.encode())
            assert connection.recv(100) == b"", "closed without a word"
        assert proxy.count("dropped_unknown_source") > 0  # of a flood the kernel drops some itself

        with site.call("2") as scanner:
            scanner.send("OPTIONS", agent="friendly-scanner")
            with pytest.raises(TimeoutError):
                scanner.response(timeout_s=0.5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as garbage:
            for text in (b"\0" * 100, b"INVITE", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"):
                garbage.sendto(text, proxy.address)
        assert proxy.count("dropped_scanner") == 1

        with site.call("3") as trunk:
            eventually(lambda: _limited(trunk))
        assert proxy.count("dropped_flood") > 0
        time.sleep(1)  # the second of the limit
        with site.call("13500000001") as well:
            assert well.dial().status == 200
            assert well.hang_up() == 200
        assert running.hang_up() == 200
    assert site.node_of(running.number).record(running.number)["end_reason"] == "caller_hangup"
    # A call from before the restart of the proxy is not in its count.
    assert [
        line for line in proxy.log().splitlines() if "ERROR" in line and "cannot find load" not in line
    ] == []


def _limited(trunk: ProxiedCall) -> bool:
    """Whether an INVITE after many probes is refused for their number; not if a new second has just begun."""
    for _ in range(100):
        trunk.send("OPTIONS")
    trunk.send("INVITE", body=sdp(9))
    while "INVITE" not in (answer := trunk.response()).header("CSeq"):
        pass
    assert answer.status == 200 or answer.header("Retry-After") == "1"
    return answer.status == 503 and "Too Many Calls" in answer.start


@pytest.mark.skipif(not TLS, reason="needs Debian's kamailio-tls-modules and openssl")
def test_tls_towards_the_outside(site: Site) -> None:
    trusted = ssl.create_default_context(cafile=str(site.folder / "cert.pem"))
    with ProxiedCall(("127.0.0.1", site.proxy.tls_port), "13600000000", tls=trusted) as call:
        assert call.dial().status == 200
        assert "transport=tls" in call.routes[0]
        assert call.hang_up() == 200
    assert site.node_of(call.number).record(call.number)["end_reason"] == "caller_hangup"


def test_what_a_node_sends_to_a_telephone_passes_through(site: Site) -> None:
    with SeatPhone(180, 200) as seat, ProxiedCall(site.proxy.inside, "12345", target=seat.uri) as leg:
        assert leg.dial().status == 200
        invite = seat.received[0]
        assert invite.start.startswith(f"INVITE {seat.uri} ")
        assert "{}:{}".format(*site.proxy.address) in invite.header("Via"), "it leaves by the outside"
        routes = ",".join(invite.headers["record-route"])
        assert routes.index(site.proxy.address[0]) < routes.index(site.proxy.inside[0])


def test_behind_nat_the_public_address_is_written(site: Site) -> None:
    nodes = [node.sip for node in site.nodes]
    with Proxy(site.folder / "nat", nodes, public_address="192.0.2.7") as proxy:
        proxy.start()
        with ProxiedCall(proxy.address, "13700000000") as call:
            assert call.dial().status == 200
            assert call.routes[0].startswith(f"<sip:192.0.2.7:{proxy.address[1]};")
            assert re.match(r"<sip:127\.0\.0\.2:", call.routes[1]), "for the nodes, who are inside"
            assert call.hang_up() == 200
