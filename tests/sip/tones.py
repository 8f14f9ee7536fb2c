"""Tones that tell who is heard by whom, and when: a caller's, a seat's, a third party's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from tests.sip.g711 import from_a_law, to_a_law
from tests.sip.plain_caller import PCMA, RtpPacket

RATE = 8000
FRAME = 160  # samples
CALLER_HZ, SEAT_HZ, OTHER_SEAT_HZ, THIRD_HZ = 1000, 1800, 2200, 2600  # whole cycles in a frame; none a key's
AMPLITUDE = 3000
SHARE = 0.12  # of a frame's energy: what is left of a tone where others are mixed in
FRAMES = 8  # in a row: words have no such
HEARD_AMPLITUDE = 500


@cache
def tone(hz: int, seconds: float) -> bytes:
    """Mono s16le at 8 kHz."""
    t = np.arange(round(seconds * RATE)) / RATE
    return bytes((AMPLITUDE * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes())


@cache
def tone_frames(hz: int) -> list[bytes]:
    """A second of it as A-law, 20 ms each."""
    coded = to_a_law(tone(hz, 1.0))
    return [coded[at : at + FRAME] for at in range(0, len(coded), FRAME)]


def heard_at(packets: Sequence[RtpPacket], hz: int, after: float = 0.0) -> float | None:
    """When the first packet of this tone came, after that moment; None: it did not."""
    row = 0
    mine = [packet for packet in packets if packet.payload_type == PCMA and packet.at >= after]
    for number, packet in enumerate(mine):
        row = row + 1 if _holds(packet.payload, hz) else 0
        if row == FRAMES:
            return mine[number - FRAMES + 1].at
    return None


@cache
def _wave(hz: int) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.exp(-2j * np.pi * hz * np.arange(FRAME) / RATE)


@lru_cache(1 << 16)  # asked again and again while one waits
def _holds(payload: bytes, hz: int) -> bool:
    if len(payload) != FRAME:
        return False
    samples = np.frombuffer(from_a_law(payload), "<i2").astype(np.float64)
    amplitude = 2 * abs(complex(samples @ _wave(hz))) / FRAME
    energy = float(samples @ samples) / FRAME
    return bool(amplitude > HEARD_AMPLITUDE and amplitude**2 / 2 > SHARE * energy)
