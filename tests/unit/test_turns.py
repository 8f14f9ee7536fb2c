"""When a caller's turn begins, pauses, ends, and interrupts: frames in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from voice.turns import Turn, TurnSettings, TurnTaker

pytestmark = [pytest.mark.unit]

FRAME_S = 0.02
SETTINGS = TurnSettings(
    start_speech_s=0.1,
    resume_speech_s=0.06,
    prepare_silence_s=0.12,
    no_input_s=6.0,
    max_turn_s=30.0,
    hold_speech_s=0.14,
    hold_silence_s=0.16,
    barge_in_speech_s=0.2,
    barge_in_anyway_s=0.6,
    murmur_s=0.5,
    false_alarm_s=1.0,
)
PATIENCE_S = 0.5


def feed(
    taker: TurnTaker,
    pattern: Iterable[tuple[bool, float]],
    *,
    agent: bool = False,
    partial: str = "",
    patience_s: float = PATIENCE_S,
) -> list[tuple[float, Turn]]:
    """Play stretches of (speech, seconds); what was told, each with the seconds since the start."""
    told, at_s = [], 0.0
    for speech, seconds in pattern:
        for _ in range(round(seconds / FRAME_S)):
            at_s = round(at_s + FRAME_S, 2)
            turn = taker.advance(
                FRAME_S, speech=speech, bot_speaking=agent, partial=partial, patience_s=patience_s
            )
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


def new() -> TurnTaker:
    return TurnTaker(SETTINGS)


# -- beginning and end ---------------------------------------------------------------------------------------


def test_a_turn_begins_after_a_little_speech_and_ends_after_some_silence() -> None:
    assert feed(new(), [quiet(1.0), speech(2.0), quiet(1.0)]) == [(1.1, Turn.BEGAN), (3.5, Turn.ENDED)]


@pytest.mark.parametrize(
    ("weight", "agent", "began_s"),
    [(2.0, False, 0.06), (1.0, False, 0.1), (0.5, False, 0.2), (0.5, True, 0.1), (2.0, True, 0.06)],
)
def test_doubtful_speech_begins_a_turn_later_but_not_over_the_agent(
    weight: float, agent: bool, began_s: float
) -> None:
    taker = new()
    told = [taker.advance(FRAME_S, speech=weight, bot_speaking=agent) for _ in range(20)]
    assert round((told.index(Turn.BEGAN) + 1) * FRAME_S, 2) == began_s


def test_the_weight_of_speech_does_not_count_once_a_turn_has_begun() -> None:
    taker = new()
    told = [taker.advance(FRAME_S, speech=2.0, bot_speaking=True) for _ in range(40)]
    assert round((told.index(Turn.HOLD) + 1) * FRAME_S, 2) == SETTINGS.hold_speech_s
    assert Turn.BARGE_IN in told
    assert round((told.index(Turn.BARGE_IN) + 1) * FRAME_S, 2) == SETTINGS.barge_in_anyway_s


@pytest.mark.parametrize("patience_s", [0.2, 0.3, 1.5])
def test_how_much_silence_ends_a_turn_is_told_with_every_frame(patience_s: float) -> None:
    told = feed(new(), [speech(1.0), quiet(2.0)], patience_s=patience_s)
    assert told == [(0.1, Turn.BEGAN), (1.0 + patience_s, Turn.ENDED)]


def test_a_silence_already_long_enough_ends_the_turn_as_soon_as_the_words_are_known() -> None:
    taker = new()
    assert feed(taker, [speech(1.0), quiet(0.4)], patience_s=1.5) == [(0.1, Turn.BEGAN)]
    assert feed(taker, [quiet(0.1)], patience_s=0.3) == [(0.02, Turn.ENDED)]


@pytest.mark.parametrize("pattern", [[speech(0.08)], flicker(3.0), [speech(0.06), quiet(0.1)] * 10])
def test_clicks_and_flicker_begin_no_turn(pattern: list[tuple[bool, float]]) -> None:
    assert feed(new(), [*pattern, quiet(1.0)]) == []


def test_a_gap_of_a_frame_does_not_delay_the_beginning_much() -> None:
    assert feed(new(), [speech(0.06), quiet(0.02), speech(0.2)]) == [(0.14, Turn.BEGAN)]


def test_a_pause_shorter_than_the_patience_does_not_end_the_turn() -> None:
    told = feed(new(), [speech(1.0), quiet(0.42), speech(1.0), quiet(0.5)])
    assert told == [(0.1, Turn.BEGAN), (2.92, Turn.ENDED)]


def test_a_click_in_a_silence_does_not_put_off_the_end() -> None:
    told = feed(new(), [speech(1.0), quiet(0.2), speech(0.04), quiet(0.5)])
    assert told == [(0.1, Turn.BEGAN), (1.5, Turn.ENDED)]


def test_no_turn_ends_in_a_frame_of_speech() -> None:
    taker = new()
    assert feed(taker, [speech(1.0), quiet(0.48), speech(0.04)]) == [(0.1, Turn.BEGAN)]
    assert feed(taker, [speech(1.0)]) == []


def test_a_turn_can_begin_again_as_soon_as_one_has_ended() -> None:
    told = feed(new(), [speech(0.5), quiet(0.5), speech(0.5), quiet(0.5)])
    assert [turn for _, turn in told] == [Turn.BEGAN, Turn.ENDED] * 2


def test_a_turn_that_does_not_end_is_ended_and_the_next_begins() -> None:
    assert feed(new(), [speech(31.0)]) == [(0.1, Turn.BEGAN), (30.1, Turn.ENDED), (30.2, Turn.BEGAN)]


def test_silence_is_measured_from_the_last_speech() -> None:
    taker = new()
    feed(taker, [speech(1.0), quiet(0.3)])
    assert taker.silence_s == pytest.approx(0.3)
    feed(taker, [speech(0.06)])
    assert taker.silence_s == 0.0


# -- a reply can be prepared ---------------------------------------------------------------------------------


def test_a_pause_is_told_once_for_the_same_words() -> None:
    told = feed(new(), [speech(1.0), quiet(0.3), speech(0.3), quiet(0.4)], partial="社保卡")
    assert told == [(0.1, Turn.BEGAN), (1.12, Turn.PAUSED)]


def test_a_pause_is_told_again_when_other_words_are_recognised_in_it() -> None:
    taker = new()
    feed(taker, [speech(1.0)], partial="社保")
    assert feed(taker, [quiet(0.2)], partial="社保") == [(0.12, Turn.PAUSED)]
    assert feed(taker, [quiet(0.2)], partial="社保卡") == [(0.02, Turn.PAUSED)]


def test_there_is_nothing_to_prepare_without_words() -> None:
    assert feed(new(), [speech(1.0), quiet(0.4)]) == [(0.1, Turn.BEGAN)]


def test_each_turn_is_prepared_for_anew() -> None:
    told = feed(new(), [speech(1.0), quiet(1.0)] * 2, partial="社保卡")
    assert [turn for _, turn in told] == [Turn.BEGAN, Turn.PAUSED, Turn.ENDED] * 2


# -- over the agent ------------------------------------------------------------------------------------------


def test_words_over_the_agent_silence_and_then_stop_it() -> None:
    told = feed(new(), [speech(1.0)], agent=True, partial="不是这个")
    assert told == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD), (0.2, Turn.BARGE_IN)]


def test_words_that_are_recognised_late_stop_the_agent_when_they_are() -> None:
    taker = new()
    assert feed(taker, [speech(0.4)], agent=True) == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD)]
    assert feed(taker, [speech(0.1)], agent=True, partial="不是") == [(0.02, Turn.BARGE_IN)]


def test_one_syllable_takes_half_a_second_of_speech_to_stop_the_agent() -> None:
    told = feed(new(), [speech(1.0)], agent=True, partial="跟")
    assert told == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD), (0.5, Turn.BARGE_IN)]
    told = feed(new(), [speech(0.3), quiet(0.5)], agent=True, partial="跟")
    assert Turn.BARGE_IN not in [turn for _, turn in told]


def test_short_sound_holds_the_agent_until_it_is_over() -> None:
    told = feed(new(), [speech(0.3), quiet(0.5)], agent=True)
    assert told == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD), (0.46, Turn.RELEASE), (0.8, Turn.ENDED)]


def test_very_short_sound_does_not_even_hold_it() -> None:
    assert feed(new(), [speech(0.12), quiet(0.6)], agent=True) == [(0.1, Turn.BEGAN), (0.62, Turn.ENDED)]


def test_sound_without_words_interrupts_when_it_lasts_and_was_a_false_alarm_when_no_words_come() -> None:
    told = feed(new(), [speech(3.0)], agent=True)
    assert told == [
        (0.1, Turn.BEGAN),
        (0.14, Turn.HOLD),
        (0.6, Turn.BARGE_IN),
        (1.6, Turn.FALSE_ALARM),
    ]


def test_after_a_false_alarm_it_takes_words_to_stop_the_agent_again() -> None:
    taker = new()
    feed(taker, [speech(3.0)], agent=True)
    assert feed(taker, [speech(3.0)], agent=True) == []
    assert feed(taker, [speech(0.1)], agent=True, partial="我想问") == [(0.02, Turn.BARGE_IN)]


@pytest.mark.parametrize(("words_s", "released_s"), [(0.3, 0.5), (0.44, 0.54), (5.0, 0.6)])
def test_what_holds_no_words_is_waited_for_as_long_as_words_took_before_within_limits(
    words_s: float, released_s: float
) -> None:
    taker = new()
    feed(taker, [speech(words_s - FRAME_S)])
    feed(taker, [speech(0.2), quiet(1.0)], partial="社保卡")
    told = feed(taker, [speech(3.0)], agent=True)
    assert told == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD), (released_s, Turn.RELEASE)]
    assert feed(taker, [speech(0.1)], agent=True, partial="不是") == [(0.02, Turn.BARGE_IN)]


def test_words_make_it_no_false_alarm() -> None:
    taker = new()
    feed(taker, [speech(1.0)], agent=True)
    assert feed(taker, [speech(3.0)], partial="我想问") == []


@pytest.mark.parametrize("said", ["嗯", "对对", "好的好的", "是的", "好", "明", "喂"])
def test_murmurs_do_not_interrupt_and_the_agent_goes_on_after_them(said: str) -> None:
    told = feed(new(), [speech(0.4), quiet(0.5)], agent=True, partial=said)
    turns = [turn for _, turn in told]
    assert turns[:2] == [Turn.BEGAN, Turn.HOLD]
    assert (0.56, Turn.RELEASE) in told
    assert Turn.BARGE_IN not in turns
    assert turns[-1] is Turn.ENDED


def test_the_agent_goes_on_beside_murmurs_that_do_not_end() -> None:
    told = feed(new(), [speech(3.0)], agent=True, partial="嗯嗯")
    assert told == [(0.1, Turn.BEGAN), (0.14, Turn.HOLD), (0.5, Turn.RELEASE)]


def test_words_after_a_murmur_interrupt() -> None:
    taker = new()
    feed(taker, [speech(0.4), quiet(0.2), speech(0.1)], agent=True, partial="嗯")
    assert feed(taker, [speech(0.2)], agent=True, partial="嗯不对") == [(0.02, Turn.BARGE_IN)]


def test_a_turn_holds_and_interrupts_once() -> None:
    told = feed(new(), [speech(0.3), quiet(0.3), speech(3.0)], agent=True, partial="我想问")
    turns = [turn for _, turn in told]
    assert turns.count(Turn.HOLD) == 1
    assert turns.count(Turn.BARGE_IN) == 1


def test_the_next_turn_can_hold_and_interrupt_again() -> None:
    taker = new()
    first = feed(taker, [speech(1.0), quiet(0.6)], agent=True, partial="我想问")
    assert feed(taker, [speech(1.0), quiet(0.6)], agent=True, partial="我想问") == first


def test_nothing_to_interrupt_while_the_agent_is_silent() -> None:
    assert feed(new(), [speech(3.0)], partial="我想问") == [(0.1, Turn.BEGAN)]


def test_an_agent_that_begins_to_speak_over_the_caller_is_held_at_once() -> None:
    taker = new()
    feed(taker, [speech(0.4)])
    assert feed(taker, [speech(0.1)], agent=True) == [(0.02, Turn.HOLD)]


# -- silence -------------------------------------------------------------------------------------------------


def test_silence_is_told_from_the_end_of_the_agents_audio_and_again() -> None:
    taker = new()
    assert feed(taker, [quiet(20.0)], agent=True) == []
    assert feed(taker, [quiet(12.5)]) == [(6.0, Turn.NO_INPUT), (12.0, Turn.NO_INPUT)]


def test_silence_is_not_counted_within_a_turn() -> None:
    assert feed(new(), [speech(1.0), quiet(9.0)], patience_s=10.0) == [(0.1, Turn.BEGAN)]


def test_speech_resets_silence_even_where_it_is_no_turn() -> None:
    told = feed(new(), [quiet(5.0), speech(0.06), quiet(5.9), quiet(0.1)])
    assert told == [(11.06, Turn.NO_INPUT)]


def test_a_key_pressed_resets_silence() -> None:
    taker = new()
    assert feed(taker, [quiet(5.0)]) == []
    taker.stir()
    assert feed(taker, [quiet(6.0)]) == [(6.0, Turn.NO_INPUT)]
