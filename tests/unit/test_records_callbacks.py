"""People who are to be called back: promised, claimed by one node, tried again, closed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import CHINA, Conflict, NotFound
from records.queue import DEAD_AFTER_S
from records.store import Store

pytestmark = [pytest.mark.unit]

NUMBER = "13800138000"


class Clock:
    """Stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = datetime(2025, 11, 21, 12, tzinfo=CHINA)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    store = Store(url, clock=clock)
    yield store
    store.close()


def promise(store: Store, clock: Clock, key: str = "k1", *, caller: str = NUMBER, **more: Any) -> str:
    values: dict[str, Any] = {"reason": "promised", "call_id": "c1", "due_at": clock()}
    return store.callbacks.promise(
        key, caller=caller, **({**values, "summary": {"request": "社保卡"}} | more)
    )


def status(store: Store, id_: str) -> tuple[str, str, int]:
    row = store.callbacks.get(id_)
    assert row
    return row["status"], row["result"], row["attempts"]


def test_a_promise_is_kept_once_and_claimed_by_one_node_when_it_is_due(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock, due_at=clock() + timedelta(minutes=5))
    assert promise(store, clock) == id_
    assert store.callbacks.due("n1") == []
    clock.advance(300)
    (row,) = store.callbacks.due("n1")
    assert (row["id"], row["caller"], row["attempts"]) == (id_, NUMBER, 1)
    assert row["summary"] == {"request": "社保卡"}
    assert store.callbacks.due("n2") == []
    assert not store.callbacks.done(id_, "n2", "connected"), "another node has it"
    assert store.callbacks.done(id_, "n1", "connected", done_in="c9")
    assert status(store, id_) == ("done", "connected", 1)
    assert promise(store, clock) == id_, "the same key never gets a second call"


def test_many_nodes_claim_each_call_back_once(store: Store, clock: Clock) -> None:
    wanted = {promise(store, clock, f"k{n}", caller=f"1380013800{n}") for n in range(10)}
    with ThreadPoolExecutor(5) as nodes:
        claims = list(nodes.map(lambda n: store.callbacks.due(f"n{n}", 1), range(20)))
    got = [row["id"] for rows in claims for row in rows]
    assert sorted(got) == sorted(wanted)


