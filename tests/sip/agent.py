"""A running agent in a process of its own, and callers that ring it: what the tests over real SIP share."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from hotline import speech
from hotline.sections import AsrSettings
from records.store import Store

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-these-tests"
START_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 60.0
RTP_FIRST, RTP_OF_AGENT = 10_000, 200  # ports; all below those that systems choose
RTP_OF_WORKER, RTP_WORKERS = 5_000, 4
KNOWLEDGE = """question,answer,phrasings,department,source
社保卡丢了怎么补办？,请您带上身份证，到银行网点补办。,请问社保卡丢了怎么补办,市人力资源和社会保障局,《社保卡办理指南》
"""
QUESTION = "请问社保卡丢了怎么补办"
ANSWER = "请您带上身份证，到银行网点补办。"
UNKNOWN = "我想问一下无人机飞行许可怎么申请"
TO_SEAT = "转人工"


def environment(**extra: str) -> dict[str, str]:
    """This process's, without settings of the user's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def eventually(look: Callable[[], Any], *, timeout_s: float = 20.0) -> Any:
    """What `look` finds as soon as it finds something; a poll, because the other side is a process."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s"
        time.sleep(0.05)
    return found


@dataclass(slots=True)
class Caller:
    """A `hotline call` under way."""

    process: subprocess.Popen[str]
    number: str

    def report(self) -> dict[str, Any]:
        """Wait for the end; the caller's JSON report."""
        out, err = self.process.communicate(timeout=CALL_TIMEOUT_S)
        assert out, err
        report: dict[str, Any] = json.loads(out)
        return report

    def hang_up(self) -> None:
        """Ctrl-C: it says BYE and ends."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=CALL_TIMEOUT_S)

    def kill(self) -> None:
        """End it without a BYE, if it runs still."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Agent:
    """One `hotline serve` process; its settings and data are in `folder`, other packages first in `path`."""

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]], path: str = "") -> None:
        self.folder = folder
        self._path = path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "knowledge.csv").write_text(KNOWLEDGE, encoding="utf-8")
        (folder / "hotline.toml").write_text(_toml(settings), encoding="utf-8")
        self._callers: list[Caller] = []
        self._numbers = iter(range(13900000001, 13900001000))
        self.start()

    def start(self) -> None:
        """Start the process and wait until it takes calls."""
        path = (self._path, str(ROOT))
        with (self.folder / "serve.err").open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hotline", "serve"],
                cwd=self.folder,
                env=environment(
                    HOTLINE_DESK__API_TOKEN=TOKEN, PYTHONPATH=os.pathsep.join(filter(None, path))
                ),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.fullmatch(r"ready sip=(127\.0\.0\.1:\d+) desk=(http://127\.0\.0\.1:\d+)\n", line)
        assert match, f"{line!r}; {self.errors()[-2000:]}"
        self.sip, self.desk = match.groups()
        self.address = ("127.0.0.1", int(self.sip.rpartition(":")[2]))
        self.api = httpx.Client(
            base_url=self.desk, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=CALL_TIMEOUT_S
        )

    def errors(self) -> str:
        """What it wrote to stderr: its log."""
        return (self.folder / "serve.err").read_text(encoding="utf-8")

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9, then forget it."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """End it and every caller; whatever a test left running."""
        for caller in self._callers:
            caller.kill()
        self._callers.clear()
        if self.process.poll() is None:
            self.process.kill()
        self._reap()

    def _reap(self) -> None:
        self.api.close()
        with self.process:
            self.process.wait(timeout=10)

    def ring(self, *arguments: str) -> Caller:
        """Start a synthetic caller with a number of its own."""
        number = str(next(self._numbers))
        command = [sys.executable, "-m", "hotline", "call", f"sip:12345@{self.sip}", "--json"]
        process = subprocess.Popen(
            [*command, "--from", number, *arguments],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._callers.append(Caller(process, number))
        return self._callers[-1]

    def call_of(self, number: str) -> dict[str, Any] | None:
        """The newest record of that caller's number."""
        items = self.api.get("/api/v1/calls", params={"caller": number}).json()["items"]
        return self.api.get(f"/api/v1/calls/{items[0]['id']}").json() if items else None

    def record(self, number: str) -> dict[str, Any]:
        """That caller's record, once the call has ended."""

        def ended() -> dict[str, Any] | None:
            call = self.call_of(number)
            return call if call and call["ended_at"] else None

        call: dict[str, Any] = eventually(ended)
        return call

    def until_event(self, number: str, kind: str, *, timeout_s: float = 30.0) -> None:
        """Wait until the running call's record has an event of this kind."""
        eventually(lambda: kind in kinds(self.call_of(number)), timeout_s=timeout_s)

    def recording(self, call: Mapping[str, Any]) -> Sound:
        """The call's recording as the desk serves it."""
        path = self.folder / f"{call['id']}-served.wav"
        reply = self.api.get(f"/api/v1/calls/{call['id']}/recording.wav")
        assert reply.status_code == 200
        path.write_bytes(reply.content)
        return read_stereo(path)


