"""A file put into the knowledge base from the desk: read in a process of its own: no call feels it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_process
import anyio.to_thread
import structlog

from dialog.documents import Reading, read_files
from dialog.passages import KnowledgeError
from hotline.knowledge_import import Plan, Scope, carry_out, plan
from records.store import Store

log = structlog.get_logger()

READ_S = 120.0
MOST = 100  # changes, shortened answers and notes that a report names

Keep = Callable[..., None]


class Uploads:
    """Takes files from the desk, one after another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = anyio.CapacityLimiter(1)

    async def __call__(self, name: str, data: bytes, scope: Scope, keep: Keep | None) -> dict[str, Any]:
        """What the file `name` with `data` changes in the knowledge base; done, too, where `keep` is given.

        `keep` writes down that it was done, in the same transaction. The report is that of
        POST /api/v1/kb/import. Raises ValueError where the file cannot be taken, RecordsError.
        """
        try:
            with anyio.fail_after(READ_S):
                reading = await anyio.to_process.run_sync(
                    read_upload, name, data, cancellable=True, limiter=self._one
                )
        except KnowledgeError as error:
            raise ValueError(str(error)) from error
        except anyio.BrokenWorkerProcess as error:
            log.error("knowledge_reader_died", error=str(error))
            raise ValueError(f"{name}: reading it needs too much memory; divide it") from error
        except TimeoutError as error:
            raise ValueError(
                f"{name}: reading it took more than {READ_S:.0f} s; divide it, or use hotline kb import"
            ) from error
        return await anyio.to_thread.run_sync(partial(self._take, reading, scope, keep))

    def _take(self, reading: Reading, scope: Scope, keep: Keep | None) -> dict[str, Any]:
        todo = plan(self._store, reading.passages, scope)
        revision = todo.revision
        if keep is not None:
            with self._store.batch():
                revision = carry_out(self._store, todo)
                keep(new=len(todo.new), changed=len(todo.changed), removed=len(todo.removed))
        return _report(reading, todo, revision)


def read_upload(name: str, data: bytes) -> Reading:
    """What a file holds. Raises KnowledgeError, which names the file and the place in it."""
    with tempfile.TemporaryDirectory(prefix="hotline-upload-") as folder:
        file = Path(folder) / Path(name).name
        file.write_bytes(data)
        inside = folder + os.sep
        try:
            reading = read_files([file])
        except KnowledgeError as error:
            raise KnowledgeError(str(error).replace(inside, "")) from None
    bare = {
        field: tuple(line.replace(inside, "") for line in getattr(reading, field))
        for field in ("shortened", "notes")
    }
    return Reading(reading.passages, **bare)


def _report(reading: Reading, todo: Plan, revision: int) -> dict[str, Any]:
    changes = [{"what": "new", "id": one.id, "question": one.question} for one in todo.new[:MOST]]
    changes += [{"what": "changed", "id": one.id, "question": one.question} for one in todo.changed[:MOST]]
    changes += [{"what": "removed", "id": one, "question": ""} for one in todo.removed[:MOST]]
    return {
        "new": len(todo.new),
        "changed": len(todo.changed),
        "unchanged": todo.unchanged,
        "removed": len(todo.removed),
        "left": len(todo.left),
        "changes": changes[:MOST],
        "shortened": list(reading.shortened[:MOST]),
        "notes": list(reading.notes[:MOST]),
        "revision": revision,
    }
