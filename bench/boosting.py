"""Gradient boosting of the trees that dialog/sureness.py reads: deterministic, in numpy alone.

The trees are oblivious (one question a level, the same in all of its branches; Prokhorenkova et al.,
CatBoost, 2018), which keeps them from learning single examples by heart; leaves are Newton steps on the log
loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dialog.sureness import Trees

TREES = 350
DEPTH = 3
RATE = 0.06
PENALTY = 8.0  # of a leaf's worth
BINS = 48
COLUMNS = 0.5  # share of the columns that a tree may ask for
ROWS = 0.8  # share of the rows that a tree is fitted to
SEED = 1

Numbers = NDArray[np.float64]


def boosted(columns: Sequence[str], table: Numbers, right: Numbers, weight: Numbers, begin: Numbers) -> Trees:
    """Trees for the odds of being `right` over those that each row of `table` begins with (logarithms)."""
    rng = np.random.default_rng(SEED)
    edges = [_edges(column) for column in table.T.astype(np.float32)]
    binned = [
        np.searchsorted(of, column) for of, column in zip(edges, table.T.astype(np.float32), strict=True)
    ]
    base = _base(right, weight, begin)
    odds = begin + base
    asked, above, worth = [], [], []
    for _ in range(TREES):
        likely = 1 / (1 + np.exp(-odds))
        some = weight * (rng.random(len(right)) < ROWS)
        gradient, curvature = some * (right - likely), some * likely * (1 - likely)
        among = rng.permutation(len(columns))[: max(1, int(COLUMNS * len(columns)))].tolist()
        leaf = np.zeros(len(right), np.int64)
        levels = []
        for depth in range(DEPTH):
            which, at = _best(leaf, 1 << depth, binned, edges, among, gradient, curvature)
            levels.append((which, float(edges[which][at])))
            leaf = 2 * leaf + (binned[which] > at)
        total, mass = (np.bincount(leaf, each, 1 << DEPTH) for each in (gradient, curvature))
        step = RATE * total / (mass + PENALTY)
        odds = odds + step[leaf]
        asked.append([which for which, _ in levels])
        above.append([bound for _, bound in levels])
        worth.append(step)
    return Trees(
        tuple(columns), np.array(asked, np.int32), np.array(above, np.float32), np.array(worth), base
    )


def _edges(column: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float32))


def _base(right: Numbers, weight: Numbers, begin: Numbers) -> float:
    """What is added to all odds, by Newton's method."""
    base = 0.0
    for _ in range(30):
        likely = 1 / (1 + np.exp(-begin - base))
        base += float((weight * (right - likely)).sum() / (weight * likely * (1 - likely)).sum())
    return base


def _best(
    leaf: NDArray[np.int64],
    leaves: int,
    binned: Sequence[NDArray[np.int64]],
    edges: Sequence[NDArray[np.float32]],
    among: Sequence[int],
    gradient: Numbers,
    curvature: Numbers,
) -> tuple[int, int]:
    """The column and the edge that part the leaves best."""
    best, found = -1.0, (among[0], 0)
    for which in among:
        if not len(edges[which]):
            continue
        cell = leaf * BINS + binned[which]
        sums = (
            np.bincount(cell, each, leaves * BINS).reshape(leaves, BINS).cumsum(axis=1)
            for each in (gradient, curvature)
        )
        below, mass = sums
        rest, rest_mass = below[:, -1:] - below, mass[:, -1:] - mass
        gain = (below**2 / (mass + PENALTY) + rest**2 / (rest_mass + PENALTY)).sum(axis=0)[
            : len(edges[which])
        ]
        if gain.max() > best:
            best, found = float(gain.max()), (which, int(gain.argmax()))
    return found
