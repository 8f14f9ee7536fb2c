"""A real desk on a loopback port, over a database of made-up calls and a recording of tones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from desk.app import create_desk
from desk.board import BoardWatch
from desk.live import LiveFeed
from dialog.knowledge import Knowledge
from hotline.knowledge_sync import KnowledgeSync
from hotline.web import knowledge_index
from records import CHINA, today_in_china
from records.recording import Recording
from records.store import Store

from .desk_node import CATEGORIES

TOKEN = "a-token-for-machines"
PASSWORD = "correct horse battery"
NOW = datetime.now(CHINA).replace(microsecond=0)

SUMMARY = {
    "caller": "李女士，13800000002",
    "request": "咨询残疾人两项补贴能否跨区领取",
    "place": "东湖区",
    "time": "",
    "category": "民政救助",
    "department": "市民政局",
    "answered": ["残疾人两项补贴的申领条件", "需要携带的证件"],
    "open_points": ["户口在外区、居住在本区时由哪个区发放"],
    "mood": "平静",
}
TURNS: list[dict[str, Any]] = [
    {
        "who": "agent",
        "text": "您好，这里是一二三四五政务服务热线，我是智能话务员，请问有什么可以帮您？",
        "at": (0.0, 4.0),
    },
    {"who": "caller", "text": "你好，我想问一下残疾人两项补贴怎么申请", "at": (4.6, 7.8), "asr": 0.93},
    {
        "who": "agent",
        "text": "残疾人两项补贴向户籍所在地的街道办事处申请，需要带身份证、残疾人证和银行卡。"
        "每月十五日前受理的，当月起发放。",
        "at": (8.34, 14.0),
        "dialog": 0.86,
        "gap": 540.0,
        "heard": "残疾人两项补贴向户籍所在地的街道办事处申请，需要带身份证、残疾人证和银行卡。",
        "sources": ["kb:mz-012"],
        "stages": {"endpoint": 310.0, "asr": 60.0, "dialog": 45.0, "tts": 125.0},
    },
    {
        "who": "caller",
        "text": "那我户口在外区，人住在东湖路18号，是哪个区发给我呢",
        "raw": "那我户口在外区，人住在冬湖路十八号，是哪个区发给我呢",
        "at": (13.8, 18.2),
        "asr": 0.71,
    },
    {
        "who": "agent",
        "text": "这个问题我需要请人工坐席为您解答，马上为您转接，请稍等。",
        "at": (19.6, 23.4),
        "dialog": 0.34,
        "gap": 1400.0,
        "stages": {"endpoint": 700.0, "asr": 80.0, "dialog": 480.0, "tts": 140.0},
    },
    {"who": "seat", "text": "李女士您好，我是坐席小陈，您问的是跨区领取补贴，对吗？", "at": (26.0, 28.5)},
]
EVENTS: list[tuple[float, str, dict[str, Any]]] = [
    (13.8, "barge_in", {}),
    (23.5, "transfer_started", {}),
    (24.0, "seat_ringing", {"seat": "小陈"}),
    (25.2, "seat_answered", {"seat": "小陈"}),
    (25.8, "bridged", {}),
]


PASSAGES = [
    {
        "id": "card",
        "question": "社保卡丢了怎么补办？",
        "answer": "带身份证到银行网点补办。",
        "department": "人社局",
    },
    {"id": "permit", "question": "居住证怎么办理？", "answer": "到派出所办理。", "phrasings": ["办居住证"]},
    {"id": "old", "question": "社保卡年检怎么办？", "answer": "到窗口年检。", "valid_to": "2020-12-31"},
]


def fill(store: Store, recordings_dir: Path) -> None:
    """Make up some calls: one transferred, with a recording; a complaint; a running one; and many more."""
    store.add_user("ops", "ops", PASSWORD)
    store.add_user("seat", "seat", PASSWORD)
    store.seed_seats([{"id": "s1", "name": "小陈", "uri": "sip:s1@127.0.0.1", "skills": ["民政"]}])
    store.put_passages(PASSAGES)
    with store.batch():
        transferred_call(store)
        complaint_call(store)
        store.save_call(
            "running", node="n1", caller="13800000009", callee="12345", started_at=NOW, answered_at=NOW
        )
        store.save_call("running", recording="running.wav")
        store.save_turn("running", 0, who="agent", text="您好，请问有什么可以帮您？", started_s=0.0)
        for n in range(60):
            plain_call(store, n)
    tones(recordings_dir / "transferred.wav", 30.0)


def transferred_call(store: Store) -> None:
    began = NOW - timedelta(minutes=5)
    store.save_call("transferred", node="n1", caller="13800000002", callee="12345", started_at=began)
    store.save_call("transferred", answered_at=began, ended_at=began + timedelta(seconds=30))
    store.save_call(
        "transferred", end_reason="transferred", outcome="transferred", recording="transferred.wav"
    )
    for index, turn in enumerate(TURNS):
        store.save_turn(
            "transferred",
            index,
            who=turn["who"],
            text=turn["text"],
            started_s=turn["at"][0],
            ended_s=turn["at"][1],
            asr_raw=turn.get("raw", ""),
            asr_confidence=turn.get("asr"),
            dialog_confidence=turn.get("dialog"),
            response_gap_ms=turn.get("gap"),
            interrupted="heard" in turn,
            heard_text=turn.get("heard"),
            sources=turn.get("sources", ()),
            stages_ms=turn.get("stages", {}),
        )
    for at_s, kind, detail in EVENTS:
        store.add_event("transferred", at_s, kind, detail)
    store.save_transfer("transferred", "low_confidence", SUMMARY, "小陈", "connected")


def complaint_call(store: Store) -> None:
    began = NOW - timedelta(minutes=20)
    store.save_call("complaint", node="n1", caller="13800000003", callee="12345", started_at=began)
    store.save_call("complaint", answered_at=began, ended_at=began + timedelta(seconds=95))
    store.save_call("complaint", end_reason="caller_hangup", outcome="ticket")
    store.save_turn(
        "complaint", 0, who="agent", text="您好，请问有什么可以帮您？", started_s=0.0, ended_s=2.5
    )
    said = "我要投诉，我家楼下的工地半夜还在施工，吵得睡不着"
    store.save_turn("complaint", 1, who="caller", text=said, started_s=3.0, ended_s=8.0, asr_confidence=0.88)
    store.file_ticket(
        "complaint/1",
        call_id="complaint",
        caller="13800000003",
        category="环境保护/施工噪声",
        department="城市管理局",
        urgency="normal",
        title="中山路工地夜间施工噪声扰民",
        text="来电人反映中山路八十八号工地夜间十一点后仍在施工，噪声影响休息，请求处理。",
        slots={"name": "王先生", "contact": "13800000003", "place": "中山路88号", "time": "每晚23点后"},
    )


def plain_call(store: Store, n: int) -> None:
    began = NOW - timedelta(hours=1 + n)
    store.save_call(f"plain-{n}", node="n1", caller=f"1390000{n:04d}", callee="12345", started_at=began)
    outcome = ("answered", "abandoned", "answered", "failed")[n % 4]
    store.save_call(f"plain-{n}", answered_at=began, ended_at=began + timedelta(seconds=40 + n))
    store.save_call(f"plain-{n}", end_reason="caller_hangup", outcome=outcome)
    words = ("社保卡丢了怎么补办", "公积金提取需要什么材料", "居住证到期了怎么续签")[n % 3]
    store.save_turn(f"plain-{n}", 0, who="caller", text=words, started_s=2.0, ended_s=5.0)


def tones(path: Path, seconds: float) -> None:
    """A tone for the caller on the left, another for the agent on the right."""
    at = np.arange(int(seconds * 8000)) / 8000
    left, right = (
        (3000 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes() for hertz in (440.0, 550.0)
    )
    recording = Recording(path)
    recording.write(left, right)
    recording.close().result(10)


@dataclass
class Desk:
    """A running desk."""

    url: str
    store: Store
    recordings_dir: Path
    live: LiveFeed
    loop: asyncio.AbstractEventLoop
    ready: list[bool] = field(default_factory=lambda: [True])

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def machine(self) -> httpx.Client:
        return self.client(Authorization=f"Bearer {TOKEN}")

    @contextmanager
    def signed_in(self, name: str = "ops") -> Iterator[httpx.Client]:
        with self.client(Origin=self.url) as client:
            client.post("/api/v1/session", json={"name": name, "password": PASSWORD}).raise_for_status()
            yield client

    def publish(self, event: dict[str, Any]) -> None:
        self.loop.call_soon_threadsafe(self.live.publish, event)


async def chat(session: str, text: str) -> dict[str, Any]:
    return {"reply": f"您说的是：{text}", "action": None, "sources": ["kb:1"], "confidence": 0.9}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    store = Store(f"sqlite:///{folder}/hotline.db", tell_tickets=True)
    fill(store, folder / "recordings")
    knowledge = Knowledge(today=today_in_china)
    sync = KnowledgeSync(store, knowledge)
    sync.open("none")
    ready = [True]
    started = threading.Event()
    found: list[Desk] = []

    async def serve() -> None:
        live = LiveFeed()
        app = create_desk(
            store,
            recordings_dir=folder / "recordings",
            api_token=TOKEN,
            ready=lambda: ready[0],
            metrics=lambda: "hotline_calls_active 1\n",
            live=live,
            chat=chat,
            knowledge=knowledge_index(knowledge, sync, store),
            categories=CATEGORIES,
        )
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        task = asyncio.create_task(server.serve())
        watching = asyncio.create_task(BoardWatch(store, live).run())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        found.append(Desk(f"http://127.0.0.1:{port}", store, folder / "recordings", live, loop, ready))
        started.set()
        await stop.wait()
        watching.cancel()
        live.close()
        server.should_exit = True
        await task

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="desk")
    thread.start()
    assert started.wait(20), "the desk did not start"
    yield found[0]
    found[0].loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive(), "the desk did not stop"
    store.close()
