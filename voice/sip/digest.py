"""Digest authentication, the side that asks (RFC 3261 §22, RFC 7616, RFC 8760): SHA-256, else MD5."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from voice.sip.message import Answer, Request, unquoted

MAX_HEADER = 2048  # characters of an Authorization header; real ones have some 300
MAX_HEADERS = 2  # of one request that are looked at: one for each algorithm
MAX_USED = 10_000  # uses of nonces remembered, which only the right password makes

_FIELD = re.compile(r'\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)\s*(?:,|$)', re.ASCII)
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_ALGORITHMS = {"sha-256": "sha256", "md5": "md5"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`stale`: the password is right, the nonce too old or used before; `user` is set when `ok`."""

    outcome: Literal["ok", "stale", "wrong", "absent"]
    user: str = ""


_WRONG = Verdict("wrong")


class Challenger:
    """Makes challenges and checks the responses to them.

    Nonces need no memory: time, salt and their HMAC. Uses of a nonce are remembered, so that what was
    overheard cannot be sent again. `now_s` is any clock that does not jump. Raises ValueError for a realm
    that cannot be quoted and for a secret below 16 bytes.
    """

    def __init__(self, realm: str, secret: bytes, lifetime_s: float = 60) -> None:
        if not realm.isprintable() or not realm or '"' in realm or "\\" in realm:
            raise ValueError("the realm must be printable text without quotes and backslashes")
        if len(secret) < 16:
            raise ValueError("the secret must have at least 16 bytes")
        self.realm = realm
        self._secret = secret
        self._lifetime_s = lifetime_s
        self._decoy = secrets.token_hex()
        self._used: OrderedDict[tuple[str, str], None] = OrderedDict()

    def challenge(self, now_s: float, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate, the preferred algorithm first."""
        stamp = f"{int(now_s):x}-{secrets.token_hex(8)}"
        start = f'Digest realm="{self.realm}", nonce="{stamp}-{self._seal(stamp)}", algorithm='
        end = ', qop="auth"' + (", stale=true" if stale else "")
        return [f"{start}SHA-256{end}", f"{start}MD5{end}"]

    def unauthorized(self, now_s: float, *, stale: bool = False, cause: str = "challenged") -> Answer:
        """The 401 of whoever must show a password: the same whatever was asked for."""
        headers = tuple(("WWW-Authenticate", value) for value in self.challenge(now_s, stale))
        return Answer(401, "Unauthorized", headers, cause)

    def verify(
        self,
        request_method: str,
        authorization_header: str,
        passwords: Callable[[str], str | None],
        now_s: float,
    ) -> Verdict:
        """Judge one Authorization header; an unknown user (no or an empty password) is a wrong password."""
        if not authorization_header:
            return Verdict("absent")
        fields = _fields(authorization_header)
        user, nonce, count = fields.get("username", ""), fields.get("nonce", ""), fields.get("nc", "")
        algorithm = _ALGORITHMS.get(fields.get("algorithm", "MD5").lower())
        whole = user and nonce and fields.get("uri") and fields.get("response")
        if not whole or algorithm is None or fields.get("realm") != self.realm or not _qop_is_whole(fields):
            return _WRONG
        password = passwords(user)
        expected = _response(algorithm, request_method, fields, password or self._decoy)
        right = hmac.compare_digest(expected.encode(), fields["response"].lower().encode("utf-8", "replace"))
        if not (right and password):
            return _WRONG
        if not self._fresh(nonce, now_s) or not self._first_use(nonce, count):
            return Verdict("stale")
        return Verdict("ok", user)

    def verify_request(
        self, request: Request, passwords: Callable[[str], str | None], now_s: float
    ) -> Verdict:
        """Judge a request by its Authorization headers, of which a client sends one for each algorithm."""
        verdict = Verdict("absent")
        for value in request.all("authorization")[:MAX_HEADERS]:
            verdict = self.verify(request.method, value, passwords, now_s)
            if verdict.outcome in ("ok", "stale"):
                break
        return verdict

    def _seal(self, stamp: str) -> str:
        return hmac.digest(self._secret, stamp.encode("utf-8", "replace"), "sha256").hex()[:32]

    def _fresh(self, nonce: str, now_s: float) -> bool:
        stamp, _, seal = nonce.rpartition("-")
        if not hmac.compare_digest(self._seal(stamp).encode(), seal.encode("utf-8", "replace")):
            return False
        return 0 <= now_s - int(stamp.partition("-")[0], 16) <= self._lifetime_s

    def _first_use(self, nonce: str, count: str) -> bool:
        """Without qop there is no count, and a nonce is good for one request."""
        key = nonce, count.lower()
        if key in self._used:
            return False
        self._used[key] = None
        if len(self._used) > MAX_USED:
            self._used.popitem(last=False)
        return True


def _fields(header: str) -> dict[str, str]:
    """The header's fields; none at all where it is not well-formed."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "digest" or len(header) > MAX_HEADER:
        return {}
    fields: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _FIELD.match(rest, at)
        if match is None or match[1].lower() in fields:
            return {}
        fields[match[1].lower()] = unquoted(match[2]) if match[2].startswith('"') else match[2]
        at = match.end()
    return fields


def _qop_is_whole(fields: dict[str, str]) -> bool:
    """RFC 2069's form without qop is taken too: old telephones know no other."""
    if "qop" not in fields:
        return "nc" not in fields
    return (
        fields["qop"].lower() == "auth"
        and bool(_COUNT.fullmatch(fields.get("nc", "")))
        and "cnonce" in fields
    )


def _response(algorithm: str, method: str, fields: dict[str, str], password: str) -> str:
    def digest(text: str) -> str:
        raw = text.encode("utf-8", "replace")
        return hashlib.new(algorithm, raw, usedforsecurity=False).hexdigest()

    secret = digest(f"{fields['username']}:{fields['realm']}:{password}")
    what = digest(f"{method}:{fields['uri']}")
    if "qop" not in fields:
        return digest(f"{secret}:{fields['nonce']}:{what}")
    count = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:{fields['qop']}"
    return digest(f"{secret}:{count}:{what}")
