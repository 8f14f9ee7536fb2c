"""The HTTP API, over real HTTP."""

from __future__ import annotations

import io
import json
import re
import threading
import wave
from datetime import timedelta

import httpx
import numpy as np
import pytest

from desk.pages import PAGES
from records.recording import Recording

from .conftest import NOW, PASSWORD, TOKEN, Desk

pytestmark = [pytest.mark.web]

API = "/api/v1"


def test_only_health_and_the_sign_in_page_are_open(desk: Desk) -> None:
    with desk.client() as nobody, desk.machine() as machine:
        for path in ("/healthz", "/readyz", "/login", "/static/style.css", "/favicon.ico"):
            assert nobody.get(path).status_code == 200, path
        operations = [
            (method, path)
            for path, methods in machine.get("/api/openapi.json").json()["paths"].items()
            for method in methods
        ]
        assert len(operations) > 15
        closed = [(m, p) for m, p in operations if p not in ("/healthz", "/readyz")]
        closed.remove(("post", f"{API}/session"))
        for method, path in [*closed, ("get", "/api/openapi.json"), ("get", "/api/none")]:
            answer = nobody.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert set(answer.json()) == {"detail"}
        for path in ("/", "/calls/transferred", "/none"):
            answer = nobody.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
        for path in ("/static/../api/v1/calls", "/static/%2e%2e/app.py", "//api/v1/calls"):
            assert nobody.get(path).status_code in (303, 401, 404), path


def test_ready_follows_the_program(desk: Desk) -> None:
    with desk.client() as nobody:
        desk.ready[0] = False
        assert nobody.get("/readyz").status_code == 503
        desk.ready[0] = True
        assert nobody.get("/readyz").json() == {"status": "ready"}


