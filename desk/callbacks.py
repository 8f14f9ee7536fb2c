"""Call-backs on the desk: who is to be rung, by which seat, what came of it; new, changed, closed ones.

The role seat sees and changes those that its own seat takes, or any seat.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from desk.api import PageNumber, Words, is_own
from desk.auth import Identity, Me, only
from desk.models import Page, TransferSummary
from desk.moments import DueTime
from desk.requests import Body
from desk.trail import Noted
from records import NotFound
from records.store import Store

Status = Literal["", "open", "waiting", "dialling", "done", "failed", "cancelled"]
Reason = Literal["", "promised", "abandoned", "satisfaction"]
SeatId = Annotated[str, Field(max_length=64)]
Request = Annotated[str, Field(max_length=500)]


class Callback(BaseModel):
    """One call-back; `call_id` is the call that it comes from, `done_in` the one in which it was made.

    `result` is the last attempt's: connected, reached (the caller rang again and was served), answered,
    partly, wrong_person, refused, hung_up, busy, declined, no_answer, unreachable, no_seat, not_confirmed …;
    or what somebody who closed it gave, with a `note`: handled, not_reached, not_wanted. `answers` has what a
    script asked, as {"value", "said"} each. `seat` is the one that takes it, "" for any.
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
    seat: str
    note: str
    created_at: str
    updated_at: str


class CallbackIn(Body):
    """Who shall be called back; `request` is what the seat is told, `due_at` not before when, `seat` by whom.

    With a `script` the agent itself asks, and no seat takes it.
    """

    caller: Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]
    request: Request = ""
    call_id: Annotated[str, Field(max_length=100)] = ""
    skill: Annotated[str, Field(max_length=100)] = ""
    due_at: DueTime | None = None
    script: Literal["", "satisfaction"] = ""
    seat: SeatId = ""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.script and self.seat:
            raise ValueError("the agent itself asks with a script: leave out seat, or script")
        return self


class CallbackPatch(Body):
    """What to change of one that waits; what is left out stays. `seat` "" is any."""

    model_config = ConfigDict(extra="forbid")

    seat: SeatId | None = None
    due_at: DueTime | None = None
    request: Request | None = None


class Closed(Body):
    """What came of one that was seen to otherwise."""

    model_config = ConfigDict(extra="forbid")

    result: Literal["handled", "not_reached", "not_wanted"]
    note: Annotated[str, Field(max_length=500)] = ""


def callbacks_router(store: Store, *, can_ring: bool = True) -> APIRouter:
    """The routes below /api/v1/callbacks; `can_ring`: there is a trunk that people can be rung through."""
    everyone = [only("seat", "ops", "admin")]
    router = APIRouter(prefix="/api/v1/callbacks", tags=["callbacks"], dependencies=everyone)

    def ringing_or_409() -> None:
        if not can_ring:
            raise HTTPException(409, "nobody can be called back: there is no trunk; name one in sip.trunks")

    @router.get("", response_model=Page[Callback])
    def list_callbacks(
        me: Me,
        status: Status = "",
        reason: Reason = "",
        seat: Words = "",
        caller: Words = "",
        page: PageNumber = 1,
    ) -> dict[str, Any]:
        """Call-backs, newest first; `open` those that wait or are being dialled, the one due next first."""
        found = {"reason": reason, "seat": seat.strip(), "caller": caller.strip()}
        return store.callbacks.page(status, page, **found, of_seats=_seats_of(store, me))

    @router.get("/{callback_id}", response_model=Callback)
    def get_callback(callback_id: str, me: Me) -> dict[str, Any]:
        """One of them."""
        return _find(store, callback_id, me)

    @router.post("", response_model=Callback, status_code=201)
    def promise(body: CallbackIn, me: Me, noted: Noted) -> dict[str, Any]:
        """Have somebody called back; who is to be already keeps the same one, with the newer matter.

        409 where there is no trunk to ring people through.
        """
        ringing_or_409()
        _may_give(store, body.seat, me)
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
            if body.seat or body.due_at:  # of one that waited already, too
                store.callbacks.change(id_, seat=body.seat or None, due_at=body.due_at)
        return _find(store, id_, None)

    @router.patch("/{callback_id}", response_model=Callback)
    def change(callback_id: str, body: CallbackPatch, me: Me, noted: Noted) -> dict[str, Any]:
        """Give one that waits to a seat, which is rung for it alone, or change its time or matter."""
        _find(store, callback_id, me)
        _may_give(store, body.seat or "", me)
        fields = body.model_dump(exclude_none=True)
        with store.batch():
            changed = store.callbacks.change(callback_id, **fields)
            given = {"seat": body.seat} if body.seat is not None else {}
            noted("callback_changed", callback_id, fields=sorted(fields), **given)
        return changed

    @router.post("/{callback_id}/cancel", response_model=Callback)
    def cancel(callback_id: str, me: Me, noted: Noted) -> dict[str, Any]:
        """Nobody is called back; 409 where it is being dialled or is over."""
        _find(store, callback_id, me)
        with store.batch():
            cancelled = store.callbacks.cancel(callback_id)
            noted("callback_cancelled", callback_id)
        return cancelled

    @router.post("/{callback_id}/close", response_model=Callback)
    def close(callback_id: str, body: Closed, me: Me, noted: Noted) -> dict[str, Any]:
        """Close one that waits, or was rung in vain; 409 where it is being dialled or is over."""
        _find(store, callback_id, me)
        with store.batch():
            closed = store.callbacks.close(callback_id, body.result, body.note)
            noted("callback_closed", callback_id, result=body.result)
        return closed

    @router.post("/{callback_id}/reopen", response_model=Callback)
    def reopen(callback_id: str, me: Me, noted: Noted) -> dict[str, Any]:
        """Ring one again that has failed or was cancelled; 409 otherwise, or where there is no trunk."""
        ringing_or_409()
        _find(store, callback_id, me)
        with store.batch():
            opened = store.callbacks.reopen(callback_id)
            noted("callback_reopened", callback_id)
        return opened

    return router


def _seats_of(store: Store, me: Identity) -> list[str] | None:
    """The seats that the role seat works at; None for who may do everything."""
    return [seat["id"] for seat in store.seats() if is_own(seat, me)] if me.role == "seat" else None


def _find(store: Store, callback_id: str, me: Identity | None) -> dict[str, Any]:
    """Raises NotFound, and 403 where another seat takes it."""
    found = store.callbacks.get(callback_id)
    if found is None:
        raise NotFound(f"there is no call-back {callback_id}")
    own = _seats_of(store, me) if me else None
    if found["seat"] and own is not None and found["seat"] not in own:
        raise HTTPException(403, f"the seat {found['seat']} takes the call-back {callback_id}")
    return found


def _may_give(store: Store, seat: str, me: Identity) -> None:
    own = _seats_of(store, me)
    if seat and own is not None and seat not in own:
        raise HTTPException(403, f"{me.name} does not work at the seat {seat}; ops and admins give to others")
