"""baresip as the caller: a softphone of another make, which plays a question and records what it hears."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from hotline.speech import read_wav, write_wav
from tests.sip.agent import (
    ANSWER,
    QUESTION,
    eventually,
    recognised,
    running_agent,
    share_heard,
    voice_cache,
    words,
)
from tests.unit.espeak import synthesise

BARESIP = shutil.which("baresip")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(BARESIP is None, reason="baresip is not installed (Debian package baresip-core)"),
    pytest.mark.skipif(
        {name for _, name in socket.if_nameindex()} <= {"lo"},
        reason="baresip does not start without a network interface beside loopback",
    ),
]

MODULES = Path("/usr/lib/baresip/modules")
NUMBER = "13500000001"
CONFIG = """sip_listen 127.0.0.1:0
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module account.so
module menu.so
module ctrl_tcp.so
audio_source aufile,{folder}/question.wav
audio_player aubridge,nowhere
snd_path {folder}
ctrl_tcp_listen 127.0.0.1:{port}
"""
BEFORE_S, AFTER_S = 1, 60  # silence around the question; at the file's end baresip would stop sending


def tell(port: int, command: str) -> None:
    """Send baresip one command, as a netstring."""
    message = json.dumps({"command": command})
    with socket.create_connection(("127.0.0.1", port), timeout=5) as control:
        control.sendall(f"{len(message)}:{message},".encode())
        control.recv(4096)


@pytest.fixture
def phone(tmp_path: Path) -> tuple[Path, int]:
    """baresip's folder, set up, and its control port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "baresip"
    folder.mkdir()
    (folder / "config").write_text(CONFIG.format(modules=MODULES, folder=folder, port=port))
    (folder / "accounts").write_text(f"<sip:{NUMBER}@127.0.0.1>;regint=0;audio_codecs=PCMA\n")
    (folder / "contacts").write_text("")
    question = bytes(BEFORE_S * 16000) + synthesise(QUESTION) + bytes(AFTER_S * 16000)
    write_wav(folder / "question.wav", question, 8000)
    return folder, port


def test_baresip_is_answered_heard_and_hung_up(
    tmp_path: Path, phone: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, port = phone
    assert BARESIP is not None
    with running_agent(tmp_path / "agent", voice_cache(tmp_path_factory)) as agent:
        command = [BARESIP, "-4", "-f", str(folder), "-e", f"/dial sip:12345@{agent.sip}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:

            def answered() -> bool:
                assert process.poll() is None, (folder / "log").read_text(errors="replace")
                call = agent.call_of(NUMBER)
                return bool(call and len(call["turns"]) == 3 and call["turns"][-1]["heard_text"])

            eventually(answered, timeout_s=40)
            tell(port, "hangup")
            call = agent.record(NUMBER)
            tell(port, "quit")
            process.wait(timeout=10)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    assert words(call, "caller") == [QUESTION]
    assert words(call, "agent")[-1].startswith(ANSWER)
    assert (call["end_reason"], call["outcome"]) == ("caller_hangup", "answered")
    [heard] = folder.glob("dump-*-dec.wav")
    assert share_heard(words(call, "agent")[-1], recognised(read_wav(heard))) > 0.7
