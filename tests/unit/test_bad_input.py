"""Settings and arguments that cannot work are told in one line, with exit code 2, before anything is opened.

The same for ports, a corrupt model and dead numbers, in a process of its own: tests/sip/test_wrong_input.py.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from hotline.cli import main

pytestmark = [pytest.mark.unit]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("neither a folder nor audio, and certainly not a database")
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def only_line(shown: str) -> str:
    """The error; the one-time password of a first start is none."""
    lines = re.sub(r"^first start: .*\n", "", shown).splitlines()
    assert len(lines) == 1, shown
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[asr]\nmodel='/nowhere'", "/nowhere: no such model folder"),
        ("[asr]\nmodell='x'", "asr.modell: no such setting; did you mean asr.model?"),
        ("[limits]\nmax_calls='many'", 'limits.max_calls = "many"'),
        ("[limits]\nmax_calls = ", "hotline.toml: not valid TOML"),
        ("[records]\ndir='a-file/recordings'", "a-file/recordings"),
        ("[records]\nurl='sqlite:///a-file/x.db'", "a-file/x.db"),
        ("[records]\nurl='sqlite:///a-file'", "not a database"),
        ("[records]\nurl='mysql://nowhere/x'", "write sqlite:///FILE or postgresql://"),
        ("[dialog]\nknowledge='nowhere'", "dialog.knowledge: "),
        ("[tts]\nengine='espeak'\nvoice='nobody'", "'nobody'"),
        ("[tts]\nengine='piper'", "piper"),
    ],
)
def test_serve_with_settings_that_cannot_work(
    settings: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    desk = "" if "desk" in settings else "[desk]\nport=0\n"
    Path("hotline.toml").write_text(desk + settings, encoding="utf-8")
    assert main(["serve"]) == 2
    shown = capfd.readouterr()
    assert said in only_line(shown.err)
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transcribe", "a-file"], "a-file: not a PCM WAV file"),
        (["call", "12345"], "'12345' is no SIP address"),
        (["call", "sip:"], "'sip:' is no SIP address"),
        (["call", "sip:1@"], "'sip:1@' is no SIP address"),
        (["call", "sip:1@127.0.0.1:1", "--codec", "MP3"], "PCMA, PCMU, G722"),
        (["call", "sip:1@127.0.0.1:1", "--wav", "a-file"], "a-file: not a PCM WAV file"),
        (["call", "sip:1@127.0.0.1:1", "--voice", "nobody"], "'nobody'"),
    ],
)
def test_arguments_that_cannot_work(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capfd.readouterr()
    assert said in only_line(shown.err)
    assert shown.out == ""
