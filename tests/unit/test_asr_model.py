"""Model folders: whole, missing, corrupt, crashing; and the names models go by."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from asr import ModelError
from asr import vosk_model as module
from asr.catalog import KNOWN, resolve_model
from asr.vosk_engine import join_words
from asr.vosk_model import BUILTIN, check_model, load_model

pytestmark = [pytest.mark.unit]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUILTIN, tmp_path / "model"))


def _truncate(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, size)


def _write(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def test_the_builtin_model_is_whole_and_shared() -> None:
    assert check_model(BUILTIN) == 8000
    assert load_model(BUILTIN) is load_model(BUILTIN / ".." / "model")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_truncate("am/final.mdl", 100_000), id="truncated acoustic model"),
        pytest.param(_truncate("am/final.mdl", 0), id="empty acoustic model"),
        pytest.param(_write("am/final.mdl", "<html>404</html>"), id="a web page for a model"),
        pytest.param(_truncate("graph/HCLG.fst", 100_000), id="truncated graph"),
        pytest.param(_write("graph/words.txt", "no numbers here\n"), id="broken words"),
        pytest.param(_write("conf/model.conf", "junk=1\n"), id="broken configuration"),
    ],
)
def test_a_corrupt_model_is_one_clear_line(
    model: Path, spoil: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(model)
    with pytest.raises(ModelError, match="corrupt") as raised:
        load_model(model)
    assert str(model) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_a_model_that_crashes_the_engine_does_not_crash_us(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.run

    def crashing(command: list[str], **options: object) -> object:
        return real(["sh", "-c", "kill -SEGV $$"], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", crashing)
    with pytest.raises(ModelError, match="crashed"):
        check_model(model)


@pytest.mark.parametrize("name", ["am/final.mdl", "conf/mfcc.conf", "graph/HCLG.fst", "graph/words.txt"])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(ModelError, match="missing"):
        check_model(model)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load_model(tmp_path / "nowhere")


def test_a_model_is_proved_once_until_it_changes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[Path] = []
    monkeypatch.setattr(module, "_probe", lambda folder, rate: proved.append(folder))
    check_model(model)
    check_model(model)
    assert len(proved) == 1
    os.utime(model / "am/final.mdl", (1, 1))
    check_model(model)
    assert len(proved) == 2


def test_the_builtin_model_was_proved_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[Path] = []
    monkeypatch.setattr(module, "_probe", lambda folder, rate: proved.append(folder))
    check_model(BUILTIN)
    assert proved == []


def test_a_builtin_model_that_was_changed_is_proved_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUILTIN", model)
    (model / "am/final.mdl").write_bytes((model / "am/final.mdl").read_bytes()[:-1000])
    with pytest.raises(ModelError, match="corrupt"):
        check_model(model)


def test_nothing_is_written_into_the_builtin_model() -> None:
    before = sorted(BUILTIN.rglob("*"))
    check_model(BUILTIN)
    assert sorted(BUILTIN.rglob("*")) == before


def test_names_lead_to_folders(tmp_path: Path) -> None:
    assert resolve_model("builtin", tmp_path) == BUILTIN
    assert resolve_model(str(tmp_path), tmp_path) == tmp_path
    (tmp_path / "vosk-small-cn").mkdir()
    assert resolve_model("vosk-small-cn", tmp_path) == tmp_path / "vosk-small-cn"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vosk-small-cn", "hotline models get vosk-small-cn"),
        ("vosk-smal-cn", "did you mean 'vosk-small-cn'"),
        ("/nowhere/model", "no such model folder"),
        ("whisper", "builtin, vosk-small-cn, vosk-cn"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_would(name: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=hint):
        resolve_model(name, tmp_path)


def test_known_models_come_from_their_publisher() -> None:
    assert {"vosk-small-cn", "vosk-cn"} <= set(KNOWN)
    assert all(model.url.startswith("https://alphacephei.com/vosk/models/") for model in KNOWN.values())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["我", "要", "投诉"], "我要投诉"),
        (["打开", "wechat", "pay", "吧"], "打开wechat pay吧"),
        (["零", "[unk]", "一"], "零一"),
        ([], ""),
    ],
)
def test_words_join_as_people_write_them(words: list[str], text: str) -> None:
    assert join_words(words) == text
