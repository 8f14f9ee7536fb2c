"""The offline voice: Mandarin by espeak-ng's shared library, which the package espeakng-loader brings.

espeak-ng's own reading of Chinese characters is poor, so it is fed tone-numbered pinyin (tts.pinyin).
The library is neither re-entrant nor thread-safe: one thread of the process owns it.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import re
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from tts import VoiceFailed, VoiceMissing, pcm
from tts.pinyin import Phrase, phrases
from tts.spoken import spoken

DEFAULT_VARIANT = "Annie"
LEVEL_DBFS = -20.0
LEAD_S = 0.03
TAIL_S = 0.06
_WORDS_PER_MINUTE = 188  # about 5 syllables a second, as hotline staff speak
_LOUDNESS = 60  # of 100: louder, some variants clip inside the library
_PROBE = tuple(
    Phrase(tuple(words.split()))
    for words in (
        "wo3 yao4 tou2su4 xiao3qu1 zao4yin1 rao3min2",
        "qing3wen4 you3 shen2me5 ke3yi3 bang1 nin2",
        "she4bao3ka3 diu1 le5 zen3me5 bu3ban4",
    )
)

# espeak-ng's speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_RATE, _VOLUME, _PITCH = 1, 2, 3
_USUAL_PITCH = 50  # of 100
_CHARS_UTF8, _PHONEMES = 0x01, 0x100
_POS_CHARACTER = 1
_CHUNK_MS = 60
_ON_AUDIO = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

# The library reads -iong and a few interjections as English words: these are spelt otherwise.
_TONES = {"1": "55", "2": "35", "3": "214", "4": "51", "5": "11"}
_PHONEMES_OF = {"jiong": "tS;|;|'ong", "qiong": "tS;h|;|'ong", "xiong": "S;|;|'ong"}
_OTHERS = {"m": "en", "hm": "heng", "hng": "heng", "ê": "ei", "wong": "weng", "n": "en", "r": "er"}
_ODD = re.compile(rf"(?<![a-zê])({'|'.join([*_PHONEMES_OF, *_OTHERS])})([1-5])")


def _engine_pinyin(word: str) -> str:
    """A word of tone-numbered pinyin in the spelling that the library reads right."""

    def spell(match: re.Match[str]) -> str:
        syllable, tone = match.groups()
        if syllable in _OTHERS:
            return _OTHERS[syllable] + tone
        return f" [[{_PHONEMES_OF[syllable]}{_TONES[tone]}]] "

    return _ODD.sub(spell, word)


class _Library:
    """The loaded library; to be used on one thread only."""

    sample_rate: int

    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise VoiceMissing(f"espeak-ng cannot be loaded: {error}; reinstall espeakng-loader") from error
        self.sample_rate = self._lib.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _CHUNK_MS, data.encode(), _INITIALIZE_DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise VoiceMissing(f"espeak-ng finds no data in {data}; reinstall espeakng-loader")
        self._made: list[bytes] = []
        self._callback = _ON_AUDIO(self._on_audio)  # kept: the library holds only a bare pointer to it
        self._lib.espeak_SetSynthCallback(self._callback)
        self.gains: dict[str, float] = {}

    def _on_audio(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count:
            self._made.append(ctypes.string_at(samples, 2 * count))
        return 0

    def render(self, phrase: Phrase, variant: str, rate: float, pitch: int = _USUAL_PITCH) -> bytes:
        """Synthesise one phrase, native level, trimmed; raises VoiceFailed."""
        language = "cmn-latn-pinyin" if phrase.language == "zh" else "en-us"
        words = map(_engine_pinyin, phrase.words) if phrase.language == "zh" else phrase.words
        line = " ".join(words).encode() + b"\0"
        self._made.clear()
        failed = self._lib.espeak_SetVoiceByName(f"{language}+{variant}".encode())
        self._lib.espeak_SetParameter(_RATE, round(_WORDS_PER_MINUTE * rate), 0)
        self._lib.espeak_SetParameter(_VOLUME, _LOUDNESS, 0)
        self._lib.espeak_SetParameter(_PITCH, pitch, 0)
        failed = failed or self._lib.espeak_Synth(
            line, len(line), 0, _POS_CHARACTER, 0, _CHARS_UTF8 | _PHONEMES, None, None
        )
        if failed:
            raise VoiceFailed(f"espeak-ng failed with code {failed}", retryable=True)
        trimmer = pcm.SilenceTrimmer(self.sample_rate, lead_s=LEAD_S, tail_s=TAIL_S, floor=60)
        return trimmer.push(b"".join(self._made)) + trimmer.finish()

    def gain(self, variant: str) -> float:
        """What brings a variant to LEVEL_DBFS; measured once, so that every phrase is equally loud."""
        if variant not in self.gains:
            audio = np.frombuffer(b"".join(self.render(p, variant, 1.0) for p in _PROBE), np.int16)
            rms = math.sqrt(float(np.mean(audio.astype(np.float64) ** 2))) if audio.size else 0.0
            if rms < 1.0:
                raise VoiceFailed(f"espeak-ng's variant {variant} makes no sound", retryable=False)
            self.gains[variant] = 32768 * 10 ** (LEVEL_DBFS / 20) / rms
        return self.gains[variant]


_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")
_loaded: list[_Library] = []


def _library() -> _Library:
    if not _loaded:
        _loaded.append(_Library())
    return _loaded[0]


def _prepare(variant: str) -> int:
    phrases("准备")  # loads jieba's and pypinyin's dictionaries now, not in the first call
    library = _library()
    library.gain(variant)
    return library.sample_rate


def _render(phrase: Phrase, variant: str, rate: float, pitch: int) -> bytes:
    library = _library()
    audio = np.frombuffer(library.render(phrase, variant, rate, pitch), np.int16).astype(np.float32)
    limited = np.clip(audio * library.gain(variant), -32000, 32000).astype("<i2")
    speech: bytes = limited.tobytes()
    return speech + pcm.silence(phrase.pause_s / rate, library.sample_rate)


def known_variants() -> list[str]:
    """The speakers that the installed espeak-ng data holds, e.g. "Annie", "f5", "m8"."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return sorted(path.name for path in folder.iterdir() if path.is_file())


class EspeakVoice:
    """Speaks offline, from the first millisecond on, at the price of sounding like a machine."""

    def __init__(self, variant: str = DEFAULT_VARIANT, *, pitch: int = _USUAL_PITCH) -> None:
        """Load the library and its dictionaries, about 1 s the first time; `pitch` is 0..100.

        Raises VoiceMissing.
        """
        known = known_variants()
        if variant not in known:
            raise VoiceMissing(f"espeak-ng has no variant {variant!r}; known are {', '.join(known)}")
        self._variant, self._pitch = variant, pitch
        self.name = f"espeak:cmn-latn-pinyin+{variant}"
        self.sample_rate = _thread.submit(_prepare, variant).result()

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield mono s16le at `sample_rate`, phrase by phrase. Raises VoiceFailed."""
        loop = asyncio.get_running_loop()
        for phrase in await loop.run_in_executor(_thread, lambda: phrases(spoken(text))):
            audio = await loop.run_in_executor(_thread, _render, phrase, self._variant, rate, self._pitch)
            if audio:
                yield audio

    async def aclose(self) -> None:
        """Nothing to free: the library belongs to the process."""
