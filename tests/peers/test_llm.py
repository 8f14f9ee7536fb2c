"""The language model dialog against a scripted endpoint on loopback: real HTTP, real SSE, real faults."""

from __future__ import annotations

import json
import socket

import anyio
import pytest

from dialog import Basis, EndCall, Message, Transfer, phrases
from dialog.talk import Talk
from tests.peers.llm_calls import ANSWER, CALL, QUESTION, asked, opened, reply, reply_to
from tests.peers.llm_server import (
    Script,
    breaks_off,
    calls_tool,
    dribbles,
    garbles,
    llm_server,
    refuses,
    resets,
    says,
)

pytestmark = [pytest.mark.peers]


@pytest.mark.anyio
async def test_streams_the_answer_with_passages_in_the_prompt() -> None:
    basis, text, action, server = await reply_to(
        asked(QUESTION), says("请带身份证", "到银行补办，", "工本费20元。")
    )
    assert text == "请带身份证到银行补办，工本费20元。"
    assert action is None
    assert basis.sources == ("kb:social-001",)
    assert basis.confidence > 0.9
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.body["stream"] is True
    system, *_, question, search, found = request.body["messages"]
    assert ANSWER not in system["content"]
    assert question == {"role": "user", "content": QUESTION}
    assert search["tool_calls"][0]["function"]["name"] == "search_knowledge"
    assert found["tool_call_id"] == search["tool_calls"][0]["id"]
    assert ANSWER in found["content"]


FAULTS = [
    pytest.param(refuses("429 Too Many Requests"), id="429"),
    pytest.param(refuses("500 Internal Server Error"), id="500"),
    pytest.param(refuses("401 Unauthorized"), id="401"),
    pytest.param(resets(), id="reset"),
    pytest.param(garbles(), id="malformed"),
    pytest.param(dribbles(), id="dribble"),
    pytest.param(breaks_off(), id="disconnect"),
    pytest.param(says(), id="empty"),
    pytest.param(calls_tool("format_disk", "{}"), id="unknown-tool"),
    pytest.param(calls_tool("file_ticket", "{not json"), id="bad-arguments"),
    pytest.param(says("工本费五十元，也就是50元。"), id="invented-number"),
]


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_before_any_words_is_bridged_by_the_embedded_dialog(fault: Script) -> None:
    with anyio.fail_after(5):
        basis, text, action, server = await reply_to(asked(QUESTION), fault)
    assert ANSWER in text
    assert action is None
    assert basis.sources == ("kb:social-001",)
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_no_server_at_all_is_bridged() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        _, text, _ = await reply(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", asked(QUESTION))
    assert ANSWER in text


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [breaks_off, garbles, dribbles])
async def test_a_fault_within_the_reply_starts_over_with_the_embedded_answer(fault) -> None:
    with anyio.fail_after(5):
        _, text, _, _ = await reply_to(asked(QUESTION), fault("请您带", "身份证，", "到银"))
    assert text.startswith("请您带身份证，" + phrases.START_OVER)
    assert ANSWER in text
    assert "到银" + phrases.START_OVER not in text


@pytest.mark.anyio
async def test_a_fault_within_the_reply_asks_again_where_the_embedded_reply_would_need_memory() -> None:
    _, text, action, _ = await reply_to(asked("我要投诉饭店油烟很大"), breaks_off("您别着急，"))
    assert text == "您别着急，" + phrases.PROBLEM_RETRY
    assert action is None


@pytest.mark.anyio
async def test_a_seat_is_told_nothing_that_the_caller_did_not_say() -> None:
    arguments = json.dumps({"reason": "low_confidence", "request": "三台无人机在江北机场的飞行许可"})
    _, _, action, _ = await reply_to(asked("无人机许可怎么申请"), calls_tool("transfer", arguments))
    assert isinstance(action, Transfer)
    assert action.summary.request == "无人机许可怎么申请"


@pytest.mark.anyio
async def test_a_fault_after_mere_politeness_is_not_heard_at_all() -> None:
    basis, text, _, _ = await reply_to(asked("我要投诉饭店油烟很大"), breaks_off("好的，"))
    assert text == phrases.INTAKE_NOTED + phrases.INTAKE_PLACE
    assert isinstance(basis.memory, Talk)
    assert basis.memory.intake


@pytest.mark.anyio
async def test_transfer_tool_with_blank_text_is_not_silent() -> None:
    arguments = json.dumps({"reason": "low_confidence", "request": "无人机飞行许可怎么申请"})
    said = asked("我想知道无人机飞行许可怎么申请")
    _, text, action, _ = await reply_to(said, calls_tool("transfer", arguments))
    assert text == phrases.NO_ANSWER_TRANSFER
    assert isinstance(action, Transfer)
    assert action.reason == "low_confidence"
    assert action.summary.request == "无人机飞行许可怎么申请"
    assert action.summary.caller == "13800138000"


@pytest.mark.anyio
async def test_words_before_a_tool_call_are_said_once() -> None:
    _, text, action, _ = await reply_to(
        asked("没有了谢谢"), calls_tool("end_call", "{}", "好的，祝您生活愉快。")
    )
    assert text == "好的，祝您生活愉快。"
    assert isinstance(action, EndCall)


@pytest.mark.anyio
async def test_orders_never_reach_the_model() -> None:
    _, _, action, server = await reply_to(asked("转人工"), says("请稍等，我先问您几个问题。"))
    assert isinstance(action, Transfer)
    assert action.reason == "caller_asked"
    assert server.requests == []


@pytest.mark.anyio
async def test_what_the_embedded_dialog_began_it_finishes() -> None:
    history = asked("我要投诉饭店油烟很大")
    basis, text, _, _ = await reply_to(history, refuses("503 Service Unavailable"))
    assert phrases.INTAKE_PLACE in text
    assert isinstance(basis.memory, Talk)
    history += [Message("agent", text, memory=basis.memory), Message("caller", "人民路十八号")]
    _, text, _, server = await reply_to(history, says("好的。"))
    assert text == phrases.INTAKE_TIME
    assert server.requests == []


@pytest.mark.anyio
async def test_closing_a_reply_early_hangs_up_on_the_server() -> None:
    async with llm_server(dribbles("请您带身份证，")) as server, opened(server.url) as dialog:
        answer = dialog.reply(CALL, asked(QUESTION))
        assert isinstance(await anext(answer), Basis)
        assert await anext(answer) == "请您带身份证，"
        await answer.aclose()
        with anyio.fail_after(2):
            await server.hung_up.wait()
