"""Who calls and whom, as the record shows it, whatever the trunk makes of numbers."""

from __future__ import annotations

import pytest

from voice.sip.identity import callee_of, caller_of, normalised, user_of
from voice.sip.message import Request, Source

pytestmark = [pytest.mark.unit]

MOBILE = "13800138000"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'


def request(headers: dict[str, str | list[str]], uri: str = "sip:12345@10.0.0.1") -> Request:
    """Headers by name, with _ for -."""
    values = {
        name.replace("_", "-"): value if isinstance(value, list) else [value]
        for name, value in headers.items()
    }
    return Request("INVITE", uri, values, "", Source("10.0.0.2", 5060, "udp"))


@pytest.mark.parametrize(
    ("user", "number"),
    [
        (MOBILE, MOBILE),
        ("+86 138-0013-8000", MOBILE),
        ("+86(138)0013.8000", MOBILE),
        ("008613800138000", MOBILE),
        ("8613800138000", MOBILE),
        ("013800138000", MOBILE),
        ("+86013800138000", MOBILE),
        ("0571-88888888", "057188888888"),
        ("+8657188888888", "057188888888"),
        ("+86057188888888", "057188888888"),
        ("8657188888888", "057188888888"),
        ("+861088888888", "01088888888"),
        ("86057188888888", "057188888888"),
        ("8612345", "8612345"),
        ("861088888888", "01088888888"),
        ("01088888888", "01088888888"),
        ("+862188888888", "02188888888"),
        ("+866638888888", "06638888888"),
        ("+864008123123", "4008123123"),
        ("88888888", "88888888"),
        ("12345", "12345"),
        ("+8612345", "12345"),
        ("+8695588", "95588"),
        ("1001", "1001"),
        ("861234567890", "861234567890"),  # no Chinese number
        ("001", "001"),
        ("0012345", "0012345"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("0012125550100", "+12125550100"),
        ("+85298765432", "+85298765432"),
        ("wang.li", "wang.li"),
        ("gate-2", "gate-2"),
        ("*86", "*86"),
        ("１３８００１３８０００", "１３８００１３８０００"),
        ("+", "+"),
        ("", ""),
        ("13800138000\r\n\0\u202e", MOBILE),
        ("x" * 1000, "x" * 64),
    ],
)
def test_numbers(user: str, number: str) -> None:
    assert normalised(user) == number


@pytest.mark.parametrize(
    ("user", "number"),
    [("+49 30 1234567", "+49301234567"), ("0049301234567", "+49301234567"), ("0301", "0301")],
)
def test_numbers_of_another_country(user: str, number: str) -> None:
    assert normalised(user, "49") == number


@pytest.mark.parametrize(
    ("headers", "trusted", "untrusted"),
    [
        ({"from": f"<sip:{MOBILE}@gw>;tag=1"}, MOBILE, MOBILE),
        ({"from": "<sip:%2B8613800138000@gw;user=phone>"}, MOBILE, MOBILE),
        ({"from": "<tel:+86-138-0013-8000;phone-context=+86>"}, MOBILE, MOBILE),
        ({"from": "tel:+8613800138000;tag=1"}, MOBILE, MOBILE),
        ({"from": '"sip:110@police" <sip:13900139000@gw>'}, "13900139000", "13900139000"),
        ({"from": "<sip:1001@gw>", "p_asserted_identity": "<sip:+8613800138000@gw>"}, MOBILE, "1001"),
        ({"from": ANONYMOUS, "p_asserted_identity": "<tel:+8613800138000>"}, MOBILE, ""),
        ({"from": ANONYMOUS, "p_asserted_identity": "<tel:+8613800138000>", "privacy": "id"}, "", ""),
        ({"from": f"<sip:{MOBILE}@gw>", "privacy": "user; critical"}, "", ""),
        ({"from": f"<sip:{MOBILE}@gw>", "privacy": "none"}, MOBILE, MOBILE),
        ({"from": "<sip:1001@gw>", "p_asserted_identity": "<sip:anonymous@anonymous.invalid>"}, "", "1001"),
        ({"from": "<sip:1001@gw>", "p_asserted_identity": "<sip:gw.example>"}, "1001", "1001"),
        (
            {"from": "<sip:a@b>", "p_asserted_identity": '"Li, W" <sip:li@gw>, <tel:+8613800138000>'},
            MOBILE,
            "a",
        ),
        ({"from": "<sip:a@b>", "p_asserted_identity": ["<sip:li@gw>", "<tel:+8613800138000>"]}, MOBILE, "a"),
        ({"from": "<sip:a@b>", "p_asserted_identity": "<sip:li@gw>"}, "li", "a"),
        ({"from": "<sip:Unavailable@gw>"}, "", ""),
        ({"from": "<sip:restricted@gw>"}, "", ""),
        ({"from": "<sip:gw.example>"}, "", ""),
        ({}, "", ""),
    ],
)
def test_callers(headers: dict[str, str | list[str]], trusted: str, untrusted: str) -> None:
    assert caller_of(request(headers), trust_asserted=True) == trusted
    assert caller_of(request(headers), trust_asserted=False) == untrusted


@pytest.mark.parametrize(
    ("uri", "to", "callee"),
    [
        ("sip:12345@10.0.0.1", "<sip:96345@gw>", "12345"),
        ("sip:+8657112345@10.0.0.1;user=phone", "<sip:96345@gw>", "+8657112345"),  # as it was called
        ("tel:12345", "<sip:96345@gw>", "12345"),
        ("<sip:12345@10.0.0.1>", "<sip:96345@gw>", "12345"),
        ("sip:10.0.0.1", "<sip:96345@gw>", "96345"),
        ("sip:hotline@10.0.0.1", "<sip:96345@gw>", "96345"),
        ("sip:hotline@10.0.0.1", "<sip:gw>", "hotline"),
        ("sip:1%002%0a@10.0.0.1", "", "12"),
        ("", "", ""),
    ],
)
def test_callees(uri: str, to: str, callee: str) -> None:
    diverted = request({"to": to, "diversion": "<sip:110@gw>", "history_info": "<sip:120@gw>;index=1"}, uri)
    assert callee_of(diverted, own_users={"hotline"}) == callee


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:13800138000@10.0.0.1", "13800138000"),
        ("<sip:13800138000@10.0.0.1:5060;transport=tcp>;tag=1", "13800138000"),
        ('"Wang" <sip:13800138000@gw.example>', "13800138000"),
        ('"sip:110@police" <sip:13800138000@gw.example>', "13800138000"),
        ("SIPS:12345@city.example:5061", "12345"),
        ("sip:12345:secret@city.example", "12345"),
        ("tel:+8613800138000", "+8613800138000"),
        ("<tel:+86-138-0013-8000;phone-context=+86>", "+86-138-0013-8000"),
        ("sip:%2B8613800138000@gw.example", "+8613800138000"),
        ("sip:13800138000;phone-context=+86@gw.example;user=phone", "13800138000"),
        ("sip:gw.example", ""),
        ("http://a@b", ""),
        ('"sip:110@police"', ""),
        ("sip:anonymous@anonymous.invalid", ""),
        ('"Anonymous" <sip:Anonymous@anonymous.invalid>', ""),
        ("", ""),
    ],
)
def test_user_of(uri: str, user: str) -> None:
    assert user_of(uri) == user
