"""Whole calls in virtual time: asking, answering, interrupting, keying, saying nothing."""

from __future__ import annotations

import pytest

from dialog import phrases
from tests.sim.scenario import (
    ANSWER,
    GREETING,
    Scenario,
    agent,
    agent_begins,
    caller,
    hangs_up,
    hold,
    noise,
)

pytestmark = [pytest.mark.sim]

CALLS = [
    Scenario(
        "a question is answered, and goodbye",
        [
            agent(GREETING, within_ms=250),
            caller("社保卡丢了怎么补办"),
            agent(ANSWER, within_ms=800),
            caller("没有了谢谢"),
            agent(phrases.GOODBYE, within_ms=800),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了怎么补办
            agent  {ANSWER}
            caller 没有了谢谢
            agent  {phrases.GOODBYE}
        """,
    ),
    Scenario(
        "noise that stops the agent: it goes on from the clause it was in",
        [
            agent(GREETING),
            caller("社保卡丢了怎么补办"),
            agent_begins("请您带上身份证，"),
            noise(0.9, after_s=1.5),
            agent("到任意一家社保卡合作银行补办，当场就能拿到新卡。" + phrases.ANYTHING_ELSE),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了怎么补办
            agent  请您带上身份证，到任意一家社保卡合作银行✂
            agent  到任意一家社保卡合作银行补办，当场就能拿到新卡。{phrases.ANYTHING_ELSE}
        """,
        events="barge_in resumed",
    ),
]


@pytest.mark.parametrize("scenario", CALLS, ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)
