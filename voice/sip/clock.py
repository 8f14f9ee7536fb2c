"""The audio clock: a thread that, every 20 ms while there are calls, takes RTP in and moves all audio on."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pjsua2 as pj

from voice.phone import FRAME_BYTES, FRAME_S
from voice.sip.library import clibrary
from voice.sip.own_port import Frame

GIVE_UP_S = 0.5  # a clock that is later than that goes on from now; less it catches up with
LINGER_TICKS = 50  # after the last call: the bridge drops ports in its ticks
_AT_ONCE = (ctypes.c_long * 2)()  # a time-out of 0
EVENTS = 16  # that the library handles in one poll (PJ_IOQUEUE_MAX_EVENTS_IN_SINGLE_POLL)


class Clock:
    """Drives the library's conference bridge, and reads its RTP sockets just before each tick.

    The library's own clock and its thread for RTP, which looks around every 10 ms, cost twice as much, also
    without a call. `before_tick()` and `after_tick()` are called on the clock's thread; the other methods are
    for the library's.
    """

    def __init__(self, before_tick: Callable[[], None], after_tick: Callable[[], None]) -> None:
        self.late_total = 0  # ticks that came over a frame late, since the start
        self._before_tick, self._after_tick = before_tick, after_tick
        self._ticks = self._late_ticks = 0
        self._latest_s = 0.0
        self._wanted = False
        self._go = threading.Event()
        self._over = False
        self._bridge = self._sockets = ctypes.c_void_p()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def open(self) -> None:
        """Take the bridge; once the library has started."""
        self._bridge, self._sockets = _bridge(), _sockets()
        self._thread.start()

    def run(self, wanted: bool) -> None:
        """Tick from now on, or rest."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._go.set()

    def close(self) -> None:
        """Stop for good, before the library is destroyed."""
        self._over = True
        self._go.set()
        self._thread.join()

    def lateness(self) -> tuple[int, int, float]:
        """Ticks since the last call, how many came over a frame late, and the latest's seconds."""
        found = self._ticks, self._late_ticks, self._latest_s
        self._ticks = self._late_ticks = 0
        self._latest_s = 0.0
        return found

    def _run(self) -> None:
        with suppress(OSError):  # where there is no /proc: the name is for those who look on
            Path("/proc/thread-self/comm").write_text("clock")
        pj.Endpoint.instance().libRegisterThread("clock")
        samples = ctypes.create_string_buffer(FRAME_BYTES)
        frame = Frame(buf=ctypes.addressof(samples))
        place = ctypes.byref(frame)
        due_s = before_s = 0.0
        unwanted = LINGER_TICKS
        while not self._over:
            if unwanted >= LINGER_TICKS and not self._wanted:
                self._go.wait()
                self._go.clear()
                due_s = before_s = 0.0
                unwanted = 0
                continue
            unwanted = 0 if self._wanted else unwanted + 1
            due_s = self._wait(due_s)
            now_s = time.perf_counter()
            if before_s:
                self._note(now_s - before_s - FRAME_S)
            before_s = now_s
            self._before_tick()
            self._move(frame, place)
            self._after_tick()

    def _wait(self, due_s: float) -> float:
        """Wait until it is due; returns when the next tick is."""
        now_s = time.perf_counter()
        if now_s - due_s > GIVE_UP_S:
            due_s = now_s
        elif due_s > now_s:
            time.sleep(due_s - now_s)
        return due_s + FRAME_S

    def _note(self, late_s: float) -> None:
        late = late_s > FRAME_S
        self._ticks += 1
        self._late_ticks += late
        self.late_total += late
        self._latest_s = max(self._latest_s, late_s)

    def _move(self, frame: Frame, place: Any) -> None:
        """Read what has come by RTP, then have each port asked for a frame and given one."""
        while clibrary.pj_ioqueue_poll(self._sockets, _AT_ONCE) >= EVENTS:
            pass
        frame.size = FRAME_BYTES
        frame.timestamp += FRAME_BYTES // 2
        clibrary.pjmedia_port_get_frame(self._bridge, place)


def _bridge() -> ctypes.c_void_p:
    """The conference bridge, which from now on moves when its get_frame is called, and only then."""
    clibrary.pjsua_set_no_snd_dev.restype = ctypes.c_void_p
    return ctypes.c_void_p(clibrary.pjsua_set_no_snd_dev())


def _sockets() -> ctypes.c_void_p:
    """The queue of what happens to RTP sockets, without the library's own thread for it."""
    clibrary.pjsua_get_pjmedia_endpt.restype = clibrary.pjmedia_endpt_get_ioqueue.restype = ctypes.c_void_p
    endpoint = ctypes.c_void_p(clibrary.pjsua_get_pjmedia_endpt())
    clibrary.pjmedia_endpt_stop_threads(endpoint)
    return ctypes.c_void_p(clibrary.pjmedia_endpt_get_ioqueue(endpoint))
