"""The registrar: whose telephone is where, for how long, and who may say so."""

from __future__ import annotations

import hashlib
import re

import pytest

from voice.sip.digest import Challenger
from voice.sip.message import Answer, Request, Source
from voice.sip.registrar import Registered, Registrar

pytestmark = [pytest.mark.unit]

USERS = {"1001": "word one", "1002": "word two"}
HOME = Source("192.0.2.7", 40001, "udp")
NOW_S = 1000.0


class Telephone:
    """Registers like a real one: asks, is challenged, answers by RFC 2617 with MD5."""

    def __init__(
        self, registrar: Registrar, user: str = "1001", source: Source = HOME, word: str = ""
    ) -> None:
        self.registrar = registrar
        self.user = user
        self.source = source
        self.word = word or USERS[user]
        self.call_id = f"{user}@{source.host}:{source.port}"
        self.cseq = 0

    def request(self, contacts: list[str], expires: str, *, to: str, authorization: str) -> Request:
        self.cseq += 1
        headers = {
            "to": [f"<sip:{to}@hotline.example>"],
            "call-id": [self.call_id],
            "cseq": [f"{self.cseq} REGISTER"],
            "contact": contacts,
            **({"expires": [expires]} if expires else {}),
            **({"authorization": [authorization]} if authorization else {}),
        }
        return Request("REGISTER", "sip:hotline.example", headers, "", self.source)

    def authorization(self, now_s: float) -> str:
        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        match = re.search('nonce="([^"]+)"', self.registrar.challenger.challenge(now_s)[1])
        assert match
        first, second = md5(f"{self.user}:hotline:{self.word}"), md5("REGISTER:sip:hotline.example")
        response = md5(f"{first}:{match[1]}:00000001:c:auth:{second}")
        return (
            f'Digest username="{self.user}", realm="hotline", nonce="{match[1]}", uri="sip:hotline.example", '
            f'response="{response}", qop=auth, nc=00000001, cnonce="c"'
        )

    def register(self, *contacts: str, now_s: float = NOW_S, expires: str = "300", to: str = "") -> Answer:
        authorization = self.authorization(now_s)
        return self.registrar.handle(
            self.request(list(contacts), expires, to=to or self.user, authorization=authorization), now_s
        )


@pytest.fixture
def changes() -> list[str]:
    return []


@pytest.fixture
def registrar(changes: list[str]) -> Registrar:
    return Registrar(
        USERS, Challenger("hotline", b"0123456789abcdef"), max_contacts=2, on_change=changes.append
    )


def contacts(answer: Answer) -> list[str]:
    assert (answer.code, answer.reason, answer.cause) == (200, "OK", "registered")
    assert {name for name, _ in answer.headers} <= {"Contact"}
    return [value for _, value in answer.headers]


def test_a_registration(registrar: Registrar, changes: list[str]) -> None:
    phone = Telephone(registrar)
    assert registrar.target("1001", NOW_S) is None
    assert contacts(phone.register("<sip:1001@10.0.0.9:5060>")) == ["<sip:1001@10.0.0.9:5060>;expires=300"]
    assert registrar.target("1001", NOW_S + 299) == "sip:1001@192.0.2.7:40001"
    assert registrar.bindings(NOW_S + 100.5) == [Registered("1001", "192.0.2.7", 200)]
    assert registrar.user_at(HOME, NOW_S + 299) == "1001"
    assert changes == ["1001"]
    assert registrar.user_at(HOME, NOW_S + 300) is None
    assert registrar.target("1001", NOW_S + 300) is None
    assert registrar.bindings(NOW_S + 300) == []
    assert changes == ["1001", "1001"]
    assert registrar._flows == {}
    assert registrar._bindings == {}


@pytest.mark.parametrize(
    ("contact", "source", "target"),
    [
        ("<sip:line-2@10.0.0.9>", HOME, "sip:line-2@192.0.2.7:40001"),
        ("sip:1001@10.0.0.9:5060;q=0.5", HOME, "sip:1001@192.0.2.7:40001"),
        ("<sip:1001:pass@10.0.0.9;ob>;+sip.instance=\"<urn:uuid:1>\"", HOME, "sip:1001@192.0.2.7:40001"),
        ("<sip:10.0.0.9:5060>", HOME, "sip:192.0.2.7:40001"),
        ("<sip:a@10.0.0.9;transport=tcp>", Source("192.0.2.7", 5, "tcp"), "sip:a@192.0.2.7:5;transport=tcp"),
        ("<sips:1001@10.0.0.9>", Source("192.0.2.7", 5, "tls"), "sip:1001@192.0.2.7:5;transport=tls"),
        ("<sip:1001@[2001:db8::1]>", Source("2001:db8::7", 5060, "udp"), "sip:1001@[2001:db8::7]:5060"),
        ("<sip:%e7%8e%8b@10.0.0.9>", HOME, "sip:%e7%8e%8b@192.0.2.7:40001"),
    ],
)  # fmt: skip
def test_targets(registrar: Registrar, contact: str, source: Source, target: str) -> None:
    contacts(Telephone(registrar, source=source).register(contact))
    assert registrar.target("1001", NOW_S) == target


