"""Guiding a caller through a service, in whole scripted dialogues."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from dialog.guidance import SURE, Guidance, Guide, Guided
from dialog.knowledge import Knowledge
from dialog.passages import load_passages
from dialog.services import Service, Span, load_services

pytestmark = [pytest.mark.unit]

TODAY = date(2025, 11, 22)
SAMPLE = Path(__file__).parents[2] / "dialog" / "knowledge"
GUIDANCE = Guidance(load_services(), lambda: TODAY)
BESIDE_KNOWLEDGE = Guidance(load_services(), lambda: TODAY, Knowledge(load_passages(SAMPLE), lambda: TODAY))

DIALOGUES: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("guidance_dialogues.yaml").read_text(encoding="utf-8")
)


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


@pytest.mark.parametrize(
    "words",
    [
        "老人户口想迁到儿子这里怎么办",
        "小孩办身份证要什么手续",
        "苏州居住证怎么办",
        "我妈坐车刷老年卡嘀一声说要年审了咋弄",
        "结婚十年怀不上想从福利院领个娃娃回来养走什么手续",
    ],
)
def test_words_about_another_passage_are_no_wish_for_a_service(words: str) -> None:
    found = BESIDE_KNOWLEDGE.find(words)
    assert found is None or found[1] < SURE


@pytest.mark.parametrize("service", GUIDANCE.services.values(), ids=lambda one: one.id)
def test_a_wish_is_found_beside_the_knowledge(service: Service) -> None:
    wishes = (f"我要{service.doing}", f"帮我看看能不能{service.doing}", *service.phrasings)
    found = {words: BESIDE_KNOWLEDGE.find(words) for words in wishes}
    assert [words for words, best in found.items() if not best or best[0].id != service.id] == []
    unsure = [words for words, best in found.items() if best and best[1] < SURE]
    assert len(unsure) <= 1, unsure


@pytest.mark.parametrize(
    ("service", "index", "words"),
    [
        ("individual-business", 1, "江北区领结婚证在哪儿"),
        ("senior-card", 0, "电费多少钱一度啊"),
        ("residence-permit", 2, "孩子上小学怎么报名"),
    ],
)
def test_a_question_that_another_passage_answers_is_no_answer(service: str, index: int, words: str) -> None:
    assert BESIDE_KNOWLEDGE.answer(Guide(service, "conditions", index), words) is None


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
    service: Service,
) -> None:
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
