"""What a reply's last words ask for, and which replies must be heard to their end."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from dialog import EndCall, Expects, FileTicket, Summary, TicketDraft, Transfer, phrases
from dialog.expecting import asked_in, expected
from dialog.intake import Intake
from dialog.talk import Answer, Talk
from records.store import Store
from tests.unit.conversation import Call

pytestmark = [pytest.mark.unit]

CALLER = "13800138000"
TABLE: list[tuple[str, Talk, str, tuple[Expects, int]]] = [
    ("nothing", Talk(), CALLER, ("anything", 0)),
    ("an answer was given", Talk(awaiting="more"), CALLER, ("anything", 0)),
    ("nearly goodbye", Talk(awaiting="closing"), CALLER, ("anything", 0)),
    ("a choice of two", Talk(awaiting="choice", choice=("a", "b")), CALLER, ("anything", 0)),
    ("was that meant", Talk(awaiting="confirm", choice=("a",)), CALLER, ("yes_no", 0)),
    ("a work order is offered", Talk(awaiting="offer", offered="暖气不热"), CALLER, ("yes_no", 0)),
    ("the number of a work order", Talk(awaiting="ticket_number"), CALLER, ("digits", 11)),
    ("what happened", Talk(intake=Intake(asking="matter")), CALLER, ("matter", 0)),
    ("where", Talk(intake=Intake(asking="place")), CALLER, ("place", 0)),
    ("where, once more", Talk(intake=Intake(asking="place", tries=1)), CALLER, ("place", 0)),
    ("when", Talk(intake=Intake(asking="time")), CALLER, ("time", 0)),
    ("who", Talk(intake=Intake(asking="name")), CALLER, ("name", 0)),
    ("the number called from", Talk(intake=Intake(asking="contact")), CALLER, ("yes_no", 0)),
    ("another number", Talk(intake=Intake(asking="contact", contact_refused=True)), CALLER, ("digits", 0)),
    ("a number, as none is shown", Talk(intake=Intake(asking="contact")), "", ("digits", 0)),
    ("all read back", Talk(intake=Intake(asking="confirm")), CALLER, ("yes_no", 0)),
    ("what is wrong", Talk(intake=Intake(asking="change")), CALLER, ("anything", 0)),
]


@pytest.mark.parametrize(("talk", "caller", "asked"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_what_is_asked_for_shows_in_what_is_remembered(
    talk: Talk, caller: str, asked: tuple[Expects, int]
) -> None:
    assert expected(Answer("courtesy", "请问？", talk), caller) == asked


@pytest.mark.parametrize(
    "action",
    [EndCall(), Transfer("caller_asked", Summary()), FileTicket(TicketDraft("", "", "normal", "", ""))],
)
def test_nothing_is_asked_for_by_words_before_an_action(action: EndCall | Transfer | FileTicket) -> None:
    talk = Talk(intake=Intake(asking="contact"))
    assert expected(Answer("courtesy", "好的。", talk, action=action), "") == ("anything", 0)


def test_go_ahead_asks_for_anything_whatever_was_asked_before() -> None:
    talk = Talk(intake=Intake(asking="place"))
    assert expected(Answer("courtesy", phrases.GO_AHEAD, talk), CALLER) == ("anything", 0)


def test_the_length_of_a_work_orders_number_is_that_of_the_numbers_given_out(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/calls.db", clock=lambda: datetime(2025, 11, 21, tzinfo=timezone.utc))
    fields = {"caller": CALLER, "category": "", "department": "", "urgency": "normal", "title": "路灯不亮"}
    number = store.file_ticket("key", call_id=None, text="路灯不亮。", slots={}, **fields)
    store.close()
    assert expected(Answer("progress", "", Talk(awaiting="ticket_number")), CALLER) == ("digits", len(number))


@pytest.mark.anyio
async def test_a_whole_conversation_tells_what_it_asks_for_and_what_must_be_heard() -> None:
    call = Call()
    told = []
    for said in (
        "我要投诉",
        "楼下饭店油烟很大",
        "人民路",
        "昨天",
        "我姓王",
        "换一个号码",
        "一三九一二三四五六七八",
        "对",
    ):
        await call.hears(said)
        told.append((call.basis.expects, call.basis.must_be_heard))
    asked = ("matter", "place", "time", "name", "yes_no", "digits", "yes_no", "anything")
    assert told == [(expects, False) for expects in asked[:-1]] + [("anything", True)]
    await call.hears("再说一遍")
    assert not call.basis.must_be_heard


@pytest.mark.anyio
async def test_a_question_said_again_asks_for_the_same() -> None:
    call = Call(caller="")
    await call.hears("查工单进度")
    await call.hears("再说一遍")
    assert (call.basis.expects, call.basis.digits) == ("digits", 11)


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["着火了", "有人晕倒了", "我被抢劫了", "家里煤气泄漏了", "我不想活了"])
async def test_advice_in_danger_must_be_heard(said: str) -> None:
    call = Call()
    await call.hears(said)
    assert call.basis.must_be_heard
    assert isinstance(call.action, Transfer)


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["社保卡丢了怎么补办", "转人工", "再见", "喂", "我要投诉"])
async def test_other_replies_can_be_interrupted(said: str) -> None:
    call = Call()
    await call.hears(said)
    assert not call.basis.must_be_heard


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("请问您是想问社保卡补办，对吗？", "yes_no"),
        ("联系电话是幺三八，零零幺三，八零零零，对吗？", "yes_no"),
        ("就用您现在这个号码联系您吗？", "yes_no"),
        ("需要我帮您登记一个工单吗?", "yes_no"),
        ("好的，记下了。请问发生在什么地方？", "place"),
        ("请问具体地址是哪里？", "place"),
        ("请问您贵姓？不方便说也没关系。", "name"),
        ("请问怎么称呼您？", "name"),
        ("请问是什么时候发生的？", "time"),
        ("请您说一下联系电话。", "digits"),
        ("方便留一下您的联系号码吗？", "digits"),
        ("请问工单编号是多少？", "digits"),
        ("请问具体是什么情况？", "matter"),
        ("请问还有什么可以帮您？", "anything"),
        ("您还有别的问题吗？", "anything"),
        ("您可以拨打电话一二三四五。", "anything"),
        ("带身份证到银行补办，地址在人民路。", "anything"),
        ("", "anything"),
    ],
)
def test_what_words_of_a_model_ask_for_is_read_from_their_last_question(text: str, asked: Expects) -> None:
    assert asked_in(text) == asked
