"""What Prometheus reads: counts kept from the calls' events, and the present, looked at when it asks.

Every metric stands in docs/operations.md with its meaning. No label holds anything a caller chose: values
that are not known here are counted as `other`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hotline.chat import TEXT
from hotline.overload import CAUSES
from hotline.scrape import SourceCollector, Sources, gauges
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

OTHER = "other"
REFUSALS = ("full", "draining", "no_line", *CAUSES, OTHER)
END_REASONS = (
    "caller_hangup",
    "agent_hangup",
    "transferred",
    "rejected_busy",
    "media_timeout",
    "shutdown",
    "failed",
)
OUTCOMES = ("answered", "ticket", "transferred", "callback", "abandoned", "rejected", "failed")
WHO = ("agent", "caller", "seat", "third")
STATES = ("ringing", "agent", "transfer", "seat")  # a call's way, as it stands now
TRANSFER_REASONS = ("low_confidence", "caller_asked", "emergency", "failure", "no_input")
TRANSFER_OUTCOMES = (
    "connected",
    "no_seat",
    "declined",
    "no_answer",
    "busy",
    "unreachable",
    "caller_gone",
    "failed",
)
STAGES = ("asr", "dialog", "tts", "ticket", "recording", "session", "shutdown", OTHER)
_MOVES = {"transfer_started": "transfer", "bridged": "seat", "unbridged": "agent"}  # event -> state

CALL_S = (5, 15, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600)
GAP_S = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)
LOST = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
JITTER_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5)
ROUND_TRIP_S = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
LATE_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class _Call:
    """A call that runs."""

    recorded: bool
    state: str = "ringing"
    answered_at: datetime | None = None


class Metrics:
    """All metrics of this process, in a registry of their own; used on the event loop alone."""

    def __init__(self) -> None:
        # Else each series has another one that tells when it began, and nobody asks for that.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._calls: dict[str, _Call] = {}
        ProcessCollector(registry=registry)
        registry.register(_Present(lambda: self._calls.values()))

        def counter(name: str, what: str, **labels: Iterable[str]) -> Counter:
            """With one label, its values are there from the start, so that the first one counts as a rise."""
            made = Counter(name, what, tuple(labels), registry=registry)
            if len(labels) == 1:
                for value in next(iter(labels.values())):
                    made.labels(value)
            return made

        def histogram(name: str, what: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(name, what, labels, registry=registry, buckets=tuple(buckets))

        self._answered = counter("hotline_calls_answered_total", "Calls answered")
        self._refused = counter("hotline_calls_refused_total", "Calls told 503", cause=REFUSALS)
        self._ended = counter(
            "hotline_calls_ended_total", "Calls over", end_reason=END_REASONS, outcome=OUTCOMES
        )
        self._call_s = histogram("hotline_call_seconds", "Length of calls that were answered", CALL_S)
        self._turns = counter("hotline_turns_total", "Turns said", who=WHO)
        gap = "From the end of what a caller said to the answer's first sound"
        self._gap_s = histogram("hotline_response_gap_seconds", gap, GAP_S)
        self._tickets = counter("hotline_tickets_filed_total", "Work orders filed")
        self._transfers = counter(
            "hotline_transfers_total", "Transfers over", reason=TRANSFER_REASONS, outcome=TRANSFER_OUTCOMES
        )
        self._failures = counter("hotline_failures_total", "Failures within calls", stage=STAGES)
        self._recordings_failed = counter(
            "hotline_recordings_failed_total", "Recordings lost, whole or in part"
        )
        lost = "Share of a leg's RTP packets that were lost"
        self._lost = histogram("hotline_rtp_lost_ratio", lost, LOST, "leg", "direction")
        self._jitter_s = histogram("hotline_rtp_jitter_seconds", "RTP jitter", JITTER_S, "leg", "direction")
        self._round_trip_s = histogram(
            "hotline_rtp_round_trip_seconds", "RTCP round trip", ROUND_TRIP_S, "leg"
        )
        self._loop_late_s = histogram("hotline_event_loop_late_seconds", "Lateness of the event loop", LATE_S)

    def watch(self, sources: Sources) -> None:
        """Look there, too, from now on; once."""
        self._registry.register(SourceCollector(sources))

    def text(self) -> str:
        """Everything as Prometheus text, format 0.0.4."""
        return generate_latest(self._registry).decode()

    def refused(self, cause: str) -> None:
        """A new call was told 503, for one of REFUSALS."""
        self._refused.labels(_known(cause, REFUSALS)).inc()

    def loop_late(self, late_s: float) -> None:
        """The event loop was measured."""
        self._loop_late_s.observe(late_s)

    def observe(self, event: CallEvent) -> None:
        """Count what happened in a call; conversations by text are none, only their work orders count."""
        call = self._calls.get(event.call_id)
        if isinstance(event, CallStarted):
            if event.callee != TEXT:
                self._calls[event.call_id] = _Call(recorded=bool(event.recording))
        elif isinstance(event, TicketFiled):
            self._tickets.inc()
        elif isinstance(event, LineQuality):
            self._observe_line(event)
        elif isinstance(event, Happened):
            self._observe_event(event, call)
        elif call is None:
            return
        elif isinstance(event, CallAnswered):
            call.state, call.answered_at = "agent", event.at
            self._answered.inc()
        elif isinstance(event, Turn):
            self._observe_turn(event)
        elif isinstance(event, TransferUpdated):
            if event.outcome:  # else it has only begun
                reason = _known(event.reason, TRANSFER_REASONS)
                self._transfers.labels(reason, _known(event.outcome, TRANSFER_OUTCOMES)).inc()
                call.state = "agent"
        else:
            self._observe_end(event, call)

    def _observe_end(self, event: CallEnded, call: _Call) -> None:
        self._ended.labels(_known(event.end_reason, END_REASONS), _known(event.outcome, OUTCOMES)).inc()
        if call.answered_at is not None:
            self._call_s.observe((event.at - call.answered_at).total_seconds())
        del self._calls[event.call_id]

    def _observe_turn(self, turn: Turn) -> None:
        if turn.ended_s is None:  # it will be told again when it is complete
            return
        self._turns.labels(_known(turn.who, WHO)).inc()
        if turn.response_gap_ms is not None:
            self._gap_s.observe(turn.response_gap_ms / 1000)

    def _observe_event(self, event: Happened, call: _Call | None) -> None:
        if event.kind == "failed":
            stage = _known(event.detail.get("stage"), STAGES)
            self._failures.labels(stage).inc()
            if stage == "recording":
                self._recordings_failed.inc()
        elif call is not None:
            call.state = _MOVES.get(event.kind, call.state)

    def _observe_line(self, line: LineQuality) -> None:
        if line.codec:  # without audio there was no line
            all_packets = line.received_packets + line.lost_packets
            self._observe_way(line.leg, "received", line.lost_packets, all_packets, line.jitter_ms)
        if line.round_trip_ms is not None:
            lost, sent = line.remote_lost_packets, line.sent_packets
            self._observe_way(line.leg, "sent", lost, sent, line.remote_jitter_ms)
            self._round_trip_s.labels(line.leg).observe(line.round_trip_ms / 1000)

    def _observe_way(self, leg: str, direction: str, lost: int, packets: int, jitter_ms: float) -> None:
        if packets:
            self._lost.labels(leg, direction).observe(min(1.0, lost / packets))
            self._jitter_s.labels(leg, direction).observe(jitter_ms / 1000)


class _Present(Collector):
    """What the running calls are doing."""

    def __init__(self, calls: Callable[[], Collection[_Call]]) -> None:
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        calls = self._calls()
        states = Tally(call.state for call in calls)
        yield gauges("hotline_calls", "Calls that run", "state", {state: states[state] for state in STATES})
        recorded = sum(call.recorded for call in calls)
        yield GaugeMetricFamily("hotline_recordings_open", "Calls that are being recorded", value=recorded)


def _known(value: object, values: Collection[str]) -> str:
    return value if isinstance(value, str) and value in values else OTHER
