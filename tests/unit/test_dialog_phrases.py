"""The fixed sentences: speakable, different where they are heard together, and there before they are said."""

from __future__ import annotations

import pytest

from dialog import phrases
from dialog.words import sounds
from tts.clauses import split_clauses

pytestmark = [pytest.mark.unit]


def test_fixed_phrases_are_all_sentences_without_digits() -> None:
    said = phrases.fixed_phrases()
    assert phrases.GOODBYE in said
    assert len(said) == len(set(said))
    begins = (phrases.DID_YOU_MEAN, phrases.FILED)
    for phrase in said:
        assert phrase[-1] in "。？" or phrase in begins
        assert not any(c.isascii() for c in phrase)


def test_what_bridges_a_late_reply_does_not_sound_alike_when_heard_in_a_row() -> None:
    bridges = (phrases.FILLER_FIRST, phrases.FILLER_AGAIN, phrases.STILL_HERE, phrases.ASR_BEHIND)
    openings = [sounds(split_clauses(bridge)[0])[:3] for bridge in bridges]
    assert len(set(openings)) == len(openings)
    assert not set(split_clauses(phrases.FILLER_FIRST)) & set(split_clauses(phrases.FILLER_AGAIN))
    assert all(phrase in phrases.fixed_phrases() for phrase in (*bridges, phrases.STILL_TALKING))


def test_the_second_time_nobody_speaks_the_question_is_shorter_and_the_way_out_polite() -> None:
    assert len(phrases.NO_INPUT_SECOND) < len(phrases.NO_INPUT_FIRST)
    assert phrases.NO_INPUT_GOODBYE.startswith("对不起")
    assert phrases.NO_INPUT_TRANSFER.endswith("请稍候。")


@pytest.mark.parametrize(
    "reply",
    [
        phrases.INTAKE_NOTED + phrases.INTAKE_PLACE,
        phrases.INTAKE_NOTED + phrases.INTAKE_NAME,
        phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE,
        phrases.ACKNOWLEDGED,
    ],
)
def test_every_clause_of_a_reply_without_anything_of_the_callers_is_synthesised_in_advance(
    reply: str,
) -> None:
    warm = {clause for phrase in phrases.fixed_phrases() for clause in split_clauses(phrase)}
    assert set(split_clauses(reply)) <= warm
