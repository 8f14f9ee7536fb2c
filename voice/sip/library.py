"""pjsua2's classes, subclassed as thinly as can be, and the few operations that need its types."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pjsua2 as pj
import structlog
from pjsua2 import _pjsua2

from voice.phone import FRAME_S, SAMPLE_RATE, LegGone
from voice.sip.leg import SipLeg
from voice.sip.line import Line

if TYPE_CHECKING:
    from voice.sip.ports import Port
    from voice.sip.refer import Referral

log = structlog.get_logger()
MANY = 10_000  # a wish that any build cuts down to its limit
clibrary = ctypes.CDLL(_pjsua2.__file__)
_OnKey = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_LogFunction = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Which pjsua2 is in use and how many call legs its build allows in one process."""

    version: str
    max_legs: int
    ipv6: bool = False


def build_of(endpoint: Any) -> BuildInfo:
    """Ask an initialised library: the limit is compiled in, and any wish is silently clamped to it."""
    return BuildInfo(endpoint.libVersion().full, int(clibrary.pjsua_call_get_max_count()), _has_ipv6())


def _has_ipv6() -> bool:
    """Ask for the build's configuration, which it can only log."""
    lines: list[bytes] = []
    keep = _LogFunction(lambda _level, text, _size: lines.append(text))
    clibrary.pj_log_get_log_func.restype = ctypes.c_void_p
    before = clibrary.pj_log_get_log_func()
    clibrary.pj_log_set_log_func(keep)
    clibrary.pj_log_set_level(3)
    clibrary.pj_dump_config()
    clibrary.pj_log_set_level(0)
    clibrary.pj_log_set_log_func(ctypes.c_void_p(before))
    return re.search(rb"PJ_HAS_IPV6\s*: 1", b"".join(lines)) is not None


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
    clibrary.pj_log_set_level(0)


def library_config() -> Any:
    """Settings of the library that do not depend on the deployment."""
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = MANY
    config.uaConfig.userAgent = "hotline"
    media = config.medConfig
    media.clockRate = media.sndClockRate = SAMPLE_RATE
    media.channelCount = 1
    media.audioFramePtime = media.ptime = int(FRAME_S * 1000)
    media.noVad = True
    media.ecTailLen = 0
    media.sndAutoCloseTime = -1
    media.maxMediaPorts = MANY
    return config


class Guard:
    """An exception that leaves a callback would end the process: it is logged with its trace instead."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is not None:
            log.error("sip_callback_failed", where=self._where, exc_info=error)
        return True


class Keys:
    """Keys that come by RTP (RFC 4733), told to their legs' `tell` by the clock's thread as they come.

    The library's own way has them wait until its thread looks. Reference: pjmedia/stream.h.
    """

    def __init__(self, tell: Callable[[SipLeg, str], None]) -> None:
        self._tell = tell
        self._legs: dict[int, SipLeg] = {}  # by their streams
        self._callback = _OnKey(self._on_key)
        clibrary.pjmedia_stream_set_dtmf_callback.argtypes = (ctypes.c_void_p, _OnKey, ctypes.c_void_p)

    def listen(self, stream: int, leg: SipLeg) -> None:
        """Keys of this stream are the leg's; when it has just been made."""
        self._legs[stream] = leg
        clibrary.pjmedia_stream_set_dtmf_callback(stream, self._callback, None)

    def forget(self, leg: SipLeg) -> None:
        """The leg is over."""
        for stream in [stream for stream, of in self._legs.items() if of is leg]:
            del self._legs[stream]

    def _on_key(self, stream: int, _data: int | None, digit: int) -> None:
        with Guard("key"):
            if (leg := self._legs.get(stream)) is not None:
                self._tell(leg, chr(digit))


class Owner(Protocol):
    """Who is told of the library's callbacks, on the library's thread."""

    def account_for_request(self) -> int | None: ...

    def on_incoming(self, library_call_id: int) -> None: ...

    def on_registration(self, account: Account, active: bool) -> None: ...

    def on_call_state(self, call: Call) -> None: ...

    def on_media_state(self, call: Call) -> None: ...

    def on_digit(self, call: Call, digit: str) -> None: ...

    def on_stream(self, call: Call, stream: int) -> None: ...

    def on_transfer_status(self, call: Call, status: int) -> None: ...


