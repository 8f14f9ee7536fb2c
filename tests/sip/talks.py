"""What seats, callers and the desk do once caller and seat hear each other: the talks of hand-overs."""

from __future__ import annotations

import time
from collections.abc import Callable

from dialog import phrases
from tests.sip.agent import eventually
from tests.sip.exits import HandOver
from tests.sip.plain_caller import is_sound
from tests.sip.seat_phone import Manner, SeatPhone
from tests.sip.tones import CALLER_HZ, SEAT_HZ, THIRD_HZ, heard_at
from tests.unit.espeak import synthesise


def holds(done: HandOver) -> None:
    """On hold neither hears the other; then both again."""
    done.command("hold")
    done.until_event("seat_held")
    time.sleep(0.5)
    held = time.monotonic()
    time.sleep(1.5)
    done.command("resume")
    done.until_event("seat_resumed")
    resumed = time.monotonic()
    again = done.caller_hears(SEAT_HZ, held)
    assert again > resumed - 0.7, "the caller hears the seat again only after the hold"
    assert any(held < packet.at < resumed - 0.7 for packet in done.caller.heard), "music meanwhile"
    assert eventually(lambda: heard_at(list(done.seats[0].heard), CALLER_HZ, resumed))


def holds_by_telephone(done: HandOver) -> None:
    """The hold key of the seat's telephone: the caller hears music, not silence."""
    [(seat, one)] = done.office.rung(done.call_id)
    telephone = done.office.phones[seat]
    telephone.offer(one, "inactive")
    done.until_event("seat_held")
    time.sleep(0.5)
    held = time.monotonic()
    time.sleep(1.5)
    resumed = time.monotonic()
    telephone.offer(one, "sendrecv")
    done.until_event("seat_resumed")
    again = done.caller_hears(SEAT_HZ, held)
    assert again > resumed, "the caller hears the seat again only after the hold"
    sounds = [packet.at for packet in done.caller.heard if is_sound(packet)]
    assert any(held < at < resumed for at in sounds), "music meanwhile"
    assert eventually(lambda: heard_at(list(one.heard), CALLER_HZ, resumed))


def moves(done: HandOver) -> None:
    """The seat's telephone goes on at another port: both hear each other as before."""
    [(seat, one)] = done.office.rung(done.call_id)
    done.office.phones[seat].move(one)
    time.sleep(0.5)
    moved = time.monotonic()
    done.caller_hears(SEAT_HZ, moved)
    assert eventually(lambda: heard_at(list(one.heard), CALLER_HZ, moved))


def adds(manner: Manner, until: Callable[[HandOver, SeatPhone], None]) -> Callable[[HandOver], None]:
    """A third party is rung, which does as `manner` says."""

    def talk(done: HandOver) -> None:
        with SeatPhone(manner=lambda _invite: manner) as third:
            done.command("add", uri=third.uri)
            eventually(lambda: third.calls)
            until(done, third)
            eventually(lambda: third.calls[0].ended_at)

    return talk


def three_talk(done: HandOver, third: SeatPhone) -> None:
    """All three hear the others."""
    joined = done.caller_hears(THIRD_HZ, 0.0)
    done.caller_hears(SEAT_HZ, joined)
    for hears, hz in (
        (done.seats[0], THIRD_HZ),
        (third.calls[0], SEAT_HZ),
        (third.calls[0], CALLER_HZ),
        (done.seats[0], CALLER_HZ),
    ):
        eventually(lambda hears=hears, hz=hz: heard_at(list(hears.heard), hz, joined))


def drops(done: HandOver, third: SeatPhone) -> None:
    three_talk(done, third)
    done.command("drop")
    eventually(lambda: third.calls[0].ended_by == "BYE")
    done.until_event("third_party", 2)
    done.caller_hears(SEAT_HZ, time.monotonic())


def leaves(done: HandOver, third: SeatPhone) -> None:
    three_talk(done, third)
    third.hang_up()
    done.until_event("third_party", 2)
    done.caller_hears(SEAT_HZ, time.monotonic())


def is_refused(done: HandOver, third: SeatPhone) -> None:
    done.until_event("command_failed")
    done.caller_hears(SEAT_HZ, time.monotonic())


def sends_on(done: HandOver) -> None:
    """To whoever knows about it; there is nobody, so it is any other seat."""
    done.command("send_on", skill="户籍")
    eventually(lambda: done.seats[0].ended_by == "BYE")


def sends_on_by_name(done: HandOver) -> None:
    seat = next(seat for seat, status in reversed(done.office.status().items()) if status == "free")
    done.command("send_on", seat=seat)
    eventually(lambda: done.seats[0].ended_by == "BYE")
    eventually(lambda: len(done.seats) > 1)
    assert done.office.rung(done.call_id)[1][0] == seat


def sends_on_and_caller_leaves(done: HandOver) -> None:
    sends_on(done)
    eventually(lambda: len(done.seats) > 1)
    time.sleep(0.5)


def hands_back(done: HandOver) -> None:
    """The agent has the caller again, who is asked how it was."""
    done.caller.fall_silent()
    done.command("hand_back")
    eventually(lambda: done.seats[0].ended_by == "BYE")
    done.until_said(phrases.BACK_AGAIN)
    done.caller.ask(synthesise("没有了"))
    done.until_said(phrases.ASK_SATISFACTION)
    done.caller.press("1", 101)


def line_dies(done: HandOver) -> None:
    """The caller's line: no more audio, no BYE; the seat is told that the caller is gone."""
    done.caller.dead = True
    done.left_at = time.monotonic()
