"""A reply made before the turn is over: taken when it is the answer, thrown away otherwise, not too often."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dialog import Basis, Message
from voice.replies import Reply
from voice.work_ahead import MAX_DRAFTS, SURE, SURE_ENOUGH, WorkAhead

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

GREETING = Message("agent", "您好，请问有什么可以帮您？")


def said(text: str, confidence: float = SURE, heard: str = "") -> Sequence[Message]:
    return (GREETING, Message("caller", text, confidence, heard=heard))


class Desk:
    """Makes drafts and notes what became of them."""

    def __init__(self) -> None:
        self.made: list[Reply] = []
        self.discarded: list[Reply] = []
        self.ahead = WorkAhead(self.discarded.append)

    def make(self, messages: Sequence[Message]) -> Reply:
        self.made.append(Reply(-1, None, Basis(1.0)))
        return self.made[-1]


async def test_the_same_words_take_the_draft_and_only_once() -> None:
    desk = Desk()
    desk.ahead.prepare(said("社保卡丢了怎么补办"), desk.make)
    assert desk.ahead.take(said("社保卡丢了怎么补办？", 0.97)) is desk.made[0]
    assert desk.ahead.take(said("社保卡丢了怎么补办")) is None
    assert desk.discarded == []


async def test_words_written_otherwise_are_the_same_words() -> None:
    desk = Desk()
    desk.ahead.prepare(said("人民路十八号"), desk.make)
    assert desk.ahead.take(said("人民路18号", heard="人民路十八号")) is desk.made[0]


@pytest.mark.parametrize(
    "messages",
    [
        said("社保卡丢了怎么补办呢"),
        said("社保卡丢了怎么补办", SURE_ENOUGH - 0.01),
        (*said("社保卡丢了怎么补办"), GREETING, Message("caller", "社保卡丢了怎么补办")),
    ],
    ids=["other words", "not as sure", "another place in the call"],
)
async def test_another_meaning_throws_it_away(messages: Sequence[Message]) -> None:
    desk = Desk()
    desk.ahead.prepare(said("社保卡丢了怎么补办"), desk.make)
    assert desk.ahead.take(messages) is None
    assert desk.discarded == desk.made


async def test_a_draft_that_failed_is_no_answer() -> None:
    desk = Desk()
    desk.ahead.prepare(said("社保卡"), desk.make)
    desk.made[0].failure = "dialog"
    assert desk.ahead.take(said("社保卡")) is None


async def test_the_same_words_are_not_made_twice_and_others_not_without_end() -> None:
    desk = Desk()
    for text in ("我", "我", "我想", "我想问", "我想问一下", "我想问一下社保"):
        desk.ahead.prepare(said(text), desk.make)
    assert len(desk.made) == MAX_DRAFTS
    assert desk.discarded == desk.made, "each was of words that went on"
    desk.ahead.new_turn()
    desk.ahead.prepare(said("那医保呢"), desk.make)
    assert len(desk.made) == MAX_DRAFTS + 1


async def test_what_is_not_wanted_any_more_is_thrown_away_once() -> None:
    desk = Desk()
    desk.ahead.prepare(said("社保卡"), desk.make)
    desk.ahead.forget()
    desk.ahead.forget()
    assert desk.discarded == desk.made
