"""How much words are like the examples of each class, and which class they lean to, learnt from examples.

Words are told by pairs of syllables, which homophones do not change, and by characters and their pairs, which
tell those apart. What few examples hold tells more (idf). A class is the mean of its examples: that tells how
like it words are. Which class they lean to is told by weights that begin as those means and are moved for
every example that another class comes near to (passive-aggressive rounds, averaged).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dialog.words import clean, sounds

_Pair: TypeAlias = "tuple[str, ...] | str"
_Numbers: TypeAlias = NDArray[np.float32]

# Chosen by leaving out one example after another, and one file of scripted calls after another.
LEAST_HELD = 2  # examples that must hold a pair of syllables or a character before it tells anything
ROUNDS = 3
STEP = 0.1  # of an example's weights that a class gains where another comes near
MARGIN = 0.2  # by which an example's class must lead


class Told(NamedTuple):
    """How much some words are like each class, 0..1, and how much they lean to it."""

    like: list[float]
    leaning: list[float]


class Likeness:
    """Learns the classes from their examples in a second; `of` then takes a fraction of a millisecond."""

    def __init__(self, examples: Sequence[Sequence[str]], words: Sequence[Sequence[str]]) -> None:
        """`examples` of each class, and `words` of each, which are like examples but teach no leaning."""
        told = [(_pairs(text), at) for at, texts in enumerate(examples) for text in texts]
        short = [(_pairs(text), at) for at, texts in enumerate(words) for text in texts]
        every = [pairs for pairs, _ in (*told, *short)]
        held = Counter(chain.from_iterable(every))
        telling = [(pair, n) for pair, n in held.items() if n >= LEAST_HELD]
        self._at = {pair: at for at, (pair, _) in enumerate(telling)}
        self._tells = np.array([math.log(len(every) / n) for _, n in telling], np.float32)
        rows = [(*self._row(pairs), at) for pairs, at in (*told, *short)]
        means = np.zeros((len(telling), len(examples)), np.float32)
        for pairs, weights, at in rows:
            means[pairs, at] += weights
        self._means = means / np.maximum(np.linalg.norm(means, axis=0), 1e-9)
        self._weights = _taught(self._means, rows[: len(told)]) if len(examples) > 1 else self._means

    def of(self, text: str) -> Told:
        """How much `text` is like each class, and leans to it."""
        held, weights = self._row(_pairs(text))
        like, leaning = weights @ self._means[held], weights @ self._weights[held]
        return Told(like.tolist(), leaning.tolist())

    def _row(self, pairs: Iterable[_Pair]) -> tuple[NDArray[np.intp], _Numbers]:
        """Which of the telling pairs are held, and their weights, of length one."""
        held = np.array([self._at[pair] for pair in pairs if pair in self._at], np.intp)
        weights = self._tells[held]
        return held, weights / max(float(np.linalg.norm(weights)), 1e-9)


def _taught(means: _Numbers, rows: Sequence[tuple[NDArray[np.intp], _Numbers, int]]) -> _Numbers:
    """Weights that lead by MARGIN for the class of each row, as far as some rounds can teach that."""
    weights, total = means.copy(), means.copy()
    for order in np.random.default_rng(0).permuted(np.tile(np.arange(len(rows)), (ROUNDS, 1)), axis=1):
        for at in order:
            held, row, right = rows[at]
            scores = row @ weights[held]
            lead, scores[right] = scores[right], -np.inf
            other = int(scores.argmax())
            if lead - scores[other] < MARGIN:
                weights[held, right] += STEP * row
                weights[held, other] -= STEP * row
        total += weights
    return np.asarray(total / (ROUNDS + 1), np.float32)


def _pairs(text: str) -> Sequence[_Pair]:
    """The pairs and characters of `text`, each once, in order."""
    text = clean(text)
    every: Iterable[_Pair] = chain(
        pairwise(sounds(text)), zip(text), ("".join(pair) for pair in pairwise(text))
    )
    return list(dict.fromkeys(every))
