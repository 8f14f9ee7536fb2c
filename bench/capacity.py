"""How many calls one core holds: `python -m bench.capacity [--asr builtin|remote|none] [--json FILE]`.

The node runs on one core, the callers on another; they ask over SIP and RTP on loopback and talk for 40 % of
the time. Calls are added until the response gap, the lateness of the agent's packets or a failure passes its
limit. Without --asr it measures twice: with the built-in model, and with recognition elsewhere.
`--soak MINUTES --calls N` holds N calls instead. See docs/capacity.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.load import PACKET_S, Figures, Load
from bench.node import Node, node
from bench.speech import Clip, clips
from voice.sip import library

WARM_S = 25.0  # before the first step: every answer has been spoken once, and is in the cache
SAMPLE_S = 10.0  # of a soak, between two looks at memory
FLAT_AFTER_S = 120.0
FLAT = 0.05
UP = 0.97  # of the calls of a step, on average
console = Console(width=140)


@dataclass(slots=True)
class Step:
    """One number of calls, held for a while."""

    calls: int
    up: float  # of them, on average; the others are just ringing or being ended
    node_cpu: float  # cores, of which:
    loop_cpu: float
    clock_cpu: float
    memory_mib: float
    generator_cpu: float
    generator_late_ms: float  # p99
    talk: float
    questions: int
    gap_p50_ms: float
    gap_p95_ms: float
    late_p95_ms: float
    late_p999_ms: float
    late_max_ms: float
    lost: int
    packets: int
    talked_over: int
    ended: int
    failures: dict[str, int]
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: str = ""  # why it is over the limit


def _percentile(values: Sequence[float], share: float) -> float:
    return round(float(np.percentile(values, share * 100)), 1) if len(values) else float("nan")


def _measured(load: Load, system: Node, seconds: float) -> Step:
    """Hold what is up for so long and sum up what was seen."""
    load.figures = figures = Figures()
    before, own_before, begun = system.usage(), time.process_time(), time.perf_counter()
    load.run(seconds)
    after, own_s, took_s = system.usage(), time.process_time() - own_before, time.perf_counter() - begun
    return Step(
        calls=load.target,
        up=round(figures.sent * PACKET_S / took_s, 1),
        node_cpu=round((after.cpu_s - before.cpu_s) / took_s, 3),
        loop_cpu=round((after.loop_s - before.loop_s) / took_s, 3),
        clock_cpu=round((after.clock_s - before.clock_s) / took_s, 3),
        memory_mib=round(after.memory_mib, 1),
        generator_cpu=round(own_s / took_s, 3),
        generator_late_ms=_percentile(figures.own_late_ms, 0.99),
        talk=round(figures.sent_speech / max(1, figures.sent), 3),
        questions=figures.questions,
        gap_p50_ms=_percentile(figures.gap_ms, 0.5),
        gap_p95_ms=_percentile(figures.gap_ms, 0.95),
        late_p95_ms=_percentile(figures.late_ms, 0.95),
        late_p999_ms=_percentile(figures.late_ms, 0.999),
        late_max_ms=_percentile(figures.late_ms, 1.0),
        lost=figures.lost,
        packets=len(figures.late_ms),
        talked_over=figures.talked_over,
        ended=figures.ended,
        failures=dict(figures.failures),
    )


def _verdict(step: Step, first: Step, options: argparse.Namespace) -> str:
    """Why this step is over the limit, "" where it is not."""
    if step.failures:
        return ", ".join(f"{count} x {what}" for what, count in step.failures.items())
    if step.up < UP * step.calls:
        return f"only {step.up:g} calls were up"
    if step.gap_p95_ms > first.gap_p95_ms + options.gap_ms:
        return f"gap p95 over {first.gap_p95_ms + options.gap_ms:.0f} ms"
    if step.late_p95_ms > options.late_ms:
        return f"late p95 over {options.late_ms:g} ms"
    if step.late_p999_ms > options.late_worst_ms:
        return f"late p99.9 over {options.late_worst_ms:g} ms"
    return ""


def _ramp(load: Load, system: Node, options: argparse.Namespace, table: Table) -> list[Step]:
    steps: list[Step] = []
    for wanted in range(options.start, options.max + 1, options.step):
        reached_s = (wanted - load.target) / options.rate
        load.target, load.figures = wanted, Figures()
        load.run(reached_s + options.settle + (0 if steps else options.warm))
        on_the_way = load.figures.failures
        step = _measured(load, system, options.seconds)
        step.failures = dict(Counter(step.failures) + (on_the_way if steps else Counter()))
        if not system.alive:
            step.failures["the node ended"] = 1
        steps.append(step)
        step.verdict = _verdict(step, steps[0], options)
        _add(table, step)
        console.print(f"  {wanted} calls: {step.verdict or 'held'}", style="dim")
        if step.verdict:
            break
        step.metrics = system.metrics()
    return steps


COLUMNS = (
    "calls|CPU|loop|clock|MiB|gap p50|gap p95|late p95|p99.9|max|lost|asked|talk|callers' CPU|over the limit"
)


def _table(title: str) -> Table:
    table = Table(title=title)
    for column in COLUMNS.split("|"):
        table.add_column(column, justify="left" if column.startswith("over") else "right")
    return table


def _add(table: Table, step: Step) -> None:
    table.add_row(
        f"{step.calls}",
        *(f"{cores:.0%}" for cores in (step.node_cpu, step.loop_cpu, step.clock_cpu)),
        f"{step.memory_mib:.0f}",
        *(f"{gap:.0f}" for gap in (step.gap_p50_ms, step.gap_p95_ms)),
        *(f"{late:.1f}" for late in (step.late_p95_ms, step.late_p999_ms, step.late_max_ms)),
        f"{step.lost / max(1, step.packets):.2%}",
        f"{step.questions}",
        f"{step.talk:.0%}",
        f"{step.generator_cpu:.0%}",
        step.verdict,
    )


def _sum_up(steps: Sequence[Step]) -> dict[str, float]:
    """The largest number held and what a call costs there."""
    held = [step for step in steps if not step.verdict]
    if not held:
        return {"calls": 0}
    first, last = held[0], held[-1]
    more = last.calls - first.calls
    return {
        "calls": last.calls,
        "cpu_per_call": round(last.node_cpu / max(1, last.calls), 4),
        "mib_per_call": round((last.memory_mib - first.memory_mib) / more, 2) if more else float("nan"),
        "gap_p95_ms": last.gap_p95_ms,
    }


def _stages(turns: Sequence[dict[str, Any]]) -> Table:
    """The agent's own account of the response gap."""
    table = Table("ms", "turns", "p50", "p95", title="the agent's own account, latest calls")
    rows = {"response gap": [turn["response_gap_ms"] for turn in turns]}
    for stage in ("endpoint", "asr", "dialog", "tts"):
        rows[stage] = [turn["stages_ms"][stage] for turn in turns if stage in turn["stages_ms"]]
    for name, values in rows.items():
        table.add_row(name, str(len(values)), *(f"{_percentile(values, share):.0f}" for share in (0.5, 0.95)))
    return table


