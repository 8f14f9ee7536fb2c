"""Stretches of calls made of signals whose begin, end and syllables are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hotline.line_conditions import SAMPLE_RATE, Samples
from hotline.turn_clips import (
    LEAD_S,
    TAIL_S,
    LabelledClip,
    labelled,
    levels_dbfs,
    sounds,
    syllables,
    with_pause,
    word_ends,
)
from voice.media import level_dbfs

pytestmark = [pytest.mark.unit]


def tone(seconds: float, amplitude: float = 6000.0) -> Samples:
    """A buzz of many harmonics."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(sum(amplitude / n * np.sin(2 * np.pi * 200 * n * t) for n in range(1, 12)))


def hush(seconds: float) -> Samples:
    return np.random.default_rng(3).normal(0, 8, round(seconds * SAMPLE_RATE))


def pcm(*parts: Samples) -> bytes:
    return np.concatenate(parts).astype("<i2").tobytes()


def spoken(text: str, gaps_s: Sequence[float], syllable_s: float = 0.2) -> LabelledClip:
    """`text` as one buzz a character, each followed by a gap; half a second of silence around them."""
    parts = [hush(0.5)]
    for gap_s in gaps_s:
        parts += [tone(syllable_s), hush(gap_s)]
    clip = labelled("a", pcm(*parts, hush(0.5)), text, "human")
    assert clip is not None
    return clip


def edge_levels(clip: LabelledClip, at_s: float) -> float:
    """The greatest step from sample to sample within 15 ms of a cut."""
    samples = np.frombuffer(clip.pcm, "<i2").astype(np.float64)
    around = samples[round((at_s - 0.015) * SAMPLE_RATE) : round((at_s + 0.015) * SAMPLE_RATE)]
    return float(np.abs(np.diff(around)).max())


# -- the true ends -------------------------------------------------------------------------------------------
def test_first_and_last_sound_are_where_they_are() -> None:
    clip = labelled("a", pcm(hush(0.5), tone(0.8), hush(0.7)), "您好", "human")
    assert clip is not None
    assert clip.first_s == pytest.approx(LEAD_S + 0.5, abs=0.011)
    assert clip.last_s == pytest.approx(LEAD_S + 1.3, abs=0.011)
    assert clip.duration_s == pytest.approx(LEAD_S + 2.0 + TAIL_S)


def test_a_breath_a_click_and_an_echo_are_no_sounds_of_speech() -> None:
    breath, click, echo = tone(0.3, 600), tone(0.03, 6000), tone(0.2, 200)
    clip = labelled(
        "a", pcm(breath, hush(0.4), click, hush(0.4), tone(0.8), echo, hush(0.5)), "您好", "human"
    )
    assert clip is not None
    assert clip.first_s == pytest.approx(LEAD_S + 1.13, abs=0.011)
    assert clip.last_s == pytest.approx(LEAD_S + 1.93, abs=0.011)


def test_a_short_sound_after_a_gap_is_the_last_syllable_when_it_has_a_pitch() -> None:
    burst = np.random.default_rng(4).normal(0, 6000, round(0.1 * SAMPLE_RATE))
    for sound, last_s in ((tone(0.1), 1.7), (burst, 1.3)):
        clip = labelled("a", pcm(hush(0.5), tone(0.8), hush(0.3), sound, hush(0.6)), "您好", "human")
        assert clip is not None
        assert clip.last_s == pytest.approx(LEAD_S + last_s, abs=0.011)


def test_rumble_below_the_telephones_band_changes_nothing() -> None:
    quiet = np.concatenate([hush(0.5), tone(0.8), hush(0.7)])
    rumble = 3000 * np.sin(2 * np.pi * 40 * np.arange(len(quiet)) / SAMPLE_RATE)
    clip = labelled("a", pcm(quiet + rumble), "您好", "human")
    assert clip is not None
    assert clip.first_s == pytest.approx(LEAD_S + 0.5, abs=0.03)
    assert clip.last_s == pytest.approx(LEAD_S + 1.3, abs=0.03)


def test_where_nobody_speaks_there_is_no_clip() -> None:
    assert labelled("a", pcm(hush(2.0)), "您好", "human") is None
    assert labelled("a", bytes(2 * SAMPLE_RATE), "您好", "human") is None
    assert labelled("a", b"", "您好", "human") is None


def test_a_line_is_never_silent() -> None:
    clip = labelled("a", pcm(np.zeros(4000), tone(0.8), np.zeros(4000)), "您好", "human")
    assert clip is not None
    for part in (clip.pcm[:8000], clip.pcm[-8000:]):
        assert level_dbfs(part) == pytest.approx(-60, abs=1.5)


def test_noise_around_is_as_loud_as_the_recordings_own() -> None:
    clip = labelled("a", pcm(20 * hush(0.5), tone(0.8), 20 * hush(0.5)), "您好", "human")
    assert clip is not None
    assert level_dbfs(clip.pcm[: 2 * SAMPLE_RATE]) == pytest.approx(-46.5, abs=2.5)


def test_a_recording_is_the_same_clip_every_time() -> None:
    assert spoken("想听歌曲", [0.03] * 4) == spoken("想听歌曲", [0.03] * 4)


