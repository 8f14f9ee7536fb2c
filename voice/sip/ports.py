"""The audio side of the library: one port for each leg on its conference bridge, run by the clock's thread.

pjsua2's own class of ports makes and fills several objects for each frame, and a function of ours in the
library's place is called from it twice for each. These ports are memory: the bridge plays one piece of it and
records into another; a build without such ports gets one of ours. Reference: pjmedia/mem_port.h,
pjmedia/bidirectional.h, pjmedia/frame.h.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections import deque
from contextlib import suppress
from ctypes import c_char, c_char_p, c_int, c_size_t, c_void_p

from voice.media import SILENCE
from voice.phone import FRAME_BYTES, SAMPLE_RATE
from voice.sip.gate import GateError
from voice.sip.leg import SipLeg
from voice.sip.library import clibrary
from voice.sip.own_port import AUDIO, Frame, OwnPort

POOL_BYTES = 4000
_SAMPLES = FRAME_BYTES // 2
_SHAPE = SAMPLE_RATE, 1, _SAMPLES, 16  # rate, channels, samples of a frame, bits of a sample
_TEST = bytes(range(1, 161)) * 2
_MEMORY_PORTS = hasattr(clibrary, "pjmedia_mem_player_create")  # the package index's build has none
_NOTHING = b"\x01\x80" * _SAMPLES  # no line sounds like that for a frame


class Frames:
    """Carries the ticks of all legs from the clock's thread to the loop, as many at once as may wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._frames: deque[tuple[SipLeg, bytes, bytes, bool]] = deque()
        self.add = self._frames.append  # a leg with what was received and sent, and whether it was held
        self._giving = False

    def deliver(self) -> None:
        """Have all of them given; called by the clock's thread."""
        with suppress(RuntimeError):  # the loop has closed: the program is ending
            self._loop.call_soon_threadsafe(self.give)

    def give(self) -> None:
        """Give them, on the loop; nothing when that is what is being done."""
        if self._giving:
            return
        frames, legs = self._frames, dict[SipLeg, None]()
        self._giving = True
        try:
            while frames:
                leg, received, sent, held = frames.popleft()
                legs[leg] = None
                leg.on_tick(received, sent, held)
        finally:
            self._giving = False
        for leg in legs:
            leg.on_given()


