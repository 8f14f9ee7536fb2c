"""Finding the passage that a caller means."""

from __future__ import annotations

from datetime import date

import pytest

from dialog.knowledge import Knowledge
from dialog.passages import Passage
from dialog.policy import TRANSFER_BELOW

pytestmark = [pytest.mark.unit]

TODAY = date(2025, 6, 1)


def passage(id: str, question: str, *phrasings: str, **fields: object) -> Passage:
    return Passage(id, question, f"答{id}。", phrasings, **fields)


def small(*passages: Passage) -> Knowledge:
    return Knowledge(passages, lambda: TODAY)


SAMPLE = small(
    passage("card", "社保卡丢了怎么补办？", "补办社保卡要带什么"),
    passage("medical-card", "医保卡丢了怎么补办？", "医保卡不见了"),
    passage("fund", "租房怎么提取公积金？", "公积金可以交房租吗"),
    passage("permit", "居住证怎么办理？", "办居住证要什么材料"),
    passage("school", "孩子转学需要什么材料？", "小学转学怎么办手续"),
    passage("heating", "暖气不热怎么办？", "家里暖气片是凉的"),
    passage("water", "突然停水了怎么办？", "停水了什么时候来水"),
)


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ("我想问一下社保卡不见了要重新办一张怎么弄", "card"),
        ("设保卡丢了怎么不办", "card"),
        ("一宝卡丢了怎么补办", "medical-card"),
        ("工机金能不能拿来交房租", "fund"),
        ("居住正怎么办里", "permit"),
        ("我家暖气片冰凉的", "heating"),
        ("小孩转学要带哪些材料", "school"),
    ],
)
def test_paraphrases_and_homophones_are_found(said: str, id: str) -> None:
    best = SAMPLE.search(said)[0]
    assert best.passage.id == id
    assert best.score >= 0.35


@pytest.mark.parametrize(
    "said",
    ["无人机飞行许可怎么申请", "明天天气怎么样", "猫在沙发上睡着了", "怎么考导游证", "股票账户怎么开通"],
)
def test_questions_outside_are_no_answers_nor_asked_back(said: str) -> None:
    hits = SAMPLE.search(said)
    assert not hits or hits[0].score < TRANSFER_BELOW


def test_the_question_itself_scores_highest_and_other_cards_clearly_less() -> None:
    first, second = SAMPLE.search("社保卡丢了怎么补办")[:2]
    assert (first.passage.id, first.score) == ("card", 1.0)
    assert second.score < 0.8
    lost_bus_card = SAMPLE.search("公交卡丢了怎么补办")
    assert lost_bus_card[0].score < 0.6


def test_nothing_is_found_for_nothing() -> None:
    assert SAMPLE.search("") == []
    assert SAMPLE.search("？！") == []
    assert small().search("社保卡丢了") == []


@pytest.mark.parametrize("said", ["卡", "的", "水", "1", "A", "啊"])
def test_one_character_is_searched_like_more(said: str) -> None:
    assert all(0 <= hit.score <= 1 for hit in SAMPLE.search(said))


def test_limit() -> None:
    assert len(SAMPLE.search("怎么办", limit=2)) <= 2


def test_passages_are_told_only_while_they_are_valid() -> None:
    days = {"today": date(2025, 6, 1)}
    old = passage("old", "暖气费多少钱？", valid_to=date(2025, 5, 31))
    new = passage("new", "暖气费多少钱？", valid_from=date(2025, 6, 1))
    knowledge = Knowledge([old, new], lambda: days["today"])
    assert [hit.passage.id for hit in knowledge.search("暖气费多少钱")] == ["new"]
    days["today"] = date(2025, 5, 31)
    assert [hit.passage.id for hit in knowledge.search("暖气费多少钱")] == ["old"]
