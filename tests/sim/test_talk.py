"""Whole calls in virtual time: asking, answering, pausing, saying nothing."""

from __future__ import annotations

import pytest

from dialog import phrases
from tests.sim.scenario import ANSWER, CARD, GREETING, POOL, Scenario, hold
from tests.sim.steps import agent, agent_begins, caller, hangs_up, noise

pytestmark = [pytest.mark.sim]

QUESTION = "社保卡丢了怎么补办"
TO_THE_BANK = "到任意一家社保卡合作银行补办，"
AT_ONCE = "当场就能拿到新卡。"
POOL_ANSWER = POOL.answer + phrases.ANYTHING_ELSE

TALK = [
    Scenario(
        "a question is answered, and goodbye",
        [
            agent(GREETING, within_ms=250),
            caller(QUESTION),
            agent(ANSWER, within_ms=800),
            caller("没有了谢谢"),
            agent(phrases.ASK_SATISFACTION, within_ms=800),
            caller("满意"),
            agent(phrases.RATED_GOODBYE, within_ms=800),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
            caller 没有了谢谢
            agent  {phrases.ASK_SATISFACTION}
            caller 满意
            agent  {phrases.RATED_GOODBYE}
        """,
    ),
    Scenario(
        "who says nothing to the last question is not asked again",
        [
            agent(GREETING),
            caller(QUESTION),
            agent(ANSWER),
            caller("没有了"),
            agent(phrases.ASK_SATISFACTION),
            agent(phrases.SILENT_GOODBYE, within_ms=7000),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
            caller 没有了
            agent  {phrases.ASK_SATISFACTION}
            agent  {phrases.SILENT_GOODBYE}
        """,
        events="no_input",
    ),
    Scenario(
        "the caller hangs up during the greeting",
        [agent_begins("您好，"), hangs_up(after_s=0.31)],
        end=("caller_hangup", "abandoned"),
        turns="agent  您✂",
    ),
    Scenario(
        "the caller hangs up during an answer",
        [agent(GREETING), caller(QUESTION), agent_begins("请您带上身份证，"), hangs_up(after_s=1.01)],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身✂
        """,
    ),
    Scenario(
        "a pause to think does not end the turn",
        [
            agent(GREETING),
            caller("社保卡丢了"),
            caller("怎么补办", after_s=0.4),
            agent(ANSWER, within_ms=800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
        """,
    ),
    Scenario(
        "a caller who talks and talks is heard out, and answered once",
        [
            agent(GREETING),
            caller("我想问一下" + "那个那个" * 10, lasts_s=31.0),
            caller(QUESTION, after_s=0.2),
            agent(ANSWER, within_ms=800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 我想问一下{"那个那个" * 9}那个那
            caller 个{QUESTION}
            agent  {ANSWER}
        """,
    ),
    Scenario(
        "slower, and slower from now on",
        [
            agent(GREETING),
            caller(QUESTION),
            agent(ANSWER),
            caller("请说慢一点"),
            agent(phrases.SLOWER + ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
            caller 请说慢一点
            agent  {phrases.SLOWER}{ANSWER}
        """,
    ),
]

SILENCES = [
    Scenario(
        "nobody ever speaks: asked twice, then a polite goodbye",
        [
            agent(GREETING),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            agent(phrases.NO_INPUT_SECOND, within_ms=6200),
            agent(phrases.NO_INPUT_GOODBYE, within_ms=6200),
        ],
        end=("agent_hangup", "abandoned"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.NO_INPUT_FIRST}
            agent  {phrases.NO_INPUT_SECOND}
            agent  {phrases.NO_INPUT_GOODBYE}
        """,
        events="no_input no_input no_input",
    ),
    Scenario(
        "noises are no words: the agent does not ask for ever",
        [
            agent(GREETING),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            noise(0.3, after_s=2.0),
            agent(phrases.NO_INPUT_SECOND, within_ms=6800),
            noise(0.3, after_s=2.0),
            agent(phrases.NO_INPUT_GOODBYE, within_ms=6800),
        ],
        end=("agent_hangup", "abandoned"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.NO_INPUT_FIRST}
            agent  {phrases.NO_INPUT_SECOND}
            agent  {phrases.NO_INPUT_GOODBYE}
        """,
        events="no_input no_input no_input",
    ),
    Scenario(
        "silence is counted from the agent's last sound, and words forgive it",
        [
            agent(GREETING),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            caller(QUESTION),
            agent(ANSWER),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.NO_INPUT_FIRST}
            caller {QUESTION}
            agent  {ANSWER}
            agent  {phrases.NO_INPUT_FIRST}
        """,
        events="no_input no_input",
    ),
]


@pytest.mark.parametrize("scenario", [*TALK, *SILENCES], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_gaps_and_confidences_are_in_the_record() -> None:
    call = hold(TALK[0])
    _, asked, answered, *_ = call.journal.turns
    assert asked.asr_confidence == 0.95
    assert answered.response_gap_ms == pytest.approx(500, abs=25)  # 300 silence, 100 final, 100 first audio
    assert answered.stages_ms == pytest.approx({"endpoint": 300, "asr": 100, "dialog": 0, "tts": 100}, abs=21)
    assert answered.sources == (CARD.ref,)
    assert answered.dialog_confidence is not None
    assert answered.dialog_confidence > 0.8


def test_slower_is_slower_at_once() -> None:
    call = hold(TALK[-1])
    (normal, slow) = (run for run in call.leg.heard if run.text == AT_ONCE)
    assert slow.frames == pytest.approx(normal.frames / 0.8, abs=1)
