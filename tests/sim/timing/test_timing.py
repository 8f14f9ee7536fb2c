"""Whole calls in virtual time, from tables: how soon the agent answers, and when it stops or does not."""

from __future__ import annotations

import pytest

from tests.sim.timing.judge import judge
from tests.sim.timing.player import play
from tests.sim.timing.table import Timed, load

pytestmark = [pytest.mark.sim]
TIMED = list(load())


@pytest.mark.parametrize("timed", TIMED, ids=str)
def test_call(timed: Timed) -> None:
    judge(play(timed))


def test_names_are_unlike() -> None:
    names = [str(timed) for timed in TIMED]
    assert len(set(names)) == len(names)
