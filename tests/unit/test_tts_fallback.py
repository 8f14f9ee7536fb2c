"""The chain of voices and its circuit breaker; and the factory that builds it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tts import TtsError, VoiceFailed, VoiceMissing
from tts.cache import CachedVoice
from tts.factory import open_voice
from tts.fallback import FallbackVoice, unheard
from tts.piper_voice import PiperVoice

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Scripted:
    """Yields its letter for each character; raises `error` after `after` seconds of one-second characters."""

    sample_rate = 8000

    def __init__(self, letter: bytes, error: TtsError | None = None, after: int = 0) -> None:
        self.name = letter.decode()
        self.letter, self.error, self.after = letter, error, after
        self.asked: list[str] = []

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncIterator[bytes]:
        self.asked.append(text)
        for at in range(len(text)):
            if self.error and at == self.after:
                raise self.error
            yield self.letter * 16000
        if self.error:
            raise self.error

    async def aclose(self) -> None: ...


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


BROKEN = VoiceFailed("broken", retryable=True)


def chain(*voices: Scripted, clock: Clock | None = None) -> FallbackVoice:
    links = [CachedVoice(voice, memory_items=0) for voice in voices]
    return FallbackVoice(links, failure_threshold=2, retry_after_s=30, clock=clock or Clock())


async def who(voice: FallbackVoice, text: str) -> str:
    audio = b"".join([chunk async for chunk in voice.speak(text)])
    return audio[::16000].decode()


async def test_the_first_speaks_while_it_works() -> None:
    second = Scripted(b"b")
    assert await who(chain(Scripted(b"a"), second), "您好") == "aa"
    assert second.asked == []


async def test_the_next_says_it_all_when_one_fails_before_its_first_sound() -> None:
    assert await who(chain(Scripted(b"a", BROKEN), Scripted(b"b")), "您好") == "bb"


async def test_after_a_break_the_next_goes_on_from_the_last_pause() -> None:
    second = Scripted(b"b")
    text = "请带好身份证，到就近的社保网点办理"
    assert (await who(chain(Scripted(b"a", BROKEN, after=3), second), text)).startswith("aaab")
    assert second.asked == ["到就近的社保网点办理"]


def test_what_is_said_again_begins_at_a_pause_and_never_skips() -> None:
    assert unheard("请带好身份证，到网点办理", 0.0) == "请带好身份证，到网点办理"
    assert unheard("请带好身份证，到网点办理", 1.0) == "请带好身份证，到网点办理"
    assert unheard("请带好身份证，到网点办理", 2.5) == "到网点办理"


async def test_a_failing_voice_is_passed_over_and_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    clock, first, second = Clock(), Scripted(b"a", BROKEN), Scripted(b"b")
    voice = chain(first, second, clock=clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert await who(voice, "您好") == "bb"
    assert len(first.asked) == 2
    assert "voice a failed: broken" in caplog.text
    assert "您好" not in caplog.text
    clock.now += 31
    await who(voice, "您好")
    await who(voice, "您好")
    assert len(first.asked) == 3
    clock.now += 31
    first.error = None
    assert await who(voice, "您好") == "aa"
    first.error = BROKEN
    assert await who(voice, "您好") == "bb"
    first.error = None
    assert await who(voice, "您好") == "aa"


async def test_a_missing_voice_is_not_asked_twice() -> None:
    clock, first = Clock(), Scripted(b"a", VoiceMissing("gone"))
    voice = chain(first, Scripted(b"b"), clock=clock)
    await who(voice, "您好")
    clock.now += 1e6
    assert await who(voice, "您好") == "bb"
    assert len(first.asked) == 1


async def test_when_all_fail_it_says_so_and_still_tries_the_next_time() -> None:
    first, second = Scripted(b"a", BROKEN), Scripted(b"b", BROKEN)
    voice = chain(first, second)
    for _ in range(3):
        with pytest.raises(VoiceFailed, match="no voice could speak: a: broken; b: broken"):
            await who(voice, "您好")
    first.error = None
    assert await who(voice, "您好") == "aa"


async def test_warming_counts_a_dead_voice_and_fails_only_when_all_do() -> None:
    first, second = Scripted(b"a", BROKEN), Scripted(b"b")
    voice = chain(first, second)
    await voice.warm(["您好"])
    assert second.asked
    second.error = BROKEN
    with pytest.raises(VoiceFailed):
        await voice.warm(["再见"])


def test_a_chain_has_one_rate_and_at_least_one_voice() -> None:
    with pytest.raises(VoiceMissing):
        FallbackVoice([])
    with pytest.raises(ValueError, match="one sample rate"):
        FallbackVoice([CachedVoice(Scripted(b"a")), CachedVoice(Scripted(b"b"), sample_rate=16000)])


async def test_auto_is_offline_and_speaks_numbers_at_the_telephones_rate(tmp_path: Path) -> None:
    voice = open_voice(["auto"], voice="", cache_dir=tmp_path)
    assert voice.name.startswith("espeak:")
    assert voice.sample_rate == 8000
    digits = b"".join([chunk async for chunk in voice.speak("12345")])
    words = b"".join([chunk async for chunk in voice.speak("幺二三四五")])
    assert digits == words
    assert len(digits) > 16000
    await voice.aclose()


def test_a_voice_name_goes_to_the_engine_that_can_have_it() -> None:
    assert open_voice(["edge", "espeak"], voice="zh-CN-YunxiNeural").name == (
        "edge:zh-CN-YunxiNeural>espeak:cmn-latn-pinyin+Annie"
    )
    assert open_voice(["edge", "espeak"], voice="f2").name == (
        "edge:zh-CN-XiaoxiaoNeural>espeak:cmn-latn-pinyin+f2"
    )


@pytest.mark.parametrize(
    ("engines", "voice", "message"),
    [
        (["loud"], "", "unknown TTS engine 'loud'; known are auto, edge, espeak, piper"),
        ([], "", "known are auto, edge"),
        (["espeak"], "nobody", "no variant 'nobody'"),
        (["edge"], "xiaoxiao", "not an edge-tts voice"),
        (["piper"], "", "needs a model"),
    ],
)
def test_what_cannot_be_is_refused_clearly(engines: list[str], voice: str, message: str) -> None:
    with pytest.raises(VoiceMissing, match=message):
        open_voice(engines, voice=voice)


def test_piper_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(VoiceMissing, match=r"pip install 'hotline-voice-agent\[piper\]'|NAME.onnx"):
        PiperVoice(tmp_path / "voice.onnx")
