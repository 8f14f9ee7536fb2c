"""Knowledge in the database: one revision for every change, and everybody can learn what changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import CHINA, Conflict, NotFound
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)


def passage(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "question": f"{id}怎么办？", "answer": f"{id}这样办。", **fields}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hotline.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url, clock=lambda: NOON)
    yield store
    store.close()


def test_what_is_put_in_is_found_with_all_its_fields(store: Store) -> None:
    full = passage(
        "card",
        phrasings=("卡丢了", "补卡"),
        department="市人社局",
        district="江北区",
        topic="社保",
        source="《办法》",
        valid_from=date(2025, 3, 1),
        valid_to="2025-12-31",
    )
    assert store.put_passages([full, passage("water")]) == 1
    found = store.passage("card")
    assert found == {
        **full,
        "phrasings": ["卡丢了", "补卡"],
        "valid_from": "2025-03-01",
        "updated_at": "2025-03-09T04:00:00.000Z",
    }
    assert store.passage("water") == {
        **passage("water"),
        **dict.fromkeys(("department", "district", "topic", "source"), ""),
        "phrasings": [],
        "valid_from": None,
        "valid_to": None,
        "updated_at": "2025-03-09T04:00:00.000Z",
    }


def test_a_new_database_has_no_revision_and_every_change_raises_it_by_one(store: Store) -> None:
    assert (store.knowledge_revision(), store.passages_since(0)) == (0, ([], [], 0))
    assert store.put_passages([passage("a"), passage("b")]) == 1
    assert store.put_passages([passage("a", topic="新")]) == 2
    assert store.remove_passages(["b"]) == 3
    assert store.change_passages([passage("c")], ["a"]) == 4
    assert store.change_passages([], []) == 4, "nothing to do is no change"
    assert store.knowledge_revision() == 4


def test_who_knows_a_revision_learns_what_came_after_it(store: Store) -> None:
    store.put_passages([passage("a"), passage("b"), passage("c")])
    store.remove_passages(["b"])
    store.put_passages([passage("c", topic="新")])

    def since(revision: int) -> tuple[list[str], list[str], int]:
        changed, removed, newest = store.passages_since(revision)
        return [row["id"] for row in changed], removed, newest

    assert since(0) == (["a", "c"], [], 3), "who knows nothing need not hear of what is gone"
    assert since(1) == (["c"], ["b"], 3)
    assert since(2) == (["c"], [], 3)
    assert since(3) == ([], [], 3)
    store.put_passages([passage("b")])
    assert since(2) == (["b", "c"], [], 4), "what was removed may come back"


def test_what_is_removed_is_gone_and_cannot_be_removed_twice(store: Store) -> None:
    store.put_passages([passage("a"), passage("b")])
    store.remove_passages(["a"])
    assert store.passage("a") is None
    assert store.count_passages() == 1
    assert [row["id"] for row in store.passages()["items"]] == ["b"]
    with pytest.raises(NotFound, match="no passage a"):
        store.remove_passages(["b", "a"])
    assert store.passage("b") is not None, "all or none"
    assert store.knowledge_revision() == 2


@pytest.mark.parametrize("bad", [{"question": ""}, {"answer": None}, {"id": ""}])
def test_a_passage_without_its_essentials_is_refused_and_nothing_changes(
    store: Store, bad: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="a passage needs"):
        store.put_passages([passage("a"), passage("b") | bad])
    with pytest.raises(TypeError, match="no field 'colour'"):
        store.put_passages([passage("a", colour="red")])
    assert (store.count_passages(), store.knowledge_revision()) == (0, 0)


def test_adding_wants_a_free_id_and_replacing_a_known_one(store: Store) -> None:
    assert store.add_passage(passage("a")) == 1
    with pytest.raises(Conflict, match="a passage a already"):
        store.add_passage(passage("a"))
    assert store.replace_passage(passage("a", topic="新")) == 2
    with pytest.raises(NotFound):
        store.replace_passage(passage("b"))
    store.remove_passages(["a"])
    with pytest.raises(NotFound):
        store.replace_passage(passage("a"))
    assert store.add_passage(passage("a")) == 4


def test_a_change_made_for_an_older_revision_is_refused(store: Store) -> None:
    store.put_passages([passage("a")])
    assert store.change_passages([passage("b")], since=1) == 2
    with pytest.raises(Conflict, match="changed by somebody else"):
        store.change_passages([passage("c")], since=1)
    assert store.count_passages() == 2


def test_a_page_shows_the_newest_change_first_and_finds_words(store: Store) -> None:
    store.put_passages([passage(f"p{n:03d}") for n in range(60)])
    store.put_passages([passage("p059", source="《100%新规》")])
    first, second = store.passages(), store.passages(page=2)
    assert (first["total"], len(first["items"]), len(second["items"])) == (60, 50, 10)
    assert first["items"][0]["id"] == "p059"
    assert [row["id"] for row in store.passages("100%")["items"]] == ["p059"]
    assert store.passages("10_%")["total"] == 0
    assert [row["id"] for row in store.passages("p007")["items"]] == ["p007"]


def test_many_writers_each_get_a_revision_of_their_own(store: Store, url: str) -> None:
    """Two nodes on one database: no revision is given twice, and no reader misses what came before one."""
    other = Store(url, clock=lambda: NOON)
    seen: list[tuple[int, set[str]]] = []
    done = threading.Event()

    def read() -> None:
        known, ids = 0, set[str]()
        while True:
            last = done.is_set()
            changed, removed, known = other.passages_since(known)
            ids = (ids | {row["id"] for row in changed}) - set(removed)
            seen.append((known, ids))
            if last:
                return

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        writes = [
            pool.submit((store, other)[n % 2].put_passages, [passage(f"p{n}"), passage(f"q{n}")])
            for n in range(40)
        ]
        revisions = [write.result() for write in writes]
        done.set()
        reader.result()
    other.close()
    assert sorted(revisions) == list(range(1, 41))
    assert seen[-1][0] == 40
    assert seen[-1][1] == {f"{kind}{n}" for kind in "pq" for n in range(40)}


def test_a_thousand_are_removed_at_once(store: Store) -> None:
    store.put_passages([passage(f"p{n}") for n in range(1200)])
    assert store.remove_passages([f"p{n}" for n in range(1100)]) == 2
    assert store.count_passages() == 100


def test_calls_are_found_by_what_the_agent_decided(store: Store) -> None:
    def call(id: str, *decisions: str, days_ago: int = 0) -> None:
        store.save_call(id, started_at=NOON - timedelta(days=days_ago))
        for index, kind in enumerate(decisions):
            store.save_turn(id, 2 * index, who="caller", text=f"{id}问{index}")
            store.save_turn(id, 2 * index + 1, who="agent", text="…", decision={"kind": kind, "why": "x"})

    call("known", "answer")
    call("asked", "answer", "rephrase")
    call("old", "rephrase", days_ago=40)
    store.save_call("silent", started_at=NOON)
    store.save_turn("silent", 0, who="agent", text="您好")
    found = store.turns_of_calls_with({"rephrase", "transfer"}, NOON - timedelta(days=30))
    assert [(turn["call_id"], turn["index"], turn["who"]) for turn in found] == [
        ("asked", 0, "caller"),
        ("asked", 1, "agent"),
        ("asked", 2, "caller"),
        ("asked", 3, "agent"),
    ]
    assert found[3]["decision"] == {"kind": "rephrase", "why": "x"}
    assert found[0]["started_at"] == "2025-03-09T04:00:00.000Z"
