"""Who may call by a password, and what the screen refuses to be made of."""

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
    register,
    request,
    with_seats,
)
from voice.sip.message import Source
from voice.sip.registrar import Registrar
from voice.sip.screen import Answer, Pass, Peer, Screen, Trunk

pytestmark = [pytest.mark.unit]


def test_a_trunk_with_challenge() -> None:
    screen = challenging("10.1.0.0/16")
    asked = decide(screen, request("INVITE", CARRIER))
    shown = login(asked, "line", "trunk word")
    called = request("INVITE", CARRIER, cseq=2, authorization=shown)
    assert decide(screen, called) == Pass(Peer("trunk", trunk="carrier"))
    assert isinstance(decide(screen, called, full=True), Pass)  # sent again
    assert isinstance(decide(screen, request("OPTIONS", CARRIER)), Answer)
    overheard = request("INVITE", CARRIER, call_id="thief", authorization=shown)
    again = decide(screen, overheard)
    assert isinstance(again, Answer)
    assert again.headers[0][1].endswith("stale=true")
    elsewhere = request("INVITE", authorization=login(asked, "line", "trunk word"))
    assert form(decide(screen, elsewhere)) == form(asked)
    assert screen.counts == {"challenged": 2, "passed": 1, "options": 1, "wrong_digest": 1}


def test_a_challenged_trunk_from_anywhere() -> None:
    screen = challenging()
    for number in range(50):  # with its password shown, its rate is that of a known source
        shown = login(decide(screen, request(call_id=str(number))), "line", "trunk word")
        called = request(call_id=str(number), cseq=2, authorization=shown)
        assert decide(screen, called) == Pass(Peer("trunk", trunk="carrier"))


def test_a_full_house_is_told_to_those_with_a_password_only() -> None:
    screen = challenging()
    asked = decide(screen, request(), full=True)
    answer = decide(screen, request(cseq=2, authorization=login(asked, "line", "trunk word")), full=True)
    assert isinstance(answer, Answer)
    assert (answer.code, answer.refused) == (503, True)


def test_a_seat_calls_with_its_password_or_from_where_it_registered() -> None:
    screen = with_seats()
    seat = Pass(Peer("seat", user="1001"))
    shown = login(decide(screen, request()), "1001", "seat word")
    assert decide(screen, request(cseq=2, authorization=shown)) == seat
    home = Source("198.51.100.4", 40000, "tls")
    register(screen, home)
    assert decide(screen, request(source=home), now_s=3599) == seat
    for elsewhere in (
        home._replace(port=1),
        home._replace(transport="tcp"),
        home._replace(host="198.51.100.5"),
    ):
        assert isinstance(decide(screen, request(source=elsewhere), now_s=3599), Answer)
    assert isinstance(decide(screen, request(source=home, call_id="d"), now_s=3601), Answer)


def test_a_seat_in_an_allowed_network_is_known_by_name_once_it_registered() -> None:
    seats = Registrar({"1001": "seat word"}, challenger())
    screen = Screen(allow=(ip_network("10.2.0.0/16"),), registrar=seats)
    assert decide(screen, request(source=OFFICE)) == Pass(Peer("network"))
    register(screen, OFFICE)
    assert decide(screen, request(source=OFFICE, call_id="d")) == Pass(Peer("seat", user="1001"))


def test_a_trunks_network_stays_the_trunks_when_a_seat_registers_through_it() -> None:
    screen = with_seats()
    register(screen, CARRIER)
    assert decide(screen, request(source=CARRIER)) == Pass(Peer("trunk", trunk="carrier"))


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
@pytest.mark.parametrize("source", [STRANGER, CARRIER])
def test_guessing_passwords_is_slow(method: str, source: Source) -> None:
    registrar = Registrar({"1001": "seat word"}, challenger())
    screen = Screen(trunks=(carrier(challenge=True),), registrar=registrar)
    asked = challenger().unauthorized(0)
    shown = login(asked, "1001", "guess", method)
    guesses = [
        decide(screen, request(method, source, call_id=str(n), authorization=shown)) for n in range(100)
    ]
    answered = sum(isinstance(guess, Answer) for guess in guesses)
    assert answered == (10 if source is CARRIER else 5)
    assert not any(isinstance(guess, Pass) for guess in guesses)


@pytest.mark.parametrize(
    ("trunks", "message"),
    [
        ((Trunk("a"), Trunk("a")), "same name"),
        ((Trunk("a", (), "u", "x", True), Trunk("b", (), "u", "y", True)), "same user"),
        ((carrier(challenge=True),), "needs a challenger"),
    ],
)
def test_trunks_that_make_no_sense(trunks: tuple[Trunk, ...], message: str) -> None:
    given = None if "challenger" in message else challenger()
    with pytest.raises(ValueError, match=message):
        Screen(trunks=trunks, challenger=given)


def test_a_challenge_without_a_password() -> None:
    with pytest.raises(ValueError, match="needs a user and a password"):
        Trunk("a", user="u", challenge=True)


def test_memories_are_bounded() -> None:
    screen = Screen(allow=(ip_network("10.0.0.0/8"),), max_sources=100, rate_per_s=1e9)
    for number in range(10_100):
        decide(screen, request(source=CARRIER, call_id=str(number)), full=number % 2 == 0)
        decide(screen, request(source=Source(f"203.0.{number // 250}.{number % 250}", 1, "udp")))
    assert (
        len(screen._unknown_rate) == len(screen._passed) // 50 - 1 == 100 or len(screen._unknown_rate) == 100
    )
    assert len(screen._passed) <= 10_000
    assert screen._place.cache_info().currsize == 100
