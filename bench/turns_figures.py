"""What a caller's trace says about the agent's timing: pure functions."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.turns_script import ANSWER_S, PACKET_S, Clip, Said, Trace

STILL_S = 0.2  # the agent was heard so shortly before: it speaks
SILENT_S = 0.4  # the agent has fallen silent
AFTER_PAUSE_S = 0.1  # what is heard so soon after a pause was begun within it
TOO_LATE_S = 3.0  # the agent spoke on for so long: it was not interrupted
STOPS_WITHIN_S = 1.5  # after something said over the agent ended, it can still stop for it
GONE_QUIET_S = 1.0  # it did not just listen for a moment
HANG_UP_TAKES_S = 0.2
NATURAL_END_S = 0.3  # an answer's last sound is so shortly before its end in the record


@dataclass(frozen=True, slots=True)
class Answered:
    """How a request was answered; `gap_ms` is None where the agent spoke already or never did."""

    gap_ms: float | None
    in_pause: bool
    midway: bool  # the agent was heard between the request's first and last sound, other than in its pause
    unanswered: bool


def answered(trace: Trace, said: Said, clip: Clip) -> Answered:
    """A request said to a silent agent."""
    first, last = said.sent[clip.first], said.sent[clip.last]
    spoke = trace.sounds[bisect_left(trace.sounds, first) : bisect_right(trace.sounds, last)]
    in_pause = []
    if clip.pause is not None:
        begin = said.sent[clip.pause[0]]
        end = said.sent[clip.pause[1] - 1] + PACKET_S + AFTER_PAUSE_S
        in_pause = [at for at in spoke if begin <= at <= end]
    # what began in the pause and went on is told once
    midway = len(spoke) > len(in_pause) and not in_pause
    after = bisect_right(trace.sounds, last)
    speaks_still = after > 0 and last - trace.sounds[after - 1] < STILL_S
    next_s = trace.sounds[after] - last if after < len(trace.sounds) else math.inf
    if next_s > ANSWER_S:
        return Answered(None, bool(in_pause), midway, unanswered=not speaks_still)
    return Answered(None if speaks_still else next_s * 1000, bool(in_pause), midway, unanswered=False)


def silenced_ms(trace: Trace, said: Said, clip: Clip) -> float | None:
    """From the caller's first sound to the agent's last before it is silent; None when it spoke on."""
    first = said.sent[clip.first]
    at = bisect_left(trace.sounds, first - SILENT_S)
    for number in range(at, len(trace.sounds)):
        sound = trace.sounds[number]
        following = trace.sounds[number + 1] if number + 1 < len(trace.sounds) else math.inf
        if following > first and following - sound >= SILENT_S:
            return max(0.0, sound - first) * 1000 if sound - first < TOO_LATE_S else None
    return None


@dataclass(frozen=True, slots=True)
class Disturbed:
    """What something said over the agent did to it: it may be silent for a moment, and go on."""

    broken_off: bool  # by its own record
    silence_s: float  # the longest that began meanwhile or shortly after; not the answer's natural end

    @property
    def stopped(self) -> bool:
        """It did more than listen for a moment."""
        return self.broken_off or self.silence_s >= GONE_QUIET_S


def disturbed(trace: Trace, said: Said, clip: Clip, turns: Sequence[Mapping[str, Any]]) -> Disturbed:
    """`turns` are the call's in the agent's record, which tells a stop from the natural end of an answer."""
    begin, end = said.sent[clip.first], said.sent[clip.last] + STOPS_WITHIN_S
    spoken = [turn for turn in turns if turn["who"] == "agent"]
    if not spoken or not trace.sounds:
        return Disturbed(False, 0.0)
    clock = _record_clock(trace, spoken)
    broken_off = False
    for turn in spoken:
        ended = clock + (turn["ended_s"] if turn["ended_s"] is not None else math.inf)
        if turn["interrupted"]:
            broken_off = broken_off or begin <= ended <= end
        elif begin - GONE_QUIET_S <= ended <= end:
            end = ended - NATURAL_END_S
    heard = trace.sounds[bisect_left(trace.sounds, begin - SILENT_S) : bisect_right(trace.sounds, end)]
    silences = [_next(trace, sound) - sound for sound in heard if _next(trace, sound) > begin]
    return Disturbed(broken_off, max(silences, default=0.0))


def interrupted(trace: Trace, turns: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many of the agent's turns of a call were broken off, not by its end, and how many there were."""
    spoken = [turn for turn in turns if turn["who"] == "agent"]
    if not spoken or not trace.sounds:
        return 0, len(spoken)
    hung_up_s = trace.over_at - HANG_UP_TAKES_S - _record_clock(trace, spoken)
    return sum(turn["interrupted"] and (turn["ended_s"] or 0.0) < hung_up_s for turn in spoken), len(spoken)


def _record_clock(trace: Trace, spoken: Sequence[Mapping[str, Any]]) -> float:
    """When the agent's record of the call was at 0 s: by its first sound."""
    began: float = trace.sounds[0] - spoken[0]["started_s"]
    return began


def _next(trace: Trace, sound: float) -> float:
    at = bisect_right(trace.sounds, sound)
    return trace.sounds[at] if at < len(trace.sounds) else trace.over_at or math.inf


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
