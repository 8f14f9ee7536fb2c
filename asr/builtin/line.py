"""The harm that a telephone line does to speech: synthetic speech on it trains as if it came by telephone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE = 8000
_PACKET = SAMPLE_RATE // 50

Samples = npt.NDArray[np.float32]  # full scale is 32768, as Kaldi takes it
Numbers = TypeVar("Numbers", npt.NDArray[np.float32], npt.NDArray[np.float64])


def alaw(samples: Numbers) -> Numbers:
    """`samples` (whole numbers of 16 bits) after G.711 A-law and back."""
    magnitude = np.clip(np.where(samples < 0, -samples - 1, samples), 0, 32767)
    exponent = np.floor(np.log2(np.maximum(magnitude, 1)))
    step = np.maximum(16.0, 2.0 ** (exponent - 4))
    level = np.floor(magnitude / step) * step + step / 2
    coded: Numbers = np.where(samples < 0, -level, level).astype(samples.dtype)
    return coded


@dataclass(frozen=True, slots=True)
class Line:
    """Makes telephone audio of clean speech: another speaker, room, level, noise and line every time.

    Each use draws from `random`, so one generator gives one reproducible sequence.
    """

    random: np.random.Generator

    def carry(self, speech: Samples, rate: float, *, babble: Samples | None = None) -> Samples:
        """`speech` at `rate` Hz as 8 kHz samples: warped, filtered, levelled, noisy, coded, with losses."""
        x = self._warp(speech, rate)
        lead, tail = self.random.uniform(0.05, 0.6), self.random.uniform(0.1, 1.0)
        x = np.concatenate([np.zeros(int(lead * SAMPLE_RATE)), x, np.zeros(int(tail * SAMPLE_RATE))])
        x = self._filter(x.astype(np.float32))
        rms = _rms(x)
        level = 32768 * 10 ** (self.random.uniform(-34, -14) / 20)
        x = x * (level / rms)
        if self.random.random() < 0.65:
            x = x + self.noise(len(x)) * level * 10 ** (-self.random.uniform(8, 35) / 20)
        if babble is not None and self.random.random() < 0.15:
            other = np.resize(babble, len(x))
            x = x + other * (level / _rms(other) * 10 ** (-self.random.uniform(12, 25) / 20))
        return self._code(x)

    def noise(self, count: int) -> Samples:
        """`count` samples of noise at level 1: white, coloured, or coming and going."""
        x = self.random.standard_normal(count + 64).astype(np.float32)
        kind = self.random.random()
        if kind > 0.35:
            x = _one_pole(x, self.random.uniform(0.7, 0.97))
        if kind > 0.7:
            corners = max(4, count // 3000)
            shape = np.interp(
                np.linspace(0, 1, len(x)), np.linspace(0, 1, corners), self.random.random(corners)
            )
            x = x * shape.astype(np.float32)
        x = x[64:]
        return x / _rms(x)

    def empty(self) -> Samples:
        """A line on which nobody speaks, silent or loud."""
        count = int(self.random.uniform(1, 4) * SAMPLE_RATE)
        return self._code(self.noise(count) * 10 ** (self.random.uniform(0, 65) / 20))

    def _warp(self, speech: Samples, rate: float) -> Samples:
        """Played faster or slower, half of the time: pitch, formants (the vocal tract) and tempo at once."""
        factor = self.random.uniform(0.86, 1.18) if self.random.random() < 0.5 else 1.0
        warped: Samples = soxr.resample(speech, rate * factor, SAMPLE_RATE).astype(np.float32)
        return warped

    def _filter(self, x: Samples) -> Samples:
        """A telephone's band, half of the time, and a microphone's tilt."""
        if self.random.random() < 0.5:
            points = -(-len(x) // 4096) * 4096  # odd lengths are slow
            spectrum = np.fft.rfft(x, points)
            hertz = np.fft.rfftfreq(points, 1 / SAMPLE_RATE)
            low, high = self.random.uniform(150, 320), self.random.uniform(3300, 3700)
            gain = 1 / np.sqrt((1 + (low / np.maximum(hertz, 1)) ** 4) * (1 + (hertz / high) ** 12))
            x = np.asarray(np.fft.irfft(spectrum * gain, points)[: len(x)], np.float32)
        if self.random.random() < 0.3:
            x = x + np.float32(self.random.uniform(-0.4, 0.4)) * np.concatenate([x[:1], x[:-1]])
        return x

    def _code(self, x: Samples) -> Samples:
        x = np.clip(np.round(x), -32768, 32767).astype(np.float32)
        if self.random.random() < 0.8:
            x = alaw(x)
        if self.random.random() < 0.15:
            x = lose_packets(x, self.random.uniform(0.005, 0.05), self.random)
        return x


def lose_packets(samples: Numbers, share: float, random: np.random.Generator) -> Numbers:
    """Each packet is lost with the probability `share`: the one before is repeated, at half its loudness."""
    packets = np.resize(samples, (-(-len(samples) // _PACKET), _PACKET))
    packets.reshape(-1)[len(samples) :] = 0
    for number in np.flatnonzero(random.random(len(packets)) < share):
        packets[number] = packets[number - 1] / 2 if number else 0.0
    return packets.reshape(-1)[: len(samples)]


def _one_pole(x: Samples, pole: float) -> Samples:
    """x filtered by 1 / (1 - pole z⁻¹), by its impulse response: 1e-3 of it is left out."""
    response: Samples = (pole ** np.arange(np.ceil(-6.9 / np.log(pole)))).astype(np.float32)
    filtered: Samples = np.convolve(x, response)[: len(x)]
    return filtered


def _rms(x: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(x)))) + 1e-6
