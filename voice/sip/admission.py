"""Who may call: every request goes by here, on the library's thread, before the library sees it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from voice.phone import Unreachable
from voice.sip import screen
from voice.sip.config import SipConfig
from voice.sip.digest import Challenger
from voice.sip.gate import Answer as GateAnswer
from voice.sip.identity import callee_of, caller_of
from voice.sip.message import Request
from voice.sip.registrar import Registrar

LINGER_S = 40.0  # a call's last requests may be sent again for 32 s (RFC 3261, timer F)


class Dialogs:
    """The Call-IDs of running calls, and of those that ended a moment ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: set[str] = set()
        self._ended: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._running or call_id in self._ended

    def begin(self, call_id: str) -> None:
        """A call with this Call-ID runs from now on."""
        self._running.add(call_id)

    def end(self, call_id: str) -> None:
        """It is over."""
        now_s = self._clock()
        while self._ended and next(iter(self._ended.values())) < now_s:
            self._ended.popitem(last=False)
        if call_id in self._running:
            self._running.remove(call_id)
            self._ended[call_id] = now_s + LINGER_S


@dataclass(frozen=True, slots=True)
class Admitted:
    """An INVITE that was let in: whose line it is (a trunk's name, or ""), who calls, and whom."""

    request: Request
    trunk: str
    caller: str
    callee: str
    early_media: bool


class Admission:
    """Judges requests; `why_not()` says why no call can be taken now, `on_refused` hears of each refusal.

    `on_key(Call-ID, key)` hears of keys by INFO of type application/dtmf, which the library does not know.
    """

    def __init__(
        self,
        config: SipConfig,
        why_not: Callable[[], str | None],
        on_refused: Callable[[str, str, str], None],
        on_key: Callable[[str, str], None],
    ) -> None:
        self._config = config
        self._why_not = why_not
        self._on_refused = on_refused
        self._on_key = on_key
        self._last_key: tuple[str, int] | None = None  # Call-ID and CSeq of the last key by INFO
        self._own_users = {trunk.user for trunk in config.trunks if trunk.registration}
        self._trunks = {trunk.name: trunk for trunk in config.trunks}
        challenger = Challenger(config.realm, secrets.token_bytes(32))
        self._registrar = Registrar(config.registrations, challenger) if config.registrations else None
        self._screen = screen.Screen(
            trunks=tuple(
                screen.Trunk(t.name, t.networks, t.user, t.password, t.challenge, t.srtp)
                for t in config.trunks
            ),
            allow=config.allowed,
            registrar=self._registrar,
            challenger=challenger,
            rate_per_s=config.rate_per_s,
            retry_after_s=config.retry_after_s,
        )
        self._dialogs = Dialogs()
        self.admitted: Admitted | None = None  # the last INVITE let in; the library takes it up at once
        self.begin = self._dialogs.begin
        self.end = self._dialogs.end

    @property
    def counts(self) -> dict[str, int]:
        """How many requests were answered or dropped here, by cause."""
        return dict(self._screen.counts)

    def judge(self, request: Request) -> GateAnswer | bool | None:
        """See Gate: None lets it pass, False drops it."""
        cause = self._why_not()
        decision = self._screen.decide(
            request, now_s=time.monotonic(), taking_calls=cause is None, running=self._dialogs
        )
        if isinstance(decision, screen.Drop):
            return False
        if isinstance(decision, screen.Answer):
            if decision.refused and not decision.repeated:
                self._on_refused(self._caller(request, ""), self._callee(request), cause or "full")
            return decision.code, decision.reason, decision.headers
        if request.method == "INFO" and (key := _key_of(request)):
            if self._last_key != (pressed := (request.call_id, request.cseq[0])):  # else sent again
                self._last_key = pressed
                self._on_key(request.call_id, key)
            return 200, "OK", ()
        if request.method == "INVITE" and not request.to_tag:
            self.admitted = self._admit(request, decision.peer.trunk)
        return None

    def _admit(self, request: Request, trunk: str) -> Admitted:
        line = self._trunks.get(trunk)
        early_media = line is not None and line.early_media
        return Admitted(request, trunk, self._caller(request, trunk), self._callee(request), early_media)

    def _caller(self, request: Request, trunk: str) -> str:
        line = self._trunks.get(trunk)
        trusted = line is not None and line.asserted_identity
        return caller_of(request, trust_asserted=trusted, country_code=self._config.country_code)

    def _callee(self, request: Request) -> str:
        return callee_of(request, own_users=self._own_users)

    def registered_at(self, user: str) -> str:
        """The SIP address a registered telephone is to be called at now. Raises Unreachable."""
        target = self._registrar.target(user, time.monotonic()) if self._registrar else None
        if target is None:
            raise Unreachable("the telephone is not registered")
        return target


def _key_of(request: Request) -> str:
    """The key in a body of application/dtmf; "" in anything else."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    key = request.body.strip().upper()
    return key if kind == "application/dtmf" and len(key) == 1 and key in "0123456789*#ABCD" else ""