# -- when characters sound -----------------------------------------------------------------------------------
def test_characters_have_been_said_at_the_dips_between_syllables() -> None:
    clip = spoken("想听歌曲", [0.02, 0.02, 0.02, 0.02])
    assert clip.said_s == pytest.approx([LEAD_S + 0.5 + 0.22 * n for n in range(1, 5)], abs=0.03)


def test_a_gap_in_speech_is_between_two_characters() -> None:
    clip = spoken("想听歌曲", [0.02, 0.5, 0.02, 0.02])
    assert clip.said_s[1] == pytest.approx(LEAD_S + 0.5 + 0.42, abs=0.02)
    assert clip.said_s[3] == pytest.approx(clip.last_s, abs=0.011)
    assert clip.said(clip.said_s[1]) == "想听"
    assert clip.said(LEAD_S + 1.3) == "想听"
    assert clip.said(0.0) == ""
    assert clip.said(clip.last_s) == "想听歌曲"


def test_punctuation_takes_no_time() -> None:
    clip = spoken("想听，歌曲。", [0.02] * 4)
    assert clip.said_s[1] == clip.said_s[2]
    assert clip.said_s[4] == clip.said_s[5] == pytest.approx(clip.last_s, abs=0.011)


def test_more_characters_than_sound_are_shared_out_in_order() -> None:
    clip = spoken("想听歌曲老男孩想听歌曲老男孩想听歌曲老男孩", [0.02], syllable_s=0.1)
    assert list(clip.said_s) == sorted(clip.said_s)
    assert clip.said_s[-1] == pytest.approx(clip.last_s, abs=0.011)


def test_syllables_of_digits_letters_and_words() -> None:
    assert syllables("五，5a") == [1, 0, 1, 1]
    assert sum(syllables("DJ")) == 2
    assert sum(syllables("because")) == pytest.approx(3)
    assert sum(syllables("Maps")) == pytest.approx(1)


# -- where one pauses ----------------------------------------------------------------------------------------
def test_speakers_pause_at_the_ends_of_words_and_within_numbers() -> None:
    assert word_ends("办理社保卡") == [2]  # 社保卡 is one word, and the text's end is no pause
    assert word_ends("一三五一五零八二一九二") == [3, 4, 5, 6, 7, 8]
    assert word_ends("您好。") == []
    assert word_ends("") == []


def test_the_pause_is_at_the_deepest_dip_at_a_words_end() -> None:
    clip = spoken("想听歌曲老男孩", [0.02, 0.02, 0.02, 0.08, 0.02, 0.02, 0.02])
    paused = with_pause(clip, 0.8)
    assert paused is not None
    assert paused.before == "想听歌曲"
    assert LEAD_S + 0.5 + 0.86 <= paused.pause_start_s <= LEAD_S + 0.5 + 0.94
    assert paused.pause_end_s - paused.pause_start_s == pytest.approx(0.8, abs=0.001)
    assert paused.clip.duration_s - clip.duration_s == pytest.approx(0.8, abs=0.001)
    assert paused.clip.last_s - clip.last_s == pytest.approx(0.8, abs=0.001)
    assert paused.clip.first_s == clip.first_s
    assert paused.clip.said(paused.pause_start_s) == paused.clip.said(paused.pause_end_s) == "想听歌曲"
    assert paused.clip.said(paused.clip.last_s) == clip.text


def test_the_pause_is_line_noise_without_a_click() -> None:
    clip = spoken("想听歌曲老男孩", [0.02, 0.02, 0.02, 0.08, 0.02, 0.02, 0.02])
    paused = with_pause(clip, 1.0)
    assert paused is not None
    samples = np.frombuffer(paused.clip.pcm, "<i2").astype(np.float64)
    levels = levels_dbfs(samples)
    inside = levels[round((paused.pause_start_s + 0.05) * 100) : round((paused.pause_end_s - 0.05) * 100)]
    assert inside.min() > -63
    assert inside.max() < -55
    for cut_s in (paused.pause_start_s, paused.pause_end_s):
        assert edge_levels(paused.clip, cut_s) < 200  # the buzz itself has steps of thousands


def test_no_pause_where_there_is_no_place_for_one() -> None:
    assert with_pause(spoken("您好", [0.1, 0.1]), 0.8) is None  # one word
    assert with_pause(spoken("想听歌曲", [0.08] * 4, syllable_s=0.08), 0.8) is None  # too short on one side
    flat = labelled("a", pcm(hush(0.5), tone(2.0), hush(0.5)), "想听歌曲老男孩", "human")
    assert flat is not None
    assert with_pause(flat, 0.8) is None  # no dip


def test_a_dip_far_from_any_words_end_is_none() -> None:
    clip = spoken("想听歌曲老男孩", [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    samples = np.frombuffer(clip.pcm, "<i2").copy()
    at = round((LEAD_S + 0.5 + 0.1) * SAMPLE_RATE)
    samples[at : at + 400] = 0
    assert with_pause(replace(clip, pcm=samples.tobytes()), 0.8) is None


def test_sounds_have_no_holes_where_a_stop_closes_the_mouth() -> None:
    heard = sounds(np.concatenate([hush(0.5), tone(0.3), hush(0.05), tone(0.3), hush(0.5)]))
    assert heard[50:115].all()
    assert not heard[:49].any()
    assert not heard[116:].any()
