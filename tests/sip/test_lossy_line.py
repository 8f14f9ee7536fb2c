"""A call over a bad line, with its packet capture: 5 % of the packets lost, 60 ms of jitter."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest

from tests.sip.agent import ANSWER, QUESTION, Agent, recognised, share_heard, words
from tests.sip.capture import Capture, Captured, Stream, delays_s, read_capture, stream_of
from tests.sip.plain_caller import PlainCaller
from tests.sip.relay import LossyRelay
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.sip]

NUMBER = "13500000001"
LOSS = 0.05
SPREAD_S = 0.18  # delays anywhere in 0..180 ms change by 60 ms on the average from packet to packet
JITTER_S = SPREAD_S / 3
VOICE = "m7"  # the built-in model was trained with none of espeak's


@dataclass(frozen=True, slots=True)
class BadCall:
    """The call's record, what the caller heard, and every packet on both sides of the bad line."""

    record: dict[str, Any]
    heard: bytes
    sent: dict[str, Stream]  # by who sent it: as it went onto the line
    arrived: dict[str, Stream]  # as it came off the line
    delays_s: dict[str, list[float]]


@pytest.fixture(scope="module")
def call(agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> BadCall:
    path = tmp_path_factory.mktemp("capture") / "call.pcap"
    capture = Capture(path)
    relay = LossyRelay(loss=LOSS, spread_s=SPREAD_S, seed=4, capture=capture)
    question = synthesise(QUESTION, variant=VOICE)
    try:
        with PlainCaller(agent.address, NUMBER, media=relay.agent_side) as caller:
            caller.send_to = relay.caller_side
            agents_rtp = caller.dial().rtp
            relay.start(caller.rtp_address, agents_rtp)
            caller.ask(question)
            caller.hang_up()
    finally:
        relay.close()
        capture.close()
    packets = list(read_capture(path))
    sent = {"caller": _to(packets, relay.caller_side), "agent": _to(packets, relay.agent_side)}
    arrived = {"caller": _to(packets, agents_rtp), "agent": _to(packets, caller.rtp_address)}
    return BadCall(
        agent.record(NUMBER),
        caller.heard_pcm(),
        {who: stream_of(stream) for who, stream in sent.items()},
        {who: stream_of(stream) for who, stream in arrived.items()},
        {who: delays_s(sent[who], arrived[who]) for who in sent},
    )


def _to(packets: list[Captured], destination: tuple[str, int]) -> list[Captured]:
    return [packet for packet in packets if packet.destination == destination]


@pytest.mark.parametrize("sender", ["caller", "agent"])
def test_the_line_is_as_bad_as_it_is_said_to_be(call: BadCall, sender: str) -> None:
    sent, arrived = call.sent[sender], call.arrived[sender]
    assert sent.received > 300
    assert sent.lost_share == 0
    assert arrived.lost_share == pytest.approx(LOSS, abs=0.025)
    assert arrived.out_of_order > arrived.received / 10
    assert median(call.delays_s[sender]) == pytest.approx(SPREAD_S / 2, abs=0.03)
    assert sent.jitter_s < JITTER_S / 2
    assert arrived.jitter_s > JITTER_S * 0.9


def test_the_caller_is_understood_and_answered(call: BadCall) -> None:
    (heard,) = words(call.record, "caller")  # one turn, a lost packet may cost a syllable
    assert share_heard(QUESTION, heard) > 0.8
    assert words(call.record, "agent")[-1].startswith(ANSWER)
    assert call.record["turns"][-1]["interrupted"] is False


def test_the_answer_gets_through(call: BadCall) -> None:
    assert share_heard(words(call.record, "agent")[-1], recognised(call.heard)) > 0.5


def test_the_call_ends_properly_with_a_complete_record(agent: Agent, call: BadCall) -> None:
    assert (call.record["end_reason"], call.record["outcome"]) == ("caller_hangup", "answered")
    assert [turn["who"] for turn in call.record["turns"]] == ["agent", "caller", "agent"]
    lasted_s = call.sent["caller"].received * 0.02
    assert agent.recording(call.record).duration_s == pytest.approx(lasted_s, abs=1)
    assert "Traceback" not in agent.errors()
    assert "hotline_calls_active 0" in agent.api.get("/metrics").text
