"""Recordings with texts: the layouts people keep them in, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hotline import labelled_speech as speech
from hotline.errors import UsageError
from hotline.labelled_speech import load_clips
from hotline.speech import write_wav

pytestmark = [pytest.mark.unit]


def wav(path: Path, *, seconds: float = 0.1, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = np.sin(np.arange(round(seconds * rate)) / 5) * 3000
    write_wav(path, tone.astype("<i2").tobytes(), rate)
    return path


def texts(data: Path, limit: int | None = None) -> dict[str, str]:
    return {clip.name: clip.text for clip in load_clips(data, limit)[0]}


def reasons(data: Path) -> dict[str, str]:
    return {one.name: one.reason for one in load_clips(data)[1]}


def test_each_recording_with_its_text_beside_it(tmp_path: Path) -> None:
    wav(tmp_path / "b.wav", seconds=0.5, rate=16000)
    (tmp_path / "b.txt").write_text("\ufeff第二条\r\n", encoding="utf-8")
    wav(tmp_path / "deep" / "a.WAV")
    (tmp_path / "deep" / "a.txt").write_text("第一条\n还有一行", encoding="utf-8")
    (tmp_path / "notes.md").write_text("nothing to do with it")
    assert texts(tmp_path) == {"b.wav": "第二条", "deep/a.WAV": "第一条 还有一行"}
    assert load_clips(tmp_path)[0][0].duration_s == pytest.approx(0.5)


@pytest.mark.parametrize("keys", [("file", "text"), ("audio", "transcript"), ("wav", "sentence")])
def test_a_jsonl_list_with_paths_relative_to_it(tmp_path: Path, keys: tuple[str, str]) -> None:
    outside = wav(tmp_path / "outside.wav")
    lists = tmp_path / "lists"
    wav(lists / "clips" / "a.wav")
    items = [
        {keys[0]: "clips/a.wav", keys[1]: "您好", "speaker": "x"},
        {keys[0]: str(outside), keys[1]: "再见"},
    ]
    (lists / "mine.jsonl").write_text("\n\n".join(map(json.dumps, items)), encoding="utf-8")
    assert texts(lists / "mine.jsonl") == {"clips/a.wav": "您好", str(outside): "再见"}
    (lists / "mine.jsonl").rename(lists / "manifest.jsonl")
    assert len(texts(lists)) == 2, "and a folder with such a list in it"


@pytest.mark.parametrize("name", ["text", "transcripts.txt"])
def test_kaldis_layout(tmp_path: Path, name: str) -> None:
    wav(tmp_path / "wav" / "S1" / "u1.wav")
    wav(tmp_path / "u2.wav")
    (tmp_path / name).write_text("u1 你好 世界\nu2.wav\t再见\n\n", encoding="utf-8")
    assert texts(tmp_path) == {"wav/S1/u1.wav": "你好 世界", "u2.wav": "再见"}


def test_kaldis_own_list_of_files_is_followed(tmp_path: Path) -> None:
    wav(tmp_path / "audio" / "0001.wav")
    (tmp_path / "wav.scp").write_text("u1 audio/0001.wav\nu2 sph2pipe x.sph |\n")
    (tmp_path / "text").write_text("u1 你好\nu2 再见\n", encoding="utf-8")
    assert texts(tmp_path) == {"audio/0001.wav": "你好"}
    assert list(reasons(tmp_path).values()) == [speech.NO_RECORDING]


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    wav(tmp_path / "good.wav")
    wav(tmp_path / "empty.wav", seconds=0)
    (tmp_path / "noise.wav").write_bytes(b"RIFF and no more")
    lines = [
        {"file": "good.wav", "text": "好"},
        {"file": "missing.wav", "text": "没有"},
        {"file": "empty.wav", "text": "空"},
        {"file": "noise.wav", "text": "噪音"},
        {"file": "good.wav", "text": None},
        {"file": "marks.wav", "text": "……"},
        {"file": "number.wav", "text": 5},
        {"file": "no\0file.wav", "text": "好"},
        {"text": "好"},
        {"file": 7, "text": "好"},
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert texts(tmp_path) == {"good.wav": "好"}
    found = reasons(tmp_path)
    assert found.pop("noise.wav").startswith("not a PCM WAV file")
    assert found == {
        "missing.wav": speech.NO_RECORDING,
        "empty.wav": speech.NO_AUDIO,
        "good.wav": speech.NO_TEXT,
        "marks.wav": speech.NOTHING_TO_COMPARE,
        "number.wav": speech.TEXT_NO_STRING,
        "no\0file.wav": speech.NO_RECORDING,
        "manifest.jsonl line 9": speech.NO_FILE_NAMED,
        "manifest.jsonl line 10": speech.NO_FILE_NAMED,
    }


def test_recordings_and_texts_that_do_not_match_up(tmp_path: Path) -> None:
    for name in ("a.wav", "1/twice.wav", "2/twice.wav", "untold.wav"):
        wav(tmp_path / name)
    (tmp_path / "text").write_text("a 好\ntwice 好\ngone 好\n", encoding="utf-8")
    assert texts(tmp_path) == {"a.wav": "好"}
    assert reasons(tmp_path) == {
        "twice": speech.SEVERAL_RECORDINGS,
        "gone": speech.NO_RECORDING,
        "untold.wav": speech.NO_TEXT,
    }


def test_a_text_in_another_encoding_is_left_out_and_says_how_to_convert_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        wav(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_bytes("你好".encode("utf-8" if name == "a" else "gb18030"))
    assert texts(tmp_path) == {"a.wav": "你好"}
    assert "iconv -f GB18030" in reasons(tmp_path)["b.wav"]


def test_halves_of_characters_become_printable(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav")
    (tmp_path / "manifest.jsonl").write_text(r'{"file": "a.wav", "text": "好\ud800"}')
    assert texts(tmp_path) == {"a.wav": "好?"}


def test_a_limit_stops_the_reading(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav")
    lines = [{"file": "a.wav", "text": "好"}] * 3 + [{"file": "gone.wav", "text": "好"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    clips, skipped = load_clips(tmp_path, 2)
    assert (len(clips), skipped) == (2, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{file: a.wav}", "line 1: not JSON"),
        ('\n["a.wav", "好"]', "line 2: not an object"),
        ("", "no recording with a text"),
        ('{"file": "a.wav"}', "1 are skipped, the first, a.wav: it has no text"),
    ],
)
def test_a_list_that_cannot_be_read_or_holds_nothing(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(UsageError, match=said) as raised:
        load_clips(tmp_path / "x.jsonl")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "said"), [("gone", "no such file"), ("a.wav", "no list of recordings")])
def test_something_else_than_data(tmp_path: Path, name: str, said: str) -> None:
    wav(tmp_path / "a.wav")
    with pytest.raises(UsageError, match=f"{name}: {said}"):
        load_clips(tmp_path / name)


def test_an_empty_folder_says_what_would_be_right(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no recording with a text in it; give a folder"):
        load_clips(tmp_path)


def test_the_real_recordings_can_be_loaded() -> None:
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not (data / "manifest.jsonl").is_file():
        pytest.skip("the recordings of real people are not here")
    clips, skipped = load_clips(data)
    assert len(clips) == 70
    assert {one.reason for one in skipped} == {speech.NO_TEXT}
