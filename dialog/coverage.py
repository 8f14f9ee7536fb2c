"""How much of one text occurs in others, by characters and by sound, for many texts at once.

What depends on the texts alone is laid out in arrays beforehand, so that a query costs a few array operations
however many texts it is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dialog.words import sounds

ORDERED = 0.4  # share of a character's credit that only a match together with its neighbour gives
SAME_SOUND = 0.8  # credit of another character of the same sound, where its neighbour fits too

# Of a character's credit, by whether a pair of syllables with a neighbour occurs (2) and itself does (1).
_CREDIT = np.array([0.0, 1 - ORDERED, ORDERED + (1 - ORDERED) * SAME_SOUND, 1.0])

Pair: TypeAlias = "tuple[str, str]"
_Numbers: TypeAlias = NDArray[np.intp]
_Flags: TypeAlias = NDArray[np.bool_]
_Shares: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text: its characters, its pairs of neighbouring syllables, how telling each character is."""

    text: str
    pairs: Sequence[Pair]
    weights: Sequence[float]


@dataclass(frozen=True, slots=True)
class Laid:
    """Phrases one after another: per character its number, the pairs that it ends and begins, its weight.

    `row` tells of each character to which phrase it belongs, `totals` are the phrases' sums of weights.
    """

    chars: _Numbers
    ends: _Numbers
    begins: _Numbers
    weights: _Shares
    row: _Numbers
    totals: _Shares


@dataclass(frozen=True, slots=True)
class Held:
    """What occurs in a text or several, each once."""

    chars: _Numbers
    pairs: _Numbers


class Lexicon:
    """Gives every character and every pair of syllables of the known texts a number; no pair has one too."""

    def __init__(self) -> None:
        self.chars: defaultdict[str, int] = defaultdict(lambda: len(self.chars))
        self.pairs: defaultdict[Pair | None, int] = defaultdict(lambda: len(self.pairs))

    def lay(self, phrases: Sequence[Phrase]) -> Laid:
        """The phrases as arrays."""
        sizes = [len(phrase.text) for phrase in phrases]
        return Laid(
            _numbers(self.chars[char] for phrase in phrases for char in phrase.text),
            _numbers(self.pairs[pair] for phrase in phrases for pair in (None, *phrase.pairs)),
            _numbers(self.pairs[pair] for phrase in phrases for pair in (*phrase.pairs, None)),
            np.array([weight for phrase in phrases for weight in phrase.weights], float),
            np.repeat(np.arange(len(phrases)), sizes),
            np.array([sum(phrase.weights) for phrase in phrases], float),
        )

    def hold(self, texts: Iterable[str]) -> Held:
        """What occurs in the texts."""
        texts = list(texts)
        pairs = {pair for text in texts for pair in pairwise(sounds(text))}
        return Held(
            _numbers(self.chars[char] for char in {char for text in texts for char in text}),
            _numbers(self.pairs[pair] for pair in pairs),
        )


class Query:
    """A phrase to be compared with many others."""

    def __init__(self, phrase: Phrase, lexicon: Lexicon) -> None:
        chars = {char: at for at, char in enumerate(dict.fromkeys(phrase.text))}
        pairs = {pair: at for at, pair in enumerate(dict.fromkeys(phrase.pairs))}
        # In which column a known character or pair stands; the last column is of those not in the query.
        self._char_column: _Numbers = np.full(len(lexicon.chars), len(chars), np.intp)
        self._pair_column: _Numbers = np.full(len(lexicon.pairs), len(pairs), np.intp)
        for char, at in chars.items():
            if char in lexicon.chars:
                self._char_column[lexicon.chars[char]] = at
        for pair, at in pairs.items():
            if pair in lexicon.pairs:
                self._pair_column[lexicon.pairs[pair]] = at
        self._other_char, self._other_pair = len(chars), len(pairs)
        self._chars = _numbers(chars[char] for char in phrase.text)
        columns = [pairs[pair] for pair in phrase.pairs]
        self._ends = np.array([len(pairs), *columns])
        self._begins = np.array([*columns, len(pairs)])
        self._weights = np.array(phrase.weights)
        self._total = float(sum(phrase.weights))

    def share_in(self, held: Sequence[Held]) -> _Shares:
        """The share of the query, by its telling characters, that occurs in each of `held`."""
        rows = np.arange(len(held))
        return self._share(
            self._char_column[np.concatenate([one.chars for one in held])],
            np.repeat(rows, [len(one.chars) for one in held]),
            self._pair_column[np.concatenate([one.pairs for one in held])],
            np.repeat(rows, [len(one.pairs) for one in held]),
            len(held),
        )

    def shares(self, laid: Sequence[Laid]) -> tuple[_Shares, _Shares]:
        """Of all phrases in `laid`, one after another: the share of the query that is in the phrase, and the
        share of the phrase that is in the query."""
        sizes = np.array([len(one.totals) for one in laid], np.intp)
        before = np.repeat(np.cumsum(sizes) - sizes, [len(one.row) for one in laid])
        row: _Numbers = np.concatenate([one.row for one in laid]) + before
        totals = np.concatenate([one.totals for one in laid])
        chars = self._char_column[np.concatenate([one.chars for one in laid])]
        ends = self._pair_column[np.concatenate([one.ends for one in laid])]
        begins = self._pair_column[np.concatenate([one.begins for one in laid])]
        paired = (ends != self._other_pair) | (begins != self._other_pair)
        credit = _CREDIT[2 * paired + (chars != self._other_char)]
        weights = np.concatenate([one.weights for one in laid])
        said = np.bincount(row, weights * credit, minlength=len(totals)) / totals
        return self._share(chars, row, begins, row, len(totals)), said

    def _share(
        self, chars: _Numbers, chars_row: _Numbers, pairs: _Numbers, pairs_row: _Numbers, rows: int
    ) -> _Shares:
        """The share of the query in each of `rows` texts, which hold `chars` and `pairs` (as columns)."""
        has_char = _table(rows, self._other_char, chars_row, chars)
        has_pair = _table(rows, self._other_pair, pairs_row, pairs)
        paired = has_pair[:, self._ends] | has_pair[:, self._begins]
        credit = _CREDIT[2 * paired + has_char[:, self._chars]]
        share: _Shares = (credit * self._weights).sum(axis=1) / self._total
        return share


def _table(rows: int, columns: int, row: _Numbers, column: _Numbers) -> _Flags:
    """What stands where; nothing in the last column, which is of what was not asked for."""
    table = np.zeros((rows, columns + 1), np.bool_)
    table[row, column] = True
    table[:, columns] = False
    return table


def _numbers(values: Iterable[int]) -> _Numbers:
    return np.fromiter(values, np.intp)
