"""Shares of texts in texts, found at once, against the same reckoned character by character."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from dialog.coverage import ORDERED, SAME_SOUND, Lexicon, Phrase, Query
from dialog.words import sounds

pytestmark = [pytest.mark.unit]

ENTRIES = [
    ["社保卡丢了怎么补办", "社保卡补办"],
    [],  # an entry of which nothing is left
    ["医保怎么报销", "报销", "一宝宝小怎么办", "卡"],
    ["停水了打什么电话"],
]
QUERIES = ["社保卡怎么补办", "医保报销", "一宝报销", "卡", "护照护照", "卡卡卡", "停水停水停水了"]


def phrase(text: str) -> Phrase:
    return Phrase(text, tuple(pairwise(sounds(text))), [1.0 + ord(char) % 7 for char in text])


def share(part: Phrase, wholes: Iterable[str]) -> float:
    """The share of `part` that occurs in `wholes`."""
    chars = {char for text in wholes for char in text}
    pairs = {pair for text in wholes for pair in pairwise(sounds(text))}
    got = 0.0
    beside = zip(part.text, (None, *part.pairs), (*part.pairs, None), part.weights, strict=True)
    for char, ends, begins, weight in beside:
        if ends in pairs or begins in pairs:
            got += weight * (ORDERED + (1 - ORDERED) * (1.0 if char in chars else SAME_SOUND))
        elif char in chars:
            got += weight * (1 - ORDERED)
    return got / sum(part.weights)


@pytest.mark.parametrize("text", QUERIES)
def test_many_texts_at_once_give_what_each_gives_alone(text: str) -> None:
    lexicon = Lexicon()
    laid = [lexicon.lay([phrase(one) for one in texts]) for texts in ENTRIES]
    held = [lexicon.hold(texts) for texts in ENTRIES]
    query = Query(phrase(text), lexicon)
    texts = [one for entry in ENTRIES for one in entry]
    in_phrases, of_phrases = query.shares(laid)
    assert in_phrases.tolist() == pytest.approx([share(phrase(text), [one]) for one in texts])
    assert of_phrases.tolist() == pytest.approx([share(phrase(one), [text]) for one in texts])
    assert query.share_in(held).tolist() == pytest.approx([share(phrase(text), entry) for entry in ENTRIES])


def test_a_query_teaches_the_lexicon_nothing() -> None:
    lexicon = Lexicon()
    lexicon.lay([phrase("社保卡")])
    known = len(lexicon.chars), len(lexicon.pairs)
    Query(phrase("护照丢了"), lexicon)
    assert (len(lexicon.chars), len(lexicon.pairs)) == known
