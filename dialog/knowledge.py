"""The knowledge base: finding the passage that a caller means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from dialog.embeddings import BATCH, Embedder, EmbeddingsError
from dialog.knowledge_index import PassageIndex
from dialog.orders import is_hostile
from dialog.passages import Passage
from dialog.vectors import Vectors, embedded_text
from dialog.wording import canonical

NEAR = 16  # passages whose vectors are nearest are candidates, whatever their words


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
        embedder: Embedder | None = None,
    ) -> None:
        self._today = today
        self._index = PassageIndex(folder / "words" if folder else None)
        self._embedder = embedder
        vectors_folder = folder / "vectors" if folder else None
        self._vectors = Vectors(vectors_folder, embedder.model) if embedder else None
        self._writing = threading.Lock()
        self._log = structlog.get_logger(__name__)
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
        for passage in filter(is_hostile, changed):
            self._log.warning("passage_gives_orders", passage=passage.id)
        with self._writing:
            self._index.write(changed, removed, revision, progress)

    def search(self, text: str, limit: int = 5) -> list[Hit]:
        """The passages that fit `text` best, best first; none that is not valid today or gives orders."""
        return self._hits(text, limit, ())

    def _hits(self, text: str, limit: int, near: Sequence[int]) -> list[Hit]:
        view = self._index.view
        found = view.search(canonical(text), self._today(), near)
        hits = (Hit(view.passage(one.at), one.score, one.either) for one in found)
        return list(islice((hit for hit in hits if not is_hostile(hit.passage)), limit))

    async def find(self, text: str, limit: int = 5) -> list[Hit]:
        """As search, and by the meaning of the words where an endpoint for embeddings is there in time."""
        near: tuple[int, ...] = ()
        if self._embedder is not None and self._vectors is not None and len(self._vectors):
            vector = await self._embedder.query(text)
            near = tuple(self._vectors.near(vector, NEAR)) if vector is not None else ()
        return self._hits(text, limit, near)

    async def embed_missing(self) -> int:
        """Fetch the vectors of passages that have none; how many. To be called after every update.

        Does nothing without an embedder. What it fetched before it failed is kept. Raises EmbeddingsError.
        """
        if self._embedder is None or self._vectors is None:
            return 0
        view, vectors = self._index.view, self._vectors
        wanted = await anyio.to_thread.run_sync(lambda: set(view.vector_names()))
        missing = sorted(vectors.missing(wanted))
        try:
            for at in range(0, len(missing), BATCH):
                named = [(name, view.named(name)) for name in missing[at : at + BATCH]]
                batch = {name: embedded_text(passage) for name, passage in named if passage}
                found = await self._embedder.embed(list(batch.values()))
                try:
                    await anyio.to_thread.run_sync(vectors.add, list(batch), found)
                except ValueError as error:
                    raise EmbeddingsError(f"{error}: was the model exchanged? Empty the folder") from error
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(vectors.settle, wanted)
        return len(missing)

    def close(self) -> None:
        """Let go of what is open; afterwards nothing may be asked."""
