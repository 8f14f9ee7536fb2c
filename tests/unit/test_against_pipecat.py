"""The judge of bench/against_pipecat.py: what is heard of pipecat becomes the figures of `eval turns`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.against_pipecat import Held, Trial, ending, spoke_anew, stop_s, trials
from hotline.turn_clips import LabelledClip

pytestmark = [pytest.mark.unit]

CLIP = LabelledClip("a", "human", b"", "你好", first_s=1.0, last_s=3.0, said_s=(2.0, 3.0))
TRIAL = Trial(CLIP, {0.6: (1.8, 2.4)}, ())
OVER = Held([], 0.0, 7.0)


def held(*events: tuple[float, str]) -> Held:
    return Held(events, cpu_s=0.1, heard_s=7.0)


def test_the_gap_is_to_the_first_answer_after_the_last_sound() -> None:
    told = ending(TRIAL, [held((3.34, "sounding"), (5.0, "sounding")), held((3.9, "sounding")), OVER])
    assert (told.gap_s, told.answered_early, told.cut_off) == (0.34, False, {0.6: False})


def test_an_answer_before_the_last_sound_is_early_and_the_next_one_counts_for_the_gap() -> None:
    events = held((2.0, "sounding"), (2.2, "silenced"), (6.2, "sounding"))
    told = ending(TRIAL, [events, held(), OVER])
    assert (told.gap_s, told.answered_early) == (3.2, True)


def test_an_early_answer_that_nothing_stopped_leaves_no_gap() -> None:
    assert ending(TRIAL, [held((2.9, "sounding")), held(), OVER]).gap_s is None


@pytest.mark.parametrize(
    ("at_s", "cut"), [(1.79, False), (1.8, True), (2.4, True), (2.5, True), (2.51, False)]
)
def test_an_answer_within_a_pause_or_into_its_end_cuts_off(at_s: float, cut: bool) -> None:
    assert ending(TRIAL, [held(), held((at_s, "sounding")), OVER]).cut_off == {0.6: cut}


def test_the_agent_is_silent_when_it_first_stops() -> None:
    stopped = held((0.01, "sounding"), (1.3, "silenced"), (2.5, "sounding"), (2.7, "silenced"))
    assert stop_s(TRIAL, stopped) == pytest.approx(0.3)
    assert spoke_anew(stopped)


def test_an_agent_that_goes_on_was_not_stopped() -> None:
    assert stop_s(TRIAL, held((0.01, "sounding"))) is None
    assert not spoke_anew(held((0.01, "sounding")))
    assert not spoke_anew(held((0.01, "sounding"), (1.3, "silenced")))


def two_words() -> LabelledClip:
    """Noise as loud as speech, with a dip between two words."""
    loud = np.random.default_rng(0).normal(0, 2000, 8000 * 6)
    loud[: 8000 * 1] *= 0.01
    loud[round(8000 * 1.95) : round(8000 * 2.05)] *= 0.01
    loud[8000 * 3 :] *= 0.01
    said_s = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0)
    return replace(CLIP, pcm=loud.astype("<i2").tobytes(), text="身份证丢怎么补办", said_s=said_s)


def test_a_clip_is_asked_with_and_without_pauses_and_said_over_the_agent() -> None:
    (trial,) = trials([two_words()])
    assert list(trial.pauses) == [0.6, 0.8, 1.0, 1.2]
    assert [call.over_agent for call in trial.calls] == [False] * 5 + [True]
    assert [call.until for call in trial.calls] == [
        *(("sounding", pytest.approx(3.0 + pause_s)) for pause_s in (0.0, 0.6, 0.8, 1.0, 1.2)),
        ("silenced", 0.0),
    ]


def test_a_clip_without_a_place_for_a_pause_has_none() -> None:
    (trial,) = trials([replace(two_words(), text="喂", said_s=(3.0,))])
    assert trial.pauses == {}
    assert len(trial.calls) == 2
