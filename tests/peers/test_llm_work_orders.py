"""Work orders that a model wants filed: read back, confirmed, offered to join one that is open."""

from __future__ import annotations

import json

import pytest

from dialog import FileTicket, Message, TicketDraft, TicketState, phrases
from dialog.talk import Talk
from tests.peers.llm_calls import CALL, SLOTS, OneTicket, asked, opened, reply_of, reply_to
from tests.peers.llm_server import calls_tool, llm_server

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

FILE = calls_tool("file_ticket", json.dumps(SLOTS, ensure_ascii=False))
READ_BACK = (
    "我跟您核对一下。您反映的是，半夜施工很吵，地点在人民路18号，时间是昨天晚上，您姓王，"
    "联系电话就是您现在这个号码。请问对吗？"
)
TOLD = [
    *asked("我要反映人民路18号半夜施工很吵"),
    Message("agent", "请问是什么时候？"),
    Message("caller", "昨天晚上，我姓王"),
]


async def test_a_work_order_that_nobody_confirmed_is_read_back_and_the_embedded_dialog_goes_on() -> None:
    async with llm_server(FILE) as server, opened(server.url) as dialog:
        basis, text, action = await reply_of(dialog, TOLD)
        assert action is None
        assert text.startswith(phrases.READ_BACK)
        assert "人民路18号" in text
        assert isinstance(basis.memory, Talk)
        assert basis.memory.intake
        history = [*TOLD, Message("agent", text, memory=basis.memory), Message("caller", "对的")]
        _, _, action = await reply_of(dialog, history)
        assert len(server.requests) == 1
    assert isinstance(action, FileTicket)
    assert action.draft.slots["place"] == "人民路18号"
    assert action.draft.slots["contact"] == CALL.caller


async def test_words_before_an_unconfirmed_work_order_are_not_heard() -> None:
    script = calls_tool("file_ticket", json.dumps(SLOTS), text="好的，我马上为您登记。")
    _, text, action, _ = await reply_to(TOLD, script)
    assert text.startswith(phrases.READ_BACK)
    assert action is None


async def test_a_work_order_that_was_read_back_and_confirmed_is_filed() -> None:
    basis, text, action, _ = await reply_to(
        [*TOLD, Message("agent", READ_BACK), Message("caller", "对")], FILE
    )
    assert text == phrases.INTAKE_FILING
    assert isinstance(action, FileTicket)
    assert action.draft.slots["contact"] == CALL.caller
    assert isinstance(basis.memory, Talk)
    assert basis.memory.intake


@pytest.mark.parametrize(
    ("agent", "caller"),
    [
        (READ_BACK, "不对，是人民东路"),
        (READ_BACK, "嗯那个等一下"),
        ("请问还有什么可以帮您？", "对"),
        (READ_BACK.replace("人民路18号", "人民路81号"), "对"),
        (READ_BACK.replace("半夜施工很吵", "路灯不亮"), "对"),
        (READ_BACK.replace("就是您现在这个号码", "是幺三九，零零幺三，九零零零"), "对"),
    ],
)
async def test_a_yes_to_something_else_files_nothing(agent: str, caller: str) -> None:
    _, text, action, _ = await reply_to([*TOLD, Message("agent", agent), Message("caller", caller)], FILE)
    assert not isinstance(action, FileTicket)
    assert text


class OneOpen(OneTicket):
    """A store with an open work order about anything at 人民路."""

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return self.state if "人民路" in draft.slots["place"] else None


@pytest.mark.parametrize(
    "said",
    [TOLD, [*TOLD, Message("agent", READ_BACK), Message("caller", "对")]],
    ids=["not read back yet", "read back and confirmed"],
)
@pytest.mark.parametrize(("answer", "joins"), [("好的可以", OneTicket.state.number), ("不用", "")])
async def test_a_trouble_with_an_open_work_order_is_offered_to_join_it(
    said: list[Message], answer: str, joins: str
) -> None:
    async with llm_server(FILE) as server, opened(server.url, tickets=OneOpen()) as dialog:
        basis, offer, action = await reply_of(dialog, said)
        assert action is None
        assert phrases.INTAKE_JOIN in offer
        assert basis.expects == "yes_no"
        history = [*said, Message("agent", offer, memory=basis.memory), Message("caller", answer)]
        basis, read_back, _ = await reply_of(dialog, history)
        assert read_back.startswith(phrases.READ_BACK)
        history += [Message("agent", read_back, memory=basis.memory), Message("caller", "对")]
        _, _, action = await reply_of(dialog, history)
        assert len(server.requests) == 1
    assert isinstance(action, FileTicket)
    assert action.draft.joins == joins


async def test_a_trouble_that_nobody_reported_yet_is_not_offered_to_join_another() -> None:
    elsewhere = SLOTS | {"place": "解放路18号"}
    script = calls_tool("file_ticket", json.dumps(elsewhere, ensure_ascii=False))
    async with llm_server(script) as server, opened(server.url, tickets=OneOpen()) as dialog:
        _, text, _ = await reply_of(dialog, asked("我要反映解放路18号半夜施工很吵"))
    assert text.startswith(phrases.READ_BACK)
