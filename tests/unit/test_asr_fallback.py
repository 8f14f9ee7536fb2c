"""Falling back in mid-call: the chain of recognisers, the audio it keeps, and how servers are left alone.

An audio sample is a character here, so that a text shows exactly what audio an engine was given.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from asr import AsrError, EngineFailed, ModelError, Recognizer, Transcript
from asr.fallback import FallbackRecognizer
from asr.kept_audio import KeptAudio
from asr.server import BACK_OFF_MAX_S, Server

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

SAID = "请问出生证明要收费吗"
BROKEN = EngineFailed("broken", retryable=True)


class Engine:
    """Writes down what it hears; raises `error` once it has heard `after` characters, or after its final."""

    sample_rate = 8000

    def __init__(self, error: AsrError | None = None, *, after: int = 0, hears: str = "") -> None:
        self.error, self.after, self.hears = error, after, hears
        self.asked = 0
        self.closed = 0

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        self.asked += 1
        heard = ""
        if self.error and self.after == 0:
            raise self.error
        async for piece in audio:
            heard += piece.decode("utf-16-le")
            yield Transcript(self.hears or heard)
            if self.error and len(heard) == self.after:
                raise self.error
        yield Transcript(self.hears or heard, final=True, confidence=0.9)
        if self.error:
            raise self.error

    async def aclose(self) -> None:
        self.closed += 1


class First(Engine):
    """With a name of its own in the log."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def said(text: str = SAID) -> AsyncIterator[bytes]:
    for character in text:
        await anyio.lowlevel.checkpoint()
        yield character.encode("utf-16-le")


async def hear(engine: Recognizer, text: str = SAID) -> list[Transcript]:
    return [item async for item in engine.transcribe(said(text))]


async def test_the_first_hears_while_it_works() -> None:
    second = Engine()
    heard = await hear(FallbackRecognizer([Engine(), second]))
    assert heard == [
        *(Transcript(SAID[: end + 1]) for end in range(len(SAID))),
        Transcript(SAID, final=True, confidence=0.9),
    ]
    assert second.asked == 0


