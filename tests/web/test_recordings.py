"""The recording's routes: sealed ones play by ranges, running ones are paused by command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest

from desk.app import create_desk
from desk.live import LiveFeed
from hotline.recordings import Recordings, repair_recording
from hotline.sections import RecordsSettings
from records.keys import Key
from records.recording import Recording
from records.store import Store
from voice.events import CallEvent, Happened
from voice.media import SILENCE
from voice.phone import Leg, Tap
from voice.recorder import CallRecorder

pytestmark = [pytest.mark.web, pytest.mark.anyio]

TOKEN = "a-token-for-machines"
PASSWORD = "correct horse battery"
KEY = Key(bytes(range(32)))
NAME = "2025/01/31/c1.wav.sealed"


class Noted:
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)

    async def durable(self) -> None: ...


class Tapped:
    """As much of a leg as a recorder needs."""

    call_id = "c1"

    def tap(self, listener: Tap | None) -> None:
        assert listener is not None
        self.listener = listener

    def catch_up(self) -> None: ...


@pytest.fixture
def records(tmp_path: Path) -> RecordsSettings:
    return RecordsSettings(dir=tmp_path / "recordings", key=KEY.secret.hex())  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path, records: RecordsSettings) -> Any:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    store.save_call("c1", node="n", caller="", callee="12345", started_at="2025-01-31T08:00:00Z")
    store.save_call("c1", recording=NAME)
    yield store
    store.close()


@pytest.fixture
def journal() -> Noted:
    return Noted()


@pytest.fixture
async def recordings(records: RecordsSettings, journal: Noted) -> Recordings:
    return Recordings(records, journal)


@pytest.fixture
async def client(
    store: Store, records: RecordsSettings, recordings: Recordings
) -> AsyncIterator[httpx.AsyncClient]:
    """The desk in this very loop, signed in by the token."""
    app = create_desk(
        store,
        recordings_dir=records.dir,
        recording_keys=records.keys,
        pause_recording=recordings.pause,
        api_token=TOKEN,
        ready=lambda: True,
        metrics=lambda: "",
        live=LiveFeed(),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://desk",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


def two_seconds(path: Path, key: Key | None) -> bytes:
    """A recording of noise; the WAV of it."""
    noise = np.random.default_rng(1).integers(-3000, 3000, (2, 16123)).astype("<i2")
    for file, with_key in ((path, key), (path.parent / "plain" / "c1.wav", None)):
        recording = Recording(file, key=with_key)
        recording.write(noise[0].tobytes(), noise[1].tobytes())
        recording.close().result(10)
    return (path.parent / "plain" / "c1.wav").read_bytes()


WAV = "/api/v1/calls/c1/recording.wav"
ACTION = "/api/v1/calls/c1/recording"


async def test_a_sealed_recording_is_served_as_a_plain_one_would_be(
    client: httpx.AsyncClient, records: RecordsSettings
) -> None:
    assert (await client.get(WAV)).status_code == 404
    whole = two_seconds(records.dir / NAME, KEY)
    answer = await client.get(WAV)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.content == whole
    assert answer.headers["content-disposition"] == 'inline; filename="c1.wav"'
    assert answer.headers["x-recording-complete"] == "yes"
    size = len(whole)
    for asked, start, end in [
        ("bytes=0-99", 0, 100),
        ("bytes=40-50", 40, 51),
        ("bytes=16000-16100", 16000, 16101),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=30000-{size * 2}", 30_000, size),
    ]:
        part = await client.get(WAV, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, whole[start:end]), asked
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = await client.get(WAV, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert (await client.get(WAV, headers={"Range": f"bytes={'9' * 5000}-"})).content == whole
    assert (await client.head(WAV)).headers["content-length"] == str(size)
    vcon = (await client.get("/api/v1/calls/c1/vcon")).json()
    assert vcon["dialog"][0]["filename"] == "c1.wav"


async def test_one_that_was_cut_or_changed_is_told_apart(
    client: httpx.AsyncClient, records: RecordsSettings
) -> None:
    path = records.dir / NAME
    whole = two_seconds(path, KEY)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    cut = await client.get(WAV)
    assert (cut.status_code, cut.headers["x-recording-complete"]) == (200, "no")
    assert cut.content[44:] == whole[44 : len(cut.content)]
    path.write_bytes(data[:500] + b"x" + data[501:])
    changed = await client.get(WAV)
    assert changed.status_code == 503
    assert changed.json()["detail"] == (
        "the recording c1.wav.sealed was changed or damaged: part 0 does not open"
    )
    repair_recording(records, "c1", NAME)  # logs, and does not raise
    path.write_bytes(b"")
    assert (await client.get(WAV)).status_code == 404
    repair_recording(records, "c1", NAME)


async def test_a_running_call_is_paused_by_command(
    client: httpx.AsyncClient, recordings: Recordings, journal: Noted
) -> None:
    async def act(action: str, **headers: str) -> tuple[int, Any]:
        answer = await client.post(ACTION, json={"action": action}, headers=headers)
        return answer.status_code, answer.json()

    gone = {"detail": "the call c1 does not run on this node"}
    assert await act("pause") == (404, gone)
    leg = Tapped()
    file, name = recordings.open("c1")
    assert name.endswith("/c1.wav.sealed")
    recordings.recorders["c1"] = CallRecorder(cast(Leg, leg), file, journal)
    assert await act("pause") == (200, {"call_id": "c1", "paused": True})
    assert await act("pause") == (200, {"call_id": "c1", "paused": True})
    leg.listener(SILENCE, SILENCE)
    assert await act("resume") == (200, {"call_id": "c1", "paused": False})
    assert (await act("stop"))[0] == 422
    assert journal.events == [
        Happened("c1", 0.0, "recording_paused", {"by": "api-token"}),
        Happened("c1", pytest.approx(0.02), "recording_resumed", {"by": "api-token"}),
    ]
    file.close().result(10)
    del recordings.recorders["c1"]
    assert await act("resume") == (404, gone)


@pytest.mark.parametrize("role", ["seat", "ops", "admin"])
async def test_every_role_may_pause(
    client: httpx.AsyncClient, store: Store, recordings: Recordings, journal: Noted, role: str
) -> None:
    store.add_user(role, role, PASSWORD)
    del client.headers["Authorization"]
    client.headers["Origin"] = "http://desk"
    assert (await client.post(ACTION, json={"action": "pause"})).status_code == 401
    signed_in = await client.post("/api/v1/session", json={"name": role, "password": PASSWORD})
    assert signed_in.status_code == 200
    file, _ = recordings.open("c1")
    recordings.recorders["c1"] = CallRecorder(cast(Leg, Tapped()), file, journal)
    assert (await client.post(ACTION, json={"action": "pause"})).status_code == 200
    assert journal.events == [Happened("c1", 0.0, "recording_paused", {"by": role})]
    file.close().result(10)


async def test_a_recording_that_was_lost_is_in_the_record_and_cannot_be_paused(
    client: httpx.AsyncClient, records: RecordsSettings, recordings: Recordings, journal: Noted
) -> None:
    records.dir.parent.mkdir(exist_ok=True)
    records.dir.write_text("a file where the folder should be")
    file, _ = recordings.open("c1")
    recordings.recorders["c1"] = CallRecorder(cast(Leg, Tapped()), file, journal)
    file.close().result(10)
    answer = await client.post(ACTION, json={"action": "pause"})
    assert answer.status_code == 409
    assert answer.json() == {"detail": "the call c1 is not recorded: its recording has failed"}
    reason = "the recording c1.wav.sealed cannot be written: "
    [event] = journal.events
    assert isinstance(event, Happened)
    assert (event.kind, event.at_s, event.detail["stage"]) == ("failed", 0.0, "recording")
    assert event.detail["error"].startswith(reason)
