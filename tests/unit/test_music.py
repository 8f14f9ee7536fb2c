"""The music on hold: quiet, lively, and without a seam."""

from __future__ import annotations

import numpy as np
import pytest

from voice.media import BYTES_PER_S, level_dbfs
from voice.music import hold_music
from voice.phone import BYTES_PER_CHUNK

pytestmark = [pytest.mark.unit]


def test_it_is_whole_chunks_of_a_pleasant_length() -> None:
    music = hold_music()
    assert len(music) % BYTES_PER_CHUNK == 0
    assert 10.0 <= len(music) / BYTES_PER_S <= 60.0
    assert hold_music() is music


def test_it_is_quieter_than_speech_and_never_silent() -> None:
    music = hold_music()
    assert -40.0 < level_dbfs(music) < -22.0
    seconds = [music[at : at + BYTES_PER_S] for at in range(0, len(music), BYTES_PER_S)]
    assert min(map(level_dbfs, seconds)) > -45.0
    assert np.abs(np.frombuffer(music, "<i2").astype(int)).max() < 16000


def test_it_goes_round_without_a_click() -> None:
    music = np.frombuffer(hold_music(), "<i2").astype(int)
    steps = np.abs(np.diff(music))
    assert abs(music[0] - music[-1]) <= steps.max()
