"""SIP requests taken apart: what real telephones send, and what only an attacker would (after RFC 4475)."""

from __future__ import annotations

import random

import pytest

from voice.sip.digest import Challenger
from voice.sip.identity import callee_of, caller_of
from voice.sip.message import Request, Source, parameters, parse_request, split_address, split_list
from voice.sip.registrar import Registrar
from voice.sip.screen import Answer, Drop, Pass, Screen, Trunk

pytestmark = [pytest.mark.unit]

SOURCE = Source("192.0.2.1", 5060, "udp")
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
INVITE = (
    "INVITE sip:12345@10.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    "Max-Forwards: 70\r\n"
    'From: "Wang" <sip:13800138000@192.0.2.1>;tag=a1\r\n'
    "To: <sip:12345@10.0.0.1>\r\n"
    "Call-ID: 1@192.0.2.1\r\n"
    "CSeq: 7 INVITE\r\n"
    "Contact: <sip:13800138000@192.0.2.1:5060>\r\n"
    'P-Asserted-Identity: "W, L" <sip:+8613800138000@gw>, <tel:+8613800138000>\r\n'
    'Authorization: Digest username="1001", realm="hotline", nonce="n", uri="sip:x", response="0"\r\n'
    "Content-Type: application/sdp\r\n"
    f"Content-Length: {len(SDP)}\r\n\r\n" + SDP
).encode()


def parsed(text: bytes) -> Request:
    request = parse_request(text, SOURCE)
    assert request is not None
    return request


def with_head(*lines: str, body: str = "") -> Request:
    return parsed(
        "\r\n".join(("INVITE sip:12345@10.0.0.1 SIP/2.0", *lines)).encode() + f"\r\n\r\n{body}".encode()
    )


def test_an_invite() -> None:
    request = parsed(INVITE)
    assert (request.method, request.uri, request.source) == ("INVITE", "sip:12345@10.0.0.1", SOURCE)
    assert request.call_id == "1@192.0.2.1"
    assert request.cseq == (7, "INVITE")
    assert request.to_tag == ""
    assert request.header("max-forwards") == "70"
    assert request.header("subject") == ""
    assert list(request.all("subject")) == []
    assert request.body == SDP


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("i: 5@x", "call-id", "5@x"),
        ("I:5@x", "call-id", "5@x"),
        ("CALL-id  \t:   5@x  ", "call-id", "5@x"),
        ("f: <sip:a@b>", "from", "<sip:a@b>"),
        ("t: <sip:a@b>", "to", "<sip:a@b>"),
        ("m: <sip:a@b>", "contact", "<sip:a@b>"),
        ("v: SIP/2.0/UDP x", "via", "SIP/2.0/UDP x"),
        ("c: application/sdp", "content-type", "application/sdp"),
        ("k: timer", "supported", "timer"),
        ("s: hello: world", "subject", "hello: world"),
        ("x: 1800", "session-expires", "1800"),
        ("r: <sip:a@b>", "refer-to", "<sip:a@b>"),
        ("Subject:", "subject", ""),
        ("Subject: one\r\n  two\r\n\tthree", "subject", "one two three"),
        ("Subject:\r\n one", "subject", "one"),
        ("Subject: 市民热线", "subject", "市民热线"),
        ("no colon here\r\n  nor there\r\nSubject: x", "subject", "x"),
        (": no name\r\nSubject: x", "subject", "x"),
        ("NewFangledHeader:   newfangled value\r\n continued newfangled value", "newfangledheader",
         "newfangled value continued newfangled value"),
    ],
)  # fmt: skip
def test_headers(line: str, name: str, value: str) -> None:
    assert with_head(line).header(name) == value


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_line_ends(end: str) -> None:
    """The stack takes each of them, so a header cannot be hidden from us behind a bare CR."""
    request = parsed(f"OPTIONS sip:x SIP/2.0{end}Subject: a{end}Call-ID: b{end}{end}body".encode())
    assert (request.header("subject"), request.call_id, request.body) == ("a", "b", "body")


def test_several_headers_of_one_name_keep_their_order() -> None:
    assert list(with_head("Via: 1", "v: 2", "VIA: 3").all("via")) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("start", "method"),
    [
        ("INVITE sip:a@b SIP/2.0", "INVITE"),
        ("invite sip:a@b sip/2.0", "INVITE"),  # as the stack reads it
        ("INVITE   sip:a@b \t SIP/2.0  ", "INVITE"),
        ("!interesting-Method0123456789_*+`.%~ sip:a@b SIP/2.0", ""),
        ("!interesting-Method_*+`.%~ sip:a@b SIP/2.0", "!INTERESTING-METHOD_*+`.%~"),
        ("INVITE sip:a@b SIP/7.0", ""),
        ("INVITE sip:a@b", ""),
        ("INVITE sip:a @b SIP/2.0", ""),
        ("INV{}ITE sip:a@b SIP/2.0", ""),
        ("SIP/2.0 200 OK", ""),
        ("GET / HTTP/1.1", ""),
        (" ", ""),
    ],
)
def test_start_lines(start: str, method: str) -> None:
    request = parse_request(f"{start}\r\nCall-ID: 1\r\n\r\n".encode(), SOURCE)
    assert (request.method if request else "") == method


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\r\n\r\n",  # a keep-alive
        b"\0" * 100,
        b"\x00\x01\x00\x00\x21\x12\xa4\x42",  # STUN
        INVITE.replace(b"Wang", b"Wa\0ng"),
        INVITE.replace(b"Max-Forwards: 70", b"X: y\r\n" * 600),
        b"INVITE sip:a@b SIP/2.0\r\n" + b"a:b\r\n" * 12_000,
        b"INVITE sip:a@b SIP/2.0\r\nX: " + b"y" * 65_535,
    ],
)
def test_what_is_no_request(text: bytes) -> None:
    assert parse_request(text, SOURCE) is None


