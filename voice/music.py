"""Music on hold, composed here so that nobody's rights are touched: a slow pentatonic line over a drone."""

from __future__ import annotations

from functools import cache

import numpy as np

from voice.phone import SAMPLE_RATE

_NOTE_S = 0.6
_DRONE_HZ = (196.0, 293.66)
_DRONE_LEVEL = 0.25  # of a note
_LEVEL = 0.06  # of full scale: quiet enough to speak over
# Semitones above C4, a pentatonic phrase; None rests.
_LINE = (
    0,
    4,
    7,
    9,
    7,
    4,
    2,
    None,
    4,
    7,
    9,
    12,
    9,
    7,
    4,
    None,
    2,
    4,
    7,
    4,
    2,
    0,
    -3,
    None,
    0,
    2,
    4,
    2,
    0,
    -3,
    0,
    None,
)


def _tone(semitones: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = 261.63 * 2 ** (semitones / 12)
    wave = np.sin(2 * np.pi * hz * t) + 0.35 * np.sin(4 * np.pi * hz * t) + 0.12 * np.sin(6 * np.pi * hz * t)
    return np.asarray(wave * np.exp(-2.2 * t) * np.minimum(1.0, t / 0.01))


@cache
def hold_music() -> bytes:
    """One round of it, mono s16le at the telephone's rate; play it in a loop."""
    ring_s = 1.6  # a note rings on under the next ones
    total = np.zeros(round((len(_LINE) * _NOTE_S + ring_s) * SAMPLE_RATE))
    for index, semitones in enumerate(_LINE):
        if semitones is not None:
            note = _tone(semitones, ring_s)
            start = round(index * _NOTE_S * SAMPLE_RATE)
            total[start : start + len(note)] += note
    whole = round(len(_LINE) * _NOTE_S * SAMPLE_RATE)
    total[: len(total) - whole] += total[whole:]  # the last notes ring into the next round
    t = np.arange(whole) / SAMPLE_RATE
    for hz in _DRONE_HZ:  # keeps the line alive between the notes
        total[:whole] += _DRONE_LEVEL * np.sin(
            2 * np.pi * round(hz * whole / SAMPLE_RATE) * SAMPLE_RATE / whole * t
        )
    return bytes((total[:whole] * _LEVEL * 32767).astype("<i2").tobytes())
