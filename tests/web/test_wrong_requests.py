"""Requests that a program or a person gets wrong: answered clearly, never with 500, never by holding them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Desk

pytestmark = [pytest.mark.web]

API = "/api/v1"
LISTS = ("calls", "tickets", "kb", "audit", "outbox", "callbacks")


def test_parameters_without_a_value_are_as_good_as_left_out(desk: Desk) -> None:
    with desk.machine() as machine:
        every = machine.get(f"{API}/calls").json()
        assert machine.get(f"{API}/calls?from=&to=&caller=&q=&outcome=&page=").json() == every
        assert machine.get(f"{API}/calls?page").json() == every
        found = machine.get(f"{API}/kb?q=社保卡丢了怎么补办&limit=").json()
        assert found["items"][0]["id"] == "card"
        assert machine.get(f"{API}/seats/s1/calls?day=").status_code == 200


@pytest.mark.parametrize("path", ["calls", "audit"])
@pytest.mark.parametrize(
    "wrong",
    ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00", "1795375886"],
)
def test_times_that_no_calendar_has_are_refused(desk: Desk, path: str, wrong: str) -> None:
    with desk.machine() as machine:
        for name in ("from", "to"):
            answer = machine.get(f"{API}/{path}?{name}={wrong}")
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"].startswith(f"query.{name}")


def test_what_a_time_looks_like_is_told_in_one_sentence(desk: Desk) -> None:
    with desk.machine() as machine:
        told = machine.get(f"{API}/calls?from=yesterday").json()["detail"]
    assert told == "query.from: write a day, 2025-01-31, or a time, 2025-01-31T08:00:00+08:00"


def test_days_and_due_times_are_of_our_time(desk: Desk) -> None:
    with desk.machine() as machine:
        for day in ("0001-01-01", "9999-12-31"):
            assert machine.get(f"{API}/seats/s1/calls?day={day}").status_code == 422
        due = {"caller": "13800000000", "due_at": "9999-12-31T23:59:59-14:00"}
        assert machine.post(f"{API}/callbacks", json=due).status_code == 422


@pytest.mark.parametrize("path", [f"{name}?q=%00&who=%00&contains=%00" for name in LISTS] + ["calls/a%00b"])
def test_a_nul_in_an_address_is_refused(desk: Desk, path: str) -> None:
    with desk.machine() as machine:
        assert machine.get(f"{API}/{path}").status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("tickets", {"title": "a\0b"}, "title"),
        ("tickets", {"title": "a", "slots": {"place": "\0"}}, "slots"),
        ("chat", {"session": "s1", "text": "你好\0"}, "text"),
        ("seats", {"id": "s9", "name": "\0", "uri": "sip:s9@127.0.0.1"}, "name"),
        ("callbacks", {"caller": "13800000000", "request": "\0"}, "request"),
        ("users", {"name": "a\0", "role": "seat"}, "name"),
    ],
)
def test_a_nul_in_a_text_is_refused(desk: Desk, path: str, body: dict[str, Any], field: str) -> None:
    with desk.machine() as machine:
        answer = machine.post(f"{API}/{path}", json=body)
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (422, f"body.{field}")


def test_large_bodies_are_refused_before_they_are_read(desk: Desk) -> None:
    large = b'{"name": "' + b"a" * 2_000_000 + b'"}'

    def without_length() -> Iterator[bytes]:
        yield large

    with desk.client(**{"Content-Type": "application/json"}) as nobody:
        for content in (large, without_length()):
            answer = nobody.post(f"{API}/session", content=content)
            assert (answer.status_code, answer.json()) == (413, {"detail": "larger than 1 MiB; divide it"})
    with desk.machine() as machine:
        assert machine.post(f"{API}/kb/import?name=a.csv", content=b"a" * 2_000_000).status_code == 422


def test_a_probe_may_ask_by_head(desk: Desk) -> None:
    with desk.client() as nobody:
        assert nobody.head("/healthz").status_code == 200
        desk.ready[0] = False
        assert nobody.head("/readyz").status_code == 503


def test_a_fault_of_ours_is_told_as_json_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.store, "calls", breaks)
    with desk.machine() as machine:
        answer = machine.get(f"{API}/calls")
    assert (answer.status_code, answer.json()) == (500, {"detail": "internal error; the log has it"})


def test_a_chat_session_may_have_a_short_name(desk: Desk) -> None:
    with desk.machine() as machine:
        assert machine.post(f"{API}/chat", json={"session": "1", "text": "你好"}).status_code == 200
        assert machine.post(f"{API}/chat", json={"session": "", "text": "你好"}).status_code == 422


def test_a_work_order_names_what_there_is(desk: Desk) -> None:
    with desk.machine() as machine:
        answer = machine.post(f"{API}/tickets", json={"title": "路灯不亮", "joins": "99999999999"})
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            "joins: there is no work order 99999999999",
        )
        filed = machine.post(f"{API}/tickets", json={"title": "路灯不亮"}).json()
        assert machine.patch(f"{API}/tickets/{filed['id']}", json={}).json() == filed
        assert machine.patch(f"{API}/tickets/{filed['id']}", json={"title": ""}).status_code == 422
        joining = {"title": "路灯又不亮", "joins": filed["id"]}
        assert machine.post(f"{API}/tickets", json=joining).json()["joins"] == filed["id"]


def test_a_passage_is_not_called_as_what_else_stands_there(desk: Desk) -> None:
    with desk.machine() as machine:
        for taken in ("gaps", "state", "import"):
            answer = machine.post(f"{API}/kb", json={"id": taken, "question": "问", "answer": "答"})
            assert answer.status_code == 422
            assert answer.json()["detail"].startswith("body.id: ")
