"""How the benchmark of transfers judges what its telephones saw."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.transfers import word_of, wrong
from bench.transfers_calls import Plan, Transfer, find, pcm_of, plan
from tests.sip.g711 import to_a_law
from tests.sip.plain import SipMessage
from tests.sip.plain_caller import RtpPacket
from tests.sip.seat_phone import Manner, SeatCall
from tests.sip.tones import CALLER_HZ, tone_frames
from voice.music import hold_music

pytestmark = [pytest.mark.unit]

INVITE = SipMessage("INVITE sip:1@x SIP/2.0", {"x-hotline-call": ["c0ffee"]}, "")


def packets(coded: bytes) -> list[RtpPacket]:
    return [
        RtpPacket(8, n, n * 160, coded[n * 160 : n * 160 + 160], 5.0 + n / 50)
        for n in range(len(coded) // 160)
    ]


def seat(manner: Manner, **seen: Any) -> SeatCall:
    return SeatCall(manner, INVITE, ("127.0.0.1", 1), ("127.0.0.1", 2), 1.0, **seen)


def transfer(*seats: SeatCall, **record: Any) -> Transfer:
    base = {"end_reason": "agent_hangup", "outcome": "ticket", "events": [], "line": []}
    ringing = [{"kind": "seat_ringing", "at_s": 1.0} for _ in seats]
    return Transfer(
        Plan("0", (), ("", 0.0)), "139", seats=list(seats), record={**base, "events": ringing, **record}
    )


def test_what_is_looked_for_is_found_where_it_begins_and_nowhere_else() -> None:
    music = hold_music()[:16000]
    sound = pcm_of(packets(to_a_law(bytes(3200) + music)))
    wanted = np.frombuffer(music[:8000], "<i2").astype(np.float64)
    assert find(wanted, sound) == 1600
    assert find(wanted, pcm_of(packets(b"".join(tone_frames(CALLER_HZ))))) is None


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (seat(Manner((486,)), ended_by="refused", ended_at=2.0), "busy"),
        (seat(Manner((180,)), ended_by="CANCEL", ended_at=2.0), "no_answer"),
        (seat(Manner(())), "unreachable"),
    ],
)
def test_a_record_that_says_otherwise_than_the_telephones_is_wrong(call: SeatCall, word: str) -> None:
    assert word_of(call) == word
    assert wrong(transfer(call, transfer={"outcome": word})) == ""
    assert wrong(transfer(call, transfer={"outcome": "connected"}))
    assert wrong(transfer(call, transfer={"outcome": word}, outcome="answered"))


def test_a_leg_that_is_left_and_a_talk_that_is_not_in_the_record_are_wrong() -> None:
    tones = packets(b"".join(tone_frames(CALLER_HZ)))
    talked = seat(Manner(), answered_at=2.0, heard=tones)
    told = {"transfer": {"outcome": "connected"}, "end_reason": "transferred", "outcome": "transferred"}
    line = [{"leg": "seat"}]
    assert "left" in wrong(transfer(talked, **told, line=line))
    over = replace(talked, ended_at=9.0, ended_by="left")
    assert wrong(transfer(over, **told, line=line)) == ""
    assert wrong(transfer(over, transfer={"outcome": "declined"}, line=line))


def test_the_same_seed_gives_the_same_calls_and_somebody_always_ends_them() -> None:
    plans = [plan(random.Random(seed)) for seed in range(200)]
    assert plans == [plan(random.Random(seed)) for seed in range(200)]
    assert all(one.leaves[0] or one.seats[-1].leaves_after_s < 60 or len(one.seats) == 3 for one in plans)
