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
    """One or several texts: the characters, the pair of syllables that ends at each, and to which text it
    belongs. A pair is a number below PAIRS, 0 where a text begins.
    """

    chars: Numbers
    pairs: Numbers
    rows: Numbers
    size: int  # how many texts


def laid(said: str, sound: str) -> Text:
    """Texts separated by NEXT, as arrays; `sound` are the same as heard, with the same separators."""
    chars = np.frombuffer(said.encode("utf-16-le"), np.uint16).astype(np.int32)
    syllables = np.frombuffer(sound.encode("utf-16-le"), np.uint16).astype(np.int32) - _FIRST
    between = chars == ord(NEXT)
    pairs = np.zeros(len(chars), np.int32)
    pairs[1:] = np.where(between[:-1], 0, syllables[:-1] * SYLLABLES + syllables[1:])
    rows = np.cumsum(between, dtype=np.int32)
    count = int(rows[-1]) + 1 if len(rows) else 0
    return Text(chars[~between], pairs[~between], rows[~between], count)


def together(texts: Sequence[Text]) -> tuple[Text, Numbers]:
    """All texts one after another, and where in them the rows of each begin."""
    counts = np.array([text.size for text in texts], np.int32)
    first = (np.cumsum(counts) - counts).astype(np.int32)
    chars = np.concatenate([text.chars for text in texts])
    pairs = np.concatenate([text.pairs for text in texts])
    shift = np.repeat(first, [len(text.chars) for text in texts])
    rows = np.concatenate([text.rows for text in texts]) + shift
    return Text(chars, pairs, rows, int(counts.sum())), first


class Occurrence(NamedTuple):
    """How far a query occurs in texts, each of which has several rows, its phrasings before its answer.

    `held` is by text and character of the query, 0..1, `asked` the same of the phrasings alone. `share` is by
    row the share of the query that is in it, `of_row` the share of the row that is in the query; `first` is
    the first row of each text.
    """

    held: Shares
    asked: Shares
    share: Shares
    of_row: Shares
    first: Numbers


class Query:
    """What a caller said, to be looked for in many texts; `weigh` tells how telling each character is."""

    def __init__(self, text: Text, weigh: Callable[[Text], Shares]) -> None:
        self._weigh = weigh
        self.weights = weigh(text)
        self.total = max(float(self.weights.sum()), 1e-9)
        chars, self._chars = np.unique(text.chars, return_inverse=True)
        # Each pair but the last begins with the character before the one that it ends with.
        pairs, columns = np.unique(text.pairs, return_inverse=True)
        columns = np.where(text.pairs == 0, len(pairs), columns)
        self._ends, self._begins = columns, np.append(columns[1:], len(pairs))
        # In which column a character or pair stands; the last column is of those not in the query.
        self._other_char, self._other_pair = len(chars), len(pairs)
        self._char_column = np.full(1 << 16, len(chars), np.int16)
        self._char_column[chars] = np.arange(len(chars))
        self._pair_column = np.full(PAIRS, len(pairs), np.int16)
        self._pair_column[pairs] = np.arange(len(pairs))
        self._pair_column[0] = len(pairs)

    def occurrence(self, texts: Sequence[Text], phrasings: Sequence[int]) -> Occurrence:
        """How far the query occurs in `texts`; of the rows of each the first are so many `phrasings`."""
        whole, first = together(texts)
        chars, pairs = self._char_column[whole.chars], self._pair_column[whole.pairs]
        has_char = _table(whole.size, self._other_char, whole.rows, chars)
        has_pair = _table(whole.size, self._other_pair, whole.rows, pairs)
        counts = [text.size for text in texts]
        phrased = np.arange(whole.size) < np.repeat(first + np.array(phrasings, np.int32), counts)
        held, asked = (
            self._credits(np.logical_or.reduceat(some_char, first), np.logical_or.reduceat(some_pair, first))
            for some_char, some_pair in (
                (has_char, has_pair),
                (has_char & phrased[:, None], has_pair & phrased[:, None]),
            )
        )
        share = self.share(self._credits(has_char, has_pair))
        return Occurrence(held, asked, share, self._of_rows(whole, chars, pairs), first)

    def share(self, credits: Shares) -> Shares:
        """The share of the query, by its telling characters, that these credits (by row) are."""
        share: Shares = credits @ self.weights / self.total
        return share

    def _of_rows(self, text: Text, chars: NDArray[np.int16], pairs: NDArray[np.int16]) -> Shares:
        """Of each row the share that is in the query."""
        ends = pairs != self._other_pair
        paired = ends | np.append(ends[1:], False)
        credit = _CREDIT[2 * paired + (chars != self._other_char)]
        weights = self._weigh(text)
        totals = np.maximum(np.bincount(text.rows, weights, minlength=text.size), 1e-9)
        of_rows: Shares = np.bincount(text.rows, weights * credit, minlength=text.size) / totals
        return of_rows

    def _credits(self, has_char: NDArray[np.bool_], has_pair: NDArray[np.bool_]) -> Shares:
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
