"""Voice activity: does this frame hold speech?"""

from __future__ import annotations

import webrtcvad

from voice.media import level_dbfs
from voice.phone import SAMPLE_RATE


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
