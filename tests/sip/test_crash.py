"""The agent's process ends in mid-call: killed, or out of time while draining. Nothing said is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.sip.agent import QUESTION, Agent, eventually, kinds, recognised, running_agent, stored_call, words
from tests.sip.plain_caller import PlainCaller

pytestmark = [pytest.mark.sip]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Agent]:
    with running_agent(tmp_path_factory.mktemp("crash"), voice_cache, limits={"drain_s": 1}) as running:
        yield running


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_killed_agent_loses_no_finished_turn(agent: Agent) -> None:
    """kill -9 while the answer is being spoken; then a new process on the same data."""
    caller = agent.ring("--at-once", "--say", QUESTION)

    def answering() -> bool:
        call = agent.call_of(caller.number)
        return bool(call and len(call["turns"]) == 3)

    eventually(answering, timeout_s=40)
    agent.kill()
    killed_at = datetime.now(timezone.utc)
    caller.kill()
    agent.start()
    call = agent.call_of(caller.number)
    assert call is not None
    sound = agent.recording(call)
    assert words(call, "caller") == [QUESTION]
    assert call["turns"][0]["heard_text"], "the greeting was over"
    assert call["turns"][2]["text"], "what was being said is there as far as it was known"
    assert call["end_reason"] == "failed"
    assert kinds(call)[-1] == "process_died"
    length_s = (killed_at - moment(call["answered_at"])).total_seconds()
    assert sound.duration_s == pytest.approx(length_s, abs=1.0)
    assert (moment(call["ended_at"]) - moment(call["answered_at"])).total_seconds() <= length_s + 1
    assert QUESTION in recognised(sound.left)
    assert "call_closed_after_crash" in agent.errors()


def test_the_drain_ends_after_its_time(agent: Agent) -> None:
    caller = agent.ring("--say", QUESTION)
    eventually(lambda: (agent.call_of(caller.number) or {}).get("answered_at"), timeout_s=20)
    agent.terminate()
    assert agent.process.wait(timeout=15) == 0
    assert caller.report()["end_reason"] == "agent_hangup", "it gets a BYE"
    assert stored_call(agent, caller.number)["ended_at"]
    assert "Traceback" not in agent.errors()


def test_who_talked_with_a_killed_agent_does_not_get_into_the_next_call(
    tmp_path: Path, voice_cache: Path
) -> None:
    """A trunk goes on sending to the port of a process that is gone; audio of either is not for the other."""
    sip = {"rtp_ports": "16384-18383"}
    with (
        running_agent(tmp_path, voice_cache, sip=sip) as agent,
        PlainCaller(agent.address, "13000000001") as old,
    ):
        old.dial()
        eventually(lambda: old.heard)
        agent.kill()
        agent.start()
        known = len(old.heard)
        with PlainCaller(agent.address, "13000000002") as new:
            answer = new.invite()
            time.sleep(0.2)  # the other's packets are there first
            new.accept(answer)
            new.press("5", answer.event_payload)
            agent.until_event(new.number, "dtmf")
            assert len(new.heard) > 10
            assert len(old.heard) == known
            new.hang_up()
