"""Every way in which a hand-over to our own seats can go, over real SIP, many at the same time.

Each leaves the caller with words or music, the record with what happened, and neither seat nor leg behind.
Seats know calls apart by their root call id, so whichever seat is rung does what the exit says.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialog import phrases
from tests.sip.agent import eventually, running_agent
from tests.sip.exits import STAYS, TAKES, Book, Exit, HandOver, Office, carry_out, check
from tests.sip.seat_phone import Manner, SeatPhone
from tests.sip.talks import (
    adds,
    drops,
    hands_back,
    holds,
    holds_by_telephone,
    is_refused,
    leaves,
    line_dies,
    moves,
    sends_on,
    sends_on_and_caller_leaves,
    sends_on_by_name,
)
from tests.sip.tones import SEAT_HZ, THIRD_HZ
from voice.sip import build_info

AT_ONCE = 8
pytestmark = [
    pytest.mark.sip,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        build_info().max_legs < 3 * AT_ONCE,
        reason="needs legs for many calls at a time; the capacity build (make pjsua2) has them",
    ),
]

RING_S = 4.0
SEATS = 16
LIMITS = {"max_calls": AT_ONCE + 2, "loop_late_s": 10.0, "asr_late_s": 30.0}

CONNECTED = ("transferred", "transferred", "connected")
CALLER_GONE = ("caller_hangup", "abandoned", "caller_gone")


def promised(last: str) -> tuple[str, str, str]:
    """Nobody took the call, `last` is why; a call-back is on file."""
    return "agent_hangup", "ticket", last


FAILED = "seat_ringing seat_failed"
ANSWERED = "seat_ringing seat_answered"
JOINED = f"{ANSWERED} seat_accepted bridged"
TALK = f"{JOINED} unbridged"
AGAIN = [phrases.SEAT_DID_NOT_ANSWER, phrases.GOODBYE]

RINGS = Manner((180,))
LEAVES = Manner(leaves_after_s=2.0)
VOICEMAIL = Manner(tone_hz=SEAT_HZ)
PRESSES_2 = Manner(keys="2", keys_after_s=2.0)


def next_seat(name: str, first: Manner, events: str, **more: Any) -> Exit:
    """The first seat does not take the call, the second does."""
    return Exit(name, [first], CONNECTED, f"{events} {TALK}", AGAIN, **more)


WARM = [
    # the longest first
    next_seat("voicemail", VOICEMAIL, f"{ANSWERED} seat_no_answer"),
    Exit(
        "nobody takes it",
        [Manner((180, 486)), Manner((603,)), RINGS],
        promised("no_answer"),
        f"{FAILED} {FAILED} {FAILED}",
        [phrases.SEAT_DID_NOT_ANSWER, phrases.SEAT_DID_NOT_ANSWER, phrases.TRANSFER_FAILED],
    ),
    Exit(
        "handed back",
        [STAYS],
        ("agent_hangup", "transferred", "connected"),
        f"{JOINED} handed_back unbridged",
        [phrases.BACK_AGAIN, phrases.ASK_SATISFACTION, phrases.RATED_GOODBYE],
        talk=hands_back,
    ),
    Exit("the caller's line dies", [STAYS], CONNECTED, TALK, talk=line_dies),
    Exit(
        "the seat's line dies",
        [replace(STAYS, falls_silent_after_s=4.0)],
        CONNECTED,
        TALK,
        [phrases.GOODBYE],
    ),
    next_seat("nobody answers", RINGS, FAILED),
    next_seat("the seat's telephone is off", Manner(()), FAILED),
    next_seat("busy", Manner((180, 486)), FAILED),
    next_seat("declined", Manner((180, 603)), FAILED),
    next_seat("unavailable", Manner((480,)), FAILED),
    next_seat("not found", Manner((404,)), FAILED),
    next_seat("out of order", Manner((503,)), FAILED),
    next_seat("key 2", PRESSES_2, f"{ANSWERED} seat_declined"),
    next_seat("the seat hangs up during the summary", LEAVES, f"{ANSWERED} seat_gone"),
    next_seat("declined on the desk while it rings", RINGS, FAILED, desk=("declined", "ringing")),
    next_seat(
        "declined on the desk during the summary",
        VOICEMAIL,
        f"{ANSWERED} seat_declined",
        desk=("declined", "whisper"),
    ),
    Exit(
        "taken on the desk while it rings",
        [Manner(answers_after_s=1.5, leaves_after_s=4.0, tone_hz=SEAT_HZ)],
        CONNECTED,
        TALK,
        [phrases.GOODBYE],
        desk=("accepted", "ringing"),
    ),
    Exit(
        "taken on the desk during the summary",
        [Manner(leaves_after_s=6.0, tone_hz=SEAT_HZ)],
        CONNECTED,
        TALK,
        [phrases.GOODBYE],
        desk=("accepted", "whisper"),
    ),
    Exit("the seat hangs up after the talk", [TAKES], CONNECTED, TALK, [phrases.GOODBYE]),
    Exit(
        "other keys mean nothing",
        [Manner(keys="951", keys_after_s=1.0, leaves_after_s=5.0, tone_hz=SEAT_HZ)],
        CONNECTED,
        TALK,
        [phrases.GOODBYE],
    ),
    Exit("the caller hangs up in the talk", [STAYS], CONNECTED, TALK, caller="talk"),
    Exit("the caller hangs up while it rings", [RINGS], CALLER_GONE, "seat_ringing", caller="ringing"),
    Exit("the caller hangs up during the summary", [VOICEMAIL], CALLER_GONE, ANSWERED, caller="whisper"),
    Exit(
        "the caller hangs up between two seats",
        [Manner((486,))],
        CALLER_GONE,
        FAILED,
        [phrases.SEAT_DID_NOT_ANSWER],
        caller="between",
    ),
    Exit(
        "on hold",
        [STAYS],
        CONNECTED,
        f"{JOINED} seat_held seat_resumed unbridged",
        talk=holds,
        caller="talk",
    ),
    Exit(
        "held by the telephone's own key",
        [STAYS],
        CONNECTED,
        f"{JOINED} seat_held seat_resumed unbridged",
        talk=holds_by_telephone,
        caller="talk",
    ),
    Exit("the telephone moves", [STAYS], CONNECTED, TALK, talk=moves, caller="talk"),
    Exit(
        "a third party is dropped",
        [STAYS],
        CONNECTED,
        f"{JOINED} third_party third_party unbridged",
        talk=adds(Manner(tone_hz=THIRD_HZ), drops),
        caller="talk",
    ),
    Exit(
        "a third party leaves",
        [STAYS],
        CONNECTED,
        f"{JOINED} third_party third_party unbridged",
        talk=adds(Manner(tone_hz=THIRD_HZ), leaves),
        caller="talk",
    ),
    Exit(
        "a third party is busy",
        [STAYS],
        CONNECTED,
        f"{JOINED} command_failed unbridged",
        talk=adds(Manner((486,)), is_refused),
        caller="talk",
    ),
    Exit(
        "sent on",
        [STAYS],
        CONNECTED,
        f"{JOINED} sent_on unbridged {TALK}",
        [phrases.GOODBYE],
        talk=sends_on,
    ),
    Exit(
        "sent on by name",
        [STAYS],
        CONNECTED,
        f"{JOINED} sent_on unbridged {TALK}",
        [phrases.GOODBYE],
        talk=sends_on_by_name,
    ),
    Exit(
        "sent on, and the caller hangs up while it rings",
        [STAYS, RINGS],
        CONNECTED,
        f"{JOINED} sent_on unbridged seat_ringing",
        talk=sends_on_and_caller_leaves,
        caller="talk",
    ),
]

# seats.accept "answer": who answers takes the call once the summary is over, unless 2 is pressed.
ANSWER = Manner(leaves_after_s=14.0, tone_hz=SEAT_HZ)
DIRECT = [
    Exit("answered", [ANSWER], CONNECTED, TALK, [phrases.GOODBYE]),
    Exit(
        "key 2 all the same",
        [PRESSES_2, ANSWER],
        CONNECTED,
        f"{ANSWERED} seat_declined {TALK}",
        AGAIN,
    ),
    Exit("gone", [LEAVES, ANSWER], CONNECTED, f"{ANSWERED} seat_gone {TALK}", AGAIN),
    Exit("left during the summary", [ANSWER], CALLER_GONE, ANSWERED, caller="whisper"),
    Exit(
        "refused by all",
        [Manner((486,)), RINGS, Manner((603,))],
        promised("declined"),
        f"{FAILED} {FAILED} {FAILED}",
        [phrases.SEAT_DID_NOT_ANSWER, phrases.SEAT_DID_NOT_ANSWER, phrases.TRANSFER_FAILED],
    ),
]


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[dict[str, Office]]:
    """One where seats must press 1, and one where answering takes the call."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:

        def office(accept: str) -> Office:
            book = Book()
            phones = {f"{n:02d}": stack.enter_context(SeatPhone(manner=book.manner)) for n in range(SEATS)}
            seats = {
                "seats": [
                    {"id": seat, "name": f"坐席{seat}", "uri": one.uri} for seat, one in phones.items()
                ],
                "accept": accept,
                "ring_s": RING_S,
                "wrap_up_s": 0.0,
                "max_wait_s": 20.0,
            }
            sections: dict[str, Any] = {"seats": seats, "limits": LIMITS, "sip": {"rtp_timeout_s": 6.0}}
            folder = tmp_path_factory.mktemp(accept)
            agent = stack.enter_context(running_agent(folder, voice_cache, **sections))
            return Office(agent, phones, book)

        yield dict(zip(("key", "answer"), pool.map(office, ("key", "answer")), strict=True))


