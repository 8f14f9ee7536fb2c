"""What a seat is shown while it talks to a caller: passages for what is discussed, a growing work order."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from asr.written import Writer
from dialog.intake import Clerk
from dialog.knowledge import Hit, Knowledge
from dialog.places import load_gazetteer, load_taxonomy
from dialog.summary import unsaid
from hotline.assistance import ANSWER_CHARS, WAITING, Assistance, draft_of
from hotline.check import load_knowledge
from voice.events import CallEnded, CallEvent, Happened, Turn

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CALLS = Path(__file__).parents[1] / "data" / "intake" / "calls_dev.jsonl"
CARD = "社保卡丢了怎么补办"
SMOKE = "楼下的饭店半夜油烟很大"


@cache
def clerk() -> Clerk:
    return Clerk(load_gazetteer(), load_taxonomy(), Writer(load_gazetteer().names).write)


@cache
def knowledge() -> Knowledge:
    return Knowledge(load_knowledge("sample"))


class KeptJournal:
    """A voice.events.Journal in memory."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)

    async def durable(self) -> None: ...


class Desk:
    """An Assistance, and the calls that it watches."""

    def __init__(self, known: Knowledge | None = None) -> None:
        self.journal = KeptJournal()
        self.assistance = Assistance(knowledge() if known is None else known, clerk(), self.journal)
        self.turns = 0

    def bridged(self, call_id: str = "c1", kind: str = "bridged") -> None:
        self.assistance.observe(Happened(call_id, 10.0, kind))

    def says(self, text: str, *, who: Any = "caller", call_id: str = "c1", raw: str = "") -> None:
        turn = Turn(call_id, self.turns, who, text, 10.0 + self.turns, 11.0 + self.turns, asr_raw=raw)
        self.turns += 1
        self.assistance.observe(turn)

    async def helped(self, kind: str) -> list[dict[str, Any]]:
        """What came of everything that waited, since this was last asked."""
        while self.assistance._waiting:
            await self.assistance.help_next()
        told = [event for event in self.journal.events if isinstance(event, Happened)]
        self.journal.events.clear()
        return [dict(event.detail) for event in told if event.kind == kind]


async def test_what_the_caller_asks_the_seat_is_looked_up() -> None:
    desk = Desk()
    desk.bridged()
    desk.says("您好我是坐席小李", who="seat")
    desk.says(CARD)
    ((first, *_),) = [one["passages"] for one in await desk.helped("suggestion")]
    assert set(first) == {"id", "question", "answer", "source", "score"}
    assert first["question"] == "社保卡丢了怎么补办？"
    assert 0.9 < first["score"] <= 1.0
    assert len(first["answer"]) <= ANSWER_CHARS


async def test_a_passage_shown_lately_is_not_shown_again() -> None:
    desk = Desk()
    desk.bridged()
    desk.says(CARD)
    assert await desk.helped("suggestion")
    desk.says("我的社保卡丢了")
    assert await desk.helped("suggestion") == []


@pytest.mark.parametrize("text", ["嗯好的", "谢谢", "喂你好", "转人工", "江北区建设路十八号", "我姓王"])
async def test_nothing_is_suggested_for_what_asks_nothing(text: str) -> None:
    desk = Desk()
    desk.bridged()
    desk.says(text)
    assert await desk.helped("suggestion") == []


async def test_half_a_question_is_understood_with_the_turn_before_it() -> None:
    desk = Desk()
    desk.bridged()
    desk.says("我想问一下我那个社保卡")
    desk.says("它丢了怎么补办")
    questions = {p["question"] for one in await desk.helped("suggestion") for p in one["passages"]}
    assert "社保卡丢了怎么补办？" in questions


async def test_only_talks_with_a_seat_are_helped() -> None:
    desk = Desk()
    desk.says(CARD)
    assert await desk.helped("suggestion") == []
    desk.bridged()
    assert await desk.helped("suggestion"), "what was asked of the agent last is still open"
    desk.bridged(kind="unbridged")
    desk.says("医保卡丢了怎么补办")
    assert await desk.helped("suggestion") == []


async def test_the_draft_grows_with_what_was_said_to_the_agent_and_to_the_seat() -> None:
    desk = Desk()
    desk.says(SMOKE)
    desk.says("转人工")
    desk.bridged()
    (draft,) = await desk.helped("draft")
    assert (draft["category"], draft["department"], draft["urgency"]) == (
        "餐饮油烟",
        "市城市管理局",
        "normal",
    )
    assert draft["slots"]["matter"] == SMOKE
    assert "place" not in draft["slots"]
    desk.says("在江北区")
    desk.says("建设路18号", raw="建设路十八号")
    desk.says("昨天晚上十一点")
    desk.says("我姓王")
    (draft,) = await desk.helped("draft")
    assert draft["title"] == f"江北区建设路18号{SMOKE}"
    assert (draft["slots"]["place"], draft["slots"]["name"]) == ("江北区建设路18号", "王")
    assert draft["slots"]["time"] == "昨天晚上11点"
    desk.says("好的谢谢")
    assert await desk.helped("draft") == [], "it has not changed"


