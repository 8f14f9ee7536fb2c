"""What is said in other words: the thesaurus of city life.

thesaurus.txt holds words that callers and officials use for one another, plain Chinese, of no city. What a
city's callers say of a matter of its own belongs into the phrasings of that passage.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dialog.coverage import heard
from dialog.wording import rewritten

FILE = "thesaurus.txt"
_SOUNDS_FROM = 3  # syllables from which on a word is also known by its sound


class Named(NamedTuple):
    """A word of the thesaurus in a text, from character `start` to before `end`: of which groups."""

    start: int
    end: int
    groups: frozenset[int]


class Thesaurus(NamedTuple):
    """Groups of words used for one another, and in which groups a word is, as written and as heard."""

    groups: tuple[tuple[str, ...], ...]
    written: dict[str, frozenset[int]]
    sounds: dict[str, frozenset[int]]
    sizes: dict[str, tuple[int, ...]]  # of the words that begin with two characters, how long they are
    heard_sizes: dict[str, tuple[int, ...]]  # the same of their sounds

    def named(self, text: str, sound: str) -> list[Named]:
        """The words in canonical `text`, which sounds like `sound`, but those inside longer ones."""
        found = _words(text, self.written, self.sizes)
        spans = {one[:2] for one in found}
        by_sound = _words(sound, self.sounds, self.heard_sizes)
        found += [one for one in by_sound if one[:2] not in spans]
        return [one for one in sorted(found) if not any(_inside(one, other) for other in found)]

    def groups_in(self, text: str) -> frozenset[int]:
        """The groups of all words in canonical `text`."""
        return frozenset().union(*(one.groups for one in _words(text, self.written, self.sizes)))


def _words(text: str, known: dict[str, frozenset[int]], sizes: dict[str, tuple[int, ...]]) -> list[Named]:
    """The `known` words in a text, from the first to the last."""
    return [
        Named(at, at + size, known[text[at : at + size]])
        for at in range(len(text) - 1)
        for size in sizes.get(text[at : at + 2], ())
        if text[at : at + size] in known
    ]


def _inside(one: Named, other: Named) -> bool:
    longer = other.end - other.start > one.end - one.start
    return longer and other.start <= one.start and one.end <= other.end


@lru_cache(maxsize=1)
def thesaurus() -> Thesaurus:
    """That of thesaurus.txt, in canonical words; single characters stand for too much and are left out."""
    rows = [[rewritten(word) for word in line] for line in _lines(FILE)]
    groups = tuple(tuple(dict.fromkeys(word for word in row if len(word) > 1)) for row in rows)
    written: dict[str, frozenset[int]] = {}
    sounds: dict[str, frozenset[int]] = {}
    for number, group in enumerate(groups):
        for word in group:
            written[word] = written.get(word, frozenset()) | {number}
            if len(word) >= _SOUNDS_FROM:
                sound = heard(word)
                sounds[sound] = sounds.get(sound, frozenset()) | {number}
    return Thesaurus(groups, written, sounds, _sizes(written), _sizes(sounds))


def _sizes(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    sizes: dict[str, set[int]] = {}
    for word in words:
        sizes.setdefault(word[:2], set()).add(len(word))
    return {begin: tuple(sorted(found)) for begin, found in sizes.items()}


def _lines(name: str) -> list[list[str]]:
    """The words of each line; lines that begin with # are comments."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]
