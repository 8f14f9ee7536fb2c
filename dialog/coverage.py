"""How much of one text occurs in others, by characters and by sound, for many texts at once.

Texts are kept as two strings of equal length, as written and as heard (one private-use character per
syllable), which numpy reads as arrays: a query costs a few array operations however many texts it is
compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pypinyin.constants import PHRASES_DICT

from dialog.words import sounds

ORDERED = 0.4  # share of a character's credit that only a match together with its neighbour gives
SAME_SOUND = 0.8  # credit of another character of the same sound, where its neighbour fits too

# Of a character's credit, by whether a pair of syllables with a neighbour occurs (2) and itself does (1).
_CREDIT = np.array([0.0, 1 - ORDERED, ORDERED + (1 - ORDERED) * SAME_SOUND, 1.0])

NEXT = "\n"  # stands between two phrasings, and between two clauses of the answer
ANSWER = "\f"  # stands between the phrasings and the answer

_INITIALS = "bpmfdtnlgkhjqxrzcsyw"
_FINALS_LISTED = "a ai an ang ao e ei en er i ia ian iang iao ie in iong iu m n o ong ou u ua uai uan uang"
_FINALS = f"{_FINALS_LISTED} ue ui un uo v ve".split()
_OTHERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FIRST = 0xE000  # the private-use characters begin here
# Numbers of syllables are the same in every process: they are kept in indexes.
_NUMBERS = {
    initial + final: _FIRST + 1 + row * len(_FINALS) + column
    for row, initial in enumerate(["", *_INITIALS])
    for column, final in enumerate(_FINALS)
}
_NUMBERS |= {other: _FIRST + 1 + len(_NUMBERS) + at for at, other in enumerate(_OTHERS) if other not in "mn"}
SYLLABLES = max(_NUMBERS.values()) - _FIRST + 1  # how many numbers there are, with 0 for what has no sound
PAIRS = SYLLABLES * SYLLABLES

_LONGEST_WORD = 4  # characters; what is read otherwise in a longer one is not asked for here
_WORDS_BEGIN = frozenset(word[:2] for word in PHRASES_DICT)

Numbers: TypeAlias = NDArray[np.int32]
Shares: TypeAlias = NDArray[np.float64]


def heard(text: str) -> str:
    """The folded toneless syllables of cleaned `text`, one private-use character each."""
    read = []
    at = 0
    while at < len(text):
        size = _LONGEST_WORD if text[at : at + 2] in _WORDS_BEGIN else 1
        while size > 1 and text[at : at + size] not in PHRASES_DICT:
            size -= 1
        read.append(_read(text[at : at + size]))
        at += size
    return "".join(read)


def syllable(number: int) -> str:
    """The character that stands for a syllable in what is heard."""
    return chr(_FIRST + number)


@lru_cache(maxsize=1 << 16)
def _read(word: str) -> str:
    return "".join(chr(_NUMBERS.get(sound, _FIRST)) for sound in sounds(word))


class Text(NamedTuple):
    """One or several texts: the characters, the pair of syllables that ends at each (and one that ends
    nothing, so that pair `i` + 1 begins with character `i`), and to which text each belongs.

    A pair is a number below PAIRS, 0 where a text begins or ends. What stands between texts has row -1.
    """

    chars: Numbers
    pairs: Numbers
    rows: Numbers
    size: int  # how many texts

    @property
    def ends(self) -> Numbers:
        """Of each character the pair that ends with it."""
        return self.pairs[:-1]

    @property
    def begins(self) -> Numbers:
        """Of each character the pair that begins with it."""
        return self.pairs[1:]


def laid(said: str, sound: str) -> Text:
    """Texts separated by NEXT, as arrays; `sound` are the same as heard, with the same separators."""
    chars = np.frombuffer(said.encode("utf-16-le"), np.uint16).astype(np.int32)
    syllables = np.frombuffer(sound.encode("utf-16-le"), np.uint16).astype(np.int32) - _FIRST
    between = chars == ord(NEXT)
    pairs = np.zeros(len(chars) + 1, np.int32)
    apart = between[1:] | between[:-1]
    pairs[1:-1] = np.where(apart, 0, syllables[:-1] * SYLLABLES + syllables[1:])
    rows = np.cumsum(between, dtype=np.int32)
    count = int(rows[-1]) + 1 if len(rows) else 0
    return Text(chars, pairs, np.where(between, -1, rows).astype(np.int32), count)


def together(texts: Sequence[Text]) -> tuple[Text, Numbers]:
    """All texts one after another, and where in them the rows of each begin."""
    counts = np.array([text.size for text in texts], np.int32)
    first = (np.cumsum(counts) - counts).astype(np.int32)
    rows = np.concatenate([text.rows for text in texts])
    shift = np.repeat(first, [len(text.chars) for text in texts])
    # Each text brings a pair that begins nothing at its end; only the last of these is needed.
    pairs = np.concatenate([text.ends for text in texts] + [np.zeros(1, np.int32)])
    chars = np.concatenate([text.chars for text in texts])
    return Text(chars, pairs, np.where(rows < 0, -1, rows + shift).astype(np.int32), int(counts.sum())), first


class Query:
    """What a caller said, to be looked for in many texts; `weigh` tells how telling each character is."""

    def __init__(self, text: Text, weigh: Callable[[Text], Shares]) -> None:
        self._weigh = weigh
        self.weights = weigh(text)
        self._total = max(float(self.weights.sum()), 1e-9)
        chars, self._chars = np.unique(text.chars, return_inverse=True)
        pairs, columns = np.unique(text.pairs, return_inverse=True)
        # In which column a character or pair stands; the last column is of those not in the query.
        self._other_char, self._other_pair = len(chars), len(pairs)
        self._char_column = np.full(1 << 16, len(chars), np.int16)
        self._char_column[chars] = np.arange(len(chars))
        self._pair_column = np.full(PAIRS, len(pairs), np.int16)
        self._pair_column[pairs] = np.arange(len(pairs))
        self._pair_column[0] = len(pairs)
        columns = np.where(text.pairs == 0, len(pairs), columns)
        self._ends, self._begins = columns[:-1], columns[1:]

    def credits(self, texts: Sequence[Text]) -> Shares:
        """Of each of `texts` (as a row) how far each character of the query occurs in it, 0..1."""
        rows = np.repeat(np.arange(len(texts)), [len(text.chars) for text in texts])
        chars = np.concatenate([text.chars for text in texts])
        ends = np.concatenate([text.ends for text in texts])
        return self._credits(self._char_column[chars], rows, self._pair_column[ends], len(texts))

    def share(self, credits: Shares) -> Shares:
        """The share of the query, by its telling characters, that these credits are."""
        share: Shares = (credits * self.weights).sum(axis=1) / self._total
        return share

    def shares(self, text: Text) -> tuple[Shares, Shares]:
        """Of all rows of `text`: the share of the query that is in the row, and that of it in the query."""
        inside = text.rows >= 0
        chars, rows = self._char_column[text.chars[inside]], text.rows[inside]
        ends, begins = self._pair_column[text.ends[inside]], self._pair_column[text.begins[inside]]
        paired = (ends != self._other_pair) | (begins != self._other_pair)
        credit = _CREDIT[2 * paired + (chars != self._other_char)]
        weights = self._weigh(text)[inside]
        totals = np.maximum(np.bincount(rows, weights, minlength=text.size), 1e-9)
        of_row = np.bincount(rows, weights * credit, minlength=text.size) / totals
        return self.share(self._credits(chars, rows, ends, text.size)), of_row

    def _credits(
        self, chars: NDArray[np.int16], rows: NDArray[np.signedinteger], pairs: NDArray[np.int16], count: int
    ) -> Shares:
        has_char = _table(count, self._other_char, rows, chars)
        has_pair = _table(count, self._other_pair, rows, pairs)
        paired = has_pair[:, self._ends] | has_pair[:, self._begins]
        credits: Shares = _CREDIT[2 * paired + has_char[:, self._chars]]
        return credits


def _table(
    count: int, columns: int, rows: NDArray[np.signedinteger], column: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """What stands where; nothing in the last column, which is of what was not asked for."""
    table = np.zeros((count, columns + 1), np.bool_)
    table[rows, column] = True
    table[:, columns] = False
    return table
