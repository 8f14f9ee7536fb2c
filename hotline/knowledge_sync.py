"""Keeps this node's index of the knowledge at what the database has, while calls go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import structlog

from dialog.embeddings import EmbeddingsError
from dialog.knowledge import Knowledge
from hotline.knowledge import begin_with, passage_of
from records.store import Store

log = structlog.get_logger()

POLL_S = 2.0
_MANY = 1000  # changes at once that take long enough to be felt in calls
_BREATH_S = 0.02


def _breathe(_done: int, total: int) -> None:
    """Between a hundred passages and the next, calls have the processor to themselves."""
    if total >= _MANY:
        time.sleep(_BREATH_S)


class KnowledgeSync:
    """Follows the revision of the knowledge in the database; `knowledge` is the index that it keeps.

    Its methods but `run` block, and are safe in any thread.
    """

    def __init__(self, store: Store, knowledge: Knowledge, *, poll_s: float = POLL_S) -> None:
        self._store = store
        self._knowledge = knowledge
        self._poll_s = poll_s
        self._updating = threading.Lock()
        self._fault = ""
        self._embedded = -1  # the revision whose vectors are all there
        self._embedding_fault = ""

    def open(self, where: str, progress: Callable[[int, int], None] | None = None) -> None:
        """Fill a new database with what `where` (dialog.knowledge) names; bring the index up to date.

        Raises UsageError, RecordsError, and what the index raises when its folder cannot be written.
        """
        begin_with(self._store, where)
        self._update(progress)
        if len(self._knowledge) != self._store.count_passages():
            # The revision agrees by chance: the database is another one, or from a backup and changed since.
            log.warning("knowledge_remade", revision=self._knowledge.revision)
            with self._updating:
                self._remake(progress)

    def refresh(self) -> None:
        """Take up now what was changed, by this node or another. Raises as `open` does."""
        self._update(_breathe)

    async def run(self) -> None:
        """Look for changes until cancelled; calls go on with what there is when the database fails."""
        while True:
            await self._embed()
            await anyio.sleep(self._poll_s)
            await anyio.to_thread.run_sync(self.look)

    async def _embed(self) -> None:
        """Have the vectors of what was changed, where an endpoint gives any; else the next time."""
        revision = self._knowledge.revision
        if revision == self._embedded:
            return
        try:
            fetched = await self._knowledge.embed_missing()
        except EmbeddingsError as error:
            if str(error) != self._embedding_fault:
                log.error("knowledge_not_embedded", error=str(error))
            self._embedding_fault = str(error)
            return
        self._embedded, self._embedding_fault = revision, ""
        if fetched:
            log.info("knowledge_embedded", passages=fetched)

    def look(self) -> None:
        """Take up what was changed; a fault is logged, once, and raises nothing."""
        try:
            self.refresh()
        except Exception as error:  # whatever it is, calls go on, and it is tried again
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            if fault != self._fault:
                log.error("knowledge_not_updated", revision=self._knowledge.revision, error=fault)
            self._fault = fault
        else:
            if self._fault:
                log.info("knowledge_updated_again", revision=self._knowledge.revision)
            self._fault = ""

    def state(self) -> dict[str, Any]:
        """How far this node has got: {"revision", "passages"} of the database and {"indexed_revision",
        "indexed"} here, with the `fault` that keeps it from going on, or "". Raises RecordsError."""
        return {
            "revision": self._store.knowledge_revision(),
            "passages": self._store.count_passages(),
            "indexed_revision": self._knowledge.revision,
            "indexed": len(self._knowledge),
            "fault": self._fault or self._embedding_fault,
        }

    def _update(self, progress: Callable[[int, int], None] | None) -> None:
        with self._updating:
            newest = self._store.knowledge_revision()
            known = self._knowledge.revision
            if newest == known:
                return
            if newest < known:  # the database was restored from a backup
                log.warning("knowledge_remade", revision=known, of_the_database=newest)
                self._remake(progress)
                return
            rows, removed, newest = self._store.passages_since(known)
            changed = [passage_of(row) for row in rows]
            self._knowledge.update(changed, removed, revision=newest, progress=progress)
            tell = log.info if known else log.debug  # a first start has nothing to tell of
            tell(
                "knowledge_updated",
                revision=newest,
                changed=len(changed),
                removed=len(removed),
                passages=len(self._knowledge),
            )

    def _remake(self, progress: Callable[[int, int], None] | None) -> None:
        rows, _, newest = self._store.passages_since(0)
        passages = [passage_of(row) for row in rows]
        gone = {passage.id for passage in self._knowledge.all()} - {passage.id for passage in passages}
        self._knowledge.update(passages, gone, revision=newest, progress=progress)
