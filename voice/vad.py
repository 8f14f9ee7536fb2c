"""Voice activity: does this frame hold the caller's speech?"""

from __future__ import annotations

import math

import numpy as np
import webrtcvad

from voice.media import SILENCE, level_dbfs
from voice.phone import FRAME_S, SAMPLE_RATE

_WINDOW = 256  # samples, 32 ms: two periods of the lowest voice
_BINS = slice(5, 112)  # of 31.25 Hz: the telephone's band
_HANN = np.hanning(_WINDOW).astype(np.float32)
_LAGS = np.arange(20, 124)  # samples: pitches from 65 to 400 Hz
_TO_LAGS = np.cos(2 * np.pi * np.outer(_LAGS, np.arange(129)[_BINS]) / _WINDOW).astype(np.float32)

_QUIETEST_DBFS = -52.0  # below that nobody speaks
_OVER_FLOOR_DB = 5.0
_VOICED = 0.24  # share of the amplitude spectrum that one pitch explains
_TONE_DB = -27.0  # what two sines leave over; voices leave more
_HANGOVER_S = 0.1  # unvoiced sounds after voiced ones
_LEARN_DELAY_S = 0.2  # a frame teaches the floor only when no voice came around it


class WebRtcVad:
    """webrtcvad behind a level gate, which keeps line noise and comfort noise from counting as speech.

    `aggressiveness` 0..3 as in WebRTC; frames quieter than `floor_dbfs` are never speech.
    """

    def __init__(self, aggressiveness: int = 2, floor_dbfs: float = -50.0) -> None:
        self._vad = webrtcvad.Vad(aggressiveness)
        self._floor_dbfs = floor_dbfs

    def is_speech(self, frame: bytes) -> bool:
        """Judge one frame of 10, 20 or 30 ms at the telephone's rate."""
        return level_dbfs(frame) > self._floor_dbfs and bool(self._vad.is_speech(frame, SAMPLE_RATE))


class SpeechDetector:
    """One call's ear for speech: a voice's pitch over the line's own noise, which it learns as it goes."""

    def __init__(self) -> None:
        self._before = np.zeros(_WINDOW - 160, np.float32)
        self._pitches = np.zeros(len(_LAGS), np.float32)
        self._floor_dbfs = -60.0
        self._since_voice_s = math.inf
        self._levels: list[float] = []

    def is_speech(self, frame: bytes, sent: bytes = SILENCE) -> bool:
        """Judge one frame of 20 ms at the telephone's rate; `sent` is what the agent said meanwhile."""
        level = level_dbfs(frame)
        samples = np.frombuffer(frame, "<i2").astype(np.float32)
        over = level - self._floor_dbfs
        if level > _QUIETEST_DBFS and over > _OVER_FLOOR_DB / 2 and self._voiced(samples):
            self._since_voice_s = 0.0
        else:
            self._since_voice_s += FRAME_S
        self._before = samples[-len(self._before) :]
        self._learn(level)
        return level > _QUIETEST_DBFS and over > _OVER_FLOOR_DB and self._since_voice_s < _HANGOVER_S

    def _voiced(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bool:
        spectrum = np.abs(np.fft.rfft(np.concatenate([self._before, samples]) * _HANN)[_BINS]) + 10
        self._pitches = 0.5 * self._pitches + 0.5 * (_TO_LAGS @ spectrum / spectrum.sum())
        if self._pitches.max() < _VOICED:
            return False
        power = spectrum**2
        total = power.sum()
        for _ in range(2):
            peak = int(power.argmax())
            power[max(0, peak - 2) : peak + 3] = 0
        return bool(10 * math.log10(power.sum() / total) > _TONE_DB)

    def _learn(self, level: float) -> None:
        """The floor follows what was heard a while ago, unless a voice came around it."""
        self._levels.append(max(level, -70.0))
        if len(self._levels) > _LEARN_DELAY_S / FRAME_S:
            past = self._levels.pop(0)
            if self._since_voice_s > 2 * _LEARN_DELAY_S:
                self._floor_dbfs += (past - self._floor_dbfs) * 0.05
