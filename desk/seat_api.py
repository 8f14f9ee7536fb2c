"""The API's routes for people at seats: taking a seat, answering, commands in a call, and what they see."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response

from desk.api import is_own
from desk.auth import Identity, Me
from desk.models import (
    CallCommand,
    History,
    Page,
    Seat,
    SeatAnswer,
    SeatCallItem,
    Waiting,
    Workplace,
)
from desk.moments import Day
from desk.trail import Noted
from records import CHINA, NotFound, china_now, to_iso
from records.store import Store

A_DAY = timedelta(days=1)
Number = Annotated[str, Path(max_length=64)]


def seat_router(store: Store, wrap_up_s: float | None = None) -> APIRouter:
    """The routes of the seat's page; `wrap_up_s` is a seat's time between two calls, where it is known."""
    router = APIRouter(prefix="/api/v1", tags=["seats"])

    def own(seat_id: str, me: Identity) -> dict[str, Any]:
        """The seat; the role seat only gets its own."""
        seat = _find(store, seat_id)
        if me.role == "seat" and not is_own(seat, me):
            raise HTTPException(403, f"{me.name} does not work at the seat {seat_id}")
        return seat

    @router.get("/workplace", response_model=Workplace)
    def get_workplace(me: Me) -> dict[str, Any]:
        """Where the sender works now, and how long the queue is."""
        mine = [seat for seat in store.seats() if is_own(seat, me)]
        mine.sort(key=lambda seat: seat["user"] != me.name)
        return {
            "name": me.name,
            "role": me.role,
            "seat": mine[0] if mine else None,
            "wrap_up_s": wrap_up_s,
            "waiting": len(store.queue.waiting()),
            "now": to_iso(datetime.now(timezone.utc)),
        }

    @router.post("/seats/{seat_id}/login", response_model=Seat)
    def take_seat(seat_id: str, me: Me, noted: Noted) -> dict[str, Any]:
        """Work at a seat, and at no other; 409 while another account works there and is not away."""
        with store.batch():
            store.workplace.take(seat_id, me.name)
            noted("seat_taken", seat_id)
        return _find(store, seat_id)

    @router.post("/seats/{seat_id}/logout", response_model=Seat)
    def leave_seat(seat_id: str, me: Me, noted: Noted) -> dict[str, Any]:
        """Leave a seat, which is away then; 409 while it is in a call."""
        own(seat_id, me)
        with store.batch():
            store.workplace.leave(seat_id)
            noted("seat_left", seat_id)
        return _find(store, seat_id)

    @router.post("/seats/{seat_id}/answer", response_model=Seat)
    def answer(seat_id: str, body: SeatAnswer, me: Me) -> dict[str, Any]:
        """Take or decline the call that the seat rings for; 409 when it does not ring for it (any more)."""
        seat = own(seat_id, me)
        another = body.call_id is not None and body.call_id != seat["call_id"]
        if another or not store.set_verdict(seat_id, body.verdict):
            raise HTTPException(409, f"the seat {seat_id} does not ring for this call")
        return _find(store, seat_id)

    @router.post("/calls/{call_id}/commands", status_code=202)
    def command(call_id: str, body: CallCommand, me: Me) -> Response:
        """Ask for something in a running call; for the seat that talks in it, ops and admins."""
        talking = [s for s in store.seats() if s["call_id"] == call_id and s["status"] == "talking"]
        if not talking and store.call(call_id) is None:
            raise NotFound(f"there is no call {call_id}")
        if me.role == "seat" and not any(is_own(seat, me) for seat in talking):
            raise HTTPException(403, f"{me.name} is not in the call {call_id}")
        if not talking:
            raise HTTPException(409, f"no seat talks in the call {call_id}")
        if body.detail.seat:
            _find(store, body.detail.seat)
        store.commands.give(call_id, body.action, body.detail.model_dump(exclude_defaults=True), me.name)
        return Response(status_code=202)

    @router.get("/seats/{seat_id}/calls", response_model=Page[SeatCallItem])
    def calls_of_seat(seat_id: str, me: Me, day: Day | None = None) -> dict[str, Any]:
        """The calls that a seat was rung for, newest first: of one day in China, or of the last 24 hours."""
        own(seat_id, me)
        since = datetime.combine(day, time(), CHINA) if day else china_now() - A_DAY
        return _page(store.workplace.calls(seat_id, since, since + A_DAY))

    @router.get("/queue", response_model=Page[Waiting])
    def queue() -> dict[str, Any]:
        """Who waits for a seat, the next one first."""
        return _page(store.queue.waiting())

    @router.get("/callers/{number}/history", response_model=History)
    def history(number: Number) -> dict[str, Any]:
        """The ten newest calls and the ten newest open work orders of a telephone number."""
        calls, tickets = store.workplace.history(number)
        return {"calls": [{**call, "recording": ""} for call in calls], "tickets": tickets}

    return router


def _find(store: Store, seat_id: str) -> dict[str, Any]:
    for seat in store.seats():
        if seat["id"] == seat_id:
            return seat
    raise NotFound(f"there is no seat {seat_id}")


def _page(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "items": [{**item, "recording": ""} if "recording" in item else item for item in items],
        "total": len(items),
        "page": 1,
    }
