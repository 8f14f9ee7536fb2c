"""A talk with a seat over real SIP: both sides are in the transcript, and the seat is helped meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.demo_seat import HELLO
from tests.sip.agent import TO_SEAT, running_agent, share_heard
from tests.sip.test_transfers import DemoSeat, demo_seat, seats

__all__ = ["demo_seat"]
pytestmark = [pytest.mark.sip]

ASKS = "社保卡丢了怎么补办"


def test_both_sides_are_transcribed_and_the_seat_is_helped(
    tmp_path: Path, voice_cache: Path, demo_seat: DemoSeat
) -> None:
    with running_agent(tmp_path, voice_cache, seats=seats(40.0, {"8001": demo_seat.uri})) as agent:
        says = [item for text in (TO_SEAT, ASKS) for item in ("--say", text)]
        caller = agent.ring("--at-once", *says, "--stay", "20")
        assert demo_seat.until("talking")["heard_caller"] is True
        caller.report()
        call = agent.record(caller.number)
    began_s = next(event["at_s"] for event in call["events"] if event["kind"] == "bridged")
    talk = [turn for turn in call["turns"] if turn["started_s"] > began_s and turn["who"] != "agent"]
    assert [turn["who"] for turn in talk[:2]] == ["seat", "caller"]
    said = {who: "".join(turn["text"] for turn in talk if turn["who"] == who) for who in ("seat", "caller")}
    assert share_heard(HELLO, said["seat"]) > 0.6, said
    assert share_heard(ASKS, said["caller"]) > 0.6, said
    assert all(turn["asr_confidence"] > 0 for turn in talk)
    helped = [event["detail"] for event in call["events"] if event["kind"] == "suggestion"]
    assert "社保卡丢了怎么补办？" in {passage["question"] for one in helped for passage in one["passages"]}
    (*_, draft) = [event["detail"] for event in call["events"] if event["kind"] == "draft"]
    assert "社保卡" in draft["title"]
