"""A real Asterisk with our templates: callers to the agent and back, the people when it is full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.peers.asterisk_server import ASTERISK, CARRIER, free_port, running_asterisk
from tests.sip.agent import Agent, eventually, kinds, running_agent, voice_cache
from tests.sip.pbx import NUMBER, Manners, Pbx
from tests.sip.plain import Address
from tests.sip.seat_phone import SeatPhone

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(ASTERISK is None, reason="Asterisk is not installed (Debian package asterisk)"),
]
assert CARRIER == NUMBER


@dataclass(frozen=True, slots=True)
class Office:
    """An agent behind an Asterisk, a carrier before it, and the one seat of its queue."""

    agent: Agent
    asterisk: Address
    carrier: Pbx
    seat: SeatPhone


@pytest.fixture(scope="module", params=["refer", "replaces", "dial"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder, port = tmp_path_factory.mktemp("asterisk"), free_port()
    seats = {"mode": "pbx", "queue": f"sip:8000@127.0.0.1:{port}", "handover": request.param}
    limits = {"max_calls": 1, "loop_late_s": 10.0}  # a slow machine is no reason to refuse calls here
    cache = voice_cache(tmp_path_factory)
    with (
        running_agent(folder / "agent", cache, seats=seats, limits=limits) as agent,
        SeatPhone(180, 200) as seat,
        running_asterisk(folder / "asterisk", port, agent=agent.sip, seat=seat.uri),
        Pbx() as carrier,
    ):
        yield Office(agent, ("127.0.0.1", port), carrier, seat)


def test_the_caller_is_handed_to_the_queue_and_its_seat_knows_the_call(office: Office) -> None:
    agent, carrier = office.agent, office.carrier
    carrier.call(office.asterisk, Manners())
    carrier.press("0")
    eventually(lambda: "ACK" in office.seat.methods(), timeout_s=40)
    call: dict[str, Any] = agent.call_of(NUMBER) or {}
    assert (call["caller"], call["callee"]) == (NUMBER, "12345")
    invite = next(each for each in office.seat.received if each.method == "INVITE")
    assert invite.header("X-Hotline-Call") == call["id"]
    assert invite.header("User-to-User") == f"{call['id']};encoding=hex"
    stays = "bridged" in kinds(call)
    if not stays:  # we are out of it
        call = agent.record(NUMBER)
    assert "BYE" not in office.seat.methods(), "and the seat is not"
    carrier.hang_up()
    eventually(lambda: "BYE" in office.seat.methods())
    call = agent.record(NUMBER)
    assert (call["end_reason"], call["outcome"]) == ("transferred", "transferred")
    assert (call["transfer"]["seat"], call["transfer"]["outcome"]) == ("8000", "connected")
    assert ("handed_over" in kinds(call)) is not stays


def test_a_caller_above_our_limit_is_taken_by_the_people(office: Office) -> None:
    office.seat.received.clear()
    with Pbx() as other:
        other.call(office.asterisk, Manners())
        eventually(lambda: office.agent.api.get("/readyz").status_code == 503)
        office.carrier.call(office.asterisk, Manners())
        eventually(lambda: "ACK" in office.seat.methods(), timeout_s=20)
        invite = next(each for each in office.seat.received if each.method == "INVITE")
        assert "x-hotline-call" not in invite.headers
        office.carrier.hang_up()
        other.hang_up()
    eventually(lambda: "BYE" in office.seat.methods())