@pytest.mark.parametrize(
    "contact",
    ["<tel:1001>", "<sip:>", "<sip:@host>", "<sip:a b@host>", "1001", "<sip:a\x01@host>",
     f"<sip:{'x' * 300}@host>", "<sip:王@host>", "<sip:a@b@c>", "<sip:a@host>, *"],
)  # fmt: skip
def test_contacts_that_cannot_be_called(registrar: Registrar, changes: list[str], contact: str) -> None:
    assert Telephone(registrar).register("<sip:1001@good>", contact).code == 400
    assert registrar.target("1001", NOW_S) is None
    assert changes == []


def test_every_stranger_gets_the_same_answer(registrar: Registrar) -> None:
    answers = [
        Telephone(registrar, word="wrong").register("<sip:1001@x>"),
        Telephone(registrar, "1009", word="wrong").register("<sip:1009@x>"),
        Telephone(registrar, "1009", word="wrong").register("<sip:1001@x>", to="1001"),
        Telephone(registrar, word="wrong").register("*", expires="5"),
        Telephone(registrar, word="wrong").register("<sip:1001@x>", expires="5"),
        registrar.handle(Telephone(registrar).request([], "", to="1001", authorization=""), NOW_S),
        registrar.handle(Telephone(registrar).request([], "", to="nobody", authorization="garbage"), NOW_S),
    ]
    seen = {
        (a.code, a.reason, tuple((n, re.sub('nonce="[^"]+"', "", v)) for n, v in a.headers)) for a in answers
    }
    assert len(seen) == 1
    assert next(iter(seen))[0] == 401
    assert [answer.cause for answer in answers] == ["wrong_digest"] * 5 + ["challenged", "wrong_digest"]
    assert registrar.bindings(NOW_S) == []


def test_only_ones_own_address(registrar: Registrar) -> None:
    assert Telephone(registrar).register("<sip:1001@x>", to="1002").code == 403
    assert Telephone(registrar).register("<sip:1001@x>", to="1009").code == 403
    assert registrar.bindings(NOW_S) == []


def test_an_overheard_registration_is_of_no_use(registrar: Registrar) -> None:
    phone = Telephone(registrar)
    overheard = phone.authorization(NOW_S)
    request = phone.request(["<sip:1001@x>"], "300", to="1001", authorization=overheard)
    assert registrar.handle(request, NOW_S).code == 200
    thief = Telephone(registrar, source=Source("203.0.113.6", 6, "udp"))
    request = thief.request(["<sip:thief@x>"], "300", to="1001", authorization=overheard)
    answer = registrar.handle(request, NOW_S)
    assert answer.code == 401
    assert answer.headers[0][1].endswith("stale=true")
    assert registrar.target("1001", NOW_S) == "sip:1001@192.0.2.7:40001"


@pytest.mark.parametrize(
    ("contact", "expires", "code", "kept_s"),
    [
        ("<sip:1001@x>", "300", 200, 300),
        ("<sip:1001@x>;expires=600", "300", 200, 600),
        ("<sip:1001@x>;expires=junk", "300", 200, 3600),
        ("<sip:1001@x>;expires=-1", "", 200, 3600),
        ("<sip:1001@x>", "", 200, 3600),
        ("<sip:1001@x>", "999999", 200, 3600),
        ("<sip:1001@x>", "9" * 5000, 200, 3600),
        ("<sip:1001@x>", "60", 200, 60),
        ("<sip:1001@x>", "59", 423, 0),
        ("<sip:1001@x>;expires=1", "300", 423, 0),
        ("<sip:1001@x>", "0", 200, 0),
    ],
)
def test_expiry(registrar: Registrar, contact: str, expires: str, code: int, kept_s: int) -> None:
    answer = Telephone(registrar).register(contact, expires=expires)
    assert answer.code == code
    if code == 423:
        assert (answer.reason, answer.headers) == ("Interval Too Brief", (("Min-Expires", "60"),))
    assert [binding.expires_s for binding in registrar.bindings(NOW_S)] == ([kept_s] if kept_s else [])


