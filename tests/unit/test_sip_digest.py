"""Digest authentication, checked with the RFCs' own examples and with another project's client."""

from __future__ import annotations

import re

import httpx
import pytest

from voice.sip.digest import MAX_USED, Challenger
from voice.sip.message import Request, Source

pytestmark = [pytest.mark.unit]

SECRET = b"sixteen bytes or"
PASSWORDS = {"1001": "correct horse", "王": "马"}


def client(
    challenge: str, *, user: str = "1001", word: str = "correct horse", method: str = "REGISTER"
) -> str:
    """The Authorization header that httpx makes of a challenge."""
    flow = httpx.DigestAuth(user, word).sync_auth_flow(httpx.Request(method, "http://seat.example/r"))
    asked = httpx.Response(401, headers={"www-authenticate": challenge}, request=next(flow))
    return str(flow.send(asked).headers["authorization"])


@pytest.fixture
def challenger() -> Challenger:
    return Challenger("hotline", SECRET)


def test_challenges(challenger: Challenger) -> None:
    sha, md5 = challenger.challenge(1000.5)
    assert re.fullmatch(r'Digest realm="hotline", nonce="[0-9a-f-]+", algorithm=SHA-256, qop="auth"', sha)
    assert md5 == sha.replace("SHA-256", "MD5")
    assert challenger.challenge(1000.5)[0] != sha
    assert challenger.challenge(1000.5, stale=True)[1].endswith(', algorithm=MD5, qop="auth", stale=true')


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb"])
def test_realms_that_cannot_be_quoted(realm: str) -> None:
    with pytest.raises(ValueError, match="realm"):
        Challenger(realm, SECRET)


def test_a_short_secret() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Challenger("hotline", b"short")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("user", "word", "method", "outcome"),
    [
        ("1001", "correct horse", "REGISTER", "ok"),
        ("1001", "correct horse", "INVITE", "wrong"),  # what was overheard cannot be used for something else
        ("1001", "wrong", "REGISTER", "wrong"),
        ("1002", "correct horse", "REGISTER", "wrong"),
        ("1002", "", "REGISTER", "wrong"),
    ],
)
def test_a_client_of_others(
    challenger: Challenger, which: int, user: str, word: str, method: str, outcome: str
) -> None:
    header = client(challenger.challenge(1000)[which], user=user, word=word, method=method)
    verdict = challenger.verify("REGISTER", header, PASSWORDS.get, 1001)
    assert (verdict.outcome, verdict.user) == (outcome, user if outcome == "ok" else "")


@pytest.mark.parametrize(("after_s", "outcome"), [(0, "ok"), (60, "ok"), (61.5, "stale"), (-5, "stale")])
def test_lifetime_of_a_nonce(challenger: Challenger, after_s: float, outcome: str) -> None:
    header = client(challenger.challenge(1000)[0])
    assert challenger.verify("REGISTER", header, PASSWORDS.get, 1000 + after_s).outcome == outcome


def test_the_nonce_of_somebody_else_is_stale_with_the_right_password_only(challenger: Challenger) -> None:
    foreign = Challenger("hotline", b"another secret of ours").challenge(1000)[0]
    assert challenger.verify("REGISTER", client(foreign), PASSWORDS.get, 1000).outcome == "stale"
    assert challenger.verify("REGISTER", client(foreign, word="x"), PASSWORDS.get, 1000).outcome == "wrong"


def test_a_count_is_good_once(challenger: Challenger) -> None:
    challenge = challenger.challenge(1000)[0]
    header = client(challenge)
    outcomes = [challenger.verify("REGISTER", header, PASSWORDS.get, 1000 + n).outcome for n in range(3)]
    assert outcomes == ["ok", "stale", "stale"]
    assert (
        challenger.verify("REGISTER", client(challenger.challenge(1000)[0]), PASSWORDS.get, 1001).outcome
        == "ok"
    )


def test_without_qop_a_nonce_is_good_once_and_has_no_count(challenger: Challenger) -> None:
    """The response does not cover a count there, so it must not make an old one new."""
    header = client(challenger.challenge(1000)[1].replace(', qop="auth"', ""))
    assert "nc=" not in header
    outcomes = [
        challenger.verify("REGISTER", header + extra, PASSWORDS.get, 1000).outcome
        for extra in (", nc=00000001", "", "", ", nc=00000002")
    ]
    assert outcomes == ["wrong", "ok", "stale", "wrong"]


