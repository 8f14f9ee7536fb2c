"""Mandarin speech for tests from the espeak-ng library: what a synthetic caller sounds like."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import espeakng_loader
import jieba
import numpy as np
import pypinyin
import soxr

jieba.setLogLevel("WARNING")
_CHARS_UTF8 = 1
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@functools.lru_cache(1)
def _library() -> tuple[Any, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0)
    assert rate > 0, "espeak-ng did not start"
    return library, rate


@functools.lru_cache(64)
def synthesise(text: str, *, variant: str = "f5", sample_rate: int = 8000) -> bytes:
    """`text` spoken by an espeak-ng voice `variant`: mono s16le at `sample_rate` Hz."""
    library, rate = _library()
    pinyin = " ".join(
        syllable
        for word in jieba.cut(text)
        for syllable in pypinyin.lazy_pinyin(word, style=pypinyin.Style.TONE3, neutral_tone_with_five=True)
    )
    pieces: list[bytes] = []

    def collect(samples: Any, count: int, _events: Any) -> int:
        if samples and count:
            pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    assert library.espeak_SetVoiceByName(f"cmn-latn-pinyin+{variant}".encode()) == 0, variant
    spoken = pinyin.encode()
    library.espeak_Synth(spoken, len(spoken) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
    pcm = np.frombuffer(b"".join(pieces), np.int16)
    out: bytes = soxr.resample(pcm, rate, sample_rate).astype(np.int16).tobytes()
    return out
