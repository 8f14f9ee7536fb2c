"""Callers who are led through a service, as whole calls with the embedded dialog and the sample services."""

from __future__ import annotations

from datetime import date

import pytest

from dialog import EndCall, Transfer, phrases
from dialog.guidance import Guidance
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.passages import load_passages
from dialog.services import load_services
from tests.unit.conversation import CARD, KNOWLEDGE, Call, Tickets

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

TODAY = date(2025, 11, 21)
PASSAGES = Knowledge(load_passages(KNOWLEDGE / "social-insurance.yaml"), lambda: TODAY)
DIALOG = EmbeddedDialog(
    PASSAGES, Tickets(), guidance=Guidance(load_services(), lambda: TODAY, knowledge=PASSAGES)
)


def call() -> Call:
    return Call(dialog=DIALOG)


async def test_who_wants_a_thing_done_is_asked_what_it_hangs_on() -> None:
    one = call()
    asked = await one.hears("我想给孩子上户口")
    assert asked.startswith("我来帮您看看能不能给孩子上户口")
    assert one.basis.decision["kind"] == "guide"
    assert one.basis.expects == "yes_no"
    assert await one.hears("再说一遍") == asked


async def test_who_asks_how_is_answered_first_and_offered_to_be_led() -> None:
    one = call()
    answer = await one.hears("社保卡丢了怎么补办")
    assert one.basis.decision["kind"] == "answer"
    assert one.basis.expects == "yes_no"
    assert answer.endswith("需要我帮您看看能不能补办社保卡吗？")
    assert (await one.hears("好的")).startswith("我来帮您看看能不能补办社保卡")


async def test_what_is_offered_can_be_declined_or_passed_over() -> None:
    declined, over, other = call(), call(), call()
    for one in (declined, over, other):
        await one.hears("社保卡丢了怎么补办")
    assert phrases.ANYTHING_ELSE in await declined.hears("不用了")
    assert await over.hears("没有了谢谢") == phrases.ASK_SATISFACTION
    assert await other.hears("转人工") == phrases.TO_HUMAN
    assert isinstance(other.action, Transfer)


async def test_it_is_led_to_the_end_and_the_call_too() -> None:
    one = call()
    said = [await one.hears(text) for text in ("我想给孩子上户口", "是的", "对", "有", "嗯", "好", "下一步")]
    assert "最终以窗口审核为准" in said[3]
    assert any("第一步" in text for text in said[4:])
    for _ in range(8):
        if phrases.ANYTHING_ELSE in said[-1]:
            break
        said.append(await one.hears("下一步"))
    assert said[-1].endswith(phrases.ANYTHING_ELSE)
    assert await one.hears("没有了") == phrases.ASK_SATISFACTION
    await one.hears("满意")
    assert isinstance(one.action, EndCall)


async def test_an_emergency_or_a_complaint_leaves_it() -> None:
    danger, trouble = call(), call()
    for one in (danger, trouble):
        await one.hears("我想给孩子上户口")
    assert "幺幺九" in await danger.hears("着火了")
    assert phrases.INTAKE_PLACE in await trouble.hears("我要投诉楼下饭店油烟很大")


async def test_without_services_nobody_is_led() -> None:
    plain = Call()
    assert await plain.hears("社保卡丢了怎么补办") == CARD.answer + phrases.ANYTHING_ELSE
