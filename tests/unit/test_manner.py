"""How a caller pauses: what counts as a pause in mid-turn, and what does not."""

from __future__ import annotations

import pytest

from voice.manner import Manner
from voice.phone import FRAME_S
from voice.turns import Turn, TurnSettings, TurnTaker

pytestmark = [pytest.mark.unit]

PATIENCE_S = 1.0


def paused_s(*seconds: float, agent_speaks: bool = False) -> float:
    """The longest pause of a caller who is silent, speaks, is silent… for so many seconds each."""
    manner, taker = Manner(), TurnTaker(TurnSettings())
    for number, lasts_s in enumerate(seconds):
        for _ in range(round(lasts_s / FRAME_S)):
            turn = taker.advance(
                FRAME_S, speech=2.0 * (number % 2), bot_speaking=agent_speaks, patience_s=PATIENCE_S
            )
            turn_s = taker.turn_s if taker.in_turn else None
            manner.advance(FRAME_S, turn, turn_s=turn_s, silence_s=taker.silence_s, agent_speaks=agent_speaks)
    return manner.paused_s


def test_the_silence_before_a_turn_and_after_it_is_no_pause() -> None:
    assert paused_s(2.0, 1.0, 3.0) == 0.0


def test_a_pause_within_a_turn_counts_to_the_next_sound() -> None:
    assert paused_s(2.0, 1.0, 0.7, 1.0, 3.0) == pytest.approx(0.7, abs=0.05)


def test_the_longest_pause_counts() -> None:
    assert paused_s(2.0, 1.0, 0.7, 1.0, 0.9, 1.0, 0.5, 1.0, 3.0) == pytest.approx(0.9, abs=0.05)


def test_gaps_within_speech_do_not_count() -> None:
    assert paused_s(2.0, 1.0, 0.3, 1.0, 3.0) == 0.0


def test_who_goes_on_soon_after_the_turn_was_taken_to_be_over_had_paused() -> None:
    assert paused_s(2.0, 1.0, 1.4, 1.0, 3.0) == pytest.approx(1.4, abs=0.1)


def test_who_speaks_again_later_had_finished() -> None:
    assert paused_s(2.0, 1.0, 2.0, 1.0, 3.0) == 0.0


@pytest.mark.parametrize("pause_s", [0.7, 1.4])
def test_who_murmurs_while_the_agent_speaks_does_not_pause(pause_s: float) -> None:
    assert paused_s(2.0, 0.3, pause_s, 0.3, 3.0, agent_speaks=True) == 0.0


def test_a_turn_that_is_ended_for_its_length_is_no_pause() -> None:
    manner = Manner()
    for turn, turn_s in ((Turn.BEGAN, 0.0), (Turn.ENDED, None), (Turn.BEGAN, 0.0)):
        manner.advance(FRAME_S, turn, turn_s=turn_s, silence_s=0.0, agent_speaks=False)
    assert manner.paused_s == 0.0
