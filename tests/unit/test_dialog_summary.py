"""What a seat is told: all that was said, nothing that was not."""

from __future__ import annotations

import pytest

from dialog import CallContext, Summary
from dialog.places import load_taxonomy
from dialog.summary import SPOKEN_CHARS, build_summary, spoken_summary, unsaid

pytestmark = [pytest.mark.unit]

SAID = [
    "我要投诉人民路十八号楼下的饭店",
    "昨天晚上十一点开始的",
    "我的电话是一三八零零一三八零零零",
    "他欠我三千五百元",
]


@pytest.mark.parametrize(
    "fact",
    [
        "人民路18号楼下的饭店",
        "人名路十八号",
        "昨天晚上11点",
        "13800138000",
        "3500元",
        "饭店",
        "欠我3500元",
        "",
    ],
)
def test_what_was_said_is_known_in_every_way_of_writing_it(fact: str) -> None:
    assert not unsaid(fact, SAID)


@pytest.mark.parametrize(
    "fact",
    [
        "人民路28号楼下的饭店",
        "昨天晚上12点",
        "13900139000",
        "3600元",
        "解放路十八号",
        "楼上的超市油烟很大",
        "要求赔偿损失",
    ],
)
def test_what_was_not_said_is_seen(fact: str) -> None:
    assert unsaid(fact, SAID)


def test_no_category_is_told_that_nobody_said() -> None:
    call, taxonomy = CallContext("c", "13800138000"), load_taxonomy()
    told = build_summary(call, [], taxonomy, unanswered="无人机飞行许可怎么申请")
    assert (told.category, told.department) == ("", "")
    told = build_summary(call, [], taxonomy, unanswered="低保户能不能买车")
    assert (told.category, told.department) == ("社会救助", "市民政局")


def test_a_seat_hears_two_sentences() -> None:
    asked = Summary(
        "王（13800138000）", "无人机飞行许可怎么申请", open_points=("未答复：无人机",), mood="着急"
    )
    assert spoken_summary(asked) == "来电人姓王，诉求是无人机飞行许可怎么申请。知识库没有答案，情绪着急。"
    complaint = Summary(
        "", "饭店油烟很大", place="人民路18号", open_points=("工单未提交，缺时间",), mood="平静"
    )
    assert spoken_summary(complaint) == "来电人，诉求是饭店油烟很大，地点人民路18号。工单还没有提交。"
    assert spoken_summary(Summary()) == "来电人需要人工服务。"


def test_it_is_short_whatever_was_said() -> None:
    long = Summary("欧阳", "很" * 200, place="人" * 60, open_points=("未答复：" + "很" * 100,), mood="不满")
    assert len(spoken_summary(long)) <= SPOKEN_CHARS + 1
