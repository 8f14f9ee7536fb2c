"""When people are rung and what is noted of it; who is promised a call-back, who is asked how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dialog import CallContext, Summary, TicketDraft
from hotline.callbacks import (
    CallbackBook,
    CallbackWorker,
    next_opening,
    number_at,
    share_of,
    summary_of,
    trunk_of,
)
from hotline.errors import UsageError
from hotline.sections import CallbacksSettings
from hotline.settings import Settings
from records import CHINA
from records.store import Store
from records.writer import Writer
from tests.sim.fakes import KeptJournal
from voice.kit import Kit
from voice.phone import Busy, Leg
from voice.seats import SeatSettings

pytestmark = [pytest.mark.unit]

NUMBER = "13800138000"
HOURS = "08:30-20:00"
NOON = datetime(2025, 11, 21, 12, tzinfo=CHINA)
MATTER = Summary(caller=NUMBER, request="社保卡", answered=("要带身份证",), open_points=("要多久",))


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class BusyPhone:
    """Every number is busy."""

    rung: list[str] = field(default_factory=list)

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Leg:
        self.rung.append(uri)
        raise Busy("scripted")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/a.db", clock=clock)
    store.seed_seats([{"id": "s1", "uri": "sip:s1@h", "status": "free"}])
    yield store
    store.close()


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    writer = Writer(store)
    yield writer
    writer.close()


async def through(call_id: str, run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def broken_off(call_id: str, run: Callable[[], Awaitable[None]]) -> None:
    """As a drain does."""


def worker(store: Store, clock: Clock, phone: Any, **changed: Any) -> CallbackWorker:
    """One whose calls go to `phone`."""
    unused: Any = None
    kit = Kit(
        **dict.fromkeys(("recognizer", "voice", "dialog", "board", "policy", "open_recording"), unused),
        **dict.fromkeys(("file_ticket", "turns", "endpointer", "pace"), unused),
        phone=phone,
        journal=KeptJournal(),
        seats=SeatSettings(),
    )
    given: dict[str, Any] = {
        "city": "临江市",
        "trunk_uri": "sip:trunk.test:5080",
        "node": "n1",
        "own": "12345",
        "spare": lambda: True,
        "hold": through,
        "new_call_id": lambda: "c9",
        "clock": clock,
    }
    settings = CallbacksSettings(hours=HOURS, attempts=2, retry_after_min=30)
    return CallbackWorker(store, kit, settings, **(given | changed))


def promise(store: Store, clock: Clock, **more: Any) -> str:
    values: dict[str, Any] = {"reason": "promised", "call_id": "c1", "caller": NUMBER, "due_at": clock()}
    return store.callbacks.promise("k1", **({**values, "summary": {"request": "社保卡"}} | more))


def row(store: Store, id_: str) -> tuple[str, str, int]:
    found = store.callbacks.get(id_)
    assert found
    return found["status"], found["result"], found["attempts"]


@pytest.mark.anyio
async def test_a_busy_number_is_rung_again_by_rule_and_then_no_more(store: Store, clock: Clock) -> None:
    phone, id_ = BusyPhone(), promise(store, clock)
    ringing = worker(store, clock, phone)
    await ringing.look()
    assert phone.rung == [f"sip:{NUMBER}@trunk.test:5080"]
    assert row(store, id_) == ("waiting", "busy", 1)
    clock.now += timedelta(minutes=29)
    await ringing.look()
    clock.now += timedelta(minutes=1)
    await ringing.look()
    assert row(store, id_) == ("failed", "busy", 2)
    assert len(phone.rung) == 2


@pytest.mark.anyio
async def test_nobody_is_rung_at_night_without_a_line_or_without_a_seat(store: Store, clock: Clock) -> None:
    phone, id_ = BusyPhone(), promise(store, clock)
    await worker(store, clock, phone, spare=lambda: False).look()
    ringing = worker(store, clock, phone)
    store.set_seat_status("s1", "away")
    await ringing.look()
    store.set_seat_status("s1", "free")
    clock.now = NOON.replace(hour=20)
    await ringing.look()
    assert phone.rung == []
    clock.now = NOON.replace(hour=19, minute=50)
    await ringing.look()
    assert row(store, id_)[0] == "waiting"
    found = store.callbacks.get(id_)
    assert found
    assert found["due_at"] == "2025-11-22T00:30:00.000Z", "not at 20:20, but the next morning"


@pytest.mark.anyio
async def test_a_seat_that_a_caller_waits_for_is_not_taken(store: Store, clock: Clock) -> None:
    phone = BusyPhone()
    promise(store, clock)
    store.set_seat_status("s1", "away")
    store.queue.claim("", "waiting-call", node="n1")
    store.set_seat_status("s1", "free")
    await worker(store, clock, phone).look()
    assert phone.rung == []


@pytest.mark.anyio
async def test_what_a_seat_was_given_is_rung_when_that_seat_is_free(store: Store, clock: Clock) -> None:
    store.seed_seats([{"id": "s2", "uri": "sip:s2@h", "status": "away"}])
    phone, _ = BusyPhone(), promise(store, clock, seat="s2")
    ringing = worker(store, clock, phone)
    await ringing.look()
    assert phone.rung == [], "another seat is free"
    store.set_seat_status("s2", "free")
    await ringing.look()
    assert len(phone.rung) == 1


@pytest.mark.anyio
async def test_where_a_pbx_knows_who_is_free_people_are_rung_when_seats_are_at_work(
    store: Store, clock: Clock
) -> None:
    phone = BusyPhone()
    promise(store, clock)
    store.set_seat_status("s1", "away")
    await worker(store, clock, phone, board=False).look()
    assert len(phone.rung) == 1


@pytest.mark.anyio
async def test_what_the_agent_asks_itself_needs_no_seat(store: Store, clock: Clock) -> None:
    phone = BusyPhone()
    id_ = promise(store, clock, reason="satisfaction", script="satisfaction")
    store.set_seat_status("s1", "away")
    await worker(store, clock, phone).look()
    assert row(store, id_) == ("waiting", "busy", 1)


@pytest.mark.anyio
async def test_a_call_that_a_drain_broke_off_is_made_again_and_not_counted(
    store: Store, clock: Clock
) -> None:
    id_ = promise(store, clock)
    await worker(store, clock, BusyPhone(), hold=broken_off).look()
    assert row(store, id_) == ("waiting", "interrupted", 0)


@pytest.mark.anyio
async def test_a_script_that_is_not_there_is_told_and_not_tried_again(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock, reason="satisfaction", script="none")
    await worker(store, clock, BusyPhone()).look()
    assert row(store, id_) == ("done", "unknown_script", 1)


@pytest.mark.anyio
@pytest.mark.parametrize("caller", ["", "anonymous", "12"])
async def test_no_promise_is_made_that_cannot_be_kept(
    store: Store, writer: Writer, clock: Clock, caller: str
) -> None:
    book = CallbackBook(store, writer, CallbacksSettings(), clock)
    assert not await book.promise(CallContext("c1", caller), "promised", MATTER, "")
    assert store.callbacks.page()["total"] == 0


@pytest.mark.anyio
async def test_a_promise_holds_the_matter_and_ends_when_the_caller_is_served(
    store: Store, writer: Writer, clock: Clock
) -> None:
    book = CallbackBook(store, writer, CallbacksSettings(hours=HOURS, abandoned=False), clock)
    clock.now = NOON.replace(hour=22)
    assert not await book.promise(CallContext("c1", NUMBER), "abandoned", MATTER, "社保")
    assert await book.promise(CallContext("c1", NUMBER), "promised", MATTER, "社保")
    (kept,) = store.callbacks.page()["items"]
    assert (kept["skill"], summary_of(kept["summary"])) == ("社保", MATTER)
    assert kept["due_at"] == "2025-11-22T00:30:00.000Z"
    await book.reached(CallContext("c2", NUMBER))
    assert row(store, kept["id"]) == ("done", "reached", 0)


@pytest.mark.anyio
async def test_a_share_of_filed_work_orders_is_asked_about_later(
    store: Store, writer: Writer, clock: Clock
) -> None:
    settings = CallbacksSettings(hours=HOURS, satisfaction=0.5, satisfaction_after_h=24)
    numbers = iter(f"251121{n:05d}" for n in range(40))

    async def file_ticket(call: CallContext, key: str, draft: TicketDraft) -> str:
        return next(numbers)

    file = CallbackBook(store, writer, settings, clock).asking(file_ticket)
    slots = {"name": "李", "contact": "13900139000"}
    draft = TicketDraft("城市管理", "城管局", "normal", "路灯不亮", "路灯不亮", slots)
    filed = [await file(CallContext("c1", NUMBER), f"k{n}", draft) for n in range(39)]
    await file(CallContext("c1", NUMBER), "k", TicketDraft("回拨", "", "urgent", "", ""))
    items = store.callbacks.page()["items"]
    assert len(items) == sum(share_of(number) < 0.5 for number in filed)
    assert 0 < len(items) < 39
    assert {item["caller"] for item in items} == {"13900139000"}
    assert {item["due_at"] for item in items} == {"2025-11-22T04:00:00.000Z"}
    assert {item["script"] for item in items} == {"satisfaction"}


def test_a_number_is_dialled_at_the_trunk_with_its_port_and_parameters() -> None:
    assert number_at("sip:10.0.0.1:5080;transport=tcp", NUMBER) == f"sip:{NUMBER}@10.0.0.1:5080;transport=tcp"
    assert number_at("sip:12345@pbx.test", NUMBER) == f"sip:{NUMBER}@pbx.test"


@pytest.mark.parametrize(
    ("at", "opens"), [("07:00", "21 08:30"), ("12:00", "21 12:00"), ("20:00", "22 08:30")]
)
def test_the_next_opening(at: str, opens: str) -> None:
    hour, minute = map(int, at.split(":"))
    assert next_opening(HOURS, NOON.replace(hour=hour, minute=minute)).strftime("%d %H:%M") == opens


def test_the_trunk_is_the_one_that_is_named() -> None:
    trunks = [{"name": name, "uri": f"sip:{name}.test"} for name in ("a", "b")]
    settings = Settings.model_validate({"sip": {"trunks": trunks}, "callbacks": {"trunk": "b"}})
    found = trunk_of(settings)
    assert found
    assert found.name == "b"
    assert trunk_of(Settings.model_validate({})) is None
    wrong = Settings.model_validate({"callbacks": {"trunk": "c"}})
    with pytest.raises(UsageError, match="there is no trunk c"):
        trunk_of(wrong)
