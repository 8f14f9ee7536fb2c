"""The outbox as ops see it: what waits for the city's own system, what failed, and sending it again."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from desk.api import PageNumber, Words
from desk.auth import only
from desk.models import Page
from desk.trail import Noted
from records.store import Store


class OutboxMessage(BaseModel):
    """A message to the city's system; `about` is the work order's number, `taken_by` the node sending it now.

    `next_at` is when it is sent, or sent again; null where that will not be.
    """

    id: int
    key: str
    kind: str
    about: str
    status: Literal["waiting", "failed", "sent"]
    attempts: int
    next_at: str | None
    taken_by: str
    last_error: str
    created_at: str
    sent_at: str | None


class Retried(BaseModel):
    """How many messages are sent again."""

    retried: int


def outbox_router(store: Store) -> APIRouter:
    """The routes below /api/v1/outbox."""
    router = APIRouter(prefix="/api/v1/outbox", tags=["work orders"], dependencies=[only("ops", "admin")])

    @router.get("", response_model=Page[OutboxMessage])
    def list_messages(
        status: Literal["", "waiting", "failed", "sent"] = "", ticket: Words = "", page: PageNumber = 1
    ) -> dict[str, Any]:
        """Messages to the city's system, newest first; what was taken is listed for a week."""
        return store.outbox.page(status, ticket.strip(), page)

    @router.post("/retry", response_model=Retried)
    def retry_failed(noted: Noted) -> dict[str, int]:
        """Send all that have failed for good again at once."""
        with store.batch():
            retried = store.outbox.retry_failed()
            noted("messages_retried", count=retried)
        return {"retried": retried}

    @router.post("/{message_id}/retry", response_model=OutboxMessage)
    def retry(message_id: int, noted: Noted) -> dict[str, Any]:
        """Send a message again at once; 409 where it was taken or is being sent now."""
        with store.batch():
            message = store.outbox.retry(message_id)
            noted("message_retried", message["about"])
        return message

    return router
