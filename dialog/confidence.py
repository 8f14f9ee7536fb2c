"""How sure the dialog is of an answer: one pure function, so that a threshold means the same everywhere.

What it says is how often the answer is right, as `hotline eval kb` draws it. That rests on the score, which
is fitted to it; `python -m bench.confidence` tells when it no longer says what it should.
"""

from __future__ import annotations

CLEAR_MARGIN = 0.15  # a lead over the runner-up from which on the choice counts as clear
CLEAR_ASR = 0.8  # from this ASR confidence on the words count as heard
CLEAR_WORDING = 0.8  # from this probability of its words on a model counts as sure of them


def confidence(asr: float, retrieval: float, margin: float, misses: int, wording: float = 1.0) -> float:
    """How sure an answer is, 0..1.

    `asr`: the recogniser's confidence, 0..1. Half of its lack counts: retrieval has already seen through
    homophones, so doubtful words that fit a passage well are better than their confidence says.
    `retrieval`: score of the passage, 0..1; it carries the result.
    `margin`: its lead over the best passage other than itself, 0..1; no lead at all costs 15 %.
    `misses`: how often in a row the caller was not understood; each costs 10 %, because a caller who has
    to repeat is better off with a person.
    `wording`: how probable a language model's words were to itself, 0..1, the geometric mean of its tokens;
    1 where no model spoke, or it does not tell. Half of its lack counts, as with `asr`: it can only lower the
    result. This part is not fitted: no model's figures for right and wrong answers were at hand.
    """
    heard = 0.5 + 0.5 * min(asr / CLEAR_ASR, 1.0)
    chosen = 0.85 + 0.15 * min(max(margin, 0.0) / CLEAR_MARGIN, 1.0)
    worded = 0.5 + 0.5 * min(max(wording, 0.0) / CLEAR_WORDING, 1.0)
    return max(0.0, min(1.0, retrieval * heard * chosen * worded * 0.9**misses))