def test_blank_lines_before_it() -> None:
    assert parsed(b"\r\n\r\n" + INVITE).call_id == "1@192.0.2.1"


def test_bytes_that_are_not_utf8() -> None:
    request = parsed(INVITE.replace(b"Wang", b"\xff\xfe\xe4"))
    assert request.header("from").startswith('"\ufffd')
    assert parsed(b"INVITE sip:x SIP/2.0\r\nCall-ID: 1\r\n\r\n\xff\0\xfe").body == "\ufffd\0\ufffd"


@pytest.mark.parametrize(
    ("length", "body"),
    [("4", "v=0\n"), ("0", ""), ("4000", "v=0\nrest"), ("", "v=0\nrest"), ("-4", "v=0\nrest"),
     ("4x", "v=0\nrest"), ("9" * 5000, "v=0\nrest"), ("٤", "v=0\nrest")],
)  # fmt: skip
def test_content_length(length: str, body: str) -> None:
    assert with_head(f"Content-Length: {length}", body="v=0\nrest").body == body


@pytest.mark.parametrize(
    ("to", "tag"),
    [
        ("<sip:a@b>;tag=t1", "t1"),
        ("sip:a@b;tag=t1", "t1"),
        ("<sip:a@b> ; TAG = t1;x=y", "t1"),
        ('"a" <sip:a@b>;x="1;tag=no";tag=t1', "t1"),
        ("<sip:a@b;tag=no>", ""),
        ('"x;tag=no" <sip:a@b>', ""),
        ('"x\\";tag=no" <sip:a@b>', ""),
        ('"never closed;tag=no', ""),
        ("<sip:a@b>;tagging=no", ""),
        ("<sip:a@b>;tag", ""),
        ("<sip:a@b>", ""),
        ("", ""),
    ],
)
def test_to_tag(to: str, tag: str) -> None:
    assert with_head(f"To: {to}").to_tag == tag


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("1 INVITE", (1, "INVITE")),
        ("0009\t INVITE", (9, "INVITE")),
        ("4294967295 INVITE", (4294967295, "INVITE")),
        ("36893488147419103232 INVITE", (-1, "")),
        ("-1 INVITE", (-1, "")),
        ("1", (-1, "")),
        ("x INVITE", (-1, "")),
        ("", (-1, "")),
    ],
)
def test_cseq(text: str, cseq: tuple[int, str]) -> None:
    assert with_head(f"CSeq: {text}").cseq == cseq


@pytest.mark.parametrize(
    ("value", "uri", "params"),
    [
        ("<sip:a@b;x=y>;tag=1", "sip:a@b;x=y", ";tag=1"),
        ("sip:a@b;tag=1", "sip:a@b", ";tag=1"),
        ('"<sip:evil@c>" <sip:a@b>', "sip:a@b", ""),
        ('  "Wa \\"ng\\"" <sip:a@b> ;tag=1', "sip:a@b", " ;tag=1"),
        ("Wang Li <sip:a@b>", "sip:a@b", ""),
        ("<sip:a@b", "sip:a@b", ""),
        ("*", "*", ""),
    ],
)
def test_split_address(value: str, uri: str, params: str) -> None:
    assert split_address(value) == (uri, params)


def test_parameters() -> None:
    assert parameters(';a=1; B = "x;\\"y";c;a=2') == {"a": "1", "b": 'x;"y', "c": ""}


def test_split_list() -> None:
    value = '"a, \\", b" <sip:x,y@z>,, <sip:c@d>;q="1,2" , sip:e@f, <sip:g"@h>, sip:i@j'
    parts = ['"a, \\", b" <sip:x,y@z>', '<sip:c@d>;q="1,2"', "sip:e@f", '<sip:g"@h>', "sip:i@j"]
    assert split_list(value) == parts


def mutated(text: bytes, dice: random.Random) -> bytes:
    """The text with up to eight things wrong with it."""
    raw = bytearray(text)
    lines = [bytes(line) for line in text.split(b"\r\n")]
    extras = [
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\t ",
        b'"',
        b"\\",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"%",
        b"=",
        b"@",
    ]
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(6):
            case 0:
                raw[at : at + 1] = dice.randbytes(1)
            case 1:
                raw[at:at] = dice.choice(extras) * dice.choice((1, 1, 1, 50))
            case 2:
                del raw[at : at + dice.randint(1, 40)]
            case 3:
                raw[at:at] = dice.choice(lines) + b"\r\n"
            case 4:
                raw[at:at] = bytes(raw[at : at + dice.randint(1, 200)])
            case _:
                raw = raw[: max(1, at)]
    return bytes(raw)


def test_ten_thousand_broken_packets_raise_nothing() -> None:
    dice = random.Random(4475)
    challenger = Challenger("hotline", b"0123456789abcdef")
    screen = Screen(
        trunks=(Trunk("anywhere", user="t", password="p", challenge=True),),
        registrar=Registrar({"1001": "p"}, challenger),
        unknown_rate_per_s=1e6,
        unknown_burst=1e6,
    )
    register = INVITE.replace(b"INVITE", b"REGISTER")
    seen = set()
    for count in range(10_000):
        request = parse_request(mutated(dice.choice((INVITE, register)), dice), SOURCE)
        if request is None:
            seen.add("none")
            continue
        decision = screen.decide(request, now_s=count / 10, taking_calls=True, running={"1@192.0.2.1"})
        assert isinstance(decision, Answer | Drop | Pass)
        seen.add(type(decision).__name__)
        assert caller_of(request, trust_asserted=True).isprintable()
        assert callee_of(request).isprintable()
    assert seen == {"none", "Answer", "Drop", "Pass"}
