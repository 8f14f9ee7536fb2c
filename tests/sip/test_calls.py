"""Whole calls over real SIP and RTP: what the caller says is heard, answered, recorded and written down."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import pytest

from tests.sip.agent import ANSWER, QUESTION, Agent, kinds, read_stereo, recognised, words
from tests.sip.plain import SipClient, sdp

pytestmark = [pytest.mark.sip]


def alike(heard: str, said: str) -> float:
    """Share of characters two texts have in common, in order; marks left out."""
    bare = [[char for char in text if char.isalnum()] for text in (heard, said)]
    return SequenceMatcher(None, *bare, autojunk=False).ratio()


@pytest.fixture(scope="module")
def answered(agent: Agent) -> tuple[dict[str, Any], dict[str, Any]]:
    """A question asked after the greeting: the caller's report and the agent's record."""
    caller = agent.ring("--say", QUESTION, "--record", "caller.wav")
    report = caller.report()
    return report, agent.record(caller.number)


Answered = tuple[dict[str, Any], dict[str, Any]]


def test_the_caller_is_answered_at_once(answered: Answered) -> None:
    report, call = answered
    assert report["answered_ms"] < 1000
    assert report["greeting_ms"] < 500
    assert call["turns"][0]["who"] == "agent"
    assert call["turns"][0]["text"].startswith("您好，临江市一二三四五热线")
    assert call["callee"] == "12345"


def test_a_question_is_heard_and_answered_with_its_source(answered: Answered) -> None:
    _, call = answered
    assert [turn["who"] for turn in call["turns"]] == ["agent", "caller", "agent"]
    caller, agent_turn = call["turns"][1:]
    assert caller["text"] == QUESTION, "recognised from the audio alone"
    assert caller["asr_confidence"] > 0.8
    assert agent_turn["text"].startswith(ANSWER)
    assert agent_turn["heard_text"] == agent_turn["text"]
    assert len(agent_turn["sources"]) == 1
    assert agent_turn["sources"][0].startswith("kb:")
    assert call["outcome"] == "answered"
    assert call["events"] == []


def test_the_response_gap_is_measured_on_both_sides(answered: Answered) -> None:
    report, call = answered
    heard_ms, recorded_ms = report["turns"][0]["response_gap_ms"], call["turns"][2]["response_gap_ms"]
    assert 0 < recorded_ms < 3000
    assert abs(heard_ms - recorded_ms) < 400
    stages = call["turns"][2]["stages_ms"]
    assert set(stages) == {"endpoint", "asr", "dialog", "tts"}
    assert sum(stages.values()) == pytest.approx(recorded_ms, abs=400)


def test_turns_come_in_the_order_they_were_spoken(answered: Answered) -> None:
    report, call = answered
    times = [moment for turn in call["turns"] for moment in (turn["started_s"], turn["ended_s"])]
    assert times == sorted(times)
    assert times[-1] <= report["duration_s"] + 0.5


def test_both_sides_are_in_the_recording_each_in_its_channel(agent: Agent, answered: Answered) -> None:
    report, call = answered
    sound = agent.recording(call)
    assert sound.duration_s == pytest.approx(report["duration_s"], abs=0.5)
    assert recognised(sound.left) == QUESTION
    assert alike(recognised(sound.right), "".join(words(call, "agent"))) > 0.7


def test_the_caller_hears_what_the_record_says(agent: Agent, answered: Answered) -> None:
    _, call = answered
    heard = read_stereo(agent.folder / "caller.wav").right
    assert alike(recognised(heard), "".join(words(call, "agent"))) > 0.7


@dataclass(frozen=True, slots=True)
class Together:
    """One of several calls made at the same time."""

    report: dict[str, Any]
    call: dict[str, Any]


@pytest.fixture(scope="module")
def together(agent: Agent) -> dict[str, Together]:
    """Three callers who speak over the greeting, each with another codec or transport, voice and wish."""
    callers = {
        "PCMU": agent.ring("--at-once", "--say", QUESTION, "--codec", "PCMU"),
        "G722": agent.ring("--at-once", "--say", QUESTION, "--codec", "G722", "--voice", "m3"),
        "TCP": agent.ring("--at-once", "--say", "再见", "--transport", "tcp", "--stay", "20"),
    }
    reports = {how: caller.report() for how, caller in callers.items()}
    return {how: Together(reports[how], agent.record(caller.number)) for how, caller in callers.items()}


@pytest.mark.parametrize("how", ["PCMU", "G722"])
def test_other_codecs_carry_the_same_call(together: dict[str, Together], how: str) -> None:
    done = together[how]
    assert done.report["turns"][0]["response_gap_ms"] is not None
    assert words(done.call, "caller") == [QUESTION]
    assert words(done.call, "agent")[-1].startswith(ANSWER)


def test_calls_at_the_same_time_are_kept_apart(together: dict[str, Together]) -> None:
    heard = [words(together[how].call, "caller") for how in ("PCMU", "G722", "TCP")]
    assert heard == [[QUESTION], [QUESTION], ["再见"]]


def test_speaking_over_the_agent_stops_it(together: dict[str, Together]) -> None:
    for done in together.values():
        greeting = done.call["turns"][0]
        assert greeting["interrupted"] is True
        assert 0 < len(greeting["heard_text"]) < len(greeting["text"])
        assert "barge_in" in kinds(done.call)


def test_either_side_can_hang_up(answered: Answered, together: dict[str, Together]) -> None:
    report, call = answered
    assert (report["end_reason"], call["end_reason"]) == ("caller_hangup", "caller_hangup")
    over_tcp = together["TCP"]
    assert over_tcp.report["end_reason"] == "agent_hangup", "the agent said goodbye and hung up"
    assert over_tcp.call["end_reason"] == "agent_hangup"


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_options_are_answered(agent: Agent, transport: str) -> None:
    with SipClient(agent.address, transport) as client:
        client.request("OPTIONS")
        reply = client.response()
    assert reply.status == 200
    assert "INVITE" in reply.header("Allow")


def test_a_caller_who_hangs_up_while_it_is_being_answered_leaves_a_record(agent: Agent) -> None:
    """CANCEL right behind INVITE: whichever of 200 and 487 wins, nothing is left over."""
    with SipClient(agent.address) as client:
        client.request("INVITE", branch="z1", body=sdp(9))
        client.request("CANCEL", branch="z1")
        codes = {client.response().status for _ in range(2)}
        assert codes <= {200, 481, 487}
        assert 200 in codes
    call = agent.record("13700000000")
    assert call["end_reason"] in ("caller_hangup", "failed")


def test_text_chat_is_the_same_dialog(agent: Agent, answered: Answered) -> None:
    _, call = answered
    turn = call["turns"][2]
    reply = agent.api.post("/api/v1/chat", json={"session": "a-text-session", "text": QUESTION}).json()
    assert reply["reply"] == turn["text"]
    assert reply["sources"] == turn["sources"]
    assert reply["confidence"] == pytest.approx(turn["dialog_confidence"], abs=0.1)
