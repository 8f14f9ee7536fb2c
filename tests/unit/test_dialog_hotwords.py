"""Hotwords: what a recogniser should listen for in this city."""

from __future__ import annotations

import pytest

from dialog.hotwords import hotwords_of
from dialog.passages import Passage
from dialog.places import Gazetteer

pytestmark = [pytest.mark.unit]

GAZETTEER = Gazetteer(
    {
        "districts": {
            "江北区": {
                "aliases": ["江北"],
                "streets": ["建设路", "人民东路"],
                "communities": ["碧水湾"],
                "landmarks": ["码头"],
            }
        }
    }
)
PASSAGES = [
    Passage("a", "营业执照怎么办理？", "到窗口。", ("营业执照多少钱",), department="市市场监督管理局"),
    Passage("b", "营业执照丢了怎么补办？", "到窗口。", department="市市场监督管理局"),
    Passage("c", "电瓶车能上楼吗？", "不能。", department="消防大队"),
    Passage("d", "老师放假吗？", "放假。", department="市民政局"),
]


def test_places_departments_and_terms_each_once() -> None:
    assert hotwords_of(PASSAGES, GAZETTEER) == [
        "人民东路",
        "建设路",
        "江北区",
        "碧水湾",
        "市场监督管理局",
        "消防大队",
        "民政局",
        "营业执照",
        "电瓶车",
    ]


def test_there_are_no_more_than_the_limit_and_terms_keep_their_place() -> None:
    streets = [f"{chr(0x4E00 + number)}新路" for number in range(600)]
    city = Gazetteer({"districts": {"江北区": {"streets": streets}}})
    found = hotwords_of(PASSAGES, city)
    assert len(found) == len(set(found)) == 500
    assert found[-1] == "电瓶车"
    assert hotwords_of([], city, limit=3) == [name for name in city.names if len(name) == 3][:3]
