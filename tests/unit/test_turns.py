"""When a caller's turn begins, ends, and interrupts: frames in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from voice.turns import Turn, TurnSettings, TurnTaker, is_backchannel

pytestmark = [pytest.mark.unit]

FRAME_S = 0.02
SETTINGS = TurnSettings()


def feed(
    taker: TurnTaker, pattern: Iterable[tuple[bool, float]], *, agent: bool = False, partial: str = ""
) -> list[tuple[float, Turn]]:
    """Play stretches of (speech, seconds); what was told, each with the seconds since the start."""
    told, at_s = [], 0.0
    for speech, seconds in pattern:
        for _ in range(round(seconds / FRAME_S)):
            at_s = round(at_s + FRAME_S, 2)
            turn = taker.advance(FRAME_S, speech=speech, bot_speaking=agent, partial=partial)
            if turn is not None:
                told.append((at_s, turn))
    return told


def speech(seconds: float) -> tuple[bool, float]:
    return True, seconds


def quiet(seconds: float) -> tuple[bool, float]:
    return False, seconds


def flicker(seconds: float) -> list[tuple[bool, float]]:
    """Every third frame is taken for speech."""
    return [speech(FRAME_S), quiet(2 * FRAME_S)] * round(seconds / (3 * FRAME_S))


def test_a_turn_begins_after_a_little_speech_and_ends_after_some_silence() -> None:
    told = feed(TurnTaker(SETTINGS), [quiet(1.0), speech(2.0), quiet(1.0)])
    assert told == [(1.1, Turn.BEGAN), (3.5, Turn.ENDED)]


@pytest.mark.parametrize("pattern", [[speech(0.08)], flicker(3.0), [speech(0.06), quiet(0.1)] * 10])
def test_clicks_and_flicker_begin_no_turn(pattern: list[tuple[bool, float]]) -> None:
    assert feed(TurnTaker(SETTINGS), [*pattern, quiet(1.0)]) == []


def test_a_gap_of_a_frame_does_not_delay_the_beginning_much() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(0.06), quiet(0.02), speech(0.2)])
    assert told == [(0.14, Turn.BEGAN)]


def test_a_pause_shorter_than_the_limit_does_not_end_the_turn() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(1.0), quiet(0.48), speech(1.0), quiet(0.5)])
    assert told == [(0.1, Turn.BEGAN), (2.98, Turn.ENDED)]


def test_a_turn_can_begin_again_as_soon_as_one_has_ended() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(0.5), quiet(0.5), speech(0.5), quiet(0.5)])
    assert [turn for _, turn in told] == [Turn.BEGAN, Turn.ENDED] * 2


def test_a_turn_that_does_not_end_is_ended_and_the_next_begins() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(31.0)])
    assert told == [(0.1, Turn.BEGAN), (30.1, Turn.ENDED), (30.2, Turn.BEGAN)]


def test_silence_is_measured_from_the_last_speech() -> None:
    taker = TurnTaker(SETTINGS)
    feed(taker, [speech(1.0), quiet(0.3)])
    assert taker.silence_s == pytest.approx(0.3)
    feed(taker, [speech(0.02)])
    assert taker.silence_s == 0.0


# -- over the agent ------------------------------------------------------------------------------------------


def test_words_over_the_agent_interrupt_soon() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(1.0)], agent=True, partial="不是这个")
    assert told == [(0.1, Turn.BEGAN), (0.2, Turn.BARGE_IN)]


def test_sound_without_words_interrupts_only_when_it_lasts() -> None:
    assert feed(TurnTaker(SETTINGS), [speech(0.7), quiet(0.5)], agent=True) == [
        (0.1, Turn.BEGAN),
        (1.2, Turn.ENDED),
    ]
    assert feed(TurnTaker(SETTINGS), [speech(1.0)], agent=True) == [(0.1, Turn.BEGAN), (0.8, Turn.BARGE_IN)]


@pytest.mark.parametrize("said", ["嗯", "对对", "好的好的", "是的"])
def test_backchannels_do_not_interrupt(said: str) -> None:
    told = feed(TurnTaker(SETTINGS), [speech(0.6), quiet(0.5)], agent=True, partial=said)
    assert told == [(0.1, Turn.BEGAN), (1.1, Turn.ENDED)]


def test_a_turn_interrupts_once() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(3.0)], agent=True, partial="我想问")
    assert [turn for _, turn in told] == [Turn.BEGAN, Turn.BARGE_IN]


def test_nothing_to_interrupt_while_the_agent_is_silent() -> None:
    told = feed(TurnTaker(SETTINGS), [speech(3.0)], partial="我想问")
    assert [turn for _, turn in told] == [Turn.BEGAN]


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        *((said, True) for said in ("嗯", "嗯嗯嗯", "好的", "对的对的", "知道了", "是啊")),
        *((said, False) for said in ("不对", "好的谢谢", "转人工", "是不是", "")),
    ],
)
def test_what_is_a_backchannel(said: str, is_one: bool) -> None:
    assert is_backchannel(said) is is_one


# -- silence -------------------------------------------------------------------------------------------------


def test_silence_is_told_from_the_end_of_the_agents_audio_and_again() -> None:
    taker = TurnTaker(SETTINGS)
    assert feed(taker, [quiet(20.0)], agent=True) == []
    assert feed(taker, [quiet(12.5)]) == [(6.0, Turn.NO_INPUT), (12.0, Turn.NO_INPUT)]


def test_silence_is_not_counted_within_a_turn() -> None:
    settings = TurnSettings(end_silence_s=10.0)
    assert feed(TurnTaker(settings), [speech(1.0), quiet(9.0)]) == [(0.1, Turn.BEGAN)]


def test_speech_resets_silence_even_where_it_is_no_turn() -> None:
    told = feed(TurnTaker(SETTINGS), [quiet(5.0), speech(0.06), quiet(5.9), quiet(0.1)])
    assert told == [(pytest.approx(11.06), Turn.NO_INPUT)]


def test_a_key_pressed_resets_silence() -> None:
    taker = TurnTaker(SETTINGS)
    assert feed(taker, [quiet(5.0)]) == []
    taker.stir()
    assert feed(taker, [quiet(6.0)]) == [(6.0, Turn.NO_INPUT)]
