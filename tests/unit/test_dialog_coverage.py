"""Shares of texts in texts, found at once, against the same reckoned character by character."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dialog.coverage import NEXT, ORDERED, SAME_SOUND, Query, Shares, Text, heard, laid, together
from dialog.passages import load_passages
from dialog.wording import canonical
from dialog.words import sounds

pytestmark = [pytest.mark.unit]

FOLDER = Path(__file__).parents[2] / "dialog" / "knowledge"
ENTRIES = [
    ["社保卡丢了怎么补办", "社保卡补办"],
    ["医保怎么报销", "报销", "一宝宝小怎么办", "卡"],
    ["停水了打什么电话"],
]
QUERIES = ["社保卡怎么补办", "医保报销", "一宝报销", "卡", "护照护照", "卡卡卡", "停水停水停水了"]


def text(*texts: str) -> Text:
    return laid(NEXT.join(texts), NEXT.join(map(heard, texts)))


def weigh(some: Text) -> Shares:
    return 1.0 + some.chars % 7


def share(part: str, wholes: Iterable[str]) -> float:
    """The share of `part` that occurs in `wholes`."""
    chars = {char for whole in wholes for char in whole}
    pairs = {pair for whole in wholes for pair in pairwise(heard(whole))}
    own = list(pairwise(heard(part)))
    got = 0.0
    for char, ends, begins in zip(part, (None, *own), (*own, None), strict=True):
        weight = 1.0 + ord(char) % 7
        if ends in pairs or begins in pairs:
            got += weight * (ORDERED + (1 - ORDERED) * (1.0 if char in chars else SAME_SOUND))
        elif char in chars:
            got += weight * (1 - ORDERED)
    return got / sum(1.0 + ord(char) % 7 for char in part)


@pytest.mark.parametrize("said", QUERIES)
def test_many_texts_at_once_give_what_each_gives_alone(said: str) -> None:
    entries = [text(*texts) for texts in ENTRIES]
    query = Query(text(said), weigh)
    found = query.occurrence(entries, [1] * len(entries))
    rows = [one for entry in ENTRIES for one in entry]
    assert found.share.tolist() == pytest.approx([share(said, [one]) for one in rows])
    assert found.of_row.tolist() == pytest.approx([share(one, [said]) for one in rows])
    assert query.share(found.held).tolist() == pytest.approx([share(said, entry) for entry in ENTRIES])
    assert query.share(found.asked).tolist() == pytest.approx([share(said, entry[:1]) for entry in ENTRIES])
    assert found.first.tolist() == [0, 2, 6]


def test_texts_laid_together_keep_apart() -> None:
    whole, first = together([text("社保卡", "医保"), text("卡")])
    assert first.tolist() == [0, 2]
    assert whole.rows.tolist() == [0, 0, 0, 1, 1, 2]
    assert np.flatnonzero(whole.pairs == 0).tolist() == [0, 3, 5]


def test_one_character_stands_for_each_syllable_and_the_same_for_what_sounds_alike() -> None:
    assert heard("一宝卡") == heard("医保卡")
    assert heard("银行") == heard("银航") != heard("银型")
    assert len(heard("a1医〇")) == 4
    assert len(set(heard("abcmn019"))) == 8


def test_the_sample_knowledge_is_read_as_the_recogniser_reads_it() -> None:
    texts = [canonical(wording) for p in load_passages(FOLDER) for wording in (p.question, p.answer)]
    letters: dict[str, str] = {}
    for one in texts:
        for sound, char in zip(sounds(one), heard(one), strict=True):
            assert letters.setdefault(sound, char) == char, (one, sound)
    assert len(set(letters.values())) == len(letters)
