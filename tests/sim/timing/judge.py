"""Compares a timed call with what its table expects; every failure tells what was heard when."""

from __future__ import annotations

import math
import re

from tests.sim.scenario import GREETING
from tests.sim.timing.heard import CUT, Char, Clause, clauses_heard
from tests.sim.timing.player import Played, story, turn_line
from tests.sim.timing.table import Must
from voice.phone import FRAME_S

SLACK_MS = FRAME_S * 1000 + 1  # times are exact to a frame


def judge(played: Played) -> None:
    """Raise AssertionError at the first thing that was not as the table expects."""
    rows = [row for row in played.timed.expect if row.agent]
    _check_words(played, rows)
    for row in played.timed.expect:
        if not row.agent:
            _check_record(played, row)


def _check_words(played: Played, rows: list[Must]) -> None:
    """The rows together are all that was heard, in order; then each one's times."""
    clauses = clauses_heard(played.leg.stretches)
    chars = [(char, clause) for clause in clauses for char in clause.chars()]
    said = "".join(char.text for char, _ in chars)
    patterns = [_pattern(row.agent) for row in rows]
    if not rows or not GREETING.startswith(re.split("[…✂]", rows[0].agent)[0]):
        patterns.insert(0, _pattern(GREETING))
        rows = [Must(agent=GREETING), *rows]
    match = re.fullmatch("".join(f"({pattern})" for pattern in patterns), said)
    if match is None:
        known = max(n for n in range(len(rows) + 1) if re.match("".join(patterns[:n]), said))
        missing = (
            f"not as expected: {rows[known].agent!r}" if known < len(rows) else "more was said than that"
        )
        raise AssertionError(f"{played.timed}\n{missing}\n{story(played)}")
    for number, row in enumerate(rows, 1):
        begin, end = match.span(number)
        _check_times(played, row, [char for char, _ in chars], begin)
        _check_silences(played, row, [clause for _, clause in chars[begin:end]])


def _check_silences(played: Played, row: Must, clauses: list[Clause]) -> None:
    """How long the agent held its breath, and how soon it fell silent at last."""
    held_s = sum({id(clause): clause.held_s for clause in clauses}.values())
    _in_range(played, f"silences within {row.agent!r}", held_s, row.held_ms)
    if row.silent_within_ms is not None:
        began_at, ended_at = clauses[0].stretches[0].began_at, clauses[-1].stretches[-1].ended_at
        over = [sound for sound in played.caller if sound.began_at <= ended_at and sound.ended_at >= began_at]
        assert over, f"{played.timed}\nnothing was said over {row.agent!r}\n{story(played)}"
        took_s = ended_at - over[-1].began_at
        _in_range(played, f"{row.agent!r} over, after the caller began", took_s, (0.0, row.silent_within_ms))


def _pattern(words: str) -> str:
    return "".join(f"[^{CUT}]*?" if char == "…" else re.escape(char) for char in words)


def _check_times(played: Played, row: Must, chars: list[Char], begin: int) -> None:
    began_at = chars[begin].began_at
    before = [sound for sound in played.caller if sound.began_at < began_at]
    if row.within_ms is not None:
        last_at = max((sound.ended_at for sound in before), default=-math.inf)
        _in_range(played, f"{row.agent!r} after the caller's last sound", began_at - last_at, row.within_ms)
    if row.after_agent_ms is not None:
        last_at = max((char.ended_at for char in chars[:begin]), default=-math.inf)
        _in_range(
            played, f"{row.agent!r} after the agent's own words", began_at - last_at, row.after_agent_ms
        )


def _in_range(played: Played, what: str, took_s: float, range_ms: tuple[float, float]) -> None:
    low_ms, high_ms = range_ms
    good = low_ms - SLACK_MS <= took_s * 1000 <= high_ms + SLACK_MS
    assert good, (
        f"{played.timed}\n{what}: {took_s * 1000:.0f} ms, not {low_ms:.0f} to {high_ms:.0f}\n{story(played)}"
    )


def _check_record(played: Played, row: Must) -> None:
    journal, call = played.call.journal, played.call
    (what,) = row.model_fields_set
    turns = journal.turns
    transfer = journal.transfer
    history = call.dialog.histories[-1] if call.dialog.histories else []
    found: dict[str, object] = {
        "turns": sum(turn.who == "caller" for turn in turns),
        "caller": [turn.text for turn in turns if turn.who == "caller"],
        "record": [turn_line(turn) for turn in turns],
        "history": [f"{message.who} {message.text}" for message in history],
        "events": " ".join(event.kind for event in journal.happened),
        "ends": f"{journal.ended.end_reason} {journal.ended.outcome}",
        "transfer": f"{transfer.reason} {transfer.seat} {transfer.outcome}" if transfer else "",
        "tickets": len(call.filed),
        "replies": played.asked,
    }
    expected = getattr(row, what)
    good = played.asked <= expected if what == "replies" else found[what] == expected
    assert good, f"{played.timed}\n{what}: {found[what]!r}, not {expected!r}\n{story(played)}"
