"""The knowledge base: finding the passage that a caller means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import islice

from dialog.matching import Entry, Matcher
from dialog.passages import Passage


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found; `score`, how likely it is the one meant, 0..1, is comparable between queries.

    `either` is how likely it is this passage or the next best: two may be too alike to tell.
    """

    passage: Passage
    score: float
    either: float


class Knowledge:
    """Finds passages by what a caller says; immutable, safe to share between calls."""

    def __init__(self, passages: Iterable[Passage], today: Callable[[], date]) -> None:
        self.passages = tuple(passages)
        self._today = today
        self._matcher = Matcher(
            [
                Entry((p.question, *p.phrasings), f"{p.answer}，{p.topic}，{p.department}", p.district)
                for p in self.passages
            ]
        )

    def search(self, text: str, limit: int = 5) -> list[Hit]:
        """The passages that fit `text` best, best first; never one that is not valid today."""
        today = self._today()
        found = ((self.passages[one.entry], one) for one in self._matcher.search(text))
        hits = (Hit(passage, one.score, one.either) for passage, one in found if passage.valid_on(today))
        return list(islice(hits, limit))
