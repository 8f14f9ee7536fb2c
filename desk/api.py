"""The API's routes on calls, work orders and seats.

Plain (not async) routes run in worker threads, so the store never holds up the event loop.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from desk.auth import Identity, Me, only
from desk.models import (
    Call,
    CallItem,
    Page,
    RecordingAction,
    RecordingState,
    Seat,
    SeatIn,
    SeatStatus,
    Ticket,
    TicketIn,
    TicketPatch,
)
from desk.moments import Moment, moment
from desk.trail import Noted
from desk.wav import wav_response
from records import NotFound, export
from records.keys import Keys
from records.playback import find_recording, open_recording
from records.store import Store

PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
Words = Annotated[str, Query(max_length=200)]


def calls_router(
    store: Store,
    recordings_dir: Path,
    keys: Keys | None = None,
    pause_recording: Callable[[str, bool, str], None] | None = None,
) -> APIRouter:
    """The routes below /api/v1/calls."""
    router = APIRouter(prefix="/api/v1/calls", tags=["calls"])

    @router.get("", response_model=Page[CallItem])
    def list_calls(
        from_: Annotated[Moment | None, Query(alias="from")] = None,
        to: Moment | None = None,
        caller: Words = "",
        q: Words = "",
        outcome: Words = "",
        page: PageNumber = 1,
    ) -> dict[str, Any]:
        """Calls, newest first, started within `from` <= … < `to`; a bare date is a whole day in China."""
        begin = moment(from_, timedelta()) if from_ else None
        end = moment(to, timedelta(days=1)) if to else None
        found = store.calls(begin, end, caller.strip(), q.strip(), outcome, page)
        return {**found, "items": [_shown(call) for call in found["items"]]}

    @router.get("/{call_id}", response_model=Call)
    def get_call(call_id: str) -> dict[str, Any]:
        """One call with its turns, events and transfer."""
        return _shown(_find_call(store, call_id))

    @router.head("/{call_id}/recording.wav", include_in_schema=False)
    @router.get(
        "/{call_id}/recording.wav",
        response_class=Response,
        responses={200: {"content": {"audio/wav": {}}}},
    )
    def get_recording(
        call_id: str,
        request: Request,
        me: Me,
        noted: Noted,
        range_: Annotated[str | None, Header(alias="range")] = None,
    ) -> Response:
        """Stereo WAV, left the caller, right the agent or seat; as far as it goes while the call runs.

        Ops and admins hear every call, a seat those that it is in or has had.
        """
        call = _find_call(store, call_id)
        if me.role == "seat" and not _has_had(me, call, store.seats()):
            raise HTTPException(
                403, "a seat hears the calls that it is in or has had; ops and admins hear all"
            )
        path = find_recording(recordings_dir, call["recording"])
        if path is None:
            raise HTTPException(404, "this call has no recording")
        if request.method == "GET":
            noted.listening(call_id)
        return wav_response(open_recording(path, keys), range_, head=request.method == "HEAD")

    @router.post("/{call_id}/recording", response_model=RecordingState)
    async def change_recording(call_id: str, body: RecordingAction, me: Me, noted: Noted) -> dict[str, Any]:
        """Pause a running call's recording while a card or ID number is said, and resume it after."""
        if pause_recording is None:
            raise NotFound(f"the call {call_id} does not run on this node")
        pause_recording(call_id, body.action == "pause", me.name)  # first: a pause is not to wait
        await anyio.to_thread.run_sync(noted, f"recording_{body.action}d", call_id)
        return {"call_id": call_id, "paused": body.action == "pause"}

    @router.get("/{call_id}/vcon", dependencies=[only("ops", "admin")])
    def get_vcon(call_id: str, request: Request, noted: Noted) -> Response:
        """The call as vCon (IETF draft-ietf-vcon-vcon-core)."""
        call = _find_call(store, call_id)
        ticket = store.ticket(call["ticket_id"]) if call["ticket_id"] else None
        url = str(request.base_url).rstrip("/") + _recording_path(call)
        path = find_recording(recordings_dir, call["recording"])
        made = export.vcon(call, ticket=ticket, recording=path, recording_url=url, keys=keys)
        noted("export", call_id, format="vcon")
        return JSONResponse(made, media_type="application/vcon+json")

    return router


