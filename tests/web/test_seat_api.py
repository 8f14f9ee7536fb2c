"""What people at seats may ask of the desk, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from desk.app import create_desk
from desk.live import LiveFeed
from records.store import Store

from .conftest import NOW, TOKEN, Desk

pytestmark = [pytest.mark.web]

API = "/api/v1"


@contextmanager
def sitting(desk: Desk, account: str = "seat", seat_id: str = "s1") -> Iterator[httpx.Client]:
    """Signed in and at a seat that is free; away and empty in the end."""
    with desk.signed_in(account) as client:
        client.post(f"{API}/seats/{seat_id}/login").raise_for_status()
        client.post(f"{API}/seats/{seat_id}/status", json={"status": "free"}).raise_for_status()
        yield client
        desk.store.set_seat_status(seat_id, "away")
        client.post(f"{API}/seats/{seat_id}/logout").raise_for_status()


def test_an_account_takes_one_seat_and_leaves_it(desk: Desk) -> None:
    desk.store.seed_seats([{"id": "s9", "name": "小吴", "uri": "sip:s9@127.0.0.1"}])
    with desk.signed_in("seat") as seat, desk.signed_in("ops") as ops:
        assert seat.get(f"{API}/workplace").json()["seat"] is None
        assert seat.post(f"{API}/seats/s9/login").json()["user"] == "seat"
        assert seat.get(f"{API}/workplace").json()["seat"]["id"] == "s9"
        seat.post(f"{API}/seats/s9/status", json={"status": "free"}).raise_for_status()
        assert ops.post(f"{API}/seats/s9/login").status_code == 409  # somebody works there
        seat.post(f"{API}/seats/s1/login").raise_for_status()
        left = next(row for row in desk.store.seats() if row["id"] == "s9")
        assert (left["user"], left["status"]) == ("", "away")
        assert ops.post(f"{API}/seats/s1/login").json()["user"] == "ops"  # left as away: taken over
        assert seat.post(f"{API}/seats/s1/logout").status_code == 403
        assert ops.post(f"{API}/seats/s1/logout").json()["user"] == ""
        assert seat.post(f"{API}/seats/none/login").status_code == 404
    assert "seat_taken" in [entry["action"] for entry in desk.store.audit.page()["items"]]


def test_a_seat_answers_for_itself_and_only_while_it_rings(desk: Desk) -> None:
    with sitting(desk) as seat:
        path, yes = f"{API}/seats/s1/answer", {"verdict": "accepted"}
        assert seat.post(path, json=yes).status_code == 409
        desk.store.save_call("ringing", caller="13800000005", started_at=NOW)
        claimed = desk.store.queue.claim("民政", "ringing").seat
        assert claimed is not None
        assert seat.post(path, json={**yes, "call_id": "another"}).status_code == 409
        assert desk.store.seat_verdict("s1") == ""
        assert seat.post(path, json={**yes, "call_id": "ringing"}).json()["call_id"] == "ringing"
        assert desk.store.seat_verdict("s1") == "accepted"
        assert seat.post(path, json={"verdict": "perhaps"}).status_code == 422
        assert seat.post(f"{API}/seats/s1/logout").status_code == 409  # in a call
        desk.store.seed_seats([{"id": "s8", "name": "小周", "uri": "sip:s8@127.0.0.1"}])
        assert seat.post(f"{API}/seats/s8/answer", json=yes).status_code == 403
        assert seat.get(f"{API}/seats/s8/calls").status_code == 403


def test_commands_are_for_the_seat_that_talks(desk: Desk) -> None:
    path = f"{API}/calls/commanded/commands"
    with sitting(desk) as seat, desk.machine() as machine:
        assert machine.post(path, json={"action": "hold"}).status_code == 404
        desk.store.save_call("commanded", caller="13800000005", started_at=NOW)
        assert machine.post(path, json={"action": "hold"}).status_code == 409
        assert seat.post(path, json={"action": "hold"}).status_code == 403
        desk.store.queue.claim("民政", "commanded")
        desk.store.set_seat_status("s1", "talking")
        assert seat.post(path, json={"action": "hold"}).status_code == 202
        uri = {"uri": "sip:66881234@127.0.0.1"}
        assert machine.post(path, json={"action": "add", "detail": uri}).status_code == 202
        wrong = (
            {"action": "fly"},
            {"action": "add"},
            {"action": "add", "detail": {"uri": "tel:110"}},
            {"action": "add", "detail": {"uri": "sip:a@b\r\nX: y"}},
            {"action": "send_on"},
            {"action": "send_on", "detail": {"seat": "s1", "skill": "民政"}},
            {"action": "hold", "detail": {"more": "x"}},
        )
        for body in wrong:
            assert seat.post(path, json=body).status_code == 422, body
        nowhere = {"action": "send_on", "detail": {"seat": "none"}}
        assert seat.post(path, json=nowhere).status_code == 404
        taken = [(one["action"], one["detail"], one["by"]) for one in desk.store.commands.take("commanded")]
        assert taken == [("hold", {}, "seat"), ("add", uri, "api-token")]


def test_a_seat_sees_the_calls_it_had_and_what_a_caller_had(desk: Desk) -> None:
    number = "13800000077"
    for call_id, outcome, seat_id in (
        ("had", "connected", "s1"),
        ("missed", "no_answer", "s1"),
        ("not", "connected", "s5"),
        ("before_midnight", "connected", "s1"),
    ):
        ago = timedelta(hours=23 if call_id == "before_midnight" else 0)
        desk.store.save_call(call_id, caller=number, started_at=NOW - ago)
        desk.store.add_event(call_id, 3.0, "seat_ringing", {"seat": seat_id})
        desk.store.save_transfer(call_id, "caller_asked", {"request": "补贴"}, seat_id, outcome)
    desk.store.add_event("had", 5.0, "bridged", {"seat": "s1"})
    desk.store.save_call("old", caller=number, started_at="2024-01-02T03:04:05Z")
    desk.store.add_event("old", 3.0, "seat_ringing", {"seat": "s1"})
    fields = {
        "call_id": None,
        "caller": number,
        "category": "",
        "department": "",
        "urgency": "normal",
        "text": "",
    }
    opened = desk.store.file_ticket("open", title="未办结", slots={}, **fields)
    closed = desk.store.file_ticket("closed", title="已办结", slots={}, **fields)
    desk.store.update_ticket(closed, status="closed")
    with sitting(desk) as seat:
        calls = seat.get(f"{API}/seats/s1/calls", params={"day": NOW.date().isoformat()}).json()["items"]
        mine = {call["id"]: (call["connected"], call["transfer_outcome"], call["request"]) for call in calls}
        assert mine["had"] == (True, "connected", "补贴")
        assert mine["missed"] == (False, "no_answer", "补贴")
        assert not {"not", "old"} & set(mine)
        lately = {call["id"] for call in seat.get(f"{API}/seats/s1/calls").json()["items"]}
        assert lately == {"had", "missed", "before_midnight"} | ({"commanded"} & lately)
        old = seat.get(f"{API}/seats/s1/calls", params={"day": "2024-01-02"}).json()["items"]
        assert [call["id"] for call in old] == ["old"]
        history = seat.get(f"{API}/callers/{number}/history").json()
        assert {call["id"] for call in history["calls"]} == {"had", "missed", "not", "old", "before_midnight"}
        assert [ticket["id"] for ticket in history["tickets"]] == [opened]


def test_the_queue_and_changes_of_the_board_are_told_live(desk: Desk) -> None:
    with sitting(desk) as seat:
        with seat.stream("GET", f"{API}/events") as events:
            lines = (json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: "))
            assert events.status_code == 200
            done = threading.Event()

            def keep_changing() -> None:  # the first look at the board tells nothing
                for attempt in range(60):
                    desk.store.set_seat_status("s1", ("wrap_up", "free")[attempt % 2])
                    if done.wait(0.3):
                        return

            thread = threading.Thread(target=keep_changing)
            thread.start()
            event = next(event for event in lines if event["kind"] == "seat")
            done.set()
            thread.join()
            assert (event["detail"]["id"], event["detail"]["user"]) == ("s1", "seat")
            assert "call" not in event["detail"]
            desk.store.set_seat_status("s1", "free")
            desk.store.save_call("pops", caller="13800000005", started_at=NOW)
            desk.store.save_transfer("pops", "emergency", {"request": "燃气泄漏"}, "", "")
            desk.store.queue.claim("民政", "pops", node="n9")
            event = next(event for event in lines if event.get("call_id") == "pops")
            assert event["detail"]["status"] == "ringing"
            call = event["detail"]["call"]  # all that its pop shows
            assert (call["caller"], call["reason"]) == ("13800000005", "emergency")
            assert call["summary"]["request"] == "燃气泄漏"
        desk.store.set_seat_status("s1", "away")
        assert desk.store.queue.claim("民政", "waits", node="n9").seat is None
        try:
            (waiting,) = seat.get(f"{API}/queue").json()["items"]
            assert (waiting["call_id"], waiting["node"], waiting["skill"]) == ("waits", "n9", "民政")
            assert seat.get(f"{API}/workplace").json()["waiting"] == 1
            assert desk.store.workplace.board().waiting == 1
        finally:
            desk.store.queue.leave("waits")


def test_everybody_signed_in_may_read_the_categories(desk: Desk) -> None:
    with desk.signed_in("seat") as seat:
        found = seat.get(f"{API}/taxonomy").json()
        assert found["total"] == 3
        assert found["items"][0] == {"category": "施工噪音", "department": "市城市管理局", "kind": "投诉"}
    with desk.client() as stranger:
        assert stranger.get(f"{API}/taxonomy").status_code == 401


def test_admins_take_seats_away_and_ops_look_on(desk: Desk) -> None:
    body = {"id": "s44", "name": "小赵", "uri": "sip:s44@127.0.0.1"}
    with desk.machine() as machine, desk.signed_in("ops") as ops:
        machine.post(f"{API}/seats", json=body).raise_for_status()
        assert "s44" in {seat["id"] for seat in ops.get(f"{API}/seats").json()["items"]}
        assert ops.post(f"{API}/seats", json=body).status_code == 403
        assert ops.delete(f"{API}/seats/s44").status_code == 403
        assert desk.store.set_seat_status("s44", "talking")
        assert machine.delete(f"{API}/seats/s44").status_code == 409
        desk.store.release_seat("s44", "away")
        assert [machine.delete(f"{API}/seats/s44").status_code for _ in range(2)] == [204, 404]
        assert "s44" not in {seat["id"] for seat in ops.get(f"{API}/seats").json()["items"]}
        done = machine.get(f"{API}/audit", params={"about": "s44"}).json()["items"]
        assert [entry["action"] for entry in done] == ["seat_removed", "seat_saved"]


@pytest.mark.anyio
async def test_a_seat_that_stands_in_the_settings_is_changed_there(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    body = {"id": "s1", "name": "小陈", "uri": "sip:s1@127.0.0.1"}
    store.seed_seats([body])
    app = create_desk(
        store,
        recordings_dir=tmp_path,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
        configured_seats={"s1"},
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as machine:
        await machine.post(f"{API}/seats", json={**body, "id": "s2"})
        found = (await machine.get(f"{API}/seats")).json()["items"]
        assert [(seat["id"], seat["configured"]) for seat in found] == [("s1", True), ("s2", False)]
        refused = [
            await machine.post(f"{API}/seats", json=body),
            await machine.delete(f"{API}/seats/s1"),
        ]
        assert [answer.status_code for answer in refused] == [409, 409]
        assert "stands in the settings" in refused[0].json()["detail"]
        assert (await machine.post(f"{API}/seats/s1/status", json={"status": "free"})).status_code == 200
    store.close()
