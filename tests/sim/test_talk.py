"""Whole calls in virtual time: asking, answering, interrupting, pausing, keying, saying nothing."""

from __future__ import annotations

import pytest

from dialog import phrases
from tests.sim.fakes import ScriptedRecognizer, ScriptedVoice
from tests.sim.scenario import ANSWER, CARD, GREETING, POOL, Scenario, hold
from tests.sim.steps import agent, agent_begins, agent_was_stopped, caller, hangs_up, noise, silence

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
            agent(phrases.GOODBYE, within_ms=800),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
            caller 没有了谢谢
            agent  {phrases.GOODBYE}
        """,
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
            agent  请您带上身份✂
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
            agent  请您带上身份✂
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
            silence(0.62),
            agent_was_stopped(within_ms=1300),
            agent(ANSWER),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身份证，✂
            caller 再说一遍
            agent  {ANSWER}
        """,
        events="barge_in",
    ),
    Scenario(
        "noise that stops the agent: it goes on from the clause it was in, to the end",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            noise(0.9, after_s=1.5),
            agent_was_stopped(within_ms=900),
            agent(TO_THE_BANK + AT_ONCE + phrases.ANYTHING_ELSE, within_ms=900),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身份证，到任意✂
            agent  {TO_THE_BANK}{AT_ONCE}{phrases.ANYTHING_ELSE}
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
            agent  请您带上✂
            caller 游泳馆几点开门
            agent  市游泳馆✂
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
            caller("社保卡丢了"),
            caller("怎么补办", after_s=0.8),
            agent(ANSWER, within_ms=1700),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了
            caller 怎么补办
            agent  {ANSWER}
        """,
        voice=ScriptedVoice(first_audio_s=1.0),
    ),
    Scenario(
        "the caller goes on while the first half is still being recognised",
        [
            agent(GREETING),
            caller("社保卡丢了"),
            caller("怎么补办", after_s=0.7),
            agent(ANSWER, within_ms=1700),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 社保卡丢了
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
            agent(ANSWER, within_ms=1700),
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
            agent(ANSWER, within_ms=1700),
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
            agent(phrases.NO_INPUT_SECOND, within_ms=6700),
            noise(0.3, after_s=2.0),
            agent(phrases.NO_INPUT_GOODBYE, within_ms=6700),
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

READ_BACK = (
    "我跟您核对一下：您反映楼下的饭店半夜油烟很大，地点是江北区建设路十八号，时间是昨天晚上十一点，您姓王，"
)
MATTER = "我要投诉楼下的饭店半夜油烟很大"


@pytest.mark.parametrize("scenario", [*TALK, *INTERRUPTIONS, *HALVES, *SILENCES], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_the_dialog_is_told_only_what_was_heard() -> None:
    call = hold(INTERRUPTIONS[0])
    said = [(message.who, message.text) for message in call.dialog.histories[-1]]
    assert said == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", "请您带上身份"),
        ("caller", "游泳馆几点开门"),
    ]


def test_the_dialog_is_told_both_halves_as_one() -> None:
    for scenario in HALVES[:2]:
        call = hold(scenario)
        said = [(message.who, message.text) for message in call.dialog.histories[-1]]
        assert said == [("agent", GREETING), ("caller", QUESTION)]


def test_gaps_and_confidences_are_in_the_record() -> None:
    call = hold(TALK[0])
    _, asked, answered, _, _ = call.journal.turns
    assert asked.asr_confidence == 0.95
    assert answered.response_gap_ms == pytest.approx(720, abs=25)  # 500 silence, 100 final, 100 first audio
    assert answered.stages_ms == pytest.approx({"endpoint": 500, "asr": 100, "dialog": 0, "tts": 100}, abs=21)
    assert answered.sources == (CARD.ref,)
    assert answered.dialog_confidence is not None
    assert answered.dialog_confidence > 0.8


def test_slower_is_slower_at_once() -> None:
    call = hold(TALK[-1])
    (normal, slow) = (run for run in call.leg.heard if run.text == AT_ONCE)
    assert slow.frames == pytest.approx(normal.frames / 0.8, abs=1)
