"""Who may call: judges every request before the SIP stack sees it, and teaches a scanner nothing.

Not for several threads: all calls belong on the SIP thread.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, OrderedDict
from collections.abc import Container, Hashable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, TypeAlias, TypeVar

from voice.sip.buckets import TokenBuckets
from voice.sip.digest import Challenger
from voice.sip.message import Answer, Request
from voice.sip.registrar import Registrar

__all__ = ["Answer", "Decision", "Drop", "Pass", "Peer", "Screen", "Trunk"]

T = TypeVar("T")
Network: TypeAlias = "IPv4Network | IPv6Network"
Srtp: TypeAlias = Literal["off", "optional", "required"]

RESENT_S = 32.0  # an INVITE may be sent again that long (RFC 3261, timer B)
PROVEN_S = 3600.0  # how long a right password makes its source's limit the generous one
MAX_REMEMBERED = 10_000  # INVITEs, and sources
MAX_HEADER = 1024  # characters of what names a dialog
TOTAL_UNKNOWN_PER_S = 200.0  # answers to all unknown sources together: the senders of a flood can be made up
OPTIONS_HEADERS = (
    ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY"),
    ("Accept", "application/sdp"),
    ("Supported", "100rel, timer"),
)

_AUDIO = re.compile(r"^m=audio[ \t]+\S+[ \t]+(\S+)", re.MULTILINE)
_CRYPTO = re.compile(r"^a=crypto:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Trunk:
    """A line that calls come in by. With `challenge` each call must show `user` and `password`, and without
    networks it may come from anywhere. Raises ValueError for a challenge without both."""

    name: str
    networks: tuple[Network, ...] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    challenge: bool = False
    srtp: Srtp = "off"

    def __post_init__(self) -> None:
        if self.challenge and not (self.user and self.password):
            raise ValueError(f"trunk {self.name!r}: challenge needs a user and a password")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent a request: a trunk, a seat's telephone, an allowed network, or, from anywhere, whoever knows
    the Call-ID of a running call."""

    kind: Literal["trunk", "seat", "network", "dialog"]
    trunk: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """The stack may have it."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Drop:
    """It never came."""

    cause: str


Decision: TypeAlias = "Pass | Answer | Drop"

_ALLOWED = Peer("network")
_DIALOG = Pass(Peer("dialog"))


class Screen:
    """`decide` is the whole of it; `counts` says how often and why not (and how many calls passed).

    `rate_per_s` is a known source's (twice that in a burst), `unknown_rate_per_s` and `unknown_burst` an
    unknown one's; an IPv6 source is its /64. `challenger` defaults to the registrar's. Raises ValueError for
    trunks that cannot be told apart and for a challenge without challenger.
    """

    def __init__(
        self,
        *,
        trunks: tuple[Trunk, ...] = (),
        allow: tuple[Network, ...] = (),
        registrar: Registrar | None = None,
        challenger: Challenger | None = None,
        rate_per_s: float = 100.0,
        unknown_rate_per_s: float = 1.0,
        unknown_burst: float = 10.0,
        max_sources: int = 10_000,
        retry_after_s: int = 5,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._registrar = registrar
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._anywhere = {t.user: t for t in trunks if t.challenge and not t.networks}
        challenges = registrar is not None or any(trunk.challenge for trunk in trunks)
        challenger = challenger or (registrar.challenger if registrar else None)
        if len(self._trunks) < len(trunks):
            raise ValueError("two trunks have the same name")
        if len(self._anywhere) < sum(trunk.challenge and not trunk.networks for trunk in trunks):
            raise ValueError("two challenged trunks without networks have the same user")
        if challenges and challenger is None:
            raise ValueError("a trunk with challenge needs a challenger")
        self._challenger = challenger if challenges else None
        self._networks = _Networks(trunks, allow)
        self._place = functools.lru_cache(max_sources)(self._networks.place)
        self._known_rate = TokenBuckets(rate_per_s, 2 * rate_per_s, max_sources)
        self._overrun_rate = TokenBuckets(rate_per_s, rate_per_s, max_sources)
        self._unknown_rate = TokenBuckets(unknown_rate_per_s, unknown_burst, max_sources)
        self._total_rate = TokenBuckets(TOTAL_UNKNOWN_PER_S, 2 * TOTAL_UNKNOWN_PER_S, 1)
        self._proven: OrderedDict[Hashable, float] = OrderedDict()  # sources that knew a password, until when
        self._passed: OrderedDict[Hashable, tuple[Peer, float]] = OrderedDict()  # INVITEs, until when
        self._refused: OrderedDict[Hashable, float] = OrderedDict()  # INVITEs, since when
        self._retry = (("Retry-After", str(retry_after_s)),)

    def decide(
        self, request: Request, *, now_s: float, taking_calls: bool, running: Container[str]
    ) -> Decision:
        """Judge one request; `running` holds the Call-IDs of the calls there are."""
        if _malformed(request):
            decision: Decision = Drop("malformed")
        else:
            decision = self._judge(request, now_s, taking_calls, running)
        if not isinstance(decision, Pass):
            self.counts[decision.cause] += 1
        return decision

    def _judge(self, request: Request, now_s: float, taking_calls: bool, running: Container[str]) -> Decision:
        place, peer = self._place(request.source.host)
        if self._registrar is not None and (peer is None or peer.kind == "network"):
            user = self._registrar.user_at(request.source, now_s)
            peer = peer if user is None else Peer("seat", user=user)
        if request.method in ("ACK", "CANCEL") or (request.to_tag and request.method != "REGISTER"):
            if peer is not None:
                return Pass(peer)
            if request.call_id in running:
                return _DIALOG
            if request.method in ("ACK", "CANCEL"):
                return Drop("unknown_source")
        elif request.method == "INVITE":
            passed = self._passed.get(_key(request))
            if passed is not None and passed[1] > now_s:  # sent again, while the stack has it
                return Pass(passed[0])
        if peer is None:
            return self._judge_unknown(request, place, now_s, taking_calls)
        return self._judge_known(request, peer, place, now_s, taking_calls)

    def _judge_unknown(self, request: Request, place: Hashable, now_s: float, taking_calls: bool) -> Decision:
        """A source with a proven password has the known ones' limit, and the unknown ones' answers."""
        if self._proven.get(place, 0.0) > now_s:
            within = self._known_rate.take(place, now_s)
        else:
            within = self._unknown_rate.take(place, now_s) and self._total_rate.take(None, now_s)
        if not within:
            return Drop("rate_limited")
        if request.method == "REGISTER" and self._registrar is not None:
            return self._register(request, place, now_s)
        if request.method == "INVITE" and not request.to_tag and request.header("authorization"):
            peer = self._authenticate(request, None, place, now_s)
            if isinstance(peer, Peer):
                _remember(self._proven, place, now_s + PROVEN_S)
                return self._judge_call(request, peer, now_s, taking_calls)
            return peer
        return self._uniform(now_s)

    def _judge_known(
        self, request: Request, peer: Peer, place: Hashable, now_s: float, taking_calls: bool
    ) -> Decision:
        if not self._known_rate.take(place, now_s):
            if self._overrun_rate.take(place, now_s):
                return Answer(503, "Service Unavailable", self._retry, "rate_limited")
            return Drop("rate_limited")
        if request.method == "REGISTER":
            return self._register(request, place, now_s)
        if request.method == "OPTIONS":
            if taking_calls:
                return Answer(200, "OK", OPTIONS_HEADERS, "options")
            return Answer(503, "Service Unavailable", self._retry, "options")
        if request.method != "INVITE":
            return Pass(peer)
        if peer.trunk and self._trunks[peer.trunk].challenge:
            shown = self._authenticate(request, peer, place, now_s)
            if not isinstance(shown, Peer):
                return shown
            peer = shown
        return self._judge_call(request, peer, now_s, taking_calls)

    def _judge_call(self, request: Request, peer: Peer, now_s: float, taking_calls: bool) -> Decision:
        """A new call from a peer that may call."""
        key = _key(request)
        if not taking_calls:
            repeated = key in self._refused
            _remember(self._refused, key, now_s)
            return Answer(503, "Service Unavailable", self._retry, "full", refused=True, repeated=repeated)
        if peer.trunk and _srtp_differs(self._trunks[peer.trunk].srtp, request.body):
            return Answer(488, "Not Acceptable Here", cause="srtp_mismatch")
        _remember(self._passed, key, (peer, now_s + RESENT_S))
        self.counts["passed"] += 1
        return Pass(peer)

    def _register(self, request: Request, place: Hashable, now_s: float) -> Answer | Drop:
        if self._registrar is None:
            return self._uniform(now_s)
        answer = self._registrar.handle(request, now_s)
        if answer.cause == "wrong_digest":
            return self._wrong(answer, place, now_s)
        if answer.cause == "registered":
            _remember(self._proven, place, now_s + PROVEN_S)
        return answer

    def _authenticate(
        self, request: Request, known: Peer | None, place: Hashable, now_s: float
    ) -> Peer | Answer | Drop:
        """Who shows a right password in an INVITE."""
        if self._challenger is None:
            return self._uniform(now_s)
        verdict = self._challenger.verify_request(request, lambda user: self._account(user, known)[0], now_s)
        if verdict.outcome == "ok":
            return self._account(verdict.user, known)[1]
        if verdict.outcome == "wrong":
            answer = self._challenger.unauthorized(now_s, cause="wrong_digest")
            return self._wrong(answer, place, now_s)
        return self._challenger.unauthorized(now_s, stale=verdict.outcome == "stale")

    def _account(self, user: str, known: Peer | None) -> tuple[str, Peer]:
        """The password of a user that may call from there, and who it is; "" for everybody else."""
        trunks = self._trunks.get(known.trunk) if known else None, self._anywhere.get(user)
        for trunk in trunks:
            if trunk is not None and trunk.user == user:
                return trunk.password, Peer("trunk", trunk=trunk.name)
        password = self._registrar.users.get(user, "") if self._registrar else ""
        return password, Peer("seat", user=user)

    def _wrong(self, answer: Answer, place: Hashable, now_s: float) -> Answer | Drop:
        """Guessing passwords is slow, from wherever."""
        return answer if self._unknown_rate.take(place, now_s) else Drop("wrong_digest")

    def _uniform(self, now_s: float) -> Answer:
        """What everyone unknown gets, whatever the method, the user or the number."""
        if self._challenger is None:
            return Answer(403, "Forbidden", cause="unknown_source")
        return self._challenger.unauthorized(now_s, cause="unknown_source")


class _Networks:
    """Finds the most specific network that an address is in; of a trunk's and an allowed one, the trunk's."""

    def __init__(self, trunks: tuple[Trunk, ...], allow: tuple[Network, ...]) -> None:
        found: dict[int, dict[int, dict[int, Peer]]] = {
            4: {},
            6: {},
        }  # by version, bits to cut off, bits left
        owned = [(network, _ALLOWED) for network in allow]
        owned += [
            (network, Peer("trunk", trunk=trunk.name)) for trunk in trunks for network in trunk.networks
        ]
        for network, peer in owned:
            cut = network.max_prefixlen - network.prefixlen
            found[network.version].setdefault(cut, {})[int(network.network_address) >> cut] = peer
        self._found = {version: sorted(tables.items()) for version, tables in found.items()}

    def place(self, host: str) -> tuple[Hashable, Peer | None]:
        """What a host's requests are counted under, and whose network it is in; IPv4 within IPv6 is IPv4."""
        try:
            address: IPv4Address | IPv6Address = ip_address(host)
        except ValueError:
            return host, None
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        bits = int(address)
        place = bits if address.version == 4 else ("/64", bits >> 64)
        for cut, peers in self._found[address.version]:
            peer = peers.get(bits >> cut)
            if peer is not None:
                return place, peer
        return place, None


def _malformed(request: Request) -> bool:
    """What the stack cannot answer or might read differently: a header missing, twice, or endless."""
    for name in ("call-id", "from", "to", "cseq"):
        values = request.headers.get(name, ())
        if len(values) != 1 or not 0 < len(values[0]) <= MAX_HEADER:
            return True
    return "via" not in request.headers or request.cseq[1] != request.method


def _key(request: Request) -> Hashable:
    """What an INVITE and the same one sent again have in common."""
    return request.source, request.call_id, request.cseq[0]


def _srtp_differs(srtp: Srtp, body: str) -> bool:
    """Whether an offer cannot be met; no SDP is a late offer, which can."""
    profiles = _AUDIO.findall(body)
    secure = ["SAVP" in profile for profile in profiles]
    if not profiles or srtp == "optional":
        return False
    if srtp == "off":
        return all(secure)
    return not any(secure) and not _CRYPTO.search(body)


def _remember(memory: OrderedDict[Hashable, T], key: Hashable, value: T) -> None:
    """Keep it among the newest."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
