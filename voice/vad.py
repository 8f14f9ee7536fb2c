"""Voice activity: does this frame hold the caller's speech, and how surely?"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from voice import second_opinion
from voice.echo import EchoCanceller
from voice.media import SILENCE
from voice.phone import FRAME_BYTES, SAMPLE_RATE
from voice.second_opinion import SecondOpinion

Numbers = npt.NDArray[np.float32]

_sum, _max = np.add.reduce, np.maximum.reduce  # the methods of arrays take twice as long to call these
_FRAME = FRAME_BYTES // 2  # samples
_WINDOW = 256  # samples, 32 ms
_BIN_HZ = SAMPLE_RATE / _WINDOW
_HANN = np.hanning(_WINDOW).astype(np.float32)
_TELEPHONE = slice(5, 112)  # bins: 150 to 3500 Hz
_PITCHED = 80  # of these, the lower ones, in which a pitch shows
_LAGS = np.arange(20, 121)  # samples: pitches from 67 to 400 Hz
_TO_LAGS = np.cos(np.outer(_LAGS, np.arange(5, 5 + _PITCHED)) * (2 * np.pi / _WINDOW)).astype(np.float32)
_LONG_WINDOW = 512  # samples, 64 ms: harmonics stand apart in it
_LONG_HANN = np.hanning(_LONG_WINDOW).astype(np.float32)
_VOICED = slice(6, 102)  # bins of it: 90 to 1600 Hz, where harmonics stand out of noise
_AROUND = 5  # bins on each side that a bin is compared with
_TO_LONG_LAGS = np.cos(
    np.outer(_LAGS, np.arange(_VOICED.start, _VOICED.stop)) * (2 * np.pi / _LONG_WINDOW)
).astype(np.float32) * np.float32(math.sqrt(2 / (_VOICED.stop - _VOICED.start)))
_BANDS = 16
_FULL_SCALE_DB = 10 * math.log10(32768**2)
_WHITE_DB = _FULL_SCALE_DB + 10 * math.log10(float(np.square(_HANN).sum()))  # of full scale, in one bin

_QUIETEST_DBFS = -55.0  # below that nobody speaks
_OVER_FLOOR_DB = 3.0  # below that the line is as quiet as ever
_FLOOR_FALLS = 0.2  # of the way, per frame
_FLOOR_RISES_DB = 0.2  # per frame: 10 dB/s
_BAND_FLOOR_RISES_DB = 0.1

# The mean magnitude of noise is 0.8 of its root mean square, that of a voice 0.6 and more.
_NOISE, _PLAINLY = 0.8, 0.62
_STEADY_DB = 1.5


@dataclass(frozen=True, slots=True)
class Judgement:
    """How log odds of speech become a frame's worth of evidence."""

    likely: float  # above that, a frame is speech
    ordinary: float  # above that: what makes a frame's worth
    plain: float  # as much as one frame may be worth: no single one begins a turn

    def evidence(self, log_odds: float) -> float:
        """0.0 is no speech, 1.0 an ordinary frame's worth of it."""
        return min(max(0.0, log_odds - self.likely) / self.ordinary, self.plain)


ALONE = Judgement(-1.4, 1.5, 2.0)  # of our network's log odds
TOGETHER = Judgement(-1.0, 0.4, 2.5)  # of the second opinion's, and a share of ours
_SHARE = 0.5


