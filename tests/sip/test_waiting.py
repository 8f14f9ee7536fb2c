"""Callers who wait for the only seat there is, over real SIP: each in its way, all at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dialog import phrases
from tests.sip.agent import Agent, eventually, kinds, running_agent, words
from tests.sip.exits import STAYS, TAKES
from tests.sip.plain_caller import PlainCaller
from tests.sip.seat_phone import SeatPhone
from tests.sip.tones import CALLER_HZ, SEAT_HZ, heard_at, tone
from voice.sip import build_info

pytestmark = [
    pytest.mark.sip,
    pytest.mark.timeout(180),
    pytest.mark.skipif(build_info().max_legs < 8, reason="needs legs for four callers and a seat at a time"),
]

TALKS, GIVES_UP, PATIENT, LEAVES = (f"1300000010{number}" for number in range(4))
QUEUED = phrases.queued(0, 0).partition("，")[0]


@dataclass(frozen=True, slots=True)
class Waited:
    """The records of all callers by their numbers, and the seat's telephone."""

    agent: Agent
    records: dict[str, dict[str, Any]]
    seat: SeatPhone


def said(agent: Agent, number: str, text: str) -> bool:
    """Whether the agent has begun to say this to the caller."""
    return any(turn.startswith(text) for turn in words(agent.call_of(number) or {"turns": []}, "agent"))


@pytest.fixture(scope="module")
def waited(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Waited]:
    manners = iter((STAYS, TAKES))
    with ExitStack() as stack:
        seat = stack.enter_context(SeatPhone(manner=lambda _invite: next(manners)))
        seats = {"seats": [{"id": "1", "name": "甲", "uri": seat.uri}], "max_wait_s": 4.0, "wrap_up_s": 0.0}
        limits = {"max_calls": 4}
        folder = tmp_path_factory.mktemp("waiting")
        agent = stack.enter_context(running_agent(folder, voice_cache, seats=seats, limits=limits))

        def asks(number: str) -> tuple[PlainCaller, int]:
            caller = stack.enter_context(PlainCaller(agent.address, number))
            answer = caller.dial()
            caller.press("0", answer.event_payload)
            return caller, answer.event_payload

        talks, _ = asks(TALKS)
        eventually(lambda: seat.calls, timeout_s=40)
        talks.say(tone(CALLER_HZ, 90.0))
        eventually(lambda: heard_at(list(seat.calls[0].heard), CALLER_HZ))
        leaves, _ = asks(LEAVES)
        agent.until_event(LEAVES, "queued")
        patient, keys_as = asks(PATIENT)
        agent.until_event(PATIENT, "queued")  # before the next, also on a busy machine
        gives_up, _ = asks(GIVES_UP)
        agent.until_event(GIVES_UP, "queued")
        assert agent.api.get("/api/v1/queue").json()["total"] == 3
        leaves.hang_up()
        eventually(lambda: said(agent, PATIENT, phrases.OFFER_CALLBACK[:6]), timeout_s=60)
        patient.press("1", keys_as)
        eventually(lambda: said(agent, GIVES_UP, phrases.OFFER_CALLBACK[:6]), timeout_s=60)
        talks.hang_up()
        eventually(lambda: heard_at(list(patient.heard), SEAT_HZ), timeout_s=40)
        assert patient.ended.wait(60)
        assert gives_up.ended.wait(60)
        yield Waited(agent, {n: agent.record(n) for n in (TALKS, GIVES_UP, PATIENT, LEAVES)}, seat)


def test_who_does_not_want_to_wait_on_is_called_back(waited: Waited) -> None:
    call = waited.records[GIVES_UP]
    assert (call["end_reason"], call["outcome"]) == ("agent_hangup", "ticket")
    assert call["transfer"]["outcome"] == "no_seat"
    assert "seat_ringing" not in kinds(call)
    told = words(call, "agent")
    assert told[-2:] == [phrases.OFFER_CALLBACK, phrases.NOBODY_FREE]
    assert any(text.startswith(QUEUED) for text in told), told
    assert call["turns"][-1]["heard_text"] == phrases.NOBODY_FREE
    ticket = waited.agent.api.get(f"/api/v1/tickets/{call['ticket_id']}").json()
    assert (ticket["category"], ticket["caller"]) == ("回拨", GIVES_UP)


def test_who_presses_1_waits_on_and_gets_the_seat(waited: Waited) -> None:
    call = waited.records[PATIENT]
    assert (call["end_reason"], call["outcome"]) == ("transferred", "transferred")
    assert (call["transfer"]["seat"], call["transfer"]["outcome"]) == ("1", "connected")
    assert words(call, "agent")[-2:] == [phrases.OFFER_CALLBACK, phrases.GOODBYE]
    assert waited.seat.calls[1].hotline_call == call["id"]


def test_who_hangs_up_has_left_the_queue(waited: Waited) -> None:
    call = waited.records[LEAVES]
    assert (call["end_reason"], call["transfer"]["outcome"]) == ("caller_hangup", "caller_gone")
    assert "seat_ringing" not in kinds(call)
    assert waited.agent.api.get("/api/v1/queue").json()["items"] == []
    assert len(waited.seat.calls) == 2
    assert {seat["status"] for seat in waited.agent.api.get("/api/v1/seats").json()["items"]} == {"free"}
