"""The account of what a caller heard, and what a stop does at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from tts import VoiceFailed
from voice.media import BYTES_PER_S, SILENCE
from voice.mouth import S_PER_CHAR, Clause, Mouth, Speech
from voice.phone import FRAME_BYTES, FRAME_S
from voice.sip.leg import SipLeg

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


def speech(*clauses: tuple[str, float], complete: int | None = None, heard_s: float) -> Speech:
    """A stopped speech of clauses with their seconds of audio."""
    done = len(clauses) if complete is None else complete
    made = [Clause(text, False, duration_s, at < done) for at, (text, duration_s) in enumerate(clauses)]
    return Speech(clauses=made, heard_s=heard_s, stopped=True)


TWO = (("您好，", 0.6), ("请问有什么可以帮您？", 2.0))


@pytest.mark.parametrize(
    ("heard_s", "heard", "unheard"),
    [
        (0.0, "", "您好，请问有什么可以帮您？"),
        (0.3, "您", "您好，请问有什么可以帮您？"),
        (0.6, "您好，", "请问有什么可以帮您？"),
        (0.61, "您好，", "请问有什么可以帮您？"),
        (1.6, "您好，请问有什么", "请问有什么可以帮您？"),
        (2.6, "您好，请问有什么可以帮您？", ""),
    ],
)
def test_clauses_count_whole_and_the_cut_one_in_proportion(heard_s: float, heard: str, unheard: str) -> None:
    cut = speech(*TWO, heard_s=heard_s)
    assert cut.heard_text == heard
    assert cut.text[cut.done_chars :] == unheard


def test_a_clause_whose_audio_is_not_all_there_is_measured_by_the_usual_pace() -> None:
    """The voice runs half a second ahead of the caller: the audio made so far says nothing of the clause."""
    cut = speech(("请您带上身份证到任意一家银行补办。", 1.5), complete=0, heard_s=1.0)
    assert cut.heard_text == "请您带上身证到任意"[: int(1.0 / S_PER_CHAR)]
    slow = speech(("请您带上身份证到任意一家银行补办。", 1.5), complete=0, heard_s=1.0)
    slow.rate = 0.8
    assert len(slow.heard_text) == int(0.8 / S_PER_CHAR)


def test_all_the_audio_made_so_far_was_heard_but_not_the_clause() -> None:
    cut = speech(("您好，", 0.6), ("请问有什么可以帮您？", 0.4), complete=1, heard_s=1.0)
    assert cut.heard_text == "您好，请问"
    assert cut.text[cut.done_chars :] == "请问有什么可以帮您？"


def test_what_was_not_stopped_was_heard() -> None:
    whole = speech(("您好，", 0.6), ("再见。", 0.6), heard_s=1.2)
    whole.stopped = False
    assert whole.heard_text == whole.text == "您好，再见。"
    assert whole.done_chars == len(whole.text)


def test_a_filler_was_heard_but_is_no_part_of_the_reply() -> None:
    cut = speech(("好的，我查一下。", 1.5), *TWO, heard_s=1.5 + 0.6 + 1.0)
    cut.clauses[0].filler = True
    assert cut.heard_text == "好的，我查一下。您好，请问有什么"
    assert cut.heard_reply == "您好，请问有什么"
    assert cut.done_chars == len("您好，")


# -- speaking on a leg, ticked by hand -----------------------------------------------------------------------


class NoEndpoint:
    """A leg's endpoint that does nothing."""

    async def answer_leg(self, leg: SipLeg) -> None: ...

    async def send_keys(self, leg: SipLeg, digits: str) -> None: ...

    async def hangup_leg(self, leg: SipLeg, code: int) -> None: ...

    def give_ticks(self) -> None: ...


