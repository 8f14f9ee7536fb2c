"""Transfers with random exits: what each is to be, how it is carried out, what its telephones saw."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.sip.agent import UNKNOWN, words
from tests.sip.exits import Office
from tests.sip.g711 import from_a_law
from tests.sip.plain_caller import PCMA, PlainCaller, RtpPacket, is_sound
from tests.sip.seat_phone import Manner, SeatCall
from tests.sip.tones import CALLER_HZ, FRAMES, SEAT_HZ, heard_at, tone
from tests.unit.espeak import synthesise
from voice.music import hold_music

TO_SEAT = "转人工"
LONGEST_S = 200.0
UNDERSTOOD_S = 12.0  # without a hand-over by then: said again, the third time by key
TONE_S = 150.0
MAX_SEATS = 3  # that are rung for one caller
Samples = npt.NDArray[np.float64]

_TAKES = Manner(keys="1", keys_after_s=2.0, tone_hz=SEAT_HZ)
_HEARS_OUT = replace(_TAKES, hears_out=True)
_REFUSALS = (
    Manner((180, 486)),
    Manner((603,)),
    Manner((480,)),
    Manner((404,)),
    Manner((503,)),
    Manner((180,)),  # nobody answers
    Manner(()),  # off
    Manner(leaves_after_s=1.5),
    Manner(keys="2", keys_after_s=1.5),
)
_VOICEMAIL = Manner(tone_hz=SEAT_HZ, leaves_after_s=45.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """One call: how a person is asked for, what the seats rung for it do, when the caller hangs up.

    `leaves`: so long after "asking", "ringing", the first "answer" or the begin of the "talk"; "": never.
    """

    asks: str  # a key, or words
    seats: tuple[Manner, ...]
    leaves: tuple[str, float]


def plan(dice: random.Random) -> Plan:
    """Any call that may come."""
    seats: list[Manner] = []
    for _ in range(MAX_SEATS):
        kind = dice.random()
        if kind < 0.35:
            seats.append(dice.choice(_REFUSALS))
            continue
        if kind < 0.4:
            seats.append(_VOICEMAIL)
            continue
        taking = replace(
            dice.choice((_TAKES, _HEARS_OUT, _HEARS_OUT)), answers_after_s=dice.choice((0.3, 1.0, 3.0))
        )
        stays_s = dice.choice((20.0, 20.0, 35.0, math.inf)) if dice.random() < 0.9 else 3.0
        seats.append(replace(taking, leaves_after_s=stays_s))
        break
    moments = {
        "": 0.0,
        "asking": dice.uniform(0.0, 5.0),
        "ringing": dice.uniform(0.0, 3.0),
        "answer": dice.uniform(0.0, 4.0),
        "talk": dice.uniform(0.5, 4.0),
    }
    moment = dice.choices(list(moments), [6, 1, 1, 1, 4])[0]
    if not moment and seats[-1].leaves_after_s == math.inf:
        moment = "talk"  # somebody must end it
    return Plan(dice.choice(("0", TO_SEAT, TO_SEAT, UNKNOWN)), tuple(seats), (moment, moments[moment]))


@dataclass
class Transfer:
    """What the telephones saw of a call, and what its record says."""

    plan: Plan
    number: str
    call_id: str = ""
    asked_at: float = 0.0  # the last packet of it
    left_at: float = math.inf  # the caller
    heard: list[RtpPacket] = field(default_factory=list)  # by the caller
    seats: list[SeatCall] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""

    def joined_at(self, seat: SeatCall) -> float | None:
        """When the seat first heard the caller."""
        return heard_at(seat.heard, CALLER_HZ)

    def handed_over_at(self) -> float | None:
        """When the last sound of the words before the music came to the caller; None: no music came."""
        packets = sorted((p for p in self.heard if p.payload_type == PCMA), key=lambda p: p.sequence)
        packets = [packet for packet in packets if packet.at > self.asked_at]
        if not packets:
            return None
        at = find(np.frombuffer(hold_music(), "<i2")[:4000].astype(np.float64), pcm_of(packets))
        if at is None:
            return None
        words = [packet for packet in packets[: at // 160] if is_sound(packet)]
        return words[-1].at if words else None


def pcm_of(packets: list[RtpPacket]) -> Samples:
    """Their sound, one behind the other."""
    coded = b"".join(packet.payload for packet in packets)
    return np.frombuffer(from_a_law(coded), "<i2").astype(np.float64)


def find(wanted: Samples, sound: Samples, alike: float = 0.9) -> int | None:
    """The first sample from which on `wanted` is in `sound`, as far as A-law lets it; None: nowhere."""
    size = len(wanted)
    if len(sound) < size:
        return None
    length = 1 << (len(sound) + size).bit_length()
    spectrum = np.fft.rfft(sound, length) * np.conj(np.fft.rfft(wanted, length))
    match = np.fft.irfft(spectrum, length)[: len(sound) - size + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    norm = np.sqrt((energy[size:] - energy[:-size]) * float(wanted @ wanted)) + 1.0
    alikeness = match / norm
    good = np.flatnonzero(alikeness > alike)
    if not good.size:
        return None
    return int(good[0] + np.argmax(alikeness[good[0] : good[0] + size]))  # before it, it is nearly alike too


def carry_out(office: Office, plan: Plan, number: str) -> Transfer:
    """Ring the agent, ask for a person, and see it to its end."""
    done = Transfer(plan, number)
    try:
        with PlainCaller(office.agent.address, number) as caller:
            done.heard = caller.heard
            answer = caller.dial()
            done.call_id = _call_id(office, number)
            office.book.manners[done.call_id] = list(plan.seats)
            _see_through(office, done, caller, answer.event_payload)
        done.record = office.agent.record(number)
        done.seats = _seats(office, done)
        _free_again(office, done)
    except AssertionError as error:  # of a telephone that waited in vain
        last = words(office.agent.call_of(number) or {"turns": []}, "agent")[-1:]
        done.trouble = f"{done.trouble or error}, after {''.join(last)!r}"
    return done


def _call_id(office: Office, number: str) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if call := office.agent.call_of(number):
            return str(call["id"])
        time.sleep(0.1)
    raise AssertionError("the call is not in the records")


def _seats(office: Office, done: Transfer) -> list[SeatCall]:
    return [seat for _, seat in office.rung(done.call_id)]


def _see_through(office: Office, done: Transfer, caller: PlainCaller, keys_as: int) -> None:
    begun, asked, toned = time.monotonic(), 0, False
    moment, after_s = done.plan.leaves
    while not caller.ended.is_set():
        now, seats = time.monotonic(), _seats(office, done)
        if not seats and not _music_plays(done) and now > done.asked_at + UNDERSTOOD_S * bool(asked):
            asked += 1
            _ask(caller, done.plan.asks if asked < 3 else "0", keys_as)
            done.asked_at = caller.until_said()
            continue
        if seats and not toned:
            toned = True
            caller.say(tone(CALLER_HZ, TONE_S))
        since = _since(moment, done, seats)
        if since is not None and now > since + after_s:
            done.left_at = time.monotonic()
            caller.hang_up()
            return
        if now - begun > LONGEST_S:
            done.trouble = "it never ended"
            return
        caller.ended.wait(0.05)


def _ask(caller: PlainCaller, how: str, keys_as: int) -> None:
    caller.until_quiet()
    if how == "0":
        caller.press(how, keys_as)
    else:
        caller.say(synthesise(how))


def _music_plays(done: Transfer) -> bool:
    """The caller waits for a seat: the agent has made sound for long."""
    return sum(map(is_sound, done.heard[-150:])) > 145


def _since(moment: str, done: Transfer, seats: list[SeatCall]) -> float | None:
    """When it was, if it has been."""
    if moment == "asking":
        return done.asked_at or None
    if moment == "ringing":
        return seats[0].invited_at if seats else None
    if moment == "answer":
        return next((seat.answered_at for seat in seats if seat.answered_at), None)
    if moment == "talk" and seats and heard_at(seats[-1].heard[-3 * FRAMES :], CALLER_HZ):
        return heard_at(seats[-1].heard, CALLER_HZ)
    return None


def _free_again(office: Office, done: Transfer) -> None:
    """Whoever did not answer is away until somebody at the seat says otherwise."""
    status: Mapping[str, str] = office.status()
    for seat, _ in office.rung(done.call_id):
        if status[seat] == "away":
            office.set_status(seat, "free")
