"""How a voice came to its present silence: falling and fading, or broken off in mid-flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice.media import level_dbfs

KEPT_S = 1.0  # of audio, up to the last speech frame, is what `measure` looks at
_LEAST_FRAMES = 10
_TAIL_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Prosody:
    """The end of a stretch of speech."""

    fade_db: float  # how far the last 0.1 s lies below the loudest of the last second


def measure(frames: Sequence[bytes]) -> Prosody | None:
    """The prosody of 20 ms frames (s16le, 8 kHz), the last of them speech; None when they are too few.

    Frames older than KEPT_S change nothing.
    """
    if len(frames) < _LEAST_FRAMES:
        return None
    levels = np.array([level_dbfs(frame) for frame in frames[-50:]])
    return Prosody(float(np.percentile(levels, 90) - levels[-_TAIL_FRAMES:].mean()))
