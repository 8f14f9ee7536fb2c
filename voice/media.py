"""Audio between the asyncio side and the telephone's clock: the playout buffer, framing, levels."""

from __future__ import annotations

import math
import threading
from collections import deque

import numpy as np

from voice.phone import FRAME_BYTES, SAMPLE_RATE

SILENCE = bytes(FRAME_BYTES)
_INT16, _FLOAT32 = np.dtype("<i2"), np.dtype(np.float32)  # made once: names cost as much as the sum
BYTES_PER_S = SAMPLE_RATE * 2


REWIND_FRAMES = 12  # how far back release() may go for a quiet moment: about a syllable


class PlayoutBuffer:
    """Holds what is yet to be sent: filled from the event loop, emptied by the clock thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: deque[bytes] = deque()
        self._head = 0  # bytes of the first chunk already taken
        self._pending_bytes = 0
        self._sent_bytes = 0
        self._held = False
        self._latest: deque[bytes] = deque(maxlen=REWIND_FRAMES)  # frames sent

    def put(self, pcm: bytes) -> None:
        """Append audio of any length (whole samples)."""
        if pcm:
            with self._lock:
                self._chunks.append(pcm)
                self._pending_bytes += len(pcm)

    def take(self) -> bytes:
        """Return the next frame, padded with silence; SILENCE itself when nothing is pending."""
        if not self._pending_bytes:  # most of the time
            return SILENCE
        with self._lock:
            if not self._pending_bytes or self._held:
                return SILENCE
            frame = bytearray()
            while self._chunks and len(frame) < FRAME_BYTES:
                chunk = self._chunks[0]
                piece = chunk[self._head : self._head + FRAME_BYTES - len(frame)]
                frame += piece
                self._head += len(piece)
                if self._head == len(chunk):
                    self._chunks.popleft()
                    self._head = 0
            self._pending_bytes -= len(frame)
            self._sent_bytes += len(frame)
            taken = bytes(frame)
            self._latest.append(taken)
        return taken + SILENCE[len(taken) :]

    def hold(self) -> None:
        """Give silence from now on and keep what is pending; harmless twice."""
        self._held = True

    def release(self) -> None:
        """Go on after hold(), from the last quiet moment: no syllable begins in its middle."""
        if not self._held:
            return
        with self._lock:
            self._held = False
            frames = list(self._latest)
            if not self._pending_bytes or not frames:
                return
            quiet = min(range(len(frames)), key=lambda at: (level_dbfs(frames[at]), -at))
            again = b"".join(frames[quiet:])
            if self._head:
                self._chunks[0] = self._chunks[0][self._head :]
                self._head = 0
            self._chunks.appendleft(again)
            self._pending_bytes += len(again)
            self._sent_bytes -= len(again)
            self._latest.clear()

    def clear(self) -> float:
        """Drop what is pending; return the seconds taken since the last clear()."""
        with self._lock:
            sent_s = self._sent_bytes / BYTES_PER_S
            self._chunks.clear()
            self._latest.clear()
            self._held = False
            self._head = self._pending_bytes = self._sent_bytes = 0
        return sent_s

    @property
    def pending_s(self) -> float:
        """Seconds of audio not yet taken."""
        return self._pending_bytes / BYTES_PER_S

    @property
    def sent_s(self) -> float:
        """Seconds of audio taken since the last clear()."""
        return self._sent_bytes / BYTES_PER_S


def level_dbfs(pcm: bytes) -> float:
    """RMS level of s16le audio in dB below full scale; -100.0 for digital silence."""
    if not pcm:
        return -100.0
    samples = np.frombuffer(pcm, _INT16).astype(_FLOAT32)
    rms = math.sqrt(float(samples.dot(samples)) / len(samples))
    return 20.0 * math.log10(rms / 32768.0) if rms > 0.3 else -100.0


def mix(a: bytes, b: bytes) -> bytes:
    """Sum two frames of s16le audio of equal length, saturating."""
    if a is SILENCE or not any(a):
        return b
    total = np.frombuffer(a, dtype="<i2").astype(np.int32) + np.frombuffer(b, dtype="<i2")
    return bytes(np.clip(total, -32768, 32767).astype("<i2").tobytes())