Done = dict[str, "Future[HandOver]"]


@pytest.fixture(scope="module")
def done(offices: dict[str, Office]) -> Iterator[Done]:
    """All of them under way."""
    all_exits = [*(("key", exit) for exit in WARM), *(("answer", exit) for exit in DIRECT)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            f"{exit}": pool.submit(carry_out, offices[accept], exit, f"1310000{number:04d}")
            for number, (accept, exit) in enumerate(all_exits)
        }


@pytest.mark.parametrize("exit", [*WARM, *DIRECT], ids=str)
def test_exit(done: Done, exit: Exit) -> None:
    check(done[exit.name].result())


def test_the_seats_telephone_stops_ringing_at_once(done: Done) -> None:
    one = done["the caller hangs up while it rings"].result()
    assert [seat.ended_by for seat in one.seats] == ["CANCEL"]
    assert one.seats[0].ended_at - one.left_at < 1.0
    whispered = done["the caller hangs up during the summary"].result()
    assert [seat.ended_by for seat in whispered.seats] == ["BYE"]
    assert whispered.seats[0].ended_at - whispered.left_at < 1.0


def test_who_is_handed_back_says_how_it_was(done: Done) -> None:
    assert done["handed back"].result().record["satisfaction"] == 3


def test_no_seat_and_no_call_is_left(offices: dict[str, Office], done: Done) -> None:
    for one in done.values():
        one.exception()  # waits
    for office in offices.values():
        assert set(eventually(office.status).values()) <= {"free", "away"}
        calls = office.agent.api.get("/api/v1/calls").json()["items"]
        assert [call["id"] for call in calls if not call["ended_at"]] == []
        assert office.agent.api.get("/api/v1/queue").json()["items"] == []
        assert "Traceback" not in office.agent.errors()
