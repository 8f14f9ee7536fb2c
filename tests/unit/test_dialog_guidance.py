"""Guiding a caller through a service, in whole scripted dialogues."""

from __future__ import annotations

import re
from datetime import date

import pytest

from dialog.guidance import Guidance, Guide, Guided
from dialog.services import load_services

pytestmark = [pytest.mark.unit]

GUIDANCE = Guidance(load_services(), lambda: date(2025, 11, 22))

# 客 is the caller, 机 the agent: what stands around … is said, in this order. 机：无 means that the words are
# not about the service, 机：完 that the guide is over.
DIALOGUES = {
    "from the wish to the last step": """
        客：我要给孩子上户口
        机：我来帮您看看能不能给孩子上户口，先问您几个问题。请问孩子的出生医学证明拿到了吗？
        客：拿到了
        机：孩子的父亲或者母亲，有一方是临江户口吗？
        客：我是临江的
        机：孩子的父母领结婚证了吗？
        客：领了
        机：按您说的情况，您可以给孩子上户口，最终以窗口审核为准。办理的时候请带上出生医学证明、父母双方的身份证，
            还有父母双方的户口本。还有一样，您记好了我接着说。
        客：再说一遍
        机：办理的时候请带上出生医学证明、父母双方的身份证，还有父母双方的户口本。还有一样
        客：派出所周末上班吗
        机：无
        客：记好了
        机：还要带父母的结婚证。到父亲或者母亲户口所在的派出所办理，不收费，当场办好。需要我一步一步告诉您怎么办吗？
        客：要
        机：第一步，先商量好孩子的户口…记好了您就说下一步。
        客：下一步
        机：第二步，在孩子出生一个月内
        客：嗯
        机：最后一步，在窗口交材料
        客：没有了
        机：无
    """,
    "a paper that is not needed is not asked for": """
        客：娃娃生下来要去报户口
        机：出生医学证明拿到了吗
        客：已经领到了，我们没领证
        机：有一方是临江户口吗
        客：对的
        机：您可以给孩子上户口…还有父母双方的户口本。到父亲…一步一步
        客：不用了
        机：好的。
        机：完
    """,
    "several answers in one sentence": """
        客：被辞退了想领失业金
        机：失业以前，您的失业保险一共交了多久？
        客：交了三年多，失业登记过了
        机：您可以领失业金，每月1890元，最长领12个月，最终以窗口审核为准。
    """,
    "not open to the caller, and what is instead": """
        客：帮我看看我能不能领失业金
        机：自己辞职的，还是单位辞退
        客：我自己不干了
        机：按您说的情况，暂时还不符合条件，因为自己主动辞职的，领不了失业金，最终以窗口审核为准。
            需要我帮您看看能不能自己交社保吗？
        客：好啊
        机：现在有单位给您交社保吗
        客：没单位了
        机：您可以自己交社保…请带上身份证。到居住地的区政务服务大厅社保窗口办理。
    """,
    "a denied word counts for the other side": """
        客：失业金怎么申请
        机：自己辞职的，还是
        客：我不是自己辞的，厂子倒闭了
        机：一共交了多久
        客：不到一年
        机：因为失业前要缴满一年失业保险
    """,
    "a verdict that the caller puts right": """
        客：给我妈领高龄津贴
        机：是临江户籍吗
        客：外地的
        机：因为高龄补贴发给临江户籍的老人…转人工…要不要先听听需要准备什么材料？
        客：不对不对，是本地的
        机：老人今年多大年纪？
        客：四四年的
        机：您可以领高龄补贴，每月100元，
    """,
    "an age by itself and by sound": """
        客：我要办老年证
        机：多大年纪
        客：刘石五
        机：您可以办老年证，最终以窗口审核为准。
    """,
    "nearly old enough, and the service for those who are not": """
        客：高龄补贴怎么申请
        机：是临江户籍吗
        客：是的是的
        机：多大年纪
        客：快八十了
        机：因为高龄补贴要满80岁才能领…需要我帮您看看能不能办老年证吗？
        客：行
        机：请问老人今年多大年纪？
        客：七十八
        机：您可以办老年证
    """,
    "not understood twice: no verdict, and it says so": """
        客：我要申请低保
        机：大概有多少钱的收入
        客：九百多
        机：对不起，请您说得具体一点。请问您家里
        客：就九百多吧
        机：还是没有听明白，能不能办我先不替您判断，最终以窗口审核为准。办理的时候请带上身份证，还有户口本。
        客：不要
        机：好的。
        机：完
    """,
    "the caller does not know": """
        客：我要办居住证
        机：做过居住登记吗
        客：登记过了
        机：有多久了
        客：我记不清了
        机：稳定的工作
        客：在这边打工
        机：有的情况还不清楚，能不能办我先不替您判断，最终以窗口审核为准。办理的时候请带上身份证
    """,
    "an aside, then back to the question": """
        客：外地人想办个居住证
        机：做过居住登记吗
        客：什么叫居住登记
        机：无
        客：没有
        机：因为办居住证要先做居住登记，最终以窗口审核为准。需要我告诉您怎么做居住登记吗？
        客：要的
        机：好的，我来告诉您怎么做居住登记。办理的时候请带上身份证，还有租房合同。到社区警务室办理，不收费。
            也可以在临江办小程序里搜索居住登记办理。
    """,
    "short questions about the service itself": """
        客：我要办护照
        机：以前办过护照吗
        客：多少钱
        机：工本费120元。请问要办护照的人，以前办过护照吗？
        客：没办过
        机：今年多大年纪
        客：十二
        机：您可以办护照
        客：要多久
        机：7个工作日办好。需要我一步一步告诉您怎么办吗？
        客：要
        机：第一步
        客：要带什么
        机：要带本人的身份证。第一步
        客：停车费多少钱
        机：无
    """,
    "back, again, wait, and a step by its number": """
        客：我要办护照
        机：以前办过
        客：第一次办
        机：多大年纪
        客：十二岁
        机：一步一步
        客：好
        机：第一步，先在移民局手机应用上预约
        客：上一步
        机：这已经是第一步了。第一步，
        客：好了
        机：第二步
        客：等一下我拿笔
        机：好的，您慢慢来，好了跟我说一声。
        客：没听清
        机：第二步
        客：还没记好
        机：好的，您慢慢来
        客：然后呢
        机：第三步，未满16岁的，要监护人陪着一起去。
        客：第一步是什么
        机：第一步
        客：第四步呢
        机：最后一步，在窗口交材料，交工本费120元
        客：上一步
        机：第三步
    """,
    "where it is done depends on an answer": """
        客：想开个小店要办执照
        机：店面是租好的，还是
        客：租好了，在高新区
        机：您可以办个体户执照…店面的租房合同。到科技路18号的高新区政务服务大厅办理，不收费，当天就能拿到执照。
    """,
    "an application, and no papers": """
        客：我租房能不能提公积金
        机：您在临江有自己的房子吗？
        客：没有啊
        机：单身，还是
        客：有老婆
        机：夫妻每月最多提3000元，最终以窗口审核为准。不用带材料。在手机公积金应用里办理，3个工作日到账。
        客：谢谢
        机：不客气。
        机：完
    """,
    "the caller wants no questions": """
        客：我要领失业金
        机：自己辞职的，还是
        客：别问了，直接告诉我怎么办
        机：有的情况还不清楚，能不能办我先不替您判断…办理的时候请带上身份证。
    """,
    "the caller gives up in the middle": """
        客：我要补办社保卡
        机：挂失了吗
        客：算了
        机：好的。
        机：完
    """,
    "matters of their own are not the guide's": """
        客：残疾人证怎么办理
        机：有医院的病历吗
        客：我要投诉
        机：无
        客：转人工
        机：无
        客：再见
        机：无
        客：我要办护照
        机：无
        客：喂
        机：请问有医院的病历吗？
    """,
    "a step that only some need": """
        客：社保卡丢了想补一张
        机：挂失了吗
        客：还没挂
        机：工本费20元，当场就能拿到。需要我一步一步
        客：要
        机：第一步，先拨打12333，把丢了的卡挂失。
    """,
    "the question before once more": """
        客：买房怎么提取公积金
        机：购房合同签了吗
        客：签了
        机：备案了吗
        客：上一个问题我答错了，退回去
        机：请问购房合同签了吗？
        客：还在看房
        机：因为要先签好购房合同并备案
    """,
}


