"""The API's routes on the knowledge base."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from desk.auth import only
from desk.models import Gap, Page, Passage, PassageIn, PassageNew
from desk.trail import Noted
from records import NotFound
from records.store import Store

_KEEPERS = [only("ops", "admin")]


@dataclass(frozen=True, slots=True)
class KnowledgeIndex:
    """What finds passages on this node; all run in worker threads.

    `search` gives the best passages with their `score` for a query, best first, at most so many; `changed`
    takes up what was written to the store; `gaps` gives what was asked in vain in so many days, at most so
    many matters.
    """

    search: Callable[[str, int], list[dict[str, Any]]]
    changed: Callable[[], None]
    gaps: Callable[[int, int], list[dict[str, Any]]]


def knowledge_router(store: Store, index: KnowledgeIndex | None) -> APIRouter:
    """The routes below /api/v1/kb; without `index` nothing is searched, and 503 says so."""
    router = APIRouter(prefix="/api/v1/kb", tags=["knowledge"])

    def there() -> KnowledgeIndex:
        if index is None:
            raise HTTPException(503, "no knowledge base is loaded")
        return index

    def live(passage_id: str) -> dict[str, Any]:
        if index is not None:
            index.changed()
        return _found(store, passage_id)

    @router.get("", response_model=Page[Passage])
    def list_passages(
        q: Annotated[str, Query(max_length=500)] = "",
        limit: Annotated[int, Query(ge=1, le=50)] = 5,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> dict[str, Any]:
        """With `q` the `limit` passages that answer it best, best first; else all, newest change first."""
        if not q.strip():
            return store.passages(page=page)
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

    @router.get("/{passage_id}", response_model=Passage)
    def get_passage(passage_id: str) -> dict[str, Any]:
        """One passage."""
        return _found(store, passage_id)

    @router.post("", status_code=201, response_model=Passage, dependencies=_KEEPERS)
    def add_passage(body: PassageNew, noted: Noted) -> dict[str, Any]:
        """Add a passage; callers are told it from now on. Without `id` it gets one by its question."""
        fields = body.model_dump()
        fields["id"] = body.id or f"desk-{hashlib.sha256(body.question.encode()).hexdigest()[:8]}"
        with store.batch():
            store.add_passage(fields)
            noted("knowledge_added", fields["id"])
        return live(fields["id"])

    @router.put("/{passage_id}", response_model=Passage, dependencies=_KEEPERS)
    def change_passage(passage_id: str, body: PassageIn, noted: Noted) -> dict[str, Any]:
        """Replace a passage; what is left out becomes empty."""
        with store.batch():
            store.replace_passage({"id": passage_id, **body.model_dump()})
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
