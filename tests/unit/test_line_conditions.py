"""The simulated lines: levels of noise, A-law, lost packets, and that chance is the same for everybody."""

from __future__ import annotations

import numpy as np
import pytest

from asr.builtin.line import alaw, lose_packets
from hotline.line_conditions import (
    FRAME,
    Condition,
    Samples,
    add_noise,
    apply,
    combine,
    first_sound_s,
    frame_powers,
    pink_noise,
    speech_power,
)
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit]

SENTENCE = "我想咨询一下出生证明要收费吗"


def speech() -> Samples:
    return np.frombuffer(synthesise(SENTENCE), "<i2").astype(np.float64)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def through(
    samples: Samples, condition: Condition, *, name: str = "a", noise: Samples | None = None
) -> Samples:
    """`samples` over the line, as numbers."""
    pcm = apply(samples.astype("<i2").tobytes(), condition, name=name, noise=noise)
    return np.frombuffer(pcm, "<i2").astype(np.float64)


@pytest.mark.parametrize("snr_db", [40.0, 15.0, 5.0, 0.0, -10.0])
@pytest.mark.parametrize("noise", [None, np.sin(np.arange(999) / 7) * 100])
def test_noise_is_as_loud_as_asked(snr_db: float, noise: Samples | None) -> None:
    quiet = np.round(speech() / 10)  # so that nothing has to be made quieter
    added = through(quiet, Condition(noise_db=snr_db), noise=noise) - quiet
    assert 10 * np.log10(speech_power(quiet) / np.mean(added**2)) == pytest.approx(snr_db, abs=0.2)


def test_pauses_do_not_count_for_the_level_of_speech() -> None:
    paused = np.concatenate([np.zeros(FRAME * 100), speech(), np.zeros(FRAME * 100)])
    assert speech_power(paused) == pytest.approx(speech_power(speech()), rel=0.05)


def test_a_sum_too_loud_is_made_quieter_as_a_whole() -> None:
    loud, quiet = (add_noise(speech() * gain, pink_noise(), 0.0, chance()) for gain in (10, 0.1))
    assert np.abs(loud).max() == pytest.approx(32767)
    assert loud / np.abs(loud).max() == pytest.approx(quiet / np.abs(quiet).max())


def test_silence_gets_no_noise_and_stays_silent() -> None:
    assert not add_noise(np.zeros(1600), pink_noise(), 10.0, chance()).any()


def test_noise_with_a_long_silence_is_taken_where_there_is_sound() -> None:
    noise = np.zeros(8000 * 600)
    noise[:400] = 1000.0
    assert np.abs(add_noise(speech() / 10, noise, 10.0, chance()) - speech() / 10).max() > 0


def test_pink_noise_has_the_same_power_in_every_octave() -> None:
    power = np.abs(np.fft.rfft(pink_noise())) ** 2
    frequencies = np.fft.rfftfreq(len(pink_noise()), 1 / 8000)
    octaves = [
        power[(frequencies >= low) & (frequencies < 2 * low)].sum() for low in (125, 250, 500, 1000, 2000)
    ]
    assert max(octaves) / min(octaves) < 1.5
    assert power[frequencies < 99].sum() < power.sum() / 1e6


def test_alaw_levels() -> None:
    every = np.arange(-32768, 32768).astype(np.float64)
    coded = alaw(every)
    assert len(np.unique(coded)) == 256
    assert (coded == -coded[::-1]).all()
    assert (np.diff(coded) >= 0).all()
    known = {0: 8, -1: -8, 15: 8, 16: 24, 511: 504, 512: 528, 1000: 1008, 32767: 32256, -32768: -32256}
    assert {value: int(coded[value + 32768]) for value in known} == known
    assert (alaw(coded) == coded).all(), "a second coder changes nothing"
    loud = np.abs(every) > 1000
    assert (np.abs(coded - every)[loud] <= np.abs(every)[loud] / 32).all()


@pytest.mark.parametrize("percent", [1.0, 10.0, 50.0])
def test_as_many_packets_are_lost_as_asked(percent: float) -> None:
    steady = np.full(FRAME * 20000, 1000.0)
    heard = lose_packets(steady, percent / 100, chance())
    lost = (heard.reshape(-1, FRAME) != 1000.0).any(axis=1)
    assert lost.mean() * 100 == pytest.approx(percent, rel=0.1)


def test_a_lost_packet_is_the_one_before_at_half_its_loudness() -> None:
    class Lost:
        def random(self, count: int) -> Samples:
            return np.array([0.0, 0.9, 0.0, 0.0, 0.9])[:count]

    packets = np.repeat([100.0, 200.0, 300.0, 400.0, 500.0], FRAME)[:-10]
    heard = lose_packets(packets, 0.5, Lost())  # type: ignore[arg-type]
    assert len(heard) == len(packets)
    assert heard[::FRAME].tolist() == [0.0, 200.0, 100.0, 50.0, 500.0]


def test_all_lost_is_silence_and_none_lost_is_untouched() -> None:
    assert not lose_packets(speech(), 1.0, chance()).any()
    assert (lose_packets(speech(), 0.0, chance()) == speech()).all()


def test_a_clean_line_changes_nothing() -> None:
    assert (through(speech(), Condition()) == speech()).all()


def test_alaw_comes_after_noise_and_before_losses() -> None:
    heard = through(speech(), Condition("alaw", 10.0))
    assert (alaw(heard) == heard).all()
    assert len(np.unique(heard)) > 50
    lost = through(speech(), Condition("alaw", 10.0, 20.0))
    same = [(lost[at : at + FRAME] == heard[at : at + FRAME]).all() for at in range(0, len(lost), FRAME)]
    assert 0.5 < np.mean(same) < 1


def test_chance_depends_on_the_name_only() -> None:
    condition = Condition(noise_db=10.0, loss_percent=20.0)
    assert (through(speech(), condition, name="a") == through(speech(), condition, name="a")).all()
    assert (through(speech(), condition, name="a") != through(speech(), condition, name="b")).any()


@pytest.mark.parametrize("samples", [0, 1, 159, 161])
def test_any_length_stays_as_long(samples: int) -> None:
    assert len(through(np.ones(samples) * 500, Condition("alaw", 10.0, 50.0))) == samples


def test_speech_begins_at_its_first_sound() -> None:
    pcm = bytes(8000) + synthesise(SENTENCE)
    begun_s = first_sound_s(synthesise(SENTENCE))
    assert first_sound_s(pcm) == pytest.approx(0.5 + begun_s, abs=0.02)
    assert first_sound_s(bytes(3200)) == first_sound_s(b"") == 0.0
    assert frame_powers(np.zeros(0)).size == 0


def test_every_combination_is_a_condition_of_its_own() -> None:
    assert [one.name for one in combine([], [], [])] == ["clean"]
    assert [one.name for one in combine([], [15, 5, 15], [])] == ["clean", "noise 15 dB", "noise 5 dB"]
    assert [one.name for one in combine(["clean", "alaw"], [], [2.5])] == [
        "clean",
        "loss 2.5 %",
        "A-law",
        "A-law, loss 2.5 %",
    ]
    assert combine(["alaw"], [0], [0]) == [Condition("alaw"), Condition("alaw", 0.0)]
