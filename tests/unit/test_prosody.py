"""What is measured of a voice at its end, on voices made of periods and noise."""

from __future__ import annotations

import numpy as np
import pytest

from asr.builtin.line import alaw
from tests.unit.espeak import synthesise
from voice.prosody import Prosody, finality, measure

pytestmark = [pytest.mark.unit]

RATE, FRAME = 8000, 160
Samples = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def voice(seconds: float, *, hertz: float = 140.0, level: float = 4000.0, noise: float = 0.0) -> Samples:
    """Pulses as of vocal cords, so many a second; `noise` is the share of breath in it."""
    at = np.arange(round(seconds * RATE)) / RATE
    pulses = sum(np.cos(2 * np.pi * hertz * harmonic * at) / harmonic for harmonic in range(1, 20))
    breath = np.random.default_rng(1).normal(0, 1, len(at))
    return np.asarray(level * ((1 - noise) * pulses / 2 + noise * breath))


def frames(*parts: Samples) -> list[bytes]:
    samples = np.concatenate(parts)
    samples = alaw(np.round(samples + np.random.default_rng(2).normal(0, 40, len(samples))))  # -58 dBFS
    pcm = np.clip(samples, -32768, 32767).astype("<i2").tobytes()
    return [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm) // (2 * FRAME) * 2 * FRAME, 2 * FRAME)]


def measured(*parts: Samples) -> Prosody:
    found = measure(frames(*parts))
    assert found is not None
    return found


def test_a_steady_vowel_is_periodic_and_as_loud_as_what_was_before_it() -> None:
    found = measured(voice(1.0))
    assert found.periodicity > 0.9
    assert found.level_db == pytest.approx(0, abs=0.5)


def test_a_last_syllable_half_as_loud_is_six_decibels_down() -> None:
    found = measured(voice(0.5), np.zeros(800), voice(0.4, level=2000))
    assert found.level_db == pytest.approx(-6, abs=1)


def test_a_voice_that_turns_to_breath_is_less_periodic() -> None:
    clear = measured(voice(0.8))
    breathy = measured(voice(0.6), voice(0.2, noise=0.35))
    assert breathy.periodicity < clear.periodicity - 0.1


def test_the_line_s_noise_after_the_voice_changes_little() -> None:
    """A detector of speech lets go of a voice late."""
    alone, followed = measured(voice(0.8)), measured(voice(0.8), np.zeros(800))
    assert followed.periodicity == pytest.approx(alone.periodicity, abs=0.1)
    assert followed.level_db == pytest.approx(alone.level_db, abs=1)


def test_how_loud_the_caller_is_does_not_matter() -> None:
    loud, quiet = (measured(voice(0.6, level=one), voice(0.3, level=one / 2)) for one in (4000.0, 800.0))
    assert quiet.level_db == pytest.approx(loud.level_db, abs=1)
    assert quiet.periodicity == pytest.approx(loud.periodicity, abs=0.1)


def test_only_the_last_second_counts() -> None:
    recent = frames(voice(1.0))
    assert measure(frames(voice(1.0, level=9000)) + recent) == measure(recent)


@pytest.mark.parametrize(
    "parts", [[voice(0.2)], [np.zeros(8000)], [np.random.default_rng(3).normal(0, 3000, 8000)]]
)
def test_too_little_voice_is_not_judged(parts: list[Samples]) -> None:
    assert measure(frames(*parts)) is None


def test_nothing_is_not_judged() -> None:
    assert measure([]) is None


def test_real_speech_can_be_measured() -> None:
    samples = np.frombuffer(synthesise("社保卡丢了怎么补办"), "<i2").astype(np.float64)
    found = measured(samples)
    assert -30 < found.level_db <= 0
    assert 0 < found.periodicity < 1


def test_weaker_and_rougher_is_more_final() -> None:
    full, weak, rough = Prosody(0, 0.95), Prosody(-8, 0.95), Prosody(0, 0.6)
    assert finality(weak) > finality(full)
    assert finality(rough) > finality(full)
