"""Hand-overs to the queue of a PBX over real SIP: taken, refused in every way, given up by the caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.sip.agent import Agent, eventually, kinds, running_agent
from tests.sip.pbx import NUMBER, Manners, Pbx

pytestmark = [pytest.mark.sip]

RING_S = 3.0
LIMITS = {"loop_late_s": 10.0}  # a slow machine is no reason to refuse calls here
ANSWERS = ["seat_ringing", "seat_answered"]
TALKS = ["bridged", "unbridged"]


@dataclass(frozen=True, slots=True)
class Office:
    """An agent whose seats are the queue of a PBX."""

    agent: Agent
    pbx: Pbx

    def asks_for_a_person(self, manners: Manners) -> None:
        """The PBX brings a caller, who presses 0."""
        self.pbx.call(self.agent.address, manners)
        self.pbx.press("0")

    def record(self, known: int) -> dict[str, Any]:
        """The record of the newest call, once it has ended; `known` calls had ended before."""

        def ended() -> dict[str, Any] | None:
            found = self.agent.api.get("/api/v1/calls", params={"caller": NUMBER}).json()["items"]
            call = self.agent.call_of(NUMBER) if len(found) > known else None
            return call if call and call["ended_at"] else None

        call: dict[str, Any] = eventually(ended, timeout_s=30)
        return call

    def calls(self) -> int:
        """How many calls are on the record."""
        total: int = self.agent.api.get("/api/v1/calls", params={"caller": NUMBER}).json()["total"]
        return total


def office(folder: Path, cache: Path, handover: str) -> Iterator[Office]:
    with Pbx() as pbx:
        seats = {"mode": "pbx", "queue": pbx.queue, "handover": handover, "ring_s": RING_S}
        with running_agent(folder, cache, seats=seats, limits=LIMITS) as agent:
            yield Office(agent, pbx)


@pytest.fixture(scope="module")
def refers(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Office]:
    yield from office(tmp_path_factory.mktemp("refers"), voice_cache, "refer")


@pytest.fixture(scope="module")
def replaces(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Office]:
    yield from office(tmp_path_factory.mktemp("replaces"), voice_cache, "replaces")


def ended(call: dict[str, Any]) -> tuple[str, str, str]:
    """How a call and its transfer ended."""
    assert call["transfer"]["seat"] == "8000"
    return call["end_reason"], call["outcome"], call["transfer"]["outcome"]


HANDED_OVER = ("transferred", "transferred", "connected")
CALLER_GONE = ("caller_hangup", "abandoned", "caller_gone")


def happened(call: dict[str, Any]) -> list[str]:
    """What happened after the transfer began."""
    found = kinds(call)
    return found[found.index("transfer_started") + 1 :]


# -- REFER ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manners", "last"),
    [(Manners(), ""), (Manners(tells=(100,)), "REFER"), (Manners(hangs_up=False), "BYE")],
    ids=["told and hung up", "hung up without a word", "told, the agent hangs up"],
)
def test_the_pbx_takes_the_caller(refers: Office, manners: Manners, last: str) -> None:
    known = refers.calls()
    refers.asks_for_a_person(manners)
    call = refers.record(known)
    assert ended(call) == HANDED_OVER
    assert happened(call) == ["refer_sent", "handed_over"]
    if last:  # else both hang up, whoever is first
        eventually(lambda: refers.pbx.methods(queue=False)[-1] == last)
    assert refers.pbx.methods(queue=True) == []
    refer = refers.pbx.until("REFER")
    fields = f"X-Hotline-Call={call['id']}&User-to-User={call['id']}%3Bencoding%3Dhex"
    assert refer.header("Refer-To") == f"<{refers.pbx.queue}?{fields}>"
    assert refer.header("X-Hotline-Call") == call["id"]
    assert refer.header("Referred-By").startswith("<sip:12345@127.0.0.1")


@pytest.mark.parametrize(
    "manners",
    [Manners(refer=405), Manners(refer=603), Manners(tells=(100, 180, 486)), Manners(tells=(503,))],
    ids=["405", "603", "busy", "out of order"],
)
def test_when_the_pbx_does_not_take_the_caller_we_ring_the_queue(refers: Office, manners: Manners) -> None:
    known = refers.calls()
    refers.asks_for_a_person(Manners(refer=manners.refer, tells=manners.tells, hangs_up=False))
    eventually(lambda: "bridged" in kinds(refers.agent.call_of(NUMBER)), timeout_s=30)
    refers.pbx.hang_up()
    call = refers.record(known)
    assert ended(call) == HANDED_OVER
    assert happened(call) == ["refer_sent", "refer_failed", *ANSWERS, *TALKS]
    eventually(lambda: refers.pbx.methods(queue=True) == ["INVITE", "ACK", "BYE"])
    invite = refers.pbx.until("INVITE")
    assert invite.header("User-to-User") == f"{call['id']};encoding=hex"
    assert invite.header("X-Hotline-Call") == call["id"]


@pytest.mark.parametrize(
    ("manners", "failed"),
    [(Manners(refer=405, queue=(486,)), "busy"), (Manners(tells=(100,), queue=(180,)), "no_answer")],
    ids=["refused, then busy", "silent, then unanswered"],
)
def test_when_nobody_takes_the_caller_a_call_back_is_promised(
    refers: Office, manners: Manners, failed: str
) -> None:
    known = refers.calls()
    refers.asks_for_a_person(
        Manners(refer=manners.refer, tells=manners.tells, queue=manners.queue, hangs_up=False)
    )
    call = refers.record(known)
    assert ended(call) == ("agent_hangup", "ticket", failed)
    assert happened(call) == ["refer_sent", "refer_failed", "seat_ringing", "seat_failed"]
    assert call["turns"][-1]["heard_text"] == call["turns"][-1]["text"], "the promise is heard to its end"
    ticket = refers.agent.api.get(f"/api/v1/tickets/{call['ticket_id']}").json()
    assert (ticket["category"], ticket["caller"]) == ("回拨", NUMBER)


def test_the_caller_hangs_up_before_the_pbx_has_responded(refers: Office) -> None:
    known = refers.calls()
    refers.asks_for_a_person(Manners(refer=0))
    refers.pbx.until("REFER")
    refers.pbx.hang_up()
    call = refers.record(known)
    assert ended(call) == CALLER_GONE
    assert happened(call) == ["refer_sent"]


def test_the_caller_hangs_up_while_the_pbx_rings_its_queue(refers: Office) -> None:
    """The PBX says so: the call that it was making was given up."""
    known = refers.calls()
    refers.asks_for_a_person(Manners(tells=(100, 180, 487)))
    call = refers.record(known)
    assert ended(call) == CALLER_GONE
    assert happened(call) == ["refer_sent", "refer_failed"]


def test_the_caller_hangs_up_while_we_ring_the_queue(refers: Office) -> None:
    known = refers.calls()
    refers.asks_for_a_person(Manners(refer=405, queue=(180,)))
    refers.pbx.until("INVITE")
    refers.pbx.hang_up()
    call = refers.record(known)
    assert ended(call) == CALLER_GONE
    eventually(lambda: refers.pbx.methods(queue=True) == ["INVITE", "CANCEL", "ACK"])


# -- REFER with Replaces -------------------------------------------------------------------------------------


def test_the_pbx_joins_the_caller_and_its_queue(replaces: Office) -> None:
    known = replaces.calls()
    replaces.asks_for_a_person(Manners())
    call = replaces.record(known)
    assert ended(call) == HANDED_OVER
    assert happened(call) == [*ANSWERS, "refer_sent", "handed_over"]
    invite, refer = replaces.pbx.until("INVITE"), replaces.pbx.until("REFER")
    assert refer.header("Call-ID") != invite.header("Call-ID"), "it is sent on the caller's leg"
    refer_to = unquote(refer.header("Refer-To"))
    from_tag = invite.header("From").partition("tag=")[2]
    assert f"Replaces={invite.header('Call-ID')};" in refer_to
    assert ";to-tag=queue" in refer_to
    assert f";from-tag={from_tag}" in refer_to
    assert invite.header("User-to-User") == f"{call['id']};encoding=hex"


@pytest.mark.parametrize(
    "manners",
    [Manners(refer=501), Manners(tells=(100, 481)), Manners(tells=(100,))],
    ids=["refused", "failed", "silent"],
)
def test_when_the_pbx_does_not_join_them_we_do(replaces: Office, manners: Manners) -> None:
    known = replaces.calls()
    replaces.asks_for_a_person(Manners(refer=manners.refer, tells=manners.tells, hangs_up=False))
    eventually(lambda: "bridged" in kinds(replaces.agent.call_of(NUMBER)), timeout_s=30)
    replaces.pbx.hang_up()
    call = replaces.record(known)
    assert ended(call) == HANDED_OVER
    assert happened(call) == [*ANSWERS, "refer_sent", "refer_failed", *TALKS]
    eventually(lambda: replaces.pbx.methods(queue=True) == ["INVITE", "ACK", "BYE"])


def test_the_caller_hangs_up_before_the_two_are_joined(replaces: Office) -> None:
    known = replaces.calls()
    replaces.asks_for_a_person(Manners(refer=0))
    replaces.pbx.until("REFER")
    replaces.pbx.hang_up()
    call = replaces.record(known)
    assert ended(call) == CALLER_GONE
    eventually(lambda: replaces.pbx.methods(queue=True) == ["INVITE", "ACK", "BYE"])


def test_the_queue_is_busy_and_a_call_back_is_promised(replaces: Office) -> None:
    known = replaces.calls()
    replaces.asks_for_a_person(Manners(queue=(486,)))
    call = replaces.record(known)
    assert ended(call) == ("agent_hangup", "ticket", "busy")
    assert happened(call) == ["seat_ringing", "seat_failed"]
