"""Damage to SIP, RTP and RTCP packets: from single bits to packets of noise; one seed, one sequence."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

from tests.sip.plain import rtp_packet

MAX_DATAGRAM = 8000
_HOSTILE = [b"", b"\x00", b"%00", b"-1", b"4294967296", b"99999999999999999999", b"\r\n", b"\r\n\r\n", b"<>"]
_HOSTILE += [
    b'"',
    b'()<>@,;:\\"/[]?={}',
    b"sip:",
    b"[::",
    b"\xff\xfe\xfd",
    "转".encode(),
    b"%s%n" * 8,
    b"," * 500,
]


class Mutator:
    """Damages well-formed packets."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._ways: list[Callable[[bytes], bytes]] = [
            self._flip,
            self._truncate,
            self._repeat_header,
            self._drop_header,
            self._shuffle_headers,
            self._inflate,
            self._replace_token,
            self._lie_about_length,
            self._noise,
        ]

    def sip(self, seeds: Sequence[bytes]) -> bytes:
        """A SIP message made of one of `seeds`, or of two, damaged in one to three ways."""
        raw = self._chance.choice(seeds)
        if self._chance.random() < 0.1:
            other = self._chance.choice(seeds)
            raw = raw[: self._chance.randrange(len(raw))] + other[self._chance.randrange(len(other)) :]
        for _ in range(self._chance.randint(1, 3)):
            raw = self._chance.choice(self._ways)(raw or b"\x00")
        return raw[:MAX_DATAGRAM]

    def rtp(self) -> bytes:
        """A damaged RTP packet, of a stream that is not the call's."""
        random_ = self._chance
        payload = random_.randbytes(random_.choice([0, 1, 159, 160, 161, 320, 1400]))
        raw = rtp_packet(
            random_.choice([8, 0, 9, 101, random_.randrange(128)]),
            random_.randrange(1 << 16),
            random_.randrange(1 << 32),
            payload,
            marker=random_.random() < 0.2,
        )
        return random_.choice([self._flip, self._truncate, self._noise])(raw)

    def rtcp(self) -> bytes:
        """A damaged RTCP packet: sender and receiver reports, SDES, BYE, APP and what is none of them."""
        random_ = self._chance
        kind, count = (
            random_.choice([200, 201, 202, 203, 204, 205, random_.randrange(256)]),
            random_.randrange(32),
        )
        body = random_.randbytes(random_.choice([0, 4, 24, 28, 100]))
        head = struct.pack(
            "!BBHI", 0x80 | count, kind, random_.randrange(1 << 16), random_.randrange(1 << 32)
        )
        return random_.choice([self._flip, self._truncate, self._noise])(head + body)

    def _flip(self, raw: bytes) -> bytes:
        damaged = bytearray(raw)
        for _ in range(self._chance.randint(1, 8)):
            damaged[self._chance.randrange(len(damaged))] ^= 1 << self._chance.randrange(8)
        return bytes(damaged)

    def _truncate(self, raw: bytes) -> bytes:
        return raw[: self._chance.randrange(len(raw))]

    def _noise(self, raw: bytes) -> bytes:
        at = self._chance.choice([0, self._chance.randrange(len(raw))])
        return raw[:at] + self._chance.randbytes(self._chance.randint(1, 1400))

    def _headers(self, raw: bytes) -> tuple[bytes, list[bytes], bytes]:
        head, _, body = raw.partition(b"\r\n\r\n")
        start, *headers = head.split(b"\r\n")
        return start, headers or [b""], body

    def _repeat_header(self, raw: bytes) -> bytes:
        start, headers, body = self._headers(raw)
        header = self._chance.choice(headers)
        headers[self._chance.randrange(len(headers)) : 0] = [header] * self._chance.choice([1, 2, 20])
        return b"\r\n".join([start, *headers]) + b"\r\n\r\n" + body

    def _drop_header(self, raw: bytes) -> bytes:
        start, headers, body = self._headers(raw)
        headers.pop(self._chance.randrange(len(headers)))
        return b"\r\n".join([start, *headers]) + b"\r\n\r\n" + body

    def _shuffle_headers(self, raw: bytes) -> bytes:
        start, headers, body = self._headers(raw)
        self._chance.shuffle(headers)
        return b"\r\n".join([start, *headers]) + b"\r\n\r\n" + body

    def _inflate(self, raw: bytes) -> bytes:
        start, headers, body = self._headers(raw)
        at = self._chance.randrange(len(headers))
        filler = self._chance.choice([b"A", b"9", b";a=b", b" ", b"<sip:a@b>,"])
        headers[at] += filler * self._chance.choice([10, 300, 2000])
        return b"\r\n".join([start, *headers]) + b"\r\n\r\n" + body

    def _replace_token(self, raw: bytes) -> bytes:
        tokens = re.split(rb"([ ;:=@,<>/\r\n])", raw)
        tokens[self._chance.randrange(len(tokens))] = self._chance.choice(_HOSTILE)
        return b"".join(tokens)

    def _lie_about_length(self, raw: bytes) -> bytes:
        lie = self._chance.choice([b"-1", b"0", b"1", b"99", b"65536", b"4294967297", b"x"])
        return re.sub(rb"Content-Length: \d+", b"Content-Length: " + lie, raw)
