"""pjsua2's classes, subclassed as thinly as can be, and the few operations that need its types."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pjsua2 as pj
import structlog
from pjsua2 import _pjsua2

from voice.media import SILENCE
from voice.phone import FRAME_BYTES, FRAME_S, SAMPLE_RATE
from voice.sip.leg import SipLeg

log = structlog.get_logger()
_library = ctypes.CDLL(_pjsua2.__file__)


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Which pjsua2 is in use and how many call legs its build allows in one process."""

    version: str
    max_legs: int


def build_of(endpoint: Any) -> BuildInfo:
    """Ask an initialised library: the limit is compiled in, and any wish is silently clamped to it."""
    return BuildInfo(endpoint.libVersion().full, int(_library.pjsua_call_get_max_count()))


def build_info() -> BuildInfo:
    """Ask the library without starting it; not while an endpoint runs in this process."""
    silence_log()
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    try:
        endpoint.libInit(library_config())
        return build_of(endpoint)
    finally:
        endpoint.libDestroy()


def default_max_calls(max_legs: int) -> int:
    """Every caller may need a seat's leg beside its own."""
    return max(1, max_legs // 2)


def silence_log() -> None:
    """Before libCreate, which would print to stdout."""
    _library.pj_log_set_level(0)


def library_config() -> Any:
    """Settings of the library that do not depend on the deployment."""
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = 10_000
    config.uaConfig.userAgent = "hotline"
    media = config.medConfig
    media.clockRate = media.sndClockRate = SAMPLE_RATE
    media.channelCount = 1
    media.audioFramePtime = media.ptime = int(FRAME_S * 1000)
    media.noVad = True
    media.ecTailLen = 0
    media.sndAutoCloseTime = -1
    return config


def _vector_bytes(vector: Any, size: int) -> bytes:
    """Copy a std::vector<unsigned char> (it begins with the address of its data): 3 µs; bytes() takes 200."""
    return ctypes.string_at(ctypes.c_void_p.from_address(int(vector.this)).value or 0, size)


_probe = pj.ByteVector(b"\x01\x02\xfe\xff")
if _vector_bytes(_probe, 4) != b"\x01\x02\xfe\xff":  # pragma: no cover - another C++ library
    raise ImportError("this pjsua2 build lays out std::vector in an unknown way and cannot be used")
del _probe


class Guard:
    """An exception that leaves a callback would end the process: it is logged with its trace instead."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is not None:
            log.error("sip_callback_failed", where=self._where, exc_info=error)
        return True


class Owner(Protocol):
    """Who is told of the library's callbacks, on the library's thread."""

    def on_incoming(self, library_call_id: int) -> None: ...

    def on_call_state(self, call: Call) -> None: ...

    def on_media_state(self, call: Call) -> None: ...

    def on_digit(self, call: Call, digit: str) -> None: ...


class Port(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge's end of one leg. Its two callbacks run on the clock thread: they copy, and nothing else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._sent = SILENCE
        self.leg: SipLeg | None = None
        shape = pj.MediaFormatAudio()
        shape.init(pj.PJMEDIA_FORMAT_PCM, SAMPLE_RATE, 1, int(FRAME_S * 1e6), 16)
        self.createPort("leg", shape)

    def onFrameRequested(self, frame: Any) -> None:
        leg = self.leg
        self._sent = leg.playout.take() if leg is not None else SILENCE
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf = pj.ByteVector(self._sent)
        frame.size = FRAME_BYTES

    def onFrameReceived(self, frame: Any) -> None:
        leg = self.leg
        if leg is None:
            return
        received = _vector_bytes(frame.buf, FRAME_BYTES) if frame.size == FRAME_BYTES else SILENCE
        try:
            self._loop.call_soon_threadsafe(leg.on_tick, received, self._sent)
        except RuntimeError:  # the loop has closed: the program is ending
            self.leg = None


class Call(pj.Call):  # type: ignore[misc]
    """A call leg in the library."""

    def __init__(self, owner: Owner, account: Any, library_call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, library_call_id)
        self._owner = owner
        self.leg: SipLeg | None = None
        self.port: Port | None = None
        self.media: Any = None  # the call's AudioMedia once it is active
        self.counted = False  # an incoming call that takes one of max_calls

    def onCallState(self, prm: Any) -> None:
        with Guard("call state"):
            self._owner.on_call_state(self)

    def onCallMediaState(self, prm: Any) -> None:
        with Guard("media state"):
            self._owner.on_media_state(self)

    def onDtmfDigit(self, prm: Any) -> None:
        with Guard("dtmf"):
            self._owner.on_digit(self, prm.digit)

    def respond(self, code: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer an incoming call with a final status."""
        prm = pj.CallOpParam()
        prm.statusCode = code
        add_headers(prm, headers)
        self.answer(prm)

    def end(self, code: int = 0) -> None:
        """BYE, CANCEL or a final refusal, as fits; nothing when it is over."""
        if self.getId() == pj.PJSUA_INVALID_ID or not self.isActive():
            return
        prm = pj.CallOpParam()
        prm.statusCode = code
        self.hangup(prm)


class Account(pj.Account):  # type: ignore[misc]
    """The identity we call from, and where calls come in."""

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._owner = owner

    def onIncomingCall(self, prm: Any) -> None:
        with Guard("incoming call"):
            self._owner.on_incoming(prm.callId)


def add_headers(prm: Any, headers: Mapping[str, str] | None) -> None:
    """Add SIP headers to a pjsua2 operation."""
    for name, value in (headers or {}).items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.push_back(header)