class SpeechDetector:
    """One call's voice activity: it learns the line's noise and takes the agent's own echo out.

    Quiet frames are told by their level alone; the others by a small recurrent network, from what
    `Features` measures, and a second opinion, where that can be had and `alone` is not wanted. The network
    is trained by `bench.vad_training`.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._echo = EchoCanceller()
        self._features = Features()
        self._network = _network()
        self._state = np.zeros(self._network.size, np.float32)
        self._second = None if alone or not second_opinion.is_there() else SecondOpinion()

    @property
    def quiet(self) -> tuple[float, float]:
        """The mean magnitudes of samples from which up to which the next frames surely are no speech."""
        return self._features.quiet

    def evidence(self, frame: bytes, sent: bytes = SILENCE) -> float:
        """Judge one frame of 20 ms at the telephone's rate; `sent` went out in the same 20 ms.

        0.0 is no speech, 1.0 an ordinary frame's worth of it, more what is hard to mistake.
        """
        samples = self._echo.clean(frame, sent, self._features.least_energy)
        seen = self._features.measure(samples)
        second = self._second.hear(samples, quiet=seen is None) if self._second else None
        if seen is None:
            return 0.0
        self._state, log_odds = self._network.step(seen, self._state)
        if second is None:
            return ALONE.evidence(log_odds)
        return TOGETHER.evidence(second + _SHARE * log_odds)


class Features:
    """What tells speech from other sounds: bands over their floors, pitch, steadiness, single tones."""

    COUNT = 2 * _BANDS + 10

    def __init__(self) -> None:
        self._before = np.zeros(_LONG_WINDOW - _FRAME, np.float32)
        self._floor_dbfs: float | None = None
        self._band_floors: Numbers | None = None
        self._pitches = np.zeros(len(_LAGS), np.float32)
        self._combs = np.zeros(len(_LAGS), np.float32)
        self._spectra: deque[Numbers] = deque(maxlen=6)

    @property
    def least_energy(self) -> float:
        """Of a frame's samples, the sum of squares below which it is too quiet to be speech."""
        dbfs = _QUIETEST_DBFS if self._floor_dbfs is None else self._floor_dbfs + _OVER_FLOOR_DB
        return _FRAME * math.pow(10, (max(dbfs, _QUIETEST_DBFS) + _FULL_SCALE_DB) / 10)

    @property
    def quiet(self) -> tuple[float, float]:
        """The mean magnitudes between which frames are too quiet for speech, and leave the floor as it is."""
        if self._floor_dbfs is None:
            return 0.0, 0.0
        loudest = _PLAINLY * _rms(max(self._floor_dbfs + _OVER_FLOOR_DB, _QUIETEST_DBFS))
        if self._floor_dbfs + _OVER_FLOOR_DB <= _QUIETEST_DBFS:
            return 0.0, loudest
        return _NOISE * _rms(self._floor_dbfs - _STEADY_DB), loudest

    def measure(self, samples: Numbers) -> Numbers | None:
        """The features of one frame, or None where it is too quiet to be speech on this line."""
        power = float(samples.dot(samples)) / _FRAME
        level = max(-70.0, 10 * math.log10(power + 1e-3) - _FULL_SCALE_DB)
        floor = level if self._floor_dbfs is None else self._floor_dbfs
        floor += _FLOOR_FALLS * (level - floor) if level < floor else min(level - floor, _FLOOR_RISES_DB)
        self._floor_dbfs = floor
        window = np.concatenate((self._before, samples))
        self._before = window[_FRAME:]
        if level < _QUIETEST_DBFS or level < floor + _OVER_FLOOR_DB:
            return None
        spectrum = np.fft.rfft(window[-_WINDOW:] * _HANN)
        powers = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False) + np.float32(100.0)
        bands = 10 * np.log10(_BANK @ powers) - np.float32(_WHITE_DB)
        over = self._over_band_floors(bands, floor)
        heights = np.array([(level - floor) / 10, level / 10 + 3], np.float32)
        shape = (bands - _sum(bands) / _BANDS) / 10
        harmonics = self._harmonics(powers[_TELEPHONE])
        return np.concatenate((over / 10, shape, heights, harmonics, self._comb(window)))

    def _comb(self, window: Numbers) -> Numbers:
        """How evenly the peaks of the spectrum are spaced, whatever its shape: now, and lately."""
        spectrum = np.abs(np.fft.rfft(window * _LONG_HANN)).astype(np.float32, copy=False) + np.float32(30.0)
        wide = slice(_VOICED.start - _AROUND - 1, _VOICED.stop + _AROUND)
        sums = spectrum[wide].cumsum()
        peaks = np.minimum(spectrum[_VOICED] / (sums[2 * _AROUND + 1 :] - sums[: -2 * _AROUND - 1]), 0.4)
        peaks -= _sum(peaks) / len(peaks)
        combs = _TO_LONG_LAGS @ (peaks / np.float32(math.sqrt(float(peaks.dot(peaks))) + 1e-6))
        self._combs = (self._combs + combs) / 2
        return np.array((_max(combs) * 2 - 1, _max(self._combs) * 2 - 1), np.float32)

    def _over_band_floors(self, bands: Numbers, floor: float) -> Numbers:
        floors = self._band_floors
        if floors is None:
            floors = np.minimum(bands, np.float32(floor))
        over = bands - floors
        self._band_floors = floors + np.where(
            over < 0, _FLOOR_FALLS * over, np.minimum(over, np.float32(_BAND_FLOOR_RISES_DB))
        )
        return over

    def _harmonics(self, powers: Numbers) -> Numbers:
        """How far one pitch explains the spectrum, how steady it is, how much of it is one tone or two."""
        total = float(_sum(powers))
        amplitudes = np.sqrt(powers)
        pitched = amplitudes[:_PITCHED]
        pitches = _TO_LAGS @ (pitched / _sum(pitched))
        self._pitches = (self._pitches + pitches) / 2
        spectrum: Numbers = amplitudes / np.float32(math.sqrt(total))
        self._spectra.append(spectrum)
        lately = self._spectra[max(0, len(self._spectra) - 4)]
        rest = powers.copy()
        left = []
        for _ in range(2):
            peak = int(rest.argmax())
            rest[max(0, peak - 2) : peak + 3] = 0
            left.append(math.log10(float(_sum(rest)) / total + 1e-5))
        return np.array(
            (
                4 * _max(pitches),
                4 * _max(self._pitches),
                4 * float(spectrum.dot(lately)) - 3,
                4 * float(spectrum.dot(self._spectra[0])) - 3,
                *left,
            ),
            np.float32,
        )


