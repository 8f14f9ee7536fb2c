"""How likely a passage is the one meant, from what a closer look tells (dialog/evidence.py): boosted trees.

`python -m bench.retrieval_training` fits them to labelled questions and writes sureness.npz. Each tree asks
the same few questions of every passage, one a level, so that numpy answers all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialog.coverage import Numbers, Shares

FILE = Path(__file__).with_name("sureness.npz")


class Trees(NamedTuple):
    """Trees of `depth` levels: on a level of a tree, whether one of the `columns` is above a bound.

    `asked` (trees x depth) are the columns, `above` (trees x depth) the bounds, `worth` (trees x 2**depth)
    what the answers, read as a binary number, add to the logarithm of the odds, which begin with `begin`.
    """

    columns: tuple[str, ...]
    asked: Numbers
    above: NDArray[np.float32]
    worth: Shares
    begin: float

    def odds(self, table: Mapping[str, Shares]) -> Shares:
        """The logarithm of the odds of each row of `table`, which has a number a row under each column."""
        rows = np.stack([table[name] for name in self.columns], axis=1).astype(np.float32)
        answers = rows[:, self.asked] > self.above
        leaves = answers @ (1 << np.arange(self.asked.shape[1])[::-1])
        odds: Shares = self.begin + self.worth[np.arange(len(self.worth)), leaves].sum(axis=1)
        return odds


class Fitted(NamedTuple):
    """What was fitted: what candidates are ranked by (dialog/matching.py), and trees for the best of them."""

    ranks: Mapping[str, float]
    trees: Trees

    def save(self, path: Path) -> None:
        """To be read by `load`."""
        columns, asked, above, worth, begin = self.trees
        np.savez_compressed(
            path,
            ranked=np.array(list(self.ranks)),
            ranks=np.array(list(self.ranks.values()), np.float32),
            columns=np.array(columns),
            asked=asked.astype(np.int16),
            above=above,
            worth=worth.astype(np.float32),
            begin=np.array(begin),
        )


@lru_cache(maxsize=1)
def load(path: Path = FILE) -> Fitted:
    """What is kept in a file."""
    with np.load(path) as kept:
        trees = Trees(
            tuple(kept["columns"].tolist()),
            kept["asked"].astype(np.int32),
            kept["above"],
            kept["worth"].astype(np.float64),
            float(kept["begin"]),
        )
        return Fitted(dict(zip(kept["ranked"].tolist(), kept["ranks"].tolist(), strict=True)), trees)
