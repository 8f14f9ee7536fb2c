"""Conversation timing over real calls: `python -m bench.latency [PARTS…] [--calls 1 10] [--turns N]`.

Agents are processes of their own, callers another; they talk SIP and RTP on loopback, A-law, no LLM. A gap is
from the last packet with sound that a caller sent to the first that it received, by the kernel's clock.
"1 call at a time" is one call on its agent; several such agents run side by side to save time. Speech of
people and noise come from ../shared/data; without it only the synthetic parts run. See docs/turn-taking.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.turns_parts import DATA, PARTS
from bench.turns_rows import NOT_ANSWERED, NOT_SAID, Row
from bench.turns_run import Outcome, carry_out

NEED_DATA = ("human", "interruptions", "noises")
console = Console(width=120)


def _outcomes(names: Sequence[str], calls: int, turns: int) -> Iterator[tuple[str, list[Outcome]]]:
    """Carry out all parts at so many calls at a time: one after the other, or single calls side by side."""
    for alone in (False, True):
        some = [name for name in names if PARTS[name].alone is alone]
        yield from _carried_out(some, calls, turns, side_by_side=calls == 1 and not alone)


def _carried_out(
    names: Sequence[str], calls: int, turns: int, *, side_by_side: bool
) -> Iterator[tuple[str, list[Outcome]]]:
    runs = {name: PARTS[name].runs(calls, turns) for name in names}
    at_once = max(1, sum(map(len, runs.values()))) if side_by_side else 1
    together = threading.Barrier(at_once)
    with ThreadPoolExecutor(at_once) as pool:
        under_way: dict[str, list[Future[Outcome]]] = {
            name: [pool.submit(carry_out, run, calls, together) for run in some]
            for name, some in runs.items()
        }
        for name, some in under_way.items():
            yield name, [future.result() for future in some]


def _show(title: str, rows: Sequence[Row]) -> None:
    table = Table("", title=title, title_justify="left")
    for column in ("of", "measured", "target"):
        table.add_column(column, justify="right")
    for row in rows:
        colour = {True: "green", False: "bold red", None: ""}[row.held]
        table.add_row(row.name, str(row.count), row.result, row.target, style=colour)
    console.print(table)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PARTS", help=", ".join(PARTS))
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10], help="at a time")
    parser.add_argument("--turns", type=int, default=102, help="of each part at each number of calls")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the calls, print the tables; 1 when something was not answered."""
    options = _options(arguments)
    names = options.parts or [name for name, part in PARTS.items() if not part.alone]
    if not DATA.is_dir():
        names = [name for name in names if name not in NEED_DATA]
        console.print(f"no speech of people at {DATA}: only {', '.join(names) or 'nothing'} can be measured")
    results: list[dict[str, Any]] = []
    begun = time.monotonic()
    for calls in options.calls:
        here = [name for name in names if PARTS[name].everywhere or calls == max(options.calls)]
        for name, outcomes in _outcomes(here, calls, options.turns):
            rows = PARTS[name].rows(outcomes, calls)
            _show(f"{PARTS[name].title}; {calls} at a time", rows)
            results.append({"part": name, "calls": calls, "rows": [asdict(row) for row in rows]})
            for trouble, times in Counter(line for o in outcomes for line in o.troubles).most_common(3):
                console.print(f"[red]the agent logged {times} times:[/] {trouble[:200]}")
    console.print(f"{time.monotonic() - begun:.0f} s")
    if options.json:
        about = {"machine": platform.platform(), "turns": options.turns}
        options.json.write_text(
            json.dumps({"about": about, "results": results}, ensure_ascii=False, indent=1)
        )
    missed = [row for result in results for row in result["rows"] if row["held"] is False]
    return int(any(row["name"] in (NOT_ANSWERED, NOT_SAID) for row in missed))


if __name__ == "__main__":
    sys.exit(main())
