"""What a telephone line does to speech: noise at the caller's end, A-law coding, lost packets.

In this order, as on a real line. Whatever is left to chance depends on the recording's name only, so every
engine hears the same.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from asr.builtin.line import alaw, lose_packets

Samples: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"  # on the scale of 16 bits
Through: TypeAlias = Literal["clean", "alaw"]

SAMPLE_RATE = 8000
FRAME = 160  # samples: 20 ms, a packet
_SPEECH_RANGE_DB = 30.0  # frames this far below the loudest are pauses
_PINK_S = 20
_PINK_FROM_HZ = 100.0  # a telephone carries nothing below


@dataclass(frozen=True, slots=True)
class Condition:
    """One kind of line; the default changes nothing."""

    through: Through = "clean"
    noise_db: float | None = None  # speech over noise
    loss_percent: float = 0.0

    @property
    def name(self) -> str:
        """In a few words."""
        parts = ["A-law"] if self.through == "alaw" else []
        parts += [f"noise {self.noise_db:g} dB"] if self.noise_db is not None else []
        parts += [f"loss {self.loss_percent:g} %"] if self.loss_percent else []
        return ", ".join(parts) or "clean"


def combine(
    through: Sequence[Through], noise_db: Sequence[float], loss_percent: Sequence[float]
) -> list[Condition]:
    """Every combination, each once, those without noise and without loss included."""
    carried: Sequence[Through] = through or ("clean",)
    lines = itertools.product(carried, (None, *noise_db), (0.0, *loss_percent))
    return list(dict.fromkeys(Condition(*line) for line in lines))


def apply(pcm: bytes, condition: Condition, *, name: str, noise: Samples | None = None) -> bytes:
    """`pcm` (mono s16le at 8000 Hz) as it arrives; `noise` (the same) instead of pink noise."""
    chance = np.random.default_rng(zlib.crc32(name.encode("utf-8", "replace")))
    samples: Samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    if condition.noise_db is not None:
        samples = add_noise(samples, pink_noise() if noise is None else noise, condition.noise_db, chance)
    samples = np.round(samples)
    if condition.through == "alaw":
        samples = alaw(samples)
    if condition.loss_percent:
        samples = lose_packets(samples, condition.loss_percent / 100, chance)
    return bytes(np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes())


def add_noise(speech: Samples, noise: Samples, snr_db: float, chance: np.random.Generator) -> Samples:
    """Add `noise`, from a random place in it and repeated as needed, at `snr_db` below the speech.

    Pauses do not count for the level of speech. Where the sum would be too loud for 16 bits, all of it is
    made quieter. `noise` must not be silent.
    """
    level = speech_power(speech)
    if not level:
        return speech
    places = np.arange(len(speech))
    piece = noise[(places + int(chance.integers(len(noise)))) % len(noise)]
    if not piece.any():
        piece = noise[(places + int(np.argmax(np.abs(noise)))) % len(noise)]
    mixed = speech + piece * np.sqrt(level / np.mean(piece**2) / 10 ** (snr_db / 10))
    return np.asarray(mixed * min(1.0, 32767 / np.max(np.abs(mixed))))


def speech_power(samples: Samples) -> float:
    """Mean square of the frames that are no pauses; 0.0 for silence."""
    powers = frame_powers(samples)
    loud = powers[powers > powers.max(initial=0.0) * 10 ** (-_SPEECH_RANGE_DB / 10)]
    return float(loud.mean()) if loud.size else 0.0


def first_sound_s(pcm: bytes) -> float:
    """When speech begins in `pcm` (mono s16le at 8000 Hz), in seconds."""
    powers = frame_powers(np.frombuffer(pcm, "<i2").astype(np.float64))
    loud = np.flatnonzero(powers > powers.max(initial=0.0) * 10 ** (-_SPEECH_RANGE_DB / 10))
    return int(loud[0]) * FRAME / SAMPLE_RATE if loud.size else 0.0


def frame_powers(samples: Samples) -> Samples:
    """Mean square of each frame, the last one filled up with silence."""
    return np.asarray((_frames(samples) ** 2).mean(axis=1))


@functools.lru_cache(1)
def pink_noise() -> Samples:
    """Noise with the same power in every octave, as rooms and streets nearly have; always the same."""
    count = _PINK_S * SAMPLE_RATE
    spectrum: Any = np.fft.rfft(np.random.default_rng(1).normal(0, 1000, count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum[frequencies < _PINK_FROM_HZ] = 0
    spectrum[1:] /= np.sqrt(frequencies[1:])
    return np.asarray(np.fft.irfft(spectrum, count))


def _frames(samples: Samples) -> Samples:
    return np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
