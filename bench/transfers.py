"""Transfers to seats with random exits over real SIP and RTP: `python -m bench.transfers [--transfers 200]`.

The agent is a process of its own; callers and seats are telephones of this one, on loopback, A-law. Each
call's record is compared with what its telephones saw, and in the end no seat may be engaged, no leg be left.
Half of the calls are to an agent whose seats press 1 to take a call, half to one where answering takes it.

Times are of the first seat that is rung: from the last packet with sound of the words that announce the
transfer, as the caller got it, to the arrival of the INVITE at the seat; and from the caller's last packet of
转人工. The summary is complete when all its clauses are in what the seat heard before it heard the caller.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.transfers_calls import TO_SEAT, Samples, Transfer, carry_out, find, pcm_of, plan
from dialog import Summary, phrases
from dialog.summary import spoken_summary
from hotline.speech import read_wav
from tests.sip.agent import environment, kinds, running_agent
from tests.sip.exits import Book, Office
from tests.sip.plain_caller import PCMA
from tests.sip.seat_phone import SeatCall, SeatPhone
from tts.clauses import split_clauses

RING_S = 5.0
RINGING_TARGET_S = 1.0
RACE_S = 0.5  # a talk so short that a tone need not have been heard in it
STEP, APART, ALIKE = 80, 200, 0.75  # samples of 10 ms; a pause between clauses is no longer than 2 s
SILENT = 300  # of 32768: below it a clause is not audible
WORDS = {486: "busy", 603: "declined", 480: "no_answer", 404: "unreachable", 503: "unreachable"}
console = Console(width=110)


def word_of(seat: SeatCall) -> str:
    """What a seat that did not talk to the caller is in the record, by what its telephone saw."""
    if not seat.manner.responses:
        return "unreachable"
    if seat.ended_by == "refused":
        return WORDS[seat.manner.responses[-1]]
    if seat.ended_by == "left" or seat.manner.keys == "2":
        return "declined"
    return "no_answer"


def wrong(done: Transfer) -> str:
    """What in the record is not as it was; "": nothing."""
    if done.trouble:
        return done.trouble
    call, happened = done.record, kinds(done.record)
    left = done.left_at < float("inf")
    end, outcome = call["end_reason"], call["outcome"]
    if not call["transfer"]:
        return "" if left and not done.seats and end == "caller_hangup" else "no transfer in the record"
    word = call["transfer"]["outcome"]
    open_legs = [seat for seat in done.seats if not seat.ended_at and seat.manner.responses]
    answered = sum(bool(seat.answered_at) for seat in done.seats)
    if open_legs:
        return f"{len(open_legs)} legs of seats are left"
    if [line["leg"] for line in call["line"]].count("seat") != answered:
        return f"{answered} seats answered, the record knows others: {call['line']}"
    if happened.count("seat_ringing") < len(done.seats):
        return "a seat was rung that the record does not know"
    if any(map(done.joined_at, done.seats)) or _talked_shortly(call):
        right = (word, end, outcome) == ("connected", "transferred", "transferred")
        return "" if right else f"they talked, the record says {word}, {end}, {outcome}"
    expected = word_of(done.seats[-1]) if done.seats else "no_seat"
    if left:
        right = end == "caller_hangup" and word in ("caller_gone", expected)
        return "" if right else f"the caller hung up, the record says {word}, {end}"
    right = (word, end, outcome) == (expected, "agent_hangup", "ticket")
    return "" if right else f"{expected} was to be expected, the record says {word}, {end}, {outcome}"


def _talked_shortly(call: dict[str, Any]) -> bool:
    at = {event["kind"]: float(event["at_s"]) for event in call["events"]}
    return "bridged" in at and at.get("unbridged", float("inf")) - at["bridged"] < RACE_S


class Whispers:
    """What seats are told, as the agent's voice says it; its settings are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Samples] = {}

    def complete(self, done: Transfer, seat: SeatCall, joined_at: float, accept: str) -> bool:
        """Whether the seat heard all of it before the caller."""
        keys = phrases.SEAT_KEYS if accept == "key" else ""
        told = phrases.SEAT_INTRO + keys + spoken_summary(Summary(**done.record["transfer"]["summary"]))
        wanted = [*split_clauses(told), *([phrases.SEAT_CONNECTING] if accept == "answer" else [])]
        heard = [packet for packet in seat.heard if packet.payload_type == PCMA and packet.at < joined_at]
        sound, at = _loudness(pcm_of(heard)), 0
        for clause in wanted:
            loudness = _loudness(self._samples(clause))
            found = find(loudness, sound[at : at + len(loudness) + APART], ALIKE)
            if found is None:
                return False
            at += found + len(loudness)
        return True

    def _samples(self, clause: str) -> Samples:
        if clause not in self._known:
            self._known[clause] = self._spoken(clause)
        return self._known[clause]

    def _spoken(self, clause: str) -> Samples:
        """In a process of its own: another voice used before would colour this one."""
        file = self._folder / "clause.wav"
        command = [sys.executable, "-m", "hotline", "say", clause, "--output", str(file)]
        subprocess.run(command, cwd=self._folder, env=environment(), check=True, capture_output=True)
        pcm = np.frombuffer(read_wav(file), "<i2").astype(np.float64)
        loud = np.flatnonzero(np.abs(pcm) > SILENT)
        return pcm[loud[0] : loud[-1] + 1]


