"""Who callers are does not leave for a model's service, and comes back unchanged."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from dialog.masking import CALLER_MARK, Masks
from dialog.places import load_gazetteer

pytestmark = [pytest.mark.unit]

GAZETTEER = load_gazetteer()
CALLER = "13800138000"
MARK = re.compile("【[^】]+】")

NAMES = ["张伟", "王小明", "欧阳明月", "李建国", "陈静"]
PHONES = [
    "13900139000",
    "139-0013-9000",
    "139 0013 9000",
    "幺三九零零幺三九零零零",
    "0571-88886666",
    "一三九，零零一三，九零零零",
]
IDENTITIES = ["320102199001011234", "32010219900101123X", "三二零一零二一九九零零一零一幺二三叉"]
CARDS = ["6222021234567890123", "6222 0212 3456 7890", "六二二二零二幺二三四五六七八九零"]
PLATES = ["苏A12345", "京AD12345", "浙B·8K9L2"]
ADDRESSES = [
    "人民路18号",
    "人民东路一百二十号",
    "阳光小区3栋2单元501",
    "金色家园三栋二单元五零一室",
    "科技路28号创业公寓5楼",
    "振兴街九号院",
]
# Sentences with what is private in their places.
FRAMES = [
    "我叫{name}，电话{phone}，住在{address}",
    "姓名是{name}，身份证号{identity}，麻烦快一点",
    "我住江南区{address}，车牌是{plate}，被贴条了",
    "我的卡号是{card}，扣了我二十元，联系电话{phone}",
    "{name}先生家住{address}，手机{phone}",
]


def sentences() -> list[tuple[str, list[str]]]:
    """Sentences with all that is private in them, the same at every run."""
    kinds = {
        "name": NAMES,
        "phone": PHONES,
        "identity": IDENTITIES,
        "card": CARDS,
        "plate": PLATES,
        "address": ADDRESSES,
    }
    made = []
    for frame in FRAMES:
        fields = re.findall("{(.*?)}", frame)
        for values in itertools.product(*(kinds[field] for field in fields)):
            made.append((frame.format(**dict(zip(fields, values, strict=True))), list(values)))
    return made


def test_what_is_private_is_hidden_and_comes_back() -> None:
    made = sentences()
    assert len(made) > 200
    for text, private in made:
        masks = Masks(GAZETTEER, CALLER)
        masked = masks.mask(text)
        assert [part for part in private if part in masked] == [], text
        assert masks.restore(masked) == text


def test_any_text_comes_back_unchanged() -> None:
    chance = random.Random(6)
    pieces = [
        *NAMES,
        *PHONES,
        *IDENTITIES,
        *CARDS,
        *PLATES,
        *ADDRESSES,
        "【姓名1】",
        "【",
        "】",
        "我叫",
        "姓",
        "的",
        "，",
        "3",
        "号",
    ]
    for _ in range(500):
        text = "".join(chance.choices(pieces, k=6))
        masks = Masks(GAZETTEER, CALLER)
        assert masks.restore(masks.mask(text)) == text


def test_the_same_gets_the_same_mark_all_through_a_call() -> None:
    masks = Masks(GAZETTEER)
    first = masks.mask("我叫张伟，电话13900139000")
    again = masks.mask("张伟的电话是13900139000")
    assert MARK.findall(first) == MARK.findall(again) == ["【姓名1】", "【电话1】"]
    fresh = Masks(GAZETTEER)
    assert fresh.mask("我叫张伟，电话13900139000") == first


def test_the_number_called_from_has_a_mark_of_its_own() -> None:
    masks = Masks(GAZETTEER, CALLER)
    assert masks.mask(f"就用{CALLER}联系我") == f"就用{CALLER_MARK}联系我"


@pytest.mark.parametrize(
    "text",
    [
        "社保卡丢了怎么补办",
        "工本费20元，5个工作日，拨打12333",
        "江北区建设路的路灯坏了",
        "我在长江路和人民路路口",
        "我在2024年5月1日下午3点看到的",
        "我是江南区的，想问老师说要带户口本",
        "高中学校什么时候报名",
        "我们小区物业不管",
        "方便面过期了，花了一千二百元",
        "12345打了半天没人接",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert Masks(GAZETTEER, CALLER).mask(text) == text


@pytest.mark.parametrize(
    ("asked", "text", "masked"),
    [
        ("请问您贵姓？", "张伟", "【姓名1】"),
        ("请问您怎么称呼？", "免贵姓王", "免贵姓【姓名1】"),
        ("请问您贵姓？", "我叫欧阳明月", "我叫【姓名1】"),
        ("", "王女士来过", "【姓名1】女士来过"),
        ("", "我要投诉李老板", "我要投诉【姓名1】老板"),
    ],
)
def test_names_are_found_by_how_they_are_told(asked: str, text: str, masked: str) -> None:
    assert Masks(GAZETTEER).mask(text, asked) == masked


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("邮箱是zhangwei@example.com", "zhangwei"),
        ("我微信号zw_1990", "zw_1990"),
        ("护照号E12345678", "12345678"),
        ("身份证后四位是一二三四", "一二三四"),
        ("手机尾号9000", "9000"),
        ("户主是周国强", "周国强"),
        ("电话一三九 零零零一 二二三三", "二二三三"),
        ("住在幸福里三单元五零二", "三单元五零二"),
    ],
)
def test_what_else_tells_who_somebody_is(text: str, private: str) -> None:
    masks = Masks(GAZETTEER)
    masked = masks.mask(text)
    assert private not in masked
    assert masks.restore(masked) == text


def test_a_mark_that_a_caller_writes_stands_for_nothing_but_itself() -> None:
    masks = Masks(GAZETTEER, CALLER)
    masks.mask("我叫张伟")
    masked = masks.mask("我是【姓名1】")
    assert "【姓名1】" not in masked
    assert masks.restore(masked) == "我是【姓名1】"
    assert masks.unknown("【姓名2】")
    assert not masks.unknown("【姓名1】")


def test_the_district_stays() -> None:
    assert Masks(GAZETTEER).mask("我住江南区人民路18号").startswith("我住江南区【地址1】")
