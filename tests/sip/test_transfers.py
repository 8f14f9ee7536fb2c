"""Hand-overs to a seat over real SIP: taken, refused in every way, given up by the caller."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dialog import phrases
from hotline.demo_seat import HELLO
from tests.sip.agent import (
    TO_SEAT,
    Agent,
    Caller,
    environment,
    eventually,
    kinds,
    read_stereo,
    recognised,
    running_agent,
    share_heard,
)
from tests.sip.seat_phone import SeatPhone

pytestmark = [pytest.mark.sip]


def seats(ring_s: float, uris: Mapping[str, str]) -> dict[str, Any]:
    """The settings of these seats."""
    listed = [{"id": seat, "name": f"坐席{seat}", "uri": uri} for seat, uri in uris.items()]
    return {"ring_s": ring_s, "seats": listed}


@dataclass(frozen=True, slots=True)
class Refused:
    """A caller whom no seat takes, for each its own reason."""

    agent: Agent
    caller: Caller
    presses_2: SeatPhone
    rings_on: SeatPhone


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Refused]:
    """Started first and looked at last, for its call takes long."""
    with SeatPhone(180, 603) as declines, SeatPhone(180, 200, keys="2") as takes, SeatPhone(180) as rings:
        uris = {"1": declines.uri, "2": takes.uri, "3": rings.uri}
        folder = tmp_path_factory.mktemp("refused")
        with running_agent(folder, voice_cache, seats=seats(6.0, uris)) as agent:
            caller = agent.ring("--at-once", "--dtmf", "0", "--record", "caller.wav", "--stay", "60")
            yield Refused(agent, caller, takes, rings)


@dataclass(slots=True)
class DemoSeat:
    """`python -m hotline.demo_seat` in a process of its own."""

    process: subprocess.Popen[str]
    uri: str
    told: list[dict[str, Any]] = field(default_factory=list)

    def until(self, event: str) -> dict[str, Any]:
        """What it told with this event, once it has."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(f"the seat never told {event}: {self.told}")


@pytest.fixture(scope="module")
def demo_seat() -> Iterator[DemoSeat]:
    command = [sys.executable, "-m", "hotline.demo_seat"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            seat = DemoSeat(process, "")
            seat.uri = seat.until("ready")["uri"]
            yield seat
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Office:
    """An agent with three seats: two that ring, one that is a demo seat; `free` says who may be rung."""

    agent: Agent
    phones: tuple[SeatPhone, SeatPhone]

    def free(self, *seats: str) -> None:
        for seat in ("1", "2", "8001"):
            status = {"status": "free" if seat in seats else "away"}
            self.agent.api.post(f"/api/v1/seats/{seat}/status", json=status).raise_for_status()


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, voice_cache: Path, demo_seat: DemoSeat
) -> Iterator[Office]:
    with SeatPhone(180) as first, SeatPhone(180) as second:
        uris = {"1": first.uri, "2": second.uri, "8001": demo_seat.uri}
        folder = tmp_path_factory.mktemp("office")
        with running_agent(folder, voice_cache, seats=seats(40.0, uris)) as agent:
            yield Office(agent, (first, second))


def test_callers_who_hang_up_stop_the_ringing(refused: Refused, office: Office) -> None:
    """Two at the same time: each hand-over finds a leg of its own."""
    agent = office.agent
    office.free("1", "2")
    callers = [agent.ring("--at-once", "--dtmf", "0", "--stay", "60") for _ in range(2)]
    eventually(lambda: all(phone.received for phone in office.phones), timeout_s=30)
    for caller in callers:
        agent.until_event(caller.number, "seat_ringing")
        caller.hang_up()
    for phone in office.phones:
        eventually(lambda phone=phone: "CANCEL" in phone.methods(), timeout_s=2)
    for caller in callers:
        call = agent.record(caller.number)
        assert call["end_reason"] == "caller_hangup"
        assert call["transfer"]["outcome"] == "caller_gone"
        assert failures(call) == []
    status = {seat["id"]: seat["status"] for seat in agent.api.get("/api/v1/seats").json()["items"]}
    assert status == {"1": "free", "2": "free", "8001": "away"}, "they are given back"


def test_a_seat_that_takes_the_call_and_the_caller_hear_each_other(
    refused: Refused, office: Office, demo_seat: DemoSeat
) -> None:
    agent = office.agent
    office.free("8001")
    says = [item for text in (TO_SEAT, "喂你好", "好的谢谢你") for item in ("--say", text)]
    caller = agent.ring("--at-once", *says, "--record", "caller.wav", "--stay", "20")
    assert demo_seat.until("told")["seconds"] > 1, "the summary is spoken to the seat"
    assert demo_seat.until("talking")["heard_caller"] is True
    caller.report()
    call = agent.record(caller.number)
    assert kinds(call)[-5:] == ["seat_ringing", "seat_answered", "seat_accepted", "bridged", "unbridged"]
    transfer = call["transfer"]
    assert (transfer["reason"], transfer["seat"], transfer["outcome"]) == (
        "caller_asked",
        "8001",
        "connected",
    )
    assert (call["outcome"], call["end_reason"]) == ("transferred", "transferred")
    assert share_heard(HELLO, recognised(read_stereo(agent.folder / "caller.wav").right)) > 0.7
    sound = agent.recording(call)
    assert share_heard(HELLO, recognised(sound.right)) > 0.7, "the seat's voice is in the recording"
    assert recognised(sound.left).startswith(TO_SEAT)


def test_when_no_seat_takes_the_call_the_caller_is_promised_a_call_back(refused: Refused) -> None:
    agent, caller = refused.agent, refused.caller
    assert caller.report()["end_reason"] == "agent_hangup"
    call = agent.record(caller.number)
    assert call["events"][0]["kind"] == "dtmf"
    assert sorted(failures(call)) == [("1", "declined"), ("3", "no_answer")]
    assert "seat_declined" in kinds(call), "seat 2 pressed 2"
    assert "bridged" not in kinds(call)
    assert call["transfer"]["reason"] == "caller_asked"
    assert call["transfer"]["outcome"] in ("declined", "no_answer")
    assert refused.presses_2.methods() == ["INVITE", "ACK", "BYE"]
    assert refused.rings_on.methods() == ["INVITE", "CANCEL", "ACK"], "who did not answer rings no more"
    invite = refused.presses_2.received[0]
    assert invite.header("X-Hotline-Call") == call["id"]
    assert invite.header("User-to-User") == f"{call['id']};encoding=hex"
    heard = recognised(read_stereo(agent.folder / "caller.wav").right)
    assert share_heard(phrases.TRANSFER_FAILED, heard) > 0.7, "the caller hears words, not silence"
    ticket = agent.api.get(f"/api/v1/tickets/{call['ticket_id']}").json()
    assert (ticket["category"], ticket["urgency"], ticket["caller"]) == ("回拨", "urgent", caller.number)
    assert (call["outcome"], call["end_reason"]) == ("ticket", "agent_hangup")


def failures(call: dict[str, Any]) -> list[tuple[str, str]]:
    """Which seat failed, and how."""
    return [
        (event["detail"]["seat"], event["detail"]["outcome"])
        for event in call["events"]
        if event["kind"] == "seat_failed"
    ]
