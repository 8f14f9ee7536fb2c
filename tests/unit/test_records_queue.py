"""The queue of callers who wait for a seat, and what seats want done in a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from records import CHINA
from records.queue import DEAD_AFTER_S, TALK_S
from records.store import Store

pytestmark = [pytest.mark.unit]


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
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/a.db", clock=clock)
    store.seed_seats({"id": name, "uri": f"sip:{name}@h", "status": "free"} for name in ("s1", "s2"))
    yield store
    store.close()


def claim(
    store: Store,
    call_id: str,
    *,
    skill: str = "",
    priority: int = 0,
    node: str = "n1",
    exclude: Sequence[str] = (),
) -> str:
    """The seat that the call gets, or how many wait before it."""
    found = store.queue.claim(skill, call_id, node=node, priority=priority, exclude=exclude)
    return found.seat["id"] if found.seat else str(found.ahead)


def test_free_seats_are_given_at_once_and_then_callers_wait_in_their_order(
    store: Store, clock: Clock
) -> None:
    assert [claim(store, "c1"), claim(store, "c2")] == ["s1", "s2"]
    for ahead, call_id in enumerate(("c3", "c4", "c5")):
        clock.advance(1)
        assert claim(store, call_id) == str(ahead)
    assert store.queue.claim("", "c5").on_duty == 2
    assert [one["call_id"] for one in store.queue.waiting()] == ["c3", "c4", "c5"]
    store.release_seat("s2")
    assert [claim(store, "c5"), claim(store, "c4")] == ["2", "1"]  # the seat is for who waits longest
    assert claim(store, "c3") == "s2"
    assert [claim(store, "c5"), claim(store, "c4")] == ["1", "0"]
    store.release_seat("s1")
    store.queue.leave("c4")
    store.queue.leave("c4")
    assert claim(store, "c5") == "s1"
    assert store.queue.waiting() == []


def test_an_emergency_comes_before_all_others(store: Store, clock: Clock) -> None:
    claim(store, "c1"), claim(store, "c2")
    claim(store, "c3")
    clock.advance(60)
    assert claim(store, "danger", priority=1) == "0"
    store.release_seat("s1")
    assert claim(store, "c3") == "1"
    assert claim(store, "danger", priority=1) == "s1"


def test_only_seats_count_that_the_caller_may_have_and_only_callers_who_may_have_one_of_these(
    store: Store, clock: Clock
) -> None:
    claim(store, "c1"), claim(store, "c2")
    claim(store, "c3", exclude=["s1"])
    clock.advance(1)
    queue = store.queue
    assert queue.claim("", "c4", exclude=["s1", "s2"])[1:] == (0, 0, 0.0)  # waits for nobody
    clock.advance(1)
    assert queue.claim("", "c5", exclude=["s2"])[1:] == (0, 1, 0.0)
    clock.advance(1)
    assert queue.claim("", "c6", exclude=["s1"])[1:] == (1, 1, 1.0)
    clock.advance(1)
    assert queue.claim("", "c7")[1:] == (3, 2, 3.0)
    clock.advance(1)
    assert queue.claim("", "c8", exclude=["s1"])[1:] == (3, 1, 2.5)  # the other seat may take c7
    store.set_seat_status("s1", "away")
    assert queue.claim("", "c5", exclude=["s2"]).on_duty == 0
    assert queue.claim("", "c8", exclude=["s1"])[1:] == (3, 1, 3.0)


def test_a_free_seat_is_not_kept_for_somebody_who_cannot_have_it(store: Store, clock: Clock) -> None:
    claim(store, "c1"), claim(store, "c2")
    claim(store, "c3", exclude=["s1"])
    clock.advance(1)
    claim(store, "c4", exclude=["s1"]), claim(store, "c5")
    store.release_seat("s1")
    assert [claim(store, "c3", exclude=["s1"]), claim(store, "c4", exclude=["s1"])] == ["0", "1"]
    assert claim(store, "c5") == "s1"


def test_the_seat_that_suits_the_first_who_waits_best_is_kept_for_them(store: Store, clock: Clock) -> None:
    store.seed_seats([{"id": "s2", "uri": "sip:s2@h", "skills": ["tax"]}])
    claim(store, "c1"), claim(store, "c2")
    claim(store, "c3", skill="tax")
    clock.advance(1)
    claim(store, "c4", skill="tax")
    for seat in ("s1", "s2"):
        store.release_seat(seat)
    assert claim(store, "c4", skill="tax") == "s1"
    assert claim(store, "c3", skill="tax") == "s2"


def test_a_seat_is_changed_only_by_the_call_that_it_is_in(store: Store) -> None:
    queue = store.queue
    assert claim(store, "c1") == "s1"
    assert queue.talking("s1", "c1")
    assert not queue.talking("s1", "c9")
    assert not queue.release("s1", "c9", "wrap_up")
    assert queue.release("s1", "c1", "wrap_up")
    assert not queue.end_wrap_up("s1", "c9")
    assert queue.end_wrap_up("s1", "c1")
    assert (store.seats()[0]["status"], store.seats()[0]["call_id"]) == ("free", None)
    assert not queue.end_wrap_up("s1", "c1")
    with pytest.raises(ValueError, match="seat status 'asleep' is unknown"):
        queue.release("s1", "c1", "asleep")


def test_a_node_that_was_taken_for_dead_takes_back_the_seats_that_talk_there(
    store: Store, clock: Clock
) -> None:
    talking = {"s1": "c1", "s2": "c2"}
    for node in ("n1", "n2"):
        store.queue.beat(node)
    for seat, call_id in talking.items():
        assert claim(store, call_id, node="n1") == seat
        store.queue.talking(seat, call_id)
    clock.advance(DEAD_AFTER_S + 1)
    assert store.queue.beat("n2") == ["n1"]
    assert claim(store, "c3", node="n2") == "s1"
    assert store.queue.beat("n1", talking) == []
    assert [(seat["status"], seat["call_id"]) for seat in store.seats()] == [
        ("ringing", "c3"),
        ("talking", "c2"),
    ]
    assert not store.queue.release("s1", "c1", "free"), "it rings for another by now"
    store.set_seat_status("s2", "free")
    store.queue.beat("n1", talking)
    assert store.seats()[1]["status"] == "free", "of a node that was never away nothing is taken back"


def test_many_callers_at_once_get_each_a_seat_of_their_own(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: claim(store, f"c{n}"), range(8)))
    assert sorted(one for one in got if one.startswith("s")) == ["s1", "s2"]
    assert len(store.queue.waiting()) == 6


def test_what_a_dead_node_held_is_let_go_by_the_others(store: Store, clock: Clock) -> None:
    store.queue.beat("n1")
    store.queue.beat("n2")
    claim(store, "c1", node="n1"), claim(store, "c2", node="n2")
    store.set_seat_status("s1", "talking")
    claim(store, "c3", node="n1"), claim(store, "c4", node="n2")
    clock.advance(DEAD_AFTER_S - 1)
    assert store.queue.beat("n2") == []
    clock.advance(2)
    assert store.queue.beat("n2") == ["n1"]
    assert {seat["id"]: seat["status"] for seat in store.seats()} == {"s1": "free", "s2": "ringing"}
    assert [one["call_id"] for one in store.queue.waiting()] == ["c4"]
    assert store.queue.beat("n2") == []


def test_a_node_that_is_started_anew_holds_nothing(store: Store) -> None:
    claim(store, "c1"), claim(store, "c2"), claim(store, "c3")
    store.queue.forget("n1")
    assert [seat["status"] for seat in store.seats()] == ["free", "free"]
    assert store.queue.waiting() == []


def test_a_seat_takes_or_declines_on_the_desk_only_what_rings(store: Store, clock: Clock) -> None:
    assert not store.set_verdict("s1", "accepted")
    claim(store, "c1")
    assert store.seat_verdict("s1") == ""
    assert store.set_verdict("s1", "declined")
    assert store.seat_verdict("s1") == "declined"
    clock.advance(1)
    store.release_seat("s1")
    assert claim(store, "c2") == "s2"
    claim(store, "c3")
    assert store.seat_verdict("s1") == ""  # of the call before
    with pytest.raises(ValueError, match="verdict 'perhaps' is unknown"):
        store.set_verdict("s1", "perhaps")


def test_how_long_a_talk_lasts_is_learnt_from_those_before(store: Store) -> None:
    assert store.queue.talk_s() == TALK_S
    for call_id, began, ended in (("c1", 10.0, 70.0), ("c2", 5.0, 125.0), ("c3", 8.0, None)):
        store.add_event(call_id, began, "bridged", {})
        if ended is not None:
            store.add_event(call_id, ended, "unbridged", {})
    assert store.queue.talk_s() == 90.0


def test_commands_are_taken_once_in_their_order(store: Store) -> None:
    store.commands.give("c1", "hold", {}, "li")
    store.commands.give("c2", "resume", {}, "wang")
    store.commands.give("c1", "send_on", {"seat": "s2"}, "li")
    assert store.commands.take("c1") == [
        {"action": "hold", "detail": {}, "by": "li"},
        {"action": "send_on", "detail": {"seat": "s2"}, "by": "li"},
    ]
    assert store.commands.take("c1") == []
    with pytest.raises(ValueError, match="action 'sing' is unknown"):
        store.commands.give("c1", "sing", {}, "li")


def test_the_board_tells_who_waits_also_where_there_is_no_seat_at_all(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/none.db")
    assert store.workplace.board() == ({}, 0)
    store.queue.claim("", "c1")
    assert store.workplace.board() == ({}, 1)
    store.close()
