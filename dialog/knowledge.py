"""The knowledge base: finding the passage that a caller means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dialog.knowledge_index import PassageIndex
from dialog.passages import Passage
from dialog.wording import canonical


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

    Its index is kept in `folder`, where a restart finds it again (`revision` tells what it holds, 0 nothing),
    or in memory. `passages` are put in where it holds nothing yet. `today` decides which are valid.
    """

    def __init__(
        self,
        passages: Iterable[Passage] = (),
        today: Callable[[], date] = date.today,
        *,
        folder: Path | None = None,
    ) -> None:
        self._today = today
        self._index = PassageIndex(folder)
        self._writing = threading.Lock()
        given = () if self.revision else tuple(passages)
        if given:
            self.update(given, revision=1)

    def __len__(self) -> int:
        return len(self._index.view)

    @property
    def revision(self) -> int:
        """Of the knowledge that the index holds; 0 while it holds nothing."""
        return self._index.revision

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages, valid today or not; for small knowledge bases: use `get` and `all`."""
        return tuple(self.all())

    def all(self) -> Iterator[Passage]:
        """All passages, valid today or not."""
        return self._index.view.all()

    def get(self, passage_id: str) -> Passage | None:
        """The passage of that id, valid today or not."""
        return self._index.view.get(passage_id)

    def update(
        self,
        changed: Sequence[Passage],
        removed: Collection[str] = (),
        *,
        revision: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Put in what is new or `changed`, take out the ids `removed`; searches see all of it or nothing.

        `revision` is that of the knowledge after it; `progress` is told how many of how many are done. Takes
        a minute for 100,000 passages, so off the event loop; searches go on meanwhile.
        """
        with self._writing:
            self._index.write(changed, removed, revision, progress)

    def search(self, text: str, limit: int = 5) -> list[Hit]:
        """The passages that fit `text` best, best first; never one that is not valid today."""
        view = self._index.view
        found = view.search(canonical(text), self._today())[:limit]
        return [Hit(view.passage(one.at), one.score, one.either) for one in found]

    async def find(self, text: str, limit: int = 5) -> list[Hit]:
        """As search."""
        return self.search(text, limit)

    def close(self) -> None:
        """Let go of what is open; afterwards nothing may be asked."""
