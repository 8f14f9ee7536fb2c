"""hotline eval intake: scripted calls are read, played with the real dialog, and their work orders judged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dialog import TicketDraft
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from hotline.errors import UsageError
from hotline.intake_calls import ExpectedSlots, Script, judged, load_scripts, play
from tests.unit.conversation import Tickets

pytestmark = [pytest.mark.unit]

DIALOG = EmbeddedDialog(Knowledge([], lambda: date(2025, 11, 21)), Tickets())
CALL: dict[str, Any] = {
    "id": "c1",
    "caller": "13800138000",
    "says": ["我要投诉，人民路十八号楼下的饭店油烟很大"],
    "answers": {"time": "昨天晚上十点", "name": "姓王", "contact": "对"},
    "corrections": ["不对，是前天晚上"],
    "expected": {
        "category": "餐饮油烟",
        "department": "市城市管理局",
        "urgency": "normal",
        "slots": {
            "matter_has": ["油烟"],
            "street": "人民路18号",
            "place_has": ["人民路18号"],
            "time_has": ["前天"],
            "name": "王",
            "contact": "13800138000",
        },
    },
}


def script(**changes: Any) -> Script:
    return Script.model_validate({**CALL, **changes})


@pytest.mark.anyio
async def test_a_call_is_held_until_its_work_order_is_filed_and_judged() -> None:
    played = await play(script(), DIALOG)
    assert played.draft is not None
    assert played.right
    assert set(played.slots) == {
        "matter",
        "place",
        "time",
        "street",
        "name",
        "contact",
        "anonymous",
        "secret",
    }
    assert played.is_right("category")
    assert played.is_right("department")
    assert played.is_right("urgency")
    assert [text for who, text in played.said if who == "caller"] == [
        *CALL["says"],
        "昨天晚上十点",
        "姓王",
        "对",
        "不对，是前天晚上",
        "对",
    ]
    assert played.questions == 5


@pytest.mark.anyio
async def test_what_the_script_does_not_hold_is_not_known_or_not_told() -> None:
    played = await play(script(answers={}, corrections=[]), DIALOG)
    assert played.draft is not None
    assert (played.draft.slots["time"], played.draft.slots["name"], played.draft.slots["contact"]) == (
        "",
        "",
        "",
    )
    wrong = {name for name, right in played.slots.items() if not right}
    assert wrong == {"time", "name", "contact", "anonymous"}


@pytest.mark.anyio
async def test_a_second_sentence_is_said_where_the_agent_asks_openly() -> None:
    played = await play(script(says=["我要投诉", *CALL["says"]]), DIALOG)
    assert played.right


@pytest.mark.anyio
async def test_a_transferred_call_has_failed_and_everything_is_wrong() -> None:
    played = await play(script(says=["转人工"]), DIALOG)
    assert (played.draft, played.failed) == (None, "transferred: caller_asked")
    assert not any(played.slots.values())
    assert not played.is_right("category")


@pytest.mark.anyio
async def test_a_call_that_never_ends_has_failed() -> None:
    endless = script(corrections=[], answers={**CALL["answers"], "name": "请问你说什么"})
    played = await play(endless, DIALOG)
    assert played.draft is None
    assert played.failed == "no work order after 25 turns"


def test_numbers_are_the_same_in_words_and_digits() -> None:
    draft = TicketDraft("", "", "normal", "", "", {"time": "昨晚2点", "place": "人民路18号", "contact": "1"})
    expected = ExpectedSlots(time_has=["两点"], place_has=["十八号"], contact="1", street="人民路18号")
    found = judged(expected, draft)
    assert found["time"]
    assert found["place"]
    assert found["contact"]
    assert not found["street"]
    assert not judged(expected, replace(draft, secret=True))["secret"]


def test_files_and_folders_of_calls_are_read(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(json.dumps(CALL, ensure_ascii=False) + "\n\n", encoding="utf-8")
    (tmp_path / "two.jsonl").write_text(json.dumps({**CALL, "id": "c2"}), encoding="utf-8")
    assert [one.id for one in load_scripts(tmp_path)] == ["c1", "c2"]
    assert [one.id for one in load_scripts(tmp_path / "one.jsonl")] == ["c1"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: JSON: Invalid JSON"),
        (json.dumps({**CALL, "says": []}), "line 1: says: List should have at least 1 item"),
        (json.dumps({**CALL, "extra": 1}), "line 1: extra: Extra inputs are not permitted"),
        ("", "holds no calls"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        load_scripts(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_scripts(tmp_path / "nothing.jsonl")
