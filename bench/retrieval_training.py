"""Fits the weights of dialog/matching.py and prints them: `python -m bench.retrieval_training`.

- FIT, which ranks: every wording of the sample knowledge is asked while it is missing from the index, and the
  right passage shall be the likeliest of the candidates (conditional logistic regression).
- SURE, which says how likely the best is right: the labelled questions of tests/data/kb/*_dev.jsonl, those
  that nothing answers among them, and with little weight the left-out wordings, some while the whole passage
  is missing (logistic regression). The questions that nothing answers are shorter than the others there, as
  they need not be on the telephone, so all are weighted to be equally long: length alone shall tell nothing.

One passage in eight, never two neighbours, loses a wording at the same time. Takes some minutes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.retrieval import FOLDS, ROOT, TODAY, Question, phrasings, without
from dialog.knowledge_index import CANDIDATES, PassageIndex
from dialog.matching import FIT, SURE, Features, against_best, features, standing
from dialog.passages import Passage, load_passages
from dialog.wording import canonical

Numbers = NDArray[np.float64]

LEFT_OUT_WEIGHT = 0.03  # of a left-out wording, beside a labelled question
GONE_WORDINGS = 4  # of each passage asked while all of it is missing
LENGTHS = (0, 7, 9, 11, 13, 16, 1000)  # characters: questions in between count as equally long
LEAST_WEIGHT, MOST_WEIGHT = 0.25, 4.0
PENALTY = 1e-3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what tells of its candidates, and which of them are right."""

    length: int
    found: Features
    right: NDArray[np.bool_]
    answerable: bool
    labelled: bool


def ask(index: PassageIndex, text: str, right: Sequence[str], labelled: bool) -> Asked | None:
    """None where there is no candidate."""
    said = canonical(text)
    view = index.view
    candidates = view.candidates(said, TODAY, CANDIDATES)
    if not candidates:
        return None
    found = features(said, [c.known for c in candidates], [c.bm25 for c in candidates], view.rarity)
    is_right = np.array([view.passage(c.at).id in right for c in candidates])
    return Asked(len(said), found, is_right, bool(right), labelled)


def indexed(passages: Sequence[Passage]) -> PassageIndex:
    index = PassageIndex()
    index.write(passages, (), 1)
    return index


def left_out(passages: Sequence[Passage]) -> Iterator[Asked | None]:
    """Every wording while it, and some while their whole passage is missing."""
    folds: dict[tuple[int, int] | None, list[Question]] = defaultdict(list)
    for question in phrasings(passages):
        folds[question.fold].append(question)
    for together in folds.values():
        index = indexed(without(passages, [q.held_out for q in together]))
        yield from (ask(index, q.text, (q.passage,), False) for q in together)
    for fold in range(FOLDS):
        gone = [q for q in phrasings(passages) if q.fold and q.fold[0] == fold]
        index = indexed(without(passages, [q.passage for q in gone]))
        yield from (ask(index, q.text, (), False) for q in gone if q.fold and q.fold[1] < GONE_WORDINGS)


def labelled(passages: Sequence[Passage]) -> Iterator[Asked | None]:
    """The labelled questions, written and heard."""
    index = indexed(passages)
    for file in ("questions", "heard", "unknown"):
        for line in (ROOT / "tests" / "data" / "kb" / f"{file}_dev.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            yield ask(index, row.get("heard") or row["text"], row.get("passages", ()), True)


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


def ranking(asked: Sequence[Asked]) -> dict[str, float]:
    """The weights of FIT."""
    known = [one for one in asked if one.answerable and one.right.any() and not one.labelled]
    tables = [np.stack([getattr(against_best(one.found), name) for name in FIT], axis=1) for one in known]

    def slope(weights: Numbers) -> tuple[Numbers, Numbers]:
        gradient = 2 * PENALTY * weights
        curvature = 2 * PENALTY * np.eye(len(weights))
        for table, one in zip(tables, known, strict=True):
            likely = np.exp(table @ weights - (table @ weights).max())
            likely /= likely.sum()
            wanted = likely * one.right / (likely * one.right).sum()
            mean = likely @ table
            gradient += (mean - wanted @ table) / len(known)
            curvature += ((table * likely[:, None]).T @ table - np.outer(mean, mean)) / len(known)
        return gradient, curvature

    return dict(zip(FIT, descent(slope, len(FIT)).tolist(), strict=True))


def certainty(asked: Sequence[Asked], fit: dict[str, float]) -> tuple[dict[str, float], float]:
    """The weights of SURE, and BEGIN."""
    rows, right = [], []
    for one in asked:
        order, shares, lead = stood(one, fit)
        values = {"share": shares[0], "lead": lead[0]}
        values |= {name: getattr(one.found, name)[order[0]] for name in SURE if name in Features._fields}
        rows.append([*(values[name] for name in SURE), 1.0])
        right.append(one.right[order[0]])
    table, truth, counts = np.array(rows), np.array(right, float), counted(asked)
    scale = np.append(table[:, :-1].std(axis=0), 1.0)
    table /= scale

    def slope(weights: Numbers) -> tuple[Numbers, Numbers]:
        likely = 1 / (1 + np.exp(-table @ weights))
        gradient = table.T @ (counts * (likely - truth)) + weights
        curvature = (table * (counts * likely * (1 - likely))[:, None]).T @ table + np.eye(len(weights))
        return gradient, curvature

    *weights, begin = (descent(slope, table.shape[1]) / scale).tolist()
    return dict(zip(SURE, weights, strict=True)), begin


def stood(one: Asked, fit: dict[str, float]) -> tuple[NDArray[np.intp], Numbers, Numbers]:
    """The candidates of a question ranked by these weights: see `standing`."""
    relative = against_best(one.found)
    return standing(np.array([weight * getattr(relative, name) for name, weight in fit.items()]).sum(axis=0))


def counted(asked: Sequence[Asked]) -> Numbers:
    """How much each question counts: as if the answerable were as long as the others."""
    bins = np.digitize([one.length for one in asked], LENGTHS)
    known = np.array([one.answerable and one.labelled for one in asked])
    other = np.array([not one.answerable and one.labelled for one in asked])
    counts = np.where([one.labelled for one in asked], 1.0, LEFT_OUT_WEIGHT)
    for number in np.unique(bins):
        inside = bins == number
        ratio = inside[other].mean() / max(inside[known].mean(), 1e-9)
        counts[known & inside] = np.clip(ratio, LEAST_WEIGHT, MOST_WEIGHT)
    return counts


def main() -> None:
    passages = load_passages(Path(ROOT / "dialog" / "knowledge"))
    asked = [one for one in (*labelled(passages), *left_out(passages)) if one]
    fit = ranking(asked)
    sure, begin = certainty(asked, fit)
    for name, weights in (("FIT", fit), ("SURE", sure)):
        print(f"{name} = {{" + ", ".join(f'"{key}": {value:.2f}' for key, value in weights.items()) + "}")
    print(f"BEGIN = {begin:.2f}")
    report([one for one in asked if one.labelled], fit)


def report(asked: Sequence[Asked], fit: dict[str, float]) -> None:
    """How often the right passage of labelled questions came first, and first or second or third."""
    first, three = 0, 0
    known = [one for one in asked if one.answerable]
    for one in known:
        order = stood(one, fit)[0]
        first += bool(one.right[order[0]])
        three += bool(one.right[order[:3]].any())
    print(f"labelled questions: first {first / len(known):.1%}, in the first three {three / len(known):.1%}")


if __name__ == "__main__":
    main()
