"""Messages to a city's system over real HTTP: signed, in order, once by key, whatever fails."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from hotline import outbox as sending
from hotline.outbox import Outbox
from records.store import Store
from tests.peers.webhook_server import (
    Script,
    WebhookServer,
    breaks_off,
    hangs_up,
    refuses,
    takes_and_hangs_up,
    takes_slowly,
    talks_for_ever,
    webhook_server,
)

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

SECRET = "-".join(("between", "city", "and", "hotline"))
CALLER = "13812345678"
_KEYS = itertools.count()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in a city takes hundredths here."""
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(sending, "MOST_WAIT_S", 0.05)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hotline.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url, tell_tickets=True)
    yield store
    store.close()


def file(store: Store, **fields: Any) -> str:
    draft: dict[str, Any] = {
        "call_id": None,
        "caller": CALLER,
        "category": "噪声",
        "department": "市城市管理局",
        "urgency": "normal",
        "title": "工地夜间施工",
        "text": "市民反映：工地夜间施工。",
        "slots": {"place": "中山路", "name": "王小明", "contact": CALLER},
    }
    return store.file_ticket(f"k{next(_KEYS)}", **{**draft, **fields})


@asynccontextmanager
async def sent_by(store: Store, server: WebhookServer, **settings: Any) -> AsyncIterator[Outbox]:
    settings = {"timeout_s": 2.0, "poll_s": 0.02, "node": "node", "secret": SECRET, **settings}
    outbox = Outbox(store, server.url, **settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.run)
        yield outbox
        tasks.cancel_scope.cancel()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await anyio.sleep(0.01)
    raise TimeoutError("what is waited for did not come within 10 s")


def all_sent(store: Store) -> bool:
    return store.outbox.count() == {"waiting": 0, "failed": 0}


async def test_a_work_order_and_its_changes_arrive_in_order_as_in_the_api(store: Store) -> None:
    number = file(store)
    store.update_ticket(number, status="accepted")
    async with webhook_server(SECRET) as server, sent_by(store, server):
        await until(lambda: len(server.taken) == 2)
        changed = store.update_ticket(number, status="resolved")
        await until(lambda: all_sent(store))
    filed, *_, last = server.taken.values()
    assert filed["key"] == f"{number}:ticket.filed"
    assert [message["kind"] for message in server.taken.values()] == ["ticket.filed", *["ticket.updated"] * 2]
    assert [message["ticket"]["status"] for message in server.taken.values()] == [
        "filed",
        "accepted",
        "resolved",
    ]
    assert last["ticket"] == changed
    assert last["at"] == changed["updated_at"]
    assert server.requests[0].headers["content-type"] == "application/json"
    assert (server.unsigned, len(server.requests)) == (0, 3)


async def test_of_a_secret_work_order_the_city_learns_nobodys_name(store: Store) -> None:
    file(store, secret=True)
    async with webhook_server(SECRET) as server, sent_by(store, server):
        await until(lambda: len(server.taken) == 1)
    sent = server.requests[0].body.decode()
    assert CALLER not in sent
    assert "王小明" not in sent
    assert "中山路" in sent


@pytest.mark.parametrize(
    "faults",
    [
        [refuses("500 Internal Server Error"), refuses("503 Service Unavailable")],
        [refuses("408 Request Timeout"), refuses("425 Too Early"), refuses("429 Too Many Requests")],
        [refuses("302 Found", "Location: /elsewhere")],
        [hangs_up, hangs_up],
        [takes_and_hangs_up],
    ],
    ids=["5xx", "4xx-that-pass", "redirect", "hang-up", "taken-and-hang-up"],
)
async def test_what_fails_is_sent_again_with_the_same_key(store: Store, faults: list[Script]) -> None:
    number = file(store)
    store.update_ticket(number, status="accepted")
    async with webhook_server(SECRET, *faults) as server, sent_by(store, server):
        await until(lambda: all_sent(store))
    assert [request.key for request in server.requests[:-1]] == [f"{number}:ticket.filed"] * (len(faults) + 1)
    assert [message["kind"] for message in server.taken.values()] == ["ticket.filed", "ticket.updated"]
    bodies = {request.body for request in server.requests[:-1]}
    assert len(bodies) == 1, "the same message, byte for byte"
    assert store.outbox.page()["items"][-1]["attempts"] == len(faults) + 1


async def test_retry_after_is_honoured(store: Store) -> None:
    file(store)
    faults = [refuses("429 Too Many Requests", "Retry-After: 1")]
    async with webhook_server(SECRET, *faults) as server, sent_by(store, server):
        await until(lambda: all_sent(store))
    first, second = server.requests
    assert second.at_s - first.at_s >= 0.95


async def test_a_yes_whose_rest_is_lost_is_a_yes(store: Store) -> None:
    file(store)
    async with webhook_server(SECRET, breaks_off) as server, sent_by(store, server):
        await until(lambda: all_sent(store))
        await anyio.sleep(0.2)
    assert len(server.requests) == len(server.taken) == 1


async def test_a_yes_that_comes_too_late_is_asked_for_again(store: Store) -> None:
    file(store)
    async with webhook_server(SECRET, takes_slowly(1.0)) as server, sent_by(store, server, timeout_s=0.2):
        await until(lambda: all_sent(store))
    assert len(server.taken) == 1
    assert len(server.requests) == 2
    assert store.outbox.page()["items"][0]["attempts"] == 2


