"""What cannot work is one clear line on stderr and an exit code, in the program as people run it.

Settings and commands that fail before any telephone is opened: tests/unit/test_bad_input.py.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import asr
from tests.sip.agent import environment

pytestmark = [pytest.mark.sip]

AT_ONCE = 2
TIMEOUT_S = 90


@dataclass(frozen=True, slots=True)
class Case:
    """A command, its settings, and how it must fail; {udp} and {tcp} are taken ports, {dead} a free one."""

    said: str
    arguments: str = "serve"
    settings: str = ""
    code: int = 2


SIP = "[sip]\nhost='127.0.0.1'\nport={}\ntransports=['{}']\n[dialog]\nknowledge='small.csv'\n{{voice}}"
TAKEN = "Address already in use; is another program using it? See sip.port"
CASES = {
    "taken SIP port, UDP": Case(f"127.0.0.1:{{udp}}: {TAKEN}", settings=SIP.format("{udp}", "udp")),
    "taken SIP port, TCP": Case(f"127.0.0.1:{{tcp}}: {TAKEN}", settings=SIP.format("{tcp}", "tcp")),
    "taken desk port": Case(
        "127.0.0.1:{tcp}: Address already in use; see desk.host and desk.port", settings="[desk]\nport={tcp}"
    ),
    "SIP address of another machine": Case(
        "192.0.2.1:0: Cannot assign requested address; see sip.host and sip.port",
        settings="[sip]\nhost='192.0.2.1'\nport=0\n[dialog]\nknowledge='small.csv'\n{voice}",
    ),
    "corrupt model": Case("corrupt", settings="[desk]\nport=0\n[asr]\nmodel='./corrupt'"),
    "dead port, UDP": Case("sip:1@127.0.0.1:{dead}: ", "call sip:1@127.0.0.1:{dead}", code=1),
    "dead port, TCP": Case(
        "sip:1@127.0.0.1:{dead}: ", "call sip:1@127.0.0.1:{dead} --transport tcp --codec pcmu", code=1
    ),
}


@pytest.fixture(scope="module")
def words(voice_cache: Path) -> Iterator[dict[str, object]]:
    """What the cases leave open; the taken ports stay taken."""
    with ExitStack() as stack:
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            dead = free.getsockname()[1]
        voice = f"[desk]\nport=0\n[tts]\nengine='espeak'\ncache_dir='{voice_cache}'\n"
        yield {"udp": udp.getsockname()[1], "tcp": tcp.getsockname()[1], "dead": dead, "voice": voice}


Results = dict[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def done(words: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All cases, run."""

    def run(case: Case) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("wrong-input")
        (folder / "hotline.toml").write_text(case.settings.format(**words), encoding="utf-8")
        (folder / "small.csv").write_text("question,answer\n图书馆几点开门？,九点。\n", encoding="utf-8")
        if "corrupt" in case.settings:
            shutil.copytree(Path(asr.__file__).parent / "builtin" / "model", folder / "corrupt")
            weights = folder / "corrupt" / "am" / "final.mdl"
            weights.write_bytes(weights.read_bytes()[:10_000])
        command = [sys.executable, "-m", "hotline", *case.arguments.format(**words).split()]
        return subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(run, CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_work_is_one_line_and_an_exit_code(
    name: str, words: dict[str, object], done: Results
) -> None:
    case, result = CASES[name], done[name]
    # A first start tells its password, which is no error.
    lines = re.sub(r"^first start: .*\n", "", result.stderr).splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert case.said.format(**words) in lines[0]
    assert result.returncode == case.code
    assert result.stdout == ""
