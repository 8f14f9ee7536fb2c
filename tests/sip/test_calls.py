"""Whole calls over real SIP and RTP: what the caller says is heard, answered, recorded and written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sip.agent import (
    ANSWER,
    QUESTION,
    Agent,
    kinds,
    read_stereo,
    recognised,
    running_agent,
    share_heard,
    words,
)
from tests.sip.builds import builds, unpacked
from tests.sip.plain import SipClient, SipMessage, sdp

pytestmark = [pytest.mark.sip]


Answered = tuple[dict[str, Any], dict[str, Any]]  # the caller's report, the agent's record


@pytest.fixture(scope="module", params=builds().items(), ids=lambda build: str(build[0]))
def agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, voice_cache: Path
) -> Iterator[Agent]:
    """An agent with room for three calls, on each build of pjsua2 there is."""
    name, wheel = request.param
    folder = tmp_path_factory.mktemp("agent")
    path = unpacked(wheel, folder / "pjsua2")
    with running_agent(folder, voice_cache, path, limits={"max_calls": 3}) as running:
        parts = name.split(".post")[0].split("+")[0]
        assert f'pjsua2="{parts}"' in running.api.get("/metrics").text, "it runs on the build under test"
        yield running


@pytest.fixture(scope="module")
def calls(agent: Agent) -> dict[str, Answered]:
    """Three calls at once, each with its codec: one hears the greeting out, two speak over it."""
    callers = {
        "PCMA": agent.ring("--say", QUESTION, "--record", "caller.wav"),
        "G722": agent.ring("--at-once", "--say", QUESTION, "--codec", "G722", "--voice", "m3"),
        "PCMU": agent.ring(
            "--at-once", "--say", "再见", "--codec", "PCMU", "--transport", "tcp", "--stay", "20"
        ),
    }
    reports = {codec: caller.report() for codec, caller in callers.items()}
    return {codec: (reports[codec], agent.record(caller.number)) for codec, caller in callers.items()}


@pytest.fixture(scope="module")
def answered(calls: dict[str, Answered]) -> Answered:
    """The question asked after the greeting."""
    return calls["PCMA"]


def test_the_caller_is_answered_at_once(answered: Answered) -> None:
    report, call = answered
    assert report["answered_ms"] < 2000, "30 ms on a machine that is not full of other tests"
    assert report["greeting_ms"] < 1500
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
    assert abs(heard_ms - recorded_ms) < 600
    stages = call["turns"][2]["stages_ms"]
    assert set(stages) == {"endpoint", "asr", "dialog", "tts"}
    assert sum(stages.values()) == pytest.approx(recorded_ms, abs=600)


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
    assert share_heard("".join(words(call, "agent")), recognised(sound.right)) > 0.7


def test_the_caller_hears_what_the_record_says(agent: Agent, answered: Answered) -> None:
    _, call = answered
    heard = read_stereo(agent.folder / "caller.wav").right
    assert share_heard("".join(words(call, "agent")), recognised(heard)) > 0.7


def test_calls_at_the_same_time_are_kept_apart(calls: dict[str, Answered]) -> None:
    heard = {codec: words(call, "caller") for codec, (_, call) in calls.items()}
    assert heard == {"PCMA": [QUESTION], "G722": [QUESTION], "PCMU": ["再见"]}


def test_speaking_over_the_agent_stops_it(calls: dict[str, Answered]) -> None:
    for codec in ("G722", "PCMU"):
        report, call = calls[codec]
        greeting = call["turns"][0]
        assert greeting["interrupted"] is True
        assert 0 < len(greeting["heard_text"]) < len(greeting["text"])
        assert "barge_in" in kinds(call)
        assert report["turns"][0]["response_gap_ms"] is not None
    assert words(calls["G722"][1], "agent")[-1].startswith(ANSWER)


def test_either_side_can_hang_up(calls: dict[str, Answered]) -> None:
    ends = {codec: (report["end_reason"], call["end_reason"]) for codec, (report, call) in calls.items()}
    assert ends["PCMA"] == ends["G722"] == ("caller_hangup", "caller_hangup")
    assert ends["PCMU"] == ("agent_hangup", "agent_hangup"), "the agent said goodbye and hung up"
    assert calls["PCMU"][0]["turns"][0]["answer_s"] > 1, (
        "the goodbye is measured although the call ends with it"
    )


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
        client.request("INVITE", branch=client.tag, body=sdp(9))
        client.request("CANCEL", branch=client.tag)
        finals: dict[str, SipMessage] = {}  # by what they answer; a 200 to INVITE comes again until its ACK
        while len(finals) < 2:
            message = client.response()
            finals[message.header("CSeq").split()[1]] = message
        codes = {method: message.status for method, message in finals.items()}
        assert codes["INVITE"] in (200, 487)
        assert codes["CANCEL"] == 200 or codes == {"INVITE": 200, "CANCEL": 481}
        if codes["INVITE"] == 200:  # too late: the call is up, and is ended as RFC 3261 section 15 has it
            to_tag = finals["INVITE"].header("To").partition("tag=")[2]
            client.request("ACK", to_tag=to_tag)
            client.request("BYE", cseq=2, to_tag=to_tag)
            assert client.response().status == 200
    call = agent.record("13700000000")
    assert call["end_reason"] in ("caller_hangup", "failed")


def test_text_chat_is_the_same_dialog_on_the_same_record(agent: Agent, answered: Answered) -> None:
    _, call = answered
    turn = call["turns"][2]
    said = [QUESTION, "没有了谢谢", "满意"]
    reply, asked, goodbye = (
        agent.api.post("/api/v1/chat", json={"session": "a-text-session", "text": text}).json()
        for text in said
    )
    assert (reply["reply"], reply["sources"]) == (turn["text"], turn["sources"])
    assert reply["confidence"] == pytest.approx(turn["dialog_confidence"], abs=0.1)
    assert goodbye["action"] == "end_call"

    newest = agent.api.get("/api/v1/calls").json()["items"][0]
    chat = agent.api.get(f"/api/v1/calls/{newest['id']}").json()
    assert (chat["callee"], chat["end_reason"], chat["outcome"]) == ("text", "agent_hangup", "answered")
    assert words(chat, "caller") == said
    assert words(chat, "agent") == [reply["reply"], asked["reply"], goodbye["reply"]]
    assert chat["satisfaction"] == 3
    assert chat["turns"][1]["decision"]["kind"] == "answer"
    assert chat["turns"][1]["sources"] == turn["sources"]
    assert not chat["recording"]
    assert set(chat) == set(call)
    assert [set(item) for item in chat["turns"]] == [set(turn)] * 6
