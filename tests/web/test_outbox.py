"""The outbox on the desk: what waits, what failed, and sending it again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from desk.app import create_desk
from desk.live import LiveFeed
from records.store import Store

from .conftest import PASSWORD, TOKEN

pytestmark = [pytest.mark.web, pytest.mark.anyio]

OUTBOX = "/api/v1/outbox"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db", tell_tickets=True)
    yield store
    store.close()


@asynccontextmanager
async def client(store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_desk(
        store,
        recordings_dir=tmp_path,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


MACHINE = {"Authorization": f"Bearer {TOKEN}"}


async def test_a_work_order_filed_or_changed_over_the_api_waits_in_the_outbox(
    store: Store, tmp_path: Path
) -> None:
    async with client(store, tmp_path) as desk:
        filed = await desk.post("/api/v1/tickets", headers=MACHINE, json={"title": "路灯不亮"})
        number = filed.json()["id"]
        await desk.patch(f"/api/v1/tickets/{number}", headers=MACHINE, json={"status": "accepted"})
        found = (await desk.get(OUTBOX, headers=MACHINE, params={"ticket": number})).json()
    assert (found["total"], [item["kind"] for item in found["items"]]) == (
        2,
        ["ticket.updated", "ticket.filed"],
    )
    item = found["items"][1]
    assert set(item) == {
        *("id", "key", "kind", "about", "status", "attempts", "next_at", "taken_by", "last_error"),
        *("created_at", "sent_at"),
    }
    assert (item["key"], item["about"], item["status"]) == (f"{number}:ticket.filed", number, "waiting")


async def test_what_failed_is_listed_and_sent_again(store: Store, tmp_path: Path) -> None:
    async with client(store, tmp_path) as desk:
        await desk.post("/api/v1/tickets", headers=MACHINE, json={"title": "路灯不亮"})
        letter = store.outbox.claim("node", 30)
        assert letter
        path = f"{OUTBOX}/{letter.id}/retry"
        busy = await desk.post(path, headers=MACHINE)
        assert (busy.status_code, busy.json()["detail"]) == (
            409,
            f"the message {letter.id} is being sent now, by node",
        )
        store.outbox.failed(letter, "HTTP 400 缺少字段", None)
        (failed,) = (await desk.get(OUTBOX, headers=MACHINE, params={"status": "failed"})).json()["items"]
        assert (failed["last_error"], failed["next_at"]) == ("HTTP 400 缺少字段", None)
        again = await desk.post(path, headers=MACHINE)
        assert (again.status_code, again.json()["status"]) == (200, "waiting")
        assert store.outbox.claim("node", 30)
        assert (await desk.post(f"{OUTBOX}/77/retry", headers=MACHINE)).status_code == 404
        assert (await desk.get(OUTBOX, headers=MACHINE, params={"status": "lost"})).status_code == 422


async def test_the_outbox_is_for_ops_and_admins(store: Store, tmp_path: Path) -> None:
    store.add_user("seat", "seat", PASSWORD)
    store.add_user("ops", "ops", PASSWORD)
    async with client(store, tmp_path) as desk:
        assert (await desk.get(OUTBOX)).status_code == 401
        for name, status in (("seat", 403), ("ops", 200)):
            signed_in = await desk.post("/api/v1/session", json={"name": name, "password": PASSWORD})
            assert signed_in.status_code == 200
            assert (await desk.get(OUTBOX)).status_code == status
            if name == "seat":
                assert (
                    await desk.post(f"{OUTBOX}/1/retry", headers={"Origin": "http://desk"})
                ).status_code == 403


async def test_all_that_failed_is_sent_again_at_once(store: Store, tmp_path: Path) -> None:
    async with client(store, tmp_path) as desk:
        for title in ("路灯不亮", "井盖缺失", "树倒了"):
            await desk.post("/api/v1/tickets", headers=MACHINE, json={"title": title})
        for _ in range(2):
            letter = store.outbox.claim("node", 30)
            assert letter
            store.outbox.failed(letter, "HTTP 400", None)
        assert store.outbox.count() == {"waiting": 1, "failed": 2}
        again = await desk.post(f"{OUTBOX}/retry", headers=MACHINE)
        assert (again.status_code, again.json()) == (200, {"retried": 2})
        assert store.outbox.count() == {"waiting": 3, "failed": 0}
    entry = store.audit.page(action="messages_retried")["items"][0]
    assert entry["detail"] == {"count": 2}