def tickets_router(store: Store) -> APIRouter:
    """The routes below /api/v1/tickets."""
    router = APIRouter(prefix="/api/v1/tickets", tags=["work orders"])

    @router.get("", response_model=Page[Ticket])
    def list_tickets(
        status: Words = "", caller: Words = "", department: Words = "", q: Words = "", page: PageNumber = 1
    ) -> dict[str, Any]:
        """Work orders, newest first; `q` is looked for in title and text, or is a number."""
        return store.tickets(status, caller, department, q.strip(), page)

    @router.post("", status_code=201, response_model=Ticket)
    def file_ticket(
        body: TicketIn, noted: Noted, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
    ) -> dict[str, Any] | None:
        """File a work order; with an Idempotency-Key the same request twice files one."""
        if body.call_id is not None and store.call(body.call_id) is None:
            raise HTTPException(422, f"call_id: there is no call {body.call_id}")
        if body.joins and store.ticket(body.joins) is None:
            raise HTTPException(422, f"joins: there is no work order {body.joins}")
        with store.batch():
            number = store.file_ticket(f"api:{idempotency_key or uuid.uuid4()}", **body.model_dump())
            noted("ticket_filed", number)
        return store.ticket(number)

    @router.get("/{number}", response_model=Ticket)
    def get_ticket(number: str) -> dict[str, Any]:
        """One work order."""
        found = store.ticket(number)
        if found is None:
            raise NotFound(f"there is no work order {number}")
        return found

    @router.patch("/{number}", response_model=Ticket)
    def change_ticket(number: str, body: TicketPatch, noted: Noted) -> dict[str, Any]:
        """Change a work order."""
        fields = body.model_dump(exclude_unset=True)
        if not fields:
            return get_ticket(number)
        with store.batch():
            changed = store.update_ticket(number, **fields)
            noted("ticket_changed", number, fields=sorted(fields))
        return changed

    return router


def seats_router(store: Store, configured: Collection[str] = ()) -> APIRouter:
    """The routes below /api/v1/seats; `configured` are the ids of seats that every start sets up anew."""
    router = APIRouter(prefix="/api/v1/seats", tags=["seats"])

    def shown(seat: dict[str, Any]) -> dict[str, Any]:
        return {**seat, "configured": seat["id"] in configured}

    def find(seat_id: str) -> dict[str, Any]:
        return next(shown(seat) for seat in store.seats() if seat["id"] == seat_id)

    def changeable_or_409(seat_id: str) -> None:
        if seat_id in configured:
            raise HTTPException(
                409, f"the seat {seat_id} stands in the settings; change it there, in seats.seats"
            )

    @router.get("", response_model=Page[Seat])
    def list_seats() -> dict[str, Any]:
        """All seats."""
        found = [shown(seat) for seat in store.seats()]
        return {"items": found, "total": len(found), "page": 1}

    @router.post("", status_code=201, response_model=Seat, dependencies=[only("admin")])
    def save_seat(body: SeatIn, noted: Noted) -> dict[str, Any]:
        """Add a seat, which is away at first, or change one, which keeps its status; no configured one."""
        changeable_or_409(body.id)
        with store.batch():
            store.seed_seats([body.model_dump()])
            noted("seat_saved", body.id)
        return find(body.id)

    @router.delete("/{seat_id}", status_code=204, dependencies=[only("admin")])
    def remove_seat(seat_id: str, noted: Noted) -> Response:
        """Take a seat away; 409 while it is in a call or somebody works there, and for configured ones."""
        changeable_or_409(seat_id)
        with store.batch():
            store.workplace.remove(seat_id)
            noted("seat_removed", seat_id)
        return Response(status_code=204)

    @router.post("/{seat_id}/status", response_model=Seat)
    def set_status(seat_id: str, body: SeatStatus, me: Me, noted: Noted) -> dict[str, Any]:
        """Set a seat's status, the role seat only its own.

        While it rings or talks only ops and admins may, to free one that is stuck.
        """
        in_call = ("ringing", "talking") if me.role == "seat" else ()
        if me.role == "seat" and any(
            seat["id"] == seat_id and not is_own(seat, me) for seat in store.seats()
        ):
            raise HTTPException(403, f"{me.name} does not work at the seat {seat_id}")
        with store.batch():
            if not store.set_seat_status(seat_id, body.status, unless=in_call):
                raise HTTPException(409, f"the seat {seat_id} is in a call")
            if not is_own(find(seat_id), me):
                noted("seat_status", seat_id, status=body.status)
        return find(seat_id)

    return router


def is_own(seat: Mapping[str, Any], me: Identity) -> bool:
    """Whether a seat is that of an account: it works there now, or has its name."""
    return me.name in (seat["user"], seat["id"])


def _has_had(me: Identity, call: Mapping[str, Any], seats: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a call rings or talks at one's own seat, or was connected to it."""
    own = {seat["id"]: seat for seat in seats if is_own(seat, me)}
    talked = {event["detail"].get("seat") for event in call["events"] if event["kind"] == "bridged"}
    transfer = call["transfer"]
    if transfer and transfer["outcome"] == "connected":
        talked.add(transfer["seat"])
    return any(seat["call_id"] == call["id"] or seat_id in talked for seat_id, seat in own.items())


def _find_call(store: Store, call_id: str) -> dict[str, Any]:
    call = store.call(call_id)
    if call is None:
        raise NotFound(f"there is no call {call_id}")
    return call


def _shown(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "recording": _recording_path(call) if call["recording"] else ""}


def _recording_path(call: Mapping[str, Any]) -> str:
    return f"/api/v1/calls/{call['id']}/recording.wav"
