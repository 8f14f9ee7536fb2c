"""A service that keeps failing is not asked for a while, then by one, then by all."""

from __future__ import annotations

import pytest

from dialog.breaker import CircuitBreaker

pytestmark = [pytest.mark.unit]


def opened(at_s: float = 2.0) -> CircuitBreaker:
    """A breaker that three failures, the last at `at_s`, have opened."""
    breaker = CircuitBreaker(failures=3, within_s=60.0, rest_s=30.0)
    told = []
    for back_s in (2.0, 1.0, 0.0):
        assert breaker.may_ask(at_s - back_s)
        told.append(breaker.failed(at_s - back_s))
    assert told == [False, False, True]
    return breaker


def test_nobody_asks_while_it_rests_and_then_one_alone() -> None:
    breaker = opened(2.0)
    assert not breaker.may_ask(2.0)
    assert not breaker.may_ask(31.9)
    assert breaker.may_ask(32.0)
    assert not breaker.may_ask(32.1)


def test_the_trial_that_succeeds_lets_all_ask_again() -> None:
    breaker = opened(2.0)
    assert breaker.may_ask(40.0)
    assert breaker.succeeded()
    assert breaker.may_ask(40.1)
    assert breaker.may_ask(40.1)
    assert not breaker.failed(41.0)  # what failed before is forgiven
    assert breaker.may_ask(41.1)


def test_the_trial_that_fails_opens_it_anew_and_is_not_told_again() -> None:
    breaker = opened(2.0)
    assert breaker.may_ask(40.0)
    assert not breaker.failed(44.0)
    assert not breaker.may_ask(73.9)
    assert breaker.may_ask(74.0)


def test_a_trial_given_up_leaves_it_to_another() -> None:
    breaker = opened(2.0)
    assert breaker.may_ask(40.0)
    breaker.abandoned()
    assert breaker.may_ask(40.5)


def test_a_trial_never_heard_of_again_blocks_nobody_for_ever() -> None:
    breaker = opened(2.0)
    assert breaker.may_ask(40.0)
    assert not breaker.may_ask(69.9)
    assert breaker.may_ask(70.0)


def test_failures_far_apart_or_with_a_success_between_do_not_add_up() -> None:
    apart = CircuitBreaker(failures=3, within_s=60.0)
    assert not any(apart.failed(at_s) for at_s in (0.0, 31.0, 62.0, 93.0, 124.0))
    between = CircuitBreaker(failures=3, within_s=60.0)
    assert not between.failed(0.0)
    assert not between.failed(1.0)
    assert not between.succeeded()
    assert not between.failed(2.0)
    assert between.may_ask(2.0)


def test_what_was_under_way_when_it_opened_may_still_close_it() -> None:
    breaker = opened(2.0)
    assert not breaker.failed(3.0)  # a request begun before
    assert not breaker.may_ask(32.5)
    assert breaker.succeeded()
    assert breaker.may_ask(32.6)


def test_a_service_that_asks_for_rest_gets_it_at_once_and_for_so_long() -> None:
    breaker = CircuitBreaker(failures=3, rest_s=30.0)
    assert not breaker.rests(0.0)
    assert breaker.failed(0.0, rest_s=90.0)
    assert breaker.rests(89.9)
    assert not breaker.may_ask(89.9)
    assert not breaker.rests(90.0)
    assert breaker.may_ask(90.0)
    assert not breaker.failed(91.0)  # without a word of its own, the usual rest
    assert breaker.rests(120.9)
    assert breaker.may_ask(121.0)


def test_a_later_failure_does_not_shorten_the_rest_that_was_asked_for() -> None:
    breaker = CircuitBreaker(failures=3, rest_s=30.0)
    breaker.failed(0.0, rest_s=90.0)
    breaker.failed(1.0)  # of a request begun before
    assert breaker.rests(89.0)