def kinds(call: Mapping[str, Any] | None) -> list[str]:
    """The kinds of a record's events, in order."""
    return [event["kind"] for event in call["events"]] if call else []


def words(call: Mapping[str, Any], who: str) -> list[str]:
    """What one side said, turn by turn."""
    return [turn["text"] for turn in call["turns"] if turn["who"] == who]


def stored_call(agent: Agent, number: str) -> dict[str, Any]:
    """The record of a caller's only call, read while its agent does not run."""
    store = Store(f"sqlite:///{agent.folder}/data/hotline.db")
    try:
        call = store.call(store.calls(None, None, number, "", "", 1)["items"][0]["id"])
    finally:
        store.close()
    assert call is not None
    return call


@dataclass(frozen=True, slots=True)
class Sound:
    """A stereo recording: mono s16le at 8 kHz of each channel."""

    left: bytes
    right: bytes

    @property
    def duration_s(self) -> float:
        return len(self.left) / 16000


def read_stereo(path: Path) -> Sound:
    """A stereo WAV whose header says the truth about its length."""
    with wave.open(str(path)) as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        assert shape == (2, 2, 8000)
        raw = file.readframes(file.getnframes())
        assert len(raw) == file.getnframes() * 4
    both = np.frombuffer(raw, "<i2").reshape(-1, 2)
    return Sound(both[:, 0].tobytes(), both[:, 1].tobytes())


def recognised(pcm: bytes) -> str:
    """What the built-in recogniser makes of mono s16le at 8 kHz."""

    async def run() -> str:
        recognizer = speech.open_recognizer(AsrSettings())
        try:
            return (await speech.transcribe(recognizer, pcm)).text
        finally:
            await recognizer.aclose()

    return asyncio.run(run())


def share_heard(said: str, heard: str) -> float:
    """How much of `said` (its characters, without marks, in order) is in `heard`.

    The built-in model knows the agent's voice less well than the callers', so this is not all of it.
    """
    wanted, got = ([char for char in text if char.isalnum()] for text in (said, heard))
    blocks = SequenceMatcher(None, wanted, got, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)


def _toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def voice_cache(factory: pytest.TempPathFactory) -> Path:
    """Synthesised phrases, kept from agent to agent of one test run, also by tests that run side by side."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "voice-cache"


def _rtp_ranges() -> Iterator[str]:
    """Ports for one agent after another; who talked with one that is gone may still send to its ports."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % RTP_WORKERS
    mine = range(RTP_FIRST + worker * RTP_OF_WORKER, RTP_FIRST + (worker + 1) * RTP_OF_WORKER, RTP_OF_AGENT)
    return itertools.cycle(f"{first}-{first + RTP_OF_AGENT - 1}" for first in mine)


_RTP_RANGES = _rtp_ranges()


def settings(cache: Path, **sections: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Loopback, free ports, the offline voice, little knowledge; `sections` are laid over that."""
    base: dict[str, dict[str, Any]] = {
        "sip": {"host": "127.0.0.1", "port": 0, "rtp_ports": next(_RTP_RANGES)},
        "desk": {"port": 0},
        "limits": {
            "loop_late_s": 10.0,
            "asr_late_s": 30.0,
        },  # a machine full of tests is late, not overloaded
        "tts": {"engine": "espeak", "cache_dir": str(cache)},
        "dialog": {"knowledge": "knowledge.csv"},
    }
    for section, values in sections.items():
        base.setdefault(section, {}).update(values)
    return base


@contextlib.contextmanager
def running_agent(
    folder: Path, cache: Path, path: str = "", **sections: Mapping[str, Any]
) -> Iterator[Agent]:
    """An agent for the length of a with block."""
    agent = Agent(folder, settings(cache, **sections), path)
    try:
        yield agent
    finally:
        agent.stop()
