"""Call-backs on the desk: who is to be rung, what came of it; a new one; one that is no longer wanted."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from desk.api import PageNumber
from desk.auth import only
from desk.models import Page, TransferSummary
from desk.trail import Noted
from records.store import Store


class Callback(BaseModel):
    """One call-back; `call_id` is the call that it comes from, `done_in` the one in which it was made.

    `result` is the last attempt's: connected, reached (the caller rang again and was served), answered,
    partly, wrong_person, refused, hung_up, busy, declined, no_answer, unreachable, no_seat, not_confirmed …
    `answers` has what a script asked, as {"value", "said"} each.
    """

    id: str
    reason: str
    call_id: str
    caller: str
    skill: str
    summary: TransferSummary
    script: str
    status: Literal["waiting", "dialling", "done", "failed", "cancelled"]
    due_at: str
    attempts: int
    node: str
    result: str
    answers: dict[str, Any]
    done_in: str
    created_at: str
    updated_at: str


class CallbackIn(BaseModel):
    """Who shall be called back; `request` is what the seat is told, `due_at` not before when.

    With a `script` the agent itself asks.
    """

    caller: Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]
    request: Annotated[str, Field(max_length=500)] = ""
    call_id: Annotated[str, Field(max_length=100)] = ""
    skill: Annotated[str, Field(max_length=100)] = ""
    due_at: AwareDatetime | None = None
    script: Literal["", "satisfaction"] = ""


def callbacks_router(store: Store) -> APIRouter:
    """The routes below /api/v1/callbacks."""
    everyone = [only("seat", "ops", "admin")]
    router = APIRouter(prefix="/api/v1/callbacks", tags=["callbacks"], dependencies=everyone)

    @router.get("", response_model=Page[Callback])
    def list_callbacks(
        status: Literal["", "waiting", "dialling", "done", "failed", "cancelled"] = "", page: PageNumber = 1
    ) -> dict[str, Any]:
        """Call-backs, newest first."""
        return store.callbacks.page(status, page)

    @router.post("", response_model=Callback, status_code=201)
    def promise(body: CallbackIn, noted: Noted) -> dict[str, Any] | None:
        """Have somebody called back; who is to be already keeps the same one, with the newer matter."""
        with store.batch():
            id_ = store.callbacks.promise(
                f"desk:{secrets.token_hex(8)}",
                reason="satisfaction" if body.script else "promised",
                call_id=body.call_id,
                caller=body.caller,
                skill=body.skill,
                summary={"caller": body.caller, "request": body.request},
                due_at=body.due_at or datetime.now(timezone.utc),
                script=body.script,
            )
            noted("callback_promised", id_)
        return store.callbacks.get(id_)

    @router.post("/{callback_id}/cancel", response_model=Callback)
    def cancel(callback_id: str, noted: Noted) -> dict[str, Any]:
        """Nobody is called back; 409 where it is being dialled or is over."""
        with store.batch():
            cancelled = store.callbacks.cancel(callback_id)
            noted("callback_cancelled", callback_id)
        return cancelled

    return router
