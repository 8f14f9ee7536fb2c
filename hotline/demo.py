"""`hotline demo`: an agent, a caller and a seat, each a process of its own, in three real telephone calls."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from hotline import children
from hotline.children import Agent
from hotline.errors import HotlineError

FOLDER = Path("data/demo")
CALL_TIMEOUT_S = 240.0
CALLER_VOICE = "f5"  # the agent has another


@dataclass(frozen=True, slots=True)
class Scene:
    """One call of the demo: what the caller says, and how the call must end."""

    title: str
    says: tuple[str, ...]
    outcome: str


SCENES = (
    Scene("a policy question, answered", ("请问社保卡丢了怎么补办", "没有了谢谢", "满意"), "answered"),
    Scene(
        "a noise complaint, taken down as a work order",
        (
            "我要投诉楼下的饭店昨天晚上十一点噪音很大",
            "江北区建设路十八号",
            "我姓王",
            "就用这个号码",
            "对",
            "没有了谢谢",
            "满意",
        ),
        "ticket",
    ),
    Scene(
        "a question outside the agent's knowledge, handed to a seat",
        ("我想问一下无人机飞行许可怎么申请", "好的谢谢你"),
        "transferred",
    ),
)


def run_demo(keep: bool) -> int:
    """Hold the three conversations; 0 when each ended as it must. Raises HotlineError."""
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with ExitStack() as stack:
        port = _any_free_port()
        command = [sys.executable, "-m", "hotline.demo_seat", str(port)]
        seat = stack.enter_context(children.child("seat", FOLDER, command))
        agent = stack.enter_context(children.agent(FOLDER, _settings(f"sip:8001@127.0.0.1:{port}", keep)))
        children.wait_for(seat, lambda line: json.loads(line).get("uri"), FOLDER / "seat.log")
        console.print(f"agent ready: sip={agent.sip} desk={agent.desk_url}")
        headers = {"Authorization": f"Bearer {agent.token}"}
        desk = stack.enter_context(httpx.Client(base_url=agent.desk_url, headers=headers))
        threading.Thread(target=_follow, args=(agent, console), daemon=True).start()
        passed = all([_play(scene, agent, desk, console) for scene in SCENES])
        console.print(
            "[bold green]all three calls ended as they should" if passed else "[bold red]demo failed"
        )
        if keep and passed:
            _keep_serving(console, agent)
    return 0 if passed else 1


# Softphones near by may ring a demo that goes on.
LOCAL_NETWORKS = '"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"'


def _settings(seat_uri: str, keep: bool) -> str:
    """With `keep`, on the usual ports where they are free; else anywhere on this machine only."""
    host = "0.0.0.0" if keep else "127.0.0.1"
    return f"""
[sip]
host = "{host}"
port = {_free(host, 5060) if keep else 0}
allow = [{LOCAL_NETWORKS if keep else '"127.0.0.0/8"'}]
[desk]
port = {_free("127.0.0.1", 8012) if keep else 0}
[limits]
loop_late_s = 10.0
[seats]
seats = [{{id = "demo", name = "演示坐席", uri = "{seat_uri}", skills = []}}]
"""


def _play(scene: Scene, agent: Agent, desk: httpx.Client, console: Console) -> bool:
    """Run one call in a caller's process and hold its record against what must be."""
    console.rule(scene.title)
    command = [
        sys.executable,
        "-m",
        "hotline",
        "call",
        f"sip:12345@{agent.sip}",
        "--json",
        "--voice",
        CALLER_VOICE,
    ]
    for text in scene.says:
        command += ["--say", text]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CALL_TIMEOUT_S, env=children.clean_env()
        )
    except subprocess.TimeoutExpired:
        raise HotlineError(f"the demo's caller did not end within {CALL_TIMEOUT_S:.0f} s") from None
    if not done.stdout.strip():
        raise HotlineError(f"the demo's caller failed: {done.stderr.strip().splitlines()[-1:]}")
    report = json.loads(done.stdout)
    call = _record(desk)
    gaps = ", ".join(
        f"{turn['response_gap_ms']:.0f}" if turn["response_gap_ms"] else "none" for turn in report["turns"]
    )
    console.print(f"response gaps heard by the caller, ms: {gaps}")
    wrong = _what_is_wrong(scene, call, desk)
    console.print(f"[red]WRONG: {wrong}" if wrong else f"[green]as it should be: {scene.outcome}")
    return not wrong