class Endpoint(pj.Endpoint):  # type: ignore[misc]
    """The library itself."""

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._owner = owner

    def onSelectAccount(self, prm: Any) -> None:
        with Guard("select account"):
            account = self._owner.account_for_request()
            if account is not None:
                prm.accountIndex = account


class Call(pj.Call):  # type: ignore[misc]
    """A call leg in the library."""

    def __init__(self, owner: Owner, account: Any, library_call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, library_call_id)
        self._owner = owner
        self.leg: SipLeg | None = None
        self.port: Port | None = None
        self.media: Any = None  # the call's AudioMedia once it is active
        self.joined: set[Call] = set()  # who is to hear it, and to be heard
        self.referral: Referral | None = None  # the newest REFER on it
        self.counted = False  # an incoming call that takes one of max_calls
        self.sip_id = ""  # its Call-ID
        self.reason = "remote_hangup"  # why it ends, when we did not end it
        self.line = Line()

    def onCallState(self, prm: Any) -> None:
        with Guard("call state"):
            self._owner.on_call_state(self)

    def onCallMediaState(self, prm: Any) -> None:
        with Guard("media state"):
            self._owner.on_media_state(self)

    def onStreamCreated(self, prm: Any) -> None:
        with Guard("stream"):
            self._owner.on_stream(self, int(prm.stream))

    def onDtmfDigit(self, prm: Any) -> None:
        with Guard("dtmf"):
            self._owner.on_digit(self, prm.digit)

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.statusCode = 603  # the other side does not choose whom we ring

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = 603  # nor who takes over a call

    def onCallTransferStatus(self, prm: Any) -> None:
        with Guard("transfer status"):
            self._owner.on_transfer_status(self, prm.statusCode)

    def begin_audio(self, index: int, port: Port) -> None:
        """Connect the audio of medium `index`, which may be new after a re-INVITE, to whom it belongs."""
        self.port, self.media = port, self.getAudioMedia(index)
        port.join(self.media.getPortId())
        for other in self.joined:
            if other.leg is not None and not other.leg.held:
                self._connect(other)

    def join(self, other: Call) -> None:
        """Let the two hear each other. Raises pj.Error, and LegGone for one without audio."""
        self._connect(other)
        self.joined.add(other)
        other.joined.add(self)

    def part(self, other: Call) -> None:
        """Let the two no longer hear each other; harmless when they did not."""
        self.joined.discard(other)
        other.joined.discard(self)
        for one, to in ((self, other), (other, self)):
            if one.media is not None and to.media is not None:
                with suppress(pj.Error):  # who holds may have no audio now: parted already
                    one.media.stopTransmit(to.media)

    def end_audio(self) -> None:
        """The call is over, for whom it was joined with too."""
        for other in self.joined:
            other.joined.discard(self)
        self.joined.clear()
        self.media = None

    def _connect(self, other: Call) -> None:
        if self.media is None or other.media is None:
            raise LegGone("the leg has no audio")
        self.media.startTransmit(other.media)
        other.media.startTransmit(self.media)

    def look(self, late_frames: int, now_s: float) -> None:
        """Bring `line` up to date; `late_frames` came late in all since the start."""
        info = self.getInfo()  # owns its parts
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                stream = self.getStreamInfo(index)
                statistics = self.getStreamStat(index)  # owns its parts
                self.line.update(stream.codecName, statistics.rtcp, late_frames, now_s)

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
    """An identity we call from, and where calls come in; `trunk` is the name of the trunk whose it is."""

    def __init__(self, owner: Owner, trunk: str, ipv6: bool) -> None:
        super().__init__()
        self._owner = owner
        self.trunk = trunk
        self.ipv6 = ipv6

    def onIncomingCall(self, prm: Any) -> None:
        with Guard("incoming call"):
            self._owner.on_incoming(prm.callId)

    def onRegState(self, prm: Any) -> None:
        with Guard("registration"):
            self._owner.on_registration(self, prm.code // 100 == 2 and prm.expiration > 0)


def add_headers(prm: Any, headers: Mapping[str, str] | None) -> None:
    """Add SIP headers to a pjsua2 operation."""
    for name, value in (headers or {}).items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.push_back(header)
