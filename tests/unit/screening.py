"""Requests and sources for the tests of the screen, and a client that answers its challenges."""

from __future__ import annotations

import hashlib
import re
from ipaddress import ip_network

from voice.sip.digest import Challenger
from voice.sip.message import Request, Source
from voice.sip.registrar import Registrar
from voice.sip.screen import Answer, Decision, Screen, Srtp, Trunk

CARRIER = Source("10.1.0.5", 5060, "udp")
OFFICE = Source("10.2.0.5", 5060, "udp")
STRANGER = Source("203.0.113.9", 5060, "udp")


def request(
    method: str = "INVITE",
    source: Source = STRANGER,
    *,
    call_id: str = "c",
    cseq: int = 1,
    tag: str = "",
    user: str = "1001",
    body: str = "",
    **headers: str,
) -> Request:
    values = {
        "via": ["SIP/2.0/UDP x;branch=z9hG4bK1"],
        "from": [f"<sip:{user}@x>;tag=f"],
        "to": [f"<sip:{user}@x>" + (f";tag={tag}" if tag else "")],
        "call-id": [call_id],
        "cseq": [f"{cseq} {method}"],
        **{name.replace("_", "-"): [value] for name, value in headers.items()},
    }
    return Request(method, f"sip:{user}@10.0.0.1", values, body, source)


def challenger() -> Challenger:
    return Challenger("hotline", b"0123456789abcdef")


def carrier(*, challenge: bool = False, srtp: Srtp = "off") -> Trunk:
    word = "trunk word" if challenge else ""
    return Trunk("carrier", (ip_network("10.1.0.0/16"),), "line", word, challenge, srtp)


def plain() -> Screen:
    """Calls come from a trunk and an office; nobody has a password."""
    return Screen(trunks=(carrier(),), allow=(ip_network("10.2.0.0/16"), ip_network("2001:db8:2::/48")))


def with_seats() -> Screen:
    """The same, and telephones register."""
    return Screen(
        trunks=(carrier(),), registrar=Registrar({"1001": "seat word", "1002": "other"}, challenger())
    )


def challenging(*networks: str) -> Screen:
    trunk = Trunk("carrier", tuple(map(ip_network, networks)), "line", "trunk word", challenge=True)
    return Screen(trunks=(trunk,), challenger=challenger())


def decide(
    screen: Screen, wanted: Request, now_s: float = 0.0, *, full: bool = False, running: tuple[str, ...] = ()
) -> Decision:
    return screen.decide(wanted, now_s=now_s, taking_calls=not full, running=running)


def login(answer: Decision, user: str, word: str, method: str = "INVITE") -> str:
    """The Authorization header for a challenge, by RFC 2617 with MD5."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    assert isinstance(answer, Answer)
    assert answer.code == 401
    match = re.search('nonce="([^"]+)"', answer.headers[1][1])
    assert match
    response = md5(f"{md5(f'{user}:hotline:{word}')}:{match[1]}:00000001:c:auth:{md5(f'{method}:sip:x')}")
    return (
        f'Digest username="{user}", realm="hotline", nonce="{match[1]}", uri="sip:x", response="{response}", '
        'qop=auth, nc=00000001, cnonce="c"'
    )


def register(screen: Screen, source: Source, now_s: float = 0.0) -> None:
    asked = decide(screen, request("REGISTER", source, call_id="r"), now_s)
    shown = login(asked, "1001", "seat word", "REGISTER")
    wanted = request("REGISTER", source, call_id="r", cseq=2, contact="<sip:1001@x>", authorization=shown)
    answer = decide(screen, wanted, now_s)
    assert isinstance(answer, Answer)
    assert answer.code == 200


def form(decision: Decision) -> object:
    """What the other side sees of it, whichever nonce it got."""
    if isinstance(decision, Answer):
        headers = [(name, re.sub('nonce="[^"]+"', "nonce", value)) for name, value in decision.headers]
        return decision.code, decision.reason, headers
    return type(decision)
