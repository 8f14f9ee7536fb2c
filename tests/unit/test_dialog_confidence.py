"""How sure the dialog says it is: falls with each doubt, and is as often right as it says."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

import pytest

from dialog.confidence import confidence
from dialog.knowledge import Knowledge
from hotline.check import load_knowledge
from hotline.kb_cases import load_cases
from hotline.kb_evaluation import reliability

pytestmark = [pytest.mark.unit]

DATA = Path(__file__).parents[1] / "data" / "kb"


def test_confidence_falls_with_each_doubt() -> None:
    sure = confidence(1.0, 0.8, 0.3, 0)
    assert confidence(0.4, 0.8, 0.3, 0) < sure
    assert confidence(1.0, 0.6, 0.3, 0) < sure
    assert confidence(1.0, 0.8, 0.3, 1) < sure
    assert confidence(1.0, 0.8, 0.3, 2) < confidence(1.0, 0.8, 0.3, 1)
    assert confidence(1.0, 0.8, 0.3, 0, 0.4) < sure
    assert confidence(1.0, 0.8, 0.3, 0, 0.9) == sure


def test_confidence_rises_with_the_score_from_nothing_to_certainty() -> None:
    stated = [confidence(1.0, step / 50, 0.3, 0) for step in range(51)]
    assert stated[0] == 0.0
    assert stated[-1] == 1.0
    assert all(one < another for one, another in itertools.pairwise(stated))
    assert confidence(0.0, 0.0, 0.0, 5) == 0.0
    assert confidence(1.0, 1.0, 1.0, 0) == 1.0
    assert confidence(1.0, 1.0, 1.0, 0, 0.0) == 0.5


def test_what_lies_outside_the_ranges_counts_as_their_ends() -> None:
    assert confidence(1.0, 1.2, 2.0, 0) == confidence(1.0, 1.0, 1.0, 0)
    assert confidence(1.0, 0.5, -0.2, 0) == confidence(1.0, 0.5, 0.0, 0)


def test_it_is_as_often_right_as_it_says() -> None:
    """On the half of the labelled questions that it was not fitted to; bench/confidence.py refits."""
    knowledge = Knowledge(load_knowledge("sample"), lambda: date(2026, 11, 22))
    paths = [DATA / "questions_held.jsonl", DATA / "unknown_held.jsonl"]
    said = []
    for case in load_cases(paths, (passage.id for passage in knowledge.passages)):
        hits = knowledge.search(case.said, 2)
        if hits:
            second = hits[1].score if len(hits) > 1 else 0.0
            sure = confidence(1.0, hits[0].score, hits[0].score - second, 0)
            said.append((sure, hits[0].passage.id in case.passages))
    _, _, error = reliability(said)
    assert len(said) > 500
    assert error <= 0.08
