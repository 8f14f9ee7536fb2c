"""Whole calls in virtual time: every way in which a hand-over to a person can go."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from dialog import phrases
from tests.sim.fakes import MUSIC, ScriptedVoice
from tests.sim.lines import SeatScript
from tests.sim.scenario import GREETING, Scenario, hold
from tests.sim.steps import agent, agent_begins, caller, hangs_up, happens, keys, music, noise, silence
from voice.phone import Busy, CallError, Declined, Unreachable

pytestmark = [pytest.mark.sim]

ASKED = [agent(GREETING), caller("转人工"), agent(phrases.TO_HUMAN, within_ms=800)]
TO_HUMAN = f"""
    agent  {GREETING}
    caller 转人工
    agent  {phrases.TO_HUMAN}
"""
RINGS = "transfer_started seat_ringing"
SECOND_TALKS = "seat_ringing seat_answered seat_accepted bridged unbridged"
TALKS = f"{RINGS} seat_answered seat_accepted bridged unbridged"
UNKNOWN = "无人机飞行许可怎么申请"

CONNECTED = [
    Scenario(
        "the seat hangs up first: the caller hears goodbye",
        [*ASKED, music(), happens("bridged"), agent(phrases.GOODBYE, within_ms=20000)],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.GOODBYE}",
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript(leaves_after_bridge_s=10.0)],
        seat_log=["seat-1 rings", "seat-1 answers", "seat-1 talks"],
    ),
    Scenario(
        "the caller hangs up first",
        [*ASKED, music(), happens("bridged"), hangs_up(after_s=3.0)],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "0 means a person, at once and for good",
        [agent_begins("您好，"), keys("0", after_s=0.2), silence(0.3), happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=f"""
            agent  您✂
            agent  {phrases.TO_HUMAN}
        """,
        events=f"dtmf {TALKS}",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "what is said over the announcement does not undo what was asked for",
        [
            agent(GREETING),
            caller("转人工"),
            agent_begins("好的，"),
            caller("请你们快一点", after_s=0.5),
            happens("bridged"),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=f"""
            agent  {GREETING}
            caller 转人工
            agent  {phrases.TO_HUMAN}
            caller 请你们快一点
        """,
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "nor do words before the announcement is audible",
        [agent(GREETING), keys("0"), caller("喂你好", after_s=0.0), happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.TO_HUMAN}
            caller 喂你好
        """,
        events=f"dtmf {TALKS}",
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript()],
        voice=ScriptedVoice(first_audio_s=1.5),
    ),
    Scenario(
        "a noise that stops the announcement does not undo the hand-over",
        [
            agent(GREETING),
            caller(UNKNOWN, partials=False),
            agent_begins("这个问题我这边没有查到准确的规定，"),
            noise(1.4, after_s=0.5),
            happens("bridged"),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=f"""
            agent  {GREETING}
            caller {UNKNOWN}
            agent  这个问✂
            agent  {phrases.NO_ANSWER_TRANSFER}
        """,
        events=f"barge_in resumed {TALKS}",
        transfer=("low_confidence", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "a caller who does not want it says so",
        [
            agent(GREETING),
            caller(UNKNOWN),
            agent_begins("这个问题我这边没有查到准确的规定，"),
            caller("不用了谢谢再见", after_s=0.5),
            agent(phrases.GOODBYE),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {UNKNOWN}
            agent  这个问✂
            caller 不用了谢谢再见
            agent  {phrases.GOODBYE}
        """,
        events="barge_in",
        seats=[SeatScript()],
    ),
    Scenario(
        "silent after having spoken: a person looks after the caller",
        [
            agent(GREETING),
            caller("你好"),
            agent(phrases.HELLO_AGAIN),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            agent(phrases.NO_INPUT_SECOND, within_ms=6200),
            agent(phrases.NO_INPUT_TRANSFER, within_ms=6200),
            happens("bridged"),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=f"""
            agent  {GREETING}
            caller 你好
            agent  {phrases.HELLO_AGAIN}
            agent  {phrases.NO_INPUT_FIRST}
            agent  {phrases.NO_INPUT_SECOND}
            agent  {phrases.NO_INPUT_TRANSFER}
        """,
        events=f"no_input no_input no_input {TALKS}",
        transfer=("no_input", "seat-1", "connected"),
        seats=[SeatScript()],
    ),
    Scenario(
        "a seat that must press 1 presses it in the middle of the summary",
        [*ASKED, happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=TO_HUMAN,
        events=TALKS,
        transfer=("caller_asked", "seat-1", "connected"),
        seats=[SeatScript(key=(1.0, "1"))],
        accept="key",
    ),
]

NEXT_SEAT = [
    Scenario(
        "a seat declines by key: the next one takes the call",
        [
            *ASKED,
            music(),
            agent(phrases.SEAT_DID_NOT_ANSWER, within_ms=9000),
            music(),
            happens("bridged"),
            hangs_up(),
        ],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.SEAT_DID_NOT_ANSWER}",
        events=f"{RINGS} seat_answered seat_declined {SECOND_TALKS}",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(key=(1.0, "2")), SeatScript("seat-2")],
        seat_log=["seat-1 rings", "seat-1 answers", "seat-2 rings", "seat-2 answers", "seat-2 talks"],
    ),
    Scenario(
        "a seat hangs up during the summary: the next one takes the call",
        [*ASKED, happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.SEAT_DID_NOT_ANSWER}",
        events=f"{RINGS} seat_answered seat_gone {SECOND_TALKS}",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(leaves_after_answer_s=1.5), SeatScript("seat-2")],
    ),
    Scenario(
        "a seat is lost while it is being joined: the next one takes the call",
        [*ASKED, happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=TO_HUMAN + f"agent  {phrases.SEAT_DID_NOT_ANSWER}",
        events=f"{RINGS} seat_answered seat_accepted {SECOND_TALKS}",
        transfer=("caller_asked", "seat-2", "connected"),
        seats=[SeatScript(bridge_fails=True), SeatScript("seat-2")],
    ),
]


def refused(error: type[CallError], word: str) -> Scenario:
    return Scenario(
        f"the only seat is {word}: a call-back is promised",
        [*ASKED, music(), agent(phrases.TRANSFER_FAILED)],
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + f"agent  {phrases.TRANSFER_FAILED}",
        events=f"{RINGS} seat_failed",
        transfer=("caller_asked", "seat-1", word),
        seats=[SeatScript(refuses=error)],
        tickets=1,
    )


NOBODY = [
    Scenario(
        "nobody is free: a call-back is promised, and filed before it is promised",
        [*ASKED, agent_begins(MUSIC), agent(phrases.NOBODY_FREE)],
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + f"agent  {phrases.NOBODY_FREE}",
        events="transfer_started",
        transfer=("caller_asked", "", "no_seat"),
        tickets=1,
    ),
    Scenario(
        "nobody is free and the promise cannot be filed: nothing is promised",
        [*ASKED, agent_begins(MUSIC), agent(phrases.BUSY_GOODBYE)],
        end=("agent_hangup", "answered"),
        turns=TO_HUMAN + f"agent  {phrases.BUSY_GOODBYE}",
        events="transfer_started failed",
        transfer=("caller_asked", "", "no_seat"),
        files_tickets=False,
    ),
    Scenario(
        "the caller hangs up during the promise: it holds",
        [*ASKED, agent_begins(MUSIC), agent_begins("对不起，"), hangs_up(after_s=0.51)],
        end=("caller_hangup", "ticket"),
        turns=TO_HUMAN + "agent  对不✂",
        events="transfer_started",
        transfer=("caller_asked", "", "no_seat"),
        tickets=1,
    ),
    refused(Busy, "busy"),
    refused(Declined, "declined"),
    refused(Unreachable, "unreachable"),
    Scenario(
        "the only seat rings in vain",
        [*ASKED, music(19.0), agent(phrases.TRANSFER_FAILED)],
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + f"agent  {phrases.TRANSFER_FAILED}",
        events=f"{RINGS} seat_failed",
        transfer=("caller_asked", "seat-1", "no_answer"),
        seats=[SeatScript(answers_after_s=math.inf)],
        seat_log=["seat-1 rings", "seat-1 stops ringing"],
        tickets=1,
    ),
    Scenario(
        "the only seat never presses 1: not joined to an answering machine",
        [*ASKED, music(20.0), agent(phrases.TRANSFER_FAILED)],
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + f"agent  {phrases.TRANSFER_FAILED}",
        events=f"{RINGS} seat_answered seat_no_answer",
        transfer=("caller_asked", "seat-1", "no_answer"),
        seats=[SeatScript()],
        accept="key",
        tickets=1,
    ),
]

CALLER_LEAVES = [
    Scenario(
        "the caller hangs up during the announcement: nobody is rung",
        [agent(GREETING), caller("转人工"), agent_begins("好的，"), hangs_up(after_s=0.51)],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 转人工
            agent  好的✂
        """,
        seats=[SeatScript()],
        seat_log=[],
    ),
    Scenario(
        "the caller hangs up while a seat is being claimed",
        [*ASKED, happens("transfer_started"), hangs_up(after_s=0.12)],
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events="transfer_started",
        transfer=("caller_asked", "", "caller_gone"),
        seats=[SeatScript()],
        seat_log=[],
    ),
    Scenario(
        "the caller hangs up while the seat rings: it stops ringing",
        [*ASKED, happens("seat_ringing"), hangs_up()],
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events=RINGS,
        transfer=("caller_asked", "seat-1", "caller_gone"),
        seats=[SeatScript(answers_after_s=5.0)],
        seat_log=["seat-1 rings", "seat-1 stops ringing"],
    ),
    Scenario(
        "the caller hangs up while the seat hears the summary: the seat is let go",
        [*ASKED, happens("seat_answered"), hangs_up()],
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events=f"{RINGS} seat_answered",
        transfer=("caller_asked", "seat-1", "caller_gone"),
        seats=[SeatScript()],
        seat_log=["seat-1 rings", "seat-1 answers"],
    ),
]


@pytest.mark.parametrize("scenario", [*CONNECTED, *NEXT_SEAT, *NOBODY, *CALLER_LEAVES], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


def test_a_seat_hears_who_calls_and_why_and_the_caller_does_not() -> None:
    call = hold(CONNECTED[5])
    heard = "".join(run.text for run in call.phone.legs["seat-1"].heard)
    assert heard == f"{phrases.SEAT_INTRO}来电人，诉求是{UNKNOWN}。知识库没有答案。{phrases.SEAT_CONNECTING}"
    assert not any("诉求" in run.text for run in call.leg.heard)


def test_every_leg_carries_the_root_call_id() -> None:
    call = hold(CONNECTED[0])
    assert call.phone.headers == {"X-Hotline-Call": "c0ffee", "User-to-User": "c0ffee;encoding=hex"}
    assert call.phone.legs["seat-1"].call_id == "c0ffee"


def test_the_promise_names_whom_to_call_and_why() -> None:
    call = hold(NOBODY[0])
    (draft,) = call.filed.values()
    assert draft.slots["contact"] == "13800138000"
    assert draft.urgency == "urgent"


def test_the_caller_hears_music_or_words_all_the_time() -> None:
    call = hold(NEXT_SEAT[0])
    started_s = next(event.at_s for event in call.journal.happened if event.kind == "transfer_started")
    bridged_s = next(event.at_s for event in call.journal.happened if event.kind == "bridged")
    waiting = [
        run for run in call.leg.heard if started_s - 1 <= run.began_at - call.leg.answered_at <= bridged_s
    ]
    gaps_s = [after.began_at - before.ended_at for before, after in pairwise(waiting)]
    assert max(gaps_s) <= 0.3
