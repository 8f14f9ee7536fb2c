"""One run of the timing benchmark: an agent, callers in a process of their own, and what became of it."""

from __future__ import annotations

import csv
import json
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.node import REMOTE, Node, Usage
from bench.turns_script import Clip, Plan, Report, Script, Trace
from hotline import children

CALLER_TIMEOUT_S = 900.0
SETTLE_S, IDLE_CORES = 60, 0.1
IDLE_S = 5.0
READY_TIMEOUT_S = 240.0
EXPECTED = "synthetic voices only"  # what the built-in recogniser says of itself
SETTINGS = """
[sip]
host = "127.0.0.1"
port = 0
[desk]
port = 0
[tts]
engine = "espeak"
cache_dir = "{folder}/tts-cache"
[dialog]
knowledge = "{knowledge}"
[log]
level = "warning"
format = "json"
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be said to one agent; `stand_in`: its recogniser knows the clips, else it is the built-in.

    `knowledge` are questions with answers; None for the sample.
    """

    scripts: tuple[Script, ...]
    clips: Mapping[str, Clip]
    stand_in: bool
    knowledge: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's traces, each with its call's turns in the agent's record, and what the agent needed for it."""

    run: Run
    report: Report
    turns: Mapping[str, list[dict[str, Any]]]  # by Trace.number
    spent: Usage
    idle_cores: float  # of it, the agent uses without a call
    call_s: float  # all calls together
    known_s: tuple[float, float] = (0.0, 0.0)  # audio that the stand-in knew, of all it was sent
    troubles: tuple[str, ...] = ()  # what the agent logged

    @property
    def traces(self) -> list[Trace]:
        """Of all calls."""
        return self.report.traces

    @property
    def failures(self) -> list[str]:
        """What went wrong with calls."""
        return [trace.failure for trace in self.traces if trace.failure]


def carry_out(run: Run, at_a_time: int, together: threading.Barrier) -> Outcome:
    """Start an agent for it, have everything said, stop the agent. Raises HotlineError.

    The calls of runs side by side begin when all their agents are ready.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        settings = SETTINGS.format(folder=folder, knowledge=_knowledge(folder, run.knowledge))
        if run.stand_in:
            clips_file = folder / "clips.pickle"
            clips_file.write_bytes(pickle.dumps(list(run.clips.values())))
            command = [sys.executable, "-m", "bench.turns_words", str(clips_file)]
            server = stack.enter_context(children.child("words", folder, command))
            settings += REMOTE.format(port=children.wait_for(server, _port, folder / "words.log"))
        agent = stack.enter_context(children.agent(folder, settings))
        node = Node(agent, folder)
        _settle(node)
        before = node.usage()
        time.sleep(IDLE_S)
        idle = _spent(before, node.usage())
        together.wait(READY_TIMEOUT_S)
        before = node.usage()
        report = _call(Plan(node.address, at_a_time, run.scripts, run.clips), folder)
        spent = _spent(before, node.usage())
        turns = _records(agent, report.traces)
        troubles = tuple(_trouble(line) for line in node.troubles() if EXPECTED not in line)
        if run.stand_in:
            server.terminate()
            server.wait(children.STOP_TIMEOUT_S)
        known = re.search(r"known (\d+) s of (\d+) s", _log(folder / "words.log"))
        return Outcome(
            run,
            report,
            turns,
            spent,
            idle.cpu_s / IDLE_S,
            sum(trace.over_at - trace.up_at for trace in report.traces if trace.up_at),
            (float(known[1]), float(known[2])) if known else (0.0, 0.0),
            troubles,
        )


def _call(plan: Plan, folder: Path) -> Report:
    plan_file, report_file = folder / "plan.pickle", folder / "report.pickle"
    plan_file.write_bytes(pickle.dumps(plan))
    command = [sys.executable, "-m", "bench.turns_caller", str(plan_file), str(report_file)]
    subprocess.run(command, check=True, timeout=CALLER_TIMEOUT_S, env=children.clean_env())
    report: Report = pickle.loads(report_file.read_bytes())
    return report


def _knowledge(folder: Path, questions: Mapping[str, str] | None) -> str:
    if questions is None:
        return "sample"
    file = folder / "knowledge.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["question", "answer"])
        rows.writerows(questions.items())
    return str(file)


def _settle(node: Node) -> None:
    """Wait until the agent, which serves already, has made the sentences that it keeps ready."""
    spent_s = node.usage().cpu_s
    for _ in range(SETTLE_S):
        time.sleep(1)
        before_s, spent_s = spent_s, node.usage().cpu_s
        if spent_s - before_s < IDLE_CORES:
            return


def _spent(before: Usage, after: Usage) -> Usage:
    return Usage(
        after.loop_s - before.loop_s,
        after.clock_s - before.clock_s,
        after.other_s - before.other_s,
        after.memory_mib,
    )


def _records(agent: children.Agent, traces: Iterable[Trace]) -> dict[str, list[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {agent.token}"}
    turns: dict[str, list[dict[str, Any]]] = {}
    with httpx.Client(base_url=agent.desk_url, headers=headers, timeout=30) as desk:
        for trace in traces:
            items = desk.get("/api/v1/calls", params={"caller": trace.number}).json()["items"]
            turns[trace.number] = desk.get(f"/api/v1/calls/{items[0]['id']}").json()["turns"] if items else []
    return turns


def _port(line: str) -> int | None:
    match = re.match(r"ready (\d+)", line)
    return int(match[1]) if match else None


def _log(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _trouble(line: str) -> str:
    """A line of the agent's log without what differs each time."""
    told: dict[str, Any] = json.loads(line)
    raised = [f"{error['exc_type']}: {error['exc_value']}" for error in told.get("exception", [])]
    return " ".join([str(told["event"]), *raised, str(told.get("cause") or told.get("error") or "")]).strip()
