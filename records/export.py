"""One call's record for other programs and for people: vCon, plain text, CSV."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from records import CHINA, to_iso
from records.keys import Keys
from records.playback import Playback, open_recording

VCON_VERSION = "0.4.0"  # draft-ietf-vcon-vcon-core
VENDOR = "hotline-voice-agent"
WHO = {"caller": "来电人", "agent": "智能话务员", "seat": "人工坐席", "third": "第三方"}
_PARTY = {"caller": 0, "agent": 1, "seat": 2, "third": 3}


def vcon(
    call: Mapping[str, Any],
    *,
    ticket: Mapping[str, Any] | None = None,
    recording: Path | None = None,
    recording_url: str | None = None,
    keys: Keys | None = None,
) -> dict[str, Any]:
    """A call (as from Store.call) as vCon.

    `recording` is the file, which `keys` open if it is sealed; with `recording_url` the WAV is referred to,
    with its hash, else it is embedded.
    Raises RecordsError when the file cannot be read.
    """
    document: dict[str, Any] = {
        "vcon": VCON_VERSION,
        # The same call is the same conversation, however often it is exported.
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:hotline:call:{call['id']}")),
        "created_at": call["ended_at"] or call["started_at"],
        "subject": f"{call['callee']} {call['id']}".strip(),
        "parties": _parties(call),
        "dialog": [],
        "analysis": [],
        "attachments": [],
    }
    if recording is not None:
        document["dialog"].append(_recording_dialog(call, open_recording(recording, keys), recording_url))
    texts = [_text_dialog(call, turn) for turn in call["turns"]]
    first_text = len(document["dialog"])
    document["dialog"] += texts
    if texts:
        spoken = list(range(first_text, first_text + len(texts)))
        document["analysis"].append(_analysis("transcript", spoken, call["turns"]))
    if call["transfer"]:
        document["analysis"].append(_analysis("summary", 0 if document["dialog"] else [], call["transfer"]))
    if call["events"]:
        document["attachments"].append(_attachment(call, "events", call["events"]))
    if call["line"]:
        document["attachments"].append(_attachment(call, "line", call["line"]))
    if ticket is not None:
        document["attachments"].append(_attachment(call, "ticket", ticket))
    return document


def text(call: Mapping[str, Any]) -> str:
    """A call as a transcript for reading, in Chinese, with China time."""
    lines = [
        f"通话 {call['id']}",
        f"来电 {call['caller'] or '未显示号码'}  被叫 {call['callee']}",
        f"开始 {_china(call['started_at'])}  结束 {_china(call['ended_at'])}",
        "",
    ]
    for turn in call["turns"]:
        minutes, seconds = divmod(int(turn["started_s"]), 60)
        cut = "（被打断）" if turn["interrupted"] else ""
        lines.append(
            f"[{minutes:02d}:{seconds:02d}] {WHO.get(turn['who'], turn['who'])}：{turn['text']}{cut}"
        )
    if call["ticket_id"]:
        lines += ["", f"工单 {call['ticket_id']}"]
    return "\n".join(lines) + "\n"


def csv_text(call: Mapping[str, Any]) -> str:
    """A call's turns as CSV with a header row, one row per turn, for Excel (with a byte order mark)."""
    columns = [
        "index",
        "who",
        "started_s",
        "ended_s",
        "text",
        "heard_text",
        "interrupted",
        "asr_confidence",
        "dialog_confidence",
        "response_gap_ms",
    ]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["call_id", *columns, "sources", "asr_raw"])
    for turn in call["turns"]:
        cells = [_cell(turn[name]) for name in columns]
        writer.writerow([call["id"], *cells, " ".join(turn["sources"]), _cell(turn["asr_raw"])])
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    # A spreadsheet would run a text that starts like a formula.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _china(moment: str | None) -> str:
    if not moment:
        return "—"
    at = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _parties(call: Mapping[str, Any]) -> list[dict[str, str]]:
    parties = [
        {"role": "customer", **({"tel": call["caller"]} if call["caller"] else {"name": "anonymous"})},
        {"role": "agent", "name": VENDOR, **({"tel": call["callee"]} if call["callee"] else {})},
    ]
    if call["transfer"] or any(turn["who"] in ("seat", "third") for turn in call["turns"]):
        seat = (call["transfer"] or {}).get("seat") or "seat"
        parties.append({"role": "agent", "name": seat})
    if any(turn["who"] == "third" for turn in call["turns"]):
        parties.append({"role": "third party", **_number_of_third(call)})
    return parties


def _number_of_third(call: Mapping[str, Any]) -> dict[str, str]:
    """The telephone of who was called into the talk with a seat."""
    for event in call["events"]:
        if event["kind"] == "third_party" and event["detail"].get("number"):
            return {"tel": event["detail"]["number"]}
    return {}


def _at(call: Mapping[str, Any], offset_s: float) -> str:
    began = datetime.fromisoformat((call["answered_at"] or call["started_at"]).replace("Z", "+00:00"))
    return to_iso(began + timedelta(seconds=offset_s))


def _recording_dialog(call: Mapping[str, Any], sound: Playback, url: str | None) -> dict[str, Any]:
    data = sound.read(0, sound.size)
    dialog: dict[str, Any] = {
        "type": "recording",
        "start": _at(call, 0.0),
        "parties": list(range(len(_parties(call)))),
        "originator": 0,
        "mediatype": "audio/x-wav",
        "filename": sound.name,
    }
    if url is None:
        return {**dialog, "body": _base64url(data), "encoding": "base64url"}
    return {**dialog, "url": url, "content_hash": "sha512-" + _base64url(hashlib.sha512(data).digest())}


def _text_dialog(call: Mapping[str, Any], turn: Mapping[str, Any]) -> dict[str, Any]:
    dialog = {
        "type": "text",
        "start": _at(call, turn["started_s"]),
        "parties": [_PARTY.get(turn["who"], 1)],
        "originator": _PARTY.get(turn["who"], 1),
        "mediatype": "text/plain",
        "body": turn["text"],
        "encoding": "none",
    }
    if turn["ended_s"] is not None:
        dialog["duration"] = round(turn["ended_s"] - turn["started_s"], 3)
    return dialog


def _analysis(kind: str, dialog: int | list[int], body: object) -> dict[str, Any]:
    return {
        "type": kind,
        "dialog": dialog,
        "mediatype": "application/json",
        "vendor": VENDOR,
        "schema": f"{VENDOR}/{kind}",
        "body": json.dumps(body, ensure_ascii=False),
        "encoding": "json",
    }


def _attachment(call: Mapping[str, Any], purpose: str, body: object) -> dict[str, Any]:
    return {
        "purpose": purpose,
        "start": call["started_at"],
        "party": 1,
        "mediatype": "application/json",
        "body": json.dumps(body, ensure_ascii=False),
        "encoding": "json",
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
