"""Cuts text into clauses to be spoken one by one: the first is heard while the rest is being made.

The cut depends only on the text, never on how it was streamed: a clause that was spoken before is found in
the cache again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

_STRONG = frozenset("。！？；!?;…\n")
_WEAK = frozenset("，,：:")
_BETWEEN_DIGITS = frozenset(".,:：，")  # these may stand inside a number or a time
_FIRST_MIN = 2  # characters that can be heard, before a cut
_STRONG_MIN = 6
_WEAK_MIN = 14
_LONGEST = 60


async def clauses(text: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield clauses as soon as they are complete; together they are the text, less unspeakable ends.

    The first is cut at its first mark, to be heard early; later ones at a sentence's end, or at a comma once
    they are long. A number such as 1,200.50 or 8:30 is never cut.
    """
    cutter = _Cutter()
    async for piece in text:
        for clause in cutter.feed(piece):
            yield clause
    for clause in cutter.finish():
        yield clause


def split_clauses(text: str) -> list[str]:
    """The same for text that is there already."""
    cutter = _Cutter()
    return [*cutter.feed(text), *cutter.finish()]


class _Cutter:
    """Takes the text character by character; a mark after a digit waits for the next character."""

    def __init__(self) -> None:
        self._clause = ""
        self._heard = 0  # letters, digits and Han characters in _clause
        self._first = True
        self._undecided = False  # _clause ends with a digit and a mark that may go on a number

    def feed(self, text: Iterable[str]) -> Iterator[str]:
        for char in text:
            if self._undecided:
                self._undecided = False
                if not char.isdecimal() and self._long_enough(self._clause[-1]):
                    yield self._cut()
            elif self._heard >= _LONGEST and not (char.isascii() and char.isalnum()) and not _is_mark(char):
                yield self._cut()
            before = self._clause[-1:]
            self._clause += char
            self._heard += char.isalnum()
            if not _is_mark(char):
                continue
            if char in _BETWEEN_DIGITS and before.isdecimal():
                self._undecided = True
            elif self._long_enough(char):
                yield self._cut()

    def finish(self) -> Iterator[str]:
        if self._heard:
            yield self._cut()

    def _long_enough(self, mark: str) -> bool:
        if self._first:
            return self._heard >= _FIRST_MIN
        if mark in _STRONG:
            return self._heard >= _STRONG_MIN
        return mark in _WEAK and self._heard >= _WEAK_MIN

    def _cut(self) -> str:
        clause, self._clause = self._clause, ""
        self._heard, self._first = 0, False
        return clause


def _is_mark(char: str) -> bool:
    return char in _STRONG or char in _WEAK or char == "."
