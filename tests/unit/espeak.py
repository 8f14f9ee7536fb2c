"""Mandarin speech for tests, by voices the built-in model was never trained on."""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soxr

from tts.espeak_voice import EspeakVoice


@functools.lru_cache(64)
def synthesise(text: str, *, variant: str = "f5", sample_rate: int = 8000) -> bytes:
    """`text` spoken by an espeak-ng variant: mono s16le at `sample_rate` Hz; works within a loop."""
    with ThreadPoolExecutor(1) as thread:  # an event loop of its own
        return thread.submit(asyncio.run, _speak(text, variant, sample_rate)).result()


async def _speak(text: str, variant: str, sample_rate: int) -> bytes:
    voice = EspeakVoice(variant)
    pcm = np.frombuffer(b"".join([chunk async for chunk in voice.speak(text)]), "<i2")
    await voice.aclose()
    resampled: bytes = soxr.resample(pcm, voice.sample_rate, sample_rate).astype("<i2").tobytes()
    return resampled