def _capacity(asr: str, spoken: Sequence[Clip], options: argparse.Namespace) -> dict[str, Any]:
    """Ramp one node; its steps and what they come to."""
    names = {"builtin": "the built-in model", "remote": "recognition elsewhere", "none": "silent callers"}
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        _node(Path(folder), asr, options) as system,
    ):
        load = _load(system, asr, spoken, options)
        table = _table(f"one node on one core, {names[asr]}")
        try:
            steps = _ramp(load, system, options, table)
            load.stop()
            turns = system.turns(pages=4) if system.alive else []
        finally:
            console.print(table)
        console.print(_stages(turns))
        _tell_troubles(system)
    found = _sum_up(steps)
    console.print(f"[bold]{names[asr]}: {found['calls']:.0f} calls[/] " + _cost(found) + "\n")
    return {"asr": asr, "found": found, "steps": [asdict(step) for step in steps]}


def _cost(found: dict[str, float]) -> str:
    if "cpu_per_call" not in found:
        return "(the first step was not held)"
    return f"at {found['cpu_per_call']:.2%} of a core and {found['mib_per_call']:.1f} MiB each"


def _soak(asr: str, spoken: Sequence[Clip], options: argparse.Namespace) -> dict[str, Any]:
    """Hold --calls for --soak minutes: no failure, memory flat after the first two minutes."""
    samples: list[tuple[float, float]] = []
    steps: list[Step] = []
    failures: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        _node(Path(folder), asr, options) as system,
    ):
        load = _load(system, asr, spoken, options)
        table = _table(f"{options.calls} calls for {options.soak:g} minutes, {asr}; each minute")
        load.target = options.calls
        begun = time.monotonic()
        while (elapsed_s := time.monotonic() - begun) < options.soak * 60 and system.alive:
            steps.append(_measured(load, system, SAMPLE_S))
            samples.append((elapsed_s + SAMPLE_S, steps[-1].memory_mib))
            failures.update(steps[-1].failures)
            if len(steps) % 6 == 0:
                _add(table, steps[-1])
                system.forget_recordings(time.time() - 60)
        failures.update({} if system.alive else {"the node ended": 1})
        load.stop()
        failures.update(load.figures.failures)
        console.print(table)
        _tell_troubles(system)
    settled = [memory for at_s, memory in samples if at_s > FLAT_AFTER_S] or [samples[-1][1]]
    growth = max(settled) / settled[0] - 1
    ended = sum(step.ended for step in steps)
    gaps = [step.gap_p95_ms for step in steps if step.questions]
    console.print(
        f"[bold]{ended} calls ended as they should[/], failures: {dict(failures) or 'none'}; memory "
        f"{settled[0]:.0f} MiB after two minutes, at most {max(settled):.0f} later ({growth:+.1%}); "
        f"median gap p95 {np.nanmedian(gaps) if gaps else float('nan'):.0f} ms"
    )
    found = {"ended": ended, "failures": dict(failures), "growth": growth, "memory_mib": samples}
    return {"asr": asr, "found": found, "steps": [asdict(step) for step in steps]}


