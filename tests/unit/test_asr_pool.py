"""The decoding threads: fair, in order, off the event loop; what waits is told; nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from asr import EngineFailed, ModelError
from asr.pool import CHUNK_S, DecodingPool, Load

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CHUNK = 1600  # bytes: 0.1 s


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Desk:
    """A decoder with one thread, which is held until `go()`; notes who was served, in order."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pool = DecodingPool("Test", 8000, 1, clock=self.clock)
        self.served: list[tuple[str, int, bool]] = []
        self.threads: set[int] = set()
        self._begun = threading.Event()
        self._released = threading.Event()

    def decoder(self, name: str) -> Callable[[bytes, bool], str]:
        def decode(pcm: bytes, last: bool) -> str:
            self._begun.set()
            assert self._released.wait(10)
            self.threads.add(threading.get_ident())
            self.served.append((name, len(pcm), last))
            return name

        return decode

    async def hold(self, calls: TaskGroup) -> None:
        """Have the thread busy with an utterance "x", which is waited for by nobody else."""
        calls.start_soon(self.hear, "x", given())
        await until(self._begun.is_set)

    def go(self) -> None:
        self._released.set()

    async def hear(self, name: str, audio: AsyncIterator[bytes]) -> list[str]:
        return [text async for text in self.pool.run(audio, self.decoder(name))]

    def names(self) -> str:
        return "".join(name for name, _, _ in self.served)

    def waiting(self) -> Load:
        """The pool's load, without what was decoded before."""
        return replace(self.pool.load(), decoded_s=0.0, busy_s=0.0)


