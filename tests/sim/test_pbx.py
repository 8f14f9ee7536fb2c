"""Whole calls in virtual time: every way in which a hand-over to the PBX's queue can go."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from dialog import phrases
from tests.sim.lines import ReferScript, SeatScript
from tests.sim.scenario import GREETING, Call, Scenario, hold
from tests.sim.steps import agent, agent_begins, caller, hangs_up, happens, music
from voice.phone import Busy, Declined, LegGone, Unreachable

pytestmark = [pytest.mark.sim]

ASKED = [agent(GREETING), caller("转人工"), agent(phrases.TO_HUMAN, within_ms=800)]
TO_HUMAN = f"""
    agent  {GREETING}
    caller 转人工
    agent  {phrases.TO_HUMAN}
"""
ONCE_MORE = f"agent  {phrases.SEAT_DID_NOT_ANSWER}\n"
SORRY = f"agent  {phrases.TRANSFER_FAILED}\n"
REFERRED = "transfer_started refer_sent"
ANSWERS = "seat_ringing seat_answered"
TALKS = "bridged unbridged"
HANDED_OVER = ("transferred", "transferred")
CONNECTED = ("caller_asked", "8000", "connected")
CALLER_GONE = ("caller_asked", "8000", "caller_gone")
NOT_TAKEN = ReferScript(tells_after_s=0.1, refuses=Unreachable)


def queue(**script: object) -> list[SeatScript]:
    """The PBX's queue, which takes calls after a second unless told otherwise."""
    return [SeatScript("8000", **script)]  # type: ignore[arg-type]


REFER = [
    Scenario(
        "the PBX takes the caller and hangs up on us",
        [*ASKED, music(), happens("handed_over")],
        handover="refer",
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{REFERRED} handed_over",
        transfer=CONNECTED,
        seat_log=["asked for sip:8000@test", "has the caller"],
    ),
    Scenario(
        "the PBX takes the caller and leaves it to us to hang up",
        [*ASKED, music(), happens("handed_over")],
        handover="refer",
        refer=ReferScript(hangs_up=False),
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{REFERRED} handed_over",
        transfer=CONNECTED,
    ),
    Scenario(
        "the PBX does not take REFER: we ring the queue at once and stay in the call",
        [*ASKED, music(), happens("bridged"), agent(phrases.GOODBYE, within_ms=20000)],
        handover="refer",
        refer=NOT_TAKEN,
        seats=queue(leaves_after_bridge_s=10.0),
        end=HANDED_OVER,
        turns=TO_HUMAN + f"agent  {phrases.GOODBYE}",
        events=f"{REFERRED} refer_failed {ANSWERS} {TALKS}",
        transfer=CONNECTED,
        seat_log=["asked for sip:8000@test", "8000 rings", "8000 answers", "8000 talks"],
    ),
    Scenario(
        "the PBX finds the queue busy: words, then we ring it ourselves",
        [*ASKED, music(), agent(phrases.SEAT_DID_NOT_ANSWER), music(), happens("bridged"), hangs_up()],
        handover="refer",
        refer=ReferScript(refuses=Busy),
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN + ONCE_MORE,
        events=f"{REFERRED} refer_failed {ANSWERS} {TALKS}",
        transfer=CONNECTED,
    ),
    Scenario(
        "the PBX never tells how it went, and the queue is busy: a call-back is promised",
        [*ASKED, music(19.0), agent(phrases.SEAT_DID_NOT_ANSWER), music(), agent(phrases.TRANSFER_FAILED)],
        handover="refer",
        refer=ReferScript(tells_after_s=math.inf),
        seats=queue(refuses=Busy),
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + ONCE_MORE + SORRY,
        events=f"{REFERRED} refer_failed seat_ringing seat_failed",
        transfer=("caller_asked", "8000", "busy"),
        tickets=1,
    ),
    Scenario(
        "nobody takes the caller and no call-back can be recorded: none is promised",
        [*ASKED, music(), agent(phrases.BUSY_GOODBYE)],
        handover="refer",
        refer=NOT_TAKEN,
        seats=queue(refuses=Unreachable),
        end=("agent_hangup", "answered"),
        turns=TO_HUMAN + f"agent  {phrases.BUSY_GOODBYE}",
        events=f"{REFERRED} refer_failed seat_ringing seat_failed failed",
        transfer=("caller_asked", "8000", "unreachable"),
        files_tickets=False,
    ),
    Scenario(
        "the caller hangs up before the PBX has taken over",
        [*ASKED, happens("refer_sent"), hangs_up(after_s=0.3)],
        handover="refer",
        seats=queue(),
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events=REFERRED,
        transfer=CALLER_GONE,
        seat_log=["asked for sip:8000@test"],
    ),
    Scenario(
        "the caller hangs up while told that it is tried once more",
        [*ASKED, music(), agent_begins("对不起，"), hangs_up(after_s=0.31)],
        handover="refer",
        refer=ReferScript(refuses=Declined),
        seats=queue(),
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN + "agent  对✂",
        events=f"{REFERRED} refer_failed",
        transfer=CALLER_GONE,
    ),
    Scenario(
        "the caller hangs up while the queue rings: it stops ringing",
        [*ASKED, happens("seat_ringing"), hangs_up()],
        handover="refer",
        refer=NOT_TAKEN,
        seats=queue(answers_after_s=5.0),
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events=f"{REFERRED} refer_failed seat_ringing",
        transfer=CALLER_GONE,
        seat_log=["asked for sip:8000@test", "8000 rings", "8000 stops ringing"],
    ),
]