async def test_a_refusal_is_final_and_holds_up_nothing(store: Store) -> None:
    refused, number = file(store), file(store)
    faults = [refuses("400 Bad Request", body="缺少\n字段".encode())]
    async with webhook_server(SECRET, *faults) as server, sent_by(store, server):
        await until(lambda: store.outbox.count()["waiting"] == 0)
        (failed,) = store.outbox.page("failed")["items"]
        assert (failed["about"], failed["attempts"]) == (refused, 1)
        assert failed["last_error"] == "HTTP 400 缺少 字段"
        assert list(server.taken) == [f"{number}:ticket.filed"]
        store.outbox.retry(failed["id"])
        await until(lambda: all_sent(store))
    assert f"{refused}:ticket.filed" in server.taken


async def test_an_error_without_an_end_is_cut_short(store: Store) -> None:
    file(store)
    async with webhook_server(SECRET, talks_for_ever) as server, sent_by(store, server):
        await until(lambda: store.outbox.count()["failed"] == 1)
    (failed,) = store.outbox.page("failed")["items"]
    assert failed["last_error"] == "HTTP 400 " + "x" * sending.ANSWER_BYTES
    assert len(server.requests) == 1


async def test_a_wrong_secret_is_told_by_the_receiver_and_final(store: Store) -> None:
    file(store)
    async with webhook_server(SECRET) as server, sent_by(store, server, secret=SECRET[1:]):
        await until(lambda: store.outbox.count()["failed"] == 1)
    assert server.unsigned == len(server.requests) == 1
    assert store.outbox.page("failed")["items"][0]["last_error"] == "HTTP 401 签名不对"


async def test_at_the_end_of_its_time_a_message_is_given_up(store: Store) -> None:
    file(store)
    faults = [hangs_up] * 1000
    async with webhook_server(SECRET, *faults) as server, sent_by(store, server, give_up_after_h=1.5 / 3600):
        await until(lambda: store.outbox.count()["failed"] == 1)
    (failed,) = store.outbox.page("failed")["items"]
    assert failed["attempts"] == len(server.requests) >= 2
    assert "RemoteProtocolError" in failed["last_error"] or "ReadError" in failed["last_error"]


async def test_where_nobody_listens_it_waits(store: Store) -> None:
    file(store)
    async with webhook_server(SECRET) as gone:
        pass
    async with sent_by(store, gone):
        await until(lambda: store.outbox.page()["items"][0]["attempts"] > 1)
    async with webhook_server(SECRET) as server, sent_by(store, server):
        await until(lambda: all_sent(store))
    assert len(server.taken) == 1


async def test_nodes_share_the_work_and_none_sends_what_another_is_sending(url: str, store: Store) -> None:
    numbers = [file(store) for _ in range(20)]
    for number in numbers:
        store.update_ticket(number, status="accepted")
    nodes = [Store(url, tell_tickets=True) for _ in range(2)]
    slow = [takes_slowly(0.01)] * 40
    async with (
        webhook_server(SECRET, *slow) as server,
        sent_by(nodes[0], server, node="one"),
        sent_by(nodes[1], server, node="two"),
    ):
        await until(lambda: all_sent(store))
    for node in nodes:
        node.close()
    assert (server.at_once, len(server.requests), len(server.taken)) == (0, 40, 40)
    for number in numbers:
        kinds = [message["kind"] for message in server.taken.values() if message["ticket"]["id"] == number]
        assert kinds == ["ticket.filed", "ticket.updated"]


async def test_what_a_dead_node_was_sending_is_sent_by_another(store: Store) -> None:
    file(store)
    left = store.outbox.claim("dead", 0.5)
    assert left
    async with webhook_server(SECRET) as server, sent_by(store, server):
        await anyio.sleep(0.2)
        assert server.requests == []
        await until(lambda: all_sent(store))
    assert [request.key for request in server.requests] == [left.key]


async def test_what_is_under_way_at_a_stop_is_sent_at_the_next_start(url: str, store: Store) -> None:
    file(store)
    async with webhook_server(SECRET, takes_slowly(5)) as server:
        async with sent_by(store, server):
            await until(lambda: len(server.requests) == 1)
        (left,) = store.outbox.page("waiting")["items"]
        assert (left["taken_by"], left["last_error"]) == ("", "the program was stopped while sending")
        again = Store(url, tell_tickets=True)
        async with sent_by(again, server, node="next"):
            await until(lambda: all_sent(again))
        again.close()
    assert [request.key for request in server.requests] == [left["key"]] * 2
    assert len(server.taken) == 1


async def test_the_backlog_is_known_and_logs_hold_ids_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "COUNT_EVERY_S", 0.02)
    number = file(store)
    file(store)
    faults = [refuses("500 Oops", body=CALLER.encode()), refuses("400 Bad Request", body=CALLER.encode())]
    with structlog.testing.capture_logs() as logs:
        async with webhook_server(SECRET, *faults) as server, sent_by(store, server) as outbox:
            await until(lambda: outbox.backlog == {"waiting": 0, "failed": 1})
    assert {line["event"] for line in logs} == {"outbox_not_taken", "outbox_failed", "outbox_sent"}
    assert CALLER not in str(logs)
    assert number not in str(logs)
