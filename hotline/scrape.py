"""The present, as a scrape of the metrics finds it: recogniser, audio clock, queues, trunks, seats."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import anyio
import anyio.to_thread
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from asr.pool import Load
from hotline.overload import CAUSES
from records import RecordsError
from records.seats import SEAT_STATUS

log = structlog.get_logger()

SEATS_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the present is found; asked on the event loop at every scrape, so none of them may wait."""

    calls_active: Callable[[], int]
    calls_max: Callable[[], int]
    asr_load: Callable[[], Load]
    journal_queue: Callable[[], int]
    audio_lateness: Callable[[], tuple[int, int, float]]  # since asked last: ticks, late ones, the latest's s
    overload: Callable[[], str | None]  # the cause, of hotline.overload.CAUSES
    sip_requests: Callable[[], Mapping[str, int]]  # judged since the start, by result
    trunks: Callable[[], Mapping[str, bool]]  # of those that register: whether they are registered
    seats: Callable[[], Mapping[str, int]]  # by status
    pjsua2: Callable[[], str]  # the library's version
    outbox: Callable[[], Mapping[str, int]] = dict  # messages to the city's system: waiting, failed


class SourceCollector(Collector):
    """Asks the sources; keeps what they tell only as differences."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._version = version("hotline-voice-agent")
        self._ticks = self._late_ticks = 0
        self._before = Load()
        self._real_time_factor = 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing: sources are not to be asked before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        yield GaugeMetricFamily("hotline_calls_active", "Calls that run", value=sources.calls_active())
        yield GaugeMetricFamily("hotline_calls_max", "Calls taken at a time", value=sources.calls_max())
        yield from self._asr(sources.asr_load())
        yield from self._audio(*sources.audio_lateness())
        queue = sources.journal_queue()
        yield GaugeMetricFamily("hotline_journal_queue", "Events not in the store yet", value=queue)
        cause = sources.overload()
        overloads = {name: name == cause for name in CAUSES}
        yield gauges("hotline_overloaded", "New calls are refused for this", "cause", overloads)
        requests = CounterMetricFamily(
            "hotline_sip_requests_total", "SIP requests judged at the gate", labels=("result",)
        )
        for result, count in sources.sip_requests().items():
            requests.add_metric((result,), count)
        yield requests
        trunks = sources.trunks()
        yield gauges("hotline_trunk_registered", "Registered at this trunk", "trunk", trunks)
        yield gauges("hotline_seats", "Seats by status", "status", sources.seats())
        for name, what in (
            ("waiting", "Messages to the city's system that it has not taken yet"),
            ("failed", "Messages to the city's system that will not be sent again by themselves"),
        ):
            value = sources.outbox().get(name, 0)
            yield GaugeMetricFamily(f"hotline_outbox_{name}", what, value=value)
        build = GaugeMetricFamily("hotline_build_info", "What runs", labels=("pjsua2", "version"))
        build.add_metric((sources.pjsua2(), self._version), 1)
        yield build

    def _asr(self, load: Load) -> Iterator[Metric]:
        decoded_s = load.decoded_s - self._before.decoded_s
        if decoded_s > 0:
            self._real_time_factor = (load.busy_s - self._before.busy_s) / decoded_s
            self._before = load
        for name, what, value in (
            ("hotline_asr_utterances", "Utterances under way", load.utterances),
            ("hotline_asr_waiting_seconds", "Audio not yet decoded", load.waiting_s),
            ("hotline_asr_oldest_wait_seconds", "How long audio waits for its decoding", load.oldest_wait_s),
            ("hotline_asr_real_time_factor", "Decoding time for a second of audio", self._real_time_factor),
        ):
            yield GaugeMetricFamily(name, what, value=value)
        yield CounterMetricFamily("hotline_asr_audio_seconds_total", "Audio decoded", value=load.decoded_s)
        busy = "Time that threads took to decode"
        yield CounterMetricFamily("hotline_asr_decoding_seconds_total", busy, value=load.busy_s)

    def _audio(self, ticks: int, late_ticks: int, latest_s: float) -> Iterator[Metric]:
        self._ticks += ticks
        self._late_ticks += late_ticks
        yield CounterMetricFamily("hotline_audio_ticks_total", "Ticks of the audio clock", value=self._ticks)
        late = "Ticks of the audio clock that came over 20 ms late"
        yield CounterMetricFamily("hotline_audio_late_ticks_total", late, value=self._late_ticks)
        latest = "The latest tick of the audio clock since the previous scrape"
        yield GaugeMetricFamily("hotline_audio_late_seconds", latest, value=latest_s)


class SeatCount:
    """How many seats have which status, asked of the store off the event loop every `SEATS_EVERY_S`."""

    def __init__(self, seats: Callable[[], Collection[Mapping[str, Any]]]) -> None:
        self._seats = seats
        self._found: Mapping[str, int] = {}

    def __call__(self) -> Mapping[str, int]:
        """As last counted; nothing where the store could not tell."""
        return self._found

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            await self.count()
            await anyio.sleep(SEATS_EVERY_S)

    async def count(self) -> None:
        """Count now."""
        try:
            seats = await anyio.to_thread.run_sync(self._seats)
        except RecordsError as error:
            log.error("seats_not_counted", error=str(error))
            self._found = {}
        else:
            self._found = {**dict.fromkeys(SEAT_STATUS, 0), **Tally(seat["status"] for seat in seats)}


def gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """One gauge for each value of a label."""
    family = GaugeMetricFamily(name, what, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
