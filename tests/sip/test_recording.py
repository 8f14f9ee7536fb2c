"""Recordings of real calls: encrypted, paused by command, after a crash, and on a disk that becomes full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.keys import Keys, parse_key
from records.playback import open_recording
from tests.sip.agent import (
    ANSWER,
    QUESTION,
    Agent,
    eventually,
    kinds,
    recognised,
    running_agent,
    share_heard,
    words,
)

pytestmark = [pytest.mark.sip]

KEY = "0123456789abcdef" * 4
BYTES_PER_S = 32000


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Agent]:
    """An agent that encrypts its recordings."""
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "the-key").write_text(KEY + "\n")
    with running_agent(folder, voice_cache, records={"key_file": "the-key"}) as running:
        yield running


def file_of(agent: Agent, call: dict[str, Any]) -> Path:
    [path] = (agent.folder / "data" / "recordings").glob(f"*/*/*/{call['id']}.wav*")
    return path


def turns(agent: Agent, number: str) -> list[dict[str, Any]]:
    return (agent.call_of(number) or {"turns": []})["turns"]


def test_a_call_is_encrypted_and_paused_while_a_number_is_said(agent: Agent) -> None:
    caller = agent.ring("--say", QUESTION, "--say", QUESTION)
    eventually(lambda: len(turns(agent, caller.number)) == 3, timeout_s=40)  # the answer is being spoken
    call = agent.call_of(caller.number)
    assert call is not None
    action, wav = f"/api/v1/calls/{call['id']}/recording", f"/api/v1/calls/{call['id']}/recording.wav"
    paused = agent.api.post(action, json={"action": "pause"})
    assert (paused.status_code, paused.json()) == (200, {"call_id": call["id"], "paused": True})
    assert agent.api.head(wav).headers["x-recording-complete"] == "no"
    assert agent.recording(call).duration_s > 1, "it plays while the call runs"
    eventually(lambda: len(turns(agent, caller.number)) == 5, timeout_s=40)
    assert agent.api.post(action, json={"action": "resume"}).json()["paused"] is False
    report = caller.report()
    call = agent.record(caller.number)
    assert agent.api.post(action, json={"action": "pause"}).status_code == 404

    sound = agent.recording(call)
    assert sound.duration_s == pytest.approx(report["duration_s"], abs=0.5)
    events = {event["kind"]: event for event in call["events"]}
    assert list(events) == ["recording_paused", "recording_resumed"]
    assert {event["detail"]["by"] for event in events.values()} == {"api-token"}
    begin, end = (events[f"recording_{kind}"]["at_s"] for kind in ("paused", "resumed"))
    assert call["turns"][2]["started_s"] <= begin < call["turns"][3]["started_s"]
    assert call["turns"][3]["ended_s"] <= end
    for channel in (sound.left, sound.right):
        levels = np.abs(np.frombuffer(channel, "<i2").astype(int))
        assert not levels[round(begin * 8000) : round(end * 8000)].any()
        assert levels[: round(begin * 8000)].any()
    assert np.frombuffer(sound.right, "<i2")[round(end * 8000) :].any()
    assert words(call, "caller") == [QUESTION, QUESTION]
    assert recognised(sound.left) == QUESTION, "the second one was said while it was paused"

    path = file_of(agent, call)
    assert path.name == f"{call['id']}.wav.sealed"
    assert b"RIFF" not in path.read_bytes()
    sealed = open_recording(path, Keys(parse_key(KEY)))
    served = agent.api.get(wav)
    assert (sealed.complete, served.headers["x-recording-complete"]) == (True, "yes")
    assert sealed.read(0, sealed.size) == served.content
    part = agent.api.get(wav, headers={"Range": "bytes=20000-70000"})
    assert (part.status_code, part.content) == (206, served.content[20_000:70_001])


def test_an_encrypted_recording_survives_kill_9(agent: Agent) -> None:
    caller = agent.ring("--at-once", "--say", QUESTION)
    eventually(lambda: len(turns(agent, caller.number)) == 3, timeout_s=40)
    agent.kill()
    caller.kill()
    agent.start()
    call = agent.call_of(caller.number)
    assert call is not None
    assert kinds(call)[-1] == "process_died"
    head = agent.api.head(f"/api/v1/calls/{call['id']}/recording.wav")
    assert head.headers["x-recording-complete"] == "yes", "its end was sealed at the start"
    assert recognised(agent.recording(call).left) == QUESTION


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 20 seconds, on which 5 are left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={20 * BYTES_PER_S},mode=700", "tmpfs", str(folder)]
    made = (
        subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    )
    if made is None or made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip() if made else 'no mount'}")
    (folder / "filler").write_bytes(bytes(15 * BYTES_PER_S))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_the_recording_and_not_the_call(
    small_disk: Path, tmp_path: Path, voice_cache: Path
) -> None:
    with running_agent(tmp_path / "agent", voice_cache, records={"dir": str(small_disk)}) as agent:
        caller = agent.ring("--say", QUESTION)
        assert caller.report()["turns"][0]["response_gap_ms"] is not None
        call = agent.record(caller.number)
        assert words(call, "caller") == [QUESTION]
        assert words(call, "agent")[-1].startswith(ANSWER)
        assert (call["end_reason"], call["outcome"]) == ("caller_hangup", "answered")
        [lost] = [event for event in call["events"] if event["kind"] == "failed"]
        assert lost["detail"]["stage"] == "recording"
        assert "No space left on device" in lost["detail"]["error"]
        assert 3.5 < lost["at_s"] < 5.5
        alarms = [line for line in agent.errors().splitlines() if "recording_failed" in line]
        assert len(alarms) == 1
        assert call["id"] in alarms[0]
        assert '"level": "error"' in alarms[0]
        path = next(small_disk.glob(f"*/*/*/{call['id']}.wav"))
        sound = agent.recording(call)
        assert sound.duration_s == pytest.approx(lost["at_s"], abs=0.3)
        assert share_heard("您好，临江市一二三四五热线", recognised(sound.right)) > 0.5

        path.unlink()
        (small_disk / "filler").unlink()
        again = agent.ring("--at-once", "--say", "再见", "--stay", "10")
        again.report()
        call = agent.record(again.number)
        assert "failed" not in kinds(call)
        assert agent.recording(call).duration_s == pytest.approx(call["turns"][-1]["ended_s"], abs=0.3)
        assert "Traceback" not in agent.errors()
