"""Fits the weights of dialog/troubles.py, which tell a report of trouble from a question, and prints them.

`python -m bench.reports_training`: reports are the first words of the scripted calls for tuning
(tests/data/intake) and the complaints among tests/data/kb/*.jsonl, with little weight the examples of
dialog/taxonomy.yaml, which are shorter than what callers say; questions are those of tests/data/kb for tuning
and training. Each is also judged by weights fitted without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.intake_training import FOR_TUNING
from dialog import taxonomy
from dialog.places import load_taxonomy
from dialog.taxonomy import Taxonomy
from dialog.words import strip_fillers
from dialog.yaml_text import read_yaml

Numbers = NDArray[np.float64]

DATA = Path(__file__).parents[1] / "tests" / "data"
CALLS = tuple(f"calls_{name}.jsonl" for name in FOR_TUNING)
OF_QUESTIONS = ("questions_dev", "train_questions", "train2_questions", "train3_questions", "questions_fresh")
OF_UNKNOWN = ("unknown_dev", "train_unknown", "train2_unknown", "train3_unknown", "unknown_fresh")
QUESTIONS = tuple(f"{name}.jsonl" for name in (*OF_QUESTIONS, *OF_UNKNOWN))
EXAMPLE_WEIGHT = 0.02  # of an example of the taxonomy, beside a caller's words
PENALTY = 1.0
FOLDS = 10
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def told() -> Iterator[tuple[str, bool, float]]:
    """Words, whether they report a trouble, and how much they count."""
    for file in CALLS:
        for row in _rows(DATA / "intake" / file):
            yield row["says"][0], True, 1.0
    for file in QUESTIONS:
        for row in _rows(DATA / "kb" / file):
            yield row["text"], row.get("kind") == "complaint", 1.0
    for category in load_taxonomy().categories:
        yield from ((example, True, EXAMPLE_WEIGHT) for example in category.examples)


def fitted(table: Numbers, truth: Numbers, counts: Numbers) -> Numbers:
    """Weights of the columns of `table` by logistic regression, reports and questions counting alike."""
    reports = (counts * truth).sum() / counts.sum()
    counts = counts * np.where(truth > 0, 0.5 / reports, 0.5 / (1 - reports))
    held = np.append(np.full(table.shape[1] - 1, PENALTY), 0.0)  # the constant is free
    weights = np.zeros(table.shape[1])
    for _ in range(50):
        likely = _likely(table, weights)
        gradient = table.T @ (counts * (likely - truth)) + held * weights
        curvature = (table * (counts * likely * (1 - likely))[:, None]).T @ table + np.diag(held)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _without_calls() -> Taxonomy:
    """The city's taxonomy without the examples that are first words of the calls, which must look new."""
    calls = {strip_fillers(row["says"][0]) for file in CALLS for row in _rows(DATA / "intake" / file)}
    data = read_yaml(Path(taxonomy.__file__).with_name("taxonomy.yaml").read_text(encoding="utf-8"))
    for one in data["categories"]:
        one["examples"] = [text for text in one["examples"] if not any(call.endswith(text) for call in calls)]
    return Taxonomy(data)


def main() -> None:
    """Print the weights, and how well they tell reports from questions that they were not fitted to."""
    sorted_by = _without_calls()
    rows = list(told())
    found = [(*sorted_by.signs(text), 1.0) for text, _, _ in rows]
    table, truth = np.array(found), np.array([report for _, report, _ in rows], float)
    counts = np.array([count for *_, count in rows])
    *weights, begin = fitted(table, truth, counts)
    print("WEIGHTS = Signs(" + ", ".join(f"{weight:.2f}" for weight in weights) + ")")
    print(f"BEGIN = {begin:.2f}")
    folds = np.arange(len(rows)) % FOLDS
    likely = np.zeros(len(rows))
    for fold in range(FOLDS):
        rest = folds != fold
        likely[~rest] = _likely(table[~rest], fitted(table[rest], truth[rest], counts[rest]))
    callers = counts == 1.0
    for threshold in THRESHOLDS:
        right, wrong = (likely[callers & (truth == one)] >= threshold for one in (1.0, 0.0))
        of_questions = f"{wrong.mean():.1%} of {wrong.size} questions"
        print(f"from {threshold}: {right.mean():.1%} of {right.size} reports, {of_questions}")


def _likely(table: Numbers, weights: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-table @ weights)))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    main()