def test_the_memory_of_counts_is_bounded(challenger: Challenger) -> None:
    for n in range(MAX_USED + 5):
        assert challenger._first_use("nonce", f"{n:08x}")
    assert len(challenger._used) == MAX_USED
    assert not challenger._first_use("nonce", f"{MAX_USED:08X}")


# RFC 7616 §3.9.1, RFC 2617 §3.5, RFC 2069 §2.4 (with the erratum's response): not our nonces, so the right
# response is told by "stale".
RFC_7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="{}", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_2069 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", response="{}", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
SHA = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
MD5 = "8ca523f5e9506fed4657c9700eebdbec"


@pytest.mark.parametrize(
    ("header", "password"),
    [
        (RFC_7616.format("SHA-256", SHA), "Circle of Life"),
        (RFC_7616.format("sha-256", SHA.upper()), "Circle of Life"),
        (RFC_7616.format("MD5", MD5), "Circle of Life"),
        (RFC_7616.format('"MD5"', MD5), "Circle of Life"),
        (RFC_2617.format("6629fae49393a05397450978507c4ef1"), "Circle Of Life"),
        (RFC_2069.format("1949323746fe6a43ef61f9606e7febea"), "CircleOfLife"),
    ],
)
def test_examples_of_the_rfcs(header: str, password: str) -> None:
    match = re.search(r'realm="([^"]+)"', header)
    assert match
    challenger = Challenger(match[1], SECRET)
    assert challenger.verify("GET", header, {"Mufasa": password}.get, 0).outcome == "stale"
    assert challenger.verify("GET", header, {"Mufasa": password + "!"}.get, 0).outcome == "wrong"
    assert challenger.verify("HEAD", header, {"Mufasa": password}.get, 0).outcome == "wrong"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^Digest", "Basic"),
        (r"realm=\"hotline\"", 'realm="other"'),
        (r"SHA-256", "SHA-512-256"),
        (r"SHA-256", "SHA-256-sess"),
        (r"uri=\"[^\"]*\", ", ""),
        (r"uri=\"[^\"]*\"", 'uri=""'),
        (r"nonce=\"[^\"]*\", ", ""),
        (r"username=\"1001\", ", ""),
        (r"response=\"[^\"]*\", ", ""),
        (r"qop=auth", "qop=auth-int"),
        (r"qop=auth, ", ""),
        (r"nc=00000001", "nc=1"),
        (r"nc=00000001, ", ""),
        (r"cnonce=\"[^\"]*\"", "x=y"),
        (r"nc=00000001", 'nc=00000001, username="1001"'),
        (r"$", ', x="'),
        (r"$", ", " + "x" * 3000),
        (r"response=\"..", 'response="\ud800é'),
    ],
)
def test_wrong_headers(challenger: Challenger, old: str, new: str) -> None:
    header = client(challenger.challenge(1000)[0])
    broken = re.sub(old, lambda _: new, header, count=1)
    assert broken != header
    assert challenger.verify("REGISTER", broken, PASSWORDS.get, 1000).outcome == "wrong"
    assert challenger.verify("REGISTER", header, PASSWORDS.get, 1000).outcome == "ok"


def test_a_user_without_a_password_cannot_come_in(challenger: Challenger) -> None:
    header = client(challenger.challenge(1000)[0], word="")
    assert challenger.verify("REGISTER", header, {"1001": ""}.get, 1000).outcome == "wrong"


def test_names_beyond_ascii(challenger: Challenger) -> None:
    header = client(challenger.challenge(1000)[0], user="王", word="马")
    assert challenger.verify("REGISTER", header, PASSWORDS.get, 1000).user == "王"


@pytest.mark.parametrize(
    ("order", "outcome"),
    [((), "absent"), (("good",), "ok"), (("bad", "good"), "ok"), (("bad", "bad", "good"), "wrong")],
)
def test_requests_with_several_headers(challenger: Challenger, order: tuple[str, ...], outcome: str) -> None:
    good = client(challenger.challenge(1000)[0])
    headers = {"authorization": [good if name == "good" else 'Digest realm="x"' for name in order]}
    request = Request("REGISTER", "sip:x", headers, "", Source("192.0.2.1", 5060, "udp"))
    assert challenger.verify_request(request, PASSWORDS.get, 1000).outcome == outcome


def test_the_401(challenger: Challenger) -> None:
    answer = challenger.unauthorized(1000, stale=True)
    assert (answer.code, answer.reason, answer.cause) == (401, "Unauthorized", "challenged")
    assert [name for name, _ in answer.headers] == ["WWW-Authenticate"] * 2
    assert all(value.endswith("stale=true") for _, value in answer.headers)