RINGS = f"transfer_started {ANSWERS}"
REPLACES = [
    Scenario(
        "the PBX joins the caller and the queue, and both our legs end",
        [*ASKED, music(), happens("handed_over")],
        handover="replaces",
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{RINGS} refer_sent handed_over",
        transfer=CONNECTED,
        seat_log=["8000 rings", "8000 answers", "asked to join 8000", "has the caller"],
    ),
    Scenario(
        "the PBX joins the two and leaves it to us to hang up both",
        [*ASKED, music(), happens("handed_over")],
        handover="replaces",
        refer=ReferScript(hangs_up=False),
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{RINGS} refer_sent handed_over",
        transfer=CONNECTED,
    ),
    Scenario(
        "the PBX does not take Replaces: we join the two ourselves",
        [*ASKED, music(), happens("bridged"), hangs_up()],
        handover="replaces",
        refer=NOT_TAKEN,
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{RINGS} refer_sent refer_failed {TALKS}",
        transfer=CONNECTED,
    ),
    Scenario(
        "the PBX never tells how it went: we join the two before the person gives up",
        [*ASKED, music(5.0), happens("bridged"), hangs_up()],
        handover="replaces",
        refer=ReferScript(tells_after_s=math.inf),
        seats=queue(leaves_after_answer_s=8.0),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{RINGS} refer_sent refer_failed {TALKS}",
        transfer=CONNECTED,
    ),
    Scenario(
        "the queue is lost while the PBX refuses: a call-back is promised",
        [*ASKED, music(), agent(phrases.TRANSFER_FAILED)],
        handover="replaces",
        refer=ReferScript(refuses=Unreachable),
        seats=queue(leaves_after_answer_s=0.5),
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + SORRY,
        events=f"{RINGS} refer_sent refer_failed",
        transfer=("caller_asked", "8000", "unreachable"),
        tickets=1,
    ),
    Scenario(
        "the queue is busy: a call-back is promised and the PBX is asked for nothing",
        [*ASKED, music(), agent(phrases.TRANSFER_FAILED)],
        handover="replaces",
        seats=queue(refuses=Busy),
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + SORRY,
        events="transfer_started seat_ringing seat_failed",
        transfer=("caller_asked", "8000", "busy"),
        seat_log=["8000 rings"],
        tickets=1,
    ),
    Scenario(
        "the caller hangs up while the two are being joined: the queue is let go",
        [*ASKED, happens("refer_sent"), hangs_up(after_s=0.3)],
        handover="replaces",
        seats=queue(),
        end=("caller_hangup", "answered"),
        turns=TO_HUMAN,
        events=f"{RINGS} refer_sent",
        transfer=CALLER_GONE,
    ),
]

DIAL = [
    Scenario(
        "the queue answers and the caller hangs up first",
        [*ASKED, music(), happens("bridged"), hangs_up(after_s=3.0)],
        handover="dial",
        seats=queue(),
        end=HANDED_OVER,
        turns=TO_HUMAN,
        events=f"{RINGS} {TALKS}",
        transfer=CONNECTED,
        seat_log=["8000 rings", "8000 answers", "8000 talks"],
    ),
    Scenario(
        "the queue rings in vain: a call-back is promised",
        [*ASKED, music(19.0), agent(phrases.TRANSFER_FAILED)],
        handover="dial",
        seats=queue(answers_after_s=math.inf),
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + SORRY,
        events="transfer_started seat_ringing seat_failed",
        transfer=("caller_asked", "8000", "no_answer"),
        tickets=1,
    ),
    Scenario(
        "the queue is lost while it is joined: a call-back is promised",
        [*ASKED, music(), agent(phrases.TRANSFER_FAILED)],
        handover="dial",
        seats=queue(bridge_fails=True),
        end=("agent_hangup", "ticket"),
        turns=TO_HUMAN + SORRY,
        events=RINGS,
        transfer=("caller_asked", "8000", "unreachable"),
        tickets=1,
    ),
]


@pytest.mark.parametrize("scenario", [*REFER, *REPLACES, *DIAL], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)


@pytest.mark.parametrize("scenario", [REFER[0], DIAL[0]], ids=str)
def test_the_pbx_learns_the_call_id(scenario: Scenario) -> None:
    headers = {"X-Hotline-Call": "c0ffee", "User-to-User": "c0ffee;encoding=hex"}
    assert hold(scenario).phone.headers == headers


def test_the_recording_goes_on_while_the_queue_talks() -> None:
    call = hold(DIAL[0])
    bridged, unbridged = (
        next(event.at_s for event in call.journal.happened if event.kind == kind) for kind in TALKS.split()
    )
    assert unbridged - bridged >= 2.9
    assert len(call.file.left) / 16000 >= unbridged


def test_the_caller_hears_music_or_words_all_the_time() -> None:
    call = hold(REFER[4])
    started_s = next(event.at_s for event in call.journal.happened if event.kind == "transfer_started")
    waiting = [run for run in call.leg.heard if run.began_at - call.leg.answered_at >= started_s - 1]
    assert max(after.began_at - before.ended_at for before, after in pairwise(waiting)) <= 0.3


async def leaves_while_being_joined(call: Call) -> None:
    """The caller hangs up in the very moment in which the queue is joined to them."""

    async def bridge(*legs: object) -> None:
        call.leg.leave()
        raise LegGone("scripted")

    call.phone.bridge = bridge  # type: ignore[method-assign]


def test_a_caller_who_hangs_up_as_they_are_joined_is_promised_nothing() -> None:
    hold(
        Scenario(
            "the caller hangs up in the moment of the joining",
            [*ASKED, leaves_while_being_joined, happens("seat_answered")],
            handover="dial",
            seats=queue(),
            end=("caller_hangup", "answered"),
            turns=TO_HUMAN,
            events=f"transfer_started {ANSWERS}",
            transfer=CALLER_GONE,
            tickets=0,
        )
    )
