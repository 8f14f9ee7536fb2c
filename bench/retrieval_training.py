"""Fits what dialog/matching.py rates passages by: `python -m bench.retrieval_training`.

It writes dialog/sureness.npz from the labelled questions of tests/data/kb but those that are held back, and
those that nothing answers among them. Many of them are phrasings of the sample knowledge, too: each is asked
while it is not.

- They are asked of the whole sample knowledge; each that is answered there once more while its passage is
  missing, so that nothing is learnt from how long or well-made a question is; and of SAMPLES of the passages,
  with all or few of their phrasings, so that what is learnt holds for knowledge bases of other sizes.
- What ranks: the right passage shall be the likeliest of the candidates (conditional logistic regression).
- How likely a passage is right: boosted trees (bench/boosting.py) over the best few of each question. At last
  the odds are moved to fit those asked of the whole knowledge.

Prints how sure the dialog would be of questions whose topics were left out of the trees, too. Takes minutes.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.boosting import boosted
from bench.retrieval import FOLDS, ROOT, SEED, TODAY, without
from dialog.confidence import confidence
from dialog.evidence import compared
from dialog.knowledge_index import CANDIDATES, PassageIndex
from dialog.matching import Features, against_best, features, looked_at, words
from dialog.passages import Passage, load_passages
from dialog.sureness import FILE, Fitted, Trees
from dialog.wording import canonical
from hotline.kb_evaluation import reliability

Numbers: TypeAlias = NDArray[np.float64]
Ranks: TypeAlias = Mapping[str, float]

FILES = (
    *("questions_dev", "heard_dev", "unknown_dev", "questions_fresh", "unknown_fresh"),
    *("questions_last", "unknown_last", "train_questions", "train_unknown", "train2_questions"),
    *("train2_unknown", "train3_questions", "train3_unknown"),
)
# Share of the passages, and the most phrasings that each of them keeps; 0 all.
SAMPLES = (
    *((0.5, 0), (0.5, 0), (0.25, 0), (0.25, 0), (0.1, 0), (0.1, 0), (0.03, 0), (1.0, 4), (0.5, 4), (0.5, 2)),
    *((0.25, 3), (0.1, 3), (0.1, 3), (0.03, 3), (0.03, 3), (0.03, 2), (0.03, 2)),
)
SAMPLE_QUESTIONS = 300  # the most that are asked of a sample and answered there, and the most that are not
LEAST_UNKNOWN = 250
WEIGHTS = {"whole": 1.0, "missing": 0.5, "sample": 0.4}  # of a question, by what it is asked of
MIXED = (
    1.0,
    0.25,
)  # what a question counts for where the odds are moved to; train's, hard and near ones only
# By what candidates are ranked before the best few are looked at.
RANKED = ("held", "meant", "average", "best", "said", "missing", "bm25", "elsewhere", "rival", "unasked")
FITTED = 6  # the best passages of each question that are fitted to
PENALTY = 1e-3
PARTS = 3  # of the topics, one at a time left out of the fit
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled question: `right` are the ids of the passages that answer it."""

    text: str
    right: frozenset[str]
    kind: str  # the name of its file without _dev


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its candidates: `order` are these, the best first, `right` whether they answer it.

    `found` tells of all of them, `table` (FITTED rows) and `less` what a closer look at the best tells
    (dialog/matching.py); `columns` are its names.
    """

    found: Features
    columns: tuple[str, ...]
    table: Numbers
    less: Numbers
    right: NDArray[np.bool_]
    order: NDArray[np.intp]
    topic: str  # of the passage that answers it, or else of what BM25 finds first
    answerable: bool
    asked_of: str  # see WEIGHTS
    kind: str


def ask(index: PassageIndex, row: Row, right: Iterable[str], asked_of: str, ranks: Ranks) -> Asked | None:
    """None where there is no candidate."""
    view = index.view
    said = words(canonical(row.text), view.rarity)
    candidates = view.candidates(said.text, TODAY, CANDIDATES)
    if not candidates:
        return None
    both = compared(said, [c.known for c in candidates])
    found = features(both, [c.bm25 for c in candidates])
    order, table, less = looked_at(both, found, ranks)
    ids, answers = [view.passage(c.at).id for c in candidates], sorted(right)
    return Asked(
        found,
        tuple(table),
        np.stack(list(table.values()), axis=1)[:FITTED],
        less[:FITTED],
        np.array([one in answers for one in ids])[order],
        order,
        topic=(answers or ids)[0].rpartition("-")[0],
        answerable=bool(answers),
        asked_of=asked_of,
        kind=row.kind,
    )


def indexed(passages: Sequence[Passage]) -> PassageIndex:
    index = PassageIndex()
    index.write(passages, (), 1)
    return index


def labelled() -> list[Row]:
    """The labelled questions, written and heard."""
    rows = []
    for name in FILES:
        for line in (ROOT / "tests" / "data" / "kb" / f"{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            kind = name.removesuffix("_dev")
            rows.append(Row(row.get("heard") or row["text"], frozenset(row.get("passages", ())), kind))
    return rows


def everything(passages: Sequence[Passage], rows: Sequence[Row], ranks: Ranks) -> list[Asked]:
    """All questions, of all that they are asked of."""
    asked = (*whole(passages, rows, ranks), *missing(passages, rows, ranks), *sampled(passages, rows, ranks))
    return [one for one in asked if one]


def whole(passages: Sequence[Passage], rows: Sequence[Row], ranks: Ranks) -> Iterator[Asked | None]:
    """Each while it is no phrasing of the sample knowledge."""
    for fold in range(FOLDS):
        some = rows[fold::FOLDS]
        index = indexed(without(passages, [row.text for row in some]))
        yield from (ask(index, row, row.right, "whole", ranks) for row in some)


def missing(passages: Sequence[Passage], rows: Sequence[Row], ranks: Ranks) -> Iterator[Asked | None]:
    """Those that are answered, once more while the passages that do so are missing."""
    for fold in range(FOLDS):
        gone = {passage.id for passage in passages[fold::FOLDS]}
        some = [row for row in rows if row.right & gone and row.kind != "heard"]
        index = indexed(without(passages, [*gone, *(row.text for row in some)]))
        yield from (ask(index, row, row.right - gone, "missing", ranks) for row in some)


def sampled(passages: Sequence[Passage], rows: Sequence[Row], ranks: Ranks) -> Iterator[Asked | None]:
    """Some questions that a sample of the passages answers, and some that it does not."""
    for number, (share, most) in enumerate(SAMPLES):
        rng = random.Random(SEED + number)
        sample = rng.sample(passages, int(share * len(passages)))
        have = {passage.id for passage in sample}
        known = [row for row in rows if row.right & have]
        other = [row for row in rows if not row.right & have]
        known = rng.sample(known, min(len(known), SAMPLE_QUESTIONS))
        other = rng.sample(other, max(len(known), LEAST_UNKNOWN))
        left = without(sample, [row.text for row in known])
        index = indexed([thinned(passage, most, rng) for passage in left] if most else left)
        yield from (ask(index, row, row.right & have, "sample", ranks) for row in known + other)


def thinned(passage: Passage, most: int, rng: random.Random) -> Passage:
    """The passage with at most so many wordings."""
    count = min(rng.randint(0, most - 1), len(passage.phrasings))
    return replace(passage, phrasings=tuple(rng.sample(passage.phrasings, count)))


def descent(slope: Callable[[Numbers], tuple[Numbers, Numbers]], size: int) -> Numbers:
    """Newton's method; `slope` gives gradient and curvature."""
    weights = np.zeros(size)
    for _ in range(50):
        gradient, curvature = slope(weights)
        step = np.linalg.solve(curvature, gradient)
        weights -= step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-6:
            break
    return weights


