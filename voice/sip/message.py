"""A SIP request taken apart, and the answer to one (RFC 3261 §7): what screen and registrar work on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

MAX_BYTES = 65_535  # a UDP datagram
MAX_LINES = 256  # of the head; what real user agents send stays below 60

# The stack reads CR, LF and CRLF each as the end of a line, so there is one of these before an empty line.
_BEFORE_EMPTY = (b"\n\r", b"\n\n", b"\r\r")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([!-~]+)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_PARAMETER = re.compile(r'\s*;\s*([^\s;="]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;",]*))?')
_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}


class Source(NamedTuple):
    """Where a request came from; with UDP the sender may have made it up."""

    host: str
    port: int
    transport: Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Request:
    """`headers`: full names in lower case, several of one name in order, folded lines unfolded."""

    method: str
    uri: str
    headers: Mapping[str, Sequence[str]]
    body: str
    source: Source

    def header(self, name: str) -> str:
        """The first header of that lower-case name; "" if there is none."""
        values = self.headers.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> Sequence[str]:
        """All headers of that lower-case name."""
        return self.headers.get(name, ())

    @property
    def call_id(self) -> str:
        return self.header("call-id")

    @property
    def to_tag(self) -> str:
        """The To tag: with one, a request belongs to a dialog; "" without."""
        return parameters(split_address(self.header("to"))[1]).get("tag", "")

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method; -1 and "" where there is no such thing."""
        match = _CSEQ.fullmatch(self.header("cseq"))
        return (int(match[1]), match[2].upper()) if match else (-1, "")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to send without a transaction; `cause` is for the counters, never for the other side.

    `refused`: a call that was wanted and could not be taken, which belongs in the record; `repeated`: it was
    reported before, this is the same request again.
    """

    code: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    cause: str = ""
    refused: bool = False
    repeated: bool = False


def parse_request(text: bytes, source: Source) -> Request | None:
    """Take a datagram or a framed message apart; None for what is no request or is beyond reading.

    The method is put in upper case, as the stack does. Bytes that are not UTF-8 become U+FFFD.
    """
    text = text.lstrip(b"\r\n")
    if len(text) > MAX_BYTES:
        return None
    end = min((at for pair in _BEFORE_EMPTY if (at := text.find(pair)) >= 0), default=len(text))
    head = text[:end]
    if b"\0" in head or head.count(b"\n") + head.count(b"\r") > 2 * MAX_LINES:
        return None
    lines = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("utf-8", "replace").split("\n")
    start = lines[0].split()
    if len(start) != 3 or start[2].upper() != "SIP/2.0" or not _TOKEN.fullmatch(start[0]):
        return None
    headers = _headers(lines)
    return Request(start[0].upper(), start[1], headers, _body(text, end + 2, headers), source)


def _headers(lines: Sequence[str]) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    values: list[str] = []  # those of the header that a folded line would go on
    for line in lines[1:]:
        if line.startswith((" ", "\t")):
            if values:
                values[-1] = f"{values[-1]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        if not colon:
            values = []
            continue
        name = name.strip().lower()
        values = headers.setdefault(_COMPACT.get(name, name), [])
        values.append(value.strip())
    return headers


def _body(text: bytes, start: int, headers: Mapping[str, Sequence[str]]) -> str:
    """Without what follows after Content-Length (RFC 3261 §18.3)."""
    if text[start : start + 1] == b"\n" and text[start - 1 : start] == b"\r":
        start += 1
    length = number(headers.get("content-length", ("",))[0])
    return text[start : None if length is None else start + length].decode("utf-8", "replace")


def number(text: str) -> int | None:
    """A header's number of up to ten digits; None for anything else."""
    return int(text) if _NUMBER.fullmatch(text) else None


def split_address(value: str) -> tuple[str, str]:
    """The URI and the header parameters (from the first ";" on) of a name-addr or addr-spec (RFC 3261 §25.1).

    What stands in a quoted display name is not taken for the URI.
    """
    value = value.strip()
    if value.startswith('"'):
        quoted = _QUOTED.match(value)
        value = value[quoted.end() :] if quoted else ""
    _, bracket, rest = value.partition("<")
    if bracket:
        uri, _, params = rest.partition(">")
        return uri.strip(), params
    uri, semicolon, params = value.partition(";")
    return uri.strip(), semicolon + params


def parameters(text: str) -> dict[str, str]:
    """Header parameters `;name=value;name="value"`: names in lower case, the first of a name counts."""
    found: dict[str, str] = {}
    match = _PARAMETER.match(text)
    while match:
        value = match[2] or ""
        found.setdefault(match[1].lower(), unquoted(value) if value.startswith('"') else value)
        match = _PARAMETER.match(text, match.end())
    return found


def unquoted(value: str) -> str:
    """A quoted string's content."""
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def split_list(value: str) -> list[str]:
    """The items of a comma-separated header; commas in quotes and in angle brackets do not separate."""
    items, start, quoted, angled, escaped = [], 0, False, False, False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = not angled
        elif char in "<>":
            angled = char == "<"
        elif char == "," and not angled:
            items.append(value[start:at])
            start = at + 1
    items.append(value[start:])
    return [item.strip() for item in items if item.strip()]
