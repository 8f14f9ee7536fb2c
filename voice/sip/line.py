"""One leg's line: how its RTP fares, and whether it still comes."""

from __future__ import annotations

from typing import Any

from voice.phone import LineStats


class Line:
    """Follows the RTP statistics of a call through changes of codec, each of which begins a new stream."""

    def __init__(self) -> None:
        self.stats = LineStats()
        self._before = LineStats()  # of the streams that are over
        self._received = 0
        self._heard_s: float | None = None
        self._late_before: int | None = None

    def idle_s(self, now_s: float) -> float:
        """Seconds without a packet; 0 before the audio began."""
        return 0.0 if self._heard_s is None else now_s - self._heard_s

    def begin(self, now_s: float) -> None:
        """The audio begins, or goes on after a hold."""
        self._heard_s = now_s

    def update(self, codec: str, rtcp: Any, late_frames: int, now_s: float) -> None:
        """Take the library's figures (its RtcpStat) of this stream; `late_frames` are all legs'."""
        if self._late_before is None:
            self._late_before = late_frames
        received, sent = rtcp.rxStat, rtcp.txStat
        if received.pkt < self._received:
            self._before = self.stats
            self._received = 0
        if received.pkt != self._received or self._heard_s is None:
            self._heard_s = now_s
        self._received = received.pkt
        before = self._before
        self.stats = LineStats(
            codec=codec,
            received_packets=before.received_packets + received.pkt,
            lost_packets=before.lost_packets + received.loss,
            jitter_ms=received.jitterUsec.mean / 1000,
            sent_packets=before.sent_packets + sent.pkt,
            remote_lost_packets=before.remote_lost_packets + sent.loss,
            remote_jitter_ms=sent.jitterUsec.mean / 1000,
            round_trip_ms=rtcp.rttUsec.mean / 1000 if rtcp.rttUsec.n else None,
            late_frames=late_frames - self._late_before,
        )
