"""The outbox: put in with the change it tells of, claimed by one node, in order, kept until taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import CHINA, Conflict, NotFound
from records.outbox import without_secrets
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hotline.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    store = Store(url, clock=clock, tell_tickets=True)
    yield store
    store.close()


def file(store: Store, key: str = "k", **fields: Any) -> str:
    draft: dict[str, Any] = {
        "call_id": None,
        "caller": "13800000001",
        "category": "噪声",
        "department": "市城市管理局",
        "urgency": "normal",
        "title": "工地夜间施工",
        "text": "市民反映：工地夜间施工。联系人：王小明，联系电话：13800000001。",
        "slots": {"place": "中山路", "name": "王小明", "contact": "13800000001"},
    }
    return store.file_ticket(key, **{**draft, **fields})


def test_filing_puts_in_the_whole_work_order_once(store: Store) -> None:
    number = file(store)
    assert file(store) == number
    letter = store.outbox.claim("node", 30)
    assert letter
    assert (letter.key, letter.attempt, letter.created_at) == (f"{number}:ticket.filed", 1, NOON)
    assert letter.body == {
        "key": f"{number}:ticket.filed",
        "kind": "ticket.filed",
        "at": "2025-03-09T04:00:00.000Z",
        "ticket": store.ticket(number),
    }
    assert store.outbox.claim("other", 30) is None


def test_every_change_is_put_in_with_a_key_of_its_own(store: Store) -> None:
    number = file(store)
    for status in ("accepted", "in_progress"):  # in the same millisecond
        store.update_ticket(number, status=status)
    items = store.outbox.page()["items"]
    assert [item["kind"] for item in items] == ["ticket.updated", "ticket.updated", "ticket.filed"]
    assert len({item["key"] for item in items}) == 3
    assert all(item["key"].startswith(f"{number}:") for item in items)


def test_nothing_is_put_in_where_nobody_is_to_be_told(url: str) -> None:
    store = Store(url)
    store.update_ticket(file(store), status="accepted")
    assert store.outbox.count() == {"waiting": 0, "failed": 0}
    store.close()


def test_a_change_that_is_undone_tells_nothing(store: Store) -> None:
    number = file(store)
    with pytest.raises(ValueError, match="unknown"):
        store.update_ticket(number, status="gone")

    def change_two() -> None:
        with store.batch(all_or_none=True):
            store.update_ticket(number, status="accepted")
            store.update_ticket("none", status="accepted")

    with pytest.raises(NotFound):
        change_two()
    assert store.outbox.count() == {"waiting": 1, "failed": 0}
    found = store.ticket(number)
    assert found
    assert found["status"] == "filed"


def test_of_a_secret_work_order_nothing_tells_who_filed_it(store: Store) -> None:
    number = file(store, secret=True, text="我叫王小明，电话13800000001，工地很吵")
    letter = store.outbox.claim("node", 30)
    assert letter
    told = letter.body["ticket"]
    assert (told["caller"], told["call_id"], told["slots"]) == ("", None, {"place": "中山路"})
    assert told["text"] == "我叫（保密），电话（保密），工地很吵"
    assert (told["id"], told["secret"]) == (number, True)
    assert "王小明" not in str(letter.body)
    kept = store.ticket(number)
    assert kept
    assert kept["slots"]["name"] == "王小明"


def test_a_surname_is_hidden_where_it_is_a_name() -> None:
    ticket: dict[str, Any] = {"secret": True, "caller": "", "call_id": "c", "title": "王府路很吵"}
    told = without_secrets({**ticket, "text": "王先生反映王府路很吵", "slots": {"name": "王"}})
    assert (told["title"], told["text"]) == ("王府路很吵", "（保密）反映王府路很吵")


def test_what_was_taken_is_not_sent_again_and_its_text_is_not_kept(store: Store) -> None:
    file(store)
    letter = store.outbox.claim("node", 30)
    assert letter
    store.outbox.sent(letter)
    assert store.outbox.claim("node", 30) is None
    (item,) = store.outbox.page("sent")["items"]
    assert (item["status"], item["sent_at"], item["next_at"], item["taken_by"]) == (
        "sent",
        "2025-03-09T04:00:00.000Z",
        None,
        "",
    )
    with store._db.read() as connection:
        assert connection.exec_driver_sql("SELECT body FROM outbox").scalar_one() in ("{}", {})


def test_what_was_taken_is_forgotten_after_a_week(store: Store, clock: Clock) -> None:
    for key in ("a", "b"):
        file(store, key)
        letter = store.outbox.claim("node", 30)
        assert letter
        store.outbox.sent(letter)
        clock.advance(8 * 86400)
    assert [item["key"][:6] for item in store.outbox.page()["items"]] == ["250317"]


def test_a_claim_runs_out_and_another_node_takes_over(store: Store, clock: Clock) -> None:
    file(store)
    first = store.outbox.claim("dead", 30)
    assert first
    clock.advance(29)
    assert store.outbox.claim("other", 30) is None
    clock.advance(1)
    second = store.outbox.claim("other", 30)
    assert second
    assert (second.key, second.attempt) == (first.key, 2)
    assert not store.outbox.failed(first, "too late", None), "the dead node's failure counts no more"
    store.outbox.sent(first)
    assert store.outbox.count() == {"waiting": 0, "failed": 0}, "but that it was taken does"
    assert not store.outbox.failed(second, "refused", None)


def test_what_failed_waits_until_its_time(store: Store, clock: Clock) -> None:
    file(store)
    letter = store.outbox.claim("node", 30)
    assert letter
    assert store.outbox.failed(letter, "HTTP 500", clock.now + timedelta(seconds=2))
    assert store.outbox.claim("node", 30) is None
    (item,) = store.outbox.page("waiting")["items"]
    assert (item["attempts"], item["last_error"], item["next_at"]) == (
        1,
        "HTTP 500",
        "2025-03-09T04:00:02.000Z",
    )
    clock.advance(2)
    again = store.outbox.claim("node", 30)
    assert again
    assert (again.attempt, again.created_at) == (2, NOON)


def test_order_is_kept_for_each_work_order_and_for_nothing_else(store: Store, clock: Clock) -> None:
    first = file(store, "a")
    clock.advance(1)
    store.update_ticket(first, status="accepted")
    clock.advance(1)
    second = file(store, "b")
    held = store.outbox.claim("node", 600)
    assert held
    assert held.key == f"{first}:ticket.filed"
    other = store.outbox.claim("other", 600)
    assert other
    assert other.key == f"{second}:ticket.filed"
    store.outbox.sent(other)
    assert store.outbox.claim("other", 600) is None, "the change waits for what came before"
    store.outbox.failed(held, "HTTP 500", clock.now + timedelta(hours=1))
    assert store.outbox.claim("other", 600) is None
    clock.advance(3600)
    held = store.outbox.claim("node", 600)
    assert held
    store.outbox.sent(held)
    change = store.outbox.claim("node", 600)
    assert change
    assert change.body["ticket"]["status"] == "accepted"


def test_what_failed_for_good_holds_up_nothing_and_can_be_sent_again(store: Store, clock: Clock) -> None:
    number = file(store)
    store.update_ticket(number, status="accepted")
    letter = store.outbox.claim("node", 30)
    assert letter
    store.outbox.failed(letter, "HTTP 400 " + "x" * 1000, None)
    (failed,) = store.outbox.page("failed")["items"]
    assert (failed["status"], failed["next_at"], len(failed["last_error"])) == ("failed", None, 500)
    assert store.outbox.count() == {"waiting": 1, "failed": 1}
    change = store.outbox.claim("node", 30)
    assert change
    assert change.body["kind"] == "ticket.updated"
    later = clock.advance(86400)
    again = store.outbox.retry(failed["id"])
    assert (again["status"], again["about"]) == ("waiting", number)
    letter = store.outbox.claim("node", 30)
    assert letter
    assert (letter.id, letter.created_at) == (failed["id"], later), "its time begins anew"


def test_only_what_is_there_and_not_under_way_can_be_sent_again(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no message 7"):
        store.outbox.retry(7)
    file(store)
    letter = store.outbox.claim("node-1", 30)
    assert letter
    with pytest.raises(Conflict, match=r"being sent now, by node-1"):
        store.outbox.retry(letter.id)
    store.outbox.sent(letter)
    with pytest.raises(Conflict, match="taken already"):
        store.outbox.retry(letter.id)


def test_a_page_of_messages(store: Store) -> None:
    numbers = [file(store, key) for key in "abc"]
    page = store.outbox.page(about=numbers[1])
    assert (page["total"], page["page"], page["items"][0]["about"]) == (1, 1, numbers[1])
    assert "body" not in page["items"][0]
    with pytest.raises(ValueError, match="right is waiting, failed, sent"):
        store.outbox.page("lost")


def test_many_nodes_never_claim_the_same_message(url: str, store: Store) -> None:
    for key in range(30):
        file(store, str(key))
    nodes = [Store(url, tell_tickets=True) for _ in range(3)]
    begin = threading.Barrier(len(nodes))

    def take(index: int) -> list[str]:
        begin.wait()
        taken = []
        while letter := nodes[index].outbox.claim(f"node-{index}", 600):
            taken.append(letter.key)
        return taken

    with ThreadPoolExecutor(len(nodes)) as pool:
        taken = [key for keys in pool.map(take, range(len(nodes))) for key in keys]
    for node in nodes:
        node.close()
    assert sorted(taken) == sorted(item["key"] for item in store.outbox.page()["items"])
    assert len(set(taken)) == len(taken) == 30
