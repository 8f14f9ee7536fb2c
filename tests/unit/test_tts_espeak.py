"""The offline voice, really synthesising."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import anyio
import numpy as np
import pytest
import soxr
import vosk
from pypinyin import Style
from pypinyin.constants import PINYIN_DICT
from pypinyin.style import convert

from tts import VoiceMissing
from tts.espeak_voice import EspeakVoice, _engine_pinyin, known_variants

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

PHRASE = "社保卡丢了怎么补办"


@cache
def voice(variant: str = "Annie") -> EspeakVoice:
    return EspeakVoice(variant)


async def say(text: str, *, variant: str = "Annie", rate: float = 1.0) -> np.ndarray:
    chunks = [chunk async for chunk in voice(variant).speak(text, rate=rate)]
    assert all(chunks)
    return np.frombuffer(b"".join(chunks), np.int16)


@pytest.mark.parametrize("variant", ["Annie", "f2", "f5", "m8"])
async def test_every_voice_is_equally_loud_and_starts_at_once(variant: str) -> None:
    audio = (await say("我要投诉小区噪音扰民", variant=variant)).astype(np.float64)
    level_dbfs = 20 * math.log10(float(np.sqrt(np.mean(audio**2))) / 32768)
    assert -23 < level_dbfs < -17
    assert np.abs(audio).max() <= 32000
    assert np.argmax(np.abs(audio) > 300) < 0.06 * 22050


@pytest.mark.parametrize("variant", ["Annie", "f5", "m8"])
@pytest.mark.parametrize("text", [PHRASE, "我要投诉小区噪音扰民"])
async def test_the_built_in_recogniser_understands_it_at_telephone_rate(variant: str, text: str) -> None:
    vosk.SetLogLevel(-1)
    model = vosk.Model(str(Path(__file__).parents[2] / "asr" / "builtin" / "model"))
    heard = vosk.KaldiRecognizer(model, 8000)
    audio = soxr.resample(await say(text, variant=variant), 22050, 8000)
    heard.AcceptWaveform(
        np.concatenate([np.zeros(2400, np.int16), audio, np.zeros(4000, np.int16)]).tobytes()
    )
    assert json.loads(heard.FinalResult())["text"].replace(" ", "") == text


async def test_digits_are_spoken_and_marks_are_pauses() -> None:
    assert len(await say("12345")) == pytest.approx(len(await say("幺二三四五")), rel=0.05)
    assert len(await say("您好，请讲")) > len(await say("您好请讲")) + 0.05 * 22050


async def test_rate_slows_down_and_speeds_up() -> None:
    normal = len(await say(PHRASE))
    assert len(await say(PHRASE, rate=0.7)) > 1.2 * normal
    assert len(await say(PHRASE, rate=1.3)) < 0.9 * normal


@pytest.mark.parametrize("text", ["", "。", "😀", "[[h@l@U]]。/"])
async def test_odd_text_is_no_error(text: str) -> None:
    await say(text)


async def test_many_callers_at_once_each_get_their_own_words() -> None:
    texts = ["好的", PHRASE, "我要投诉小区噪音扰民", "请您稍等，正在为您转接人工坐席"]
    alone = [len(await say(text)) for text in texts]
    together: list[int] = [0] * 20

    async def one(at: int) -> None:
        together[at] = len(await say(texts[at % 4]))

    async with anyio.create_task_group() as group:
        for at in range(20):
            group.start_soon(one, at)
    assert together == pytest.approx(alone * 5, rel=0.05)


async def test_an_unknown_variant_is_refused_naming_the_known() -> None:
    with pytest.raises(VoiceMissing, match=r"no variant 'nobody'; known are .*Annie.*m8"):
        EspeakVoice("nobody")
    assert {"Annie", "f5", "m8"} <= set(known_variants())


async def test_no_syllable_of_mandarin_is_left_to_the_library_as_english() -> None:
    """The library switches to English for a syllable it lacks; then its phonemes begin with (en)."""
    from tts.espeak_voice import _library, _thread

    readings = {part for row in PINYIN_DICT.values() for part in row.split(",")}
    syllables = sorted({convert(reading, Style.TONE3, True).replace("ü", "v") for reading in readings})
    words = [_engine_pinyin(one if one[-1].isdigit() else one + "5") for one in syllables]

    def english() -> list[str]:
        import ctypes

        lib = _library()._lib
        lib.espeak_SetVoiceByName(b"cmn-latn-pinyin+Annie")
        lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        found = []
        for word in words:
            text = ctypes.pointer(ctypes.c_char_p(word.encode()))
            if "[[" not in word and b"(en)" in lib.espeak_TextToPhonemes(text, 1, 0):
                found.append(word)
        return found

    voice()
    assert len(words) > 1200
    assert _thread.submit(english).result() == []
