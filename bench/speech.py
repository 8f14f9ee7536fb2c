"""What the callers of a load generator say, as A-law packets; and how loud a received packet is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import anyio
import numpy as np
import soxr

from tts.espeak_voice import EspeakVoice

PCMA = 8  # RTP payload type (RFC 3551)
SAMPLE_RATE = 8000
PACKET = 160  # samples, which are bytes here: 20 ms
SILENCE = b"\xd5" * PACKET
AUDIBLE = 256  # peak, of 32768; the agent's pauses are digital silence

# Answered from the sample knowledge in a few sentences; the built-in model understands both voices.
QUESTIONS = (
    "新买的房子什么时候能拿到不动产证",
    "登记的内容可以修改或者撤销吗",
    "医保个人账户的钱家里人能用吗",
    "外地的养老保险怎么合并到临江",
    "滨河区的房子能在本区办过户吗",
    "江北区小学入学在哪里现场审核",
    "家里老人去世了怎么注销户口",
    "外地户口能在临江办身份证吗",
    "小区怎么装电动汽车充电桩",
    "老旧小区加装电梯有补贴吗",
    "第一次办社保卡要什么材料",
    "电动车可以在楼道里充电吗",
)
VOICES = ("f5", "m8")  # the built-in model never heard them


def _decoded() -> list[int]:
    """The value of each A-law code (ITU-T G.711, table 1), of 16 bits."""
    values = []
    for code in range(256):
        bits = code ^ 0x55
        exponent, mantissa = bits >> 4 & 7, (bits & 15) << 4
        level = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
        values.append(level if bits & 0x80 else -level)
    return values


_VALUES = np.array(_decoded())
_ORDER = np.argsort(_VALUES)
_BORDERS = (_VALUES[_ORDER][1:] + _VALUES[_ORDER][:-1]) / 2
_PEAK = bytes(min(255, abs(int(value)) // 64) for value in _VALUES)


def encode(samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    """Samples on the scale of 16 bits as A-law, each as the nearest code."""
    return bytes(_ORDER[np.searchsorted(_BORDERS, samples)].astype(np.uint8).tobytes())


def is_audible(payload: bytes) -> bool:
    """Whether an A-law packet holds sound."""
    return payload != SILENCE and max(payload.translate(_PEAK), default=0) >= AUDIBLE // 64


def rtp_packet(payload: bytes, number: int, first_sequence: int, ssrc: int) -> bytes:
    """The `number`th packet of a stream, from 1 on, with its marker on the first (RFC 3550)."""
    sequence = (first_sequence + number) & 0xFFFF
    return struct.pack("!BBHII", 0x80, PCMA | (number == 1) << 7, sequence, number * PACKET, ssrc) + payload


@dataclass(frozen=True, slots=True)
class Clip:
    """One question as packets of 20 ms, beginning and ending with sound."""

    text: str
    packets: tuple[bytes, ...]


async def _clip(voice_name: str, text: str) -> Clip:
    voice = EspeakVoice(voice_name)
    pcm = np.frombuffer(b"".join([chunk async for chunk in voice.speak(text)]), "<i2")
    samples = soxr.resample(pcm.astype(np.float64), voice.sample_rate, SAMPLE_RATE)
    code = encode(samples)
    packets = [code[at : at + PACKET] for at in range(0, len(code) // PACKET * PACKET, PACKET)]
    heard = [number for number, packet in enumerate(packets) if is_audible(packet)]
    return Clip(text, tuple(packets[heard[0] : heard[-1] + 1]))


def clips() -> list[Clip]:
    """Every question by every voice."""

    async def made() -> list[Clip]:
        return [await _clip(voice, text) for text in QUESTIONS for voice in VOICES]

    return anyio.run(made)
