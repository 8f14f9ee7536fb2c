"""Chinese text as a recogniser hears it."""

from __future__ import annotations

import pytest

from dialog.confidence import confidence
from dialog.words import (
    clean,
    digits_in,
    find_sounds,
    in_words,
    says,
    sounds,
    spoken_count,
    spoken_digits,
    strip_fillers,
)

pytestmark = [pytest.mark.unit]


def test_homophones_and_blurred_initials_sound_alike() -> None:
    assert sounds("医保补办") == sounds("一宝不办")
    assert sounds("身份证") == sounds("深分真")
    assert sounds("医保") != sounds("社保")


def test_every_character_has_one_sound() -> None:
    assert len(sounds("第12号Abc楼")) == 8


@pytest.mark.parametrize(
    ("said", "core"),
    [
        ("喂，你好，请问居住证怎么办理呢？", "居住证怎么办理"),
        ("我想问一下那个公积金怎么提取，谢谢", "公积金怎么提取"),
        ("请问", "请问"),
        ("", ""),
        ("这个月的养老金怎么还没有到账", "这个月的养老金怎么还没有到账"),
    ],
)
def test_fillers_go_and_the_matter_stays(said: str, core: str) -> None:
    assert strip_fillers(said) == core


@pytest.mark.parametrize(
    ("said", "by_sound", "digits"),
    [
        ("一三八零零一三八零零零", False, "13800138000"),
        ("我的号码是幺三八，嗯，零零幺三八，零零零", False, "13800138000"),
        ("手机13800138000", False, "13800138000"),
        ("八八", False, "88"),
        ("吧零零一", True, "8001"),
        ("没有号码", False, ""),
    ],
)
def test_digits_are_taken_from_speech(said: str, by_sound: bool, digits: str) -> None:
    assert digits_in(said, by_sound=by_sound) == digits


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("65岁老人", "六十五岁老人"),
        ("12345热线", "一二三四五热线"),
        ("2025年3月5号", "二零二五年三月五号"),
        ("3.5元", "三点五元"),
        ("30%", "百分之三十"),
        ("2000块", "二千块"),
        ("0514", "零五一四"),
        ("0", "零"),
        ("等一下", "等一下"),
    ],
)
def test_written_numbers_are_put_into_words(written: str, said: str) -> None:
    assert in_words(written) == said


def test_cleaning_leaves_decimals_and_percentages_whole() -> None:
    assert clean("物业费 3.5元，涨了 30%。Yes.") == "物业费3.5元涨了30%yes"
    assert clean("100. %") == "100"


def test_numbers_are_read_back_in_breath_groups() -> None:
    assert spoken_digits("13800138000") == "幺三八，零零幺三，八零零零"
    assert spoken_digits("25112100007") == "二五幺幺，二幺零零，零零七"
    assert spoken_digits("20251121-0007") == "二零二五，幺幺二幺，零零零七"
    assert spoken_digits("12345") == "幺二三四五"


@pytest.mark.parametrize(
    ("number", "said"), [(0, "零"), (7, "七"), (10, "十"), (12, "十二"), (30, "三十"), (99, "九十九")]
)
def test_counts(number: int, said: str) -> None:
    assert spoken_count(number) == said


def test_two_syllables_need_their_characters() -> None:
    assert says("楼下油烟很大", "油烟")
    assert not says("有言在先", "油烟")
    assert says("小区亭水了", "小区停水")
    assert find_sounds(("a",), ()) == -1


def test_confidence_falls_with_each_doubt() -> None:
    sure = confidence(1.0, 0.9, 0.3, 0)
    assert sure == pytest.approx(0.9)
    assert confidence(0.4, 0.9, 0.3, 0) < sure
    assert confidence(1.0, 0.6, 0.3, 0) < sure
    assert confidence(1.0, 0.9, 0.0, 0) < sure
    assert confidence(1.0, 0.9, 0.3, 1) < sure
    assert confidence(0.0, 0.0, 0.0, 5) == 0.0
    assert confidence(1.0, 1.0, 1.0, 0) == 1.0
