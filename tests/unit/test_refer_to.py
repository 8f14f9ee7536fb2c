"""What is asked for in Refer-To: the target, and escaped in it the headers of the call to it."""

from __future__ import annotations

import pytest

from voice.sip.refer import refer_to

pytestmark = [pytest.mark.unit]


@pytest.mark.parametrize(
    ("target", "headers", "value"),
    [
        ("sip:8000@pbx", {}, "<sip:8000@pbx>"),
        (
            "sip:8000@pbx",
            {"User-to-User": "c0ffee;encoding=hex", "X-Hotline-Call": "c0ffee"},
            "<sip:8000@pbx?User-to-User=c0ffee%3Bencoding%3Dhex&X-Hotline-Call=c0ffee>",
        ),
        ("sip:8000@pbx;transport=tcp", {"Subject": "a b"}, "<sip:8000@pbx;transport=tcp?Subject=a%20b>"),
        ("sip:8000@pbx?Priority=urgent", {"X-A": "1"}, "<sip:8000@pbx?Priority=urgent&X-A=1>"),
        ("sip:8000@pbx", {"X-A": "1>&X-B=2\r\nVia: x"}, "<sip:8000@pbx?X-A=1%3E%26X-B%3D2%0D%0AVia:%20x>"),
        ("sip:8000@pbx", {"X-A": "市民"}, "<sip:8000@pbx?X-A=%E5%B8%82%E6%B0%91>"),
    ],
)
def test_refer_to(target: str, headers: dict[str, str], value: str) -> None:
    assert refer_to(target, headers) == value
