"""Whole calls in virtual time: work orders taken down, keyed, read back, filed once or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from asr.written import Writer, WrittenRecognizer
from dialog import phrases
from dialog.intake import Clerk
from dialog.places import load_gazetteer, load_taxonomy
from tests.sim.fakes import ScriptedRecognizer, ScriptedVoice
from tests.sim.lines import SeatScript
from tests.sim.scenario import GREETING, Scenario, embedded_dialog, hold
from tests.sim.steps import agent, agent_begins, agent_was_stopped, caller, hangs_up, happens, keys

pytestmark = [pytest.mark.sim]

TALKS = "transfer_started seat_ringing seat_answered seat_accepted bridged unbridged"
NOTED = phrases.INTAKE_NOTED + phrases.INTAKE_TIME
READ_BACK = (
    "我跟您核对一下。您反映的是，饭店半夜油烟很大，地点在江北区建设路十八号，时间是昨天晚上十一点，您姓王，"
    "联系电话是幺三九，零零零零，幺幺幺幺。请问对吗？"
)
TOLD = (
    "已经登记好了，工单编号是二五幺幺，二幺零零，零零七。我们会转给市城市管理局处理，"
    "工作人员会尽快跟您联系，您也可以凭编号来电查询进度。" + phrases.ANYTHING_ELSE
)
FILING = phrases.INTAKE_FILING
TAKEN_DOWN = [
    agent(GREETING),
    caller("我要投诉江北区建设路十八号的饭店半夜油烟很大"),
    agent(NOTED),
    caller("昨天晚上十一点"),
    agent(phrases.INTAKE_NAME),
    caller("我姓王"),
    agent(phrases.INTAKE_CONTACT_ASK),
    keys("13900001111#"),
    agent(READ_BACK, within_ms=1200),
    caller("对"),
]
SAID = f"""
    agent  {GREETING}
    caller 我要投诉江北区建设路十八号的饭店半夜油烟很大
    agent  {NOTED}
    caller 昨天晚上十一点
    agent  {phrases.INTAKE_NAME}
    caller 我姓王
    agent  {phrases.INTAKE_CONTACT_ASK}
    caller 13900001111
    agent  {READ_BACK}
    caller 对
"""

WORK_ORDERS = [
    Scenario(
        "a complaint is taken down, the number keyed, read back and filed",
        [*TAKEN_DOWN, agent(FILING + TOLD), caller("没有了再见"), agent(phrases.GOODBYE)],
        end=("agent_hangup", "ticket"),
        turns=SAID + f"agent  {FILING}{TOLD}\n caller 没有了再见\n agent  {phrases.GOODBYE}",
        events="dtmf",
        tickets=1,
        remote="",
    ),
    Scenario(
        "keys without # are taken when no more come",
        [
            *TAKEN_DOWN[:7],
            keys("13900001111"),
            agent_begins("我跟您核对一下。", within_ms=2700),
            hangs_up(after_s=0.71),
        ],
        end=("caller_hangup", "answered"),
        turns="\n".join(SAID.strip().splitlines()[:8]) + "\n agent  我跟您✂",
        events="dtmf",
        remote="",
    ),
    Scenario(
        "interrupted while it is filed: filed once, and told",
        [
            *TAKEN_DOWN,
            agent_begins("好的，"),
            caller("请问登记好了吗", after_s=0.4),
            agent_was_stopped(within_ms=500),
            agent(FILING + TOLD),
            hangs_up(),
        ],
        end=("caller_hangup", "ticket"),
        turns=SAID + "agent  好的✂\n caller 请问登记好了吗\n agent  " + FILING + TOLD,
        events="dtmf barge_in",
        tickets=1,
        filing_s=1.5,
        remote="",
    ),
    Scenario(
        "the caller hangs up while it is filed: it is filed, and in the record",
        [*TAKEN_DOWN, agent_begins("好的，"), hangs_up(after_s=0.31)],
        end=("caller_hangup", "ticket"),
        turns=SAID + "agent  好✂",
        events="dtmf",
        tickets=1,
        filing_s=1.5,
        remote="",
    ),
    Scenario(
        "the caller goes on after a yes, before the filing is announced: nothing is filed",
        [*TAKEN_DOWN, caller("等一下不对", after_s=0.9), agent_begins("好的，"), hangs_up(after_s=0.31)],
        end=("caller_hangup", "answered"),
        turns=SAID + "caller 等一下不对\n agent  好✂",
        events="dtmf",
        voice=ScriptedVoice(first_audio_s=1.0),
        remote="",
    ),
    Scenario(
        "the work order cannot be filed: a person takes it down",
        [*TAKEN_DOWN, agent(FILING + phrases.INTAKE_FAILED), happens("bridged"), hangs_up()],
        end=("transferred", "transferred"),
        turns=SAID + f"agent  {FILING}{phrases.INTAKE_FAILED}",
        events=f"dtmf failed {TALKS}",
        transfer=("failure", "seat-1", "connected"),
        seats=[SeatScript()],
        files_tickets=False,
        remote="",
    ),
]


@pytest.mark.parametrize("scenario", WORK_ORDERS, ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


class WrittenScript(WrittenRecognizer):
    """The scripted recogniser, written; tells how many utterances are open, as scenarios check."""

    def __init__(self, writer: Writer) -> None:
        self._script = ScriptedRecognizer()
        super().__init__(self._script, writer)

    @property
    def open(self) -> int:
        return self._script.open


def test_numbers_are_written_in_record_and_work_order_and_read_back_as_they_were_said() -> None:
    gazetteer = load_gazetteer()
    writer = Writer(gazetteer.names)
    recognizer: Any = WrittenScript(writer)
    said = "我要投诉江北区建设路十八号的饭店半夜油烟很大"
    written = "我要投诉江北区建设路18号的饭店半夜油烟很大"
    steps = [
        *TAKEN_DOWN[:7],
        caller("幺三九零零零零幺幺幺幺", lasts_s=3.0),
        agent(READ_BACK, within_ms=1200),
        caller("对"),
        agent(FILING + TOLD),
        hangs_up(),
    ]
    heard = SAID.replace(said, written).replace("昨天晚上十一点\n", "昨天晚上11点\n")
    call = hold(
        Scenario(
            "as written",
            steps,
            end=("caller_hangup", "ticket"),
            turns=heard + f"agent  {FILING}{TOLD}",
            recognizer=recognizer,
            dialog=replace(embedded_dialog(), clerk=Clerk(gazetteer, load_taxonomy(), writer.write)),
            tickets=1,
            remote="",
        )
    )
    assert [turn.asr_raw for turn in call.journal.turns if turn.who == "caller"] == [
        said,
        "昨天晚上十一点",
        "",
        "幺三九零零零零幺幺幺幺",
        "",
    ]
    (draft,) = call.filed.values()
    assert draft.title == "江北区建设路18号饭店半夜油烟很大"
    assert draft.slots["place"] == "江北区建设路18号"
    assert draft.slots["time"] == "昨天晚上11点"
    assert draft.slots["contact"] == "13900001111"
