"""Packet captures in libpcap's format, which tcpdump and Wireshark open, and what they say about RTP."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sip.plain import Address
from tests.sip.plain_caller import RtpPacket

_MAGIC, _RAW_IP = 0xA1B2C3D4, 101
_RATE = 8000  # of RTP timestamps, Hz


@dataclass(frozen=True, slots=True)
class Captured:
    """A UDP datagram as it was on the wire; `at` in seconds."""

    at: float
    source: Address
    destination: Address
    payload: bytes


class Capture:
    """Writes UDP datagrams over IPv4 into a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._lock = threading.Lock()
        self._file.write(struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, 65535, _RAW_IP))

    def write(self, packet: Captured) -> None:
        udp = struct.pack("!HHHH", packet.source[1], packet.destination[1], 8 + len(packet.payload), 0)
        ends = socket.inet_aton(packet.source[0]) + socket.inet_aton(packet.destination[0])
        head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(packet.payload), 0, 0, 64, 17, 0) + ends
        checksum = sum(struct.unpack("!10H", head))
        while checksum >> 16:
            checksum = (checksum & 0xFFFF) + (checksum >> 16)
        whole = head[:10] + struct.pack("!H", ~checksum & 0xFFFF) + head[12:] + udp + packet.payload
        stamp = (int(packet.at), int(packet.at % 1 * 1e6))
        with self._lock:
            self._file.write(struct.pack("<IIII", *stamp, len(whole), len(whole)) + whole)

    def close(self) -> None:
        self._file.close()


def read_capture(path: Path) -> Iterator[Captured]:
    """Every datagram in a file that `Capture` has written."""
    raw = path.read_bytes()
    assert struct.unpack("<I", raw[:4])[0] == _MAGIC
    at = 24
    while at < len(raw):
        seconds, microseconds, length, _ = struct.unpack("<IIII", raw[at : at + 16])
        packet = raw[at + 16 : at + 16 + length]
        ports = struct.unpack("!HH", packet[20:24])
        hosts = (socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]))
        yield Captured(seconds + microseconds / 1e6, (hosts[0], ports[0]), (hosts[1], ports[1]), packet[28:])
        at += 16 + length


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of a call, as its packets arrived."""

    received: int
    lost_share: float  # of those that the sequence numbers tell of
    out_of_order: int
    jitter_s: float  # RFC 3550's estimate (section 6.4.1), its mean over the call


def stream_of(packets: Sequence[Captured]) -> Stream:
    """What the RTP packets of one direction say; sequence numbers must not have wrapped."""
    rtp = [(packet.at, RtpPacket.parse(packet.payload)) for packet in packets]
    numbers = [packet.sequence for _, packet in rtp]
    sent = max(numbers) - min(numbers) + 1
    transit = [at - packet.timestamp / _RATE for at, packet in rtp]
    jitter, jitters = 0.0, []
    for before, after in itertools.pairwise(transit):
        jitter += (abs(after - before) - jitter) / 16
        jitters.append(jitter)
    late = sum(after < before for before, after in itertools.pairwise(numbers))
    lost = 1 - len(set(numbers)) / sent
    return Stream(len(rtp), lost, late, sum(jitters) / len(jitters))


def delays_s(before: Sequence[Captured], after: Sequence[Captured]) -> list[float]:
    """How long each RTP packet took that is in both captures."""
    sent = {RtpPacket.parse(packet.payload).sequence: packet.at for packet in before}
    return [packet.at - sent[RtpPacket.parse(packet.payload).sequence] for packet in after]
