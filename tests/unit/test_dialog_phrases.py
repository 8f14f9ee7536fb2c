"""The fixed sentences: speakable, different where they are heard together, and there before they are said."""

from __future__ import annotations

import pytest

from dialog import phrases
from dialog.words import sounds
from tests.unit.conversation import Call
from tts.clauses import split_clauses

pytestmark = [pytest.mark.unit]

WARM = {clause for phrase in phrases.fixed_phrases() for clause in split_clauses(phrase)}


def test_fixed_phrases_are_all_sentences_without_digits() -> None:
    said = phrases.fixed_phrases()
    assert phrases.GOODBYE in said
    assert len(said) == len(set(said))
    begins = (phrases.DID_YOU_MEAN, phrases.FILED, phrases.FOUND)
    for phrase in said:
        assert phrase[-1] in "。？" or phrase in begins
        assert not any(c.isascii() for c in phrase)


def test_what_bridges_a_late_reply_does_not_sound_alike_when_heard_in_a_row() -> None:
    bridges = (phrases.FILLER_FIRST, phrases.FILLER_AGAIN, phrases.STILL_HERE, phrases.ASR_BEHIND)
    openings = [sounds(split_clauses(bridge)[0])[:3] for bridge in bridges]
    assert len(set(openings)) == len(openings)
    assert not set(split_clauses(phrases.FILLER_FIRST)) & set(split_clauses(phrases.FILLER_AGAIN))
    assert all(phrase in phrases.fixed_phrases() for phrase in (*bridges, phrases.STILL_TALKING))


def test_the_second_time_nobody_speaks_the_question_is_shorter_and_the_way_out_polite() -> None:
    assert len(phrases.NO_INPUT_SECOND) < len(phrases.NO_INPUT_FIRST)
    assert phrases.NO_INPUT_GOODBYE.startswith("对不起")
    assert phrases.NO_INPUT_TRANSFER.endswith("请稍候。")


@pytest.mark.parametrize(
    "reply",
    [
        phrases.INTAKE_NOTED + phrases.INTAKE_PLACE,
        phrases.INTAKE_NOTED + phrases.INTAKE_NAME,
        phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE,
        phrases.ACKNOWLEDGED,
    ],
)
def test_every_clause_of_a_reply_without_anything_of_the_callers_is_synthesised_in_advance(
    reply: str,
) -> None:
    assert set(split_clauses(reply)) <= WARM


CONVERSATIONS = [
    (
        "我要投诉",
        "楼下饭店油烟很大",
        "江北区",
        "江北区建设路十八号",
        "昨天",
        "我姓王",
        "换一个",
        "一三九一二三四五六七八",
        "对",
    ),
    ("我要投诉人民路饭店油烟很大", "昨天", "匿名", "可以", "不对", "地址改成解放路", "对"),
    ("查工单进度", "再见"),
    ("查工单", "我的工单", "没有了", "谢谢"),
    ("怎么提取公积金", "都不是"),
    ("租房子的那个钱", "不是"),
    ("喂", "啊八", "不对"),
    ("着火了",),
    ("无人机飞行许可怎么申请",),
    ("我要投诉", "算了不投诉了", "好的", "好的"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("said", CONVERSATIONS)
@pytest.mark.parametrize("caller", ["13800138000", ""])
async def test_what_is_said_first_was_synthesised_in_advance(said: tuple[str, ...], caller: str) -> None:
    """Knowledge answers alone begin with words that are not fixed."""
    call = Call(caller=caller)
    for text in said:
        await call.hears(text)
    spoken = [m.text for m in call.history if m.who == "agent" and m.text][1:]
    assert len(spoken) >= len(said)
    assert [first for reply in spoken if (first := split_clauses(reply)[0]) not in WARM] == []