class Tones:
    """A voice: 0.2 s of audio a character in pieces of 0.1 s; breaks at the clause it is told to break at."""

    name = "tones"
    sample_rate = 8000

    def __init__(self, breaks_at: str = "") -> None:
        self.breaks_at = breaks_at
        self.rates: list[float] = []

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        self.rates.append(rate)
        if self.breaks_at and self.breaks_at in text:
            raise VoiceFailed("broken", retryable=False)
        for _ in range(2 * len(text)):
            yield b"\x01\x00" * (5 * FRAME_BYTES // 2)

    async def aclose(self) -> None: ...


def new_leg() -> SipLeg:
    return SipLeg(NoEndpoint(), asyncio.get_running_loop(), call_id="c", remote="138", local="12345")


async def tick(leg: SipLeg, seconds: float) -> bytes:
    """Let the telephone's clock run; everybody gets their turn between two frames."""
    sent = b""
    for _ in range(round(seconds / FRAME_S)):
        frame = leg.playout.take()
        leg.on_tick(SILENCE, frame)
        sent += frame
        await settle()
    return sent


async def settle() -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def text(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


async def test_saying_waits_until_all_was_heard() -> None:
    leg, said = new_leg(), Speech()
    mouth = Mouth(leg, Tones())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mouth.say, text("您好，请问", "有什么可以帮您？"), said)
        await settle()
        assert not mouth.audible
        sent = await tick(leg, 2.58)
        assert mouth.speech is said
        assert mouth.audible
        sent += await tick(leg, 0.02)
    assert sent.count(b"\x01\x00") == 2.6 * BYTES_PER_S / 2
    assert [clause.text for clause in said.clauses] == ["您好，", "请问有什么可以帮您？"]
    assert [clause.duration_s for clause in said.clauses] == pytest.approx([0.6, 2.0])
    assert not said.stopped
    assert said.heard_s == pytest.approx(2.6)
    assert mouth.speech is None


async def test_stop_is_silence_at_once_and_tells_what_was_heard() -> None:
    leg = new_leg()
    mouth = Mouth(leg, Tones())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mouth.say, text("您好，请问有什么可以帮您？"))
        await settle()
        await tick(leg, 1.0)
        said = mouth.stop()
        tasks.cancel_scope.cancel()
    assert said is not None
    assert said.heard_text == "您好，请问"
    assert not any(await tick(leg, 1.0))
    assert mouth.stop() is None


async def test_nothing_is_queued_by_a_speech_that_is_stopped_while_it_wakes() -> None:
    """The frame that makes room in the buffer and the stop come in the same turn of the loop."""
    leg = new_leg()
    mouth = Mouth(leg, Tones())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mouth.say, text("您好，请问有什么可以帮您？"))
        await settle()
        for _ in range(6):
            leg.on_tick(SILENCE, leg.playout.take())
        mouth.stop()
        tasks.cancel_scope.cancel()
    assert leg.playout.pending_s == 0.0


async def test_a_speech_that_ends_late_does_not_hide_the_next_one() -> None:
    leg = new_leg()
    release = anyio.Event()

    class Slow(Tones):
        async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
            try:
                async for pcm in super().speak(text):
                    yield pcm
            finally:
                with anyio.CancelScope(shield=True):
                    await release.wait()

    mouth, second = Mouth(leg, Slow()), Speech()
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def first() -> None:
            with scope:
                await mouth.say(text("第一句话，很长很长很长很长的一句话。"))

        tasks.start_soon(first)
        await settle()
        await tick(leg, 0.1)
        mouth.stop()
        scope.cancel()
        tasks.start_soon(mouth.say, text("第二句话。"), second)
        await settle()
        release.set()
        await settle()
        assert mouth.speech is second
        tasks.cancel_scope.cancel()


async def test_words_that_could_not_be_spoken_were_not_heard() -> None:
    leg, said = new_leg(), Speech()
    failed: list[VoiceFailed] = []

    async def say() -> None:
        try:
            await Mouth(leg, Tones(breaks_at="帮您")).say(text("您好，请问有什么可以帮您？"), said)
        except VoiceFailed as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(say)
        await settle()
        await tick(leg, 0.6)
    assert failed
    assert said.stopped
    assert said.text == "您好，请问有什么可以帮您？"
    assert said.heard_text == "您好，"


async def test_before_audio_is_awaited_once_before_anything_is_queued() -> None:
    leg = new_leg()
    pending_s: list[float] = []

    async def before() -> None:
        pending_s.append(leg.playout.pending_s)

    async def say() -> None:
        await Mouth(leg, Tones()).say(text("您好，再见。"), before_audio=before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(say)
        await settle()
        await tick(leg, 1.3)
    assert pending_s == [0.0]


async def test_the_rate_may_change_between_clauses() -> None:
    leg, said, voice = new_leg(), Speech(), Tones()

    async def slower() -> AsyncIterator[str]:
        yield "您好，"
        said.rate = 0.8
        yield "请问有什么可以帮您？"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Mouth(leg, voice).say, slower(), said)
        await settle()
        await tick(leg, 2.7)
    assert voice.rates == [1.0, 0.8]
