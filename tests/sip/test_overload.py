"""More calls than allowed, and the end of the program: refused cleanly, drained, nothing lost."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from dialog import phrases
from tests.sip.agent import ANSWER, QUESTION, Agent, eventually, running_agent, stored_call, words
from tests.sip.plain import SipClient, SipMessage, sdp
from voice.sip import build_info

pytestmark = [pytest.mark.sip]

CALLER = "13700000000"  # of SipClient


def invite(agent: Agent) -> SipMessage:
    """A call by hand; its final response, acknowledged."""
    with SipClient(agent.address) as client:
        client.request("INVITE", branch=client.tag, body=sdp(9))
        reply = client.response()
        to_tag = reply.header("To").partition("tag=")[2]
        client.request("ACK", branch=client.tag, to_tag=to_tag)
    return reply


def test_more_calls_than_the_build_carries_are_not_promised(tmp_path: Path, voice_cache: Path) -> None:
    with running_agent(tmp_path, voice_cache, limits={"max_calls": 100_000}) as agent:
        assert f"hotline_calls_max {build_info().max_legs}" in agent.api.get("/metrics").text.replace(
            ".0", ""
        )
        assert "max_calls_lowered" in agent.errors()


def test_a_call_too_many_is_refused_and_sigterm_lets_the_running_one_end(
    tmp_path: Path, voice_cache: Path
) -> None:
    with running_agent(tmp_path, voice_cache, limits={"max_calls": 1}) as agent:
        assert agent.api.get("/readyz").status_code == 200
        caller = agent.ring("--at-once", "--say", QUESTION)
        eventually(lambda: (agent.call_of(caller.number) or {}).get("answered_at"))

        refusal = invite(agent)
        assert refusal.status == 503
        assert int(refusal.header("Retry-After")) > 0
        refused = agent.record(CALLER)
        assert (refused["end_reason"], refused["outcome"]) == ("rejected_busy", "rejected")
        assert (refused["callee"], refused["answered_at"], refused["turns"]) == ("12345", None, [])
        assert agent.api.get("/readyz").status_code == 503
        assert 'hotline_calls_refused_total{cause="full"} 1' in agent.api.get("/metrics").text

        agent.terminate()
        eventually(lambda: "draining" in agent.errors())
        assert invite(agent).status == 503
        assert agent.process.poll() is None
        report = caller.report()
        assert (report["end_reason"], report["turns"][0]["response_gap_ms"] is None) == (
            "caller_hangup",
            False,
        )
        assert agent.process.wait(timeout=15) == 0
        newest = stored_call(agent, caller.number)
    assert (newest["end_reason"], newest["outcome"]) == ("caller_hangup", "answered")
    assert words(newest, "agent")[-1].startswith(ANSWER)
    assert "Traceback" not in agent.errors()


def test_a_drain_that_is_cut_off_ends_the_call_in_words(tmp_path: Path, voice_cache: Path) -> None:
    with running_agent(tmp_path, voice_cache, limits={"drain_s": 0.5}) as agent:
        caller = agent.ring("--stay", "60")
        eventually(lambda: (agent.call_of(caller.number) or {}).get("answered_at"))
        agent.terminate()
        assert caller.report()["end_reason"] == "agent_hangup"
        assert agent.process.wait(timeout=15) == 0
        call = stored_call(agent, caller.number)
    assert call["end_reason"] == "shutdown"
    assert words(call, "agent")[-1] == phrases.SHUTDOWN_GOODBYE
    assert call["turns"][-1]["heard_text"] == phrases.SHUTDOWN_GOODBYE
    assert [event["detail"]["stage"] for event in call["events"]] == ["shutdown"]


def test_a_second_sigterm_ends_all_at_once(tmp_path: Path, voice_cache: Path) -> None:
    with running_agent(tmp_path, voice_cache) as agent:
        caller = agent.ring("--stay", "60")
        eventually(lambda: (agent.call_of(caller.number) or {}).get("answered_at"))
        agent.terminate()
        eventually(lambda: "draining" in agent.errors())
        agent.terminate()
        assert agent.process.wait(timeout=8) == 0
        assert caller.report()["end_reason"] == "agent_hangup"
        assert stored_call(agent, caller.number)["ended_at"]


def test_calls_are_refused_while_the_event_loop_is_behind(tmp_path: Path, voice_cache: Path) -> None:
    with running_agent(tmp_path, voice_cache, limits={"loop_late_s": 0.25}) as agent:
        eventually(lambda: agent.api.get("/readyz").status_code == 200)
        agent.process.send_signal(signal.SIGSTOP)  # as on a machine that has no time for it
        with SipClient(agent.address) as client:
            client.request("INVITE", body=sdp(9))
            time.sleep(1.0)
            agent.process.send_signal(signal.SIGCONT)
            assert client.response().status == 503
        eventually(lambda: agent.api.get("/readyz").status_code == 200)
        assert 'hotline_calls_refused_total{cause="event_loop"} 1' in agent.api.get("/metrics").text
