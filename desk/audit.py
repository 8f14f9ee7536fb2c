"""The audit trail, for admins."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from desk.api import PageNumber, Words
from desk.auth import only
from desk.models import Page
from desk.moments import Moment, moment
from records.store import Store


class AuditEntry(BaseModel):
    """That `who`, who is empty for a failed log-in, did `action` to `about`: a call, work order, account …"""

    id: int
    at: str
    who: str
    role: str
    action: str
    about: str
    detail: dict[str, Any]
    address: str


def audit_router(store: Store) -> APIRouter:
    """The route /api/v1/audit."""
    router = APIRouter(prefix="/api/v1/audit", tags=["accounts"], dependencies=[only("admin")])

    @router.get("", response_model=Page[AuditEntry])
    def list_entries(
        who: Words = "",
        about: Words = "",
        action: Words = "",
        from_: Annotated[Moment | None, Query(alias="from")] = None,
        to: Moment | None = None,
        page: PageNumber = 1,
    ) -> dict[str, Any]:
        """Who did what, newest first, within `from` <= at < `to`; a bare date is a whole day in China."""
        begin = moment(from_, timedelta()) if from_ else None
        end = moment(to, timedelta(days=1)) if to else None
        return store.audit.page(who.strip(), about.strip(), action.strip(), begin, end, page)

    return router
