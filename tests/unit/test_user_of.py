"""Whom a SIP URI names, as the record shows it."""

from __future__ import annotations

import pytest

from voice.sip.identity import user_of

pytestmark = [pytest.mark.unit]


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:13800138000@10.0.0.1", "13800138000"),
        ("<sip:13800138000@10.0.0.1:5060;transport=tcp>;tag=1", "13800138000"),
        ('"Wang" <sip:13800138000@gw.example>', "13800138000"),
        ("sips:12345@city.example:5061", "12345"),
        ("tel:+8613800138000", "+8613800138000"),
        ("<tel:+86-138-0013-8000;phone-context=+86>", "+86-138-0013-8000"),
        ("sip:%2B8613800138000@gw.example", "+8613800138000"),
        ("sip:13800138000;phone-context=+86@gw.example;user=phone", "13800138000"),
        ("sip:gw.example", ""),
        ("sip:anonymous@anonymous.invalid", ""),
        ('"Anonymous" <sip:Anonymous@anonymous.invalid>', ""),
        ("", ""),
    ],
)
def test_user_of(uri: str, user: str) -> None:
    assert user_of(uri) == user
