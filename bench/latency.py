"""Response gap of the whole agent over real calls: `python -m bench.latency [TURNS] [CALLERS]`.

Callers are processes of their own; each speaks with a synthetic voice over SIP and RTP on loopback. The gap
is measured by the caller, from the last audible frame it sent to the first audible frame it received (its
jitter buffer included). Beside it, the agent's own account of where the time went.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from hotline import children

QUESTIONS = (
    "请问社保卡丢了怎么补办",
    "居住证怎么办理",
    "公积金贷款最多能贷多少钱",
    "身份证丢了怎么补办",
    "喂你好",
    "暖气费怎么交",
)
VOICES = ("f5", "m8")
STAGES = ("endpoint", "asr", "dialog", "tts")


def _one_call(agent: children.Agent, index: int) -> list[dict[str, Any]]:
    """One caller's turns, as it measured them."""
    command = [sys.executable, "-m", "hotline", "call", f"sip:12345@{agent.sip}", "--json"]
    command += ["--voice", VOICES[index % len(VOICES)]]
    for offset in range(3):
        command += ["--say", QUESTIONS[(index * 3 + offset) % len(QUESTIONS)]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=children.clean_env())
    turns: list[dict[str, Any]] = json.loads(done.stdout)["turns"]
    return turns


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _row(table: Table, name: str, values: Sequence[float]) -> None:
    if values:
        figures = [statistics.median(values), _percentile(values, 0.95), max(values)]
        table.add_row(name, str(len(values)), *(f"{figure:.0f}" for figure in figures))


def main(turns_wanted: int = 30, callers: int = 1) -> int:
    """Make the calls, print the table; 1 when a turn got no answer."""
    console = Console()
    calls = -(-turns_wanted // 3)
    with tempfile.TemporaryDirectory() as folder:
        settings = '[sip]\nhost = "127.0.0.1"\nport = 0\n[desk]\nport = 0\n'
        with children.agent(Path(folder), settings) as agent:
            with ThreadPoolExecutor(callers) as pool:
                measured = [
                    turn for turns in pool.map(lambda i: _one_call(agent, i), range(calls)) for turn in turns
                ]
            headers = {"Authorization": f"Bearer {agent.token}"}
            with httpx.Client(base_url=agent.desk_url, headers=headers) as desk:
                ids = [item["id"] for item in desk.get("/api/v1/calls").json()["items"]]
                agent_turns = [
                    turn
                    for call_id in ids
                    for turn in desk.get(f"/api/v1/calls/{call_id}").json()["turns"]
                    if turn["response_gap_ms"] is not None
                ]
    gaps = [turn["response_gap_ms"] for turn in measured if turn["response_gap_ms"] is not None]
    table = Table("ms", "turns", "p50", "p95", "max", title=f"{calls} calls, {callers} at a time")
    _row(table, "response gap, heard by the caller", gaps)
    _row(table, "response gap, agent's own account", [turn["response_gap_ms"] for turn in agent_turns])
    for stage in STAGES:
        _row(
            table,
            f"  {stage}",
            [turn["stages_ms"][stage] for turn in agent_turns if stage in turn["stages_ms"]],
        )
    console.print(table)
    lost = len(measured) - len(gaps)
    if lost:
        console.print(f"[red]{lost} turns got no answer")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
