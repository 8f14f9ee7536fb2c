"""Services as data: what is refused, what is said when, and how answers are understood."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from dialog.guidance_answers import answer_to
from dialog.services import (
    UNKNOWN,
    Condition,
    Line,
    ServiceError,
    Span,
    every_of,
    first_of,
    load_services,
    meets,
)
from dialog.spoken_numbers import Unit, by_sound, span_in

pytestmark = [pytest.mark.unit]

TODAY = date(2025, 11, 22)
CARD: dict[str, Any] = {
    "id": "senior-card",
    "name": "老年证",
    "doing": "办老年证",
    "phrasings": ["我要办老年证"],
    "steps": ["带身份证到社区。"],
}
AGE = {
    "slot": "age",
    "ask": "多大年纪？",
    "kind": "number",
    "unit": "岁",
    "needs": {"min": 60},
    "else": "要满60岁",
}


def write(folder: Path, *services: dict[str, Any]) -> Path:
    for number, service in enumerate(services):
        text = yaml.safe_dump(service, allow_unicode=True)
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_service_is_read_with_texts_as_lines(tmp_path: Path) -> None:
    (service,) = load_services(
        write(tmp_path, {**CARD, "conditions": [AGE], "materials": ["身份证"], "fee": "不收费"})
    )
    assert service.materials == (Line(say="身份证"),)
    assert service.fee == (Line(say="不收费"),)
    age = service.condition("age")
    assert age
    assert (age.needs, age.reason) == (Span(min=60), "要满60岁")
    assert service.condition("sex") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "steps"),
        ({"stepps": ["一"]}, "stepps"),
        ({"id": "Senior Card"}, "id"),
        ({"conditions": [{**AGE, "needs": True}]}, "needs of age does not fit its kind, number"),
        ({"conditions": [{key: AGE[key] for key in AGE if key != "else"}]}, "say in else why not"),
        ({"conditions": [AGE, AGE]}, "the same slot"),
        (
            {"conditions": [{**AGE, "kind": "choice", "needs": ["甲"], "unit": ""}]},
            "choices belong to a choice",
        ),
        ({"conditions": [{**AGE, "otherwise": "passport"}]}, "otherwise names passport, which is no service"),
        (
            {"conditions": [{**AGE, "kind": "choice", "needs": ["丙"], "choices": {"甲": [], "乙": []}}]},
            "none of its choices",
        ),
        (
            {"materials": [{"say": "证明", "when": {"sex": ["女"]}}]},
            "when names sex, which no condition asks",
        ),
    ],
)
def test_a_service_that_cannot_be_right_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ServiceError, match=said) as raised:
        load_services(write(tmp_path, {**CARD, **changes}))
    assert "\n" not in str(raised.value)


def test_a_folder_or_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no folder .*missing"):
        load_services(tmp_path / "missing")
    with pytest.raises(ServiceError, match="same id"):
        load_services(write(tmp_path, CARD, CARD))
    (tmp_path / "0.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ServiceError, match=r"0\.yaml is not YAML"):
        load_services(tmp_path)


def test_a_line_depends_on_answers_and_on_what_is_not_known_only_where_it_may() -> None:
    by_age = [
        Line(say="每月100元", when={"age": Span(min=80, max=89)}),
        Line(say="每月300元", when={"age": Span(min=90)}),
        Line(say="看年龄"),
    ]
    assert first_of(by_age, {"age": "85"}) == "每月100元"
    assert first_of(by_age, {"age": "80-89"}) == "每月100元"
    assert first_of(by_age, {"age": "85-95"}) == "看年龄"
    assert first_of(by_age, {}) == first_of(by_age, {"age": UNKNOWN}) == "看年龄"
    papers = [Line(say="结婚证", when={"married": True}), Line(say="身份证")]
    assert every_of(papers, {"married": "yes"}) == ("结婚证", "身份证")
    assert every_of(papers, {"married": "no"}) == ("身份证",)
    assert every_of(papers, {}) == every_of(papers, {"married": UNKNOWN}) == ("结婚证", "身份证")


def test_what_is_needed_may_be_met_or_not_or_not_to_be_told() -> None:
    sixty = Span(min=60)
    assert [meets(sixty, answer) for answer in ("60", "60-69", "59", "0-59", "50-69", UNKNOWN)] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]
    assert [meets(False, answer) for answer in ("no", "yes", UNKNOWN)] == [True, False, None]
    assert [meets(("甲",), answer) for answer in ("甲", "乙")] == [True, False]
    assert meets(None, UNKNOWN) is True


@pytest.mark.parametrize(
    ("said", "unit", "span"),
    [
        ("六十五", "岁", (65, 65)),
        ("今年刚满六十", "岁", (60, 60)),
        ("65岁了", "岁", (65, 65)),
        ("八十二了", "岁", (82, 82)),
        ("六十多了", "岁", (60, 69)),
        ("六十出头", "岁", (60, 69)),
        ("七八十岁", "岁", (70, 70)),
        ("快六十了", "岁", (0, 59)),
        ("奔七十的人了", "岁", (0, 69)),
        ("差两个月满六十", "岁", (0, 59)),
        ("差不多六十", "岁", (60, 60)),
        ("还没满八十", "岁", (0, 79)),
        ("五八年的", "岁", (67, 67)),
        ("58年的", "岁", (67, 67)),
        ("一九五八年三月生的", "岁", (67, 67)),
        ("零五年的", "岁", (20, 20)),
        ("半年", "个月", (6, 6)),
        ("三个半月", "个月", (3, 3)),
        ("一年半", "个月", (18, 18)),
        ("一年多", "个月", (12, 23)),
        ("差几天半年", "个月", (0, 5)),
        ("四十天", "个月", (1, 1)),
        ("交了五年", "年", (5, 5)),
        ("昨天刚登记的", "个月", (0, 0)),
        ("今年三月份", "个月", (8, 8)),
        ("去年登记的", "个月", (11, 22)),
        ("二零二三年", "个月", (23, 34)),
        ("九百六", "元", (960, 960)),
        ("一千二百块", "元", (1200, 1200)),
        ("八百多", "元", (800, 899)),
        ("不到一千", "元", (0, 999)),
        ("一千零五十", "元", (1050, 1050)),
        ("一万二", "元", (12000, 12000)),
        ("没有收入", "元", (0, 0)),
    ],
)
def test_numbers_as_callers_tell_them(said: str, unit: Unit, span: tuple[int, int]) -> None:
    assert span_in(said, unit, TODAY, bare=True) == span


@pytest.mark.parametrize(
    ("said", "unit"), [("我不知道", "岁"), ("三个人", "个月"), ("很久了", "个月"), ("半年", "岁")]
)
def test_what_is_no_number_of_this_kind_is_none(said: str, unit: Unit) -> None:
    assert span_in(said, unit, TODAY, bare=False) is None


def test_a_number_is_taken_by_its_sound_only_where_nothing_else_is_said() -> None:
    assert by_sound("刘石五") == "六十五"
    assert by_sound("今年巴士了") == "八十了"
    assert by_sound("就是一年") == "一年"
    assert by_sound("没事") == ""


CERTIFICATE = Condition(
    slot="c", ask="证明拿到了吗？", kind="yes_no", means_yes=("有出生证",), means_no=("出生证丢了",)
)
LEAVING = Condition(
    slot="l", ask="怎么离开的？", kind="choice", choices={"辞职": ("自己辞的",), "辞退": ("被裁", "倒闭")}
)
MONTHS = Condition.model_validate(
    {
        "slot": "m",
        "ask": "多久了？",
        "kind": "number",
        "unit": "个月",
        "cues": ["登记"],
        "needs": {"min": 6},
        "else": "要满半年",
    }
)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("是的", "yes"),
        ("嗯有的", "yes"),
        ("拿到了", "yes"),
        ("早就办好了", "yes"),
        ("对，在医院就给办了", "yes"),
        ("没有", "no"),
        ("还没呢", "no"),
        ("还没有拿到", "no"),
        ("不是不是", "no"),
        ("出生证丢了", "no"),
        ("不知道啊", UNKNOWN),
        ("这个我记不清了", UNKNOWN),
        ("要交多少钱", None),
        ("那个什么证来着", None),
        ("天气不错", None),
        ("对对对，出院的时候医院就一起给我们办好了的", "yes"),
        ("没有，医院说要等孩子爸爸来了才给开", "no"),
        ("我们整栋楼停水两天了，到现在也没有通知", None),
        ("对面商场的大屏幕晚上亮得我们家像白天一样", None),
    ],
)
def test_yes_and_no_in_their_spoken_forms(said: str, answer: str | None) -> None:
    assert answer_to(CERTIFICATE, said, asked=True, today=TODAY) == answer


@pytest.mark.parametrize(
    ("condition", "said", "answer"),
    [
        (CERTIFICATE, "是的", None),
        (CERTIFICATE, "我有出生证", "yes"),
        (CERTIFICATE, "不知道", None),
        (LEAVING, "公司倒闭了", "辞退"),
        (LEAVING, "不是自己辞的，是被裁的", "辞退"),
        (LEAVING, "我自己辞的，不是被裁", "辞职"),
        (LEAVING, "自己辞的还是被裁都有", None),
        (MONTHS, "登记满一年了", "12"),
        (MONTHS, "我来一年了", None),
        (MONTHS, "亲戚三年前问我拿了两万没写条子", None),
    ],
)
def test_what_was_not_asked_counts_only_where_it_says_so_itself(
    condition: Condition, said: str, answer: str | None
) -> None:
    assert answer_to(condition, said, asked=False, today=TODAY) == answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [("早就满了", "6"), ("还没满", "5"), ("半年多了", "6-11"), ("几个月吧", None), ("一个多月", "1")],
)
def test_a_number_that_must_be_reached(said: str, answer: str | None) -> None:
    assert answer_to(MONTHS, said, asked=True, today=TODAY) == answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("我是去年三月份过来的，一到这边就登记了", "20"),
        ("到现在差不多有一年半了吧", "18"),
        ("我在工厂干了八个月，活干完了老板说没钱，让我等", None),
    ],
)
def test_of_a_long_sentence_a_number_counts_where_it_is_about_what_was_asked(
    said: str, answer: str | None
) -> None:
    assert answer_to(MONTHS, said, asked=True, today=TODAY) == answer
