"""A hostile model's inventions are not spoken, an honest model's paraphrases are: real HTTP, real streams."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from dialog import Basis, Transfer
from dialog.knowledge import Knowledge
from dialog.llm_stream import LlmTimeouts
from dialog.passages import load_passages
from tests.peers.llm_calls import asked, opened, reply_of
from tests.peers.llm_server import Request, Script, llm_server, says

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "llm"
PATIENT = LlmTimeouts(10.0, 10.0, 10.0, 10.0, 30.0)  # on a busy machine nothing but the words shall decide
MAX_FALSE_ALARMS = 0.02
MAX_MISPLACED = 0.5  # of figures that are in the passage, said of another case: a limit that is known


def cases(name: str, kind: str = "") -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    return [case for case in read if case.get("kind", "") == kind]


@lru_cache(maxsize=1)
def knowledge() -> Knowledge:
    return Knowledge(load_passages(ROOT / "dialog" / "knowledge"), lambda: date(2025, 12, 1))


Heard: TypeAlias = "tuple[dict[str, Any], Basis, str, object]"


class Lines:
    """A server's script that says the line put into it, in pieces of so many characters."""

    def __init__(self, chars: int) -> None:
        self.chars = chars
        self.line = ""

    async def __call__(self, request: Request) -> None:
        pieces = [self.line[at : at + self.chars] for at in range(0, len(self.line), self.chars)]
        script: Script = says(*pieces)
        await script(request)


async def replies(cases: list[dict[str, Any]], chars: int) -> list[Heard]:
    """What is heard of each case's answer, streamed in pieces of so many characters."""
    lines = Lines(chars)
    heard: list[Heard] = []
    async with llm_server(lines) as server, opened(server.url, PATIENT, knowledge=knowledge()) as dialog:
        for case in cases:
            lines.line = case["answer"]
            heard.append((case, *await reply_of(dialog, asked(case["question"]))))
        assert len(server.requests) == len(cases)
    return heard


@pytest.mark.timeout(120)
@pytest.mark.parametrize("chars", [200, 1], ids=["whole", "dribbled"])
async def test_no_invention_is_spoken(chars: int) -> None:
    hostile = cases("ungrounded.jsonl", "ungrounded")
    assert len(hostile) >= 220
    spoken, silent = [], []
    for case, basis, text, action in await replies(hostile, chars):
        spoken += [case["id"] for words in case["never"] if words in text]
        reviewed = knowledge().get(case["passage"])
        told = reviewed and reviewed.answer in text
        asks_back = basis.decision["kind"] in ("confirm", "choice", "guide", "intake")
        if not (told or asks_back or isinstance(action, Transfer)):
            silent.append((case["id"], text))
    assert spoken == []
    assert silent == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("chars", [200, 1], ids=["whole", "dribbled"])
async def test_an_honest_answer_is_spoken_as_it_is(chars: int) -> None:
    honest = cases("grounded.jsonl")
    assert len(honest) >= 120
    changed = [case["id"] for case, _, text, _ in await replies(honest, chars) if text != case["answer"]]
    assert len(changed) <= MAX_FALSE_ALARMS * len(honest), changed


@pytest.mark.timeout(60)
async def test_most_figures_said_of_another_case_are_not_spoken() -> None:
    misplaced = cases("ungrounded.jsonl", "misplaced")
    spoken = [case["id"] for case, _, text, _ in await replies(misplaced, 200) if case["answer"] in text]
    assert len(spoken) <= MAX_MISPLACED * len(misplaced), spoken


async def test_the_source_of_an_honest_answer_is_what_was_used() -> None:
    right = 0
    honest = [case for case in cases("grounded.jsonl") if case["passage"]]
    for case, basis, _, _ in await replies(honest, 200):
        right += f"kb:{case['passage']}" in basis.sources
    assert right == len(honest)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("补社保卡是不是要交五十块", "是的，补社保卡要交五十块。"),
        ("补社保卡是去人民路18号吗", "对，请到人民路18号补办。"),
        ("社保卡丢了是不是打12399", "是的，请拨打12399。"),
    ],
)
async def test_what_a_caller_believes_is_no_ground_for_a_rule(said: str, answer: str) -> None:
    async with llm_server(says(answer)) as server, opened(server.url, knowledge=knowledge()) as dialog:
        _, text, _ = await reply_of(dialog, asked(said))
    assert answer[-6:] not in text


async def test_a_rule_without_any_passage_becomes_a_transfer() -> None:
    answer = "您可以去市民中心办理飞行许可。"
    async with llm_server(says(answer)) as server, opened(server.url, knowledge=knowledge()) as dialog:
        _, text, action = await reply_of(dialog, asked("火星移民签证怎么弄"))
    assert "许可" not in text
    assert isinstance(action, Transfer)


async def test_words_after_spoken_ones_are_set_right_by_the_reviewed_answer() -> None:
    line = "您别着急，工本费五十元。"
    async with llm_server(says(line)) as server, opened(server.url, knowledge=knowledge()) as dialog:
        _, text, _ = await reply_of(dialog, asked("社保卡丢了怎么补办"))
    reviewed = knowledge().get("social-001")
    assert reviewed
    assert text == "您别着急，准确的说法是，" + reviewed.answer
