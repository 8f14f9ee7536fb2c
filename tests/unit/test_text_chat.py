"""The dialog by text: a conversation is on the record as a call, and ends though nobody says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import anyio
import anyio.lowlevel
import pytest

from dialog import Action, Basis, CallContext, Message, Summary, TicketDraft
from hotline import chat
from hotline.chat import TextChat
from voice.events import CallEnded, CallEvent

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Kept:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)

    async def durable(self) -> None:
        await anyio.lowlevel.checkpoint()


class Nods:
    """A dialog that says yes to everything."""

    def greeting(self, call: CallContext) -> str:
        return "您好。"

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncIterator[str | Basis | Action]:
        yield Basis(1.0)
        yield "好的。"

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        return Summary()


async def file_ticket(_call: CallContext, _key: str, _draft: TicketDraft) -> str:
    raise AssertionError("nothing is filed here")


async def test_a_conversation_that_nobody_goes_on_with_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Kept()
    text = TextChat(Nods(), file_ticket, journal, lambda: "c1")
    assert (await text("1", "你好"))["reply"] == "好的。"
    monkeypatch.setattr(chat, "LOOK_S", 0.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(text.run)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        assert not any(isinstance(event, CallEnded) for event in journal.events), "it has time"
        monkeypatch.setattr(chat, "IDLE_S", 0.0)
        while not isinstance(journal.events[-1], CallEnded):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    ended = journal.events[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.call_id, ended.end_reason, ended.outcome) == ("c1", "caller_hangup", "answered")
