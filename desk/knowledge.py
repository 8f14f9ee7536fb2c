"""The API's routes on the knowledge base."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel

from desk.auth import only
from desk.models import Gap, Page, Passage, PassageIn, PassageNew
from desk.trail import Noted
from records import NotFound
from records.store import Store

IMPORT_PATH = "/api/v1/kb/import"
MOST_UPLOAD_BYTES = 20 * 1024 * 1024
_KEEPERS = [only("ops", "admin")]
_FILE = r"^[^/\\\x00-\x1f]+\.[A-Za-z]+$"


class KnowledgeState(BaseModel):
    """`revision` and `passages` as the database has them, and as this node's index has them.

    `fault` says what keeps the index from following, "" where nothing does.
    """

    revision: int
    passages: int
    indexed_revision: int
    indexed: int
    fault: str


class Change(BaseModel):
    """A passage that an import adds, changes or removes."""

    what: Literal["new", "changed", "removed"]
    id: str
    question: str


class ImportReport(BaseModel):
    """What an import changes, in numbers, and of `changes`, `shortened` and `notes` the first hundred.

    `left` are passages of the same file that it no longer holds, and that stay; `shortened` are places of
    which only the beginning is the answer, `notes` say what somebody should look at.
    """

    new: int
    changed: int
    unchanged: int
    removed: int
    left: int
    changes: list[Change]
    shortened: list[str]
    notes: list[str]
    revision: int


@dataclass(frozen=True, slots=True)
class KnowledgeIndex:
    """What finds passages on this node; all but `upload` run in worker threads.

    `search` gives the best passages with their `score` for a query, best first, at most so many; `changed`
    takes up what was written to the store; `gaps` gives what was asked in vain in so many days, at most so
    many matters; `state` is that of GET /api/v1/kb/state. `upload` is given a file's name, its bytes, the
    scope, and what notes the change in its transaction, or None to change nothing; it gives the report of
    POST /api/v1/kb/import, and raises ValueError for a file that cannot be taken. `refused` says why a
    passage written on the desk cannot be taken, "" for one that can.
    """

    search: Callable[[str, int], list[dict[str, Any]]]
    changed: Callable[[], None]
    gaps: Callable[[int, int], list[dict[str, Any]]]
    state: Callable[[], dict[str, Any]]
    upload: Callable[[str, bytes, Any, Callable[..., None] | None], Awaitable[dict[str, Any]]]
    refused: Callable[[dict[str, Any]], str]


def knowledge_router(store: Store, index: KnowledgeIndex | None) -> APIRouter:
    """The routes below /api/v1/kb; without `index` nothing is searched, and 503 says so."""
    router = APIRouter(prefix="/api/v1/kb", tags=["knowledge"])

    def there() -> KnowledgeIndex:
        if index is None:
            raise HTTPException(503, "no knowledge base is loaded")
        return index

    def taken(fields: dict[str, Any]) -> dict[str, Any]:
        if index is not None and (why := index.refused(fields)):
            raise HTTPException(422, why)
        return fields

    def live(passage_id: str) -> dict[str, Any]:
        if index is not None:
            index.changed()
        return _found(store, passage_id)

    @router.get("", response_model=Page[Passage])
    def list_passages(
        q: Annotated[str, Query(max_length=500)] = "",
        contains: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=50)] = 5,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> dict[str, Any]:
        """With `q` the `limit` passages that answer it best, best first; else all, newest change first.

        `contains` keeps those with these words in question, answer or source, or this id; also expired ones.
        """
        if not q.strip():
            return store.passages(contains.strip(), page)
        found = there().search(q.strip(), limit)
        return {"items": found, "total": len(found), "page": 1}

    @router.get("/gaps", response_model=Page[Gap], dependencies=_KEEPERS)
    def list_gaps(
        days: Annotated[int, Query(ge=1, le=3650)] = 30,
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    ) -> dict[str, Any]:
        """What callers asked that had no answer, in their words; what was asked in most calls first."""
        found = there().gaps(days, limit)
        return {"items": found, "total": len(found), "page": 1}

    @router.get("/state", response_model=KnowledgeState, dependencies=_KEEPERS)
    def get_state() -> dict[str, Any]:
        """Whether this node answers from the newest knowledge; other nodes follow within seconds too."""
        return there().state()

    @router.post("/import", response_model=ImportReport, dependencies=_KEEPERS)
    async def import_file(
        request: Request,
        noted: Noted,
        name: Annotated[str, Query(max_length=200, pattern=_FILE)],
        scope: Literal["add", "replace"] = "add",
        dry_run: bool = True,
    ) -> dict[str, Any]:
        """Put the body, a file, into the knowledge base, all or none; with `dry_run` only its report."""
        index, data = there(), await request.body()
        keep = None if dry_run else partial(noted, "knowledge_imported", name)
        try:
            return await index.upload(name, data, scope, keep)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    @router.get("/{passage_id}", response_model=Passage)
    def get_passage(passage_id: str) -> dict[str, Any]:
        """One passage."""
        return _found(store, passage_id)

    @router.post("", status_code=201, response_model=Passage, dependencies=_KEEPERS)
    def add_passage(body: PassageNew, noted: Noted) -> dict[str, Any]:
        """Add a passage; callers are told it from now on. Without `id` it gets one by its question."""
        fields = taken(body.model_dump())
        fields["id"] = body.id or f"desk-{hashlib.sha256(body.question.encode()).hexdigest()[:8]}"
        with store.batch():
            store.add_passage(fields)
            noted("knowledge_added", fields["id"])
        return live(fields["id"])

    @router.put("/{passage_id}", response_model=Passage, dependencies=_KEEPERS)
    def change_passage(passage_id: str, body: PassageIn, noted: Noted) -> dict[str, Any]:
        """Replace a passage; what is left out becomes empty."""
        with store.batch():
            store.replace_passage({"id": passage_id, **taken(body.model_dump())})
            noted("knowledge_changed", passage_id)
        return live(passage_id)

    @router.delete("/{passage_id}", status_code=204, dependencies=_KEEPERS)
    def remove_passage(passage_id: str, noted: Noted) -> Response:
        """Remove a passage; nobody is told it from now on."""
        with store.batch():
            store.remove_passages([passage_id])
            noted("knowledge_removed", passage_id)
        if index is not None:
            index.changed()
        return Response(status_code=204)

    return router


def _found(store: Store, passage_id: str) -> dict[str, Any]:
    found = store.passage(passage_id)
    if found is None:
        raise NotFound(f"there is no passage {passage_id}")
    return found