def ranking(asked: Sequence[Asked]) -> Ranks:
    """What each of RANKED weighs, so that the right passages are the likeliest of the candidates."""
    known = [one for one in asked if one.right.any()]
    tables = [
        np.stack([getattr(against_best(one.found), name) for name in RANKED], axis=1)[one.order]
        for one in known
    ]
    shares = np.array([WEIGHTS[one.asked_of] for one in known])
    shares /= shares.sum()

    def slope(weights: Numbers) -> tuple[Numbers, Numbers]:
        gradient = 2 * PENALTY * weights
        curvature = 2 * PENALTY * np.eye(len(weights))
        for table, one, share in zip(tables, known, shares, strict=True):
            likely = np.exp(table @ weights - (table @ weights).max())
            likely /= likely.sum()
            wanted = likely * one.right / (likely * one.right).sum()
            mean = likely @ table
            gradient += (mean - wanted @ table) * share
            curvature += ((table * likely[:, None]).T @ table - np.outer(mean, mean)) * share
        return gradient, curvature

    return dict(zip(RANKED, descent(slope, len(RANKED)).tolist(), strict=True))


class Evidence:
    """Of questions: what is told of their best passages, and whether these are right; a passage a row."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.columns = asked[0].columns
        self.rows = np.concatenate([one.table for one in asked])
        self.less = np.concatenate([one.less for one in asked])
        self.right = np.concatenate([one.right[:FITTED] for one in asked]).astype(float)
        self.of = np.repeat(np.arange(len(asked)), [len(one.less) for one in asked])
        self.begins = np.searchsorted(self.of, np.arange(len(asked) + 1))  # the rows of each question
        self.weight = np.array([WEIGHTS[one.asked_of] for one in asked])[self.of]
        self.mixed = np.array([MIXED[one.kind[:5] == "train"] * (one.asked_of == "whole") for one in asked])[
            self.of
        ]

    def likely(self, trees: Trees) -> Numbers:
        """How likely each passage is right."""
        likely: Numbers = 1 / (1 + np.exp(self.less - trees.odds(self._table())))
        return likely

    def _table(self) -> dict[str, Numbers]:
        return dict(zip(self.columns, self.rows.T, strict=True))


def certainty(found: Evidence, among: NDArray[np.bool_]) -> Trees:
    """Trees fitted to the questions that are `among` them."""
    inside = among[found.of]
    trees = boosted(
        found.columns, found.rows[inside], found.right[inside], found.weight[inside], -found.less[inside]
    )
    mixed = found.mixed * inside

    def shift(more: Numbers) -> tuple[Numbers, Numbers]:
        likely = found.likely(trees._replace(begin=trees.begin + float(more[0])))
        gradient, curvature = mixed * (likely - found.right), mixed * likely * (1 - likely)
        return np.array([gradient.sum()]), np.array([[curvature.sum()]])

    return trees._replace(begin=trees.begin + float(descent(shift, 1)[0]))


def main() -> None:
    """Fit, write what is fitted, and print how it does."""
    passages = [one for one in load_passages(Path(ROOT / "dialog" / "knowledge")) if one.valid_on(TODAY)]
    rows = labelled()
    ranks = ranking(everything(passages, rows, dict.fromkeys(RANKED, 1.0)))
    asked = everything(passages, rows, ranks)
    found = Evidence(asked)
    Fitted(ranks, certainty(found, np.ones(len(asked), bool))).save(FILE)
    report(asked, found)


class Best(NamedTuple):
    """What came first for a question: how sure, whether it was right, whether one of the first three was."""

    sure: float
    right: bool
    three: bool


def best(found: Evidence, likely: Numbers, which: int) -> Best:
    """As matching.py and the dialog reckon it, but for words that are a phrasing word by word."""
    span = slice(found.begins[which], found.begins[which + 1])
    order = np.argsort(-likely[span], kind="stable")
    right, score = found.right[span][order], likely[span][order]
    score = score / max(1.0, float(score[:2].sum()))
    lead = float(score[0] - score[1]) if len(score) > 1 else float(score[0])
    return Best(confidence(1.0, float(score[0]), lead, 0), bool(right[0]), bool(right[:3].any()))


def report(asked: Sequence[Asked], found: Evidence) -> None:
    """How often the right passage came first, and what share of each kind of questions reach a confidence.

    Of the trees those are asked that were fitted without the question's topic.
    """
    topics = sorted({one.topic for one in asked})
    part = np.array([topics.index(one.topic) % PARTS for one in asked])
    likely = np.zeros(len(found.right))
    for number in range(PARTS):
        likely = np.where((part == number)[found.of], found.likely(certainty(found, part != number)), likely)
    groups: dict[tuple[str, bool], list[Best]] = defaultdict(list)
    for which, one in enumerate(asked):
        result = best(found, likely, which)
        groups[
            f"{one.asked_of} {one.kind}".rstrip() if one.asked_of == "whole" else one.asked_of, one.answerable
        ].append(result)
        groups[f"all {one.asked_of}", one.answerable].append(result)
    print(f"{'':24}asked  first  three   from", *(f"{threshold:6}" for threshold in THRESHOLDS))
    for (name, answerable), group in sorted(groups.items()):
        sure, first, three = (np.array(column) for column in zip(*group, strict=True))
        order = f"{first.mean():6.1%} {three.mean():6.1%}" if answerable else "without answer"
        shares = " ".join(f"{np.mean(sure >= threshold):6.1%}" for threshold in THRESHOLDS)
        print(f"{name:24}{len(group):5} {order:16}    {shares}")
    for asked_of in WEIGHTS:
        stated = [
            (one.sure, one.right) for known in (True, False) for one in groups[f"all {asked_of}", known]
        ]
        print(f"calibration error, {asked_of}: {reliability(stated)[2]:.3f}")


if __name__ == "__main__":
    main()
