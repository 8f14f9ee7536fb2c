"""What the parts of the timing benchmark measured, with the targets beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.turns_figures import answered, disturbed, interrupted, percentile, silenced_ms
from bench.turns_run import Outcome
from bench.turns_script import PACKET_S, Clip, Said, Trace

PAUSES_S = (0.6, 0.8, 1.0, 1.2)
PAUSE_TARGETS = (0.05, 0.05, 0.08, 0.12)
NOT_ANSWERED, NOT_SAID = "not answered", "could not be said"
TALKING = " (somebody talks)"  # ends the text of a noise in which that is so


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; `held` says whether the target is, None without one.

    `figures` are what was measured: p50, p95 and largest of a time in ms, how many of `count`, seconds.
    """

    name: str
    count: int
    result: str
    target: str = ""
    held: bool | None = None
    figures: tuple[float, ...] = ()


def _each(outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, Trace, Said, Clip]]:
    for outcome in outcomes:
        for trace in outcome.traces:
            for said in trace.said:
                yield outcome, trace, said, outcome.run.clips[said.item.clip]


def _gaps(name: str, gaps: Sequence[float], p50: float = 0.0, p95: float = 0.0) -> Row:
    found = tuple(round(percentile(gaps, share), 1) for share in (0.5, 0.95, 1.0))
    result = "p50 {:.0f}, p95 {:.0f}, max {:.0f} ms".format(*found) if gaps else "none"
    if not p50:
        return Row(name, len(gaps), result, figures=found)
    target, held = f"≤ {p50:.0f} / ≤ {p95:.0f} ms", found[0] <= p50 and found[1] <= p95
    return Row(name, len(gaps), result, target, held, found)


def _share(name: str, found: int, of: int, most: float, target: str = "") -> Row:
    """`most`: a share that still holds."""
    share = found / of if of else 0.0
    return Row(name, of, f"{found} ({share:.1%})", target or f"≤ {most:.0%}", share <= most, (found,))


def requests_rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
    found = [answered(trace, said, clip) for _, trace, said, clip in _each(outcomes)]
    limits = (500, 900) if calls == 1 else (600, 1100)
    return [
        _gaps("response gap", [each.gap_ms for each in found if each.gap_ms is not None], *limits),
        _share("answered in mid-request", sum(each.midway for each in found), len(found), 0.0, "0"),
        *_ended(outcomes, sum(each.unanswered for each in found), len(found)),
        *_cpu("CPU per minute of a call, built-in ASR", outcomes, 2.0, calls),
        *_own_account(outcomes),
    ]


def cpu_rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
    rows = []
    for stand_in, name, most_s in ((False, "built-in ASR", 2.0), (True, "without ASR", 1.0)):
        some = [outcome for outcome in outcomes if outcome.run.stand_in is stand_in]
        found = [answered(trace, said, clip) for _, trace, said, clip in _each(some)]
        rows += _cpu(f"CPU per minute of a call, {name}", some, most_s, calls)
        rows += _ended(some, sum(each.unanswered for each in found), len(found))
    return rows


def human_rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
    found = [(answered(trace, said, clip), clip) for _, trace, said, clip in _each(outcomes)]
    plain = [each for each, clip in found if clip.pause is None]
    rows = [
        _gaps("response gap, nothing inserted", [e.gap_ms for e in plain if e.gap_ms is not None], 500, 1200),
        _gaps("response gap, all", [e.gap_ms for e, _ in found if e.gap_ms is not None]),
        _share("answered in mid-request", sum(each.midway for each in plain), len(plain), 0.02),
    ]
    for pause_s, most in zip(PAUSES_S, PAUSE_TARGETS, strict=True):
        some = [e for e, c in found if c.pause and abs((c.pause[1] - c.pause[0]) * PACKET_S - pause_s) < 0.05]
        rows.append(
            _share(f"cut off in a pause of {pause_s:g} s", sum(e.in_pause for e in some), len(some), most)
        )
        rows.append(Row("  answered later in the request", len(some), f"{sum(e.midway for e in some)}"))
    return [
        *rows,
        *_ended(outcomes, sum(each.unanswered for each, _ in found), len(found)),
        *_cpu("CPU per minute of a call, without ASR", outcomes, 1.0, calls),
        *_own_account(outcomes),
    ]


def interruption_rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
    del calls
    rows, unanswered, asked = [], 0, 0
    for stand_in, name in ((False, "synthetic"), (True, "human")):
        some = [o for o in outcomes if o.run.stand_in is stand_in]
        over = [(t, s, c) for _, t, s, c in _each(some) if s.item.over_s is not None]
        silenced = [silenced_ms(*each) for each in over]
        rows.append(_gaps(f"{name}: agent silent after", [ms for ms in silenced if ms is not None], 250, 350))
        rows.append(_share(f"{name}: it spoke on", silenced.count(None), len(silenced), 0.0, "0"))
        found = [answered(*each) for each in over]
        rows.append(_gaps(f"{name}: response gap", [e.gap_ms for e in found if e.gap_ms is not None]))
        unanswered, asked = unanswered + sum(e.unanswered for e in found), asked + len(found)
    return [*rows, *_ended(outcomes, unanswered, asked)]


