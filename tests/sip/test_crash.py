"""kill -9 in mid-call: what was said is in the record, and the recording plays."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.sip.agent import ANSWER, QUESTION, eventually, kinds, recognised, running_agent, words

pytestmark = [pytest.mark.sip]


def test_a_killed_agent_loses_no_finished_turn(tmp_path: Path, voice_cache: Path) -> None:
    with running_agent(tmp_path, voice_cache) as agent:
        caller = agent.ring("--at-once", "--say", QUESTION, "--stay", "30")

        def answer_spoken() -> bool:
            call = agent.call_of(caller.number)
            return bool(call and len(call["turns"]) == 3 and call["turns"][-1]["heard_text"])

        eventually(answer_spoken, timeout_s=40)
        agent.kill()
        killed_at = datetime.now(timezone.utc)
        agent.start()
        call = agent.call_of(caller.number)
        assert call is not None
        sound = agent.recording(call)
    assert words(call, "caller") == [QUESTION]
    assert words(call, "agent")[-1].startswith(ANSWER)
    assert call["end_reason"] == "failed"
    assert kinds(call)[-1] == "process_died"
    answered_at, ended_at = (
        datetime.fromisoformat(call[key].replace("Z", "+00:00")) for key in ("answered_at", "ended_at")
    )
    length_s = (killed_at - answered_at).total_seconds()
    assert sound.duration_s == pytest.approx(length_s, abs=1.0)
    assert (ended_at - answered_at).total_seconds() == pytest.approx(length_s, abs=3.0)
    assert QUESTION in recognised(sound.left)
    assert "call_closed_after_crash" in agent.errors()
