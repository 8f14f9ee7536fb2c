"""How a call comes to its end: what the caller thought of it, and another way where it did not help."""

from __future__ import annotations

import pytest

from dialog import EndCall, Transfer, phrases
from tests.unit.conversation import HEATING, Call

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


@pytest.mark.parametrize(
    ("said", "rating", "goes_on"),
    [
        ("满意", 3, False),
        ("挺好的谢谢", 3, False),
        ("1", 3, False),
        ("一般吧", 2, False),
        ("2", 2, False),
        ("不满意", 1, True),
        ("3", 1, True),
    ],
)
async def test_what_the_caller_thought_of_the_call(said: str, rating: int, goes_on: bool) -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    await call.hears("没有了")
    assert await call.hears(said) == (phrases.NOT_SATISFIED if goes_on else phrases.RATED_GOODBYE)
    assert call.basis.satisfaction == rating
    assert isinstance(call.action, EndCall) != goes_on


async def test_who_is_not_satisfied_gets_a_person_or_a_work_order_or_is_let_go() -> None:
    calls = [Call(), Call(), Call()]
    for call in calls:
        for said in ("社保卡丢了怎么补办", "没有了", "不满意"):
            await call.hears(said)
    person, order, neither = calls
    assert await person.hears("转接坐席吧") == phrases.TO_HUMAN
    assert isinstance(person.action, Transfer)
    assert phrases.INTAKE_NOTED in await order.hears("登记一个工单")
    assert await neither.hears("不用了") == phrases.GOODBYE
    assert isinstance(neither.action, EndCall)


async def test_a_new_question_instead_of_an_opinion_is_answered() -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    await call.hears("没有了")
    assert HEATING.answer in await call.hears("对了暖气不热怎么办")
    assert await call.hears("不用了") == phrases.ANYTHING_ELSE
    assert await call.hears("没有了") == phrases.GOODBYE  # asked once is enough


async def test_nobody_is_asked_where_it_is_not_wanted_or_where_there_was_nothing() -> None:
    call = Call()
    assert await call.hears("没有了谢谢") == phrases.ANYTHING_ELSE
    assert await call.hears("没有了") == phrases.GOODBYE


@pytest.mark.parametrize("said", ["还是没解决", "那个电话打不通", "没用", "我打了没人接"])
async def test_another_way_is_offered_where_the_answer_did_not_help(said: str) -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    assert await call.hears(said) == phrases.ANOTHER_WAY
    assert await call.hears("帮我转人工") == phrases.TO_HUMAN
    assert isinstance(call.action, Transfer)
