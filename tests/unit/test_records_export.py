"""Exports of one call."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from records import RecordsError, export

pytestmark = [pytest.mark.unit]


def turn(index: int, who: str, text: str, started_s: float, **more: Any) -> dict[str, Any]:
    return {
        "index": index,
        "who": who,
        "text": text,
        "started_s": started_s,
        "ended_s": started_s + 1.5,
        "asr_raw": "",
        "asr_confidence": None,
        "dialog_confidence": None,
        "interrupted": False,
        "heard_text": None,
        "response_gap_ms": None,
        "sources": [],
        "stages_ms": {},
        **more,
    }


@pytest.fixture
def call() -> dict[str, Any]:
    return {
        "id": "c1",
        "node": "n",
        "caller": "13800000000",
        "callee": "12345",
        "started_at": "2025-03-09T04:00:00.000Z",
        "answered_at": "2025-03-09T04:00:01.000Z",
        "ended_at": "2025-03-09T04:01:00.000Z",
        "end_reason": "caller_hangup",
        "outcome": "ticket",
        "turns": [
            turn(0, "agent", "您好", 0.0, interrupted=True, sources=["kb:1", "kb:2"]),
            turn(1, "caller", "=1+1，有人吗", 62.0, asr_confidence=0.9, asr_raw="=一加一有人吗"),
        ],
        "events": [{"at_s": 1.0, "kind": "barge_in", "detail": {}}],
        "transfer": {
            "reason": "caller_asked",
            "summary": {"request": "噪声"},
            "seat": "s1",
            "outcome": "busy",
        },
        "line": [{"leg": "caller", "codec": "PCMA", "lost_packets": 12}],
        "ticket_id": "25030900001",
        "recording": "c1.wav",
    }


def test_vcon_holds_the_whole_call(call: dict[str, Any], tmp_path: Path) -> None:
    wav = tmp_path / "c1.wav"
    wav.write_bytes(b"RIFF-audio")
    made = export.vcon(call, ticket={"id": "25030900001"}, recording=wav, recording_url="https://h/r.wav")
    assert json.loads(json.dumps(made)) == made
    assert {"vcon", "uuid", "created_at", "parties", "dialog", "analysis", "attachments"} <= set(made)
    assert made["parties"][0] == {"role": "customer", "tel": "13800000000"}
    assert made["parties"][2]["name"] == "s1"
    sound, first, second = made["dialog"]
    digest = base64.urlsafe_b64encode(hashlib.sha512(b"RIFF-audio").digest()).decode().rstrip("=")
    assert (sound["type"], sound["url"], sound["content_hash"]) == (
        "recording",
        "https://h/r.wav",
        "sha512-" + digest,
    )
    assert (first["body"], first["originator"], first["start"]) == ("您好", 1, "2025-03-09T04:00:01.000Z")
    assert (second["originator"], second["start"], second["duration"]) == (0, "2025-03-09T04:01:03.000Z", 1.5)
    transcript, summary = made["analysis"]
    assert transcript["dialog"] == [1, 2]
    assert json.loads(transcript["body"]) == call["turns"]
    assert json.loads(summary["body"])["summary"] == {"request": "噪声"}
    assert [a["purpose"] for a in made["attachments"]] == ["events", "line", "ticket"]
    assert json.loads(made["attachments"][1]["body"]) == call["line"]
    assert export.vcon(call)["uuid"] == made["uuid"]


def test_vcon_without_an_address_carries_the_audio_itself(call: dict[str, Any], tmp_path: Path) -> None:
    wav = tmp_path / "c1.wav"
    wav.write_bytes(b"RIFF-audio")
    sound = export.vcon(call, recording=wav)["dialog"][0]
    assert base64.urlsafe_b64decode(sound["body"] + "==") == b"RIFF-audio"
    with pytest.raises(RecordsError, match="cannot be read"):
        export.vcon(call, recording=tmp_path / "none.wav")


def test_vcon_of_a_call_in_which_nothing_was_said(call: dict[str, Any]) -> None:
    call.update(turns=[], events=[], transfer=None, line=[], ticket_id=None, caller="", ended_at=None)
    made = export.vcon(call)
    assert (made["dialog"], made["analysis"], made["attachments"]) == ([], [], [])
    assert made["parties"][0]["name"] == "anonymous"


def test_a_third_party_is_a_party_of_its_own(call: dict[str, Any]) -> None:
    call["turns"] += [turn(2, "seat", "我请房管局来说", 70.0), turn(3, "third", "明天派人过去", 75.0)]
    call["events"].append({"at_s": 72.0, "kind": "third_party", "detail": {"joined": True, "number": "8100"}})
    made = export.vcon(call)
    assert made["parties"][3] == {"role": "third party", "tel": "8100"}
    assert [one["originator"] for one in made["dialog"]] == [1, 0, 2, 3]
    assert "[01:15] 第三方：明天派人过去" in export.text(call)


def test_text_reads_like_a_transcript_in_china_time(call: dict[str, Any]) -> None:
    lines = export.text(call).splitlines()
    assert lines[2] == "开始 2025-03-09 12:00:00  结束 2025-03-09 12:01:00"
    assert lines[4] == "[00:00] 智能话务员：您好（被打断）"
    assert lines[5] == "[01:02] 来电人：=1+1，有人吗"
    assert lines[-1] == "工单 25030900001"


def test_csv_opens_in_a_spreadsheet_and_runs_nothing(call: dict[str, Any]) -> None:
    made = export.csv_text(call)
    assert made.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(made[1:])))
    assert [row["who"] for row in rows] == ["agent", "caller"]
    assert rows[0]["sources"] == "kb:1 kb:2"
    assert rows[1]["text"] == "'=1+1，有人吗"
    assert rows[1]["asr_raw"] == "'=一加一有人吗"
