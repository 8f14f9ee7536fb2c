"""A trouble that is being dealt with already: the caller is offered to join that work order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialog import TicketDraft, TicketState
from tests.unit.conversation import DIALOG, FILED, Call, Tickets

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class OneOpen(Tickets):
    """An open work order about anything at 人民路."""

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return FILED if "人民路" in draft.slots["place"] else None


async def told(place: str) -> tuple[Call, str]:
    """A call up to where all has been said, and what the agent says then."""
    call = Call(dialog=replace(DIALOG, tickets=OneOpen()))
    said = ["我要投诉楼下饭店油烟很大", place, "昨天晚上", "我姓王", "就用这个号码"]
    reply = ""
    for text in said:
        reply = await call.hears(text)
        if "工单" in reply or "核对" in reply:
            break
    return call, reply


async def test_an_open_one_is_offered_and_joined() -> None:
    call, offer = await told("人民路十八号")
    assert "工单" in offer
    assert call.basis.expects == "yes_no"
    read_back = await call.hears("好的可以")
    assert "核对" in read_back
    await call.hears("对")
    assert call.filed is not None
    assert call.filed.draft.joins == FILED.number


async def test_who_does_not_want_to_join_gets_an_order_of_their_own() -> None:
    call, _ = await told("人民路十八号")
    assert "核对" in await call.hears("不用")
    await call.hears("对")
    assert call.filed is not None
    assert call.filed.draft.joins == ""


async def test_nothing_is_offered_where_nothing_is_open() -> None:
    call, read_back = await told("解放路十八号")
    assert "核对" in read_back
    await call.hears("对")
    assert call.filed is not None
    assert call.filed.draft.joins == ""
