"""A model that stalls, drips or fails again and again: no caller waits for it, no token is paid in vain."""

from __future__ import annotations

import anyio
import pytest
import structlog.testing

from dialog import Basis, Message, Transfer, phrases
from dialog.breaker import FAILURES
from dialog.llm_stream import LlmTimeouts
from tests.peers.llm_calls import ANSWER, CALL, QUESTION, asked, opened, reply_of, reply_to
from tests.peers.llm_server import (
    Script,
    calls_tool,
    drips,
    drips_arguments,
    lingers,
    llm_server,
    refuses,
    says,
    says_and_stays,
    thinks_for_ever,
)

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

# Whoever lets a drip renew its patience waits for a minute; the tests give them five seconds.
PATIENT_IN_ALL = LlmTimeouts(connect_s=1.0, first_token_s=0.3, idle_s=0.2, tool_s=0.3, total_s=60.0)
DRIPS = [
    pytest.param(drips("请", every_s=0.05), id="a-character-now-and-then"),
    pytest.param(drips(" ", every_s=0.05), id="only-blanks"),
    pytest.param(drips("\n", every_s=0.05), id="only-line-ends"),
    pytest.param(drips("……，", every_s=0.05), id="only-marks"),
    pytest.param(drips("", every_s=0.05), id="only-empty-events"),
    pytest.param(drips_arguments("transfer", every_s=0.05), id="a-tool-call-without-end"),
    pytest.param(thinks_for_ever(), id="nothing-at-all"),
]


@pytest.mark.parametrize("script", DRIPS)
async def test_what_drips_without_a_clause_is_bridged_by_the_embedded_dialog(script: Script) -> None:
    with anyio.fail_after(5):
        _, text, action, _ = await reply_to(asked(QUESTION), script, timeouts=PATIENT_IN_ALL)
    assert ANSWER in text
    assert phrases.START_OVER not in text
    assert action is None


@pytest.mark.parametrize("drip", ["身", " ", "\n", "。"])
async def test_what_drips_after_a_clause_starts_over_with_the_embedded_answer(drip: str) -> None:
    script = drips("请您稍等，", drip, every_s=0.05)
    with anyio.fail_after(5):
        _, text, _, _ = await reply_to(asked(QUESTION), script, timeouts=PATIENT_IN_ALL)
    assert text.startswith("请您稍等，" + phrases.START_OVER + ANSWER)


async def test_a_model_that_never_ends_is_ended() -> None:
    bounded = LlmTimeouts(first_token_s=0.3, idle_s=0.2, total_s=0.5)
    with anyio.fail_after(5):
        _, text, _, _ = await reply_to(asked(QUESTION), drips("好的，", every_s=0.02), timeouts=bounded)
    assert text.startswith("好的，好的，")
    assert phrases.START_OVER + ANSWER in text


@pytest.mark.parametrize("script", [says(" ", "\n"), says("。"), calls_tool("end_call", "{}", " \n")])
async def test_an_answer_without_words_is_not_silent(script: Script) -> None:
    _, text, _, _ = await reply_to(asked(QUESTION), script)
    assert text.startswith((ANSWER, phrases.ANYTHING_ELSE))


async def test_an_answer_that_is_complete_is_not_begun_again_because_the_server_lingers() -> None:
    with anyio.fail_after(5):
        _, text, _, server = await reply_to(asked(QUESTION), lingers("请带身份证，", "到银行补办"))
    assert text == "请带身份证，到银行补办"
    with anyio.fail_after(5):
        await server.hung_up.wait()


@pytest.mark.parametrize(
    ("words", "expects"),
    [
        ("请问发生在什么地方？", "place"),
        ("请问您贵姓", "name"),
        ("好的，请问您贵姓？", "name"),
        ("您别急，您贵姓？", "anything"),
    ],
)
async def test_what_a_model_asks_for_is_told_where_its_first_words_show_it(words: str, expects: str) -> None:
    basis, text, _, _ = await reply_to(asked(QUESTION), says(*words.partition("，")))
    assert text == words
    assert basis.expects == expects


async def test_a_connection_serves_the_next_reply_too() -> None:
    async with llm_server(says_and_stays("请带身份证。")) as server, opened(server.url) as dialog:
        for _ in range(3):
            assert (await reply_of(dialog, asked(QUESTION)))[1] == "请带身份证。"
        assert len(server.requests) == 3
        assert server.connections == 1


async def test_a_draft_thrown_away_before_its_first_word_hangs_up_on_the_server() -> None:
    async with llm_server(thinks_for_ever()) as server, opened(server.url, PATIENT_IN_ALL) as dialog:

        async def draft() -> None:
            async for _ in dialog.reply(CALL, asked(QUESTION)):
                pytest.fail("nothing was said to it")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(draft)
            with anyio.fail_after(5):
                await server.asked.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await server.hung_up.wait()


async def test_a_service_that_keeps_failing_is_not_asked_and_told_of_once() -> None:
    async with llm_server(refuses("503 Service Unavailable")) as server, opened(server.url) as dialog:
        with structlog.testing.capture_logs() as logs:
            for _ in range(FAILURES + 3):
                assert ANSWER in (await reply_of(dialog, asked(QUESTION)))[1]
        assert len(server.requests) == FAILURES
        assert [line["event"] for line in logs].count("llm_given_a_rest") == 1


async def test_drafts_thrown_away_are_no_failures() -> None:
    async with llm_server(drips("请带身份证，", every_s=0.05)) as server, opened(server.url) as dialog:
        for number in range(1, FAILURES + 3):
            answer = dialog.reply(CALL, asked(QUESTION))
            assert isinstance(await anext(answer), Basis)
            assert await anext(answer) == "请带身份证，"
            await answer.aclose()
            assert len(server.requests) == number


async def test_a_model_that_says_what_it_must_not_is_still_asked_the_next_time() -> None:
    async with llm_server(says("工本费五十元，也就是50元。")) as server, opened(server.url) as dialog:
        for number in range(1, FAILURES + 3):
            assert ANSWER in (await reply_of(dialog, asked(QUESTION)))[1]
            assert len(server.requests) == number


async def test_an_order_is_obeyed_whatever_state_the_service_is_in() -> None:
    async with llm_server(refuses("503 Service Unavailable")) as server, opened(server.url) as dialog:
        for _ in range(FAILURES):
            await reply_of(dialog, asked(QUESTION))
        _, text, action = await reply_of(dialog, [Message("caller", "转人工")])
        assert text == phrases.TO_HUMAN
        assert isinstance(action, Transfer)
