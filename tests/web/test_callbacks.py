"""Call-backs on the desk: listed, promised, cancelled, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from desk.app import create_desk
from desk.live import LiveFeed
from records.store import Store

from .conftest import TOKEN

pytestmark = [pytest.mark.web, pytest.mark.anyio]

CALLBACKS = "/api/v1/callbacks"
NUMBER = "13800138000"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    yield store
    store.close()


@asynccontextmanager
async def client(store: Store, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_desk(
        store,
        recordings_dir=folder,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:
        yield client


async def test_one_is_promised_listed_and_cancelled_and_that_is_in_the_audit_trail(
    store: Store, tmp_path: Path
) -> None:
    async with client(store, tmp_path) as desk:
        body = {"caller": NUMBER, "request": "社保卡补办进度", "skill": "社保"}
        made = await desk.post(CALLBACKS, json=body)
        assert made.status_code == 201
        one = made.json()
        assert (one["status"], one["reason"], one["summary"]["request"]) == (
            "waiting",
            "promised",
            "社保卡补办进度",
        )
        assert (await desk.get(CALLBACKS, params={"status": "waiting"})).json()["items"] == [one]
        cancelled = await desk.post(f"{CALLBACKS}/{one['id']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        assert (await desk.post(f"{CALLBACKS}/{one['id']}/cancel")).status_code == 409
        assert (await desk.get(CALLBACKS, params={"status": "waiting"})).json()["total"] == 0
    trail = store.audit.page(about=one["id"])["items"]
    assert [entry["action"] for entry in trail] == ["callback_cancelled", "callback_promised"]


@pytest.mark.parametrize(
    "body",
    [
        {"caller": ""},
        {"caller": "anonymous"},
        {"caller": NUMBER, "due_at": "2025-11-21T12:00:00"},
        {"caller": NUMBER, "script": "none"},
    ],
)
async def test_what_cannot_be_rung_is_refused(store: Store, tmp_path: Path, body: dict[str, str]) -> None:
    async with client(store, tmp_path) as desk:
        assert (await desk.post(CALLBACKS, json=body)).status_code == 422
        assert (await desk.post(f"{CALLBACKS}/none/cancel")).status_code == 404
    assert store.callbacks.page()["total"] == 0
