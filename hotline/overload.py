"""Whether this node keeps up with its calls: how late its event loop is, how long audio waits for ASR."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

import structlog

log = structlog.get_logger()

BEAT_S = 0.1  # each beat wakes the loop, also without a call
BEATS = 30  # looked at together: three seconds while the loop is in time
ASR_BEATS = 2  # the recogniser is asked at every so-many-th beat
ASR_HOLD_S = 1.0  # a backlog that is gone sooner hurts nobody
CALM_S = 2.0

EVENT_LOOP = "event_loop"
ASR = "asr"
CAUSES = (EVENT_LOOP, ASR)


class LoadGuard:
    """Says when a new call would hurt those that run, and why: `event_loop` or `asr`.

    The loop is behind when one beat comes more than `loop_late_s` late, or one in ten of the last `BEATS`
    more than half of that; ASR when audio has waited longer than `asr_late_s` for its decoding, for
    `ASR_HOLD_S` on end. Either is over when it has stayed below half of its limits for `CALM_S`. Times are
    seconds on `clock`. `asr_wait_s` is asked on the event loop; `on_beat` is told how late each beat was.
    """

    def __init__(
        self,
        asr_wait_s: Callable[[], float],
        *,
        loop_late_s: float = 0.25,
        asr_late_s: float = 0.5,
        on_beat: Callable[[float], None] = lambda late_s: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asr_wait_s = asr_wait_s
        self._loop_late_s = loop_late_s
        self._on_beat = on_beat
        self._clock = clock
        self._due_s = math.inf  # when the next beat should come
        self._late_s = deque([0.0] * BEATS, maxlen=BEATS)
        self._beats = 0
        self._stalled = _Threshold(loop_late_s)
        self._often_late = _Threshold(loop_late_s / 2)
        self._asr_behind = _Threshold(asr_late_s, hold_s=ASR_HOLD_S)

    def ready(self, now_s: float) -> str | None:
        """None, or the cause for which a new call should be refused. For any thread; never waits."""
        # Seen from another thread the loop may stand still at this moment, and so not know of it yet.
        if now_s - self._due_s > self._loop_late_s or self._stalled.over or self._often_late.over:
            return EVENT_LOOP
        return ASR if self._asr_behind.over else None

    def beat(self, now_s: float) -> None:
        """Measure once; to be called every `BEAT_S` on the event loop."""
        late_s = max(0.0, now_s - self._due_s)
        self._due_s = now_s + BEAT_S
        self._late_s.append(late_s)
        self._stalled.update(now_s, late_s)
        self._often_late.update(now_s, sorted(self._late_s)[-BEATS // 10])
        if self._beats % ASR_BEATS == 0:
            self._asr_behind.update(now_s, self._asr_wait_s())
        self._beats += 1
        self._on_beat(late_s)

    async def run(self) -> None:
        """Beat until cancelled; the log says when calls are refused and when they are taken again."""
        refused_for: str | None = None
        while True:
            now_s = self._clock()
            self.beat(now_s)
            cause = self.ready(now_s)
            if cause and not refused_for:
                log.warning("overloaded", cause=cause, late_ms=round(max(self._late_s) * 1000))
            elif refused_for and not cause:
                log.info("overload_over", cause=refused_for)
            refused_for = cause
            await asyncio.sleep(BEAT_S)  # anyio's costs more, ten times a second


class _Threshold:
    """Over once a value stayed above `limit_s` for `hold_s`, until it stayed below half of it for CALM_S."""

    def __init__(self, limit_s: float, *, hold_s: float = 0.0) -> None:
        self.over = False
        self._limit_s = limit_s
        self._hold_s = hold_s
        self._turning_since_s: float | None = None

    def update(self, now_s: float, value_s: float) -> None:
        turning = value_s < self._limit_s / 2 if self.over else value_s > self._limit_s
        if not turning:
            self._turning_since_s = None
            return
        if self._turning_since_s is None:
            self._turning_since_s = now_s
        if now_s - self._turning_since_s >= (CALM_S if self.over else self._hold_s):
            self.over = not self.over
            self._turning_since_s = None
