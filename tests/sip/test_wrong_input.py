"""What cannot work is one clear line on stderr and an exit code, in the program as people run it."""

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

AT_ONCE = 4  # commands run side by side: starting Python and importing takes most of their time


@dataclass(frozen=True, slots=True)
class Case:
    """A command, its settings, and how it must fail; {udp} and {tcp} are taken ports, {dead} a free one."""

    said: str
    arguments: str = "serve"
    settings: str = ""
    code: int = 2


QUIET = "[sip]\nport = 0\n[desk]\nport = 0\n"
CASES = {
    "taken SIP port, UDP": Case(
        "127.0.0.1:{udp}: Address already in use; is another program using it? See sip.port",
        settings="[sip]\nhost = '127.0.0.1'\nport = {udp}\ntransports = ['udp']\n[desk]\nport = 0\n{voice}",
    ),
    "taken SIP port, TCP": Case(
        "127.0.0.1:{tcp}: Address already in use; is another program using it? See sip.port",
        settings="[sip]\nhost = '127.0.0.1'\nport = {tcp}\ntransports = ['tcp']\n[desk]\nport = 0\n{voice}",
    ),
    "taken desk port": Case(
        "127.0.0.1:{tcp}: Address already in use; see desk.host and desk.port",
        settings="[desk]\nport = {tcp}",
    ),
    "no model": Case("/nowhere: no such model folder", settings=QUIET + "[asr]\nmodel='/nowhere'"),
    "corrupt model": Case("corrupt: ", settings=QUIET + "[asr]\nmodel='./corrupt'"),
    "unknown key": Case("asr.modell: no such setting; did you mean asr.model?", settings="[asr]\nmodell='x'"),
    "bad value": Case('limits.max_calls = "many"', settings="[limits]\nmax_calls='many'"),
    "no TOML": Case("hotline.toml: not valid TOML", settings="[limits]\nmax_calls = "),
    "unwritable recordings": Case("a-file/recordings", settings=QUIET + "[records]\ndir='a-file/recordings'"),
    "unwritable database": Case("a-file/x.db", settings=QUIET + "[records]\nurl='sqlite:///a-file/x.db'"),
    "no database": Case("not a database", settings=QUIET + "[records]\nurl='sqlite:///a-file'"),
    "unknown database": Case("write sqlite:///FILE", settings="[records]\nurl='mysql://nowhere/x'"),
    "no knowledge": Case("nowhere", settings=QUIET + "[dialog]\nknowledge='nowhere'"),
    "no voice": Case("nobody", settings=QUIET + "[tts]\nengine='espeak'\nvoice='nobody'"),
    "transcribe what is no WAV": Case("a-file: not a PCM WAV file", "transcribe a-file"),
    "call what is no address": Case("'12345' is no SIP address", "call 12345"),
    "call half an address": Case("'sip:' is no SIP address", "call sip:"),
    "call with an unknown codec": Case("PCMA, PCMU, G722", "call sip:1@127.0.0.1:1 --codec MP3"),
    "call with what is no WAV": Case("a-file: not a PCM WAV file", "call sip:1@127.0.0.1:1 --wav a-file"),
    "call with an unknown voice": Case("'nobody'", "call sip:1@127.0.0.1:1 --voice nobody"),
    "call a dead port, UDP": Case("sip:1@127.0.0.1:{dead}", "call sip:1@127.0.0.1:{dead}", code=1),
    "call a dead port, TCP": Case(
        "sip:1@127.0.0.1:{dead}", "call sip:1@127.0.0.1:{dead} --transport tcp", code=1
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
        voice = f"[tts]\nengine='espeak'\ncache_dir='{voice_cache}'\n"
        yield {"udp": udp.getsockname()[1], "tcp": tcp.getsockname()[1], "dead": dead, "voice": voice}


@pytest.fixture(scope="module")
def done(
    words: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """All cases, run."""

    def run(case: Case) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp("bad-input")
        (folder / "a-file").write_text("neither a folder nor audio, and certainly not a database")
        (folder / "hotline.toml").write_text(case.settings.format(**words), encoding="utf-8")
        if "corrupt" in case.settings:
            shutil.copytree(Path(asr.__file__).parent / "builtin" / "model", folder / "corrupt")
            weights = folder / "corrupt" / "am" / "final.mdl"
            weights.write_bytes(weights.read_bytes()[:10_000])
        command = [sys.executable, "-m", "hotline", *case.arguments.format(**words).split()]
        return subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=90, check=False
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(run, CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_work_is_one_line_and_an_exit_code(
    name: str, words: dict[str, object], done: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    case, result = CASES[name], done[name]
    # A first start tells its password, which is no error.
    lines = re.sub(r"^first start: .*\n", "", result.stderr).splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert case.said.format(**words) in lines[0]
    assert result.returncode == case.code
    assert result.stdout == ""
