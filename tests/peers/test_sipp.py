"""sipp as the caller: its scenarios are in tests/sip/scenarios/, what they did is in the agent's record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.peers.sipp_caller import NEEDS_SIPP, Result, Run, run_sipp
from tests.sip.agent import ANSWER, QUESTION, Agent, kinds, running_agent, voice_cache, words
from tests.sip.g711 import to_a_law
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.peers, NEEDS_SIPP]

KEY_0 = Path("/usr/share/sip-tester/dtmf_2833_0.pcap")
# One caller's number for each scenario; those in a row run one after the other, the rows side by side.
ROWS = [
    {
        "speech": "13600000001",
        "options": "13600000002",
        "cancel": "13600000003",
        "malformed": "13600000004",
    },
    {"hold": "13600000005"},
    {"info": "13600000006", "rfc4733": "13600000007"},
]
NUMBERS = {name: number for row in ROWS for name, number in row.items()}
AFTER_S = 2  # silence behind the question: sipp sends nothing once the file is over


Results = dict[str, Result]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("sipp")
    limits = {"max_calls": 3, "loop_late_s": 10.0}  # a slow machine is no reason to refuse calls here
    with running_agent(folder, voice_cache(tmp_path_factory), limits=limits) as running:
        question = synthesise(QUESTION) + bytes(AFTER_S * 16000)
        (folder / "question.alaw").write_bytes(to_a_law(question))
        yield running


@pytest.fixture(scope="module")
def done(agent: Agent) -> Results:
    """All scenarios, run."""

    def run(row: dict[str, str]) -> Results:
        return {
            scenario: run_sipp(agent, Run(scenario, number, keys={"keys": str(KEY_0)}))
            for scenario, number in row.items()
        }

    with ThreadPoolExecutor(len(ROWS)) as pool:
        return {name: result for results in pool.map(run, ROWS) for name, result in results.items()}


def passed(done: Results, scenario: str) -> None:
    """sipp saw every message its scenario expects."""
    assert done[scenario].code == 0, done[scenario].why


def record(agent: Agent, scenario: str) -> dict[str, Any]:
    return agent.record(NUMBERS[scenario])


def test_a_call_is_answered_heard_and_hung_up(agent: Agent, done: Results) -> None:
    passed(done, "speech")
    call = record(agent, "speech")
    assert words(call, "caller") == [QUESTION]
    assert words(call, "agent")[-1].startswith(ANSWER)
    assert call["end_reason"] == "caller_hangup"


def test_hold_and_back(agent: Agent, done: Results) -> None:
    passed(done, "hold")
    call = record(agent, "hold")
    assert words(call, "caller") == [QUESTION], "asked after the hold"
    assert words(call, "agent")[-1].startswith(ANSWER)


NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or not KEY_0.exists(),
    reason=f"sipp plays keys from {KEY_0} over a raw socket, which needs root",
)


@pytest.mark.parametrize("scenario", ["info", pytest.param("rfc4733", marks=NEEDS_ROOT)])
def test_key_0_asks_for_a_person(agent: Agent, done: Results, scenario: str) -> None:
    passed(done, scenario)
    call = record(agent, scenario)
    assert kinds(call)[:2] == ["dtmf", "transfer_started"]
    assert kinds(call).count("dtmf") == 1, "one key, however often its packets are sent"
    assert call["transfer"]["reason"] == "caller_asked"


@pytest.mark.parametrize("scenario", ["options", "cancel", "malformed"])
def test_what_is_no_conversation_does_no_harm(agent: Agent, done: Results, scenario: str) -> None:
    passed(done, scenario)
    assert agent.process.poll() is None
    assert "Traceback" not in agent.errors()
    assert "sip_callback_failed" not in agent.errors()
