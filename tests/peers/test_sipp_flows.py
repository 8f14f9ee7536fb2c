"""What carriers and PBXs do in calls: sipp does it, the agent's record tells what came of it.

One agent, which tells its trunks apart by the addresses that they call from.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.peers.sipp_caller import NEEDS_SIPP, Result, Run, run_sipp
from tests.sip.agent import ANSWER, QUESTION, Agent, environment, kinds, running_agent, voice_cache, words
from tests.sip.g711 import to_a_law, to_mu_law
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.peers, NEEDS_SIPP]

PLAIN, EARLY, SECURE = (f"127.0.0.{number}" for number in range(1, 4))
RTP_TIMEOUT_S = 13
NO_INPUT_S = 3
LIMITS = {"max_calls": 3, "loop_late_s": 10.0}  # a slow machine is no reason to refuse calls here
AFTER_S = 2  # silence behind the question: sipp sends nothing once the file is over


# Those in a row run one after the other, the rows side by side. Each has a caller's number of its own.
ROWS = [
    [
        Run("hold_update", "13300000001"),
        Run("timer_invite", "13300000002"),
        Run("timer_update", "13300000003"),
        Run("timer_small", "13300000004"),
        Run("early_media", "13300000005", local=EARLY),
        Run("prack", "13300000006", local=EARLY),
        Run("asserted", "13300000007"),
    ],
    [
        Run("codec_change", "13300000008"),
        Run("srtp", "13300000011", local=SECURE),
        Run("srtp_missing", "13300000012", local=SECURE),
        Run("silent", "13300000013"),
    ],
    [
        Run("late_offer", "13300000014"),
        Run("info_dtmf", "13300000015"),
        Run("speech", "13300000019", transport="t1"),
    ],
]
IPV6 = Run("speech", "13300000020", local="[::1]", host="[::1]")
NUMBERS = {run.scenario: run.number for row in ROWS for run in row}


def has_ipv6() -> bool:
    """Whether the pjsua2 build has it; asked in a process of its own."""
    script = "from voice.sip import build_info; print(int(build_info().ipv6))"
    command = [sys.executable, "-c", script]
    return bool(int(subprocess.run(command, env=environment(), capture_output=True, check=True).stdout))


def settings() -> dict[str, dict[str, Any]]:
    """Trunks of every kind."""
    trunks: list[dict[str, Any]] = [
        {"name": "plain", "uri": f"sip:{PLAIN}"},
        {"name": "early", "uri": f"sip:{EARLY}", "early_media": True},
        {"name": "secure", "uri": f"sip:{SECURE}", "srtp": "required"},
    ]
    trunks += [{"name": "six", "uri": "sip:[::1]"}] if has_ipv6() else []
    sip = {"trunks": trunks, "rtp_timeout_s": RTP_TIMEOUT_S, "ipv6_host": "::1" if has_ipv6() else ""}
    return {"sip": sip, "turns": {"no_input_s": NO_INPUT_S}, "limits": LIMITS}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("flows")
    sections: dict[str, Any] = settings()
    with running_agent(folder, voice_cache(tmp_path_factory), **sections) as running:
        question = synthesise(QUESTION) + bytes(AFTER_S * 16000)
        (folder / "question.alaw").write_bytes(to_a_law(question))
        (folder / "question.ulaw").write_bytes(to_mu_law(question))
        yield running


Results = dict[str, Result]


@pytest.fixture(scope="module")
def done(agent: Agent) -> Results:
    """All scenarios, run; by their callers' numbers."""

    def run(row: list[Run]) -> Results:
        return {run.number: run_sipp(agent, run) for run in row}

    rows = [*ROWS[:-1], [*ROWS[-1], *([IPV6] if has_ipv6() else [])]]
    with ThreadPoolExecutor(len(rows)) as pool:
        return {number: result for results in pool.map(run, rows) for number, result in results.items()}


@pytest.mark.parametrize("scenario", list(NUMBERS))
def test_every_message_comes_as_the_scenario_says(done: Results, scenario: str) -> None:
    result = done[NUMBERS[scenario]]
    assert result.code == 0, result.why


ASKED = ["hold_update", "codec_change", "late_offer", "speech"]


@pytest.mark.parametrize("scenario", ASKED)
def test_the_question_is_heard_and_answered(agent: Agent, done: Results, scenario: str) -> None:
    call = agent.record(NUMBERS[scenario])
    assert words(call, "caller") == [QUESTION]
    assert any(text.startswith(ANSWER) for text in words(call, "agent"))
    assert call["end_reason"] == "caller_hangup"


def test_nobody_is_asked_whether_they_are_there_while_they_hold(agent: Agent, done: Results) -> None:
    call = agent.record(NUMBERS["hold_update"])
    before_the_question = [event for event in call["events"] if event["at_s"] < call["turns"][1]["started_s"]]
    assert "no_input" not in [event["kind"] for event in before_the_question]


def test_over_ipv6(agent: Agent, done: Results) -> None:
    if not has_ipv6():
        pytest.skip("this pjsua2 build has no IPv6; the capacity build (make pjsua2) has")
    assert done[IPV6.number].code == 0, done[IPV6.number].why
    assert words(agent.record(IPV6.number), "caller") == [QUESTION]


def test_a_dead_line_ends_in_a_clean_record(agent: Agent, done: Results) -> None:
    call = agent.record(NUMBERS["silent"])
    assert call["end_reason"] == "media_timeout"
    assert call["ended_at"]


def test_key_0_in_info_asks_for_a_person(agent: Agent, done: Results) -> None:
    call = agent.record(NUMBERS["info_dtmf"])
    assert "dtmf" in kinds(call)
    assert call["transfer"]["reason"] == "caller_asked"


def test_the_asserted_number_is_the_callers(agent: Agent, done: Results) -> None:
    call = agent.record(NUMBERS["asserted"])
    assert (call["caller"], call["callee"]) == (NUMBERS["asserted"], "12345")


def test_a_call_that_may_not_go_unencrypted_is_none(agent: Agent, done: Results) -> None:
    assert agent.call_of(NUMBERS["srtp_missing"]) is None


def test_nothing_is_left_behind(agent: Agent, done: Results) -> None:
    assert [item for item in agent.api.get("/api/v1/calls").json()["items"] if not item["ended_at"]] == []
    assert "Traceback" not in agent.errors()
    assert "sip_callback_failed" not in agent.errors()