def lines(script: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\n\s+(?=[^客机\s])", "", script).strip().splitlines()
    return [(line.strip()[0], line.strip()[2:]) for line in joined]


def assert_says(reply: Guided, wanted: str) -> None:
    at = 0
    for part in wanted.split("…"):
        found = reply.text.find(part, at)
        assert found >= 0, f"{part!r} is not in {reply.text!r}"
        at = found + len(part)


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(name: str) -> None:
    reply: Guided | None = None
    guide: Guide | None = None
    for who, words in lines(DIALOGUES[name]):
        if who == "客" and guide is None:
            found = GUIDANCE.find(words)
            assert found, words
            reply = GUIDANCE.begin(found[0], words)
        elif who == "客":
            assert guide
            reply = GUIDANCE.answer(guide, words)
        elif words == "无":
            assert reply is None
        elif words == "完":
            assert guide is None
        else:
            assert reply, words
            assert_says(reply, words)
        guide = reply.guide if reply else guide


def test_there_are_enough_dialogues() -> None:
    assert len(DIALOGUES) >= 12


@pytest.mark.parametrize(
    ("words", "service"),
    [
        ("我要给孩子上户口", "newborn-registration"),
        ("怎么办居住证", "residence-permit"),
        ("帮我看看我能不能领失业金", "unemployment-benefit"),
        ("一宝卡丢了要补办", "social-card-reissue"),
        ("嗯你好我想问一下那个残疾证怎么办理", "disability-card"),
    ],
)
def test_who_wants_a_thing_done_is_guided(words: str, service: str) -> None:
    found = GUIDANCE.find(words)
    assert found
    assert found[0].id == service
    assert found[1] >= 0.6


@pytest.mark.parametrize(
    "words",
    [
        "居住证收费吗",
        "居住证几天能拿到",
        "办护照多少钱",
        "社保卡怎么激活",
        "失业金能领几个月",
        "我要投诉",
        "路灯坏了",
        "你好",
    ],
)
def test_a_plain_question_is_left_to_the_knowledge(words: str) -> None:
    found = GUIDANCE.find(words)
    assert found is None or found[1] < 0.3


def test_a_service_is_found_by_the_passage_that_says_how_it_is_done() -> None:
    service = GUIDANCE.about("elderly-002")
    assert service
    assert service.id == "senior-card"
    assert GUIDANCE.about("water-001") is None
    offered = GUIDANCE.offer(service)
    assert offered.text == "需要我帮您看看能不能办老年证吗？"
    assert offered.expects == "yes_no"
    assert offered.guide == Guide("senior-card", "offer")
    assert GUIDANCE.question(Guide("senior-card", "offer")) == offered.text
    begun = GUIDANCE.answer(Guide("senior-card", "offer"), "好的")
    assert begun
    assert begun.guide
    assert begun.guide.stage == "conditions"


def test_a_reply_says_what_it_expects_and_what_it_rests_on() -> None:
    reply = GUIDANCE.begin(GUIDANCE.services["old-age-allowance"])
    assert (reply.expects, reply.sources) == ("yes_no", ("service:old-age-allowance", "kb:elderly-001"))
    assert reply.guide
    age = GUIDANCE.answer(reply.guide, "是")
    assert age
    assert (age.expects, age.over) == ("anything", False)
    assert age.guide
    verdict = GUIDANCE.answer(age.guide, "九十二")
    assert verdict
    assert verdict.expects == "yes_no"


def test_nothing_said_changes_what_is_kept() -> None:
    guide = Guide("old-age-allowance", "conditions", 1, (("local", "yes"),))
    first, again = GUIDANCE.answer(guide, "八十"), GUIDANCE.answer(guide, "八十")
    assert first == again
    assert guide == Guide("old-age-allowance", "conditions", 1, (("local", "yes"),))


def test_the_last_step_leaves_the_way_back_open_and_is_over() -> None:
    told = GUIDANCE.answer(Guide("senior-card", "steps", 0, (("age", "65"),)), "好了")
    assert told
    assert told.guide
    assert (told.guide.stage, told.over) == ("done", True)
    assert GUIDANCE.answer(told.guide, "好了") is None
    back = GUIDANCE.answer(told.guide, "上一步")
    assert back
    assert "第一步" in back.text


@pytest.mark.parametrize("service", GUIDANCE.services.values(), ids=lambda one: one.id)
def test_every_service_can_be_gone_through_by_one_who_qualifies_and_is_found_by_its_phrasings(
    service: object,
) -> None:
    from dialog.services import Service, Span

    assert isinstance(service, Service)
    for phrasing in service.phrasings:
        found = GUIDANCE.find(phrasing)
        assert found, phrasing
        assert found[0] is service, phrasing
    answers = []
    for one in service.conditions:
        if isinstance(one.needs, Span):
            value = str(one.needs.min or one.needs.max)
        elif isinstance(one.needs, tuple):
            value = one.needs[0]
        else:
            value = {"number": "30", "choice": next(iter(one.choices), "")}.get(
                one.kind, "no" if one.needs is False else "yes"
            )
        answers.append((one.slot, value))
    guide: Guide | None = Guide(service.id, "offer", answers=tuple(answers))
    told = 0
    while guide and guide.stage != "done":
        reply = GUIDANCE.answer(guide, "好的")
        assert reply
        assert len(reply.text) <= 170, reply.text
        guide, told = reply.guide, told + 1
        assert told < 12
    assert guide
