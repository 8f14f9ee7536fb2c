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

from .conftest import PASSWORD, TOKEN

pytestmark = [pytest.mark.web, pytest.mark.anyio]

CALLBACKS = "/api/v1/callbacks"
NUMBER = "13800138000"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    yield store
    store.close()


@asynccontextmanager
async def client(
    store: Store, folder: Path, *, can_ring: bool = True, name: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A machine, or the account `name`."""
    app = create_desk(
        store,
        recordings_dir=folder,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
        can_ring=can_ring,
    )
    headers = {"Origin": "http://desk"} if name else {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:
        if name:
            body = {"name": name, "password": PASSWORD}
            (await client.post("/api/v1/session", json=body)).raise_for_status()
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
        {"caller": NUMBER, "script": "satisfaction", "seat": "s1"},
    ],
)
async def test_what_cannot_be_rung_is_refused(store: Store, tmp_path: Path, body: dict[str, str]) -> None:
    async with client(store, tmp_path) as desk:
        assert (await desk.post(CALLBACKS, json=body)).status_code == 422
        assert (await desk.post(f"{CALLBACKS}/none/cancel")).status_code == 404
    assert store.callbacks.page()["total"] == 0


async def test_without_a_trunk_none_is_taken_that_would_wait_for_ever(store: Store, tmp_path: Path) -> None:
    async with client(store, tmp_path, can_ring=False) as desk:
        refused = await desk.post(CALLBACKS, json={"caller": NUMBER})
        assert refused.status_code == 409
        assert refused.json()["detail"].startswith("nobody can be called back: there is no trunk")
        assert (await desk.get(CALLBACKS)).json()["total"] == 0
    assert store.audit.page()["items"] == []


async def test_one_is_given_to_a_seat_moved_closed_and_made_again(store: Store, tmp_path: Path) -> None:
    store.seed_seats([{"id": "s1", "uri": "sip:s1@h"}])
    async with client(store, tmp_path) as desk:
        body = {"caller": NUMBER, "seat": "s1", "due_at": "2030-01-01T12:00:00+08:00"}
        one = (await desk.post(CALLBACKS, json=body)).json()
        assert (one["seat"], one["due_at"]) == ("s1", "2030-01-01T04:00:00.000Z")
        path = f"{CALLBACKS}/{one['id']}"
        assert (await desk.get(path)).json() == one
        again = (await desk.post(CALLBACKS, json={**body, "due_at": "2030-01-02T12:00:00+08:00"})).json()
        assert (again["id"], again["due_at"]) == (one["id"], "2030-01-02T04:00:00.000Z"), "it is moved"
        assert (await desk.patch(path, json={"seat": "s9"})).status_code == 404
        assert (await desk.patch(path, json={"caller": "1"})).status_code == 422
        changed = (await desk.patch(path, json={"seat": "", "request": "居住证"})).json()
        assert (changed["seat"], changed["summary"]["request"]) == ("", "居住证")
        for status, found in (("open", 1), ("failed", 0)):
            assert (await desk.get(CALLBACKS, params={"status": status})).json()["total"] == found
        assert (await desk.post(f"{path}/reopen")).status_code == 409
        assert (await desk.post(f"{path}/close", json={"result": "connected"})).status_code == 422
        closed = (await desk.post(f"{path}/close", json={"result": "handled", "note": "已发短信"})).json()
        assert (closed["status"], closed["result"], closed["note"]) == ("done", "handled", "已发短信")
        assert (await desk.patch(path, json={"seat": "s1"})).status_code == 409
        for last in ("", "/close", "/reopen"):
            missing = f"{CALLBACKS}/none{last}"
            answer = await (desk.post(missing, json={"result": "handled"}) if last else desk.get(missing))
            assert answer.status_code == 404
    trail = store.audit.page(about=one["id"])["items"]
    assert [(entry["action"], entry["detail"]) for entry in trail] == [
        ("callback_closed", {"result": "handled"}),
        ("callback_changed", {"fields": ["request", "seat"], "seat": ""}),
        ("callback_promised", {}),
        ("callback_promised", {}),
    ]


async def test_the_role_seat_sees_and_changes_what_its_own_seat_takes_or_any(
    store: Store, tmp_path: Path
) -> None:
    store.add_user("li", "seat", PASSWORD)
    store.seed_seats([{"id": name, "uri": f"sip:{name}@h"} for name in ("s1", "s2")])
    store.workplace.take("s1", "li")
    ids = {}
    async with client(store, tmp_path) as desk:
        for number, seat in ((NUMBER, "s2"), ("13900139000", ""), ("13700137000", "s1")):
            made = await desk.post(CALLBACKS, json={"caller": number, "seat": seat})
            ids[seat] = made.json()["id"]
    async with client(store, tmp_path, name="li") as li:
        found = (await li.get(CALLBACKS)).json()["items"]
        assert {one["id"] for one in found} == {ids[""], ids["s1"]}
        theirs = f"{CALLBACKS}/{ids['s2']}"
        for answer in (
            await li.get(theirs),
            await li.patch(theirs, json={"seat": "s1"}),
            await li.post(f"{theirs}/cancel"),
            await li.post(f"{theirs}/close", json={"result": "handled"}),
            await li.post(f"{theirs}/reopen"),
            await li.patch(f"{CALLBACKS}/{ids['']}", json={"seat": "s2"}),
            await li.post(CALLBACKS, json={"caller": "13600136000", "seat": "s2"}),
        ):
            assert answer.status_code == 403
        taken = await li.patch(f"{CALLBACKS}/{ids['']}", json={"seat": "s1"})
        assert (taken.status_code, taken.json()["seat"]) == (200, "s1")
        strange = await li.post(f"{CALLBACKS}/{ids['s1']}/cancel", headers={"Origin": "http://elsewhere"})
        assert strange.status_code == 403
    assert store.callbacks.page("open")["total"] == 3


async def test_one_that_failed_is_made_again_where_there_is_a_trunk(store: Store, tmp_path: Path) -> None:
    async with client(store, tmp_path) as desk:
        one = (await desk.post(CALLBACKS, json={"caller": NUMBER})).json()
        store.callbacks.due("n1")
        store.callbacks.again(one["id"], "n1", "busy", None)
        opened = (await desk.post(f"{CALLBACKS}/{one['id']}/reopen")).json()
        assert (opened["status"], opened["attempts"], opened["result"]) == ("waiting", 0, "")
        await desk.post(f"{CALLBACKS}/{one['id']}/cancel")
    async with client(store, tmp_path, can_ring=False) as desk:
        assert (await desk.post(f"{CALLBACKS}/{one['id']}/reopen")).status_code == 409
    assert store.audit.page(about=one["id"])["items"][1]["action"] == "callback_reopened"
