"""The sounds that voice activity is measured on: real speech, real noise, tones, the agent's voice."""

from __future__ import annotations

import sys
import wave
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from hotline.builtin_training import speak

Samples = npt.NDArray[np.float64]  # on the scale of 16 bits, 8 kHz

FRAME = 160
DATA = Path(__file__).parents[2] / "shared" / "data"
FITTED = ("BAC009S0150", "common_voice")  # whom the detector was fitted on; the others are for reports

_TAPER = np.hanning(3 * FRAME)
_SECONDS = np.arange(20 * 8000) / 8000
# in samples: nobody speaks in these parts of noisy_street_mobile_en.wav; an English voice does in the others
_STREET = (slice(0, 7000), slice(40960, 45200))


def read(path: Path) -> Samples:
    """A recording, at 8 kHz."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        return np.asarray(soxr.resample(pcm, file.getframerate(), 8000))


@cache
def spoken_clips(which: str) -> dict[str, Samples]:
    """Real speech by name: "all", "fitted" or "reported"."""
    if not DATA.is_dir():
        sys.exit(f"the recordings are not there: {DATA}")
    paths = sorted((DATA / "speech").glob("*.wav"))
    wanted = [path for path in paths if which == "all" or path.name.startswith(FITTED) == (which == "fitted")]
    return {path.stem: read(path) for path in wanted}


@cache
def noises() -> dict[str, Samples]:
    """Everything that is not speech, by name."""
    found = {path.stem: read(path) for path in sorted((DATA / "noise").glob("*.wav"))}
    street = found.pop("noisy_street_mobile_en")
    found["street"] = np.concatenate([street[part] for part in _STREET])
    return found | {
        "pink noise": _pink(),
        "white noise": _white(2),
        "car": np.convolve(_white(7), 0.9 ** np.arange(60))[: len(_SECONDS)]
        * (1 + 0.5 * np.sin(2 * np.pi * 0.3 * _SECONDS)),
        "ringback 450 Hz": _tone(450) * (_SECONDS % 5 < 1),
        "busy 450 Hz": _tone(450) * (_SECONDS % 0.7 < 0.35),
        "DTMF 100 ms": _keys(0.1, 0.1),
        "DTMF 60 ms": _keys(0.06, 0.09),
        "clicks": _bangs(8000, 160, 40),
        "slams": np.convolve(_bangs(16000, 2400, 500), np.ones(6) / 6)[: len(_SECONDS)],
    }


def spoken(samples: Samples) -> npt.NDArray[np.bool_]:
    """Which frames of a clean recording are speech: voiced ones, and what hangs on them.

    Breaths and the room are not: from a voiced run, up to 160 ms of sound not 20 dB below the loud parts.
    """
    count = len(samples) // FRAME
    points = -(-len(samples) // 4096) * 4096  # odd lengths are slow
    spectrum = np.fft.rfft(samples, points)
    spectrum[: int(250 * points / 8000)] = 0
    filtered = np.fft.irfft(spectrum, points)[: len(samples)]
    levels = 10 * np.log10(np.square(filtered[: count * FRAME].reshape(-1, FRAME)).mean(axis=1) + 1e-9)
    loud = float(np.percentile(levels, 95))
    voiced = (_periodicity(filtered, count) > 0.55) & (levels > loud - 18)
    found = np.zeros(count, bool)
    for seed in np.flatnonzero(voiced & (np.convolve(voiced, np.ones(4), "same") >= 3)):
        found[seed] = True
        for step in (-1, 1):
            at = seed + step
            while 0 <= at < count and abs(at - seed) <= 8 and levels[at] > loud - 20:
                found[at] = True
                at += step
    return found


def at_level(samples: Samples, dbfs: float) -> Samples:
    """With speech, without its pauses, at that level."""
    powers = np.square(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    level = float(powers[powers > powers.max() * 1e-3].mean())
    return np.asarray(samples * (32768 * 10 ** (dbfs / 20) / np.sqrt(level)))


@cache
def agent_voice() -> Samples:
    """What the agent says: whole frames, at -20 dBFS."""
    texts = (
        "您好，这里是临江市一二三四五热线，请问有什么可以帮您？",
        "请您带上身份证，到任意一家社保卡合作银行补办。",
        "好的，您反映的路灯问题我记下来了，请问具体是哪条路？",
    )
    pieces = []
    for text in texts:
        pcm, rate = speak(text, "f5", 1.0, 50)
        pieces += [soxr.resample(pcm.astype(np.float64), rate, 8000), np.zeros(2400)]
    samples = at_level(np.concatenate(pieces), -20.0)
    return np.asarray(np.clip(np.round(samples[: len(samples) // FRAME * FRAME]), -32768, 32767))


def _periodicity(samples: Samples, count: int) -> Samples:
    """How alike each frame is to itself one pitch period later, of 1."""
    padded = np.concatenate([np.zeros(FRAME), samples, np.zeros(3 * FRAME)])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 3 * FRAME)[::FRAME][:count] * _TAPER
    alike = np.fft.irfft(np.abs(np.fft.rfft(pieces, 1024, axis=1)) ** 2, axis=1)[:, :140]
    taper = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, 1024)) ** 2)[:140]
    best = (alike[:, 20:] / taper[20:]).max(axis=1)
    return np.asarray(best / (alike[:, 0] / taper[0] + 1e-9))


def _white(seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 1000, len(_SECONDS))


def _pink() -> Samples:
    spectrum = np.fft.rfft(_white(1))
    hertz = np.fft.rfftfreq(len(_SECONDS), 1 / 8000)
    return np.asarray(np.fft.irfft(spectrum * (hertz >= 100) / np.sqrt(np.maximum(hertz, 1)), len(_SECONDS)))


def _tone(hertz: float) -> Samples:
    return np.asarray(1000 * np.sin(2 * np.pi * hertz * _SECONDS))


def _keys(on_s: float, off_s: float) -> Samples:
    """Four keys, again and again."""
    number = (_SECONDS / (on_s + off_s)).astype(int) % 4
    tones = np.zeros(len(_SECONDS))
    for key, (low, high) in enumerate(((697, 1209), (770, 1336), (852, 1477), (941, 1209))):
        tones += (number == key) * (_tone(low) + _tone(high))
    return np.asarray(tones * (_SECONDS % (on_s + off_s) < on_s))


def _bangs(every: int, length: int, fading: float) -> Samples:
    """Short noises, each fading to a third within `fading` samples."""
    chance = np.random.default_rng(3)
    sound = np.zeros(len(_SECONDS))
    for at in range(every // 2, len(sound) - length, every):
        sound[at : at + length] = chance.normal(0, 9000, length) * np.exp(-np.arange(length) / fading)
    return sound