@pytest.mark.parametrize("after", [0, 1, 4, len(SAID)])
async def test_the_next_hears_it_all_wherever_the_first_breaks(
    after: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        heard = await hear(FallbackRecognizer([First(BROKEN, after=after), Engine()]))
    assert [item.text for item in heard] == [SAID[: end + 1] for end in range(len(SAID))] + [SAID]
    assert [item.final for item in heard] == [False] * len(SAID) + [True]
    assert [record.getMessage() for record in caplog.records] == [
        "recogniser First failed, Engine takes over: broken"
    ]


async def test_the_last_one_decides_even_with_fewer_words() -> None:
    heard = await hear(FallbackRecognizer([Engine(BROKEN, after=5), Engine(hears="请问")]))
    assert [item.text for item in heard] == [SAID[: end + 1] for end in range(5)] + ["请问"]


async def test_new_audio_flows_on_while_another_engine_takes_over() -> None:
    """Half of the words are spoken only after the first engine broke and the second has caught up."""
    caught_up = anyio.Event()

    async def source() -> AsyncIterator[bytes]:
        async for piece in said(SAID[:5]):
            yield piece
        await caught_up.wait()
        async for piece in said(SAID[5:]):
            yield piece

    class Second(Engine):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
            async for item in super().transcribe(audio):
                if item.text == SAID[:5]:
                    caught_up.set()
                yield item

    chain = FallbackRecognizer([Engine(BROKEN, after=3), Second()])
    heard = [item async for item in chain.transcribe(source())]
    assert [item.text for item in heard] == [SAID[: end + 1] for end in range(len(SAID))] + [SAID]


async def test_audio_is_taken_in_while_an_engine_is_stuck() -> None:
    taken, all_taken = 0, anyio.Event()

    async def source() -> AsyncIterator[bytes]:
        nonlocal taken
        async for piece in said():
            taken += 1
            yield piece
        all_taken.set()

    class Stuck(Engine):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
            await all_taken.wait()  # for ever, were the audio to wait for this engine
            raise BROKEN
            yield

    chain = FallbackRecognizer([Stuck(), Engine()])
    heard = [item async for item in chain.transcribe(source())]
    assert (taken, heard[-1].text) == (len(SAID), SAID)


async def test_a_broken_engine_is_left_alone_then_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, first, second = Clock(), First(BROKEN), Engine()
    chain = FallbackRecognizer([first, second], retry_after_s=30, clock=clock)
    for _ in range(3):
        assert (await hear(chain))[-1].text == SAID
    assert (first.asked, second.asked) == (1, 3)
    clock.now += 29
    await hear(chain)
    assert first.asked == 1
    clock.now += 1
    first.error = None
    with caplog.at_level(logging.INFO):
        await hear(chain)
        await hear(chain)
    assert (first.asked, second.asked) == (3, 4)
    assert [record.getMessage() for record in caplog.records][-1] == "recogniser First works again"


async def test_a_missing_model_is_not_asked_for_twice() -> None:
    clock, first = Clock(), Engine(ModelError("gone"))
    chain = FallbackRecognizer([first, Engine()], clock=clock)
    await hear(chain)
    clock.now += 1e6
    await hear(chain)
    assert first.asked == 1


async def test_when_all_fail_the_last_error_is_raised_and_the_next_call_tries_all() -> None:
    last = EngineFailed("the last one broke too", retryable=False)
    first, second = Engine(BROKEN, after=3), Engine(last, after=2)
    chain = FallbackRecognizer([first, second])
    with pytest.raises(EngineFailed) as raised:
        await hear(chain)
    assert raised.value is last
    first.error = None
    assert (await hear(chain))[-1].text == SAID


async def test_an_engine_without_a_final_has_failed() -> None:
    class Mute(Engine):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
            async for _ in audio:
                yield Transcript("请")

    heard = await hear(FallbackRecognizer([Mute(), Engine()]))
    assert [item.text for item in heard if item.final] == [SAID]
    with pytest.raises(EngineFailed, match="without a final"):
        await hear(FallbackRecognizer([Mute()]))


async def test_an_engine_that_breaks_after_its_final_is_not_followed_by_another() -> None:
    heard = await hear(FallbackRecognizer([Engine(BROKEN, after=99), Engine(hears="多余")]))
    assert [item.text for item in heard if item.final] == [SAID]


@pytest.mark.parametrize("error", [ConnectionError("the line is gone"), EngineFailed("x", retryable=True)])
async def test_an_error_of_the_audio_is_no_engines_fault(error: Exception) -> None:
    second = Engine()

    async def broken() -> AsyncIterator[bytes]:
        async for piece in said():
            yield piece
        raise error

    with pytest.raises(type(error)) as raised:
        [item async for item in FallbackRecognizer([Engine(), second]).transcribe(broken())]
    assert raised.value is error
    assert second.asked == 0


async def test_a_bug_in_an_engine_is_not_hidden_by_the_next() -> None:
    class Buggy(Engine):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
            raise ZeroDivisionError
            yield

    with pytest.raises(ZeroDivisionError):
        await hear(FallbackRecognizer([Buggy(), Engine()]))


async def test_cancelling_ends_everything_at_once() -> None:
    ended: list[str] = []

    class Careful(Engine):
        async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
            try:
                async for item in super().transcribe(audio):
                    yield item
            finally:
                ended.append("engine")

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                async for piece in said():
                    yield piece
        finally:
            ended.append("audio")

    tasks = len(anyio.get_running_tasks())
    with anyio.CancelScope() as call:
        async for item in FallbackRecognizer([Careful()]).transcribe(endless()):
            if len(item.text) == 3:
                call.cancel()
    assert call.cancelled_caught
    assert len(anyio.get_running_tasks()) == tasks
    assert sorted(ended) == ["audio", "engine"]


async def test_time_limits_of_the_listener_stay_its_own() -> None:
    """No time limit or task group of the chain's is open where the listener has the word."""
    heard = FallbackRecognizer([Engine()]).transcribe(said())
    with anyio.fail_after(5):
        first = await anext(heard)
    with anyio.move_on_after(5):
        second = await anext(heard)
    await heard.aclose()
    assert (first.text, second.text) == (SAID[:1], SAID[:2])


async def test_closing_closes_all_and_ends_what_runs() -> None:
    class Stubborn(Engine):
        async def aclose(self) -> None:
            await super().aclose()
            raise BROKEN

    engines = [Stubborn(), Engine(BROKEN, after=3)]
    chain = FallbackRecognizer([engines[1]])

    async def source() -> AsyncIterator[bytes]:
        async for piece in said(SAID[:2]):
            yield piece
        await chain.aclose()
        async for piece in said(SAID[2:]):
            yield piece

    with pytest.raises(EngineFailed, match="closed") as raised:
        [item async for item in chain.transcribe(source())]
    assert not raised.value.retryable
    with pytest.raises(EngineFailed, match="closed"):
        await hear(chain)
    with pytest.raises(EngineFailed, match="broken"):
        await FallbackRecognizer(engines).aclose()
    assert [engine.closed for engine in engines] == [1, 2]


def test_a_chain_has_one_rate_and_at_least_one_engine() -> None:
    other = Engine()
    other.sample_rate = 16000
    with pytest.raises(ModelError, match="at least one"):
        FallbackRecognizer([])
    with pytest.raises(ValueError, match=r"one sample rate, not \[8000, 16000\]"):
        FallbackRecognizer([Engine(), other])


async def test_kept_audio_is_all_there_for_each_reader() -> None:
    kept = KeptAudio()
    assert not kept.error
    async with anyio.create_task_group() as group:
        group.start_soon(kept.fill, said())
        early = b"".join([piece async for piece in kept.read()])
    late = b"".join([piece async for piece in kept.read()])
    assert early == late == SAID.encode("utf-16-le")


@pytest.mark.parametrize(
    ("pieces", "begins"), [([], False), ([b"", b"\0"], False), ([b"\0", b"", b"\0"], True), ([b"\0\0"], True)]
)
async def test_less_than_a_sample_is_no_audio(pieces: list[bytes], begins: bool) -> None:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    kept = KeptAudio()
    await kept.fill(source())
    assert await kept.has_begun() is begins


def test_a_failing_server_is_left_alone_ever_longer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    monkeypatch.setattr("asr.server.anyio.current_time", clock)
    server, other = Server("ws://user:secret@one:1/token", "server"), Server("ws://two", "server")

    def pause_s() -> float:
        began = clock.now
        server.failed(BROKEN)
        while server.rank(clock.now) > other.rank(clock.now):
            server.failed(BROKEN)  # of other calls at the same time: they do not count
            clock.now += 0.5
        return clock.now - began

    assert [pause_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, BACK_OFF_MAX_S, BACK_OFF_MAX_S]
    server.worked()
    assert pause_s() == 1
    assert len(caplog.records) == 9
    assert server.label == "server one:1"


def test_the_least_busy_server_is_asked_then_the_one_longest_not_asked() -> None:
    idle, busy, recent = (Server(f"ws://host{number}", "server") for number in range(3))
    busy.utterances, recent.last_asked = 1, 5
    assert sorted([busy, recent, idle], key=lambda server: server.rank(0.0)) == [idle, recent, busy]
