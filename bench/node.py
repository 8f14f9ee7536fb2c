"""One node under load: `hotline serve` on a core of its own, and what it costs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hotline import children

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SETTINGS = """
[sip]
host = "127.0.0.1"
port = 0
[desk]
port = 0
[tts]
engine = "espeak"
cache_dir = "{folder}/tts-cache"
[limits]
max_calls = {max_calls}
[log]
level = "warning"
"""
REMOTE = '[asr]\nengine = "vosk-ws"\nservers = ["ws://127.0.0.1:{port}"]\nserver_reuse = true\n'
SILENT = "[turns]\nno_input_s = 60.0\n"


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time so far, by thread, and memory now."""

    loop_s: float  # the main thread: the event loop
    clock_s: float  # pjsua2's clock: the conference bridge, and our two callbacks for each leg
    other_s: float  # recognition, voices, records, recordings, SIP
    memory_mib: float

    @property
    def cpu_s(self) -> float:
        """Of the whole process."""
        return self.loop_s + self.clock_s + self.other_s


class Node:
    """The running node, seen from outside."""

    def __init__(self, agent: children.Agent, folder: Path) -> None:
        self._agent = agent
        self._folder = folder
        host, port = agent.sip.rsplit(":", 1)
        self.address = (host, int(port))

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._agent.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._agent.process.poll() is None

    def usage(self) -> Usage:
        """What it has used so far; from /proc, for Linux."""
        process = Path(f"/proc/{self.pid}")
        loop_s = clock_s = 0.0
        for task in (process / "task").iterdir():
            spent_s = int((task / "schedstat").read_text().split()[0]) / 1e9
            if task.name == str(self.pid):
                loop_s = spent_s
            elif (task / "comm").read_text().strip() == "clock":
                clock_s = spent_s
        ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]  # of ended threads too
        other_s = sum(map(int, ticks)) / TICKS_PER_S - loop_s - clock_s
        memory = re.search(r"^VmRSS:\s+(\d+) kB", (process / "status").read_text(), re.M)
        assert memory
        return Usage(loop_s, clock_s, other_s, int(memory[1]) / 1024)

    def metrics(self) -> dict[str, float]:
        """What it says of itself at /metrics, without labelled series."""
        text = httpx.get(f"{self._agent.desk_url}/metrics", headers=self._headers(), timeout=30).text
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}

    def turns(self, pages: int) -> list[dict[str, Any]]:
        """The agent's turns that answered somebody, of the latest calls; slow, so not under load."""
        with httpx.Client(base_url=self._agent.desk_url, headers=self._headers(), timeout=30) as desk:
            ids = [
                item["id"]
                for page in range(1, pages + 1)
                for item in desk.get("/api/v1/calls", params={"page": page}).json()["items"]
            ]
            return [
                turn
                for call_id in dict.fromkeys(ids)
                for turn in desk.get(f"/api/v1/calls/{call_id}").json()["turns"]
                if turn["response_gap_ms"] is not None
            ]

    def forget_recordings(self, older_than: float) -> None:
        """Delete recordings that ended before this time, so that a long run does not fill the disk."""
        for path in (self._folder / "recordings").rglob("*.*"):
            if path.is_file() and path.stat().st_mtime < older_than:
                path.unlink()

    def troubles(self) -> list[str]:
        """The lines of its log, which are warnings and errors."""
        lines = (self._folder / "agent.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "warning" in line or "error" in line]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._agent.token}"}


@contextmanager
def node(folder: Path, *, asr: str, max_calls: int, node_core: int, load_core: int) -> Iterator[Node]:
    """A node on one core, and ourselves on another; `asr` builtin, remote (a stand-in answers) or none."""
    settings = SETTINGS.format(folder=folder, max_calls=max_calls)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {load_core})
        if asr == "remote":
            command = [sys.executable, "-m", "bench.words_server"]
            server = stack.enter_context(children.child("words", folder, command))
            settings += REMOTE.format(port=children.wait_for(server, _port, folder / "words.log"))
        elif asr == "none":
            settings += SILENT
        os.sched_setaffinity(0, {node_core})  # inherited by the node, and with it all its threads
        agent = stack.enter_context(children.agent(folder, settings))
        os.sched_setaffinity(0, {load_core})
        yield Node(agent, folder)


def _port(line: str) -> int | None:
    match = re.match(r"ready (\d+)", line)
    return int(match[1]) if match else None