class Port:
    """The bridge's end of one leg; the clock's thread calls fill() before and empty() after each tick.

    Raises GateError for a library that does not play and record memory as expected.
    """

    def __init__(self, frames: Frames) -> None:
        self.leg: SipLeg | None = None
        self._frames = frames
        self._sent = SILENCE
        self._heard = False  # the other side was joined to it in the last tick
        self._playing, self._recording = bytearray(FRAME_BYTES), bytearray(FRAME_BYTES)
        self._places = [
            (c_char * FRAME_BYTES).from_buffer(piece) for piece in (self._playing, self._recording)
        ]
        pool = c_void_p(clibrary.pjsua_pool_create(b"leg", POOL_BYTES, POOL_BYTES))  # the library frees it
        self._port = self._make(pool)
        self._prove()
        slot = c_int()
        status = clibrary.pjsua_conf_add_port(pool, self._port, ctypes.byref(slot))
        if status:
            raise GateError(f"the bridge takes no port: status {status}")
        self.slot = slot.value

    def join(self, slot: int) -> None:
        """Have this port and the one in `slot` of the bridge hear each other. Raises GateError."""
        for way in ((slot, self.slot), (self.slot, slot)):
            status = clibrary.pjsua_conf_connect(*way)
            if status:
                raise GateError(f"the bridge does not connect ports: status {status}")

    def begin(self, leg: SipLeg) -> None:
        """It is this leg's from now on."""
        self._recording[:] = _NOTHING
        self.leg = leg

    def rest(self) -> None:
        """The leg is over."""
        self.leg, self._heard = None, False
        self.fill()

    def fill(self) -> None:
        """Have the leg's next frame sent in this tick."""
        leg = self.leg
        frame = SILENCE if leg is None or leg.held or not self._heard else leg.playout.take()
        if frame is not self._sent:
            self._playing[:] = frame
            self._sent = frame

    def empty(self) -> bool:
        """Take what was received in this tick; whether what has come is to be given now."""
        leg = self.leg
        if leg is None:
            return False
        received = bytes(self._recording)
        self._heard = received != _NOTHING
        if self._heard:
            self._recording[:] = _NOTHING
        else:
            received = SILENCE
        self._frames.add((leg, received, self._sent, leg.held))
        return leg.due(received, magnitude)

    def _make(self, pool: c_void_p) -> c_void_p:
        """Two ports of the library's made one: it plays and it records. Ours where it has none."""
        if not _MEMORY_PORTS:
            self._own = OwnPort(self._playing, self._recording)
            return self._own.address
        ends = c_void_p(), c_void_p()
        makers = clibrary.pjmedia_mem_player_create, clibrary.pjmedia_mem_capture_create
        for make, place, end in zip(makers, self._places, ends, strict=True):
            self._check(make(pool, place, c_size_t(FRAME_BYTES), *_SHAPE, 0, ctypes.byref(end)))
        both = c_void_p()
        self._check(clibrary.pjmedia_bidirectional_port_create(pool, *ends, ctypes.byref(both)))
        return both

    def _check(self, status: int) -> None:
        if status:
            raise GateError(f"this pjsua2 build has no ports that play and record memory: status {status}")

    def _prove(self) -> None:
        """What is played twice is what is in memory, and what is recorded twice is there."""
        samples = ctypes.create_string_buffer(FRAME_BYTES)
        for proof in (_TEST, _TEST[::-1]):
            frame = Frame(buf=ctypes.addressof(samples), size=FRAME_BYTES, type=AUDIO)
            self._playing[:] = proof
            self._check(clibrary.pjmedia_port_get_frame(self._port, ctypes.byref(frame)))
            played = samples.raw if (frame.type, frame.size) == (AUDIO, FRAME_BYTES) else b""
            self._check(clibrary.pjmedia_port_put_frame(self._port, ctypes.byref(frame)))
            if played != proof or self._recording != proof:
                raise GateError(
                    "this pjsua2 build does not play and record memory as expected and cannot be used"
                )
        self._playing[:], self._recording[:] = SILENCE, _NOTHING


def magnitude(frame: bytes) -> float:
    """The mean magnitude of its samples; now and then, a function in C costs much less than numpy."""
    return float(clibrary.pjmedia_calc_avg_signal(frame, _SAMPLES))


class Ports:
    """All ports: made when needed and pooled; the bridge lets go of them when the library is destroyed."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._all: list[Port] = []
        self._free: list[Port] = []
        self._busy: list[Port] = []  # never changed, but replaced: the clock's thread goes through it

    def open(self) -> None:
        """Make the first one, which shows whether the library can be used. Raises GateError."""
        clibrary.pjsua_pool_create.restype = c_void_p
        clibrary.pjsua_pool_create.argtypes = (c_char_p, c_size_t, c_size_t)
        clibrary.pjmedia_calc_avg_signal.argtypes = (c_void_p, c_size_t)
        self._free.append(self._make())

    def _make(self) -> Port:
        port = Port(self._frames)
        self._all.append(port)  # the library keeps its address
        return port

    def take(self, leg: SipLeg) -> Port:
        """A port that is the leg's from now on."""
        port = self._free.pop() if self._free else self._make()
        port.begin(leg)
        self._busy = [*self._busy, port]
        return port

    def give_back(self, port: Port) -> None:
        """The leg is over."""
        self._busy = [busy for busy in self._busy if busy is not port]
        port.rest()
        self._free.append(port)

    def fill(self) -> None:
        """Before a tick, on the clock's thread: what is to be sent."""
        for port in self._busy:
            port.fill()

    def empty(self) -> None:
        """After a tick, on the clock's thread: what was received."""
        due = False
        for port in self._busy:
            due = port.empty() or due
        if due:
            self._frames.deliver()
