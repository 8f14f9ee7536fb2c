"""The knowledge base: finding the passage that a caller means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

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
    """Finds passages by what a caller says; shared between calls, updated while they go on.

    Of `passages` (the first revision) and all updates one index is kept. `today` decides what is valid.
    """

    def __init__(
        self,
        passages: Iterable[Passage] = (),
        today: Callable[[], date] = date.today,
        *,
        folder: Path | None = None,
    ) -> None:
        self.folder = folder
        self.revision = 0
        self._today = today
        self._passages: tuple[Passage, ...] = ()
        self._matcher = Matcher([])
        self.update(tuple(passages), revision=0)

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages, valid today or not."""
        return self._passages

    def all(self) -> Iterator[Passage]:
        """All passages, valid today or not."""
        return iter(self._passages)

    def get(self, passage_id: str) -> Passage | None:
        """The passage of that id, valid today or not."""
        return next((p for p in self._passages if p.id == passage_id), None)

    def update(
        self,
        changed: Sequence[Passage],
        removed: Collection[str] = (),
        *,
        revision: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Put in what is new or `changed`, take out the ids `removed`; searches see all of it or nothing.

        `revision` is that of the knowledge after it; `progress` is told how many of how many are done.
        """
        gone = set(removed) | {p.id for p in changed}
        passages = (*(p for p in self._passages if p.id not in gone), *changed)
        self._matcher = Matcher(
            [
                Entry((p.question, *p.phrasings), f"{p.answer}，{p.topic}，{p.department}", p.district)
                for p in passages
            ]
        )
        self._passages = passages
        self.revision = revision
        if progress:
            progress(len(changed), len(changed))

    def search(self, text: str, limit: int = 5) -> list[Hit]:
        """The passages that fit `text` best, best first; never one that is not valid today."""
        today = self._today()
        found = ((self._passages[one.entry], one) for one in self._matcher.search(text))
        hits = (Hit(passage, one.score, one.either) for passage, one in found if passage.valid_on(today))
        return list(islice(hits, limit))

    async def find(self, text: str, limit: int = 5) -> list[Hit]:
        """As search."""
        return self.search(text, limit)

    def close(self) -> None:
        """Let go of what is open; afterwards nothing may be asked."""
