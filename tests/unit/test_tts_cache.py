"""The cache: what is kept, where, and what is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import anyio
import numpy as np
import pytest

from tts import VoiceFailed
from tts.cache import CachedVoice

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Tone:
    """A voice that hums 0.1 s per character at 440 Hz, and counts how often it was asked."""

    name = "tone"

    def __init__(self, sample_rate: int = 24000, fails_after: int | None = None) -> None:
        self.sample_rate = sample_rate
        self.fails_after = fails_after
        self.asked: list[tuple[str, float]] = []
        self.closed = 0

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        self.asked.append((text, rate))
        size = self.sample_rate // 10
        try:
            for at in range(len(text)):
                if at == self.fails_after:
                    raise VoiceFailed("broken", retryable=True)
                t = np.arange(at * size, (at + 1) * size) / self.sample_rate
                yield (8000 * np.sin(2 * np.pi * 440 * t)).astype("<i2").tobytes()
        finally:
            self.closed += 1

    async def aclose(self) -> None: ...


async def heard(voice: CachedVoice, text: str, rate: float = 1.0) -> bytes:
    return b"".join([chunk async for chunk in voice.speak(text, rate=rate)])


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 24000])
async def test_it_speaks_at_the_telephones_rate(sample_rate: int) -> None:
    audio = np.frombuffer(await heard(CachedVoice(Tone(sample_rate)), "你" * 10), np.int16)
    assert len(audio) == pytest.approx(8000, abs=8)
    spectrum = np.abs(np.fft.rfft(audio[:8000], 8000))
    assert spectrum.argmax() == 440
    assert np.sqrt(np.mean(audio.astype(float) ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.03)


async def test_the_second_time_costs_nothing_and_sounds_the_same() -> None:
    engine = Tone()
    voice = CachedVoice(engine)
    first = await heard(voice, "您好")
    assert await heard(voice, "您好") == first
    assert engine.asked == [("您好", 1.0)]
    await heard(voice, "您好", rate=0.8)
    assert len(engine.asked) == 2


async def test_memory_is_bounded_and_forgets_the_longest_unused() -> None:
    engine = Tone()
    voice = CachedVoice(engine, memory_items=2)
    for text in ["一", "二", "一", "三", "一", "二"]:
        await heard(voice, text)
    assert [text for text, _ in engine.asked] == ["一", "二", "三", "二"]


async def test_what_was_warmed_outlives_the_process_whole_and_by_clauses(tmp_path: Path) -> None:
    text = "您好，这里是12345热线。请问有什么可以帮您？"
    await CachedVoice(Tone(), tmp_path).warm([text])
    engine = Tone()
    later = CachedVoice(engine, tmp_path)
    assert await heard(later, text)
    assert await heard(later, "您好，")
    assert await heard(later, "这里是12345热线。")
    assert engine.asked == []


async def test_a_callers_words_are_never_left_in_files(tmp_path: Path) -> None:
    await heard(CachedVoice(Tone(), tmp_path), "您的电话是13800138000，对吗")
    assert files(tmp_path) == []


async def test_a_corrupt_file_is_made_anew(tmp_path: Path) -> None:
    voice = CachedVoice(Tone(), tmp_path)
    await voice.warm(["您好"])
    good = await heard(voice, "您好")
    (file,) = files(tmp_path)
    for bad in (b"", file.read_bytes()[:-100], b"x" + file.read_bytes()[1:]):
        file.write_bytes(bad)
        engine = Tone()
        assert await heard(CachedVoice(engine, tmp_path), "您好") == good
        assert len(engine.asked) == 1
        assert await heard(CachedVoice(Tone(fails_after=0), tmp_path), "您好") == good


async def test_the_folder_stays_within_its_limit(tmp_path: Path) -> None:
    voice = CachedVoice(Tone(), tmp_path, disk_bytes=10_000)
    await voice.warm(["一" * 4, "二" * 4, "三" * 4, "四" * 4])
    assert sum(file.stat().st_size for file in files(tmp_path)) <= 10_000
    assert files(tmp_path)


async def test_a_folder_that_cannot_be_had_costs_no_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    voice = CachedVoice(Tone(), tmp_path / "file" / "cache")
    await voice.warm(["您好"])
    assert await heard(voice, "您好")


async def test_what_failed_half_way_is_not_kept(tmp_path: Path) -> None:
    engine = Tone(fails_after=2)
    voice = CachedVoice(engine, tmp_path)
    with pytest.raises(VoiceFailed):
        await voice.warm(["你好你好"])
    engine.fails_after = None
    assert len(await heard(voice, "你好你好")) == pytest.approx(2 * 3200, abs=16)
    assert files(tmp_path) == []


class Gated(Tone):
    """Hums its first 0.1 s, and the rest once `opened`."""

    def __init__(self) -> None:
        super().__init__(8000)
        self.opened = anyio.Event()
        self.ended = anyio.Event()

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in super().speak(text, rate=rate):
                yield chunk
                await self.opened.wait()
        finally:
            self.ended.set()


async def abandon(voice: CachedVoice, text: str) -> None:
    """Listen to the first piece of it, as a caller does who interrupts."""
    async with aclosing(voice.speak(text)) as audio:
        await anext(audio)


async def test_what_was_abandoned_is_finished_and_kept_but_not_in_files(tmp_path: Path) -> None:
    engine = Gated()
    voice = CachedVoice(engine, tmp_path)
    await abandon(voice, "你好你好")
    assert not engine.ended.is_set()
    engine.opened.set()
    assert len(await heard(voice, "你好你好")) == 4 * 1600
    await abandon(voice, "再见再见")
    await engine.ended.wait()
    await voice.aclose()
    assert [text for text, _ in engine.asked] == ["你好你好", "再见再见"]
    assert files(tmp_path) == []


async def test_a_listener_who_is_cancelled_takes_nothing_from_the_others() -> None:
    engine = Gated()
    voice = CachedVoice(engine)
    whole: list[bytes] = []

    async def listen() -> None:
        whole.append(await heard(voice, "你好你好"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        tasks.start_soon(listen)
        with anyio.CancelScope() as scope:
            async with aclosing(voice.speak("你好你好")) as audio:
                async for _ in audio:
                    scope.cancel()
        engine.opened.set()
    assert [len(audio) for audio in whole] == [4 * 1600, 4 * 1600]
    assert len(engine.asked) == 1


async def test_what_nobody_waits_for_is_given_up_in_time_and_made_anew() -> None:
    engine = Gated()
    voice = CachedVoice(engine, finish_s=0.0)
    await abandon(voice, "你好你好")
    await engine.ended.wait()
    engine.opened.set()
    assert len(await heard(voice, "你好你好")) == 4 * 1600
    assert len(engine.asked) == 2


async def test_closing_ends_all_that_is_being_made() -> None:
    engine = Gated()
    voice = CachedVoice(engine)
    await abandon(voice, "你好你好")
    async with aclosing(voice.speak("再见再见")) as audio:
        await anext(audio)
        await voice.aclose()
        assert engine.closed == 2
        with pytest.raises(VoiceFailed, match="stopped"):
            await anext(audio)


async def test_what_fails_for_one_fails_for_all_who_listen_and_is_tried_again_by_the_next() -> None:
    engine = Tone(fails_after=2)
    voice = CachedVoice(engine)
    failed: list[VoiceFailed] = []

    async def listen() -> None:
        try:
            await heard(voice, "你好你好")
        except VoiceFailed as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        tasks.start_soon(listen)
    assert len(failed) == 2
    assert len(engine.asked) == 1
    engine.fails_after = None
    await heard(voice, "你好你好")
    assert len(engine.asked) == 2
