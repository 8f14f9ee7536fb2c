"""Small tools for mono s16le audio that several engines share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def silence(seconds: float, sample_rate: int) -> bytes:
    """Digital silence, s16le."""
    return bytes(2 * round(seconds * sample_rate))


def pieces(pcm: bytes, sample_rate: int, seconds: float = 0.1) -> Iterator[bytes]:
    """Cut s16le audio into chunks of `seconds`, so that a consumer can stop between them."""
    size = 2 * round(seconds * sample_rate)
    for start in range(0, len(pcm), size):
        yield pcm[start : start + size]


class SilenceTrimmer:
    """Shortens the silence before and after streamed speech; pauses within it stay as they are.

    `lead_s` and `tail_s` are the seconds of silence left; 5 ms without a sample above `floor` (of 32768)
    are silent.
    """

    def __init__(self, sample_rate: int, *, lead_s: float, tail_s: float, floor: int = 200) -> None:
        self._frame = 2 * (sample_rate // 200)
        self._lead = 2 * round(lead_s * sample_rate)
        self._tail = 2 * round(tail_s * sample_rate)
        self._floor = floor
        self._started = False
        self._rest = b""  # less than one frame
        self._held = b""  # silence that may turn out to be the end

    def push(self, pcm: bytes) -> bytes:
        """Take some audio, return what is now known to be worth hearing."""
        data = self._rest + pcm
        whole = len(data) - len(data) % self._frame
        data, self._rest = data[:whole], data[whole:]
        if not data:
            return b""
        frames = np.frombuffer(data, np.int16).reshape(-1, self._frame // 2)
        loud = np.flatnonzero(np.abs(frames.astype(np.int32)).max(axis=1) > self._floor)
        if not loud.size:
            self._hold(data)
            return b""
        if not self._started:
            before = self._held + data[: int(loud[0]) * self._frame]
            self._held = before[-self._lead :] if self._lead else b""
            data = data[int(loud[0]) * self._frame :]
            loud = loud - loud[0]
            self._started = True
        end = (int(loud[-1]) + 1) * self._frame
        out, self._held = self._held + data[:end], data[end:]
        return out

    def finish(self) -> bytes:
        """The audio is over: return what is left of its end."""
        if not self._started:
            return b""
        return (self._held + self._rest)[: self._tail]

    def _hold(self, data: bytes) -> None:
        self._held += data
        if not self._started and len(self._held) > self._lead:
            self._held = self._held[len(self._held) - self._lead :]
