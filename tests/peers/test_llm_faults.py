"""Everything a model's service can do wrong ends in words or a transfer within 3 s, and in the record."""

from __future__ import annotations

import json
import time

import anyio
import pytest
import structlog.testing

from dialog import Basis, Transfer, phrases
from dialog.llm_reply import MAX_CHARS, MAX_SENTENCES
from dialog.llm_stream import LlmTimeouts
from tests.peers.llm_calls import ANSWER, QUESTION, asked, opened, reply_of, reply_to
from tests.peers.llm_server import (
    Request,
    Script,
    asks_for_rest,
    breaks_off,
    calls_tool,
    calls_tools,
    dribbles,
    drips_arguments,
    garbles,
    llm_server,
    reasons,
    refuses,
    resets,
    says,
    thinks_for_ever,
)

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

WITHIN_S = 3.0
SEARCH = calls_tool("search_knowledge", '{"query": "社保卡"}')

# What the service does → why, as the record has it.
FAULTS: dict[str, tuple[Script, str]] = {
    "tool call with blank text": (calls_tool("end_call", "{}", " \n"), ""),
    "arguments that are not JSON": (calls_tool("search_knowledge", '{"query": '), "arguments"),
    "arguments that are a list": (calls_tool("search_knowledge", '["社保卡"]'), "arguments"),
    "arguments of a wrong type": (calls_tool("search_knowledge", '{"query": {"a": 1}}'), "arguments"),
    "a work order that is a number": (calls_tool("file_ticket", '{"matter": ["噪音"]}'), "arguments"),
    "a work order without a matter": (calls_tool("file_ticket", '{"matter": " "}'), "work order"),
    "unknown tool": (calls_tool("format_disk", "{}"), "unknown tool"),
    "a known and an unknown tool": (calls_tools(("end_call", "{}"), ("rm", "{}")), "unknown tool"),
    "tool call without end": (drips_arguments("transfer", every_s=0.05), "service"),
    "looking up for ever": (SEARCH, "looking up"),
    "half a stream": (breaks_off("请您带"), "service"),
    "half a clause, then garbage": (garbles("请您带"), "service"),
    "429": (refuses("429 Too Many Requests"), "service"),
    "429 with a rest": (asks_for_rest("20"), "service"),
    "500": (refuses("500 Internal Server Error"), "service"),
    "401": (refuses("401 Unauthorized"), "service"),
    "reset": (resets(), "service"),
    "silence": (thinks_for_ever(), "service"),
    "endless dribble": (dribbles("请您"), "service"),
    "refusal": (says("抱歉，", "我不能回答这个问题。"), "refusal"),
    "refusal as a machine": (says("作为一个人工智能语言模型，我没有权限。"), "refusal"),
    "does not know and forgets to hand over": (says("我这边没有查到相关规定。"), "refusal"),
    "empty": (says(), "service"),
    "blanks": (says(" ", "\n", "　"), "service"),
    "punctuation": (says("。", "……", "！"), "service"),
    "only bold marks": (says("****"), "service"),
    "internet address": (says("请登录www.example.gov.cn办理。"), "internet address"),
    "internet address in Markdown": (says("请看[这里](http://example.com)。"), "internet address"),
    "English": (says("Please bring your ID card to the bank."), "language"),
    "English reasoning": (says("Okay, the user asks about the card. ", "请带身份证。"), "language"),
    "Japanese": (says("カードをなくした場合は、銀行へ行ってください。"), "language"),
    "reasoning aloud": (says("用户问的是社保卡补办，", "我需要先查找资料。"), "reasoning"),
    "a tool call as text": (says('<tool_call>{"name": "transfer"}</tool_call>'), "instructions"),
    "JSON": (says('{"answer": "带身份证"}'), "code"),
    "only thoughts": (reasons("市民问的是社保卡。"), "service"),
    "thoughts without end": (says("<think>市民问的是社保卡，我想一想"), "service"),
    "an invented price": (says("工本费五十元。"), "figure"),
    "a mark that hides nothing": (says("您是【姓名7】，"), "unknown mark"),
    "something done that was not": (says("好的，", "已经帮您登记了。"), "something done"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_in_words_or_a_transfer_within_3_s(fault: str) -> None:
    script, why = FAULTS[fault]
    async with llm_server(script) as server, opened(server.url, LlmTimeouts()) as dialog:
        started = time.monotonic()
        with anyio.fail_after(10):
            basis, text, _ = await reply_of(dialog, asked(QUESTION))
        took_s = time.monotonic() - started
    assert took_s < WITHIN_S
    assert ANSWER in text or text == phrases.ANYTHING_ELSE
    assert str(basis.decision.get("llm", "")).startswith(why)
    assert basis.decision["kind"]


CLEANED = {
    "Markdown": (("**请带身份证**，", "到`银行`补办。"), "请带身份证，到银行补办。"),
    "a list": (("1. 请带身份证，\n", "2. 到银行补办。\n"), "请带身份证，到银行补办。"),
    "bullets": (("- 请带身份证，\n", "• 到银行补办。"), "请带身份证，到银行补办。"),
    "a heading": (("## 请带身份证，\n到银行补办。",), "请带身份证，到银行补办。"),
    "emoji": (("请带身份证😊，", "到银行补办🏦。"), "请带身份证，到银行补办。"),
    "thoughts before": (
        ("<think>The user asks, so ", "工本费50元。</thi", "nk>请带身份证。"),
        "请带身份证。",
    ),
    "thoughts of which the beginning is lost": (("好的，</think>", "请带身份证。"), "请带身份证。"),
    "a mark of thoughts in single characters": (tuple("<think>嗯，</think>请带身份证。"), "请带身份证。"),
}


@pytest.mark.parametrize("form", CLEANED)
async def test_what_is_only_for_the_eye_is_not_spoken(form: str) -> None:
    parts, spoken = CLEANED[form]
    basis, text, _, _ = await reply_to(asked(QUESTION), says(*parts))
    assert text == spoken
    assert basis.decision["kind"] == "llm"


async def test_thoughts_of_their_own_are_not_spoken() -> None:
    _, text, _, _ = await reply_to(asked(QUESTION), reasons("工本费是多少呢，应该是50元。", "请带身份证。"))
    assert text == "请带身份证。"


@pytest.mark.parametrize("piece", ["请您带身份证。", "请您带身份证，"])
async def test_an_answer_without_end_is_ended_naturally(piece: str) -> None:
    async def for_ever(request: Request) -> None:
        await request.head()
        while not request.writer.is_closing():
            await request.delta(content=piece)
            await anyio.sleep(0.001)

    with anyio.fail_after(10):
        _, text, _, server = await reply_to(asked(QUESTION), for_ever)
        await server.hung_up.wait()
    assert text.endswith(phrases.ANYTHING_ELSE)
    assert text.count("。") <= MAX_SENTENCES
    assert len(text) < 3 * MAX_CHARS


async def test_the_next_endpoint_is_asked_where_the_first_fails_before_its_first_word() -> None:
    failing = (
        refuses("500 Internal Server Error"),
        resets(),
        asks_for_rest("60"),
        refuses("401 Unauthorized"),
    )
    for script in failing:
        async with llm_server(script) as first, llm_server(says("请带身份证。")) as second:
            async with opened(first.url, LlmTimeouts(), second.url) as dialog:
                assert (await reply_of(dialog, asked(QUESTION)))[1] == "请带身份证。"
            assert len(first.requests) == len(second.requests) == 1


async def test_no_other_endpoint_is_asked_after_words_were_spoken() -> None:
    async with llm_server(breaks_off("请带身份证，", "到银")) as first, llm_server(says("好。")) as second:
        async with opened(first.url, LlmTimeouts(), second.url) as dialog:
            _, text, _ = await reply_of(dialog, asked(QUESTION))
        assert second.requests == []
    assert text == "请带身份证，" + phrases.START_OVER + ANSWER + phrases.ANYTHING_ELSE


async def test_all_endpoints_together_take_no_longer_than_one() -> None:
    async with (
        llm_server(thinks_for_ever()) as first,
        llm_server(thinks_for_ever()) as second,
        opened(first.url, LlmTimeouts(), second.url) as dialog,
    ):
        started = time.monotonic()
        _, text, _ = await reply_of(dialog, asked(QUESTION))
    assert ANSWER in text
    assert time.monotonic() - started < WITHIN_S


async def test_an_endpoint_that_asks_for_rest_is_left_alone_and_the_next_one_serves() -> None:
    async with llm_server(asks_for_rest("60")) as first, llm_server(says("请带身份证。")) as second:
        async with opened(first.url, LlmTimeouts(), second.url) as dialog:
            for _ in range(3):
                await reply_of(dialog, asked(QUESTION))
        assert len(first.requests) == 1
        assert len(second.requests) == 3


async def test_faults_are_logged_without_the_callers_words() -> None:
    with structlog.testing.capture_logs() as logs:
        await reply_to(asked("我叫张伟，社保卡丢了怎么补办"), says("工本费五十元。"))
    assert [line["event"] for line in logs] == ["llm_failed"]
    assert "张伟" not in json.dumps(logs, ensure_ascii=False)
    assert "五十" not in json.dumps(logs, ensure_ascii=False)


async def test_words_that_hand_over_without_the_tool_hand_over() -> None:
    basis, text, action, _ = await reply_to(asked(QUESTION), says("您别着急，", "我帮您转接人工。"))
    assert isinstance(basis, Basis)
    assert text == "您别着急，我帮您转接人工。"
    assert isinstance(action, Transfer)
