"""Hand-overs to the queue of a PBX that we ring ourselves and stay in the call with, over real SIP.

A queue that is busy or does not answer is in test_pbx.py, where it is rung after a REFER that failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dialog import phrases
from tests.sip.agent import running_agent
from tests.sip.exits import Book, Exit, Office, carry_out, check
from tests.sip.seat_phone import Manner, SeatPhone
from tests.sip.tones import SEAT_HZ

pytestmark = [pytest.mark.sip]

CONNECTED = ("transferred", "transferred", "connected")
FAILED = "seat_ringing seat_failed"
TALK = "seat_ringing seat_answered bridged unbridged"
TAKES = Manner(tone_hz=SEAT_HZ, leaves_after_s=2.0)
PROMISE = [phrases.TRANSFER_FAILED]

EXITS = [
    Exit("the queue hangs up after the talk", [TAKES], CONNECTED, TALK, [phrases.GOODBYE]),
    Exit("the caller hangs up in the talk", [Manner(tone_hz=SEAT_HZ)], CONNECTED, TALK, caller="talk"),
    Exit(
        "the caller hangs up while it rings",
        [Manner((180,))],
        ("caller_hangup", "abandoned", "caller_gone"),
        "seat_ringing",
        caller="ringing",
    ),
    Exit("the PBX is down", [Manner(())], ("agent_hangup", "ticket", "unreachable"), FAILED, PROMISE),
]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Office]:
    book = Book()
    with SeatPhone(manner=book.manner) as queue:
        seats = {"mode": "pbx", "queue": queue.uri, "handover": "dial", "ring_s": 3.0}
        with running_agent(tmp_path_factory.mktemp("dial"), voice_cache, seats=seats) as agent:
            yield Office(agent, {"1001": queue}, book)


@pytest.mark.parametrize("exit", EXITS, ids=str)
def test_exit(office: Office, exit: Exit) -> None:
    done = carry_out(office, exit, f"1300000020{EXITS.index(exit)}")
    check(done)
    assert done.record["transfer"]["seat"] == "1001"
    (call,) = done.seats
    assert call.invite.header("User-to-User") == f"{done.call_id};encoding=hex"
    if exit.caller == "ringing":
        assert call.ended_by == "CANCEL"
