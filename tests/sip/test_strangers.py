"""Who may call: trunks and telephones that prove themselves; a scanner's flood that teaches it nothing."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sip.agent import ANSWER, QUESTION, Agent, running_agent, words
from tests.sip.plain import MAX_BYTES, SipMessage
from tests.sip.plain_caller import PlainCaller
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.sip]

PLAIN, GUARDED, STRANGER = "127.0.0.1", "127.0.0.3", "127.0.0.2"
SECRETS = {"trunk": "a-trunk-in-this-test", "seat": "a-seat-in-this-test"}
FLOOD = 2000  # of INVITEs, and of OPTIONS
FLOOD_S = 5.0
NUMBER, SCANNER = "13100000001", "900900"
GAP_MS = 1500


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("strangers")
    for name, secret in SECRETS.items():
        (folder / f"{name}.password").write_text(secret)
    trunks: list[dict[str, Any]] = [
        {"name": "plain", "uri": f"sip:{PLAIN}"},
        {"name": "guarded", "uri": f"sip:{GUARDED}", "challenge": True},
    ]
    trunks[1] |= {"user": "trunk", "password_file": "trunk.password"}
    seat = {"id": "1001", "name": "王敏", "user": "seat", "password_file": "seat.password"}
    limits = {"max_calls": 2, "loop_late_s": 10.0}
    sip, seats = {"trunks": trunks}, {"seats": [seat]}
    with running_agent(folder, voice_cache, sip=sip, seats=seats, limits=limits) as running:
        yield running


def proof(challenge: SipMessage, method: str, uri: str, user: str, password: str, algorithm: str) -> str:
    """The Authorization header to a challenge (RFC 7616)."""
    offers = challenge.headers["www-authenticate"]
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', next(o for o in offers if f"={algorithm}," in o)))
    make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def digest(text: str) -> str:
        return make(text.encode()).hexdigest()

    secret, what = digest(f"{user}:{fields['realm']}:{password}"), digest(f"{method}:{uri}")
    response = digest(f"{secret}:{fields['nonce']}:00000001:abcdef:auth:{what}")
    quoted = {"username": user, "realm": fields["realm"], "nonce": fields["nonce"], "uri": uri}
    quoted |= {"response": response, "cnonce": "abcdef"}
    plain = f"algorithm={algorithm}, qop=auth, nc=00000001"
    return "Authorization: Digest " + ", ".join([f'{k}="{v}"' for k, v in quoted.items()] + [plain])


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_trunk_proves_itself(agent: Agent, algorithm: str) -> None:
    with PlainCaller(agent.address, "13100000002", local=GUARDED) as caller:
        challenge = caller.invite()
        assert challenge.status == 401
        uri = f"sip:12345@{agent.sip}"
        header = proof(challenge, "INVITE", uri, "trunk", SECRETS["trunk"], algorithm)
        answer = caller.invite(headers=header)
        assert answer.status == 200
        caller.accept(answer)
        caller.hang_up()
    assert agent.record("13100000002")["end_reason"] == "caller_hangup"


@pytest.mark.parametrize("name", ["trunk", "nobody"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(agent: Agent, name: str) -> None:
    with PlainCaller(agent.address, "13100000003", local=GUARDED) as caller:
        challenge = caller.invite()
        header = proof(challenge, "INVITE", f"sip:12345@{agent.sip}", name, "wrong", "MD5")
        again = caller.invite(headers=header)
    assert again.start == challenge.start == "SIP/2.0 401 Unauthorized"
    assert set(again.headers) == set(challenge.headers)
    assert agent.call_of("13100000003") is None


@pytest.mark.parametrize(("password", "status"), [(SECRETS["seat"], 200), ("wrong", 401)])
def test_a_seats_telephone_registers_with_its_password(agent: Agent, password: str, status: int) -> None:
    with PlainCaller(agent.address, "seat") as telephone:
        telephone.callee = "seat"
        telephone.send("REGISTER")
        challenge = telephone.response("REGISTER")
        assert challenge.status == 401
        uri = f"sip:12345@{agent.sip}"
        telephone.send("REGISTER", headers=proof(challenge, "REGISTER", uri, "seat", password, "MD5"))
        assert telephone.response("REGISTER").status == status


@dataclass(frozen=True, slots=True)
class Flood:
    """The call that ran meanwhile, and what the scanner was told, by status."""

    call: dict[str, Any]
    told: Counter[str]
    lasted_s: float


@pytest.fixture(scope="module")
def flood(agent: Agent) -> Flood:
    question = synthesise(QUESTION)
    with PlainCaller(agent.address, NUMBER) as caller, ThreadPoolExecutor(1) as pool:
        caller.dial()
        caller.ask(question)
        scanner = pool.submit(scan, agent)
        caller.ask(question)
        told, lasted_s = scanner.result()
        caller.hang_up()
    return Flood(agent.record(NUMBER), told, lasted_s)


def scan(agent: Agent) -> tuple[Counter[str], float]:
    """INVITEs and OPTIONS from an address that may not call, at a steady pace; every start line back."""
    told: Counter[str] = Counter()
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((STRANGER, 0))
        me = "{}:{}".format(*line.getsockname())
        for count in range(FLOOD):
            time.sleep(max(0.0, began + count * FLOOD_S / FLOOD - time.monotonic()))
            for method in ("INVITE", "OPTIONS"):
                line.sendto(request(method, agent.sip, me, f"{method}-{count}"), agent.address)
        lasted_s = time.monotonic() - began
        line.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while True:
                told[SipMessage.parse(line.recv(MAX_BYTES)).start] += 1
    return told, lasted_s


def request(method: str, agent: str, me: str, key: str) -> bytes:
    lines = [f"{method} sip:900@{agent} SIP/2.0", f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{key};rport"]
    lines += [f"From: <sip:{SCANNER}@{me}>;tag={key}", f"To: <sip:900@{agent}>", f"Call-ID: {key}"]
    lines += [f"CSeq: 1 {method}", f"Contact: <sip:{SCANNER}@{me}>", "Max-Forwards: 70", "Content-Length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_the_call_is_unharmed(flood: Flood) -> None:
    assert words(flood.call, "caller") == [QUESTION] * 2
    assert [text.startswith(ANSWER) for text in words(flood.call, "agent")[1:]] == [True] * 2
    gaps = [turn["response_gap_ms"] for turn in flood.call["turns"] if turn["response_gap_ms"]]
    assert len(gaps) == 2
    assert max(gaps) < GAP_MS


def test_the_scanner_gets_one_answer_then_silence(flood: Flood) -> None:
    """Whether it asks for INVITE or OPTIONS; more than a burst is not answered at all."""
    assert flood.lasted_s < 3 * FLOOD_S
    assert set(flood.told) == {"SIP/2.0 401 Unauthorized"}
    assert 0 < sum(flood.told.values()) < 50


def test_the_scanner_leaves_no_record(agent: Agent, flood: Flood) -> None:
    assert agent.call_of(SCANNER) is None
