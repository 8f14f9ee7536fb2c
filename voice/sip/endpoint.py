"""The SIP endpoint: one user agent on the event loop, run by one thread that owns pjsua2."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pjsua2 as pj
import structlog

from voice.phone import Leg, LegGone, NoAnswer, Unreachable
from voice.sip import accounts, library
from voice.sip.admission import Admission
from voice.sip.clock import Clock
from voice.sip.commands import Commands, settle
from voice.sip.config import ANY_HOST, REGISTERED, SipConfig, host_of
from voice.sip.gate import Gate, GateError
from voice.sip.identity import user_of
from voice.sip.leg import SipLeg
from voice.sip.ports import Frames, Ports
from voice.sip.refer import Referral, refer_call, replace_call

log = structlog.get_logger()

# The longest wait for the library's events; packets end it, and commands where they can.
POLL_MS = 10  # where they cannot
IDLE_POLL_MS = 1000
CLOSE_POLL_MS = 50
CLOSE_POLLS = 60  # how often to poll for the other sides' answers to our BYEs at the end
LOOK_S = 1.0  # how often each leg's line is looked at


class SipEndpoint:
    """A SIP user agent on the running event loop; see voice.phone.Phone.

    `on_call(leg)` is called on the loop for every incoming call that is taken; `on_refused(caller, callee,
    cause)` for every one that was told 503: `full`, `draining`, `no_line`, or what `overloaded()` gave, which
    is asked on the library's thread.
    """

    def __init__(
        self,
        config: SipConfig,
        *,
        on_call: Callable[[SipLeg], None] | None = None,
        on_refused: Callable[[str, str, str], None] | None = None,
        overloaded: Callable[[], str | None] = lambda: None,
        new_call_id: Callable[[], str] = lambda: "",
    ) -> None:
        self.config = config
        self.build = library.BuildInfo("", 0)
        self.max_calls = config.max_calls
        self.port = config.port
        self.tls_port = config.tls.port
        self.draining = False
        self._loop = asyncio.get_running_loop()
        self._on_call = on_call
        self._on_refused = on_refused
        self._overloaded = overloaded
        self.admission = Admission(config, self._why_not, self._refuse, self._on_key)
        self._gate = Gate(library.clibrary, self.admission.judge)
        self._accounts = accounts.Accounts(self, config)
        self._frames = Frames(self._loop)
        self._ports = Ports(self._frames)
        self._clock = Clock(self._ports.fill, self._ports.empty)
        self._new_call_id = new_call_id
        self._commands = Commands(self._loop)
        self._keys = library.Keys(lambda leg, key: self._commands.tell(leg.on_digit, key))
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, name="pjsua2", daemon=True)
        self._stopping = False
        # below: touched by the library's thread only
        self._calls: dict[Leg, library.Call] = {}
        self._dead: list[library.Call] = []
        self._incoming = 0
        self._looked_s = 0.0

    async def start(self) -> None:
        """Bind the ports and start. Raises CallError naming the port that is taken."""
        self._thread.start()
        try:
            await self._started
        except Unreachable:
            await asyncio.to_thread(self._thread.join)  # its last C++ must not meet the end of Python
            raise

    async def stop(self) -> None:
        """Hang up everything and free the library."""
        self._stopping = True
        self._commands.wake()
        await asyncio.to_thread(self._thread.join)

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> SipLeg:
        made: list[SipLeg] = []  # known here even when we are cancelled before run() returns
        answered = False
        try:
            await self._commands.run(lambda: made.append(self._make_call(uri, call_id, headers)))
            await asyncio.wait_for(asyncio.shield(made[0].up), timeout_s)
            answered = True
        except asyncio.TimeoutError:
            if made[0].rang:
                raise NoAnswer(f"nobody answered within {timeout_s:g} s") from None
            raise Unreachable(f"no response at all within {timeout_s:g} s") from None
        finally:
            if not answered:
                self._commands.post(lambda: self._give_up(made))
        return made[0]

    async def bridge(self, a: Leg, b: Leg) -> None:
        await self._commands.run(lambda: self._call(a).join(self._call(b)))

    async def unbridge(self, a: Leg, b: Leg) -> None:
        await self._commands.run(lambda: self._call(a).part(self._call(b)))

    async def refer(
        self, leg: Leg, target: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        referral = Referral(leg, self._loop)
        await self._commands.run(lambda: refer_call(self._referring(leg, referral), target, headers))
        await referral.done(timeout_s)

    async def replace(self, leg: Leg, other: Leg, *, timeout_s: float) -> None:
        referral = Referral(leg, self._loop)
        await self._commands.run(lambda: replace_call(self._referring(leg, referral), self._call(other)))
        await referral.done(timeout_s)

    async def answer_leg(self, leg: SipLeg) -> None:
        await self._commands.run(lambda: self._call(leg).respond(200))

    async def send_keys(self, leg: SipLeg, digits: str) -> None:
        await self._commands.run(lambda: self._call(leg).dialDtmf(digits))

    def give_ticks(self) -> None:
        """Give what has come on all legs; on the loop."""
        self._frames.give()

    async def hang_up_all(self) -> None:
        """End every leg at once."""

        def end_all() -> None:
            for call in list(self._calls.values()):
                call.end()

        await self._commands.run(end_all)

    async def hangup_leg(self, leg: SipLeg, code: int) -> None:
        await self._commands.run(lambda: self._call(leg).end(code))

    @property
    def registered(self) -> dict[str, bool]:
        """Of the trunks that we register at: whether we are."""
        return dict(self._accounts.registered)

    def lateness(self) -> tuple[int, int, float]:
        """Ticks of the audio clock since the last call, those over a frame late, the latest's seconds."""
        return self._clock.lateness()

    # everything below runs on the library's thread

    def _main(self) -> None:
        library.silence_log()
        endpoint = library.Endpoint(self)
        try:
            self._open(endpoint)
        except Exception as error:  # also one of ours: who waits for the start is to see it
            if isinstance(error, pj.Error | GateError):
                endpoint.libDestroy()
                reason = error.reason if isinstance(error, pj.Error) else str(error)
                error = Unreachable(f"cannot open SIP on {self.config.host}:{self.config.port}: {reason}")
            self._commands.tell(settle, self._started, None, error)
            return
        self._commands.tell(settle, self._started, None, None)
        while not self._stopping:
            self._poll(endpoint)
        self._close(endpoint)

    def _poll(self, endpoint: Any, wait_ms: int = IDLE_POLL_MS) -> None:
        endpoint.libHandleEvents(wait_ms if self._commands.wakes else POLL_MS)
        self._commands.perform()
        self._free_dead()
        self._clock.run(bool(self._calls))
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look_at_lines(now_s)

    def _free_dead(self) -> None:
        """Free ended calls here: outside their own callbacks, never by the garbage collector."""
        for call in self._dead:
            library.Call.__swig_destroy__(call)
        self._dead.clear()

    def _open(self, endpoint: Any) -> None:
        endpoint.libCreate()
        endpoint.libInit(library.library_config())
        self.build = library.build_of(endpoint)
        wanted = self.config.max_calls or library.default_max_calls(self.build.max_legs)
        self.max_calls = min(wanted, self.build.max_legs)
        if ":" in self.config.host + self.config.ipv6_host and not self.build.ipv6:
            raise GateError("this pjsua2 build has no IPv6; the capacity build has")
        self.port, self.tls_port = accounts.open_transports(endpoint, self.config)
        endpoint.libStart()
        self._ports.open()
        for codec in endpoint.codecEnum2():
            rank = next(
                (i for i, name in enumerate(self.config.codecs) if codec.codecId.startswith(name)), None
            )
            endpoint.codecSetPriority(codec.codecId, 0 if rank is None else 254 - rank)
        self._accounts.open()
        self._gate.open()
        if "udp" in self.config.transports:
            host = "127.0.0.1" if self.config.host == ANY_HOST else self.config.host
            self._gate.prove((host, self.port), lambda: endpoint.libHandleEvents(POLL_MS))
            self._commands.open((host, self.port))
        self._clock.open()

    def _close(self, endpoint: Any) -> None:
        self._commands.close()
        endpoint.hangupAllCalls()
        for _ in range(CLOSE_POLLS):
            self._poll(endpoint, CLOSE_POLL_MS)
            if not self._calls:
                break
        for call in list(self._calls.values()):
            if call.leg is not None:
                self._drop(call.leg, 0)
        self._free_dead()
        self._gate.close()
        self._clock.close()
        self._accounts.close()
        endpoint.libDestroy()

    def _why_not(self) -> str | None:
        """Why no call can be taken now, None when one can."""
        if self.draining or self._on_call is None:
            return "draining"
        if self._incoming >= self.max_calls:
            return "full"
        if len(self._calls) >= self.build.max_legs:
            return "no_line"
        return self._overloaded()

    def _refuse(self, caller: str, callee: str, cause: str) -> None:
        if self._on_refused is not None:
            self._commands.tell(self._on_refused, caller, callee, cause)

    def _look_at_lines(self, now_s: float) -> None:
        """Take every leg's RTP statistics; end the legs that nothing comes from any more."""
        for call in list(self._calls.values()):
            leg = call.leg
            if leg is None or call.media is None or not call.hasMedia():
                continue
            call.look(self._clock.late_total, now_s)
            self._commands.tell(leg.on_line, call.line.stats)
            timeout_s = self.config.rtp_timeout_s
            if timeout_s and not leg.held and call.line.idle_s(now_s) > timeout_s:
                log.warning("media_timeout", call_id=leg.call_id)
                call.reason = "media_timeout"
                call.end()

    def _call(self, leg: Leg) -> library.Call:
        try:
            return self._calls[leg]
        except KeyError:
            raise LegGone("the leg has ended") from None

    def _referring(self, leg: Leg, referral: Referral) -> library.Call:
        """The leg's call, whose REFER this referral is from now on."""
        call = self._call(leg)
        call.referral = referral
        return call

    def _make_call(self, uri: str, call_id: str, headers: Mapping[str, str] | None) -> SipLeg:
        if len(self._calls) >= self.build.max_legs:
            raise Unreachable(f"no free line: all {self.build.max_legs} legs of this pjsua2 build are in use")
        if host_of(uri) == REGISTERED:
            uri = self.admission.registered_at(user_of(uri))
        trunk = next((trunk.name for trunk in self.config.trunks if trunk.host == host_of(uri)), "")
        call = library.Call(self, self._accounts.of(trunk, ipv6="[" in uri))
        leg = self._adopt(call, call_id=call_id, remote=user_of(uri), local=self.config.user)
        prm = pj.CallOpParam(True)
        library.add_headers(prm, headers)
        try:
            call.makeCall(uri, prm)
        except pj.Error:
            self._drop(leg, 0)
            raise
        self._known(call, call.getInfo().callIdString)
        return leg

    def _known(self, call: library.Call, sip_id: str) -> None:
        """From now on requests within this call are let in from wherever they come."""
        call.sip_id = sip_id
        self.admission.begin(sip_id)

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
        self.admission.end(call.sip_id)
        self._keys.forget(leg)
        self._commands.tell(leg.on_gone, status, call.reason)
        self._incoming -= call.counted
        if call.port is not None:
            self._ports.give_back(call.port)
        call.end_audio()
        call.port = call.leg = None
        self._dead.append(call)

    def account_for_request(self) -> int | None:
        """Which account answers the request that was let in just now."""
        admitted = self.admission.admitted
        if admitted is None:
            return None
        return int(self._accounts.of(admitted.trunk, ipv6=":" in admitted.request.source.host).getId())

    def on_incoming(self, library_call_id: int) -> None:
        call = library.Call(self, self._accounts.of("", ipv6=False), library_call_id)
        admitted = self.admission.admitted
        on_call = self._on_call
        if (
            admitted is None
            or on_call is None
            or not admitted.request.call_id.startswith(call.getInfo().callIdString)
        ):
            self._dead.append(call)  # nothing gets here but through the gate
            call.respond(403)
            return
        leg = self._adopt(call, call_id=self._new_call_id(), remote=admitted.caller, local=admitted.callee)
        self._known(call, admitted.request.call_id)
        call.counted = True
        self._incoming += 1
        if admitted.early_media:
            call.respond(183)
        self._commands.tell(on_call, leg)

    def on_registration(self, account: library.Account, active: bool) -> None:
        self._accounts.on_registration(account, active)

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
        info, leg = call.getInfo(), call.leg
        if leg is None:
            return
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            leg.held = media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                call.line.begin(time.monotonic())
                call.begin_audio(index, call.port or self._ports.take(leg))
        self._tell_up(call, info)

    def on_digit(self, call: library.Call, digit: str) -> None:
        if call.leg is not None:
            self._commands.tell(call.leg.on_digit, digit)

    def on_stream(self, call: library.Call, stream: int) -> None:
        if call.leg is not None:
            self._keys.listen(stream, call.leg)

    def _on_key(self, sip_id: str, digit: str) -> None:
        for call in self._calls.values():
            if call.sip_id == sip_id:
                self.on_digit(call, digit)

    def on_transfer_status(self, call: library.Call, status: int) -> None:
        if call.referral is not None:
            self._commands.tell(call.referral.on_status, status)

    def _tell_up(self, call: library.Call, info: Any) -> None:
        if call.leg is not None and call.media is not None and info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._commands.tell(call.leg.on_up)
