"""The picture of what waiting costs and saves: its points are where the figures say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.turn_tradeoff import FixedWait, Point, Series, draw, of_pipecat, point
from hotline.turn_evaluation import Ending, Endings

pytestmark = [pytest.mark.unit]

_CUT = {0.6: False, 0.8: False, 1.0: True, 1.2: True}


def endings() -> Endings:
    clips = (
        Ending("a", 0.4, False, _CUT),
        Ending("b", 0.6, False, {}),
        Ending("c", None, False, {0.6: True}),
    )
    return Endings("human", 1.5, clips)


def test_a_point_is_the_gaps_and_the_share_of_all_pauses() -> None:
    assert point("×1.5", endings()) == Point("×1.5", 0.5, 0.59, 0.6)
    assert point("x", Endings("human", 1.0, (Ending("a", 0.4, False, {}),))) is None  # no pause
    assert point("x", Endings("human", 1.0, (Ending("a", None, False, _CUT),))) is None  # no answer


def test_a_fixed_wait_waits_as_long_whatever_is_said() -> None:
    waiting = FixedWait(0.7)
    assert {waiting.patience_s(text) for text in ("", "我想问一下", "怎么办社保卡")} == {0.7}


def test_pipecats_point_is_read_from_the_comparison() -> None:
    clips = [{"gap_s": gap_s, "cut_off": {"0.6": True, "0.8": False}} for gap_s in (0.2, 0.3, 3.0)]
    rows = [
        {"kind": "human", "clips": clips},
        {"kind": "synthetic", "clips": [{"gap_s": None, "cut_off": {}}]},
    ]
    (one,) = of_pipecat({"version": "1.14.0", "pipecat": {"endings": rows}})
    assert one.name == "pipecat 1.14.0, people"
    assert one.points == [Point("", 0.3, 3.0, 0.5)]


def test_more_waiting_is_further_right_and_fewer_cut_off_are_lower() -> None:
    eager, patient = Point("eager", 0.3, 0.6, 0.8), Point("patient", 0.9, 1.4, 0.1)
    picture = draw([Series("this agent", "#123456", [eager, patient], own=0)])
    drawn = ElementTree.fromstring(ElementTree.tostring(picture))
    dots = [node.attrib for node in drawn.iter() if node.tag.endswith("circle")]
    by_median, by_95th = dots[:2], dots[2:4]
    for one in (by_median, by_95th):
        assert float(one[0]["cx"]) < float(one[1]["cx"])
        assert float(one[0]["cy"]) < float(one[1]["cy"])
        assert one[0]["r"] > one[1]["r"]  # the defaults stand out
    texts = {node.text for node in drawn.iter() if node.tag.endswith("text")}
    assert {"this agent", "eager", "patient", "response gap, median, seconds"} <= texts
