"""From FunASR's tokens and scores to words, times and probabilities; needs no model and no extra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr import ModelError, Word
from asr.funasr_common import read_config, require_files, segments
from asr.funasr_decoding import Cif, ctc_tokens, most_likely, spoken, spread, timed, weighed_times
from asr.funasr_text import (
    Token,
    Vocabulary,
    hotword_list,
    joined,
    mean_confidence,
    units,
    with_marks,
    without_tags,
)

pytestmark = [pytest.mark.unit]

PARAFORMER = Vocabulary(["<blank>", "<s>", "</s>", "你", "好", "hel@@", "lo", "ok", "，", "3", "<unk>"])
SENSEVOICE = Vocabulary(
    ["<unk>", "<s>", "</s>", "<|zh|>", "<|NEUTRAL|>", "▁", "▁he", "llo", "。", "社保", "▁i", "'m"]
)


def tokens(vocabulary: Vocabulary, *pieces: str) -> list[Token]:
    numbers = [vocabulary.number(piece) for piece in pieces]
    return [Token(number, at / 10, (at + 1) / 10, 0.5) for at, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], ""),
        (["你", "好"], "你好"),
        (["hel@@", "lo"], "hello"),
        (["你", "hel@@", "lo", "ok", "好", "ok"], "你hello ok好ok"),
        (["ok", "ok", "3"], "ok ok 3"),
        (["hel@@", "好"], "hel好"),
        (["<s>", "你", "<unk>", "，", "好", "</s>"], "你好"),
    ],
)
def test_paraformers_words(pieces: list[str], text: str) -> None:
    assert joined(PARAFORMER.words(tokens(PARAFORMER, *pieces))) == text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["<|zh|>", "<|NEUTRAL|>", "社保", "。"], "社保"),
        (["▁he", "llo", "▁he", "llo", "社保"], "hello hello社保"),
        (["▁", "社保"], "社保"),
        (["▁i", "'m", "▁he", "llo"], "i'm hello"),
    ],
)
def test_sensevoices_words(pieces: list[str], text: str) -> None:
    assert joined(SENSEVOICE.words(tokens(SENSEVOICE, *pieces))) == text


def test_a_word_of_two_pieces_has_both_times_and_the_mean_confidence() -> None:
    first = Token(PARAFORMER.number("hel@@"), 0.0, 0.1, 0.9)
    second = Token(PARAFORMER.number("lo"), 0.1, 0.3, 0.4)
    assert PARAFORMER.words([first, second]) == (Word("hello", 0.0, 0.3, pytest.approx(0.7)),)


def test_the_mean_is_over_characters() -> None:
    assert mean_confidence([Word("a", 0, 1, 1.0), Word("bbb", 1, 2, 0.2)]) == pytest.approx(0.4)
    assert mean_confidence([]) == 0.0


def test_a_number_beyond_the_vocabulary_is_no_word() -> None:
    assert PARAFORMER.words([Token(99, 0, 1, 0.5)]) == ()


def test_hotwords() -> None:
    given = [
        "出生证明",
        "临江市 人民路",
        "",
        "出生证明",
        "https://example.org/a",
        "一二三四五六七八九十百",
        "PM2.5，",
    ]
    assert hotword_list(given) == ["出生证明", "临江市人民路", "PM25"]


def test_units_and_tags() -> None:
    assert units("请问PM2.5 是300吗") == ["请", "问", "PM2", ".", "5", "是", "300", "吗"]
    assert without_tags("<|zh|><|NEUTRAL|>你好<unk>") == "你好"


@pytest.mark.parametrize(
    ("words", "marks", "text"),
    [
        ([], [], ""),
        (["你", "好", "吗"], ["", "，", "？"], "你好，吗？"),
        (["你", "好"], ["", "，"], "你好。"),
        (["ok", "ok", "你"], ["", "", ""], "ok ok你。"),
    ],
)
def test_punctuation_ends_the_sentence(words: list[str], marks: list[str], text: str) -> None:
    assert with_marks(words, marks) == text


def test_probabilities_are_those_of_softmax() -> None:
    scores = np.array([[1.0, 3.0, 2.0], [900.0, 0.0, 0.0]], np.float32)
    best, sure = most_likely(scores)
    assert best.tolist() == [1, 0]
    assert sure.tolist() == pytest.approx([np.exp(3) / (np.e + np.exp(3) + np.exp(2)), 1.0])


def test_what_is_not_spoken_is_left_out() -> None:
    scores = np.eye(6, dtype=np.float32)[[3, 0, 1, 5, 2]] * 9
    found = spoken(scores)
    assert [(one.row, one.number) for one in found] == [(0, 3), (3, 5)]
    assert [(token.number, token.start_s) for token in timed(found, [(0.0, 0.5), (0.5, 1.0)])] == [
        (3, 0.0),
        (5, 0.5),
    ]


def test_ctc_runs_are_tokens_and_blanks_part_equal_ones() -> None:
    best = [7, 7, 7, 7, 0, 4, 4, 0, 4, 5, 0, 0]  # the first four frames are tags
    scores = np.eye(8, dtype=np.float32)[best] * np.linspace(5, 9, len(best), dtype=np.float32)[:, None]
    found = ctc_tokens(scores)
    assert [token.number for token in found] == [4, 4, 5]
    assert [(token.start_s, token.end_s) for token in found] == [
        (pytest.approx(start), pytest.approx(end))
        for start, end in ((0.06, 0.18), (0.24, 0.30), (0.30, 0.36))
    ]
    assert found[0].confidence == pytest.approx(float(most_likely(scores[6:7])[1][0])), "not that of the peak"
    assert ctc_tokens(scores[:4]) == []
    assert ctc_tokens(scores[:0]) == []


def test_times_spread_evenly() -> None:
    assert spread(2, 1.0, 2.0) == [(1.0, 1.5), (1.5, 2.0)]
    assert spread(0, 1.0, 2.0) == []
    assert spread(1, 1.0, 0.5) == [(1.0, 1.0)]


def test_a_token_begins_where_the_weights_have_filled_one_more() -> None:
    weights = np.zeros(300, np.float32)
    weights[[30, 60, 90, 290]] = 1.0  # three tokens and the end; one value is 20 ms
    times = weighed_times(weights, 3, 6.0)
    assert times == [
        (pytest.approx(start), pytest.approx(end))
        for start, end in ((0.57, 1.17), (1.17, 1.77), (1.77, 2.37))
    ]
    assert weighed_times(np.zeros(30, np.float32), 2, 1.0) == [(0.0, 0.5), (0.5, 1.0)]


@pytest.mark.parametrize("piece", [1, 3, 10, 40])
def test_integrate_and_fire_does_not_depend_on_the_pieces(piece: int) -> None:
    rng = np.random.default_rng(0)
    hidden, weights = rng.normal(size=(40, 4)).astype(np.float32), rng.uniform(0, 0.6, 40).astype(np.float32)
    whole, whole_times = Cif(4, 1.0, 0.45).feed(hidden, weights, 0, last=True)
    cif = Cif(4, 1.0, 0.45)
    parts = [
        cif.feed(hidden[at : at + piece], weights[at : at + piece], at, last=at + piece >= 40)
        for at in range(0, 40, piece)
    ]
    assert len(whole) == int(weights.sum() + 0.45)
    np.testing.assert_allclose(np.concatenate([part for part, _ in parts]), whole, rtol=1e-5, atol=1e-5)
    assert [time for _, times in parts for time in times] == whole_times


def test_a_token_is_the_weighted_sum_of_its_frames() -> None:
    hidden = np.array([[1.0], [10.0], [100.0]], np.float32)
    fired, times = Cif(1, 1.0, 0.0).feed(hidden, np.array([0.5, 0.75, 0.75], np.float32), 0, last=True)
    assert fired.tolist() == [[pytest.approx(0.5 * 1 + 0.5 * 10)], [pytest.approx(0.25 * 10 + 0.75 * 100)]]
    assert times == [(0.0, pytest.approx(0.12)), (pytest.approx(0.12), pytest.approx(0.18))]


def test_short_audio_is_one_segment() -> None:
    assert segments(np.zeros(0, np.int16)) == [(0, 0)]
    assert segments(np.zeros(16000 * 20, np.int16)) == [(0, 320000)]


def test_long_audio_is_cut_in_its_pauses() -> None:
    loud = np.random.default_rng(0).normal(0, 3000, 16000 * 50).astype(np.int16)
    for pause_s in (13.0, 31.0):
        loud[int(pause_s * 16000) : int((pause_s + 0.3) * 16000)] = 0
    found = segments(loud)
    assert found[0][0] == 0
    assert found[-1][1] == len(loud)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    assert all(end - start <= 320000 for start, end in found)
    assert all(np.abs(loud[end - 100 : end + 100]).max() == 0 for _, end in found[:2])


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    for text in ("", "- a\n- b\n", "just words", "a: [", "\x00"):
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=r"config\.yaml is not a FunASR model's configuration; fetch"):
            read_config(tmp_path, "streaming")


def test_all_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(ModelError, match="b, c missing; fetch the offline model anew"):
        require_files(tmp_path, ("a", "b", "c"), "offline")
