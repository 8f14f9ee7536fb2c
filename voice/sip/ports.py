"""The audio side of the library: one port for each leg on its conference bridge, run by its clock thread."""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections import deque
from contextlib import suppress
from typing import Any

import pjsua2 as pj

from voice.media import SILENCE
from voice.phone import FRAME_BYTES, FRAME_S, SAMPLE_RATE
from voice.sip.leg import SipLeg

RESTART_S = 1.0  # a longer gap is no lateness: there was no leg in between


def _vector_bytes(vector: Any, size: int) -> bytes:
    """Copy a std::vector<unsigned char> (it begins with the address of its data): 3 µs; bytes() takes 200."""
    return ctypes.string_at(ctypes.c_void_p.from_address(int(vector.this)).value or 0, size)


_probe = pj.ByteVector(b"\x01\x02\xfe\xff")
if _vector_bytes(_probe, 4) != b"\x01\x02\xfe\xff":  # pragma: no cover - another C++ library
    raise ImportError("this pjsua2 build lays out std::vector in an unknown way and cannot be used")
del _probe
_SILENT_FRAME = pj.ByteVector(SILENCE)  # assigning copies it


class Ticks:
    """Carries each tick's frames of all legs from the clock thread to the event loop in one go.

    The bridge first asks every port for a frame to send, then gives every port what was received; when as
    many were given as were asked for, the tick is complete.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._frames: deque[tuple[SipLeg, bytes, bytes]] = deque()
        self._asked = self._given = 0
        self._last_s = 0.0
        self.late_total = 0  # ticks that came over a frame late, since the start
        self._ticks = self._late_ticks = 0
        self._latest_s = 0.0
        self._thread_kept = False

    def ask(self) -> None:
        """A port was asked for a frame."""
        if not self._thread_kept:  # else Python makes and frees its state of this thread at each callback
            self._thread_kept = True
            ctypes.pythonapi.PyGILState_Ensure()
        if self._given:
            self._tick()
        self._asked += 1

    def give(self, leg: SipLeg, received: bytes, sent: bytes) -> None:
        """A port was given a frame."""
        self._frames.append((leg, received, sent))
        self._given += 1
        if self._given == self._asked:
            self._tick()

    def lateness(self) -> tuple[int, int, float]:
        """Ticks since the last call, how many came over a frame late, and the latest's seconds."""
        found = self._ticks, self._late_ticks, self._latest_s
        self._ticks = self._late_ticks = 0
        self._latest_s = 0.0
        return found

    def _tick(self) -> None:
        self._asked = self._given = 0
        now_s = time.perf_counter()
        late_s = now_s - self._last_s - FRAME_S
        if self._last_s and late_s < RESTART_S:
            self._ticks += 1
            self._late_ticks += late_s > FRAME_S
            self.late_total += late_s > FRAME_S
            self._latest_s = max(self._latest_s, late_s)
        self._last_s = now_s
        with suppress(RuntimeError):  # the loop has closed: the program is ending
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        frames = self._frames
        while frames:
            leg, received, sent = frames.popleft()
            leg.on_tick(received, sent)


class Port(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge's end of one leg. Its two callbacks run on the clock thread: they copy, and nothing else."""

    def __init__(self, ticks: Ticks) -> None:
        super().__init__()
        self._ticks = ticks
        self._sent = SILENCE
        self._frame = pj.ByteVector(SILENCE)  # one, written anew: making one takes 30 µs
        self._frame_at = ctypes.c_void_p.from_address(int(self._frame.this)).value or 0
        self.leg: SipLeg | None = None
        shape = pj.MediaFormatAudio()
        shape.init(pj.PJMEDIA_FORMAT_PCM, SAMPLE_RATE, 1, int(FRAME_S * 1e6), 16)
        self.createPort("leg", shape)

    def onFrameRequested(self, frame: Any) -> None:
        leg = self.leg
        self._sent = SILENCE if leg is None or leg.held else leg.playout.take()
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        if self._sent is SILENCE:
            frame.buf = _SILENT_FRAME
        else:
            ctypes.memmove(self._frame_at, self._sent, FRAME_BYTES)
            frame.buf = self._frame
        frame.size = FRAME_BYTES
        if leg is not None:
            self._ticks.ask()

    def onFrameReceived(self, frame: Any) -> None:
        leg = self.leg
        if leg is not None:
            received = _vector_bytes(frame.buf, FRAME_BYTES) if frame.size == FRAME_BYTES else SILENCE
            self._ticks.give(leg, received, self._sent)


class Ports:
    """All ports: made when needed and pooled; freeing one would race with the clock thread."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._all: list[Port] = []
        self._free: list[Port] = []

    def take(self, leg: SipLeg) -> Port:
        """A port that is the leg's from now on."""
        if not self._free:
            self._free.append(Port(self._ticks))
            self._all += self._free
        port = self._free.pop()
        port.leg = leg
        return port

    def give_back(self, port: Port) -> None:
        """The leg is over."""
        port.leg = None
        self._free.append(port)

    def close(self) -> None:
        """Free them all, before the library is destroyed."""
        for port in self._all:
            port.leg = None
            Port.__swig_destroy__(port)