def _record(desk: httpx.Client) -> dict[str, Any]:
    """The newest call, once it has ended."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        newest = desk.get("/api/v1/calls").json()["items"][0]["id"]
        call: dict[str, Any] = desk.get(f"/api/v1/calls/{newest}").json()
        if call["ended_at"]:
            return call
        time.sleep(0.2)
    raise HotlineError("the agent did not close the call's record within 15 s")


def _what_is_wrong(scene: Scene, call: dict[str, Any], desk: httpx.Client) -> str:
    """What in the record is not as the scene must end; "" when all is right."""
    if call["outcome"] != scene.outcome:
        return f"outcome {call['outcome']}, expected {scene.outcome}"
    if scene.outcome == "answered" and not any(turn["sources"] for turn in call["turns"]):
        return "the answer names no source"
    if scene.outcome == "ticket":
        ticket = desk.get(f"/api/v1/tickets/{call['ticket_id']}").json()
        slots = ticket["slots"]
        if "建设路18号" not in slots.get("place", "") or "11点" not in slots.get("time", ""):
            return "the work order lacks the place or the time that was said"
    if scene.outcome == "transferred":
        transfer = call["transfer"]
        if transfer["outcome"] != "connected" or "无人" not in transfer["summary"]["request"]:
            return f"the transfer ended as {transfer['outcome']!r} or its summary lacks the request"
    recording = desk.get(f"/api/v1/calls/{call['id']}/recording.wav")
    if recording.status_code != 200 or recording.content[:4] != b"RIFF":
        return "the recording does not play"
    return ""


def _follow(agent: Agent, console: Console) -> None:
    """Print the conversation as it happens, from the desk's live events."""
    headers = {"Authorization": f"Bearer {agent.token}"}
    try:
        with httpx.stream(
            "GET", f"{agent.desk_url}/api/v1/events", headers=headers, timeout=None
        ) as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    _print_event(json.loads(line.removeprefix("data: ")), console)
    except httpx.HTTPError:
        return  # the agent has stopped: the demo is over


def _print_event(event: dict[str, Any], console: Console) -> None:
    kind = event["kind"]
    if kind == "turn" and event["ended_s"] is not None:
        gap = f"  [dim]gap {event['response_gap_ms']:.0f} ms[/dim]" if event["response_gap_ms"] else ""
        text = event["heard_text"] if event["heard_text"] is not None else event["text"]
        console.print(f"[{'cyan' if event['who'] == 'caller' else 'white'}]{event['who']:>7}: {text}{gap}")
    elif kind == "ticket":
        console.print(f"[yellow]         work order {event['ticket_id']} filed")
    elif kind == "transfer" and not event["outcome"]:
        console.print(f"[yellow]         transfer ({event['reason']}): {event['summary']['request']}")
    elif kind in ("seat_ringing", "seat_answered", "seat_accepted", "bridged", "unbridged", "barge_in"):
        console.print(f"[yellow]         {kind}")


def _free(host: str, port: int) -> int:
    """`port` if it can be had, else 0 for any."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return 0
    return port


def _any_free_port() -> int:
    """For the seat's telephone: known before it starts, so that seat and agent can start together."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _keep_serving(console: Console, agent: Agent) -> None:
    log = (FOLDER / "agent.log").read_text(encoding="utf-8")
    password = re.search(r"one-time password (\S+)", log)
    console.print(f"ring sip:12345@{agent.sip} with a softphone; desk: {agent.desk_url}")
    if password:
        console.print(f"log in to the desk as admin with {password[1]}; Ctrl-C ends")
    with suppress(KeyboardInterrupt):
        agent.process.wait()
