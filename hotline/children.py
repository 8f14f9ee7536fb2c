"""The program's own processes as children: an agent with settings of its own, a caller, a seat."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hotline.errors import HotlineError

T = TypeVar("T")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Agent:
    """A running `hotline serve`: where it takes calls, its desk, and the token for it."""

    process: subprocess.Popen[str]
    sip: str
    desk_url: str
    token: str


@contextmanager
def child(
    name: str, folder: Path, command: list[str], secrets: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[str]]:
    """A process whose log is FOLDER/NAME.log; ended by SIGTERM, then by force.

    It does not inherit the user's own HOTLINE_ settings; `secrets` are added to its environment.
    """
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**clean_env(), **secrets}
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def agent(folder: Path, settings: str) -> Iterator[Agent]:
    """`hotline serve` with these settings (TOML), its records in `folder`. Raises HotlineError."""
    config = folder / "hotline.toml"
    records = f'[records]\nurl = "sqlite:///{folder}/hotline.db"\ndir = "{folder}/recordings"\n'
    config.write_text(records + settings, encoding="utf-8")
    token = os.urandom(16).hex()
    secrets = {"HOTLINE_DESK__API_TOKEN": token, "HOTLINE_DIALOG__INDEX_DIR": str(folder / "knowledge")}
    command = [sys.executable, "-m", "hotline", "serve", "--config", str(config)]
    with child("agent", folder, command, secrets) as process:
        sip, desk_url = wait_for(process, _ready, folder / "agent.log")
        yield Agent(process, sip, desk_url, token)


def wait_for(process: subprocess.Popen[str], wanted: Callable[[str], T | None], log: Path) -> T:
    """The first thing `wanted` finds in a child's output; if it ends without, HotlineError."""
    assert process.stdout is not None
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            if (found := wanted(line)) is not None:
                return found
    finally:
        timer.cancel()
    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
    raise HotlineError(f"{log.stem} did not start: {last[0] if last else 'it said nothing'}")


def clean_env() -> dict[str, str]:
    """The environment without the user's own settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")}


def _ready(line: str) -> tuple[str, str] | None:
    match = re.match(r"ready sip=(\S+) desk=(\S+)", line)
    return (match[1].replace("0.0.0.0", "127.0.0.1"), match[2]) if match else None
