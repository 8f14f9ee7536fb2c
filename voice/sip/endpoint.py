"""The SIP endpoint: one user agent on the event loop, run by one thread that owns pjsua2."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

import pjsua2 as pj
import structlog

from voice.phone import Leg, LegGone, NoAnswer, Unreachable
from voice.sip import library
from voice.sip.leg import SipLeg

log = structlog.get_logger()
T = TypeVar("T")

POLL_MS = 5
CLOSE_POLLS = 60  # how often to poll for the other sides' answers to our BYEs at the end
DEFAULT_CODECS = ("PCMA/8000", "PCMU/8000", "G722/16000")
ANY_HOST = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class SipConfig:
    """What an endpoint needs to know; `rtp_port` 0 lets the library choose, `port` 0 takes any free port."""

    host: str = ANY_HOST
    port: int = 5060
    transports: tuple[str, ...] = ("udp", "tcp")
    rtp_port: int = 16384
    rtp_port_range: int = 1999
    public_address: str = ""
    user: str = "12345"
    codecs: tuple[str, ...] = DEFAULT_CODECS
    max_calls: int = 0  # incoming calls at a time; 0: what the build allows
    retry_after_s: int = 5


_WITHHELD = ("anonymous", "unavailable", "restricted")


def user_of(uri: str) -> str:
    """The user part of a SIP URI, name-addr or tel URI; "" where there is none or it is withheld."""
    match = re.search(r"sips?:([^@>\s]*)@|tel:([^@>\s]+)", uri)
    user = unquote(re.split("[:;]", match.group(1) or match.group(2) or "")[0]) if match else ""
    return "" if user.lower() in _WITHHELD else user


class SipEndpoint:
    """A SIP user agent on the running event loop; see voice.phone.Phone.

    `on_call(leg)` is called on the loop for every incoming call within `max_calls`; `on_refused(caller,
    callee)` for every one above it, after it was told 503.
    """

    def __init__(
        self,
        config: SipConfig,
        *,
        on_call: Callable[[SipLeg], None] | None = None,
        on_refused: Callable[[str, str], None] | None = None,
        new_call_id: Callable[[], str] = lambda: "",
    ) -> None:
        self.config = config
        self.build = library.BuildInfo("", 0)
        self.max_calls = config.max_calls
        self.port = config.port
        self.draining = False
        self._loop = asyncio.get_running_loop()
        self._on_call = on_call
        self._on_refused = on_refused
        self._new_call_id = new_call_id
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, name="pjsua2", daemon=True)
        self._stopping = False
        # below: touched by the library's thread only
        self._calls: dict[Leg, library.Call] = {}
        self._dead: list[library.Call] = []
        self._free_ports: list[library.Port] = []
        self._incoming = 0

    async def start(self) -> None:
        """Bind the ports and start. Raises CallError naming the port that is taken."""
        self._thread.start()
        await self._started

    async def stop(self) -> None:
        """Hang up everything and free the library."""
        self._stopping = True
        await asyncio.to_thread(self._thread.join)

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> SipLeg:
        made: list[SipLeg] = []  # known here even when we are cancelled before _run() returns
        answered = False
        try:
            await self._run(lambda: made.append(self._make_call(uri, call_id, headers)))
            await asyncio.wait_for(asyncio.shield(made[0].up), timeout_s)
            answered = True
        except asyncio.TimeoutError:
            if made[0].rang:
                raise NoAnswer(f"nobody answered within {timeout_s:g} s") from None
            raise Unreachable(f"no response at all within {timeout_s:g} s") from None
        finally:
            if not answered:
                self._commands.put(lambda: self._give_up(made))
        return made[0]

    async def bridge(self, a: Leg, b: Leg) -> None:
        await self._run(lambda: self._connect(a, b))

    async def answer_leg(self, leg: SipLeg) -> None:
        await self._run(lambda: self._call(leg).respond(200))

    async def send_keys(self, leg: SipLeg, digits: str) -> None:
        await self._run(lambda: self._call(leg).dialDtmf(digits))

    async def hangup_leg(self, leg: SipLeg, code: int) -> None:
        await self._run(lambda: self._call(leg).end(code))

    async def _run(self, operation: Callable[[], T]) -> T:
        """Run an operation on the library's thread. Raises CallError for what the library refuses."""
        done: asyncio.Future[T] = self._loop.create_future()

        def command() -> None:
            try:
                result = operation()
            except pj.Error as error:
                self._tell(_settle, done, None, Unreachable(f"SIP operation refused: {error.reason}"))
            except Exception as error:
                self._tell(_settle, done, None, error)
            else:
                self._tell(_settle, done, result, None)

        self._commands.put(command)
        return await done

    # everything below runs on the library's thread

    def _tell(self, function: Callable[..., None], *args: Any) -> None:
        """Call `function` on the event loop."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.warning("event_loop_closed", lost=function.__name__)

    def _main(self) -> None:
        library.silence_log()
        endpoint = pj.Endpoint()
        try:
            self._open(endpoint)
        except pj.Error as error:
            endpoint.libDestroy()
            reason = f"cannot open SIP on {self.config.host}:{self.config.port}: {error.reason}"
            self._tell(_settle, self._started, None, Unreachable(reason))
            return
        self._tell(_settle, self._started, None, None)
        while not self._stopping:
            self._poll(endpoint)
        self._close(endpoint)

    def _poll(self, endpoint: Any) -> None:
        endpoint.libHandleEvents(POLL_MS)
        while not self._commands.empty():
            self._commands.get()()
        self._free_dead()

    def _free_dead(self) -> None:
        """Free ended calls here: outside their own callbacks, never by the garbage collector."""
        for call in self._dead:
            library.Call.__swig_destroy__(call)
        self._dead.clear()

    def _open(self, endpoint: Any) -> None:
        endpoint.libCreate()
        endpoint.libInit(library.library_config())
        self.build = library.build_of(endpoint)
        self.max_calls = self.config.max_calls or library.default_max_calls(self.build.max_legs)
        for kind in self.config.transports:
            self._open_transport(endpoint, kind)
        endpoint.libStart()
        endpoint.audDevManager().setNullDev()
        for codec in endpoint.codecEnum2():
            rank = next(
                (i for i, name in enumerate(self.config.codecs) if codec.codecId.startswith(name)), None
            )
            endpoint.codecSetPriority(codec.codecId, 0 if rank is None else 254 - rank)
        self._account = library.Account(self)
        self._account.create(self._account_config())
        self._ports = [library.Port(self._loop) for _ in range(self.build.max_legs)]
        self._free_ports = list(self._ports)

    def _open_transport(self, endpoint: Any, kind: str) -> None:
        config = pj.TransportConfig()
        config.port = self.port
        if self.config.host != ANY_HOST:
            config.boundAddress = self.config.host
        config.publicAddress = self.config.public_address
        types = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP}
        transport_id = endpoint.transportCreate(types[kind], config)
        if not self.port:
            address = endpoint.transportGetInfo(transport_id).localAddress
            self.port = int(address.rsplit(":", 1)[1])

    def _account_config(self) -> Any:
        config = pj.AccountConfig()
        bound = "127.0.0.1" if self.config.host == ANY_HOST else self.config.host
        config.idUri = f"sip:{self.config.user}@{self.config.public_address or bound}"
        media = config.mediaConfig.transportConfig
        media.port = self.config.rtp_port
        media.portRange = self.config.rtp_port_range if self.config.rtp_port else 0
        media.publicAddress = self.config.public_address
        if self.config.host != ANY_HOST:
            media.boundAddress = self.config.host
        return config

    def _close(self, endpoint: Any) -> None:
        endpoint.hangupAllCalls()
        for _ in range(CLOSE_POLLS):
            self._poll(endpoint)
            if not self._calls:
                break
        for call in list(self._calls.values()):
            if call.leg is not None:
                self._drop(call.leg, 0)
        self._free_dead()
        for port in self._ports:
            port.leg = None
            library.Port.__swig_destroy__(port)
        self._account.shutdown()
        library.Account.__swig_destroy__(self._account)
        endpoint.libDestroy()

    def _call(self, leg: Leg) -> library.Call:
        try:
            return self._calls[leg]
        except KeyError:
            raise LegGone("the leg has ended") from None

    def _make_call(self, uri: str, call_id: str, headers: Mapping[str, str] | None) -> SipLeg:
        if len(self._calls) >= self.build.max_legs:
            raise Unreachable(f"no free line: all {self.build.max_legs} legs of this pjsua2 build are in use")
        call = library.Call(self, self._account)
        leg = self._adopt(call, call_id=call_id, remote=user_of(uri), local=self.config.user)
        prm = pj.CallOpParam(True)
        library.add_headers(prm, headers)
        try:
            call.makeCall(uri, prm)
        except pj.Error:
            self._drop(leg, 0)
            raise
        return leg

    def _give_up(self, made: list[SipLeg]) -> None:
        for leg in made:
            if leg in self._calls:
                self._calls[leg].end()

    def _adopt(self, call: library.Call, *, call_id: str, remote: str, local: str) -> SipLeg:
        leg = call.leg = SipLeg(self, self._loop, call_id=call_id, remote=remote, local=local)
        self._calls[leg] = call
        return leg

    def _drop(self, leg: SipLeg, status: int) -> None:
        """The leg is over: tell it, give its port back, free its call on the next poll."""
        call = self._calls.pop(leg, None)
        if call is None:
            return
        self._tell(leg.on_gone, status)
        self._incoming -= call.counted
        if call.port is not None:
            call.port.leg = None
            self._free_ports.append(call.port)
        call.port = call.media = call.leg = None
        self._dead.append(call)

    def _connect(self, a: Leg, b: Leg) -> None:
        media_a, media_b = self._call(a).media, self._call(b).media
        if media_a is None or media_b is None:
            raise LegGone("the leg has no audio")
        media_a.startTransmit(media_b)
        media_b.startTransmit(media_a)

    def on_incoming(self, library_call_id: int) -> None:
        call = library.Call(self, self._account, library_call_id)
        info = call.getInfo()
        caller, callee = user_of(info.remoteUri), user_of(info.localUri)
        leg = self._adopt(call, call_id=self._new_call_id(), remote=caller, local=callee)
        if self.draining or self._on_call is None or self._incoming >= self.max_calls:
            call.respond(503, {"Retry-After": str(self.config.retry_after_s)})
            if self._on_refused is not None:
                self._tell(self._on_refused, caller, callee)
            return
        call.counted = True
        self._incoming += 1
        self._tell(self._on_call, leg)

    def on_call_state(self, call: library.Call) -> None:
        info, leg = call.getInfo(), call.leg
        if leg is None:
            return
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._drop(leg, int(info.lastStatusCode))
        elif info.state == pj.PJSIP_INV_STATE_EARLY:
            leg.rang = True
        else:
            self._tell_up(call, info)

    def on_media_state(self, call: library.Call) -> None:
        info = call.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                if call.port is None:
                    call.port = self._free_ports.pop()
                    call.port.leg = call.leg
                call.media = call.getAudioMedia(index)
                call.media.startTransmit(call.port)
                call.port.startTransmit(call.media)
        self._tell_up(call, info)

    def on_digit(self, call: library.Call, digit: str) -> None:
        if call.leg is not None:
            self._tell(call.leg.on_digit, digit)

    def _tell_up(self, call: library.Call, info: Any) -> None:
        if call.leg is not None and call.media is not None and info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._tell(call.leg.on_up)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
