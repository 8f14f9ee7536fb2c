"""Takes the agent's own voice, as a line returns it, out of what is heard from that line."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from voice.media import SILENCE
from voice.phone import FRAME_BYTES

Samples = npt.NDArray[np.float32]

_INT16 = np.dtype("<i2")
_FRAME = FRAME_BYTES // 2  # samples
_LONGEST = 4000  # samples, 500 ms: later echoes are not looked for
_WINDOW = 3 * _FRAME  # samples looked at to find an echo
_TAPS = 32  # samples, 4 ms: how far a line smears its echo
_EARLY = 8  # taps before the delay found
_MEMORY_FRAMES = -(-(_LONGEST + _WINDOW + _TAPS) // _FRAME)
_POINTS = 2400  # of a transform: not below half of that memory, and of small factors

_ALIKE = 0.55  # share of the energy heard that one delayed copy explains: an echo
_CLEARLY = 0.78  # the same, for an echo believed at first sight
_LEFT_OVER = 0.25  # share of the energy heard that a known echo may leave; more is somebody speaking
_HEARD = 0.1  # share of the energy heard that the known echo should have, to be missed
_FORGET = 0.9  # per frame learnt from
_MISSES = 3  # frames in a row that the known echo does not explain, before another is looked for
_QUIETEST = 30.0**2 * _FRAME  # energy of a frame that may be an echo worth removing: -61 dBFS


class EchoCanceller:
    """Finds the delay at which a line returns what was sent, learns how it sounds, and subtracts it.

    Costs next to nothing while nothing was sent lately or nothing is heard.
    """

    def __init__(self) -> None:
        self._sent: deque[bytes] = deque([SILENCE] * _MEMORY_FRAMES, maxlen=_MEMORY_FRAMES)
        self._heard: deque[bytes] = deque([SILENCE] * 3, maxlen=3)
        self._silent_frames = _MEMORY_FRAMES  # since something was sent
        self._delay: int | None = None  # samples, of the first tap
        self._suspected: int | None = None  # a delay seen once
        self._misses = 0
        self._forget()

    def clean(self, frame: bytes, sent: bytes, least: float = 0.0) -> Samples:
        """The samples of `frame` (20 ms, s16le, 8 kHz) without echo; `sent` went out in the same 20 ms.

        What has less energy than `least`, the sum of squares, is left as it is.
        """
        self._sent.append(sent)
        self._heard.append(frame)
        self._silent_frames = 0 if sent != SILENCE else self._silent_frames + 1
        samples = np.frombuffer(frame, _INT16).astype(np.float32)
        if self._silent_frames >= _MEMORY_FRAMES or samples.dot(samples) < max(_QUIETEST, least):
            return samples
        past = np.frombuffer(b"".join(self._sent), _INT16).astype(np.float32)
        if self._delay is None or self._misses >= _MISSES:
            self._search(past)
        return samples if self._delay is None else self._subtract(samples, past, self._delay)

    def _subtract(self, samples: Samples, past: Samples, delay: int) -> Samples:
        """What the known echo leaves of `samples`; learns from frames that it nearly explains."""
        copies = _copies(past, delay, _FRAME)
        echo = copies @ self._response
        rest: Samples = samples - echo
        energy = samples.dot(samples)
        if rest.dot(rest) <= _LEFT_OVER * energy:
            self._learn(copies, samples)
            self._misses = 0
        elif echo.dot(echo) > _HEARD * energy:  # it should be heard; else somebody is louder
            rest = self._jumped(samples, past, delay)
        return rest if rest.dot(rest) < energy else samples

    def _jumped(self, samples: Samples, past: Samples, delay: int) -> Samples:
        """What is left where the echo has moved by a frame: a packet was late, left out or doubled."""
        for moved in (delay - _FRAME, delay + _FRAME):
            if 0 <= moved <= _LONGEST:
                rest: Samples = samples - _copies(past, moved, _FRAME) @ self._response
                if rest.dot(rest) <= _LEFT_OVER * samples.dot(samples):
                    self._delay, self._misses = moved, 0
                    return rest
        self._misses += 1
        return self._refit(samples, past, delay)

    def _refit(self, samples: Samples, past: Samples, delay: int) -> Samples:
        """What is left when the response is learnt anew; it is kept where that explains what is heard."""
        window = self._window()
        copies = _copies(past, delay, _WINDOW)
        response = _response(copies.T @ copies, copies.T @ window)
        rest: Samples = window - copies @ response
        if rest.dot(rest) > _LEFT_OVER * window.dot(window):
            return samples - copies[-_FRAME:] @ self._response
        self._learn(copies, window)
        self._misses = 0
        return rest[-_FRAME:]

    def _search(self, past: Samples) -> None:
        """Look for a delay; one seen twice in a row is believed, and the first one if seen very clearly."""
        window = self._window()
        lag, alike = _most_alike(window, past)
        delay = max(0, lag - _EARLY)
        again = self._suspected is not None and abs(self._suspected - delay) <= 3
        self._suspected = delay if alike >= _ALIKE else None
        first = self._delay is None and alike >= _CLEARLY
        if first or (again and alike >= _ALIKE):
            self._delay, self._misses = delay, 0
            self._forget()
            self._learn(_copies(past, delay, _WINDOW), window)

    def _window(self) -> Samples:
        return np.frombuffer(b"".join(self._heard), _INT16).astype(np.float32)

    def _forget(self) -> None:
        self._own = np.zeros((_TAPS, _TAPS), np.float32)
        self._shared = np.zeros(_TAPS, np.float32)
        self._response = np.zeros(_TAPS, np.float32)

    def _learn(self, copies: Samples, heard: Samples) -> None:
        """The response that explains best, by least squares, what was heard after what was sent."""
        self._own = _FORGET * self._own + copies.T @ copies
        self._shared = _FORGET * self._shared + copies.T @ heard
        self._response = _response(self._own, self._shared)


def _response(own: Samples, shared: Samples) -> Samples:
    """The least-squares solution, held back a little where what was sent says little."""
    loading = 1e-3 * float(np.trace(own)) / _TAPS + 1.0
    return np.linalg.solve(own + loading * np.eye(_TAPS, dtype=np.float32), shared)


def _copies(past: Samples, delay: int, count: int) -> Samples:
    """The last `count` samples of `past`, delayed by `delay`, `delay` + 1, …: one column per tap."""
    end = len(past) - delay
    piece = past[max(0, end - count - _TAPS + 1) : end]
    piece = np.pad(piece, (count + _TAPS - 1 - len(piece), 0))
    copies = np.lib.stride_tricks.sliding_window_view(piece, _TAPS)[:, ::-1]
    return np.ascontiguousarray(copies)  # products of views are slow


def _most_alike(window: Samples, past: Samples) -> tuple[int, float]:
    """The delay, in samples, at which `past` explains most of `window`, and which share of its energy.

    Looked for at 4 kHz, where most of a voice is: a quarter of the work.
    """
    heard, sent = (x[: len(x) // 2 * 2].reshape(-1, 2).sum(axis=1) for x in (window, past))
    products = np.fft.irfft(np.fft.rfft(sent, _POINTS) * np.conj(np.fft.rfft(heard, _POINTS)), _POINTS)
    places = len(sent) - len(heard) + 1
    sums = np.concatenate([[0.0], np.cumsum(np.square(sent, dtype=np.float64))])
    energies = sums[len(heard) :] - sums[: -len(heard)]
    share = np.square(products[:places]) / (energies * float(heard.dot(heard)) + 1e6)
    share[: max(0, places - _LONGEST // 2)] = 0
    best = int(share.argmax())
    return 2 * (places - 1 - best), float(share[best])
