"""The closer look at passages, the thesaurus it uses, and the trees that say how likely one is meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from bench.boosting import boosted
from dialog.coverage import heard
from dialog.evidence import closely, compared
from dialog.knowledge_index import PassageIndex
from dialog.matching import features, looked_at, words
from dialog.meanings import thesaurus
from dialog.passages import Passage
from dialog.sureness import Fitted, Trees, load
from dialog.wording import canonical

pytestmark = [pytest.mark.unit]

TODAY = date(2025, 11, 21)
PASSAGES = [
    Passage("card-1", "医保卡丢了怎么补？", "请到服务大厅补办。", ("医保卡补办要带什么",)),
    Passage("dog-1", "狗证在哪里办？", "请到派出所办理。", ("养狗要办证吗",)),
]


def _index() -> PassageIndex:
    index = PassageIndex()
    index.write(PASSAGES, (), 1)
    return index


def test_words_of_the_thesaurus_are_found_written_and_heard_but_not_inside_longer_ones() -> None:
    known = thesaurus()
    text = canonical("老太太的看病的卡")
    found = [text[one.start : one.end] for one in known.named(text, heard(text))]
    assert "看病的卡" in found
    assert "看病" not in found
    misheard = known.named("营业只照", heard("营业只照"))
    assert [(one.start, one.end) for one in misheard] == [(0, 4)]


def test_every_group_of_the_thesaurus_says_one_thing_in_several_words() -> None:
    assert all(all(len(word) > 1 for word in group) for group in thesaurus().groups)
    assert sum(len(group) > 1 for group in thesaurus().groups) > 200


def test_what_is_said_in_other_words_is_held_by_its_meaning() -> None:
    view = _index().view
    said = words(canonical("看病的卡丢了"), view.rarity)
    near = [one.known for one in view.candidates(said.text, TODAY, 8)]
    table = closely(compared(said, near))
    best = int(np.argmax(table["meant_asked"]))
    assert table["meant_more"][best] > 0
    assert {len(column) for column in table.values()} == {len(near)}


def test_the_trees_that_are_kept_ask_for_what_a_closer_look_tells() -> None:
    view = _index().view
    said = words(canonical("医保卡丢了怎么补"), view.rarity)
    candidates = view.candidates(said.text, TODAY, 8)
    found = compared(said, [one.known for one in candidates])
    ranks, trees = load()
    order, table, less = looked_at(found, features(found, [one.bm25 for one in candidates]), ranks)
    assert set(trees.columns) == set(table)
    assert len(order) == len(candidates)
    assert trees.odds(table).shape == less.shape


def test_a_passage_is_found_by_what_is_said_in_other_words_alone() -> None:
    index = PassageIndex()
    index.write([*PASSAGES, Passage("poor-1", "怎么申请低保？", "请到社区办理。")], (), 1)
    view = index.view
    best = view.search(canonical("揭不开锅"), TODAY)[0]
    assert view.passage(best.at).id == "poor-1"


def test_what_is_found_of_some_passages_is_what_was_found_of_all() -> None:
    view = _index().view
    said = words(canonical("养狗的卡丢了"), view.rarity)
    found = compared(said, [one.known for one in view.candidates(said.text, TODAY, 8)])
    second = found.of(np.array([1]))
    assert second.known == [found.known[1]]
    alone = compared(said, second.known)
    assert second.meant.tolist() == alone.meant.tolist()
    assert second.asked.tolist() == alone.asked.tolist()


def test_what_each_level_answers_adds_its_worth(tmp_path: Path) -> None:
    trees = Trees(
        ("a", "b"),
        np.array([[0, 1]], np.int32),
        np.array([[0.5, 2.0]], np.float32),
        np.array([[1.0, 2.0, 4.0, 8.0]]),
        0.25,
    )
    table = {"b": np.array([0.0, 3.0, 0.0, 3.0]), "a": np.array([0.0, 0.0, 1.0, 1.0])}
    assert trees.odds(table).tolist() == [1.25, 2.25, 4.25, 8.25]
    Fitted({"held": 1.5}, trees).save(tmp_path / "fitted.npz")
    kept = load(tmp_path / "fitted.npz")
    assert kept.ranks == {"held": 1.5}
    assert kept.trees.odds(table).tolist() == [1.25, 2.25, 4.25, 8.25]


def test_boosting_learns_a_rule_of_two_columns_and_does_so_the_same_each_time() -> None:
    rng = np.random.default_rng(5)
    table = rng.random((400, 3))
    right = ((table[:, 0] > 0.5) & (table[:, 2] > 0.5)).astype(float)
    first, again = (boosted("abc", table, right, np.ones(400), np.zeros(400)) for _ in range(2))
    assert np.array_equal(first.worth, again.worth)
    odds = first.odds(dict(zip("abc", table.T, strict=True)))
    assert np.mean((odds > 0) == right.astype(bool)) > 0.97
