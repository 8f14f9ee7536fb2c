"""The command line: exit codes, one line for each error, and the commands that need no telephone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from hotline import cli
from hotline.cli import main
from hotline.errors import HotlineError
from records.store import Store
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit]

SENTENCE = "我想咨询一下出生证明要收费吗"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write_wav(
    path: Path, samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rate: int, width: int
) -> Path:
    """`samples` (frames by channels, -1..1) as PCM of `width` bytes."""
    whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        whole += 128
    raw = b"".join(int(value).to_bytes(4, "little", signed=True)[:width] for value in whole.reshape(-1))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def speech(rate: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.frombuffer(synthesise(SENTENCE, sample_rate=rate), "<i2").reshape(-1, 1) / 32768


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["frob"], 2, "No such command"),
        (["say"], 2, "Missing"),
        (["say", "好", "-o", "nowhere/a.wav"], 2, "nowhere/a.wav: cannot be written"),
        (["transcribe", "nowhere.wav"], 2, "nowhere.wav: No such file"),
        (["transcribe", "hotline.toml"], 2, "hotline.toml: not a PCM WAV file"),
        (["models", "get", "vosk-big"], 2, "vosk-small-cn, vosk-cn"),
        (["call", "12345"], 2, "no SIP address"),
        (["call", "sip:"], 2, "no SIP address"),
        (["call", "sip:1@127.0.0.1", "--dtmf", "12x"], 2, "'12x' are no keys of a telephone"),
        (["call", "sip:1@127.0.0.1", "--from", "a b"], 2, "'a b' is no number"),
        (["call", "sip:1@127.0.0.1", "--from", ""], 2, "'' is no number"),
        (["call", "sip:1@127.0.0.1", "--stay", "-1"], 2, "--stay"),
        (["call", "sip:1@127.0.0.1", "--say", " "], 2, "--say needs words"),
        (["call", "sip:1@127.0.0.1", "--codec", "speex"], 2, "known are PCMA, PCMU, G722"),
        (["call", "sip:1@127.0.0.1;transport=sctp"], 2, "known are udp, tcp, tls"),
        (["say", " ", "-o", "a.wav"], 2, "TEXT is blank"),
        (["export", "nowhere"], 1, "there is no call 'nowhere'"),
        (["user", "passwd", "nobody"], 1, "nobody"),
        (["kb", "import", "a.csv"], 2, "a.csv: no such file or folder"),
        (["check", "--config", "nowhere.toml"], 2, "nowhere.toml: no such file"),
        (["export", "x", "--format", "pdf"], 2, "pdf"),
    ],
)
def test_what_fails_is_one_line_and_an_exit_code(
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("hotline.toml").write_text("# all defaults\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long password\n"))
    assert main(arguments) == code
    shown = capsys.readouterr()
    line = shown.err.strip()
    assert said in line
    assert line.startswith("error: ")
    assert "\n" not in line
    assert shown.out == ""


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("[asr]\nmodel = '/nowhere/model'", "/nowhere/model: no such model folder"),
        ("[asr]\nmodel = 'vosk-small-cn'", "hotline models get vosk-small-cn"),
        ("[asr]\nmodel = './broken'", "not a Vosk model"),
        ("[asr]\nmodell = 'x'", "did you mean asr.model?"),
    ],
)
def test_a_model_or_setting_that_is_not_right_exits_2(
    setting: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("hotline.toml").write_text(setting)
    Path("broken").mkdir()
    write_wav(Path("a.wav"), np.zeros((800, 1)), 8000, 2)
    assert main(["transcribe", "a.wav"]) == 2
    err = capsys.readouterr().err.strip()
    assert said in err
    assert "\n" not in err


def test_a_voice_that_is_not_there_is_told_by_its_setting(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hotline.toml").write_text("[tts]\nengine = 'espeak'\nvoice = 'nobody'\n")
    assert main(["say", "您好", "-o", "a.wav"]) == 2
    assert capsys.readouterr().err.startswith("error: tts.voice: espeak-ng has no variant 'nobody'")


def test_a_data_directory_that_cannot_be_written_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data").write_text("a file, not a folder")
    assert main(["user", "list"]) == 2
    assert "data" in capsys.readouterr().err


@pytest.mark.parametrize(("debug", "trace"), [([], False), (["--debug"], True)])
def test_an_unforeseen_error_shows_a_traceback_only_when_asked(
    debug: list[str], trace: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("hotline.settings.load_settings", broken)
    assert main(["models", "list", *debug]) == 1
    err = capsys.readouterr().err
    assert "error: internal error, KeyError" in err
    assert ("Traceback" in err) is trace


def test_ctrl_c_is_clean(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hotline.settings.load_settings", interrupted)
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.parametrize("arguments", [[], ["models"], ["--help"], ["say", "--help"]])
def test_help_is_help_and_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(arguments)
    shown = capsys.readouterr()
    assert code == (0 if "--help" in arguments else 2)
    assert (shown.out + shown.err).startswith("Usage:")


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hotline", "models", "list"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "vosk-small-cn" in done.stdout


def test_error_classes_carry_their_exit_code() -> None:
    assert cli._exit_code(HotlineError("x")) == 1
    assert cli._exit_code(PermissionError(13, "Permission denied", "x")) == 2
    assert cli._exit_code(ValueError("x")) == 1


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_transcribe_takes_every_width(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(Path("a.wav"), speech(8000), 8000, width)
    assert main(["transcribe", "a.wav"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == SENTENCE
    assert "synthetic voices only" in shown.err


@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (16000, 1), (44100, 2)])
def test_transcribe_takes_every_rate_and_both_channels(
    rate: int, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(Path("a.wav"), np.repeat(speech(rate), channels, axis=1), rate, 2)
    assert main(["transcribe", "a.wav", "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)
    assert heard["text"] == SENTENCE
    assert heard["confidence"] > 0.8
    assert heard["words"][0]["start_s"] < 0.5


def test_transcribe_writes_numbers_and_tells_what_was_heard(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pcm = np.frombuffer(synthesise("门牌号是七幺五四三幺"), "<i2").reshape(-1, 1) / 32768
    write_wav(Path("a.wav"), pcm, 8000, 2)
    assert main(["transcribe", "a.wav"]) == 0
    assert capsys.readouterr().out.splitlines() == ["门牌号是715431", "  heard: 门牌号是七幺五四三幺"]
    assert main(["transcribe", "a.wav", "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)
    assert (heard["text"], heard["raw"]) == ("门牌号是715431", "门牌号是七幺五四三幺")
    monkeypatch.setenv("HOTLINE_ASR__ITN", "false")
    assert main(["transcribe", "a.wav"]) == 0
    assert capsys.readouterr().out.splitlines() == ["门牌号是七幺五四三幺"]


def test_several_files_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.wav", "b.wav"):
        write_wav(Path(name), speech(8000), 8000, 2)
    assert main(["transcribe", "a.wav", "b.wav"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"a.wav: {SENTENCE}", f"b.wav: {SENTENCE}"]


def test_a_wav_cut_short_is_used_as_far_as_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    file = write_wav(Path("a.wav"), speech(8000), 8000, 2)
    file.write_bytes(file.read_bytes()[:-1001])
    assert main(["transcribe", "a.wav"]) == 0
    assert capsys.readouterr().out.strip().startswith(SENTENCE[:8])


def test_say_writes_what_can_be_heard() -> None:
    assert main(["say", "您好，请问有什么可以帮您？", "-o", "a.wav"]) == 0
    with wave.open("a.wav") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert file.getnframes() > file.getframerate()
    assert np.abs(pcm).max() > 1000


def test_models_list_shows_which_is_set_and_which_are_here(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/models/vosk-cn").mkdir(parents=True)
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()[1:]
    lines = {line.removeprefix("*").split()[0]: line for line in shown}
    assert lines["builtin"].startswith("*")
    assert " yes " in lines["vosk-cn"]
    assert " no " in lines["vosk-small-cn"]


def test_accounts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def command(arguments: str, typed: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed + "\n"))
        return main(arguments.split())

    assert command("user add wang --role ops", "first password") == 0
    assert command("user add wang", "another password") == 1
    assert command("user add li", "short") == 2
    assert command("user passwd wang", "second password") == 0
    assert command("user list", "") == 0
    shown = capsys.readouterr()
    assert "wang" in shown.out
    assert "password" not in shown.out.replace("password of wang changed", "")
    store = Store("sqlite:///data/hotline.db")
    assert store.verify_user("wang", "second password")
    assert store.verify_user("wang", "first password") is None
    store.close()


def test_export_writes_one_call(capsys: pytest.CaptureFixture[str]) -> None:
    store = Store("sqlite:///data/hotline.db")
    store.save_call("c1", node="n", caller="13800000000", callee="12345", started_at="2025-01-01T00:00:00Z")
    store.save_turn("c1", 0, who="agent", text="您好", started_s=0.1, ended_s=1.0)
    store.close()
    assert main(["export", "c1"]) == 0
    assert json.loads(capsys.readouterr().out)["vcon"]
    assert main(["export", "c1", "--format", "txt"]) == 0
    assert "您好" in capsys.readouterr().out
    assert main(["export", "c1", "--format", "csv"]) == 0
    assert "您好" in capsys.readouterr().out
