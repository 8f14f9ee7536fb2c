"""Being led through a service where a language model answers: by the same guidance, begun by either."""

from __future__ import annotations

import json
from datetime import date

import pytest

from dialog import Basis, Message
from dialog.guidance import Guidance
from dialog.llm_prompt import Prompt
from dialog.services import load_services
from dialog.talk import Talk
from tests.peers.llm_calls import asked, opened, reply_of
from tests.peers.llm_server import calls_tool, llm_server, says

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

GUIDANCE = Guidance(load_services(), lambda: date(2025, 6, 1))
SERVICE = GUIDANCE.services["newborn-registration"]
BEGUN = GUIDANCE.begin(SERVICE).text
ARGUMENTS = json.dumps({"service": SERVICE.name}, ensure_ascii=False)
LEAD = calls_tool("guide_service", ARGUMENTS)
HOW = asked("娃的户口是怎么个弄法")


def is_led(basis: Basis) -> bool:
    return isinstance(basis.memory, Talk) and basis.memory.guide is not None


async def test_who_surely_wants_a_service_is_led_through_it_without_the_model() -> None:
    async with llm_server(says("好的。")) as server, opened(server.url, guidance=GUIDANCE) as dialog:
        basis, text, _ = await reply_of(dialog, asked("我要给孩子上户口"))
        assert text == BEGUN
        assert is_led(basis)
        assert server.requests == []


@pytest.mark.parametrize("before", ["", "好的，"])
async def test_the_model_begins_the_guidance_and_the_embedded_dialog_goes_on(before: str) -> None:
    script = calls_tool("guide_service", ARGUMENTS, before)
    async with llm_server(script) as server, opened(server.url, guidance=GUIDANCE) as dialog:
        basis, text, action = await reply_of(dialog, HOW)
        assert action is None
        assert text == BEGUN
        assert is_led(basis)
        assert basis.decision["kind"] == "guide"
        history = [*HOW, Message("agent", text, memory=basis.memory), Message("caller", "是的")]
        basis, text, _ = await reply_of(dialog, history)
        assert is_led(basis)
        assert text != BEGUN
        assert len(server.requests) == 1
    tools = {tool["function"]["name"]: tool["function"] for tool in server.requests[0].body["tools"]}
    assert SERVICE.name in tools["guide_service"]["parameters"]["properties"]["service"]["enum"]


async def test_what_the_model_began_to_say_itself_ends_in_an_offer() -> None:
    script = calls_tool("guide_service", ARGUMENTS, "请问您家宝宝满月了没有？")
    async with llm_server(script, LEAD) as server, opened(server.url, guidance=GUIDANCE) as dialog:
        basis, text, _ = await reply_of(dialog, HOW)
        assert text.endswith(GUIDANCE.offer(SERVICE).text)
        history = [*HOW, Message("agent", text, memory=basis.memory), Message("caller", "可以")]
        basis, text, _ = await reply_of(dialog, history)
        assert text == BEGUN
        assert is_led(basis)


async def test_a_service_that_there_is_none_of_is_not_begun() -> None:
    script = calls_tool("guide_service", '{"service": "飞行许可"}')
    async with llm_server(script) as server, opened(server.url, guidance=GUIDANCE) as dialog:
        basis, text, _ = await reply_of(dialog, HOW)
    assert basis.decision["llm"] == "unknown service"
    assert text


def test_a_city_without_services_has_no_tool_for_them() -> None:
    prompt = Prompt("临江市", "一二三四五热线")
    assert "guide_service" not in prompt.tool_names
    assert "guide_service" not in prompt.system