def test_an_attempt_in_vain_is_made_again_later_until_it_has_failed(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.callbacks.due("n1")
    assert store.callbacks.again(id_, "n1", "busy", clock() + timedelta(minutes=30))
    assert status(store, id_) == ("waiting", "busy", 1)
    clock.advance(1799)
    assert store.callbacks.due("n1") == []
    clock.advance(1)
    assert [row["attempts"] for row in store.callbacks.due("n1")] == [2]
    assert store.callbacks.again(id_, "n1", "no_answer", None)
    assert status(store, id_) == ("failed", "no_answer", 2)
    clock.advance(86400)
    assert store.callbacks.due("n1") == []


def test_an_attempt_that_we_broke_off_does_not_count(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.callbacks.due("n1")
    assert store.callbacks.again(id_, "n1", "interrupted", clock(), counts=False)
    assert status(store, id_) == ("waiting", "interrupted", 0)


def test_what_a_dead_node_was_dialling_goes_to_another(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.queue.beat("n1")
    store.callbacks.due("n1")
    for _ in range(10):
        clock.advance(DEAD_AFTER_S - 1)
        store.queue.beat("n1")
        assert store.callbacks.due("n2") == [], "a long call of a node that lives"
    clock.advance(DEAD_AFTER_S + 1)
    assert [row["id"] for row in store.callbacks.due("n2")] == [id_]
    assert not store.callbacks.done(id_, "n1", "connected"), "the dead one came back too late"


def test_what_a_node_was_dialling_before_it_was_started_anew_waits_again(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.callbacks.due("n1")
    store.callbacks.forget("n2")
    assert status(store, id_)[0] == "dialling"
    store.callbacks.forget("n1")
    assert [row["id"] for row in store.callbacks.due("n1")] == [id_]


def test_who_is_promised_twice_is_called_once_about_the_newer_matter(store: Store, clock: Clock) -> None:
    first = promise(store, clock)
    assert promise(store, clock, "k2", call_id="c2", summary={"request": "居住证"}) == first
    asked = promise(store, clock, "k3", reason="satisfaction", script="satisfaction")
    assert asked != first
    row = store.callbacks.get(first)
    assert row
    assert (row["call_id"], row["summary"]) == ("c2", {"request": "居住证"})
    assert store.callbacks.page()["total"] == 2


@pytest.mark.parametrize("dialling", [False, True])
def test_who_reaches_a_seat_meanwhile_is_not_called_back(store: Store, clock: Clock, dialling: bool) -> None:
    id_ = promise(store, clock)
    clock.advance(1)
    script = promise(store, clock, "k2", reason="satisfaction", script="satisfaction")
    other = promise(store, clock, "k3", caller="13900139000")
    if dialling:
        store.callbacks.due("n1")
    assert store.callbacks.reached("", "c5") == 0
    assert store.callbacks.reached(NUMBER, "c5") == 1
    assert status(store, id_)[:2] == ("done", "reached")
    assert not store.callbacks.again(id_, "n1", "busy", clock()), "it stays closed"
    assert {status(store, one)[0] for one in (script, other)} == {"waiting"}


def test_while_no_seat_is_free_only_scripted_ones_are_claimed(store: Store, clock: Clock) -> None:
    promise(store, clock)
    clock.advance(1)
    script = promise(store, clock, "k2", reason="satisfaction", script="satisfaction")
    assert [row["id"] for row in store.callbacks.due("n1", 5, scripted_only=True)] == [script]


def test_one_that_waits_can_be_cancelled(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    assert store.callbacks.cancel(id_)["status"] == "cancelled"
    assert store.callbacks.due("n1") == []
    with pytest.raises(Conflict, match="is cancelled"):
        store.callbacks.cancel(id_)
    with pytest.raises(NotFound):
        store.callbacks.cancel("none")


def test_a_page_has_those_of_a_status_newest_first(store: Store, clock: Clock) -> None:
    first = promise(store, clock)
    clock.advance(1)
    second = promise(store, clock, "k2", caller="13900139000")
    store.callbacks.cancel(first)
    assert [row["id"] for row in store.callbacks.page()["items"]] == [second, first]
    assert [row["id"] for row in store.callbacks.page("cancelled")["items"]] == [first]
    assert "key" not in store.callbacks.page()["items"][0]
    with pytest.raises(ValueError, match="unknown"):
        store.callbacks.page("lost")


def test_a_withheld_number_and_an_unknown_reason_are_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(ValueError, match="withheld"):
        promise(store, clock, caller="")
    with pytest.raises(ValueError, match="unknown"):
        promise(store, clock, reason="just so")


def test_the_open_ones_are_listed_in_the_order_in_which_they_are_due(store: Store, clock: Clock) -> None:
    later = promise(store, clock, due_at=clock() + timedelta(hours=1))
    clock.advance(1)
    now = promise(store, clock, "k2", caller="13900139000", reason="abandoned")
    over = promise(store, clock, "k3", caller="13700137000")
    store.callbacks.cancel(over)

    def ids(**filters: Any) -> list[str]:
        return [row["id"] for row in store.callbacks.page(**filters)["items"]]

    assert ids(status="open") == [now, later]
    assert ids()[-1] == later
    assert ids(reason="abandoned") == [now]
    assert ids(caller="9001") == [now]
    assert ids(caller="%") == []


def test_one_that_a_seat_was_given_waits_until_that_seat_is_free(store: Store, clock: Clock) -> None:
    store.seed_seats([{"id": name, "uri": f"sip:{name}@h"} for name in ("s1", "s2")])
    id_ = promise(store, clock)
    with pytest.raises(NotFound, match="no seat s9"):
        store.callbacks.change(id_, seat="s9")
    assert store.callbacks.change(id_, seat="s2")["seat"] == "s2"
    assert store.callbacks.due("n1", free=["s1"]) == []
    assert store.callbacks.page(of_seats=["s1"])["total"] == 0
    assert store.callbacks.page(seat="s2", of_seats=["s2"])["total"] == 1
    store.workplace.remove("s2")
    assert [row["seat"] for row in store.callbacks.due("n1", free=["s1"])] == [""]
    with pytest.raises(Conflict, match="only one that waits can be changed"):
        store.callbacks.change(id_, due_at=clock())


def test_what_the_agent_asks_itself_is_given_to_no_seat(store: Store, clock: Clock) -> None:
    store.seed_seats([{"id": "s1", "uri": "sip:s1@h"}])
    id_ = promise(store, clock, reason="satisfaction", script="satisfaction")
    with pytest.raises(Conflict, match="the agent itself makes"):
        store.callbacks.change(id_, seat="s1")


def test_a_time_and_a_matter_can_be_changed_while_it_waits(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock, summary={"request": "社保卡", "place": "人民路"})
    changed = store.callbacks.change(id_, due_at=clock() + timedelta(hours=2), request="居住证")
    assert changed["summary"] == {"request": "居住证", "place": "人民路"}
    assert changed["due_at"] == "2025-11-21T06:00:00.000Z"
    assert store.callbacks.due("n1") == []


def test_one_that_failed_is_closed_by_hand_or_made_again(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.callbacks.due("n1")
    with pytest.raises(Conflict, match="is dialling"):
        store.callbacks.close(id_, "handled")
    store.callbacks.again(id_, "n1", "busy", None)
    assert store.callbacks.reopen(id_)["attempts"] == 0
    (row,) = store.callbacks.due("n1")
    assert (row["id"], row["attempts"]) == (id_, 1)
    store.callbacks.again(id_, "n1", "no_answer", None)
    with pytest.raises(ValueError, match="unknown"):
        store.callbacks.close(id_, "connected")
    closed = store.callbacks.close(id_, "handled", "用手机打通了")
    assert (closed["status"], closed["result"], closed["note"]) == ("done", "handled", "用手机打通了")
    for change in (store.callbacks.reopen, store.callbacks.cancel):
        with pytest.raises(Conflict, match="is done"):
            change(id_)


def test_none_is_opened_again_where_the_same_person_waits_already(store: Store, clock: Clock) -> None:
    id_ = promise(store, clock)
    store.callbacks.cancel(id_)
    promise(store, clock, "k2")
    with pytest.raises(Conflict, match="is called back already"):
        store.callbacks.reopen(id_)


def test_a_seat_at_work_is_not_taken_away(store: Store, clock: Clock) -> None:
    store.seed_seats([{"id": "s1", "uri": "sip:s1@h", "status": "free", "skills": ["社保"]}])
    assert store.claim_seat("社保", "c1")
    with pytest.raises(Conflict, match="is in a call"):
        store.workplace.remove("s1")
    store.release_seat("s1")
    store.workplace.take("s1", "li")
    store.set_seat_status("s1", "free")
    with pytest.raises(Conflict, match="li works at the seat s1"):
        store.workplace.remove("s1")
    store.set_seat_status("s1", "away")
    store.workplace.remove("s1")
    assert store.seats() == []
    with pytest.raises(NotFound):
        store.workplace.remove("s1")
