"""Thousands of damaged packets while calls run and talk: none of the calls is harmed, none is left behind."""

from __future__ import annotations

import contextlib
import random
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sip.agent import (
    ANSWER,
    QUESTION,
    Agent,
    environment,
    eventually,
    kinds,
    recognised,
    running_agent,
    share_heard,
    words,
)
from tests.sip.mutation import Mutator
from tests.sip.plain import Address, loopback_socket, sdp
from tests.sip.plain_caller import PlainCaller
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.sip]

SEED = 4
CALLS = 5
UDP_PACKETS, TCP_PACKETS, RTP_PACKETS, RTCP_PACKETS = 7000, 1000, 4000, 1000
PACKETS = UDP_PACKETS + TCP_PACKETS + RTP_PACKETS + RTCP_PACKETS
PACKETS_PER_S = 500
PER_CONNECTION = 10  # messages over TCP before the next connection
QUESTIONS = 2  # of each caller
MEMORY_GROWTH_MIB = 100
LAST_CSEQ = (
    2**31 - 1
)  # a damaged request may have moved the dialog's sequence on; BYE comes after all of them


def max_legs() -> int:
    """How many legs the pjsua2 build allows; asked in a process of its own."""
    script = "from voice.sip import build_info; print(build_info().max_legs)"
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, env=environment(), capture_output=True, check=True).stdout)


@dataclass(frozen=True, slots=True)
class Attack:
    """What became of the calls: records, what the callers heard, and the agent's memory before and after."""

    records: list[dict[str, Any]]
    heard: list[bytes]
    memory_mib: tuple[float, float]
    packets: int


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Agent]:
    """An agent that takes CALLS calls, or as many as the build allows and a leg to refuse others with."""
    limits = {"max_calls": min(CALLS, max_legs() - 1), "loop_late_s": 10.0}
    sip = {"rate_per_s": 1e6}  # so that nothing is spared by the limit
    with running_agent(tmp_path_factory.mktemp("fuzz"), voice_cache, limits=limits, sip=sip) as running:
        yield running


@pytest.fixture(scope="module")
def attack(agent: Agent) -> Attack:
    question = synthesise(QUESTION)
    with contextlib.ExitStack() as stack:
        calls = min(CALLS, max_legs() - 1)
        numbers = [f"1340000000{index}" for index in range(calls)]
        callers = [stack.enter_context(PlainCaller(agent.address, number)) for number in numbers]
        targets = [caller.dial().rtp for caller in callers]
        before = memory_mib(agent)
        with ThreadPoolExecutor(calls + 1) as pool:
            talks = [pool.submit(talk, caller, question) for caller in callers]
            packets = pool.submit(fire, agent.address, callers, targets)
            for talk_over in talks:
                talk_over.result()
            sent = packets.result()
        after = memory_mib(agent)
        heard = [caller.heard_pcm() for caller in callers]
    return Attack([agent.record(number) for number in numbers], heard, (before, after), sent)


def talk(caller: PlainCaller, question: bytes) -> None:
    for _ in range(QUESTIONS):
        caller.ask(question)
    caller.hang_up(cseq=LAST_CSEQ)


def memory_mib(agent: Agent) -> float:
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def fire(agent: Address, callers: list[PlainCaller], targets: list[Address]) -> int:
    """All packets, in a random order and at a steady pace; how many were sent."""
    mutator = Mutator(SEED)
    plan = ["udp"] * UDP_PACKETS + ["tcp"] * TCP_PACKETS + ["rtp"] * RTP_PACKETS + ["rtcp"] * RTCP_PACKETS
    random.Random(SEED).shuffle(plan)
    began = time.monotonic()
    with loopback_socket() as udp, contextlib.closing(Connections(agent)) as tcp:
        wellformed = seeds(agent, udp.getsockname(), callers)
        for count, kind in enumerate(plan):
            time.sleep(max(0.0, began + count / PACKETS_PER_S - time.monotonic()))
            host, port = targets[count % len(targets)]
            if kind == "udp":
                udp.sendto(mutator.sip(wellformed), agent)
            elif kind == "tcp":
                tcp.send(mutator.sip(wellformed))
            elif kind == "rtp":
                udp.sendto(mutator.rtp(), (host, port))
            else:
                udp.sendto(mutator.rtcp(), (host, port + 1))
    return len(plan)


