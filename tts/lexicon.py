"""jieba's words without its dictionary of half a million entries, which takes 0.7 s and 60 MB to load.

The file that the package brings has its words in the order of their characters: those that begin with the
same one lie together, and are read when a text first has that character.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _import_jieba() -> Any:
    """Without pkg_resources, which takes a tenth of a second to import and which jieba can do without."""
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its escapes, by newer Pythons
            return importlib.import_module("jieba")
    finally:
        if before is None:
            del sys.modules["pkg_resources"]
        else:
            sys.modules["pkg_resources"] = before


jieba = _import_jieba()
jieba.setLogLevel(logging.WARNING)

TOTAL = 60_101_967  # the sum of all words' frequencies in jieba 0.42.1


def open_tokenizer() -> Any:
    """A jieba.Tokenizer that cuts Han characters as jieba does."""
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ = Lexicon((Path(jieba.__file__).parent / "dict.txt").read_bytes())
    tokenizer.total = TOTAL
    tokenizer.initialized = True
    return tokenizer


class Lexicon:
    """How often words of Han characters are used; 0 for what words only begin with.

    `text` is a dictionary of jieba's: lines of word, frequency and tag in UTF-8, each ended, first those with
    Latin letters, then from 一 on in the order of the words' first characters.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._begin = text.index("\n一".encode()) + 1
        self._beginning_with = functools.cache(self._read)

    def __contains__(self, word: str) -> bool:
        return word in self._beginning_with(word[0])

    def __getitem__(self, word: str) -> int:
        return self._beginning_with(word[0])[word]

    def get(self, word: str) -> int | None:
        """The frequency of `word`, None where no word begins so."""
        return self._beginning_with(word[0]).get(word)

    def _read(self, first: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for line in self._lines(first.encode()):
            word, frequency, _ = line.split(" ")
            for end in range(1, len(word)):
                found.setdefault(word[:end], 0)
            found[word] = int(frequency)
        return found

    def _lines(self, first: bytes) -> Iterator[str]:
        at = self._find(first)
        while self._text.startswith(first, at):
            end = self._text.index(b"\n", at)
            yield self._text[at:end].decode()
            at = end + 1

    def _find(self, bound: bytes) -> int:
        """Where the first line begins that is not before `bound`."""
        low, high = self._begin, len(self._text)
        while low < high:
            middle = (low + high) // 2
            line = max(self._text.rfind(b"\n", low, middle) + 1, low)
            if self._text[line : line + len(bound)] < bound:
                low = self._text.index(b"\n", middle) + 1
            else:
                high = line
        return low
