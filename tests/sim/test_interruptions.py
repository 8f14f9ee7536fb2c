"""Whole calls in virtual time: words, 嗯 and noises over the agent, and before it is heard."""

from __future__ import annotations

import pytest

from dialog import phrases
from tests.sim.fakes import ScriptedRecognizer, ScriptedVoice
from tests.sim.scenario import ANSWER, GREETING, POOL, Scenario, hold
from tests.sim.steps import agent, agent_begins, agent_was_stopped, caller, hangs_up, noise, silence

pytestmark = [pytest.mark.sim]

QUESTION = "社保卡丢了怎么补办"
TO_THE_BANK = "到任意一家社保卡合作银行补办，"
AT_ONCE = "当场就能拿到新卡。"
POOL_ANSWER = POOL.answer + phrases.ANYTHING_ELSE

INTERRUPTIONS = [
    Scenario(
        "words over the agent stop it; what was not heard is not in the record",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("游泳馆几点开门", after_s=1.0),
            agent_was_stopped(within_ms=500),
            agent(POOL_ANSWER, within_ms=800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身✂
            caller 游泳馆几点开门
            agent  {POOL_ANSWER}
        """,
        events="barge_in",
    ),
    Scenario(
        "an answer that was cut is said again in full when asked for",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("再说一遍", after_s=1.0),
            agent_was_stopped(within_ms=500),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身✂
            caller 再说一遍
            agent  {ANSWER}
        """,
        events="barge_in",
    ),
    Scenario(
        "嗯 does not stop the agent",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("嗯", after_s=1.0, lasts_s=0.4),
            agent(ANSWER.removeprefix("请您带上身份证，")),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
        """,
        events="backchannel",
    ),
    Scenario(
        "short words that are recognised only when they are over still count",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("再说一遍", after_s=0.5, lasts_s=0.6, partials=False),
            silence(0.72),
            agent_was_stopped(within_ms=1500),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身✂
            caller 再说一遍
            agent  {ANSWER}
        """,
        events="barge_in",
    ),
    Scenario(
        "noise that stops the agent: it goes on from the clause it was in, to the end",
        [
            agent_begins("您好，"),
            noise(1.4, after_s=1.5),
            agent_was_stopped(within_ms=900),
            agent(GREETING.removeprefix("您好，"), within_ms=900),
            caller(QUESTION),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  您好，临江市一二✂
            agent  {GREETING.removeprefix("您好，")}
            caller {QUESTION}
            agent  {ANSWER}
        """,
        events="barge_in resumed",
    ),
    Scenario(
        "interrupted again and again, by an engine that lets go slowly",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("游泳馆几点开门"),
            agent_was_stopped(within_ms=500),
            agent_begins("市游泳馆每天早上六点开门。"),
            caller(QUESTION),
            agent_was_stopped(within_ms=500),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带✂
            caller 游泳馆几点开门
            agent  市游泳✂
            caller {QUESTION}
            agent  {ANSWER}
        """,
        events="barge_in barge_in",
        voice=ScriptedVoice(close_s=2.5),
    ),
]

HALVES = [
    Scenario(
        "the caller goes on while the reply is not yet audible: both halves are answered as one",
        [
            agent(GREETING),
            caller("社保卡丢了怎么办"),
            caller("怎么补办", after_s=0.6),
            agent(ANSWER, within_ms=1800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了怎么办
            caller 怎么补办
            agent  {ANSWER}
        """,
        voice=ScriptedVoice(first_audio_s=1.0),
    ),
    Scenario(
        "the caller goes on between the reply's record and its sound: it is in the record as not heard",
        [
            agent(GREETING, within_ms=1200),
            caller("社保卡丢了怎么办"),
            caller("怎么补办", after_s=0.6),
            agent(ANSWER, within_ms=1800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了怎么办
            agent  ✂
            caller 怎么补办
            agent  {ANSWER}
        """,
        durable_s=1.0,
    ),
    Scenario(
        "the caller goes on while the first half is still being recognised",
        [
            agent(GREETING),
            caller("社保卡丢了怎么办"),
            caller("怎么补办", after_s=0.6),
            agent(ANSWER, within_ms=1800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了怎么办
            caller 怎么补办
            agent  {ANSWER}
        """,
        recognizer=ScriptedRecognizer(final_s=0.8),
    ),
    Scenario(
        "a noise while the reply is not yet audible: the answer still comes",
        [
            agent(GREETING),
            caller(QUESTION),
            noise(0.3, after_s=0.9),
            agent(ANSWER, within_ms=1800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
        """,
        events="resumed",
        voice=ScriptedVoice(first_audio_s=1.0),
    ),
    Scenario(
        "a noise while the question is still being recognised: the answer still comes",
        [
            agent(GREETING),
            caller(QUESTION),
            noise(0.3, after_s=0.7),
            agent(ANSWER, within_ms=1800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
        """,
        recognizer=ScriptedRecognizer(final_s=0.8),
    ),
]


@pytest.mark.parametrize("scenario", [*INTERRUPTIONS, *HALVES], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_the_dialog_is_told_only_what_was_heard() -> None:
    call = hold(INTERRUPTIONS[0])
    said = [(message.who, message.text) for message in call.dialog.histories[-1]]
    assert said == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", "请您带上身"),
        ("caller", "游泳馆几点开门"),
    ]


def test_the_dialog_is_told_both_halves_as_one() -> None:
    for scenario in HALVES[:2]:
        call = hold(scenario)
        said = [(message.who, message.text) for message in call.dialog.histories[-1]]
        assert said == [("agent", GREETING), ("caller", "社保卡丢了怎么办怎么补办")]
