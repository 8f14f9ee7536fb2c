"""A port on the bridge for builds of the library that have none that play and record memory.

The build on the package index keeps of pjmedia only what pjsua2 itself uses, and those ports are not in it.
Here two functions of ours copy instead, called by the bridge on the clock's thread; that costs more.
Reference: pjmedia/port.h.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, Structure, c_byte, c_int, c_long, c_size_t, c_uint32, c_uint64, c_void_p

from voice.media import SILENCE
from voice.phone import FRAME_BYTES, SAMPLE_RATE
from voice.sip.gate import GateError, Text
from voice.sip.library import clibrary

AUDIO = 1  # PJMEDIA_FRAME_TYPE_AUDIO
INFO_BYTES = 64  # of pjmedia_port_info
_MARK = b"\xaa"
_OnFrame = CFUNCTYPE(c_int, c_void_p, c_void_p)


class Frame(Structure):
    """`pjmedia_frame`."""

    _fields_ = (
        ("type", c_int),
        ("buf", c_void_p),
        ("size", c_size_t),
        ("timestamp", c_uint64),
        ("bit_info", c_uint32),
    )


class _PjPort(Structure):
    """`pjmedia_port`."""

    _fields_ = (
        ("info", c_byte * INFO_BYTES),
        ("pdata", c_void_p),
        ("ldata", c_long),
        ("grp_lock", c_void_p),
        ("get_clock_src", c_void_p),
        ("put_frame", _OnFrame),
        ("get_frame", _OnFrame),
        ("on_destroy", c_void_p),
    )


class OwnPort:
    """Plays the one piece of memory and records into the other, of FRAME_BYTES each; to be kept as long.

    Raises GateError for a library that lays out ports in another way.
    """

    def __init__(self, playing: bytearray, recording: bytearray) -> None:
        self._playing, self._recording = playing, recording
        self._name = Text.of("leg")
        self._port = _PjPort.from_buffer(bytearray(_MARK * ctypes.sizeof(_PjPort)))
        shape = SAMPLE_RATE, 1, 16, FRAME_BYTES // 2
        clibrary.pjmedia_port_info_init(ctypes.byref(self._port), ctypes.byref(self._name), 0, *shape)
        self._prove_info()
        self._port.put_frame, self._port.get_frame = _OnFrame(self._put), _OnFrame(self._get)
        self.address = c_void_p(ctypes.addressof(self._port))

    def _prove_info(self) -> None:
        """The library has written what is the information, and no more; the rest is cleared."""
        at, rest = ctypes.addressof(self._port), ctypes.sizeof(_PjPort) - INFO_BYTES
        info, behind = ctypes.string_at(at, INFO_BYTES), ctypes.string_at(at + INFO_BYTES, rest)
        if _MARK in info[-4:] or behind != _MARK * rest:
            raise GateError("this pjsua2 build lays out pjmedia_port in an unknown way and cannot be used")
        ctypes.memset(at + INFO_BYTES, 0, rest)

    def _get(self, _port: int, frame_at: int) -> int:
        frame = Frame.from_address(frame_at)
        ctypes.memmove(frame.buf, bytes(self._playing), FRAME_BYTES)
        frame.type, frame.size = AUDIO, FRAME_BYTES
        return 0

    def _put(self, _port: int, frame_at: int) -> int:
        frame = Frame.from_address(frame_at)
        whole = frame.type == AUDIO and frame.size == FRAME_BYTES
        self._recording[:] = ctypes.string_at(frame.buf, FRAME_BYTES) if whole else SILENCE
        return 0
