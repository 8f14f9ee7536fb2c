"""Character errors: alignments by hand and against a simple reference, and what counts as the same."""

from __future__ import annotations

import random

import pytest

from hotline.character_errors import align, compared

pytestmark = [pytest.mark.unit]


@pytest.mark.parametrize(
    ("reference", "heard", "counts"),
    [
        ("今天天气好", "今天天气好", (0, 0, 0)),
        ("今天天气好", "今天空气好", (1, 0, 0)),
        ("今天天气好", "今天气好", (0, 1, 0)),
        ("今天天气好", "今天的天气好", (0, 0, 1)),
        ("今天天气好", "", (0, 5, 0)),
        ("", "今天", (0, 0, 2)),
        ("医院几点开门", "亿元几点关门吗", (3, 0, 1)),
    ],
)
def test_alignments_worked_out_by_hand(reference: str, heard: str, counts: tuple[int, int, int]) -> None:
    found = align(reference, heard)
    assert (found.substitutions, found.deletions, found.insertions) == counts


def distance(a: str, b: str) -> int:
    """The textbook's table, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def test_random_texts_against_the_textbook() -> None:
    chance = random.Random(3)
    for _ in range(500):
        a, b = ("".join(chance.choices("甲乙丙丁", k=chance.randrange(9))) for _ in range(2))
        found = align(a, b)
        assert found.errors == distance(a, b)
        assert len(a) - found.deletions + found.insertions == len(b)
        assert "".join(step.written for step in found.steps) == a
        assert "".join(step.heard for step in found.steps) == b
        assert sum(found.heard_right()) == len(b) - found.substitutions - found.insertions
        assert len(found.heard_right()) == len(b)
        assert len(found.confusions()) == found.substitutions
        assert all(written != heard for written, heard in found.confusions())


def test_what_was_confused_and_what_was_heard_right() -> None:
    found = align("医院几点开门", "亿元几点开门吗")
    assert found.confusions() == [("医", "亿"), ("院", "元")]
    assert found.heard_right() == [False, False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("您好，请问：18号开门吗？", "您好请问十八号开门吗"),
        ("门牌号是１２号", "门牌号是十二号"),
        ("打12345", "打幺二三四五"),
        ("打12345", "打一二三四五"),
        ("一共200元", "一共两百元"),
        ("二〇二四年5月1日", "2024年五月一日"),
        ("ｗｉｆｉ 密码", "WiFi密码"),
        ("涨了3.5%", "涨了百分之三点五"),
        ("because of you", "BecauseOfYou"),
        ("列夫·托尔斯泰《战争与和平》", "列夫 托尔斯泰 战争与和平"),
    ],
)
def test_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert compared(one) == compared(other) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("两个人", "二个人"), ("十八号", "十号"), ("我", "你"), ("WIFI", "WIF")]
)
def test_said_otherwise_is_not_the_same(one: str, other: str) -> None:
    assert compared(one) != compared(other)


@pytest.mark.parametrize("text", ["", " ", "……！", "\n\t", "（）"])
def test_marks_alone_are_nothing(text: str) -> None:
    assert compared(text) == ""


def test_comparing_twice_changes_nothing() -> None:
    text = compared("2024年5月1日上午8:30，车牌京A12345，费用1,200.50元")
    assert compared(text) == text
