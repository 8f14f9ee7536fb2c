"""Puts the desk together: API, pages, the gate around them, and errors as {"detail": "…"}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from desk.accounts import accounts_router
from desk.api import calls_router, seats_router, tickets_router
from desk.audit import audit_router
from desk.auth import Gate, only
from desk.board import BoardWatch
from desk.callbacks import callbacks_router
from desk.knowledge import KnowledgeIndex, knowledge_router
from desk.live import LiveFeed, sse
from desk.models import ChatIn, ChatOut
from desk.outbox import outbox_router
from desk.seat_api import seat_router
from desk.session import session_router
from records import Conflict, NotFound, RecordsError
from records.keys import Keys
from records.store import Store

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/login": "login.html",
    "/": "calls.html",
    "/calls/{call_id}": "call.html",
    "/seat": "seat.html",
}


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
    wrap_up_s: float | None = None,
) -> FastAPI:
    """The web desk as an ASGI application, to be served in the program's own event loop.

    `ready`, `metrics` (Prometheus text), `chat` (session, text -> a reply as in docs/interface.md) and
    `pause_recording` (call id, whether to pause or to resume, who wants it; raises NotFound, Conflict) run on
    that loop, `knowledge` in worker threads. Without `chat` its path answers 503, so does a search without
    `knowledge`; without `pause_recording` no call runs here. `wrap_up_s` is a
    seat's time between two calls. Before the server is stopped, `live` must be closed.
    """
    app = FastAPI(
        title="12345 hotline voice agent",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Gate, store=store, api_token=api_token)
    _add_errors(app)
    app.state.audit = store.audit
    app.include_router(session_router(store))
    app.include_router(accounts_router(store))
    app.include_router(audit_router(store))
    app.include_router(calls_router(store, recordings_dir, recording_keys, pause_recording))
    app.include_router(tickets_router(store))
    app.include_router(outbox_router(store))
    app.include_router(callbacks_router(store))
    app.include_router(seats_router(store))
    app.include_router(seat_router(store, wrap_up_s))
    app.include_router(knowledge_router(store, knowledge))
    _add_health(app, ready, metrics)
    _add_live(app, live, BoardWatch(store, live), chat)
    _add_pages(app)
    app.openapi()  # kept by FastAPI; made at the first request it would hold up the event loop
    return app


def _add_health(app: FastAPI, ready: Callable[[], bool], metrics: Callable[[], str]) -> None:
    @app.get("/healthz", tags=["operation"])
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

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
    board: BoardWatch,
    chat: Callable[[str, str], Awaitable[dict[str, Any]]] | None,
) -> None:
    @app.get("/api/v1/events", tags=["calls"], response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """Live call events as server-sent events, each a JSON object with at least `kind` and `call_id`."""
        headers = {"X-Accel-Buffering": "no"}
        stream = sse(live, look=board.look)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    @app.post("/api/v1/chat", tags=["chat"], response_model=ChatOut)
    async def post_chat(body: ChatIn) -> dict[str, Any]:
        """The same dialog by text."""
        if chat is None:
            raise HTTPException(503, "the dialog is not available by text")
        return await chat(body.session, body.text)


def _add_pages(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    def serve(file: str) -> Callable[[], Awaitable[FileResponse]]:
        async def page() -> FileResponse:
            return FileResponse(STATIC / file, headers={"Cache-Control": "no-cache"})

        return page

    for path, file in PAGES.items():
        app.add_api_route(path, serve(file), include_in_schema=False)

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> FileResponse:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        problems = (f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        return JSONResponse({"detail": "; ".join(problems)}, 422)

    @app.exception_handler(RecordsError)
    async def failed(_request: Request, error: RecordsError) -> JSONResponse:
        status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 503
        return JSONResponse({"detail": str(error)}, status)
