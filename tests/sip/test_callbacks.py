"""Call-backs over real SIP: whom no seat could take is rung at home and given to one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dialog.scripts import load_script
from hotline.demo_seat import HELLO
from tests.sip.agent import (
    ROOT,
    Agent,
    environment,
    eventually,
    kinds,
    read_stereo,
    recognised,
    running_agent,
    share_heard,
    words,
)

pytestmark = [pytest.mark.sip]

SCRIPT = load_script("callback", "临江市")


@dataclass(slots=True)
class Telling:
    """A process that prints what happens to it, one JSON object a line."""

    process: subprocess.Popen[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    def until(self, event: str) -> dict[str, Any]:
        """What it told with this event, once it has."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(f"{event} was never told: {self.told}")


@contextmanager
def telling(*command: str) -> Iterator[Telling]:
    """Such a process for the length of a with block."""
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Telling(process)
        finally:
            process.kill()


def callback(agent: Agent, status: str) -> dict[str, Any]:
    """The only call-back, once it has this status."""

    def found() -> dict[str, Any] | None:
        items = agent.api.get("/api/v1/callbacks").json()["items"]
        assert len(items) <= 1, "one caller, one call-back"
        return items[0] if items and items[0]["status"] == status else None

    one: dict[str, Any] = eventually(found, timeout_s=90)
    return one


def free(agent: Agent, status: str) -> None:
    agent.api.post("/api/v1/seats/8001/status", json={"status": status}).raise_for_status()


@pytest.mark.timeout(300)
def test_whom_no_seat_could_take_is_called_back_and_talks_to_one(tmp_path: Path, voice_cache: Path) -> None:
    recording = tmp_path / "home.wav"
    with (
        telling("hotline.demo_seat") as seat,
        telling("tests.sip.person", "对，是我", str(recording)) as home,
    ):
        seats = [{"id": "8001", "name": "小李", "uri": seat.until("ready")["uri"]}]
        with running_agent(
            tmp_path / "agent",
            voice_cache,
            sip={"trunks": [{"name": "carrier", "uri": home.until("ready")["uri"]}]},
            seats={"seats": seats},
            callbacks={"hours": "00:00-24:00", "retry_after_min": 0.2},
        ) as agent:
            free(agent, "away")
            caller = agent.ring("--at-once", "--dtmf", "0", "--stay", "60")
            caller.report()
            first = agent.record(caller.number)
            assert (first["outcome"], first["transfer"]["outcome"]) == ("callback", "no_seat")
            assert "callback_promised" in kinds(first)
            promised = callback(agent, "waiting")
            assert (promised["caller"], promised["call_id"]) == (caller.number, first["id"])

            free(agent, "free")
            assert home.until("ringing")["called"] == caller.number
            seat.until("talking")
            done = callback(agent, "done")
            home.until("over")
            second = agent.api.get(f"/api/v1/calls/{done['done_in']}").json()
    assert (done["result"], done["attempts"]) == ("connected", 1)
    assert second["callee"] == caller.number
    assert {"callback", "transfer_started", "bridged"} <= set(kinds(second))
    assert second["transfer"]["outcome"] == "connected"
    said = words(second, "agent")
    assert said[0] == SCRIPT.opening + SCRIPT.confirm.ask
    assert said[1] == SCRIPT.thanks
    heard = recognised(read_stereo(recording).right)
    assert share_heard(HELLO, heard) > 0.3, heard
