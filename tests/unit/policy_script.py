"""Drives a transfer policy along a script of the steps it must ask for and what came of each."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from voice.policies import Outcome, Result, Step


def follow(steps: Generator[Step, Result, Outcome], script: Sequence[tuple[Step, Result]]) -> Outcome:
    """How the policy ended; it must ask for just these steps, and then end."""
    asked = next(steps)
    for number, (step, result) in enumerate(script):
        assert asked == step, f"step {number}"
        try:
            asked = steps.send(result)
        except StopIteration as end:
            assert number == len(script) - 1, f"ended after step {number}"
            outcome: Outcome = end.value
            return outcome
    raise AssertionError(f"the policy goes on with {asked}")