def test_the_newest_telephone_rings_and_refreshing_does_not_change_that(
    registrar: Registrar, changes: list[str]
) -> None:
    desk, mobile = Telephone(registrar), Telephone(registrar, source=Source("198.51.100.1", 7, "tcp"))
    desk.register("<sip:desk@x>")
    mobile.register("<sip:mobile@x>")
    desk.register("<sip:desk@x>", now_s=NOW_S + 10)
    assert registrar.target("1001", NOW_S + 10) == "sip:mobile@198.51.100.1:7;transport=tcp"
    assert changes == ["1001", "1001"]
    assert registrar.target("1001", NOW_S + 305) == "sip:desk@192.0.2.7:40001"
    assert registrar.user_at(mobile.source, NOW_S + 305) is None


def test_a_telephone_that_moves(registrar: Registrar, changes: list[str]) -> None:
    phone = Telephone(registrar)
    phone.register("<sip:1001@x>")
    phone.source = Source("192.0.2.7", 40002, "udp")
    phone.register("<sip:1001@x>")
    assert registrar.target("1001", NOW_S) == "sip:1001@192.0.2.7:40002"
    assert registrar.user_at(HOME, NOW_S) is None
    assert changes == ["1001", "1001"]


def test_two_users_behind_one_flow(registrar: Registrar) -> None:
    one, two = Telephone(registrar), Telephone(registrar, "1002")
    one.register("<sip:1001@x>")
    two.register("<sip:1002@x>")
    assert registrar.user_at(HOME, NOW_S) == "1002"
    two.register("<sip:1002@x>", expires="0")
    assert registrar.user_at(HOME, NOW_S) == "1001"


def test_more_contacts_than_allowed(registrar: Registrar) -> None:
    phone = Telephone(registrar)
    answer = phone.register("<sip:a@x>, <sip:b@x>", "<sip:c@x>")
    assert contacts(answer) == ["<sip:b@x>;expires=300", "<sip:c@x>;expires=300"]
    assert registrar.target("1001", NOW_S) == "sip:c@192.0.2.7:40001"


def test_asking_changes_nothing(registrar: Registrar) -> None:
    phone = Telephone(registrar)
    phone.register("<sip:1001@x>")
    assert contacts(phone.register(expires="")) == ["<sip:1001@x>;expires=300"]


@pytest.mark.parametrize(
    ("items", "expires", "code", "left"),
    [(["*"], "0", 200, 0), (["*"], "300", 400, 2), (["*"], "", 400, 2), (["*", "<sip:a@x>"], "0", 400, 2),
     (["<sip:a@x>;expires=0"], "300", 200, 1), (["<sip:a@x>", "<sip:b@x>"], "0", 200, 0),
     (["<sip:other@x>"], "0", 200, 2)],
)  # fmt: skip
def test_removal(
    registrar: Registrar, changes: list[str], items: list[str], expires: str, code: int, left: int
) -> None:
    phone = Telephone(registrar)
    phone.register("<sip:a@x>", "<sip:b@x>")
    assert phone.register(*items, expires=expires).code == code
    assert len(registrar.bindings(NOW_S)) == left
    assert len(changes) == (1 if left == 2 else 2)


@pytest.mark.parametrize(
    ("cseq", "same_call", "code", "expires_s"),
    [(9, True, 500, 300), (10, True, 200, 300), (11, True, 200, 600), (1, False, 200, 600)],
)
def test_order(registrar: Registrar, cseq: int, same_call: bool, code: int, expires_s: int) -> None:
    phone = Telephone(registrar)
    phone.cseq = 9
    phone.register("<sip:1001@x>")
    phone.cseq = cseq - 1
    phone.call_id = phone.call_id if same_call else "after a restart"
    assert phone.register("<sip:1001@x>", expires="600").code == code
    assert [binding.expires_s for binding in registrar.bindings(NOW_S)] == [expires_s]


def test_a_late_removal_of_all_is_out_of_order(registrar: Registrar) -> None:
    phone = Telephone(registrar)
    phone.cseq = 9
    phone.register("<sip:1001@x>")
    phone.cseq = 4
    assert phone.register("*", expires="0").code == 500
    assert len(registrar.bindings(NOW_S)) == 1


@pytest.mark.parametrize(("low", "high", "most"), [(0, 60, 1), (61, 60, 1), (60, 60, 0)])
def test_settings_that_make_no_sense(low: int, high: int, most: int) -> None:
    with pytest.raises(ValueError, match="must hold"):
        Registrar(USERS, Challenger("hotline", b"0123456789abcdef"), low, high, most)
