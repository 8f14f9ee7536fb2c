"""What Prometheus reads: what each event counts, what a scrape finds, and that the manual tells it all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from asr.pool import Load
from dialog import Summary
from hotline.metrics import REFUSALS, Metrics
from hotline.scrape import SeatCount, Sources
from records import RecordsError
from voice.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallStarted,
    Happened,
    LineQuality,
    TicketFiled,
    TransferUpdated,
    Turn,
)

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 4, 0, tzinfo=timezone.utc)
CALLER = "13812345678"
SUMMARY = Summary(request="社保")
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

Labels = frozenset[tuple[str, str]]


@dataclass
class Node:
    """A program's present, to be set; `read()` scrapes."""

    calls_active: int = 0
    load: Load = field(default_factory=Load)
    queue: int = 0
    late: list[tuple[int, int, float]] = field(default_factory=list)
    cause: str | None = None
    requests: dict[str, int] = field(default_factory=lambda: {"passed": 3, "unknown_source": 7})
    trunks: dict[str, bool] = field(default_factory=lambda: {"city": True, "spare": False})
    seats: Mapping[str, int] = field(default_factory=lambda: {"free": 2, "away": 1})
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.metrics.watch(
            Sources(
                calls_active=lambda: self.calls_active,
                calls_max=lambda: 100,
                asr_load=lambda: self.load,
                journal_queue=lambda: self.queue,
                audio_lateness=lambda: self.late.pop(0) if self.late else (0, 0, 0.0),
                overload=lambda: self.cause,
                sip_requests=lambda: self.requests,
                trunks=lambda: self.trunks,
                seats=lambda: self.seats,
                pjsua2=lambda: "2.15.1",
            )
        )

    def see(self, *events: CallEvent) -> None:
        for event in events:
            self.metrics.observe(event)

    def read(self) -> dict[str, dict[Labels, float]]:
        """Every sample by its name and its labels."""
        found: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(self.metrics.text()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float:
        return self.read()[name].get(frozenset(labels.items()), 0.0)


@pytest.fixture
def node() -> Node:
    return Node()


def started(call_id: str = "c1", callee: str = "12345", recording: str = "c1.wav") -> CallStarted:
    return CallStarted(call_id, CALLER, callee, NOON, recording)


def ended(seconds: float = 0.0, *, call_id: str = "c1", reason: str = "caller_hangup") -> CallEnded:
    return CallEnded(call_id, NOON + timedelta(seconds=seconds), reason, "answered")


def line(leg: Any = "caller", **fields: Any) -> LineQuality:
    quality: dict[str, Any] = {
        "codec": "PCMA",
        "received_packets": 950,
        "lost_packets": 50,
        "jitter_ms": 25.0,
        "sent_packets": 1000,
        "remote_lost_packets": 2,
        "remote_jitter_ms": 4.0,
        "round_trip_ms": 40.0,
        "late_frames": 0,
    }
    return LineQuality("c1", leg, **{**quality, **fields})


def whole_call() -> Iterator[CallEvent]:
    """One of everything."""
    yield started()
    yield CallAnswered("c1", NOON)
    yield Turn("c1", 0, "agent", "您好", 0.0, ended_s=2.0)
    yield Turn("c1", 1, "caller", "转人工", 2.5, 3.5)
    yield Turn("c1", 2, "agent", "请稍等", 4.2, response_gap_ms=700.0)  # planned
    yield Turn("c1", 2, "agent", "请稍等", 4.2, ended_s=5.0, response_gap_ms=700.0)  # complete
    yield TransferUpdated("c1", "caller_asked", SUMMARY)
    yield Happened("c1", 5.1, "failed", {"stage": "recording"})
    yield TransferUpdated("c1", "caller_asked", SUMMARY, "s1", "connected")
    yield TicketFiled("c1", "25030900001")
    yield line()
    yield line("seat")
    yield ended(95.0, reason="transferred")


def test_a_call_is_counted_once_in_each_place(node: Node) -> None:
    node.see(*whole_call())
    found = node.read()
    assert node.value("hotline_calls_answered_total") == 1
    assert node.value("hotline_calls_ended_total", end_reason="transferred", outcome="answered") == 1
    assert (node.value("hotline_call_seconds_count"), node.value("hotline_call_seconds_sum")) == (1, 95)
    assert node.value("hotline_call_seconds_bucket", le="60.0") == 0
    assert node.value("hotline_call_seconds_bucket", le="120.0") == 1
    assert found["hotline_turns_total"] == {
        frozenset({("who", "agent")}): 2,
        frozenset({("who", "caller")}): 1,
        frozenset({("who", "seat")}): 0,
        frozenset({("who", "third")}): 0,
    }
    assert node.value("hotline_response_gap_seconds_count") == 1
    assert node.value("hotline_response_gap_seconds_sum") == pytest.approx(0.7)
    assert found["hotline_transfers_total"] == {
        frozenset({("reason", "caller_asked"), ("outcome", "connected")}): 1
    }
    assert node.value("hotline_tickets_filed_total") == 1
    assert node.value("hotline_failures_total", stage="recording") == 1
    assert node.value("hotline_recordings_failed_total") == 1


def test_what_calls_are_doing_is_known_at_every_moment(node: Node) -> None:
    def states() -> dict[str, float]:
        return {dict(labels)["state"]: count for labels, count in node.read()["hotline_calls"].items()}

    nothing = {"ringing": 0, "agent": 0, "transfer": 0, "seat": 0}
    assert states() == nothing
    way: list[tuple[CallEvent, str]] = [
        (started(), "ringing"),
        (CallAnswered("c1", NOON), "agent"),
        (Happened("c1", 1.0, "transfer_started"), "transfer"),
        (TransferUpdated("c1", "caller_asked", SUMMARY), "transfer"),
        (Happened("c1", 2.0, "seat_ringing"), "transfer"),
        (Happened("c1", 3.0, "bridged"), "seat"),
        (Happened("c1", 9.0, "unbridged"), "agent"),
        (TransferUpdated("c1", "caller_asked", SUMMARY, "s1", "connected"), "agent"),
    ]
    for event, state in way:
        node.see(event)
        assert states() == {**nothing, state: 1}, event
        assert node.value("hotline_recordings_open") == 1
    node.see(started("c2", recording=""), ended())
    assert states() == {**nothing, "ringing": 1}
    assert node.value("hotline_recordings_open") == 0
    node.see(ended(call_id="c2"))
    assert states() == nothing


def test_a_call_that_was_never_answered_has_no_length(node: Node) -> None:
    node.see(started(), ended(reason="rejected_busy"))
    assert node.value("hotline_calls_ended_total", end_reason="rejected_busy", outcome="answered") == 1
    assert node.value("hotline_calls_answered_total") == node.value("hotline_call_seconds_count") == 0


def test_a_conversation_by_text_is_no_call_but_its_work_order_counts(node: Node) -> None:
    node.see(started(callee="text", recording=""), *list(whole_call())[1:])
    assert node.value("hotline_tickets_filed_total") == 1
    for name in ("calls_answered_total", "turns_total", "call_seconds_count", "response_gap_seconds_count"):
        assert not any(node.read()[f"hotline_{name}"].values()), name
    assert "hotline_calls_ended_total" not in node.read()


def test_calls_refused_are_told_apart_and_every_cause_is_there_from_the_start(node: Node) -> None:
    def refused() -> dict[str, float]:
        found = node.read()["hotline_calls_refused_total"]
        return {dict(labels)["cause"]: count for labels, count in found.items()}

    assert refused() == dict.fromkeys(REFUSALS, 0.0)
    for cause in ("full", "full", "event_loop", "asr", "something new"):
        node.metrics.refused(cause)
    assert refused() == dict.fromkeys(REFUSALS, 0.0) | {"full": 2, "event_loop": 1, "asr": 1, "other": 1}


@pytest.mark.parametrize("leg", ["caller", "seat"])
def test_a_line_is_measured_both_ways(node: Node, leg: str) -> None:
    node.see(line(leg))
    for name, received, sent in [("lost_ratio", 0.05, 0.002), ("jitter_seconds", 0.025, 0.004)]:
        assert node.value(f"hotline_rtp_{name}_sum", leg=leg, direction="received") == pytest.approx(received)
        assert node.value(f"hotline_rtp_{name}_sum", leg=leg, direction="sent") == pytest.approx(sent)
    assert node.value("hotline_rtp_round_trip_seconds_sum", leg=leg) == pytest.approx(0.04)
    assert node.value("hotline_rtp_lost_ratio_bucket", leg=leg, direction="sent", le="0.001") == 0
    assert node.value("hotline_rtp_lost_ratio_bucket", leg=leg, direction="sent", le="0.005") == 1


@pytest.mark.parametrize(
    ("quality", "directions"),
    [
        ({"round_trip_ms": None}, {"received"}),
        ({"received_packets": 0, "lost_packets": 0}, {"sent"}),
        ({"codec": "", "round_trip_ms": None}, set()),
    ],
)
def test_what_nobody_measured_is_not_taken_for_a_perfect_line(
    node: Node, quality: dict[str, Any], directions: set[str]
) -> None:
    node.see(line(**quality))
    measured = node.read().get("hotline_rtp_lost_ratio_count", {})
    assert {dict(labels)["direction"] for labels in measured} == directions


def test_more_reported_lost_than_sent_is_everything(node: Node) -> None:
    node.see(line(sent_packets=10, remote_lost_packets=30))
    assert node.value("hotline_rtp_lost_ratio_sum", leg="caller", direction="sent") == 1.0


def test_recognition_is_measured_between_scrapes(node: Node) -> None:
    node.load = Load(3, 0.4, 0.2, 100.0, 20.0)
    assert node.value("hotline_asr_real_time_factor") == pytest.approx(0.2)
    node.load = Load(5, 1.4, 0.7, 110.0, 30.0)
    assert node.value("hotline_asr_real_time_factor") == pytest.approx(1.0)
    assert node.value("hotline_asr_real_time_factor") == pytest.approx(1.0), "nothing new was decoded"
    assert node.value("hotline_asr_utterances") == 5
    assert node.value("hotline_asr_waiting_seconds") == pytest.approx(1.4)
    assert node.value("hotline_asr_oldest_wait_seconds") == pytest.approx(0.7)
    assert node.value("hotline_asr_audio_seconds_total") == pytest.approx(110.0)
    assert node.value("hotline_asr_decoding_seconds_total") == pytest.approx(30.0)


def test_the_audio_clocks_lateness_adds_up_and_its_worst_is_that_since_the_last_scrape(node: Node) -> None:
    node.late = [(500, 2, 0.08), (500, 0, 0.004)]
    seen = [node.read() for _ in range(3)]
    for name, values in [
        ("hotline_audio_ticks_total", [500, 1000, 1000]),
        ("hotline_audio_late_ticks_total", [2, 2, 2]),
        ("hotline_audio_late_seconds", [0.08, 0.004, 0.0]),
    ]:
        assert [found[name][frozenset()] for found in seen] == values, name


def test_the_present_is_what_the_sources_say(node: Node) -> None:
    node.calls_active, node.queue, node.cause = 42, 17, "asr"
    node.metrics.loop_late(0.03)
    assert node.value("hotline_calls_active") == 42
    assert node.value("hotline_calls_max") == 100
    assert node.value("hotline_journal_queue") == 17
    assert node.value("hotline_overloaded", cause="asr") == 1
    assert node.value("hotline_overloaded", cause="event_loop") == 0
    assert node.value("hotline_sip_requests_total", result="unknown_source") == 7
    assert node.value("hotline_trunk_registered", trunk="city") == 1
    assert node.value("hotline_trunk_registered", trunk="spare") == 0
    assert node.value("hotline_seats", status="free") == 2
    assert node.value("hotline_event_loop_late_seconds_bucket", le="0.02") == 0
    assert node.value("hotline_event_loop_late_seconds_bucket", le="0.05") == 1
    (build,) = node.read()["hotline_build_info"]
    assert dict(build)["pjsua2"] == "2.15.1"
    assert re.match(r"\d+\.\d+", dict(build)["version"])


def test_nothing_a_caller_chose_is_in_it_however_many_call(node: Node) -> None:
    def call(n: int) -> None:
        """With values that the program does not know."""
        node.see(
            started(f"x{n}", callee=f"callee{n}"),
            CallAnswered(f"x{n}", NOON),
            Turn(f"x{n}", 0, f"who{n}", "words", 0.0, 1.0),  # type: ignore[arg-type]
            TransferUpdated(f"x{n}", f"reason{n}", SUMMARY, f"seat{n}", f"word{n}"),
            Happened(f"x{n}", 1.0, "failed", {"stage": f"stage{n}"}),
            Happened(f"x{n}", 1.0, f"kind{n}", {"stage": n}),
            ended(call_id=f"x{n}", reason=f"end{n}"),
        )
        node.metrics.refused(f"cause{n}")

    node.see(*whole_call())
    call(0)
    lines = len(node.metrics.text().splitlines())
    for n in range(1, 50):
        call(n)
    assert len(node.metrics.text().splitlines()) == lines
    fixed = {"le", "version", "pjsua2"}
    pairs = {pair for found in node.read().values() for labels in found for pair in labels}
    named = [value for name, value in pairs if name not in fixed]
    assert [value for value in named if not re.fullmatch("[a-z_]+", value)] == []
    assert CALLER not in node.metrics.text()
    assert node.value("hotline_calls_ended_total", end_reason="other", outcome="answered") == 50
    assert node.value("hotline_transfers_total", reason="other", outcome="other") == 50
    assert node.value("hotline_failures_total", stage="other") == 50


def test_two_programs_in_one_process_count_apart(node: Node) -> None:
    other = Node()
    node.see(*whole_call())
    assert other.value("hotline_calls_answered_total") == 0


@pytest.mark.anyio
async def test_seats_are_counted_by_status_and_unknown_while_the_store_cannot_tell() -> None:
    answers: list[Any] = [
        [{"status": "free"}, {"status": "free"}, {"status": "talking"}],
        RecordsError("gone"),
    ]

    def seats() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    count = SeatCount(seats)
    assert count() == {}
    await count.count()
    assert count() == {"away": 0, "free": 2, "ringing": 0, "talking": 1, "wrap_up": 0}
    await count.count()
    assert count() == {}


# The page


def rows() -> dict[str, list[str]]:
    """The table of metrics in docs/operations.md: name -> cells."""
    section = re.search(
        r"^## Metrics and alarms\n(.*?)(?=^## |\Z)", OPERATIONS.read_text("utf-8"), re.M | re.S
    )
    assert section
    lines = [line for line in section[1].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {re.split("[{`]", row[0])[1]: row for row in cells}


def families(node: Node) -> dict[str, tuple[str, set[str]]]:
    """Every metric with its kind and its labels, under the name one asks for."""
    found = {}
    for family in text_string_to_metric_families(node.metrics.text()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    return found


def test_every_metric_is_on_the_page_and_nothing_else_with_its_kind_and_labels(node: Node) -> None:
    node.see(*whole_call())
    node.metrics.loop_late(0.0)
    written = {
        name: (row[1], set(re.findall(r"\w+", row[0].partition("{")[2]))) for name, row in rows().items()
    }
    assert written == families(node)


def test_every_row_has_a_meaning_and_alarms_name_metrics_that_exist() -> None:
    written = rows()
    for name, row in written.items():
        assert len(row) == 4, name
        assert row[2], name
        for mentioned in re.findall(r"`((?:hotline|process)_\w+)", row[2] + row[3]):
            assert mentioned in written or mentioned == "hotline_asr_", f"{name}: {mentioned}"


def test_every_cause_of_refusal_is_explained() -> None:
    meaning = rows()["hotline_calls_refused_total"][2]
    assert [cause for cause in REFUSALS if cause != "other" and f"`{cause}`" not in meaning] == []
