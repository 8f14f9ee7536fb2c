"""Seats with telephones of other makes, sipp and baresip: how each treats a hand-over is what is told of it.

Every seat serves one call. Callers ask for a person until all seats have been tried, whoever gets whom.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dialog import phrases
from hotline.demo_seat import HELLO
from hotline.speech import write_wav
from tests.peers.sipp_caller import NEEDS_SIPP, Result
from tests.peers.sipp_seat import SippSeat, key_pcap, sipp_seat
from tests.peers.test_baresip import BARESIP, CONFIG, MODULES, tell
from tests.sip.agent import Agent, eventually, kinds, running_agent, voice_cache, words
from tests.sip.plain_caller import PlainCaller
from tests.unit.espeak import synthesise
from voice.sip import build_info

pytestmark = [pytest.mark.peers, NEEDS_SIPP, pytest.mark.timeout(240)]

AT_ONCE = 4 if build_info().max_legs > 8 else 1
CALLERS = 5  # each tries three seats at most
SCENARIOS = {  # by seat: what its telephone does, and what the record says of it
    "01": ("seat_refuses", {"refusal": "486 Busy Here"}, "seat_failed busy"),
    "02": ("seat_refuses", {"refusal": "603 Decline"}, "seat_failed declined"),
    "03": ("seat_refuses", {"refusal": "480 Temporarily Unavailable"}, "seat_failed no_answer"),
    "04": ("seat_voicemail", {}, "seat_no_answer"),
    "05": ("seat_rings", {}, "seat_failed no_answer"),
    "06": ("seat_leaves", {}, "seat_gone"),
    "07": ("seat_declines", {}, "seat_declined"),
    "10": ("seat_takes", {}, "unbridged seat_gone"),
    "11": ("seat_takes_info", {}, "unbridged seat_gone"),
}
OFF, SOFTPHONE = "08", "12"  # nothing listens there; baresip
EXPECTED = {seat: last for seat, (_, _, last) in SCENARIOS.items()} | {OFF: "seat_failed unreachable"}
HAS_BARESIP = BARESIP is not None and {name for _, name in socket.if_nameindex()} > {"lo"}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of all calls."""

    agent: Agent
    records: list[dict[str, Any]]
    sipp: dict[str, Result]