def test_a_machine_signs_in_by_its_token(desk: Desk) -> None:
    with desk.machine() as machine:
        assert machine.get(f"{API}/session").json() == {
            "name": "api-token",
            "role": "admin",
            "must_change": False,
        }
        answer = machine.get("/metrics")
        assert answer.text == "hotline_calls_active 1\n"
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for wrong in ("Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        with desk.client(Authorization=wrong) as other:
            assert other.get(f"{API}/calls").status_code == 401, wrong


def test_a_session_begins_and_ends(desk: Desk) -> None:
    with desk.signed_in() as ops:
        cookie = next(c for c in ops.cookies.jar if c.name == "hotline_session")
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "lax"
        assert ops.get(f"{API}/calls").status_code == 200
        token = ops.cookies["hotline_session"]
        assert ops.delete(f"{API}/session").status_code == 204
    with desk.client(Cookie=f"hotline_session={token}") as old:
        assert old.get(f"{API}/calls").status_code == 401


def test_a_change_by_cookie_must_come_from_the_desks_own_page(desk: Desk) -> None:
    with desk.signed_in() as ops:
        ticket = {"title": "路灯不亮"}
        for headers, status in [
            ({"Origin": "http://elsewhere.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "same-origin"}, 201),
            ({"Origin": desk.url}, 201),
        ]:
            answer = ops.post(f"{API}/tickets", json=ticket, headers=headers)
            assert answer.status_code == status, headers
        del ops.headers["Origin"]
        assert ops.post(f"{API}/tickets", json=ticket).status_code == 403
    with desk.client(Origin="http://elsewhere.example") as stranger:
        answer = stranger.post(f"{API}/session", json={"name": "ops", "password": PASSWORD})
        assert answer.status_code == 403


def test_wrong_passwords_are_refused_and_then_slowed_down(desk: Desk) -> None:
    with desk.client() as nobody:
        statuses = [
            nobody.post(f"{API}/session", json={"name": "guessed", "password": str(n)}).status_code
            for n in range(6)
        ]
        assert statuses == [401] * 5 + [429]
        answer = nobody.post(f"{API}/session", json={"name": "guessed", "password": "x"})
        assert 0 < int(answer.headers["retry-after"]) <= 60
        good = nobody.post(f"{API}/session", json={"name": "ops", "password": PASSWORD})
        assert good.status_code == 200


def test_the_one_time_password_must_be_changed_first(desk: Desk) -> None:
    desk.store.add_user("new", "admin", "one-time password", must_change=True)
    with desk.client(Origin=desk.url) as new:
        answer = new.post(f"{API}/session", json={"name": "new", "password": "one-time password"})
        assert answer.json() == {"name": "new", "role": "admin", "must_change": True}
        refused = new.get(f"{API}/calls")
        assert refused.status_code == 403
        assert "change the one-time password first" in refused.json()["detail"]
        assert new.get("/").headers["location"] == "/login"
        change = {"old": "one-time password", "new": "short"}
        assert new.put(f"{API}/session/password", json=change).status_code == 422
        assert new.put(f"{API}/session/password", json={"old": "x", "new": "y" * 12}).status_code == 403
        change["new"] = "a password of my own"
        assert new.put(f"{API}/session/password", json=change).json()["must_change"] is False
        assert new.get(f"{API}/calls").status_code == 200


def test_a_seat_reads_but_does_not_listen(desk: Desk) -> None:
    with desk.signed_in("seat") as seat:
        assert seat.get(f"{API}/calls/transferred").status_code == 200
        assert seat.get(f"{API}/calls/transferred/recording.wav").status_code == 403
        for path in (f"{API}/calls/transferred/vcon", "/metrics"):
            answer = seat.get(path)
            assert answer.status_code == 403, path
            assert answer.json()["detail"] == "the role seat may not do this; ops or admin may"
        body = {"id": "s9", "uri": "sip:s9@127.0.0.1"}
        assert seat.post(f"{API}/seats", json=body).status_code == 403


def test_calls_are_listed_and_searched(desk: Desk) -> None:
    with desk.machine() as machine:
        lately = {"from": (NOW - timedelta(days=4)).date().isoformat()}
        page = machine.get(f"{API}/calls", params=lately).json()
        assert (page["total"], page["page"], len(page["items"])) == (63, 1, 50)
        assert [call["id"] for call in page["items"][:3]] == ["running", "transferred", "complaint"]
        assert page["items"][1]["first_words"] == "你好，我想问一下残疾人两项补贴怎么申请"
        assert page["items"][1]["turn_count"] == 6
        assert len(machine.get(f"{API}/calls", params={**lately, "page": "2"}).json()["items"]) == 13

        def ids(**params: str) -> list[str]:
            return [call["id"] for call in machine.get(f"{API}/calls", params=params).json()["items"]]

        assert ids(q="两项补贴") == ["transferred"]
        assert ids(caller="0003", outcome="ticket") == ["complaint"]
        began = desk.store.calls(caller="13900000005")["items"][0]["started_at"]
        assert "plain-5" in ids(**{"from": began})
        assert "plain-5" not in ids(to=began)
        day = ids(**{"from": "2001-02-03", "to": "2001-02-03"})
        assert day == []
        for params in ({"page": "0"}, {"from": "yesterday"}):
            answer = machine.get(f"{API}/calls", params=params)
            assert answer.status_code == 422
            assert isinstance(answer.json()["detail"], str)


def test_a_bare_date_is_a_whole_day_in_china(desk: Desk) -> None:
    desk.store.save_call("early", started_at="2001-02-02T16:00:00Z")
    desk.store.save_call("late", started_at="2001-02-03T15:59:59Z")
    with desk.machine() as machine:
        found = machine.get(f"{API}/calls", params={"from": "2001-02-03", "to": "2001-02-03"}).json()
        assert [call["id"] for call in found["items"]] == ["late", "early"]
        noon = machine.get(f"{API}/calls", params={"to": "2001-02-03T12:00:00"}).json()
        assert [call["id"] for call in noon["items"]] == ["early"]


def test_a_call_is_as_the_store_has_it(desk: Desk) -> None:
    with desk.machine() as machine:
        call = machine.get(f"{API}/calls/transferred").json()
        stored = desk.store.call("transferred")
        assert stored is not None
        assert call == {**stored, "recording": f"{API}/calls/transferred/recording.wav"}
        assert machine.get(f"{API}/calls/complaint").json()["recording"] == ""
        missing = machine.get(f"{API}/calls/none")
        assert (missing.status_code, missing.json()) == (404, {"detail": "there is no call none"})


def test_the_recording_is_served_whole_and_in_ranges(desk: Desk) -> None:
    path = f"{API}/calls/transferred/recording.wav"
    data = (desk.recordings_dir / "transferred.wav").read_bytes()
    size = len(data)
    with desk.machine() as machine:
        whole = machine.get(path)
        assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
        assert whole.content == data
        with wave.open(io.BytesIO(whole.content)) as file:
            assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 240_000)
        head = machine.head(path)
        assert (head.headers["content-length"], head.headers["accept-ranges"]) == (str(size), "bytes")
        for asked, start, end in [
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, size),
            ("bytes=-50", size - 50, size),
            (f"bytes=200000-{size * 2}", 200_000, size),
        ]:
            part = machine.get(path, headers={"Range": asked})
            assert part.status_code == 206, asked
            assert part.content == data[start:end], asked
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        beyond = machine.get(path, headers={"Range": f"bytes={size}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
        for odd in ("bytes=-", "items=0-5", "bytes=0-1,5-6"):
            assert machine.get(path, headers={"Range": odd}).content == data, odd
        assert machine.get(f"{API}/calls/complaint/recording.wav").status_code == 404


def test_a_record_cannot_name_a_file_elsewhere(desk: Desk) -> None:
    desk.store.save_call("evil", recording="../hotline.db", started_at="2001-01-01T00:00:00Z")
    with desk.machine() as machine:
        assert machine.get(f"{API}/calls/evil/recording.wav").status_code == 404


def test_a_recording_plays_while_the_call_is_running(desk: Desk) -> None:
    recording = Recording(desk.recordings_dir / "running.wav")
    tick = np.full(160, 7, "<i2").tobytes()
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.001):
            recording.write(tick, tick)

    for _ in range(50):
        recording.write(tick, tick)
    talker = threading.Thread(target=talk)
    talker.start()
    sizes = []
    try:
        with desk.machine() as machine:
            for _ in range(20):
                answer = machine.get(f"{API}/calls/running/recording.wav")
                assert answer.status_code == 200
                sizes.append(len(answer.content))
                with wave.open(io.BytesIO(answer.content)) as file:
                    frames = file.readframes(file.getnframes())
                    assert len(frames) == file.getnframes() * 4
    finally:
        stop.set()
        talker.join()
        recording.close().result(10)
    assert sizes[-1] > sizes[0]


def test_vcon_is_exported(desk: Desk) -> None:
    with desk.machine() as machine:
        answer = machine.get(f"{API}/calls/transferred/vcon")
        assert answer.headers["content-type"] == "application/vcon+json"
        made = answer.json()
        sound = made["dialog"][0]
        assert sound["url"] == f"{desk.url}{API}/calls/transferred/recording.wav"
        assert sound["content_hash"].startswith("sha512-")
        complaint = machine.get(f"{API}/calls/complaint/vcon").json()
        assert json.loads(complaint["attachments"][0]["body"])["title"] == "中山路工地夜间施工噪声扰民"


def test_work_orders_are_filed_once_changed_and_found(desk: Desk) -> None:
    body = {"title": "井盖缺失", "department": "住建局", "slots": {"place": "解放路"}, "call_id": "complaint"}
    with desk.machine() as machine:
        first = machine.post(f"{API}/tickets", json=body, headers={"Idempotency-Key": "k1"})
        again = machine.post(f"{API}/tickets", json=body, headers={"Idempotency-Key": "k1"})
        assert first.status_code == 201
        assert first.json() == again.json()
        number = first.json()["id"]
        assert number.isdigit()
        assert machine.get(f"{API}/tickets", params={"q": "井盖"}).json()["total"] == 1
        changed = machine.patch(f"{API}/tickets/{number}", json={"status": "resolved"}).json()
        assert (changed["status"], changed["title"]) == ("resolved", "井盖缺失")
        assert machine.get(f"{API}/tickets/{number}").json() == changed
        assert machine.get(f"{API}/tickets/0").status_code == 404
        assert machine.patch(f"{API}/tickets/0", json={"status": "closed"}).status_code == 404
        for wrong in ({"status": "gone"}, {"number": "1"}, {"title": None}):
            assert machine.patch(f"{API}/tickets/{number}", json=wrong).status_code == 422, wrong
        answer = machine.post(f"{API}/tickets", json={**body, "call_id": "none"})
        assert (answer.status_code, answer.json()) == (422, {"detail": "call_id: there is no call none"})
        assert machine.post(f"{API}/tickets", json={}).status_code == 422


def test_seats_are_added_and_change_their_status(desk: Desk) -> None:
    with desk.machine() as machine, desk.signed_in("seat") as seat:
        body = {"id": "s2", "name": "小王", "uri": "sip:s2@127.0.0.1:5070", "skills": ["社保"]}
        made = machine.post(f"{API}/seats", json=body)
        assert made.status_code == 201
        assert (made.json()["status"], made.json()["skills"]) == ("away", ["社保"])
        assert seat.post(f"{API}/seats/s2/status", json={"status": "free"}).status_code == 403
        assert seat.post(f"{API}/seats/s2/login").json()["user"] == "seat"
        assert seat.post(f"{API}/seats/s2/status", json={"status": "free"}).json()["status"] == "free"
        claimed = desk.store.claim_seat("社保", "transferred")
        assert claimed is not None
        assert claimed["id"] == "s2"
        assert seat.post(f"{API}/seats/s2/status", json={"status": "free"}).status_code == 409
        freed = machine.post(f"{API}/seats/s2/status", json={"status": "away"})
        assert (freed.json()["status"], freed.json()["call_id"]) == ("away", None)
        page = machine.get(f"{API}/seats").json()
        assert ([s["id"] for s in page["items"]], page["total"], page["page"]) == (["s1", "s2"], 2, 1)
        assert machine.post(f"{API}/seats/s7/status", json={"status": "away"}).status_code == 404
        assert machine.post(f"{API}/seats/s2/status", json={"status": "talking"}).status_code == 422
        assert machine.post(f"{API}/seats", json={**body, "uri": "tel:1"}).status_code == 422


def test_chat_answers(desk: Desk) -> None:
    with desk.machine() as machine:
        body = {"session": "web-12345", "text": "你好"}
        answer = machine.post(f"{API}/chat", json=body).json()
        assert answer == {"reply": "您说的是：你好", "action": None, "sources": ["kb:1"], "confidence": 0.9}


def test_live_events_reach_every_watcher(desk: Desk) -> None:
    with (
        desk.machine() as machine,
        machine.stream("GET", f"{API}/events") as one,
        machine.stream("GET", f"{API}/events") as two,
    ):
        assert one.headers["content-type"].startswith("text/event-stream")
        lines = [answer.iter_lines() for answer in (one, two)]
        assert [next(line) for line in lines] == ["retry: 2000"] * 2
        desk.publish({"kind": "turn", "call_id": "c1", "text": "您好\n"})
        for line in lines:
            data = next(text for text in line if text.startswith("data: "))
            assert json.loads(data[6:]) == {"kind": "turn", "call_id": "c1", "text": "您好\n"}


def test_pages_run_only_their_own_scripts(desk: Desk) -> None:
    with desk.signed_in() as ops:
        for page in PAGES:
            answer = ops.get(page.path.replace("{call_id}", "transferred"))
            assert answer.status_code == 200, page
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert f"<title>{page.title} · " in answer.text
            assert "http://" not in answer.text
            assert "https://" not in answer.text
            loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text)
            assert f"/static/{page.name}.js" in loaded
            assert [path for path in loaded if ops.get(path).status_code != 200] == []
        assert ops.get(f"{API}/calls").headers["cache-control"] == "no-store"


def test_an_upgrade_to_a_websocket_is_refused(desk: Desk) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert httpx.get(desk.url + "/x", headers=headers, trust_env=False).status_code in (303, 403)