class Connections:
    """Sends over TCP, a few messages over each connection, and over the next when the agent closes one."""

    def __init__(self, agent: Address) -> None:
        self._agent = agent
        self._socket = socket.create_connection(agent)
        self._sent = 0

    def send(self, raw: bytes) -> None:
        self._sent += 1
        if self._sent % PER_CONNECTION == 0:
            self._reconnect()
        try:
            self._socket.sendall(raw)
        except ConnectionError:
            self._reconnect()

    def _reconnect(self) -> None:
        self._socket.close()
        self._socket = socket.create_connection(self._agent)

    def close(self) -> None:
        self._socket.close()


METHODS = ["OPTIONS", "INFO", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PRACK", "ACK", "REGISTER", "PUBLISH"]
METHODS_OF_A_CALL = ["INVITE", "BYE", "CANCEL", "UPDATE", "REFER"]
STATUSES = [100, 183, 200, 302, 401, 503, 699]


def seeds(agent: Address, answer_to: Address, callers: list[PlainCaller]) -> list[bytes]:
    """Well-formed requests and responses: of no call, and within the running ones; answered to `answer_to`.

    What would rightly end or change a running call, should it arrive whole, names another dialog.
    """
    made = []
    with PlainCaller(agent, "13499999999") as stranger:
        for caller in (stranger, *callers):
            headers = "Event: presence\nExpires: 60\nContent-Type: application/x-unknown"
            made += [caller.request(method, cseq=2, headers=headers, body="x=1") for method in METHODS]
            own, caller.to_tag = caller.to_tag, "" if caller is stranger else secrets.token_hex(8)
            headers = "Refer-To: <sip:1@127.0.0.1:9>\nSession-Expires: 90\nSupported: timer, 100rel"
            made += [
                caller.request(method, cseq=3, headers=headers, body=sdp(9)) for method in METHODS_OF_A_CALL
            ]
            caller.to_tag = own
    ours, theirs = ("UDP {}:{}".format(*address).encode() for address in (answer_to, agent))
    requests = [re.sub(rb"UDP [\d.:]+", ours, raw, count=1) for raw in made]
    responses = [
        re.sub(rb"UDP [\d.:]+", theirs, b"SIP/2.0 %d Told\r\n" % status + raw.partition(b"\r\n")[2], count=1)
        for raw in made[:: len(METHODS)]
        for status in STATUSES
    ]
    return requests + responses


def test_more_than_ten_thousand_packets_were_sent(attack: Attack) -> None:
    assert attack.packets == PACKETS > 10_000


@pytest.mark.parametrize("index", range(CALLS))
def test_the_calls_are_unharmed(attack: Attack, index: int) -> None:
    if index >= len(attack.records):
        pytest.skip(f"this pjsua2 build takes {len(attack.records)} of the {CALLS} calls")
    call = attack.records[index]
    assert words(call, "caller") == [QUESTION] * QUESTIONS
    answers = [text.startswith(ANSWER) for text in words(call, "agent")[1:]]
    assert answers == [True] * QUESTIONS
    assert (call["end_reason"], call["outcome"]) == ("caller_hangup", "answered")
    assert "failed" not in kinds(call)
    assert share_heard(words(call, "agent")[-1], recognised(attack.heard[index])) > 0.6, "by the caller"


def test_nothing_is_left_behind(agent: Agent, attack: Attack) -> None:
    eventually(lambda: "hotline_calls_active 0" in agent.api.get("/metrics").text, timeout_s=40)
    page = agent.api.get("/api/v1/calls").json()
    assert [item["id"] for item in page["items"] if not item["ended_at"]] == []
    assert agent.process.poll() is None
    assert "Traceback" not in agent.errors()
    assert "sip_callback_failed" not in agent.errors()
    before, after = attack.memory_mib
    assert after - before < MEMORY_GROWTH_MIB


def test_the_next_call_is_served(agent: Agent, attack: Attack) -> None:
    caller = agent.ring("--at-once", "--say", QUESTION)
    caller.report()
    assert words(agent.record(caller.number), "agent")[-1].startswith(ANSWER)