def _loudness(samples: Samples) -> Samples:
    """Each 10 ms, about its mean: the voice does not say a clause twice to the sample."""
    level = np.sqrt(np.mean(np.square(samples[: len(samples) // STEP * STEP].reshape(-1, STEP)), axis=1))
    return level - level.mean()


class Figures:
    """Of all transfers."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.ringing_s: list[float] = []
        self.from_words_s: list[float] = []
        self.stopped_s: list[float] = []
        self.whispers: Counter[bool] = Counter()

    def add(self, done: Transfer, accept: str, whispers: Whispers) -> None:
        """Judge one."""
        if problem := wrong(done):
            self.wrong.append(f"{done.number} {done.plan.leaves} {problem}")
            return
        transfer = done.record["transfer"]
        self.outcomes[transfer["outcome"] if transfer else "gone before it began"] += 1
        if done.seats:
            self._time(done)
        for seat in done.seats:
            joined_at = done.joined_at(seat)
            if joined_at is None:
                if seat.invited_at < done.left_at <= seat.ended_at:
                    self.stopped_s.append(seat.ended_at - done.left_at)
            elif seat.manner.hears_out if accept == "key" else not seat.manner.keys:
                self.whispers[whispers.complete(done, seat, joined_at, accept)] += 1

    def _time(self, done: Transfer) -> None:
        rung_at = done.seats[0].invited_at
        handed_over_at = done.handed_over_at()
        if handed_over_at is not None:
            self.ringing_s.append(rung_at - handed_over_at)
        if done.plan.asks == TO_SEAT:
            self.from_words_s.append(rung_at - done.asked_at)


def run(accept: str, count: int, at_once: int, seed: int, figures: Figures) -> list[str]:
    """So many transfers with one agent; what is left behind in the end."""
    dice = random.Random(f"{seed} {accept}")
    plans = [plan(dice) for _ in range(count)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, book = Path(name), Book()
        phones = {f"{n:02d}": stack.enter_context(SeatPhone(manner=book.manner)) for n in range(3 * at_once)}
        listed = [{"id": seat, "name": f"坐席{seat}", "uri": phone.uri} for seat, phone in phones.items()]
        seats = {"seats": listed, "accept": accept, "ring_s": RING_S, "wrap_up_s": 0.0}
        limits = {"max_calls": at_once + 2}
        agent = stack.enter_context(running_agent(folder, folder / "voice", seats=seats, limits=limits))
        office = Office(agent, phones, book)
        with ThreadPoolExecutor(at_once) as pool:
            numbers = [f"139{seed % 1000:03d}{number:05d}" for number in range(count)]
            done = list(pool.map(lambda one: carry_out(office, *one), zip(plans, numbers, strict=True)))
        whispers = Whispers(folder)
        for transfer in done:
            figures.add(transfer, accept, whispers)
        return _left(office)


def _left(office: Office) -> list[str]:
    """Seats, calls and legs that should be no more; what the agent logged as going wrong."""
    time.sleep(1.0)
    left = [f"seat {seat} is {status}" for seat, status in office.status().items() if status != "free"]
    left += [
        f"a leg to seat {seat} is up" for seat, phone in office.phones.items() for c in phone.calls if c.up
    ]
    calls = office.agent.api.get("/api/v1/calls").json()["items"]
    left += [f"the call {call['id']} has not ended" for call in calls if not call["ended_at"]]
    left += [f"{one['call_id']} waits" for one in office.agent.api.get("/api/v1/queue").json()["items"]]
    return left + [line for line in office.agent.errors().splitlines() if "error" in line or "Trace" in line]


def _row(
    table: Table, name: str, values: Sequence[float], target: str, held: Callable[[float], bool]
) -> bool:
    if not values:
        table.add_row(name, "0", "", "", "", target)
        return True
    p50, p95 = (float(value) for value in np.percentile(values, [50, 95]))
    good = held(p95)
    colour = "green" if good else "bold red"
    table.add_row(
        name, str(len(values)), f"{p50:.2f}", f"{p95:.2f}", f"{max(values):.2f}", target, style=colour
    )
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold the transfers, print the tables; 1 when something went wrong or a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.transfers", description=__doc__)
    parser.add_argument("--transfers", type=int, default=200)
    parser.add_argument("--calls", type=int, default=8, help="at a time")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    figures, left, begun = Figures(), [], time.monotonic()
    for accept, count in (("key", (options.transfers + 1) // 2), ("answer", options.transfers // 2)):
        if count:
            left += run(accept, count, options.calls, options.seed, figures)
    console.print(f"{options.transfers} transfers in {time.monotonic() - begun:.0f} s: ", end="")
    console.print(", ".join(f"{word} {times}" for word, times in figures.outcomes.most_common()))
    for line in [*figures.wrong, *left]:
        console.print(f"[bold red]{line}", highlight=False)
    table = Table("seconds", "of", "p50", "p95", "most", "target")
    good = _row(
        table,
        "seat rings after the announcement",
        figures.ringing_s,
        f"p95 ≤ {RINGING_TARGET_S:.1f}",
        lambda p95: p95 <= RINGING_TARGET_S,
    )
    _row(table, "seat rings after 转人工", figures.from_words_s, "", lambda p95: True)
    _row(table, "let go after the caller hung up", figures.stopped_s, "", lambda p95: True)
    console.print(table)
    whispers = figures.whispers
    console.print(f"summary complete before the talk: {whispers[True]} of {whispers.total()}")
    return int(bool(figures.wrong or left or whispers[False] or not good))


if __name__ == "__main__":
    sys.exit(main())