@contextmanager
def baresip(folder: Path) -> Iterator[tuple[str, int]]:
    """baresip as a seat, which answers by itself: its address and control port."""
    assert BARESIP is not None
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        control, sip = tcp.getsockname()[1], udp.getsockname()[1]
    folder.mkdir()
    config = CONFIG.format(modules=MODULES, folder=folder, port=control)
    (folder / "config").write_text(config.replace("127.0.0.1:0", f"127.0.0.1:{sip}", 1))
    account = "<sip:seat@127.0.0.1>;regint=0;audio_codecs=PCMA;answermode=auto\n"
    (folder / "accounts").write_text(account)
    (folder / "contacts").write_text("")
    write_wav(folder / "question.wav", synthesise(HELLO) + bytes(60 * 16000), 8000)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [BARESIP, "-4", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield f"sip:seat@127.0.0.1:{sip}", control
    finally:
        process.kill()
        process.wait()


def work_at(agent: Agent, control: int) -> None:
    """The person at the softphone: hears the summary, presses 1, talks, hangs up."""

    def happened(kind: str) -> bool:
        rung = [call for call in records(agent) if (SOFTPHONE, kind) in told(call)]
        return bool(rung)

    eventually(lambda: happened("seat_answered"), timeout_s=90)
    time.sleep(1.0)
    tell(control, "sndcode 1")
    eventually(lambda: happened("bridged"))
    time.sleep(2.0)
    tell(control, "hangup")


def records(agent: Agent) -> list[dict[str, Any]]:
    """Of all calls."""
    items = agent.api.get("/api/v1/calls").json()["items"]
    return [agent.api.get(f"/api/v1/calls/{item['id']}").json() for item in items]


def told(call: dict[str, Any]) -> list[tuple[str, str]]:
    """Of each event about a seat: whose, and what."""
    return [
        (event["detail"]["seat"], " ".join([event["kind"], event["detail"].get("outcome", "")]).strip())
        for event in call["events"]
        if event["detail"].get("seat")
    ]


def ask_for_a_person(agent: Agent, number: str) -> None:
    """Press 0 and stay until the agent or a seat hangs up."""
    with PlainCaller(agent.address, number) as caller:
        caller.press("0", caller.dial().event_payload)
        assert caller.ended.wait(90), "the call goes on"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    folder = tmp_path_factory.mktemp("phones")
    keys = {"seat_declines": "2", "seat_takes": "1"}
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        phones: dict[str, SippSeat] = {}
        for seat, (scenario, fields, _) in SCENARIOS.items():
            pressed = {"keys": key_pcap(folder, keys[scenario])} if scenario in keys else {}
            phones[seat] = stack.enter_context(sipp_seat(folder, scenario, seat, {**fields, **pressed}))
        uris = {seat: phone.uri for seat, phone in phones.items()}
        uris[OFF] = f"sip:off@127.0.0.1:{nobody.getsockname()[1]};transport=tcp"
        if HAS_BARESIP:
            uris[SOFTPHONE], control = stack.enter_context(baresip(folder / "baresip"))
        seats = {
            "seats": [{"id": seat, "name": f"坐席{seat}", "uri": uri} for seat, uri in sorted(uris.items())],
            "ring_s": 4.0,
            "wrap_up_s": 600.0,  # nobody is rung twice
            "max_wait_s": 2.0,
        }
        sections: dict[str, Any] = {"seats": seats, "sip": {"transports": ["udp", "tcp"]}}
        agent = stack.enter_context(
            running_agent(folder / "agent", voice_cache(tmp_path_factory), **sections)
        )
        person = ThreadPoolExecutor(1)
        works = person.submit(work_at, agent, control) if HAS_BARESIP else None
        numbers = [f"1320000{number:04d}" for number in range(CALLERS)]
        list(pool.map(lambda number: ask_for_a_person(agent, number), numbers))
        if works is not None:
            works.result()
        found = [agent.record(number) for number in numbers]
        yield Done(agent, found, {seat: phone.result() for seat, phone in phones.items()})


@pytest.mark.parametrize("seat", list(SCENARIOS))
def test_every_message_comes_as_the_scenario_says(done: Done, seat: str) -> None:
    assert done.sipp[seat].code == 0, done.sipp[seat].why


@pytest.mark.parametrize("seat", sorted(EXPECTED))
def test_the_record_says_what_the_seat_did(done: Done, seat: str) -> None:
    happened = [kind for call in done.records for whose, kind in told(call) if whose == seat]
    assert happened[0] == "seat_ringing"
    assert happened[-1] == EXPECTED[seat].removesuffix(" seat_gone"), happened
    by = [e["detail"].get("by") for call in done.records for e in call["events"] if e["kind"] == "unbridged"]
    assert set(by) == {"seat_gone"}


def test_a_softphone_takes_a_call(done: Done) -> None:
    if not HAS_BARESIP:
        pytest.skip("baresip is not installed (Debian package baresip-core), or there is only loopback")
    happened = [kind for call in done.records for whose, kind in told(call) if whose == SOFTPHONE]
    assert happened == ["seat_ringing", "seat_answered", "seat_accepted", "bridged", "unbridged"]


def test_every_caller_is_told_how_it_stands_to_the_last_word(done: Done) -> None:
    for call in done.records:
        connected = "bridged" in kinds(call)
        last = words(call, "agent")[-1]
        if connected:
            assert (call["end_reason"], call["outcome"]) == ("transferred", "transferred")
            assert last == phrases.GOODBYE
        else:
            assert (call["end_reason"], call["outcome"]) == ("agent_hangup", "ticket")
            assert last in (phrases.TRANSFER_FAILED, phrases.NOBODY_FREE)
        assert (call["transfer"]["outcome"] == "connected") == connected
        assert call["turns"][-1]["who"] == "agent"
        assert call["turns"][-1]["heard_text"] == last


def test_nothing_is_left(done: Done) -> None:
    seats = done.agent.api.get("/api/v1/seats").json()["items"]
    assert {seat["status"] for seat in seats} <= {"wrap_up", "away", "free"}
    assert "Traceback" not in done.agent.errors()