class Network:
    """A gated recurrent unit (GRU) and one output, on numpy: too small for any framework to be faster."""

    def __init__(self, weights: Mapping[str, Numbers]) -> None:
        self._inputs, self._input_bias = weights["inputs"], weights["input_bias"]  # reset, update, new
        self._recurrent, self._recurrent_bias = weights["recurrent"], weights["recurrent_bias"]
        self._output, self._output_bias = weights["output"], float(weights["output_bias"])
        self.size = len(self._output)

    def step(self, seen: Numbers, state: Numbers) -> tuple[Numbers, float]:
        """The next state, and the log odds of speech."""
        size = self.size
        fed = self._inputs @ seen + self._input_bias
        kept = self._recurrent @ state + self._recurrent_bias
        gates = 1 / (1 + np.exp(-(fed[: 2 * size] + kept[: 2 * size])))
        new = np.tanh(fed[2 * size :] + gates[:size] * kept[2 * size :])
        state = new + gates[size:] * (state - new)
        return state, float(self._output.dot(state)) + self._output_bias


@functools.cache
def _network() -> Network:
    """The trained network, shared by all calls: it holds no state."""
    with resources.files("voice").joinpath("vad.npz").open("rb") as file, np.load(file) as data:
        return Network(data)


def _rms(dbfs: float) -> float:
    return math.pow(10, (dbfs + _FULL_SCALE_DB) / 20)


def _bank() -> Numbers:
    """Triangular bands of equal width in mel, 100 to 3700 Hz, over the bins of a spectrum."""
    mels = np.linspace(1127 * math.log1p(100 / 700), 1127 * math.log1p(3700 / 700), _BANDS + 2)
    edges = 700 * np.expm1(mels / 1127) / _BIN_HZ
    bins = np.arange(_WINDOW // 2 + 1)
    bank = np.zeros((_BANDS, len(bins)), np.float32)
    for band, (low, middle, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        bank[band] = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
        bank[band, round(middle)] += not bank[band].any()
        bank[band] /= bank[band].sum()
    return bank


_BANK = _bank()
