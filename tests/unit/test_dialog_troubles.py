"""Reports of trouble are told from questions, however put; where it may be either a work order is offered."""

from __future__ import annotations

import pytest

from dialog import phrases
from dialog.places import load_taxonomy
from dialog.policy import TROUBLE_FROM, TROUBLE_LIKELY, TROUBLE_PERHAPS, Evidence, Policy
from tests.unit.conversation import Call

pytestmark = [pytest.mark.unit]

TAXONOMY = load_taxonomy()


@pytest.mark.parametrize(
    "said",
    [
        "菜场后门的水沟堵了一个多星期，臭水都漫到路上了，就没有一个人来管管吗",
        "我们这栋楼的门禁坏了快两个月，谁都能进来，物业怎么一点都不着急",
        "隔壁工地凌晨三点还在打桩，老人孩子都睡不着，是不是该管管了",
        "楼下垃圾堆了四五天没人收，苍蝇乱飞，能不能来清理一下",
        "我在健身房交了三千块，上个礼拜关门了，钱也不退，凭什么啊",
    ],
)
def test_a_trouble_put_as_a_question_is_a_report(said: str) -> None:
    assert TAXONOMY.problem(said) >= TROUBLE_LIKELY


@pytest.mark.parametrize(
    "said",
    [
        "我想问一下孩子明年上小学要准备什么材料",
        "听说老房子装电梯有补贴，能领多少钱",
        "居住证快到期了去哪里续签",
        "如果公司不给交社保我可以去哪里查",
        "退休以后公积金能不能一次性取出来",
    ],
)
def test_a_question_is_no_report(said: str) -> None:
    assert TAXONOMY.problem(said) < TROUBLE_PERHAPS


@pytest.mark.parametrize(
    "said",
    [
        "行李让大巴弄丢了找谁",
        "楼上漏水把我家泡了怎么办",
        "手机维修店把我手机修坏了赔不赔",
        "邻居的狗把我咬了医药费谁出",
        "大货车白天闯禁行",
    ],
)
def test_a_loss_told_in_few_words_may_be_a_report(said: str) -> None:
    assert TAXONOMY.problem(said) >= TROUBLE_PERHAPS


@pytest.mark.parametrize("said", ["身份证丢了怎么补", "工伤赔多少", "理赔要什么材料", "航班取消怎么退票"])
def test_what_a_rule_tells_is_no_loss(said: str) -> None:
    assert TAXONOMY.problem(said) < TROUBLE_PERHAPS


def test_a_sure_report_is_taken_down_before_anything_is_asked_back_but_not_where_it_has_an_answer() -> None:
    policy = Policy()
    assert policy.judge(Evidence(1.0, best=0.6, trouble=TROUBLE_FROM)).kind == "intake"
    assert policy.judge(Evidence(1.0, best=0.6, trouble=TROUBLE_LIKELY)).kind == "confirm"
    assert policy.judge(Evidence(1.0, best=0.95, trouble=1.0)).kind == "answer"
    assert policy.judge(Evidence(0.3, trouble=1.0, chars=2)).kind != "transfer"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "begins"), [("好的", phrases.INTAKE_NOTED), ("不用", phrases.NO_ANSWER_TRANSFER)]
)
async def test_what_may_be_a_report_is_offered_a_work_order(answer: str, begins: str) -> None:
    call = Call()
    assert await call.hears(PERHAPS) == phrases.NOTHING_KNOWN + phrases.OFFER_TICKET
    assert (await call.hears(answer)).startswith(begins)


PERHAPS = "东西弄丢了这个怎么赔"


@pytest.mark.parametrize(
    "said", ["路灯坏了", "楼上太吵", "马路上有个坑", "医生态度差", "河里有死鱼", "低保停了", "菜里有虫子"]
)
def test_what_is_only_stated_in_few_words_may_be_a_report(said: str) -> None:
    assert TAXONOMY.problem(said) >= TROUBLE_PERHAPS


@pytest.mark.parametrize("said", ["路灯几点亮", "我想养条狗", "低保能领多少钱", "小朋友别闹"])
def test_few_words_that_ask_plan_or_chat_are_no_report(said: str) -> None:
    assert TAXONOMY.problem(said) < TROUBLE_PERHAPS
