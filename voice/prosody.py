"""How a voice came to its present silence: weaker and breathier, as at an end, or in full voice.

Tones and the little that a second of telephone audio tells leave few signs that hold from one speaker to the
next. Of ten that were tried (docs/turn-taking.md) two did: where people have finished, the last syllable is
weaker than those before it, and its periods grow irregular. Neither depends on how abruptly a sound stops, so
that a pause cut into a recording is judged as one that a person made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KEPT_S = 1.0  # of audio, up to the last speech frame, is what `measure` looks at

_SAMPLE_RATE, _HOP, _WINDOW, _POINTS = 8000, 160, 256, 512
_LEAST_WINDOWS = 15
_HANN = np.hanning(_WINDOW).astype(np.float32)
_TELEPHONE = slice(10, 220)  # of 15.6 Hz: 160 to 3400 Hz
_SHORTEST, _LONGEST = 20, 134  # samples of a period: 60 to 400 Hz
_OWN = np.fft.irfft(np.abs(np.fft.rfft(_HANN, _POINTS)) ** 2)[_SHORTEST:_LONGEST]
_OWN = (_OWN / float(np.sum(_HANN**2))).astype(np.float32)  # what the window does to a period's strength
_VOICED, _VOICED_DB = 0.5, 20.0
_LEAST_VOICED = 5
_SYLLABLE, _TAIL = 18, 8  # windows of 20 ms

# By `bench.endpointing --fit`: what 1 dB, full periodicity and nothing at all add to the log-odds of an end.
WEIGHTS = (-0.09, -0.88, 0.47)


@dataclass(frozen=True, slots=True)
class Prosody:
    """The end of a stretch of speech."""

    level_db: float  # the loudest of the last syllable, against the loud parts of the last second; 0 or less
    periodicity: float  # of the last 0.15 s of voice, 0..1: 1 is a steady tone


def measure(frames: Sequence[bytes]) -> Prosody | None:
    """The prosody of 20 ms frames (s16le, 8 kHz), the last of them speech; None with too little voice.

    Frames older than KEPT_S change nothing. Takes half a millisecond: once a silence, not once a frame.
    """
    kept = frames[-round(KEPT_S * _SAMPLE_RATE / 160) :]
    samples = np.frombuffer(b"".join(kept), "<i2").astype(np.float32)
    if len(samples) < _WINDOW + _LEAST_WINDOWS * _HOP:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * _HANN, _POINTS)
    powers = spectra.real**2 + spectra.imag**2
    levels = 10 * np.log10(powers[:, _TELEPHONE].sum(axis=1) + 1)
    levels = np.convolve(np.pad(levels, 1, "edge"), np.ones(3) / 3, "valid")
    likeness = np.fft.irfft(powers)
    strengths = (likeness[:, _SHORTEST:_LONGEST] / (likeness[:, :1] + 1) / _OWN).max(axis=1)
    loud = np.percentile(levels, 95)
    voiced = np.flatnonzero((levels > loud - _VOICED_DB) & (strengths > _VOICED))
    if len(voiced) < _LEAST_VOICED:
        return None
    end = int(voiced[-1]) + 1  # what follows is breath or the line's noise
    level = min(0.0, float(levels[max(0, end - _SYLLABLE) : end].max() - loud))
    return Prosody(level, float(np.clip(strengths[max(0, end - _TAIL) : end].mean(), 0, 1)))


def finality(prosody: Prosody, weights: tuple[float, float, float] = WEIGHTS) -> float:
    """The log-odds that a voice that sounds so has come to its end: above 0 for likely."""
    level, periodicity, nothing = weights
    return level * prosody.level_db + periodicity * prosody.periodicity + nothing
