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
        store.callbacks.page("open")


def test_a_withheld_number_and_an_unknown_reason_are_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(ValueError, match="withheld"):
        promise(store, clock, caller="")
    with pytest.raises(ValueError, match="unknown"):
        promise(store, clock, reason="just so")
