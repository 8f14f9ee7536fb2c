"""Readings, tone changes and pauses."""

from __future__ import annotations

import pytest

from tts.pinyin import phrases, word_pinyin

pytestmark = [pytest.mark.unit]


@pytest.mark.parametrize(
    ("text", "words"),
    {
        "社保卡": "she4bao3ka3",
        "一个": "yi2ge4",
        "一天": "yi4tian1",
        "一起": "yi4qi3",
        "第一": "di4yi1",
        "统一": "tong3yi1",
        "十一个": "shi2yi1ge4",
        "一月一日": "yi1yue4 yi1ri4",
        "星期一": "xing1qi1yi1",
        "二零二一年": "er4ling2er4 yi1nian2",
        "不是": "bu2shi4",
        "不好": "bu4hao3",
        "看不看": "kan4bu2kan4",
        "银行行长": "yin2hang2 hang2zhang3",
        "还款": "huan2kuan3",
        "重新办理": "chong2xin1 ban4li3",
        "女儿": "nv3er2",
        "战略": "zhan4lve4",
        "幺幺零": "yao1 yao1 ling2",
    }.items(),
)
def test_readings(text: str, words: str) -> None:
    assert "".join(word_pinyin(text)) == words.replace(" ", "")


def test_marks_become_pauses_and_the_longest_of_a_row_counts() -> None:
    found = phrases("您好，请讲。”好的")
    assert [phrase.words for phrase in found] == [("nin2hao3",), ("qing3", "jiang3"), ("hao3", "de5")]
    assert found[0].pause_s < found[1].pause_s
    assert found[2].pause_s == 0.0


def test_letters_have_mandarin_names_and_words_are_english() -> None:
    assert phrases("ABC")[0].words == ("ei1", "bi4", "sei1")
    assert [phrase.language for phrase in phrases("用WeChat办")] == ["zh", "en", "zh"]


def test_what_nobody_can_say_is_passed_over() -> None:
    assert phrases("😀 《》…… ") == []
    assert [phrase.words for phrase in phrases("😀好")] == [("hao3",)]
