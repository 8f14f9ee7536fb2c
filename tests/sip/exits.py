"""Hand-overs to be carried out: what seats, the caller and the desk do, and what must come of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from tests.sip.agent import Agent, eventually, kinds
from tests.sip.plain import SipMessage
from tests.sip.plain_caller import PlainCaller, is_sound
from tests.sip.seat_phone import Manner, SeatCall, SeatPhone
from tests.sip.tones import CALLER_HZ, SEAT_HZ, heard_at, tone

DESK = {"suggestion", "draft", "transcript_paused", "transcript_resumed", "dtmf", "no_input"}
LONGEST_SILENCE_S = 2.5
STAYS_S = 90.0

STAYS = Manner(keys="1", keys_after_s=2.0, tone_hz=SEAT_HZ)
TAKES = replace(STAYS, leaves_after_s=5.0)  # talks for a while


@dataclass(frozen=True, slots=True)
class Exit:
    """One hand-over: `seats` is what those rung for it do, in turn; the rest of them take the call.

    `caller` says when the caller hangs up: when the first seat rings, hears the summary ("whisper"), in the
    "talk", "between" two seats, or not at all (""). `desk` is the verdict that the first seat rung gives on
    its page when it "rings" or in the "whisper". `talk` is what happens once caller and seat hear each other.
    """

    name: str
    seats: Sequence[Manner]
    ended: tuple[str, str, str]  # end_reason, outcome, and that of the transfer
    events: str  # after transfer_started
    words: Sequence[str] = ()  # what the caller is told after the announcement, to the end
    caller: str = ""
    desk: tuple[str, str] = ("", "")
    talk: Callable[[HandOver], None] | None = None

    def __str__(self) -> str:
        return self.name


class Office:
    """An agent and seats, who treat each call as its exit says."""

    def __init__(self, agent: Agent, phones: dict[str, SeatPhone], book: Book) -> None:
        self.agent = agent
        self.phones = phones
        self.book = book

    def status(self) -> dict[str, str]:
        """Of every seat."""
        return {seat["id"]: seat["status"] for seat in self.agent.api.get("/api/v1/seats").json()["items"]}

    def set_status(self, seat: str, status: str) -> None:
        self.agent.api.post(f"/api/v1/seats/{seat}/status", json={"status": status}).raise_for_status()

    def rung(self, call_id: str) -> list[tuple[str, SeatCall]]:
        """The calls to seats for a caller, in their order."""
        found = [(seat, one) for seat, phone in self.phones.items() for one in list(phone.calls)]
        mine = [(seat, one) for seat, one in found if one.hotline_call == call_id]
        return sorted(mine, key=lambda each: each[1].invited_at)


@dataclass
class Book:
    """What seats are to do with which call."""

    manners: dict[str, list[Manner]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def manner(self, invite: SipMessage) -> Manner:
        """What the next seat rung for this call does."""
        with self.lock:
            left = self.manners.get(invite.header("X-Hotline-Call"), [])
            return left.pop(0) if left else TAKES


@dataclass
class HandOver:
    """An exit being carried out, and afterwards what came of it."""

    office: Office
    exit: Exit
    caller: PlainCaller
    call_id: str = ""
    pressed_at: float = 0.0
    left_at: float = math.inf
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def seats(self) -> list[SeatCall]:
        """Those rung so far."""
        return [one for _, one in self.office.rung(self.call_id)]

    def command(self, action: str, **detail: str) -> None:
        """What the seat that talks wants done."""
        body = {"action": action, "detail": detail}
        reply = self.office.agent.api.post(f"/api/v1/calls/{self.call_id}/commands", json=body)
        assert reply.status_code == 202, reply.text

    def caller_hears(self, hz: int, since: float) -> float:
        """When the caller heard this tone, once it has."""
        return float(eventually(lambda: heard_at(list(self.caller.heard), hz, since), timeout_s=40))

    def until_event(self, kind: str, times: int = 1) -> None:
        def found() -> bool:
            return kinds(self.office.agent.call_of(self.caller.number)).count(kind) >= times

        eventually(found, timeout_s=40)

    def until_said(self, text: str) -> None:
        """Wait until the agent has said this to the caller."""

        def found() -> bool:
            call = self.office.agent.call_of(self.caller.number)
            turns = call["turns"] if call else []
            return any(turn["text"].startswith(text) and turn["heard_text"] for turn in turns)

        eventually(found, timeout_s=40)

    def silences_s(self) -> list[float]:
        """How long the caller heard nothing at all, from the key to the end or the talk."""
        sounds = [packet.at for packet in self.caller.heard if is_sound(packet)]
        talk = heard_at(self.caller.heard, SEAT_HZ, self.pressed_at) or math.inf
        until = min(talk, self.left_at)
        mine = [self.pressed_at, *(at for at in sounds if self.pressed_at < at < until)]
        return [after - before for before, after in pairwise(mine)]


def carry_out(office: Office, exit: Exit, number: str) -> HandOver:
    """Ring the agent, ask for a person, and see it to its end."""
    with PlainCaller(office.agent.address, number) as caller:
        answer = caller.dial()
        done = HandOver(office, exit, caller)
        done.call_id = eventually(lambda: office.agent.call_of(number))["id"]
        office.book.manners[done.call_id] = list(exit.seats)
        caller.press("0", answer.event_payload)
        done.pressed_at = time.monotonic()
        _see_through(done)
        done.left_at = min(done.left_at, time.monotonic())
    done.record = office.agent.record(number)
    eventually(lambda: all(one.ended_at or not one.manner.responses for one in done.seats), timeout_s=10)
    return done


def _see_through(done: HandOver) -> None:
    exit, caller = done.exit, done.caller
    verdict, moment = exit.desk
    if verdict or exit.caller in ("ringing", "whisper", "talk") or exit.talk:
        first = eventually(lambda: done.seats, timeout_s=60)[0]
        caller.say(tone(CALLER_HZ, 60.0))
        if verdict:
            if moment == "whisper":
                eventually(lambda: first.last_sound)
            seat, _ = done.office.rung(done.call_id)[0]
            body = {"verdict": verdict, "call_id": done.call_id}
            done.office.agent.api.post(f"/api/v1/seats/{seat}/answer", json=body).raise_for_status()
        if exit.caller == "whisper":
            eventually(lambda: first.last_sound, timeout_s=30)
            time.sleep(0.5)
        if exit.caller == "talk" or exit.talk:
            done.caller_hears(SEAT_HZ, 0.0)
        if exit.talk:
            exit.talk(done)
        if exit.caller == "talk":
            time.sleep(1.0)
    if exit.caller == "between":
        eventually(lambda: [one for one in done.seats if one.ended_at], timeout_s=60)
        time.sleep(1.5)
    if exit.caller:
        done.left_at = time.monotonic()
        caller.hang_up()
    else:
        assert caller.ended.wait(STAYS_S), "the call goes on"


def check(done: HandOver) -> None:
    """Compare what came of it with what had to."""
    exit, call = done.exit, done.record
    transfer = call["transfer"]
    ended = (call["end_reason"], call["outcome"], transfer["outcome"])
    found = [kind for kind in kinds(call) if kind not in DESK]
    came = " ".join(found[found.index("transfer_started") + 1 :]), ended
    assert came == (exit.events, exit.ended), came
    after = call["turns"][[turn["text"] for turn in call["turns"]].index(_announced(call)) + 1 :]
    told = [turn for turn in after if turn["who"] == "agent"]
    texts = [turn["text"] for turn in told]
    assert len(texts) >= len(exit.words), texts
    for wanted, text in zip(exit.words, texts, strict=False):  # who hangs up hears no more than the begin
        assert wanted.startswith(text) if exit.caller else wanted == text, texts
    if not exit.caller:
        assert all(turn["heard_text"] == turn["text"] for turn in told), "the last words are complete"
    silent_s = max(done.silences_s())
    assert silent_s < LONGEST_SILENCE_S, f"{silent_s:.1f} s of silence, instead of words or music"
    for one in done.seats:
        assert one.ended_at or not one.manner.responses, "a leg is left"
    legs = [line["leg"] for line in call["line"]]
    answered = sum(bool(one.answered_at) for one in done.seats)
    assert legs.count("seat") == answered, legs
    _check_board(done)


def _check_board(done: HandOver) -> None:
    """No seat still has to do with the call; those left away by an unanswered one are free again."""
    for seat in done.office.agent.api.get("/api/v1/seats").json()["items"]:
        assert seat["call_id"] != done.call_id, seat
    for seat, one in done.office.rung(done.call_id):
        if not one.answered_at and done.office.status().get(seat) == "away":
            done.office.set_status(seat, "free")


def _announced(call: dict[str, Any]) -> str:
    """The words with which the hand-over was announced."""
    started_s = next(event["at_s"] for event in call["events"] if event["kind"] == "transfer_started")
    before = [turn for turn in call["turns"] if turn["who"] == "agent" and turn["started_s"] < started_s]
    text: str = before[-1]["text"]
    return text