async def test_no_draft_before_anything_is_told() -> None:
    desk = Desk()
    desk.says("转人工")
    desk.bridged()
    assert await desk.helped("draft") == []


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        (["我家门口路灯坏了", "人民路十八号", "不对是二十八号"], {"place": "人民路28号"}),
        (["家里停水了", "在江北区", "那个建设路十八号"], {"place": "江北区建设路18号"}),
        (["护栏断了一截", "江北区柳树村村口", "姓王"], {"place": "江北区柳树村村口", "name": "王"}),
        ([CARD, "我要投诉烧烤店昨天晚上很吵"], {"matter": "烧烤店昨天晚上很吵"}),
        (
            ["路灯坏了", "电话是一三八零零一三八零零零", "希望你们尽快处理"],
            {"contact": "13800138000", "wish": "希望你们尽快处理", "matter": "路灯坏了"},
        ),
        (["小区门口路灯坏了", "还有下水道堵了"], {"matter": "小区门口路灯坏了，下水道堵了"}),
    ],
)
async def test_slots_of_a_draft(said: list[str], slots: dict[str, str]) -> None:
    draft = draft_of(clerk(), said)
    assert draft is not None
    assert {name: draft.slots[name] for name in slots} == slots


@pytest.mark.parametrize(
    "said",
    [
        [SMOKE, "在江北区", "建设路十八号", "昨天晚上十一点", "姓王"],
        [CARD, "转人工", "另外我要投诉人民路十八号的烧烤店很吵", "已经三天了", "你们管不管"],
        ["物业不给修电梯", "我说了多少遍了", "是碧水湾三号楼", "电话一三九零零一三九零零零"],
        ["我想问一下那个", "就是我们这边停水停了两天了", "不知道什么时候来", "江南区解放路五十号"],
    ],
)
async def test_a_draft_states_only_what_was_said(said: list[str]) -> None:
    draft = draft_of(clerk(), said)
    assert draft is not None
    heard = [*said, "".join(said)]
    for slot in ("place", "time", "name", "contact"):
        value = draft.slots.get(slot, "").removeprefix("已持续")
        assert not unsaid(value, heard), (slot, value)
    for sentence in draft.slots["matter"].split("，"):
        assert not unsaid(sentence, heard), sentence


async def test_drafts_of_scripted_callers_are_sorted_right_and_state_only_what_was_said() -> None:
    """What callers of the intake's own calls answer, told without the questions."""
    calls = [json.loads(line) for line in CALLS.read_text(encoding="utf-8").splitlines()]
    right = 0
    for call in calls:
        answers = [[one] if isinstance(one, str) else one for one in call["answers"].values()]
        said = [*call["says"], *chain.from_iterable(answers)]
        draft = draft_of(clerk(), said)
        assert draft is not None, said
        right += draft.category == call["expected"]["category"]
        for slot in ("place", "time", "name", "contact"):
            value = draft.slots.get(slot, "").removeprefix("已持续")
            assert not unsaid(value, [*said, "".join(said)]), (slot, value)
    assert right >= 0.9 * len(calls)


async def test_the_longest_waiting_call_is_dropped_when_too_many_wait() -> None:
    desk = Desk()
    for number in range(WAITING + 1):
        desk.bridged(f"c{number}")
    assert len(desk.assistance._waiting) == WAITING
    assert "c0" not in desk.assistance._waiting


async def test_a_call_that_is_over_is_forgotten() -> None:
    desk = Desk()
    desk.bridged()
    desk.says(CARD)
    desk.assistance.observe(
        CallEnded("c1", datetime(2025, 3, 9, tzinfo=timezone.utc), "caller_hangup", "transferred")
    )
    assert await desk.helped("suggestion") == []
    assert desk.assistance._calls == {}


class BrokenKnowledge(Knowledge):
    async def find(self, text: str, limit: int = 5) -> list[Hit]:
        raise OSError("the index is gone")


async def test_a_search_that_fails_is_logged_and_the_order_is_drafted_all_the_same() -> None:
    desk = Desk(BrokenKnowledge())
    desk.bridged()
    desk.says(SMOKE)
    with structlog.testing.capture_logs() as logs:
        assert len(await desk.helped("draft")) == 1
    assert [entry["event"] for entry in logs] == ["assistance_failed"]
