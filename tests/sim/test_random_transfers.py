"""Transfers with random exits, in virtual time: no seat is stuck, no leg left, the outcome what happened.

`python -m tests.sim.test_random_transfers 200` holds as many as one likes.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import Callable

import anyio
import pytest

from tests.sim.lines import SeatScript
from tests.sim.scenario import Call, Scenario, Step, check_any_call, hold_call
from tests.sim.steps import agent_begins, keys
from voice.phone import Busy, CallError, Declined, Unreachable
from voice.seats import Command

pytestmark = [pytest.mark.sim]

BATCHES, PER_BATCH = 4, 10
REFUSALS: tuple[type[CallError] | None, ...] = (None, None, None, None, Busy, Declined, Unreachable)
OUTCOMES = {"connected", "no_seat", "declined", "busy", "no_answer", "unreachable", "caller_gone"}


def random_seat(dice: random.Random, number: int) -> SeatScript:
    return SeatScript(
        id=f"seat-{number}",
        answers_after_s=dice.choice([0.5, 2.0, 8.0, math.inf]),
        refuses=dice.choice(REFUSALS),
        key=dice.choice([None, (1.0, "1"), (2.0, "1"), (3.0, "2")]),
        leaves_after_answer_s=dice.choice([math.inf, math.inf, 2.5]),
        leaves_after_bridge_s=dice.choice([math.inf, 1.0, 6.0]),
        bridge_fails=dice.random() < 0.1,
    )


def something_happens(dice: random.Random) -> Step:
    """The caller hangs up at some moment, before it a seat may want or do something."""
    stays_s, acts_after_s = dice.uniform(0.5, 60.0), dice.uniform(0.5, 30.0)
    actions: list[Callable[[Call], object]] = [
        lambda call: call.board.verdicts.update({"seat-0": "declined"}),
        lambda call: call.board.verdicts.update({"seat-0": "accepted"}),
        lambda call: call.board.wanted.append(Command("hold")),
        lambda call: call.board.wanted.append(Command("send_on", {"seat": "seat-1"})),
        lambda call: call.board.wanted.append(Command("hand_back")),
        lambda call: None,
    ]
    act = dice.choice(actions)

    async def step(call: Call) -> None:
        with anyio.move_on_after(acts_after_s):
            await call.over.wait()
        act(call)
        with anyio.move_on_after(stays_s):
            await call.over.wait()
        call.leg.leave()

    return step


def held(seed: int) -> Call:
    dice = random.Random(seed)
    scenario = Scenario(
        f"seed {seed}",
        [agent_begins("您好，"), keys("0", after_s=0.2), something_happens(dice)],
        end=("", ""),
        seats=[random_seat(dice, number) for number in range(dice.randint(0, 3))],
        accept="key" if dice.random() < 0.5 else "answer",
    )
    return hold_call(scenario)


def judge(call: Call) -> str:
    """The transfer's outcome, which must be that of what happened."""
    check_any_call(call)
    transfer = call.journal.transfer
    if transfer is None:  # the caller was gone before it was decided
        assert call.journal.ended.end_reason == "caller_hangup"
        return "none"
    kinds = [event.kind for event in call.journal.happened]
    assert transfer.outcome in OUTCOMES
    # Who was sent on and then reached nobody is told so, and called back.
    assert (transfer.outcome == "connected") == ("bridged" in kinds) or "sent_on" in kinds
    assert kinds.count("bridged") == kinds.count("unbridged")
    assert call.journal.ended.outcome == ("transferred" if "bridged" in kinds else call.journal.ended.outcome)
    if transfer.outcome not in ("connected", "caller_gone"):
        assert len(call.filed) == 1, "nobody is told to call back"
    return transfer.outcome


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_happens_all_is_let_go_and_told_as_it_was(batch: int) -> None:
    outcomes = [judge(held(seed)) for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH)]
    assert len(set(outcomes)) > 2


if __name__ == "__main__":
    print(Counter(judge(held(seed)) for seed in range(int(sys.argv[1]))))  # noqa: T201 - a tool for the shell
