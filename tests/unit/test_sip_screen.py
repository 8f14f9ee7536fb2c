"""Who may call: what each source gets for each request, and that strangers learn nothing."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.unit.screening import (
    CARRIER,
    OFFICE,
    STRANGER,
    carrier,
    challenger,
    challenging,
    decide,
    form,
    login,
    plain,
    request,
    with_seats,
)
from voice.sip.message import Request, Source
from voice.sip.screen import Answer, Drop, Pass, Peer, Screen, Srtp, Trunk

pytestmark = [pytest.mark.unit]

METHODS = ["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "BYE", "FOO"]
AUDIO = "v=0\r\nm=audio 4000 {} 8\r\n"

# strangers


@pytest.mark.parametrize(
    ("screen", "code", "headers"),
    [
        (plain(), 403, 0),
        (Screen(challenger=challenger()), 403, 0),  # with nobody to use it
        (with_seats(), 401, 2),
        (challenging(), 401, 2),
        (challenging("10.1.0.0/16"), 401, 2),
    ],
)
def test_strangers_all_get_the_same(screen: Screen, code: int, headers: int) -> None:
    variants = [request(method, call_id=method) for method in METHODS]
    variants += [request("INVITE", user="1009"), request("REGISTER", user="nobody")]
    variants += [request("INVITE", tag="t"), request("BYE", tag="t")]
    variants += [request(method, authorization="Digest x") for method in ("INVITE", "OPTIONS", "REGISTER")]
    for number, wanted in enumerate(variants):
        decision = decide(screen, wanted, now_s=number * 10.0)
        assert form(decision) == form(decide(screen, request(), now_s=number * 10.0 + 5))
        assert isinstance(decision, Answer)
        assert (decision.code, len(decision.headers), decision.refused) == (code, headers, False)


def test_a_right_password_does_not_help_beyond_calls_and_registrations() -> None:
    screen = with_seats()
    shown = login(decide(screen, request("OPTIONS")), "1001", "seat word", "OPTIONS")
    assert form(decide(screen, request("OPTIONS", authorization=shown))) == form(decide(screen, request()))


@pytest.mark.parametrize("method", METHODS)
def test_a_strangers_flood_is_dropped(method: str) -> None:
    screen = plain()
    flood = [decide(screen, request(method, call_id=str(n)), now_s=n / 1000) for n in range(1000)]
    assert [type(decision) for decision in flood] == [Answer] * 10 + [Drop] * 990
    assert screen.counts == {"unknown_source": 10, "rate_limited": 990}
    assert isinstance(decide(screen, request(method), now_s=2.1), Answer)
    assert isinstance(
        decide(screen, request(method, source=STRANGER._replace(host="203.0.113.10")), 2), Answer
    )


def test_made_up_senders_do_not_get_many_answers_together() -> None:
    screen = plain()
    flood = [
        decide(screen, request(source=Source(f"203.0.{n // 250}.{n % 250}", 5060, "udp")), now_s=n / 5000)
        for n in range(5000)
    ]
    assert 590 <= sum(isinstance(decision, Answer) for decision in flood) <= 610
    assert isinstance(decide(screen, request(source=CARRIER), now_s=1), Pass)


def test_an_ipv6_source_is_its_64() -> None:
    screen = plain()
    flood = [decide(screen, request(source=Source(f"2001:db8:1::{n:x}", 5060, "udp"))) for n in range(20)]
    assert sum(isinstance(decision, Answer) for decision in flood) == 10
    other = decide(screen, request(source=Source("2001:db8:1:1::1", 5060, "udp")))
    assert isinstance(other, Answer)


def test_a_strangers_ack_and_cancel_are_never_answered() -> None:
    for screen in (plain(), with_seats()):
        for method in ("ACK", "CANCEL"):
            assert decide(screen, request(method)) == Drop("unknown_source")
            assert decide(screen, request(method, tag="t"), running=("other",)) == Drop("unknown_source")


# dialogs


@pytest.mark.parametrize(
    "method", ["INVITE", "ACK", "BYE", "INFO", "UPDATE", "PRACK", "NOTIFY", "REFER", "OPTIONS"]
)
def test_requests_within_a_dialog(method: str) -> None:
    screen = plain()
    within = request(method, call_id="running", tag="t")
    assert decide(screen, within, running=("running",)) == Pass(Peer("dialog"))
    for _ in range(500):  # a running call is not rate-limited
        assert isinstance(decide(screen, within, full=True, running=("running",)), Pass)
    known = request(method, CARRIER, call_id="ended", tag="t")
    assert decide(screen, known) == Pass(Peer("trunk", trunk="carrier"))  # the stack says 481


def test_a_cancel_of_a_running_call() -> None:
    assert isinstance(decide(plain(), request("CANCEL", call_id="r"), running=("r",)), Pass)
    assert isinstance(decide(plain(), request("CANCEL", CARRIER), running=()), Pass)


def test_the_call_id_of_a_running_call_opens_nothing_else() -> None:
    screen = with_seats()
    for method in ("INVITE", "OPTIONS", "REGISTER"):
        assert isinstance(decide(screen, request(method, call_id="r"), running=("r",)), Answer)
    assert isinstance(decide(screen, request("REGISTER", call_id="r", tag="t"), running=("r",)), Answer)


@pytest.mark.parametrize(
    "changes",
    [{"call-id": None}, {"from": None}, {"to": None}, {"via": None}, {"cseq": None}, {"call-id": [""]},
     {"call-id": ["running", "c"]}, {"to": ["<sip:a@b>;tag=t", "<sip:a@b>"]}, {"cseq": ["1 OPTIONS"]},
     {"cseq": ["1 INVITE", "2 INVITE"]}, {"cseq": ["x INVITE"]}, {"cseq": ["1 INVITE&To: <sip:a@b>"]},
     {"call-id": ["c" * 2000]}],
)  # fmt: skip
def test_malformed_requests_are_dropped(changes: dict[str, list[str] | None]) -> None:
    screen = plain()
    whole = request(source=CARRIER)
    headers = {name: value for name, value in {**whole.headers, **changes}.items() if value is not None}
    broken = Request("INVITE", whole.uri, headers, "", CARRIER)
    assert decide(screen, broken, running=("running",)) == Drop("malformed")
    assert screen.counts == {"malformed": 1}


# known sources


@pytest.mark.parametrize(
    ("host", "trunk"),
    [("10.1.0.5", "wide"), ("10.1.2.5", "narrow"), ("10.1.2.9", "host"), ("::ffff:10.1.2.9", "host"),
     ("10.3.0.1", ""), ("2001:db8:2::1", "six"), ("2001:db8:3::1", None), ("203.0.113.1", None),
     ("192.168.1.1", "both"), ("fe80::1%eth0", None), ("not an address", None), ("", None)],
)  # fmt: skip
def test_the_most_specific_network_counts(host: str, trunk: str | None) -> None:
    names = {"wide": "10.1.0.0/16", "narrow": "10.1.2.0/24", "host": "10.1.2.9/32", "six": "2001:db8:2::/48"}
    trunks = [Trunk(name, (ip_network(network),)) for name, network in names.items()]
    trunks.append(Trunk("both", (ip_network("192.168.0.0/16"),)))
    allow = (ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16"))
    decision = decide(Screen(trunks=tuple(trunks), allow=allow), request(source=Source(host, 5060, "tls")))
    if trunk is None:
        assert isinstance(decision, Answer)
    else:
        assert decision == Pass(Peer("trunk", trunk=trunk) if trunk else Peer("network"))


@pytest.mark.parametrize(
    ("method", "expected"),
    [("INVITE", Pass), ("MESSAGE", Pass), ("SUBSCRIBE", Pass), ("BYE", Pass), ("FOO", Pass), ("OPTIONS", 200),
     ("REGISTER", 403)],
)  # fmt: skip
@pytest.mark.parametrize("source", [CARRIER, OFFICE])
def test_known_sources(method: str, expected: object, source: Source) -> None:
    decision = decide(plain(), request(method, source))
    assert (decision.code if isinstance(decision, Answer) else type(decision)) == expected


def test_options() -> None:
    screen = plain()
    answer, full = (decide(screen, request("OPTIONS", CARRIER), full=full) for full in (False, True))
    assert isinstance(answer, Answer)
    assert {"Allow", "Accept", "Supported"} == dict(answer.headers).keys()
    assert dict(answer.headers)["Accept"] == "application/sdp"
    assert full == Answer(503, "Service Unavailable", (("Retry-After", "5"),), "options")
    assert screen.counts == {"options": 2}


def test_a_known_sources_flood() -> None:
    screen = plain()
    flood = [decide(screen, request("INVITE", CARRIER, call_id=str(n))) for n in range(1000)]
    assert [type(decision) for decision in flood] == [Pass] * 200 + [Answer] * 100 + [Drop] * 700
    busy = flood[200]
    assert isinstance(busy, Answer)
    assert (busy.code, busy.headers, busy.refused) == (503, (("Retry-After", "5"),), False)
    assert isinstance(decide(screen, request("INVITE", OFFICE)), Pass)
    assert isinstance(decide(screen, request("INVITE", CARRIER, call_id="later"), now_s=1), Pass)


def test_calls_that_cannot_be_taken_are_reported_once() -> None:
    screen = plain()
    answers = [decide(screen, request("INVITE", CARRIER, call_id=c), full=True) for c in "aabab"]
    answers.append(decide(screen, request("INVITE", CARRIER, call_id="a", cseq=2), full=True))
    assert all(isinstance(answer, Answer) and answer.refused and answer.code == 503 for answer in answers)
    assert [isinstance(a, Answer) and a.repeated for a in answers] == [False, True, False, True, True, False]
    assert screen.counts == {"full": 6}


def test_an_invite_sent_again_is_not_refused_because_its_own_call_took_the_last_place() -> None:
    screen = plain()
    first = request("INVITE", CARRIER)
    assert decide(screen, first, now_s=0) == decide(screen, first, now_s=0.5, full=True, running=("c",))
    assert isinstance(decide(screen, request("INVITE", CARRIER, cseq=2), now_s=0.5, full=True), Answer)
    assert isinstance(
        decide(screen, request("INVITE", CARRIER._replace(port=9)), now_s=0.5, full=True), Answer
    )
    assert isinstance(decide(screen, first, now_s=33, full=True), Answer)
    assert screen.counts["passed"] == 1


@pytest.mark.parametrize(
    ("srtp", "profile", "extra", "passes"),
    [
        ("off", "RTP/AVP", "", True),
        ("off", "RTP/AVP", "a=crypto:1 x\r\n", True),
        ("off", "RTP/SAVP", "", False),
        ("off", "RTP/SAVP", "m=audio 5000 RTP/AVP 8\r\n", True),
        ("optional", "RTP/AVP", "", True),
        ("optional", "RTP/SAVP", "", True),
        ("required", "RTP/AVP", "", False),
        ("required", "RTP/AVP", "m=video 5000 RTP/SAVP 96\r\n", False),
        ("required", "RTP/AVP", "a=crypto:1 x\r\n", True),
        ("required", "RTP/SAVP", "", True),
        ("required", "UDP/TLS/RTP/SAVPF", "", True),
    ],
)
def test_srtp(srtp: Srtp, profile: str, extra: str, passes: bool) -> None:
    screen = Screen(trunks=(carrier(srtp=srtp),))
    decision = decide(screen, request("INVITE", CARRIER, body=AUDIO.format(profile) + extra))
    assert form(decision) == (Pass if passes else (488, "Not Acceptable Here", []))
    assert screen.counts == {"passed": 1} if passes else {"srtp_mismatch": 1}
    assert isinstance(decide(screen, request("INVITE", CARRIER, call_id="late offer")), Pass)
