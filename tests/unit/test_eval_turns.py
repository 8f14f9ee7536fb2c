"""The command `hotline eval turns`: what it takes, prints and leaves out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hotline.cli import main
from hotline.evaluation_turns import load_material
from hotline.line_conditions import SAMPLE_RATE, Samples, pink_noise
from hotline.speech import write_wav
from hotline.turn_clips import LEAD_S
from tests.unit.espeak import synthesise
from tests.unit.test_turn_clips import hush, pcm

pytestmark = [pytest.mark.unit]

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two recordings, one of silence that has a text, and one noise."""
    folder = tmp_path / "set"
    (folder / "noise").mkdir(parents=True)
    for name, sentence in {"a": "我想咨询一下出生证明要收费吗", "b": "请问经济适用房可以网上办吗"}.items():
        write_wav(folder / f"{name}.wav", synthesise(sentence), SAMPLE_RATE)
        (folder / f"{name}.txt").write_text(sentence, encoding="utf-8")
    write_wav(folder / "c.wav", pcm(hush(1.0)), SAMPLE_RATE)
    (folder / "c.txt").write_text("您好", encoding="utf-8")
    street: Samples = pink_noise()[: 3 * SAMPLE_RATE]
    write_wav(folder / "noise" / "street.wav", street.astype("<i2").tobytes(), SAMPLE_RATE)
    return folder


@pytest.mark.usefixtures("_bare")
def test_the_command_prints_its_tables(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "turns", str(data), "--limit", "3", "--patience", "1", "--patience", "2"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert sum(line.startswith("human ") for line in lines) == 2
    assert sum(line.startswith("synthetic ") for line in lines) == 2
    for part in ("嗯, 对, 好的", "interruptions, human", "its own echo", "street.wav", "processor time"):
        assert part in shown.out
    assert "left out: c.wav: no speech stands out in it" in shown.err


@pytest.mark.usefixtures("_bare")
def test_the_json_has_every_clip_and_what_is_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "noise" / "street.wav").unlink()
    assert main(["eval", "turns", str(data), "--limit", "2", "--recognizer", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    human, synthetic = document["endings"]
    assert (human["kind"], human["patience"], len(human["clips"])) == ("human", 1.0, 2)
    assert synthetic["answered_early"]["of"] == 2
    assert set(human["cut_off"]) == {"0.6", "0.8", "1", "1.2"}
    assert document["over_agent"]["noise"] == {"count": 0, "of": 0}
    assert document["left_out"] == ["noise: there are no recordings of it; name a folder with --noise"]
    assert document["cpu_s_per_minute"] > 0
    assert document["recognition_cpu_s_per_minute"] > 0


@pytest.mark.usefixtures("_bare")
def test_a_folder_without_noise_is_a_usage_error(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "turns", str(data), "--noise", str(tmp_path)]) == 2
    assert "no WAVs of noise in it" in capsys.readouterr().err


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real speech is absent: no folder {DATA}")
def test_real_speech_is_turned_into_clips_with_ends_words_and_pauses() -> None:
    material, left_out = load_material(DATA, limit=3)
    assert not left_out
    human = [one for one in material.clips if one.kind == "human"]
    assert [one.text for one in human] == ["设定二十九度", "调高温度", "上海孙中山故居纪念馆"]
    assert human[0].first_s == pytest.approx(LEAD_S + 0.44, abs=0.05)
    assert human[0].last_s == pytest.approx(LEAD_S + 1.9, abs=0.08)


@pytest.mark.usefixtures("_bare")
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real speech is absent: no folder {DATA}")
def test_the_command_on_three_real_clips(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "turns", str(DATA), "--limit", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    human = document["endings"][0]
    assert [len(human["clips"]), human["unanswered"], human["answered_early"]["of"]] == [
        3,
        {"count": 0, "of": 3},
        3,
    ]
    assert 0 < human["gap_ms"]["p50"] < 2000
    assert document["over_agent"]["unheard"]["human"] == {"count": 0, "of": 3}
    assert len(document["in_noise"]) == 8