async def given(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def unfinished(pcm: bytes, end: anyio.Event) -> AsyncIterator[bytes]:
    yield pcm
    await end.wait()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await checkpoint()


@pytest.fixture
def desk() -> Any:
    made = Desk()
    yield made
    made.go()
    made.pool.close()


async def test_audio_of_any_pieces_comes_in_chunks_and_the_last_is_marked(desk: Desk) -> None:
    desk.go()
    pieces = [bytes(7), bytes(2 * CHUNK), bytes(CHUNK), bytes(30)]
    assert await desk.hear("a", given(*pieces)) == ["a"] * 4
    assert desk.served == [*[("a", CHUNK, False)] * 3, ("a", 37, True)]
    assert await desk.hear("b", given()) == ["b"]
    assert desk.served[-1] == ("b", 0, True)
    assert threading.get_ident() not in desk.threads


async def test_a_minute_at_once_does_not_hold_up_another_call(desk: Desk) -> None:
    over = anyio.Event()
    async with anyio.create_task_group() as calls:
        await desk.hold(calls)
        calls.start_soon(desk.hear, "a", given(bytes(600 * CHUNK)))
        await until(lambda: desk.pool.load().waiting_s > 29.95)
        for name in "bc":
            calls.start_soon(desk.hear, name, unfinished(bytes(3 * CHUNK), over))
        await until(lambda: desk.pool.load().waiting_s > 30.55)
        desk.go()
        await until(lambda: desk.names().count("c") == 3)
        over.set()
    assert desk.names()[:10] == "xabcabcabc"
    assert len(desk.served) == 1 + 601 + 4 + 4
    assert [name for name, _, last in desk.served if last][-1] == "a"


async def test_who_has_finished_and_is_nearly_decoded_goes_first(desk: Desk) -> None:
    over = anyio.Event()
    async with anyio.create_task_group() as calls:
        await desk.hold(calls)
        for name in "ab":
            calls.start_soon(desk.hear, name, unfinished(bytes(4 * CHUNK), over))
        calls.start_soon(desk.hear, "d", given(bytes(8 * CHUNK)))
        calls.start_soon(desk.hear, "c", given(bytes(2 * CHUNK)))
        await until(lambda: desk.pool.load().waiting_s > 1.75)
        desk.go()
        await until(lambda: desk.names().count("d") == 9)
        over.set()
    assert desk.names().startswith("xccc"), "a finished utterance waited for unfinished ones"
    assert desk.names()[4:7] == "abd", "one that has much left goes in turn"


async def test_what_waits_is_told(desk: Desk) -> None:
    over = anyio.Event()
    async with anyio.create_task_group() as calls:
        await desk.hold(calls)
        assert desk.waiting() == Load(1, 0.0, 0.0)
        calls.start_soon(desk.hear, "a", unfinished(bytes(10 * CHUNK), over))
        await until(lambda: desk.pool.load().waiting_s > 0.95)
        assert desk.waiting() == Load(2, pytest.approx(1.0), 0.0)
        desk.clock.now_s += 2
        assert desk.waiting() == Load(2, pytest.approx(1.0), 2.0)
        calls.start_soon(desk.hear, "b", unfinished(bytes(CHUNK), over))
        await until(lambda: desk.pool.load().waiting_s > 1.05)
        desk.clock.now_s += 1
        assert desk.waiting() == Load(3, pytest.approx(1.1), 3.0), "the oldest counts"
        desk.go()
        await until(lambda: desk.waiting() == Load(2, 0.0, 0.0))
        over.set()
    assert desk.waiting() == Load()


async def test_what_was_decoded_and_how_long_it_took_is_told(desk: Desk) -> None:
    async def rest() -> AsyncIterator[bytes]:
        yield bytes(CHUNK)
        desk.clock.now_s += 5.0  # nobody decodes now
        yield bytes(CHUNK // 2)

    def slowly(_pcm: bytes, _last: bool) -> str:
        desk.clock.now_s += 0.03
        return "a"

    assert [text async for text in desk.pool.run(given(bytes(9 * CHUNK), bytes(CHUNK)), slowly)]
    await until(lambda: desk.pool.load().busy_s > 10.5 * 0.03)
    assert desk.pool.load() == Load(0, 0.0, 0.0, pytest.approx(1.0), pytest.approx(11 * 0.03))
    desk.go()
    assert await desk.hear("b", rest())
    await until(lambda: desk.pool.load().decoded_s > 1.12)
    assert desk.pool.load().decoded_s == pytest.approx(1.15)


async def test_a_chunk_on_which_the_decoder_failed_took_its_time_too(desk: Desk) -> None:
    def fail(_pcm: bytes, _last: bool) -> str:
        desk.clock.now_s += 0.5
        raise ValueError("bad frame")

    with pytest.raises(EngineFailed):
        [text async for text in desk.pool.run(given(bytes(CHUNK)), fail)]
    await until(lambda: desk.pool.load().busy_s > 0)
    assert desk.pool.load() == Load(0, 0.0, 0.0, pytest.approx(0.1), pytest.approx(0.5))


def test_the_load_of_several_recognisers_is_that_of_the_process() -> None:
    assert Load.together([Load(1, 2.0, 0.5, 10.0, 3.0), Load(2, 1.0, 0.7, 5.0, 1.0)]) == Load(
        3, 3.0, 0.7, 15.0, 4.0
    )
    assert Load.together([]) == Load()


async def test_a_source_without_end_is_not_read_without_end(desk: Desk) -> None:
    given_s = 0.0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given_s
        while True:
            given_s += CHUNK_S
            yield bytes(CHUNK)

    async with anyio.create_task_group() as calls:
        calls.start_soon(desk.hear, "a", endless())
        await until(lambda: desk.pool.load().waiting_s > 29.85)
        for _ in range(100):
            await checkpoint()
        assert given_s < 31
        desk.go()
        await until(lambda: given_s > 40)
        calls.cancel_scope.cancel()


async def test_who_leaves_is_not_decoded_any_more(desk: Desk) -> None:
    tasks = len(anyio.get_running_tasks())
    async with anyio.create_task_group() as calls:
        await desk.hold(calls)
        for name in "ab":
            calls.start_soon(desk.hear, name, given(bytes(50 * CHUNK)))
        await until(lambda: desk.pool.load().waiting_s > 9.95)
        calls.cancel_scope.cancel()
    assert len(anyio.get_running_tasks()) == tasks
    assert desk.waiting() == Load()
    desk.go()
    assert await desk.hear("c", given(bytes(CHUNK))) == ["c", "c"]
    assert desk.names() == "xcc", "the one chunk that had begun, and the newcomer's"


async def test_leaving_in_the_middle_ends_the_reading(desk: Desk) -> None:
    desk.go()
    over = anyio.Event()
    tasks = len(anyio.get_running_tasks())
    async with aclosing(desk.pool.run(unfinished(bytes(CHUNK), over), desk.decoder("a"))) as outcomes:
        assert await anext(outcomes) == "a"
    assert len(anyio.get_running_tasks()) == tasks


@pytest.mark.parametrize(
    ("raised", "told", "retryable"),
    [
        (ValueError("bad frame"), "Test failed on an utterance: bad frame", True),
        (EngineFailed("no second try", retryable=False), "no second try", False),
        (ModelError("gone"), "gone", False),
    ],
)
async def test_a_decoder_that_fails_ends_its_own_utterance(
    desk: Desk, raised: Exception, told: str, retryable: bool
) -> None:
    served = 0

    def decode(_pcm: bytes, _last: bool) -> str:
        nonlocal served
        served += 1
        if served == 3:
            raise raised
        return "x"

    desk.go()
    with pytest.raises((EngineFailed, ModelError)) as caught:
        [text async for text in desk.pool.run(given(bytes(9 * CHUNK)), decode)]
    assert str(caught.value) == told
    assert caught.value.retryable is retryable
    assert served == 3
    assert await desk.hear("b", given(bytes(CHUNK))) == ["b", "b"]


@pytest.mark.parametrize("error", [ConnectionError("the line is gone"), asyncio.CancelledError()])
async def test_a_source_that_fails_ends_its_utterance(desk: Desk, error: BaseException) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(CHUNK)
        raise error

    desk.go()
    with pytest.raises(type(error)):
        await desk.hear("a", broken())


async def test_closing_ends_all_and_takes_no_more(desk: Desk) -> None:
    errors: list[EngineFailed] = []

    async def one(name: str) -> None:
        with pytest.raises(EngineFailed, match="the recogniser is closed") as caught:
            await desk.hear(name, given(bytes(50 * CHUNK)))
        errors.append(caught.value)

    async with anyio.create_task_group() as calls:
        for name in "ab":
            calls.start_soon(one, name)
        await until(lambda: desk.pool.load().waiting_s > 9.85)
        desk.pool.close()
    await one("c")
    assert [error.retryable for error in errors] == [False] * 3


def test_a_decoder_that_ends_after_the_loop_does_no_harm() -> None:
    desk = Desk()

    async def leave() -> None:
        async with anyio.create_task_group() as calls:
            await desk.hold(calls)
            calls.cancel_scope.cancel()

    asyncio.run(leave())
    desk.go()
    desk.pool._threads.shutdown(wait=True)
    assert desk.names() == "x"
