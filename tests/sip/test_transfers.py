"""Hand-overs to a seat over real SIP: taken, refused in every way, given up by the caller."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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
)
from tests.sip.plain import SeatPhone

pytestmark = [pytest.mark.sip]

HEARD_OF_SEAT = "您的情况我已经看到了"


@pytest.fixture(scope="module")
def phones() -> Iterator[dict[str, SeatPhone]]:
    """Telephones of seats; the tests tell them how to answer."""
    with SeatPhone() as first, SeatPhone() as second, SeatPhone() as third:
        yield {"1001": first, "1002": second, "1003": third}


def with_seats(folder: Path, cache: Path, uris: Mapping[str, str]) -> AbstractContextManager[Agent]:
    """An agent with these seats."""
    seats = [{"id": seat, "name": f"坐席{seat}", "uri": uri} for seat, uri in uris.items()]
    return running_agent(folder, cache, seats={"ring_s": 6.0, "seats": seats})


@dataclass(frozen=True, slots=True)
class Refused:
    """A caller whom no seat takes, for each its own reason."""

    agent: Agent
    caller: Caller


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, voice_cache: Path, phones: dict[str, SeatPhone]
) -> Iterator[Refused]:
    """Started first and looked at last, for its call takes long."""
    for phone, statuses, keys in zip(
        phones.values(), [(180, 603), (180, 200), (180,)], ["", "2", ""], strict=True
    ):
        phone.behave(*statuses, keys=keys)
    uris = {seat: phone.uri for seat, phone in phones.items()}
    with with_seats(tmp_path_factory.mktemp("refused"), voice_cache, uris) as agent:
        caller = agent.ring("--at-once", "--dtmf", "0", "--record", "caller.wav", "--stay", "40")
        yield Refused(agent, caller)


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


@pytest.fixture
def demo_seat() -> Iterator[DemoSeat]:
    command = [sys.executable, "-m", "hotline.demo_seat"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            seat = DemoSeat(process, "")
            seat.uri = seat.until("ready")["uri"]
            yield seat
        finally:
            process.kill()


def test_a_seat_that_takes_the_call_and_the_caller_hear_each_other(
    tmp_path: Path, voice_cache: Path, refused: Refused, demo_seat: DemoSeat
) -> None:
    """The first seat is busy, the next one takes the call."""
    with SeatPhone() as busy, with_seats(tmp_path, voice_cache, {"1": busy.uri, "2": demo_seat.uri}) as agent:
        busy.behave(486)
        says = [item for text in (TO_SEAT, "喂你好", "好的谢谢你") for item in ("--say", text)]
        caller = agent.ring("--at-once", *says, "--record", "caller.wav", "--stay", "20")
        assert demo_seat.until("told")["seconds"] > 1, "the summary is spoken to the seat"
        assert demo_seat.until("talking")["heard_caller"] is True
        caller.report()
        call = agent.record(caller.number)
        sound = agent.recording(call)
    assert failures(call) == [("1", "busy")]
    assert kinds(call)[-5:] == ["seat_ringing", "seat_answered", "seat_accepted", "bridged", "unbridged"]
    transfer = call["transfer"]
    assert (transfer["reason"], transfer["seat"], transfer["outcome"]) == ("caller_asked", "2", "connected")
    assert (call["outcome"], call["end_reason"]) == ("transferred", "transferred")
    assert HEARD_OF_SEAT in recognised(read_stereo(agent.folder / "caller.wav").right)
    assert HEARD_OF_SEAT in recognised(sound.right), "the seat's voice is in the recording"
    assert recognised(sound.left).startswith(TO_SEAT)


def test_callers_who_hang_up_stop_the_ringing(tmp_path: Path, voice_cache: Path, refused: Refused) -> None:
    """Two at the same time: each hand-over finds a leg of its own."""
    with (
        SeatPhone() as first,
        SeatPhone() as second,
        with_seats(tmp_path, voice_cache, {"1": first.uri, "2": second.uri}) as agent,
    ):
        for phone in (first, second):
            phone.behave(180)
        callers = [agent.ring("--at-once", "--dtmf", "0", "--stay", "40") for _ in range(2)]
        eventually(lambda: first.received and second.received, timeout_s=20)
        for caller in callers:
            agent.until_event(caller.number, "seat_ringing")
            caller.hang_up()
        for phone in (first, second):
            eventually(lambda phone=phone: "CANCEL" in phone.methods(), timeout_s=2)
        for caller in callers:
            call = agent.record(caller.number)
            assert call["end_reason"] == "caller_hangup"
            assert call["transfer"]["outcome"] == "caller_gone"
            assert failures(call) == []
        seats = agent.api.get("/api/v1/seats").json()["items"]
        assert [seat["status"] for seat in seats] == ["free", "free"], "they are given back"


def test_when_no_seat_takes_the_call_the_caller_is_promised_a_call_back(
    refused: Refused, phones: dict[str, SeatPhone]
) -> None:
    agent, caller = refused.agent, refused.caller
    assert caller.report()["end_reason"] == "agent_hangup"
    call = agent.record(caller.number)
    assert call["events"][0]["kind"] == "dtmf"
    assert sorted(failures(call)) == [("1001", "declined"), ("1003", "no_answer")]
    assert "seat_declined" in kinds(call), "1002 pressed 2"
    assert "bridged" not in kinds(call)
    assert call["transfer"]["reason"] == "caller_asked"
    assert call["transfer"]["outcome"] in ("declined", "no_answer")
    assert phones["1002"].methods() == ["INVITE", "ACK", "BYE"]
    assert phones["1003"].methods() == ["INVITE", "CANCEL", "ACK"], "who did not answer rings no more"
    invite = phones["1002"].received[0]
    assert invite.header("X-Hotline-Call") == call["id"]
    assert invite.header("User-to-User") == f"{call['id']};encoding=hex"
    heard = recognised(read_stereo(agent.folder / "caller.wav").right)
    assert "回电话" in heard, "the caller hears words, not silence"
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
