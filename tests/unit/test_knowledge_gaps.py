"""What callers asked in vain, the same matter counted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hotline.knowledge_gaps import Gap, Unanswered, gaps, grouped, unanswered
from records import CHINA
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)
AT = "2025-03-09T04:00:00.000Z"
NO_ANSWER = {"kind": "transfer", "why": "no_answer"}


def call(id: str, *turns: str | dict[str, Any]) -> list[dict[str, Any]]:
    """Turns of a call: what the caller says, and what the agent decides."""
    return [
        {
            "call_id": id,
            "index": index,
            "who": "caller" if isinstance(turn, str) else "agent",
            "text": turn if isinstance(turn, str) else "…",
            "decision": {} if isinstance(turn, str) else turn,
            "started_at": AT,
        }
        for index, turn in enumerate(turns)
    ]


@pytest.mark.parametrize(
    ("turns", "asked"),
    [
        (["无人机怎么登记", NO_ANSWER], ["无人机怎么登记"]),
        (["无人机怎么登记", {"kind": "rephrase", "why": "not_heard"}], ["无人机怎么登记"]),
        (["社保卡怎么补办", {"kind": "answer"}], []),
        (["转人工", {"kind": "transfer", "why": "asked"}], []),
        (["有人打架", {"kind": "emergency"}], []),
        (["无人机怎么登记", {"kind": "confirm"}, "对", {"kind": "answer"}], []),
        (["无人机怎么登记", {"kind": "confirm"}, "不是", {"kind": "rephrase"}], ["无人机怎么登记"] * 2),
        (
            ["无人机怎么登记", {"kind": "choice"}, "不是，我问的是无人机登记", {"kind": "answer"}],
            ["无人机怎么登记"],
        ),
        ([{}, {"kind": "rephrase"}], []),
        (["社保卡怎么补办", {"kind": "answer"}, "无人机呢", NO_ANSWER], ["无人机呢"]),
    ],
)
def test_what_had_no_answer_is_told_by_the_agent_s_decisions(turns: list[Any], asked: list[str]) -> None:
    assert [one.text for one in unanswered(call("c", *turns))] == asked


def test_a_question_does_not_run_over_into_the_next_call() -> None:
    turns = [*call("a", "无人机怎么登记", {"kind": "confirm"}), *call("b", "不是", NO_ANSWER)]
    assert list(unanswered(turns)) == []


def test_the_same_matter_is_one_gap_counted_by_calls() -> None:
    questions = [
        Unanswered("请问无人机怎么登记", "c1", "2025-03-01"),
        Unanswered("我想问一下无人机登记在哪里办", "c2", "2025-03-03"),
        Unanswered("无人机登记", "c2", "2025-03-03"),
        Unanswered("导游证怎么考", "c3", "2025-03-02"),
        Unanswered("出口退税多久到账", "c4", "2025-03-02"),
        Unanswered("无人机要不要登记", "c5", "2025-03-02"),
        Unanswered("嗯", "c6", "2025-03-02"),
    ]
    first, *others = grouped(questions)
    assert (first.count, first.call_id, first.last_at) == (3, "c2", "2025-03-03")
    assert "无人机" in first.text
    assert {gap.text: gap.count for gap in others} == {"导游证怎么考": 1, "出口退税多久到账": 1}


def test_how_a_question_is_put_makes_no_two_matters_one() -> None:
    texts = ["养老金怎么办理", "导游证怎么办理", "无人机怎么办理", "营业执照怎么办理"]
    assert len(grouped(Unanswered(text, text, AT) for text in texts)) == len(texts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db", clock=lambda: NOON)
    yield store
    store.close()


def test_gaps_come_from_the_record_of_the_last_days(store: Store) -> None:
    for id, days_ago in (("new", 1), ("old", 40)):
        store.save_call(id, started_at=NOON - timedelta(days=days_ago))
        store.save_turn(id, 0, who="caller", text="无人机怎么登记")
        store.save_turn(id, 1, who="agent", text="为您转接。", decision=NO_ANSWER)
    day = "2025-03-08T04:00:00.000Z"
    assert gaps(store, 30, 20, now=NOON) == [Gap("无人机怎么登记", 1, "new", day)]
    assert gaps(store, 60, 20, now=NOON)[0].count == 2
    assert gaps(store, 60, 0, now=NOON) == []
