"""What is meant as one, what must be told apart, and what an answer tells."""

from __future__ import annotations

import pytest

from dialog.coverage import heard
from dialog.wording import Matter, canonical, tells
from dialog.wording import cases as cases_in
from dialog.wording import matter as matter_of

pytestmark = [pytest.mark.unit]


def matter(text: str) -> Matter:
    return matter_of(text, heard(text))


def cases(text: str) -> frozenset[int]:
    return cases_in(text, heard(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("社保卡找不到了去哪儿补领", "社保卡丢失在哪里补办"),
        ("天然气费用", "燃气多少钱"),
        ("请问如何办驾照呢", "怎么办驾驶证"),
    ],
)
def test_what_is_meant_as_one_reads_as_one(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("asked", "told", "lacks"),
    [
        ("社保卡怎么办", "护照怎么办", True),
        ("设保卡怎么办", "护照怎么办", True),
        ("社保卡怎么办", "社保卡和医保卡是同一张卡", False),
        ("房子怎么卖", "房子怎么买", True),
        ("护照丢了", "护照怎么办理", True),
        ("护照丢了", "补办护照", False),
        ("营业执照怎么办", "税务局在哪", False),
    ],
)
def test_rivals_and_cases(asked: str, told: str, lacks: bool) -> None:
    assert matter(told).lacks(matter(asked)) is lacks


def test_cases_are_named_by_any_of_their_words() -> None:
    assert cases("身份证过期了") == cases("身份证到期换证") != frozenset()
    assert cases("身份证怎么办理") == frozenset()


def test_what_an_answer_tells() -> None:
    assert tells("带身份证到政务服务大厅办理，3个工作日办好，不收费。") == [
        "多少钱",
        "在哪",
        "什么材料",
        "要多久",
    ]
    assert tells("请拨打12345。") == ["打什么电话", "找谁"]
