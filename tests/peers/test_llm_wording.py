"""How probable a model's words were to itself, where its endpoint tells, in the confidence of the reply."""

from __future__ import annotations

import math

import pytest

from dialog import Basis
from dialog.confidence import CLEAR_WORDING
from tests.peers.llm_calls import QUESTION, asked, opened, reply_of
from tests.peers.llm_server import LlmServer, Script, llm_server, says_as_likely

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

PARTS = ("请带身份证", "到银行补办，", "工本费20元。")


async def told(script: Script, *, logprobs: bool = True) -> tuple[Basis, str, LlmServer]:
    async with llm_server(script) as server, opened(server.url, logprobs=logprobs) as dialog:
        basis, text, _ = await reply_of(dialog, asked(QUESTION))
        return basis, text, server


async def test_words_that_the_model_doubted_lower_the_confidence() -> None:
    sure, _, _ = await told(says_as_likely(-0.01, *PARTS))
    unsure, text, server = await told(says_as_likely(math.log(0.4), *PARTS))
    assert text == "".join(PARTS)
    assert server.requests[0].body["logprobs"] is True
    assert unsure.decision["wording"] == 0.4
    assert unsure.confidence == pytest.approx(sure.confidence * (0.5 + 0.5 * 0.4 / CLEAR_WORDING))


async def test_nothing_is_asked_or_counted_without_the_setting() -> None:
    basis, _, server = await told(says_as_likely(-5.0, *PARTS), logprobs=False)
    assert "logprobs" not in server.requests[0].body
    assert "wording" not in basis.decision
    assert basis.confidence > 0.9


async def test_what_the_model_thought_aloud_does_not_count() -> None:
    basis, text, _ = await told(says_as_likely(0.0, *PARTS, thoughts="先看资料"))
    assert text == "".join(PARTS)
    assert basis.decision["wording"] == 1.0


@pytest.mark.parametrize(("logprob", "wording"), [(-9999.0, math.exp(-10)), (0.3, 1.0)])
async def test_values_out_of_all_measure_are_bounded(logprob: float, wording: float) -> None:
    basis, _, _ = await told(says_as_likely(logprob, *PARTS))
    assert basis.decision["wording"] == round(wording, 3)


@pytest.mark.parametrize("logprob", [math.nan, None])
async def test_values_that_say_nothing_are_passed_over(logprob: float | None) -> None:
    basis, text, _ = await told(says_as_likely(logprob, *PARTS))
    assert text == "".join(PARTS)
    assert "wording" not in basis.decision
