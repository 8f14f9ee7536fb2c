"""The store: what is written is found again, in the shapes the interface promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import CHINA, Conflict, NotFound, to_iso
from records.store import Store

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)


LINE: dict[str, Any] = {
    "leg": "caller",
    "codec": "PCMA",
    "received_packets": 4210,
    "lost_packets": 12,
    "jitter_ms": 3.1,
    "sent_packets": 4228,
    "remote_lost_packets": 4,
    "remote_jitter_ms": 5.0,
    "round_trip_ms": None,
    "late_frames": 0,
}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/new/hotline.db", clock=clock)
    yield store
    store.close()


def ticket(store: Store, key: str, **fields: Any) -> str:
    draft: dict[str, Any] = {
        "call_id": None,
        "caller": "13800000001",
        "category": "噪声",
        "department": "城管局",
        "urgency": "normal",
        "title": "夜间施工噪声",
        "text": "中山路工地夜里施工",
        "slots": {"place": "中山路"},
    }
    return store.file_ticket(key, **{**draft, **fields})


def test_a_call_comes_back_as_the_interface_says(store: Store) -> None:
    store.save_call("c1", node="n", caller="13800000000", callee="12345", started_at=NOON, recording="c1.wav")
    store.save_call("c1", answered_at=NOON + timedelta(seconds=1))
    store.save_turn("c1", 0, who="agent", text="您好", started_s=0.1, ended_s=2.0, sources=("kb:1",))
    store.save_turn("c1", 0, decision={"kind": "greeting"})
    store.save_turn("c1", 1, who="caller", text="社保", started_s=2.5, asr_confidence=0.9)
    store.save_turn("c1", 1, ended_s=3.5, response_gap_ms=512.0, stages_ms={"asr": 20.0})
    store.add_event("c1", 3.0, "barge_in", {"text": "等一下"})
    store.add_event("c1", 1.0, "dtmf", {"digit": "0"})
    store.save_transfer("c1", "caller_asked", {"request": "社保"}, "", "")
    store.save_transfer("c1", "caller_asked", {"request": "社保"}, "s1", "connected")
    store.add_line("c1", {**LINE, "leg": "seat"})
    store.add_line("c1", LINE)
    store.save_call("c1", ended_at="2025-03-09T04:01:00Z", end_reason="transferred", outcome="transferred")
    store.save_call("c1", satisfaction=3)
    assert store.call("c1") == {
        "id": "c1",
        "node": "n",
        "caller": "13800000000",
        "callee": "12345",
        "started_at": "2025-03-09T04:00:00.000Z",
        "answered_at": "2025-03-09T04:00:01.000Z",
        "ended_at": "2025-03-09T04:01:00.000Z",
        "end_reason": "transferred",
        "outcome": "transferred",
        "turns": [
            {
                "index": 0,
                "who": "agent",
                "text": "您好",
                "started_s": 0.1,
                "ended_s": 2.0,
                "asr_raw": "",
                "asr_confidence": None,
                "dialog_confidence": None,
                "interrupted": False,
                "heard_text": None,
                "response_gap_ms": None,
                "sources": ["kb:1"],
                "stages_ms": {},
                "decision": {"kind": "greeting"},
            },
            {
                "index": 1,
                "who": "caller",
                "text": "社保",
                "started_s": 2.5,
                "ended_s": 3.5,
                "asr_raw": "",
                "asr_confidence": 0.9,
                "dialog_confidence": None,
                "interrupted": False,
                "heard_text": None,
                "response_gap_ms": 512.0,
                "sources": [],
                "stages_ms": {"asr": 20.0},
                "decision": {},
            },
        ],
        "events": [
            {"at_s": 1.0, "kind": "dtmf", "detail": {"digit": "0"}},
            {"at_s": 3.0, "kind": "barge_in", "detail": {"text": "等一下"}},
        ],
        "transfer": {
            "reason": "caller_asked",
            "summary": {"request": "社保"},
            "seat": "s1",
            "outcome": "connected",
        },
        "line": [{**LINE, "leg": "seat"}, LINE],
        "ticket_id": None,
        "satisfaction": 3,
        "recording": "c1.wav",
    }
    assert store.call("c2") is None


def test_a_line_is_kept_even_if_its_call_was_never_saved_and_is_in_no_list(store: Store) -> None:
    store.add_line("c1", LINE)
    call = store.call("c1")
    assert call
    assert call["line"] == [LINE]
    assert "line" not in store.calls()["items"][0]
    with pytest.raises(TypeError, match="a call has no field 'line'"):
        store.save_call("c1", line=[])


def test_a_turn_is_kept_even_if_its_call_was_never_saved(store: Store) -> None:
    store.save_turn("c9", 0, who="caller", text="喂", started_s=0.0)
    found = store.call("c9")
    assert found is not None
    assert found["turns"][0]["text"] == "喂"


def test_calls_are_listed_newest_first_in_pages_and_searched(store: Store) -> None:
    for n in range(60):
        store.save_call(
            f"c{n:02d}",
            caller=f"1380000{n:04d}",
            started_at=NOON + timedelta(minutes=n),
            outcome="ticket" if n % 2 else "answered",
        )
    store.save_turn("c07", 0, who="agent", text="您好", started_s=0.0)
    store.save_turn("c07", 1, who="caller", text="我要投诉100%的噪声", started_s=2.0)
    first = store.calls()
    assert (first["total"], first["page"], len(first["items"])) == (60, 1, 50)
    assert first["items"][0]["id"] == "c59"
    assert [call["id"] for call in store.calls(page=2)["items"]][-1] == "c00"
    found = store.calls(q="0%的噪")
    assert [call["id"] for call in found["items"]] == ["c07"]
    assert found["items"][0]["turn_count"] == 2
    assert found["items"][0]["first_words"] == "我要投诉100%的噪声"
    store.save_turn("c08", 0, who="caller", text="人民东路18号", asr_raw="人民洞路十八号")
    assert [store.calls(q=said)["total"] for said in ("东路18号", "洞路十八号")] == [1, 1]
    assert store.calls(q="0_的噪")["total"] == 0  # wildcards of LIKE are plain characters here
    assert [call["id"] for call in store.calls(caller="0059")["items"]] == ["c59"]
    assert store.calls(outcome="ticket")["total"] == 30
    within = store.calls(from_=NOON + timedelta(minutes=10), to=NOON + timedelta(minutes=12))
    assert [call["id"] for call in within["items"]] == ["c11", "c10"]


def test_an_unknown_field_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="no field 'colour'"):
        store.save_call("c1", colour="red")


def test_calls_of_a_died_process_are_closed_at_their_last_sign_of_life(store: Store) -> None:
    store.seed_seats([{"id": "s1", "uri": "sip:s1@127.0.0.1", "status": "free"}])
    store.save_call("c1", node="a", started_at=NOON, answered_at=NOON, recording="c1.wav")
    store.save_turn("c1", 0, who="agent", text="您好", started_s=0.0, ended_s=2.0)
    store.add_event("c1", 7.5, "dtmf", {})
    store.save_call("c2", node="b", started_at=NOON)
    store.save_call("c3", node="a", started_at=NOON, ended_at=NOON, end_reason="caller_hangup")
    assert store.claim_seat("", "c1") is not None
    store.save_transfer("c1", "caller_asked", {}, "", "")
    store.add_event("c1", 4.0, "bridged", {"seat": "s1"})
    assert store.lost_calls("a") == []
    assert store.close_unfinished("a") == [("c1", "c1.wav")]
    assert store.lost_calls("a") == [("c1", "c1.wav")], "its recording is still to be brought to an end"
    call = store.call("c1")
    assert call is not None
    assert (call["ended_at"], call["end_reason"]) == (to_iso(NOON + timedelta(seconds=7.5)), "failed")
    assert call["events"][-1] == {"at_s": 7.5, "kind": "process_died", "detail": {}}
    assert call["turns"][0]["text"] == "您好"
    assert (call["transfer"]["seat"], call["transfer"]["outcome"]) == ("s1", "connected")
    assert store.seats()[0]["status"] == "free"
    other = store.call("c2")
    assert other is not None
    assert other["ended_at"] is None
    assert store.close_unfinished("a") == []


def test_ticket_numbers_run_by_day_and_a_key_files_once(store: Store, clock: Clock) -> None:
    assert ticket(store, "k1", call_id="c1") == "25030900001"
    assert ticket(store, "k2") == "25030900002"
    assert ticket(store, "k1", call_id="c1") == "25030900001"
    clock.advance(86400)
    assert ticket(store, "k3") == "25031000001"
    call = store.call("c1")
    assert call is not None
    assert call["ticket_id"] == "25030900001"
    assert store.tickets()["total"] == 3


def test_a_ticket_number_belongs_to_the_day_in_china(store: Store, clock: Clock) -> None:
    clock.now = datetime.fromisoformat("2025-03-10T00:30:00+08:00")
    assert ticket(store, "k").startswith("250310")
    found = store.tickets()["items"][0]
    assert found["created_at"] == "2025-03-09T16:30:00.000Z"


def test_tickets_are_found_and_changed(store: Store, clock: Clock) -> None:
    number = ticket(store, "k1")
    clock.advance(60)
    ticket(store, "k2", caller="", title="路灯不亮", text="路灯", department="住建局")
    assert [t["id"] for t in store.tickets_of_caller("13800000001")] == [number]
    assert store.tickets_of_caller("") == []
    assert store.tickets(q="路灯")["total"] == 1
    assert store.tickets(q=number)["total"] == 1
    assert store.tickets(department="住建局", status="filed")["total"] == 1
    changed = store.update_ticket(number, status="in_progress", slots={"place": "中山路1号"})
    assert (changed["status"], changed["updated_at"]) == ("in_progress", to_iso(clock.now))
    assert store.ticket(number) == changed
    with pytest.raises(NotFound):
        store.update_ticket("1", status="closed")
    with pytest.raises(ValueError, match="status 'gone' is unknown"):
        store.update_ticket(number, status="gone")


def test_many_threads_get_different_ticket_numbers(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: ticket(store, f"k{n}"), range(40)))
    assert sorted(numbers) == [f"250309{n:05d}" for n in range(1, 41)]


def seats_of(store: Store) -> dict[str, str]:
    return {seat["id"]: seat["status"] for seat in store.seats()}


def test_a_seat_with_the_skill_comes_first_then_the_longest_idle(store: Store, clock: Clock) -> None:
    store.seed_seats(
        [
            {"id": "a", "uri": "sip:a@h"},
            {"id": "b", "uri": "sip:b@h"},
            {"id": "c", "name": "小陈", "uri": "sip:c@h", "skills": ["社保", "医保"]},
        ]
    )
    assert store.claim_seat("社保", "c1") is None  # all away
    for seat_id in ("b", "a", "c"):
        clock.advance(1)
        store.set_seat_status(seat_id, "free")
    first = store.claim_seat("社保", "c1")
    assert first is not None
    assert (first["id"], first["name"], first["skills"]) == ("c", "小陈", ["医保", "社保"])
    assert (first["status"], first["call_id"]) == ("ringing", "c1")
    assert store.claim_seat("社保", "c2", exclude=["b"]) == store.seats()[0]
    second = store.claim_seat("社保", "c3")
    assert second is not None
    assert second["id"] == "b"
    assert store.claim_seat("", "c4") is None
    store.release_seat("c", "wrap_up")
    store.release_seat("a")
    assert seats_of(store) == {"a": "free", "b": "ringing", "c": "wrap_up"}
    assert store.set_seat_status("b", "free", unless=("ringing", "talking")) is False
    with pytest.raises(NotFound):
        store.release_seat("x")
    with pytest.raises(ValueError, match="seat status 'asleep' is unknown"):
        store.set_seat_status("a", "asleep")


def test_seeding_again_keeps_the_status_and_changes_the_rest(store: Store) -> None:
    store.seed_seats([{"id": "a", "uri": "sip:a@h", "skills": ["x"], "status": "free"}])
    store.seed_seats([{"id": "a", "name": "阿", "uri": "sip:a@new", "skills": []}])
    seat = store.seats()[0]
    assert (seat["name"], seat["uri"], seat["skills"], seat["status"]) == ("阿", "sip:a@new", [], "free")


def test_no_seat_is_given_to_two_calls(store: Store) -> None:
    store.seed_seats({"id": f"s{n}", "uri": "sip:s@h", "status": "free"} for n in range(5))
    start = threading.Barrier(10)

    def claim(n: int) -> str | None:
        start.wait()
        seat = store.claim_seat("", f"c{n}")
        return seat["id"] if seat else None

    with ThreadPoolExecutor(10) as pool:
        got = list(pool.map(claim, range(10)))
    assert sorted(g for g in got if g) == ["s0", "s1", "s2", "s3", "s4"]


def test_the_first_admin_is_made_once_with_a_one_time_password(store: Store) -> None:
    password = store.first_admin()
    assert password is not None
    assert store.first_admin() is None
    admin = store.verify_user("admin", password)
    assert admin is not None
    assert (admin.role, admin.must_change) == ("admin", True)
    assert store.verify_user("admin", password + "x") is None
    assert store.verify_user("nobody", password) is None
    store.set_password("admin", "a new password")
    changed = store.verify_user("admin", "a new password")
    assert changed is not None
    assert not changed.must_change
    assert store.verify_user("admin", password) is None


def test_users_are_added_with_a_role_and_a_decent_password(store: Store) -> None:
    store.add_user("li", "seat", "long enough pw")
    with pytest.raises(Conflict):
        store.add_user("li", "ops", "long enough pw")
    with pytest.raises(ValueError, match="role 'boss' is unknown"):
        store.add_user("wang", "boss", "long enough pw")
    with pytest.raises(ValueError, match="too short"):
        store.add_user("wang", "ops", "short")
    with pytest.raises(NotFound):
        store.set_password("wang", "long enough pw")
    assert [(user["name"], user["role"]) for user in store.users()] == [("li", "seat")]
    assert "password_hash" not in store.users()[0]


def test_a_session_ends_by_time_by_logout_and_by_a_new_password(store: Store, clock: Clock) -> None:
    store.add_user("li", "seat", "long enough pw")
    token = store.open_session("li", ttl_s=60)
    user = store.session_user(token)
    assert user is not None
    assert user.name == "li"
    clock.advance(61)
    assert store.session_user(token) is None
    second, third = store.open_session("li", 60), store.open_session("li", 60)
    store.close_session(second)
    assert store.session_user(second) is None
    store.set_password("li", "another password")
    assert store.session_user(third) is None


def test_no_password_or_token_is_in_the_database_file(store: Store, tmp_path: Path) -> None:
    password = store.first_admin()
    token = store.open_session("admin", 60)
    store.close()
    data = b"".join(path.read_bytes() for path in (tmp_path / "new").iterdir())
    assert password is not None
    assert password.encode() not in data
    assert token.encode() not in data
    assert b"$argon2id$" in data