def _node(folder: Path, asr: str, options: argparse.Namespace) -> Any:
    return node(
        folder, asr=asr, max_calls=options.legs, node_core=options.node_core, load_core=options.load_core
    )


def _load(system: Node, asr: str, spoken: Sequence[Clip], options: argparse.Namespace) -> Load:
    said = () if asr == "none" else spoken
    return Load(system.address, said, talk=options.talk, hold_s=options.hold, rate=options.rate)


def _tell_troubles(system: Node) -> None:
    troubles = system.troubles()
    if troubles:
        console.print(
            f"[red]the node logged {len(troubles)} warnings and errors, e.g.[/] {troubles[-1][:300]}"
        )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.capacity", description=__doc__)
    cores = sorted(os.sched_getaffinity(0))
    add = parser.add_argument
    add("--asr", choices=("builtin", "remote", "none"), help="default: builtin, then remote")
    add("--start", type=int, default=10, metavar="CALLS")
    add("--step", type=int, default=10, metavar="CALLS")
    add("--max", type=int, default=200, metavar="CALLS")
    add("--seconds", type=float, default=20.0, help="each step is measured for so long")
    add("--settle", type=float, default=6.0, help="after the calls of a step have been made, in s")
    add("--warm", type=float, default=WARM_S, help="more of that before the first step, in s")
    add("--hold", type=float, default=60.0, help="length of a call in s, a quarter more or less")
    add("--talk", type=float, default=0.4, help="the callers' share of the time; 0: they never interrupt")
    add("--rate", type=float, default=4.0, help="new calls in a second")
    add("--gap-ms", type=float, default=100.0, help="the gap's p95 may be so much over the first step's")
    add("--late-ms", type=float, default=20.0, help="limit of the packets' lateness, p95")
    add("--late-worst-ms", type=float, default=60.0, help="the same, p99.9")
    add("--soak", type=float, default=0.0, metavar="MINUTES", help="hold --calls instead of a ramp")
    add("--calls", type=int, default=20)
    add("--node-core", type=int, default=cores[0])
    add("--load-core", type=int, default=cores[-1])
    add("--folder", help="for the node's records and recordings; default: the system's temporary one")
    add("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when the first step or the soak was not held, 2 where the build is too small."""
    options = _options(arguments)
    build = library.build_info()
    options.legs = build.max_legs
    wanted = options.calls if options.soak else options.start
    if build.max_legs < max(wanted, options.max):
        console.print(
            f"this build of pjsua2 allows {build.max_legs} legs; `make pjsua2` makes one for real use"
        )
        options.max = min(options.max, build.max_legs)
        if build.max_legs < wanted:
            return 2
    if options.node_core == options.load_core:
        console.print("[yellow]the callers share the node's core: its figures are worse than they would be")
    spoken = clips()
    gc.disable()  # a collection would hold up every caller
    run = _soak if options.soak else _capacity
    results = [run(asr, spoken, options) for asr in ([options.asr] if options.asr else ["builtin", "remote"])]
    if options.json:
        about = {"pjsua2": asdict(build), "python": platform.python_version(), "cores": os.cpu_count()}
        text = json.dumps(
            {"about": about, "options": vars(options), "results": results}, default=str, indent=1
        )
        options.json.write_text(text, encoding="utf-8")
    return 0 if all(_good(result["found"]) for result in results) else 1


def _good(found: dict[str, Any]) -> bool:
    if "growth" in found:
        return not found["failures"] and found["growth"] <= FLAT
    return bool(found["calls"])


if __name__ == "__main__":
    sys.exit(main())
