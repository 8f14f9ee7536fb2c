"""Whether the dialog's confidence says how often it is right: `python -m bench.confidence`.

The labelled questions of tests/data/kb, as typed and as heard by the built-in recogniser, are put to the
sample knowledge. Being right (the best passage answers what was said) is fitted by logistic regression to the
logit of the confidence, on the dev half: the odds of being right are FACTOR times the odds that are stated,
these to the power POWER. With 1 and 1 the confidence can be taken at its word. Prints both, and for each half
the calibration error and the mean log loss of the score, of the confidence, and of it corrected by them; the
fit never sees the held half.

The confidence is left uncorrected while that is below 0.08, as a threshold can be set where it is wanted.
What the lead and the recogniser's confidence cost in it is not fitted: the score holds the lead already, and
synthetic callers mumble too seldom; fitted, either would raise the confidence where it should lower it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table

from dialog.confidence import confidence
from dialog.knowledge import Knowledge
from hotline.check import load_knowledge
from hotline.kb_cases import load_cases
from hotline.kb_evaluation import reliability

DATA = Path(__file__).parents[1] / "tests" / "data" / "kb"
EDGE = 1e-4  # a confidence nearer to 0 or 1 counts as this near
STEPS = 30  # of Newton's method
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


class Find(NamedTuple):
    """The best passage for something said: its score, the confidence in it, and whether it answers."""

    score: float
    sure: float
    right: bool


def finds(knowledge: Knowledge, half: str) -> list[Find]:
    """What is found for all that is said in a half; nothing where there is no hit."""
    paths = [DATA / f"{name}_{half}.jsonl" for name in ("questions", "unknown", "heard")]
    found = []
    for case in load_cases(paths, (passage.id for passage in knowledge.passages)):
        hits = knowledge.search(case.said, 2)
        if hits:
            second = hits[1].score if len(hits) > 1 else 0.0
            score = hits[0].score
            sure = confidence(case.message.confidence, score, score - second, 0)
            found.append(Find(score, sure, hits[0].passage.id in case.passages))
    return found


def fitted(of: Sequence[Find]) -> tuple[float, float]:
    """FACTOR and POWER, by Newton's method."""
    sure = np.clip([one.sure for one in of], EDGE, 1 - EDGE)
    x: Numbers = np.column_stack([np.ones(len(of)), np.log(sure / (1 - sure))])
    right = np.array([one.right for one in of], dtype=float)
    weights: Numbers = np.array([0.0, 1.0])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-x @ weights))
        curvature = x.T @ (x * (likely * (1 - likely))[:, None])
        weights = weights + np.linalg.solve(curvature, x.T @ (right - likely))
    return float(np.exp(weights[0])), float(weights[1])


def corrected(sure: float, factor: float, power: float) -> float:
    """The confidence with its odds corrected."""
    right, wrong = factor * sure**power, (1 - sure) ** power
    return float(right / (right + wrong))


def errors(stated: Sequence[float], found: Sequence[Find]) -> list[str]:
    """Calibration error and mean log loss of what is stated of the finds."""
    right = np.array([one.right for one in found])
    sure = np.clip(stated, EDGE, 1 - EDGE)
    loss = -np.mean(np.log(np.where(right, sure, 1 - sure)))
    _, _, error = reliability(list(zip(stated, right.tolist(), strict=True)))
    return [f"{error:.3f}", f"{loss:.3f}"]


def main() -> None:
    """Measure and print."""
    knowledge = Knowledge(load_knowledge("sample"), date.today)
    halves = {half: finds(knowledge, half) for half in ("dev", "held")}
    factor, power = fitted(halves["dev"])
    console = Console()
    console.print(f"FACTOR {factor:.2f}, POWER {power:.2f}")
    table = Table("half", "finds", "right", "stated by", "calibration error", "log loss")
    for half, found in halves.items():
        share = f"{sum(one.right for one in found) / len(found):.1%}"
        for name, stated in {
            "score": [one.score for one in found],
            "confidence": [one.sure for one in found],
            "corrected": [corrected(one.sure, factor, power) for one in found],
        }.items():
            table.add_row(half, str(len(found)), share, name, *errors(stated, found))
    console.print(table)


if __name__ == "__main__":
    main()