def stop_rows(name: str, most: float, target: str) -> Callable[[Sequence[Outcome], int], list[Row]]:
    def rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
        del calls
        over = [
            (c.text, disturbed(t, s, c, o.turns[t.number]))
            for o, t, s, c in _each(outcomes)
            if not s.item.asks
        ]
        said = Counter(text for text, _ in over)
        stops = Counter(text for text, found in over if found.stopped)
        which = [Row(f"  by {text}", said[text], f"{count}") for text, count in sorted(stops.items())]
        went_on = [found.silence_s * 1000 for _, found in over if not found.stopped]
        talking = [found.stopped for text, found in over if text.endswith(TALKING)]
        total = _share(name, stops.total() - sum(talking), len(over) - len(talking), most, target)
        if talking:
            which.append(Row(f"  where somebody talks, {name}", len(talking), f"{sum(talking)}"))
        return [total, *which, _gaps("its longest silence where it went on", went_on), *_ended(outcomes)]

    return rows


def echo_rows(outcomes: Sequence[Outcome], calls: int) -> list[Row]:
    del calls
    found = [interrupted(trace, o.turns[trace.number]) for o in outcomes for trace in o.traces]
    asked = [answered(trace, said, clip) for _, trace, said, clip in _each(outcomes)]
    heard = sum(turn["who"] == "caller" for o in outcomes for turns in o.turns.values() for turn in turns)
    return [
        _share(
            "its echo stops the agent", sum(cut for cut, _ in found), sum(all_ for _, all_ in found), 0.0, "0"
        ),
        Row("turns of the caller in the record", len(asked), f"{heard}"),
        *_ended(outcomes, sum(each.unanswered for each in asked), len(asked)),
    ]


def _ended(outcomes: Sequence[Outcome], unanswered: int = 0, asked: int = 0) -> list[Row]:
    """What must not be, and whether the callers kept time."""
    rows = [Row(NOT_ANSWERED, asked, f"{unanswered}", "0", unanswered == 0)] if asked else []
    unsaid = sum(outcome.report.unsaid for outcome in outcomes)
    if unsaid:
        rows.append(Row(NOT_SAID, unsaid, "", "0", held=False))
    calls = sum(len(outcome.traces) for outcome in outcomes)
    failures = Counter(failure for outcome in outcomes for failure in outcome.failures)
    rows += [Row(f"calls that failed: {failure}", calls, f"{count}") for failure, count in failures.items()]
    late = [ms for outcome in outcomes for ms in outcome.report.own_late_ms]
    rows.append(Row("calls; the callers' own lateness", calls, f"p99 {percentile(late, 0.99):.1f} ms"))
    known_s, heard_s = (sum(outcome.known_s[at] for outcome in outcomes) for at in (0, 1))
    if heard_s:
        rows.append(Row("clips' speech known to the stand-in", calls, f"{known_s:.0f} s of {heard_s:.0f} s"))
    return rows


def _cpu(name: str, outcomes: Sequence[Outcome], most_s: float, calls: int) -> list[Row]:
    """The agents' processor time for each minute of a call."""
    minutes = sum(outcome.call_s for outcome in outcomes) / 60 or math.nan
    spent_s, loop_s, clock_s, other_s = (
        round(sum(getattr(outcome.spent, part) for outcome in outcomes) / minutes, 2)
        for part in ("cpu_s", "loop_s", "clock_s", "other_s")
    )
    idle_s = round(sum(outcome.idle_cores for outcome in outcomes) / len(outcomes) * 60, 2)
    row = Row(name, len(outcomes), f"{spent_s:.2f} s", figures=(spent_s,))
    if calls == 1:
        row = replace(row, target=f"≤ {most_s:g} s", held=spent_s <= most_s)
    parts = f"loop {loop_s:.2f}, clock {clock_s:.2f}, other {other_s:.2f} s"
    return [
        row,
        Row("  by thread", len(outcomes), parts, figures=(loop_s, clock_s, other_s)),
        Row("  a minute without a call", len(outcomes), f"{idle_s:.2f} s", figures=(idle_s,)),
    ]


def _own_account(outcomes: Sequence[Outcome]) -> list[Row]:
    turns = [
        t for o in outcomes for turns in o.turns.values() for t in turns if t["response_gap_ms"] is not None
    ]
    rows = [_gaps("agent's own account of the gap", [turn["response_gap_ms"] for turn in turns])]
    for stage in ("endpoint", "asr", "dialog", "tts"):
        rows.append(
            _gaps(f"  {stage}", [turn["stages_ms"][stage] for turn in turns if stage in turn["stages_ms"]])
        )
    return rows
