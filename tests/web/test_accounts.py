"""Accounts over real HTTP: lock-out, second factor, what admins do, who hears what."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from desk.app import create_desk
from desk.live import LiveFeed
from records import NotFound
from records.store import Store

from .conftest import PASSWORD, TOKEN, Desk

pytestmark = [pytest.mark.web]

API = "/api/v1"
SESSION, TOTP, USERS, AUDIT = f"{API}/session", f"{API}/session/totp", f"{API}/users", f"{API}/audit"
RECORDING = f"{API}/calls/transferred/recording.wav"


def user(desk: Desk, name: str, role: str = "ops") -> str:
    desk.store.add_user(name, role, PASSWORD)
    return name


def sign_in(desk: Desk, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """From an address of its own, so that only the database slows it down."""
    with httpx.Client(
        base_url=desk.url, transport=httpx.HTTPTransport(local_address=next(ADDRESSES)), timeout=20
    ) as client:
        return client.post(SESSION, json={"name": name, "password": password, **more})


ADDRESSES = iter([f"127.0.{n // 250}.{n % 250 + 2}" for n in range(5000)])


def audited(desk: Desk, **filters: str) -> list[dict[str, Any]]:
    with desk.machine() as machine:
        found: list[dict[str, Any]] = machine.get(AUDIT, params=filters).json()["items"]
        return found


@contextmanager
def no_audit(desk: Desk) -> Iterator[None]:
    """The table of the audit trail is broken for a while."""
    path = desk.recordings_dir.parent / "hotline.db"

    def rename(old: str, new: str) -> None:
        with sqlite3.connect(path, timeout=10) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
        connection.close()

    rename("audit", "audit_away")
    try:
        yield
    finally:
        rename("audit_away", "audit")


def test_an_account_is_locked_wherever_the_guesses_come_from(desk: Desk) -> None:
    user(desk, "locked")
    for _ in range(5):
        refused = sign_in(desk, "locked", "wrong")
        assert refused.status_code == 401
    answer = sign_in(desk, "locked")
    assert (answer.status_code, answer.json()) == (401, refused.json())
    assert sign_in(desk, "no such name").json() == refused.json()
    reasons = [entry["detail"]["reason"] for entry in audited(desk, about="locked", action="login_failed")]
    assert reasons == ["locked", *["password"] * 5]
    with desk.machine() as machine:
        (shown,) = [item for item in machine.get(USERS).json()["items"] if item["name"] == "locked"]
        assert shown["locked_until"] is not None
        unlocked = machine.patch(f"{USERS}/locked", json={"unlock": True}).json()
        assert (unlocked["locked_until"], unlocked["one_time_password"]) == (None, None)
    assert sign_in(desk, "locked").status_code == 200


@pytest.mark.usefixtures("dear_passwords")
def test_a_name_that_does_not_exist_takes_as_long(desk: Desk) -> None:
    user(desk, "timed")
    taken: dict[str, list[float]] = {"timed": [], "nobody at all": []}
    for _ in range(12):
        for name, times in taken.items():
            began = time.perf_counter()
            assert sign_in(desk, name, "wrong").status_code == 401
            times.append(time.perf_counter() - began)
            desk.store.accounts.unlock("timed")
    known, unknown = map(statistics.median, taken.values())
    assert 0.5 < known / unknown < 2.0, (known, unknown)


def test_a_second_factor_is_begun_confirmed_and_then_asked_for(desk: Desk) -> None:
    user(desk, "two")
    with desk.signed_in("two") as me:
        assert me.post(TOTP, json={"password": "wrong"}).status_code == 403
        begun = me.post(TOTP, json={"password": PASSWORD}).json()
        totp = pyotp.TOTP(begun["secret"])
        parsed = pyotp.parse_uri(begun["uri"])
        assert (parsed.secret, parsed.name, parsed.issuer) == (begun["secret"], "two", "12345")
        assert begun["qr"].startswith("data:image/svg+xml")
        assert me.put(TOTP, json={"code": "abcdef"}).status_code == 422
        assert sign_in(desk, "two").status_code == 200  # not on before it was confirmed
        code = totp.now()
        assert me.put(TOTP, json={"code": code}).status_code == 204
        assert me.post(TOTP, json={"password": PASSWORD}).status_code == 409
        assert begun["secret"] not in me.get(SESSION).text
    with desk.machine() as machine:
        shown = machine.get(USERS)
        assert begun["secret"] not in shown.text
        assert {item["name"] for item in shown.json()["items"] if item["totp"]} == {"two"}
    asked = sign_in(desk, "two")
    assert (asked.status_code, asked.headers["www-authenticate"]) == (401, "TOTP")
    replayed = sign_in(desk, "two", code=code)
    assert (replayed.status_code, replayed.headers["www-authenticate"]) == (401, "TOTP")
    wrong = sign_in(desk, "two", "wrong", code=totp.at(time.time() + 30))
    assert (wrong.status_code, "www-authenticate" in wrong.headers) == (401, False)
    fresh = totp.at(time.time() + 30)
    assert [sign_in(desk, "two", code=fresh).status_code for _ in range(2)] == [200, 401]
    with desk.machine() as machine:
        assert machine.patch(f"{USERS}/two", json={"totp": False}).json()["totp"] is False
        assert machine.post(TOTP, json={"password": "x"}).status_code == 403
    assert sign_in(desk, "two").status_code == 200
    assert [entry["action"] for entry in audited(desk, who="two") if entry["action"] != "login"] == [
        "totp_on",
        "password_refused",
    ]


def test_admins_add_change_and_remove_accounts(desk: Desk) -> None:
    with desk.machine() as machine:
        made = machine.post(USERS, json={"name": "zhao", "role": "seat"})
        assert made.status_code == 201
        password = made.json()["one_time_password"]
        assert made.json()["must_change"]
        assert machine.post(USERS, json={"name": "zhao", "role": "seat"}).status_code == 409
        for wrong in ({"name": "a/b", "role": "seat"}, {"name": "li", "role": "boss"}, {"name": "li"}):
            assert machine.post(USERS, json=wrong).status_code == 422, wrong
        with desk.client(Origin=desk.url) as zhao:
            assert zhao.post(SESSION, json={"name": "zhao", "password": password}).json()["must_change"]
            assert zhao.put(f"{SESSION}/password", json={"old": password, "new": PASSWORD}).status_code == 200
            assert zhao.get(f"{API}/calls").status_code == 200
            for refused in (zhao.get(USERS), zhao.get(AUDIT), zhao.delete(f"{USERS}/zhao")):
                assert refused.status_code == 403
            assert machine.patch(f"{USERS}/zhao", json={"role": "ops"}).json()["role"] == "ops"
            assert zhao.get(f"{API}/calls").status_code == 401
            again = machine.patch(f"{USERS}/zhao", json={"new_password": True}).json()
            assert (again["must_change"], again["one_time_password"] != password) == (True, True)
            assert sign_in(desk, "zhao").status_code == 401
            signed = {"name": "zhao", "password": again["one_time_password"]}
            assert zhao.post(SESSION, json=signed).status_code == 200
            assert machine.delete(f"{USERS}/zhao").status_code == 204
            assert zhao.get(SESSION).status_code == 401
        for body in ({"role": "boss"}, {"unlock": False}, {"totp": True}, {"password": "x" * 12}):
            assert machine.patch(f"{USERS}/ops", json=body).status_code == 422, body
        for answer in (machine.delete(f"{USERS}/zhao"), machine.patch(f"{USERS}/zhao", json={})):
            assert answer.status_code == 404
    entries = audited(desk, about="zhao")[::-1]
    assert [(entry["who"], entry["action"], entry["detail"]) for entry in entries] == [
        ("api-token", "user_added", {"role": "seat"}),
        ("zhao", "password_changed", {}),
        ("api-token", "user_changed", {"role": "ops"}),
        ("api-token", "user_changed", {"new_password": True}),
        ("", "login_failed", {"reason": "password"}),
        ("api-token", "user_removed", {}),
    ]
    assert password not in str(audited(desk))


def test_the_last_admin_cannot_go(desk: Desk) -> None:
    user(desk, "boss", "admin")
    with desk.signed_in("boss") as boss:
        for answer in (boss.delete(f"{USERS}/boss"), boss.patch(f"{USERS}/boss", json={"role": "ops"})):
            assert answer.status_code == 409
            assert answer.json()["detail"] == "boss is the last admin; make another account an admin first"
        assert boss.get(USERS).status_code == 200
        user(desk, "other boss", "admin")
        assert boss.delete(f"{USERS}/other boss").status_code == 204
        others = {"action": "user_removed", "about": "other boss"}
        assert [entry["who"] for entry in boss.get(AUDIT, params=others).json()["items"]] == ["boss"]
    assert [entry["action"] for entry in audited(desk, who="boss")][::-1] == ["login", "user_removed"]


def test_what_is_changed_or_taken_out_is_in_the_trail(desk: Desk) -> None:
    user(desk, "changes")
    desk.store.seed_seats([{"id": "s8", "name": "八号", "uri": "sip:s8@127.0.0.1"}])
    with desk.signed_in("changes") as me:
        number = me.post(f"{API}/tickets", json={"title": "路灯不亮"}).json()["id"]
        me.patch(f"{API}/tickets/{number}", json={"status": "resolved", "title": "路灯已亮"})
        assert me.patch(f"{API}/tickets/0", json={"status": "resolved"}).status_code == 404
        me.get(f"{API}/calls/transferred")
        me.get(f"{API}/calls/transferred/vcon")
        me.post(f"{API}/seats/s8/status", json={"status": "free"})
        passage = {"question": "图书馆几点开门？", "answer": "早上九点。"}
        kept = me.post(f"{API}/kb", json=passage).json()["id"]
        me.put(f"{API}/kb/{kept}", json={**passage, "answer": "早上八点半。"})
        me.delete(f"{API}/kb/{kept}")
        me.delete(SESSION)
    entries = audited(desk, who="changes")[::-1]
    assert [(entry["action"], entry["about"], entry["detail"]) for entry in entries] == [
        ("login", "", {}),
        ("ticket_filed", number, {}),
        ("ticket_changed", number, {"fields": ["status", "title"]}),
        ("export", "transferred", {"format": "vcon"}),
        ("seat_status", "s8", {"status": "free"}),
        ("knowledge_added", kept, {}),
        ("knowledge_changed", kept, {}),
        ("knowledge_removed", kept, {}),
        ("logout", "", {}),
    ]
    assert {(entry["role"], entry["address"]) for entry in entries} == {("ops", "127.0.0.1")}
    assert "路灯" not in str(entries)


def test_ranges_of_one_recording_are_one_entry(desk: Desk) -> None:
    user(desk, "ears")
    with desk.signed_in("ears") as me:
        assert me.head(RECORDING).status_code == 200
        assert audited(desk, who="ears", action="listen") == []
        for begin in range(0, 5000, 1000):
            part = me.get(RECORDING, headers={"Range": f"bytes={begin}-{begin + 999}"})
            assert part.status_code == 206
        assert me.get(f"{API}/calls/complaint/recording.wav").status_code == 404
    assert [entry["about"] for entry in audited(desk, who="ears", action="listen")] == ["transferred"]


def test_nothing_is_heard_or_changed_unrecorded(desk: Desk) -> None:
    user(desk, "deaf")
    with desk.signed_in("deaf") as me:
        number = me.post(f"{API}/tickets", json={"title": "井盖缺失"}).json()["id"]
        with no_audit(desk):
            refused = me.get(RECORDING)
            assert (refused.status_code, refused.headers["content-type"]) == (503, "application/json")
            assert "no such table: audit" in refused.json()["detail"]
            assert me.get(f"{API}/calls/transferred/vcon").status_code == 503
            assert me.patch(f"{API}/tickets/{number}", json={"title": "改了"}).status_code == 503
            assert me.get(f"{API}/calls/transferred").status_code == 200
        assert me.get(f"{API}/tickets/{number}").json()["title"] == "井盖缺失"
        assert me.get(RECORDING).status_code == 200


@pytest.mark.anyio
async def test_pausing_a_recording_is_in_the_trail_where_it_was_done(tmp_path: Path) -> None:
    paused: list[tuple[str, bool, str]] = []

    def pause(call_id: str, on: bool, who: str) -> None:
        if call_id != "c1":
            raise NotFound(f"the call {call_id} does not run on this node")
        paused.append((call_id, on, who))

    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    app = create_desk(
        store,
        recordings_dir=tmp_path,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
        pause_recording=pause,
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app, client=("10.0.0.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as machine:
        for call_id, action in (("c1", "pause"), ("c2", "pause"), ("c1", "resume")):
            await machine.post(f"{API}/calls/{call_id}/recording", json={"action": action})
    assert paused == [("c1", True, "api-token"), ("c1", False, "api-token")]
    entries = store.audit.page()["items"][::-1]
    assert [(entry["action"], entry["about"], entry["address"]) for entry in entries] == [
        ("recording_paused", "c1", "10.0.0.7"),
        ("recording_resumed", "c1", "10.0.0.7"),
    ]
    store.close()


def test_a_seat_hears_the_calls_it_is_in_or_has_had(desk: Desk) -> None:
    user(desk, "s5", "seat")
    desk.store.seed_seats([{"id": name, "uri": f"sip:{name}@127.0.0.1"} for name in ("s5", "s6")])
    for call_id, seat, outcome in (("had", "s5", "connected"), ("declined", "s5", "declined")):
        desk.store.save_call(call_id, started_at="2025-03-09T04:00:00Z", recording="transferred.wav")
        desk.store.save_transfer(call_id, "caller_asked", {}, seat, outcome)
    desk.store.save_call("ringing", started_at="2025-03-09T04:00:00Z", recording="transferred.wav")
    desk.store.save_call("sent-on", started_at="2025-03-09T04:00:00Z", recording="transferred.wav")
    desk.store.add_event("sent-on", 9.0, "bridged", {"seat": "s5"})
    desk.store.add_event("sent-on", 60.0, "bridged", {"seat": "s6"})
    desk.store.save_transfer("sent-on", "caller_asked", {}, "s6", "connected")

    def heard(client: httpx.Client) -> list[str]:
        calls = ("had", "declined", "sent-on", "transferred", "ringing")
        answers = {call: client.get(f"{API}/calls/{call}/recording.wav") for call in calls}
        return [call for call, answer in answers.items() if answer.status_code == 200]

    with desk.signed_in("s5") as me:
        assert heard(me) == ["had", "sent-on"]
        desk.store.set_seat_status("s5", "free")
        assert desk.store.claim_seat("", "ringing", exclude=["s1", "s2", "s6", "s8"])
        assert heard(me) == ["had", "sent-on", "ringing"]
        refused = me.get(RECORDING)
        assert refused.status_code == 403
        assert "a seat hears the calls that it is in or has had" in refused.json()["detail"]
        assert me.get(f"{API}/calls/had/vcon").status_code == 403
        assert me.post(f"{API}/seats/s5/status", json={"status": "away"}).status_code == 409
        desk.store.release_seat("s5", "away")
        assert me.post(f"{API}/seats/s5/status", json={"status": "free"}).status_code == 200
    trail = {entry["about"] for entry in audited(desk, who="s5", action="listen")}
    assert trail == {"had", "sent-on", "ringing"}
    assert audited(desk, who="s5", action="seat_status") == []  # its own


def test_the_trail_is_filtered_and_only_read(desk: Desk) -> None:
    with desk.machine() as machine:
        assert machine.get(AUDIT, params={"from": "2001-02-03", "to": "2001-02-03"}).json()["total"] == 0
        assert machine.get(AUDIT, params={"to": "2001-02-03"}).json()["total"] == 0
        assert machine.get(AUDIT, params={"from": "2001-02-03"}).json()["total"] > 0
        assert machine.get(AUDIT, params={"from": "then"}).status_code == 422
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert machine.request(method, AUDIT).status_code == 405
    with desk.signed_in("ops") as ops:
        assert ops.get(AUDIT).status_code == 403
