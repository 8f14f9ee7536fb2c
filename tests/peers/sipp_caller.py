"""sipp as a caller: runs one of the scenarios in tests/sip/scenarios/ against an agent."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.sip.agent import ROOT, Agent

SIPP = shutil.which("sipp")
NEEDS_SIPP = pytest.mark.skipif(SIPP is None, reason="sipp is not installed (Debian package sip-tester)")
SCENARIOS = ROOT / "tests" / "sip" / "scenarios"
TIMEOUT_S = 40


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario once: who calls, from where, over what; `host` is the agent's, as sipp writes it."""

    scenario: str
    number: str
    local: str = "127.0.0.1"
    host: str = "127.0.0.1"
    transport: str = "u1"
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How sipp ended: 0 when every message came as the scenario says; `why` is its log."""

    code: int
    why: str


def run_sipp(agent: Agent, run: Run) -> Result:
    """Run it to its end."""
    assert SIPP is not None
    log = agent.folder / f"{run.scenario}-{run.number}.log"
    command = [SIPP, f"{run.host}:{agent.address[1]}", "-sf", str(SCENARIOS / f"{run.scenario}.xml")]
    command += ["-m", "1", "-nostdin", "-i", run.local, "-mi", run.local, "-t", run.transport]
    command += ["-timeout", str(TIMEOUT_S), "-timeout_error", "-trace_err", "-error_file", log.name]
    for name, value in {"number": run.number, **run.keys}.items():
        command += ["-key", name, value]
    done = subprocess.run(
        command, cwd=agent.folder, capture_output=True, text=True, timeout=TIMEOUT_S + 20, check=False
    )
    why = log.read_text(errors="replace") if log.exists() else done.stderr + done.stdout
    return Result(done.returncode, why)
