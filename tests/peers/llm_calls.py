"""Replies of the language model dialog to a small city's callers, from a scripted endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date

from dialog import Basis, CallContext, Dialog, Message, TicketDraft, TicketLookup, TicketState
from dialog.guidance import Guidance
from dialog.intake import Clerk
from dialog.knowledge import Knowledge
from dialog.llm import Endpoint, LlmDialog
from dialog.llm_stream import LlmTimeouts
from dialog.manager import EmbeddedDialog
from dialog.passages import Passage
from dialog.places import load_gazetteer
from dialog.taxonomy import load_taxonomy
from tests.peers.llm_server import LlmServer, Script, llm_server

CALL = CallContext("call-1", "13800138000")
ANSWER = "社保卡丢失后，请带身份证到银行网点补办，工本费20元。"
KNOWLEDGE = Knowledge(
    [
        Passage("social-001", "社保卡丢了怎么补办？", ANSWER, ("补办社保卡要带什么",)),
        Passage("water-001", "水费怎么交？", "请在手机上交水费。", ("交水费去哪里",)),
    ],
    lambda: date(2025, 6, 1),
)
NO_GUIDANCE = Guidance(())
CLERK = Clerk(load_gazetteer(), load_taxonomy())
QUESTION = "请问社保卡丢了怎么补办"
# What a model takes down of a complaint.
SLOTS = {
    "matter": "半夜施工很吵",
    "place": "人民路18号",
    "time": "昨天晚上",
    "name": "王",
    "contact": "【来电号码】",
}
FAST = LlmTimeouts(connect_s=1.0, first_token_s=0.3, idle_s=0.2, total_s=2.0)


class NoTickets:
    """A store without work orders."""

    async def by_number(self, number: str) -> TicketState | None:
        return None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        return ()

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return None


class OneTicket:
    """A store with one work order."""

    state = TicketState(
        "20250601001", "路灯不亮", "处理中", "市城市管理局", "2025-06-01T08:00:00Z", "王", "13800138000"
    )

    async def by_number(self, number: str) -> TicketState | None:
        return self.state if number == self.state.number else None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        return (self.state,) if caller == self.state.contact else ()

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return None


def asked(text: str) -> list[Message]:
    return [Message("agent", "您好"), Message("caller", text)]


@asynccontextmanager
async def opened(
    url: str,
    timeouts: LlmTimeouts = FAST,
    *others: str,
    knowledge: Knowledge = KNOWLEDGE,
    tickets: TicketLookup | None = None,
    guidance: Guidance = NO_GUIDANCE,
    logprobs: bool = False,
) -> AsyncIterator[LlmDialog]:
    """The dialog on the endpoint at `url`, then those at `others`, while the context lasts."""
    endpoints = [Endpoint(one, "m", "secret", logprobs) for one in (url, *others)]
    dialog = LlmDialog(
        endpoints,
        EmbeddedDialog(knowledge, tickets or NoTickets(), clerk=CLERK, guidance=guidance),
        knowledge,
        timeouts=timeouts,
    )
    try:
        yield dialog
    finally:
        await dialog.aclose()


async def reply(url: str, history: list[Message], timeouts: LlmTimeouts = FAST) -> tuple[Basis, str, object]:
    """The one basis, all text and the action of a reply; fails when the protocol of replies is broken."""
    async with opened(url, timeouts) as dialog:
        return await reply_of(dialog, history)


async def reply_of(dialog: Dialog, history: list[Message]) -> tuple[Basis, str, object]:
    """As `reply`, of a dialog that serves other calls as well."""
    items = [item async for item in dialog.reply(CALL, history)]
    assert isinstance(items[0], Basis)
    assert sum(isinstance(item, Basis) for item in items) == 1
    actions = [item for item in items if not isinstance(item, (str, Basis))]
    assert len(actions) <= 1
    assert not actions or items[-1] is actions[0]
    return items[0], "".join(item for item in items if isinstance(item, str)), actions[0] if actions else None


async def reply_to(
    history: list[Message], *scripts: Script, timeouts: LlmTimeouts = FAST
) -> tuple[Basis, str, object, LlmServer]:
    """As `reply`, from an endpoint that answers by these scripts."""
    async with llm_server(*scripts) as server:
        return (*await reply(server.url, history, timeouts), server)
