"""Puts the desk together: API, pages, the gate around them, and errors as {"detail": "…"}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from desk.accounts import accounts_router
from desk.api import calls_router, seats_router, tickets_router
from desk.audit import audit_router
from desk.auth import Gate, only
from desk.callbacks import callbacks_router
from desk.knowledge import IMPORT_PATH, MOST_UPLOAD_BYTES, KnowledgeIndex, knowledge_router
from desk.live import LiveFeed, sse
from desk.models import ChatIn, ChatOut
from desk.outbox import outbox_router
from desk.pages import add_pages
from desk.requests import Requests
from desk.seat_api import seat_router
from desk.session import session_router
from desk.taxonomy import taxonomy_router
from records import Conflict, NotFound, RecordsError
from records.keys import Keys
from records.store import Store


def create_desk(
    store: Store,
    *,
    recordings_dir: Path,
    recording_keys: Keys | None = None,
    pause_recording: Callable[[str, bool, str], None] | None = None,
    api_token: str | None,
    ready: Callable[[], bool],
    metrics: Callable[[], str],
    live: LiveFeed,
    chat: Callable[[str, str], Awaitable[dict[str, Any]]] | None = None,
    knowledge: KnowledgeIndex | None = None,
    categories: Sequence[Mapping[str, str]] = (),
    wrap_up_s: float | None = None,
    can_ring: bool = True,
    configured_seats: Collection[str] = (),
) -> FastAPI:
    """The web desk as an ASGI application, to be served in the program's own event loop.

    `ready`, `metrics` (Prometheus text), `chat` (session, text -> a reply as in docs/interface.md) and
    `pause_recording` (call id, whether to pause or to resume, who wants it; raises NotFound, Conflict) run on
    that loop, `knowledge` in worker threads. Without `chat` its path answers 503, so does a search without
    `knowledge`; without `pause_recording` no call runs here. `categories` are those of work orders, each
    {"category", "department", "kind"}. `wrap_up_s` is a seat's time between two calls. Without `can_ring` no
    call-back is taken. `configured_seats` (ids) cannot be changed here. What changes on the seat board is
    published by `desk.board.BoardWatch`, which runs beside. Before the server stops, `live` must be closed.
    """
    app = FastAPI(
        title="12345 hotline voice agent",
        openapi_url=None,  # FastAPI would make it on the event loop, which carries the calls' audio
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Requests, larger={IMPORT_PATH: MOST_UPLOAD_BYTES})
    app.add_middleware(Gate, store=store, api_token=api_token)  # before it, as the last one added
    _add_errors(app)
    app.state.audit = store.audit
    app.include_router(session_router(store))
    app.include_router(accounts_router(store))
    app.include_router(audit_router(store))
    app.include_router(calls_router(store, recordings_dir, recording_keys, pause_recording))
    app.include_router(tickets_router(store))
    app.include_router(taxonomy_router(categories))
    app.include_router(outbox_router(store))
    app.include_router(callbacks_router(store, can_ring=can_ring))
    app.include_router(seats_router(store, configured_seats))
    app.include_router(seat_router(store, wrap_up_s))
    app.include_router(knowledge_router(store, knowledge))
    _add_health(app, ready, metrics)
    _add_live(app, live, chat)
    add_pages(app)
    _add_description(app)
    return app


def _add_description(app: FastAPI) -> None:
    @app.get("/api/openapi.json", include_in_schema=False)
    def description() -> JSONResponse:
        return JSONResponse(app.openapi())  # half a second the first time, in a thread; FastAPI keeps it


def _add_health(app: FastAPI, ready: Callable[[], bool], metrics: Callable[[], str]) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["operation"])
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["operation"], responses={503: {}})
    async def readyz(response: Response) -> dict[str, str]:
        """Calls are taken; 503 while starting, draining or full."""
        taking = ready()
        response.status_code = 200 if taking else 503
        return {"status": "ready" if taking else "not ready"}

    @app.get("/metrics", tags=["operation"], dependencies=[only("ops", "admin")])
    async def get_metrics() -> PlainTextResponse:
        """Prometheus text."""
        return PlainTextResponse(metrics(), media_type="text/plain; version=0.0.4")


def _add_live(
    app: FastAPI,
    live: LiveFeed,
    chat: Callable[[str, str], Awaitable[dict[str, Any]]] | None,
) -> None:
    @app.get("/api/v1/events", tags=["calls"], response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """Live call events as server-sent events, each a JSON object with at least `kind` and `call_id`."""
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(sse(live), media_type="text/event-stream", headers=headers)

    @app.post("/api/v1/chat", tags=["chat"], response_model=ChatOut)
    async def post_chat(body: ChatIn) -> dict[str, Any]:
        """The same dialog by text."""
        if chat is None:
            raise HTTPException(503, "the dialog is not available by text")
        return await chat(body.session, body.text)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        problems = (
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        return JSONResponse({"detail": "; ".join(problems)}, 422)

    @app.exception_handler(RecordsError)
    async def failed(_request: Request, error: RecordsError) -> JSONResponse:
        status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 503
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "internal error; the log has it"}, 500)  # which the server logs
