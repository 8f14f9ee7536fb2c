"""Two nodes with one database: one is killed while its callers are with seats, which the other sets free."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sip.agent import Agent, eventually, kinds, running_agent
from tests.sip.exits import STAYS
from tests.sip.plain_caller import PlainCaller
from tests.sip.seat_phone import Manner, SeatPhone
from tests.sip.tones import CALLER_HZ, heard_at, tone
from voice.sip import build_info

pytestmark = [pytest.mark.sip, pytest.mark.timeout(180)]

TALKS, RINGS = "1", "2"
NEEDS_LEGS = pytest.mark.skipif(build_info().max_legs < 6, reason="needs legs for three calls at a time")


def ring(stack: ExitStack, agent: Agent, number: str, seat: SeatPhone) -> PlainCaller:
    """A caller who has asked for a person, once that seat rings."""
    known = len(seat.calls)
    caller = stack.enter_context(PlainCaller(agent.address, number))
    caller.press("0", caller.dial().event_payload)
    eventually(lambda: len(seat.calls) > known, timeout_s=60)
    caller.say(tone(CALLER_HZ, 60.0))
    return caller


@NEEDS_LEGS
def test_what_a_killed_node_held_is_let_go_by_another(tmp_path: Path, voice_cache: Path) -> None:
    records = {"url": f"sqlite:///{tmp_path}/hotline.db", "dir": str(tmp_path / "recordings")}
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        talks = stack.enter_context(SeatPhone(manner=lambda _invite: STAYS))
        rings = stack.enter_context(SeatPhone(manner=lambda _invite: Manner((180,))))
        seats = {
            "seats": [
                {"id": TALKS, "name": "甲", "uri": talks.uri},
                {"id": RINGS, "name": "乙", "uri": rings.uri},
            ],
            "ring_s": 60.0,
        }

        def node(name: str) -> Agent:
            sections: dict[str, Any] = {"records": records, "seats": seats, "node": {"name": name}}
            return stack.enter_context(running_agent(tmp_path / name, voice_cache, **sections))

        killed, other = pool.map(node, ("n1", "n2"))
        ring(stack, killed, "13000000001", talks)
        eventually(lambda: heard_at(list(talks.calls[0].heard), CALLER_HZ))
        ring(stack, killed, "13000000002", rings)
        talked, waited = (killed.call_of(number) or {} for number in ("13000000001", "13000000002"))
        assert {seat["status"] for seat in board(other)} == {"talking", "ringing"}
        killed.kill()

        eventually(lambda: {seat["status"] for seat in board(other)} == {"free"}, timeout_s=80)
        assert [seat["call_id"] for seat in board(other)] == [None, None]
        for call, seat, outcome in ((talked, TALKS, "connected"), (waited, RINGS, "failed")):
            eventually(lambda call=call: record(other, call)["ended_at"])
            found = record(other, call)
            assert (found["end_reason"], kinds(found)[-1]) == ("failed", "process_died")
            assert (found["transfer"]["seat"], found["transfer"]["outcome"]) == (seat, outcome)

        other.api.post(f"/api/v1/seats/{RINGS}/status", json={"status": "away"}).raise_for_status()
        caller = ring(stack, other, "13000000003", talks)
        eventually(lambda: heard_at(list(talks.calls[1].heard), CALLER_HZ))
        caller.hang_up()
        assert other.record("13000000003")["transfer"]["outcome"] == "connected"
        killed.start()
        assert killed.recording(talked).duration_s > 1, (
            "the sound of the call that was cut off is whole again"
        )


def board(agent: Agent) -> list[dict[str, Any]]:
    """All seats."""
    items: list[dict[str, Any]] = agent.api.get("/api/v1/seats").json()["items"]
    return items


def record(agent: Agent, call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = agent.api.get(f"/api/v1/calls/{call['id']}").json()
    return found
