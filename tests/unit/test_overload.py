"""When a new call is refused because those that run would be hurt."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import pytest

from hotline.overload import BEAT_S, LoadGuard

pytestmark = [pytest.mark.unit]


class Node:
    """A guard, its event loop and its recogniser, by hand."""

    def __init__(self, loop_late_s: float = 0.25, asr_late_s: float = 0.5) -> None:
        self.now_s = 1000.0
        self.asr_wait_s = 0.0
        self.beats_late_s: list[float] = []
        self.guard = LoadGuard(
            lambda: self.asr_wait_s,
            loop_late_s=loop_late_s,
            asr_late_s=asr_late_s,
            on_beat=self.beats_late_s.append,
        )
        self.guard.beat(self.now_s)

    def live(self, late_s: Iterable[float]) -> None:
        """Beats, each so late."""
        for late in late_s:
            self.now_s += BEAT_S + late
            self.guard.beat(self.now_s)

    def run_for(self, seconds: float, late_s: float = 0.0) -> None:
        self.live(repeat(late_s, round(seconds / (BEAT_S + late_s))))

    @property
    def cause(self) -> str | None:
        return self.guard.ready(self.now_s)


def test_before_the_first_beat_nobody_is_refused() -> None:
    assert LoadGuard(lambda: 0.0).ready(1e9) is None


def test_a_loop_in_time_takes_calls_and_tells_how_late_it_was() -> None:
    node = Node()
    node.run_for(10.0, late_s=0.01)
    assert node.cause is None
    assert node.beats_late_s[0] == 0.0
    assert node.beats_late_s[1:] == [pytest.approx(0.01)] * (len(node.beats_late_s) - 1)


def test_a_loop_that_stands_still_refuses_at_once_seen_from_another_thread() -> None:
    node = Node()
    node.run_for(1.0)
    assert node.guard.ready(node.now_s + BEAT_S + 0.24) is None
    assert node.guard.ready(node.now_s + BEAT_S + 0.26) == "event_loop"


def test_one_long_stall_refuses_until_two_calm_seconds_have_passed() -> None:
    node = Node()
    node.live([0.3])
    assert node.cause == "event_loop"
    node.run_for(1.9)
    assert node.cause == "event_loop"
    node.run_for(0.2)
    assert node.cause is None


def test_calm_is_counted_anew_after_another_late_beat() -> None:
    node = Node()
    node.live([0.3])
    node.run_for(1.5)
    node.live([0.13])  # more than half of the limit
    node.run_for(1.9)
    assert node.cause == "event_loop"
    node.run_for(0.2)
    assert node.cause is None


def test_a_few_late_beats_are_no_overload_but_one_in_ten_is() -> None:
    node = Node()
    for _ in range(10):
        node.live([0.2])
        node.run_for(2.0)  # one in twenty
    assert node.cause is None
    for _ in range(10):
        node.live([0.2])
        node.run_for(0.7)  # one in eight
    assert node.cause == "event_loop"
    node.run_for(5.0)
    assert node.cause is None


def test_a_loop_that_is_always_a_little_late_refuses_within_a_second() -> None:
    node = Node()
    node.run_for(60.0, late_s=0.12)
    assert node.cause is None
    node.run_for(1.0, late_s=0.13)
    assert node.cause == "event_loop"


def test_between_the_limit_and_half_of_it_nothing_changes() -> None:
    node = Node()
    node.live([0.3, *repeat(0.13, 6)])
    assert node.cause == "event_loop"
    node.run_for(30.0, late_s=0.08)  # one in ten: below 0.125, above 0.0625
    assert node.cause == "event_loop"
    node.run_for(6.0, late_s=0.02)
    assert node.cause is None


def test_asr_that_falls_behind_for_a_second_refuses_until_it_has_caught_up() -> None:
    node = Node()
    node.asr_wait_s = 3.0
    node.run_for(0.9)
    node.asr_wait_s = 0.0
    node.run_for(1.0)
    assert node.cause is None, "a backlog that was gone again"
    node.asr_wait_s = 0.51
    node.run_for(1.5)
    assert node.cause == "asr"
    node.asr_wait_s = 0.3
    node.run_for(30.0)
    assert node.cause == "asr", "more than half of the limit"
    node.asr_wait_s = 0.2
    node.run_for(2.5)
    assert node.cause is None


def test_the_loop_is_named_first_where_both_are_behind() -> None:
    node = Node()
    node.asr_wait_s = 1.0
    node.run_for(3.0, late_s=0.2)
    assert node.cause == "event_loop"
    node.run_for(5.0)
    assert node.cause == "asr"


@pytest.mark.parametrize(("loop_late_s", "asr_late_s", "cause"), [(1.0, 5.0, None), (0.2, 5.0, "event_loop")])
def test_the_limits_are_settings(loop_late_s: float, asr_late_s: float, cause: str | None) -> None:
    node = Node(loop_late_s=loop_late_s, asr_late_s=asr_late_s)
    node.asr_wait_s = 4.0
    node.live([*repeat(0.0, 60), 0.3])
    assert node.cause == cause
