"""The desk's place in the program: its socket, its server, and the search of the knowledge base for it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import anyio
import uvicorn
from fastapi import FastAPI

from desk.knowledge import KnowledgeIndex
from dialog.knowledge import Knowledge
from dialog.orders import gives_orders
from hotline.errors import UsageError
from hotline.knowledge import row_of
from hotline.knowledge_gaps import gaps_of
from hotline.knowledge_sync import KnowledgeSync
from hotline.knowledge_upload import Uploads
from hotline.settings import Settings
from records.store import Store

# Longer than clients (httpx: 5 s) and proxies (60 s) keep idle connections: where we
# are the first to close one, a request that comes just then is lost.
KEEP_ALIVE_S = 75


class DeskServer(uvicorn.Server):
    """uvicorn without its signal handlers: signals are ours, calls end before the desk does."""

    async def main_loop(self) -> None:
        """As uvicorn's own, which wakes ten times a second to see whether it should end."""
        ticks = 0  # at every tenth it renews the Date header
        while not await self.on_tick(ticks):
            ticks += 10
            await anyio.sleep(1)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def desk_server(desk: FastAPI) -> DeskServer:
    """What serves the desk on the running loop."""
    return DeskServer(
        uvicorn.Config(
            desk, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=KEEP_ALIVE_S
        )
    )


def bind_desk(settings: Settings) -> socket.socket:
    """Its socket, so that a taken port is known before anything else is opened. Raises UsageError."""
    family = socket.AF_INET6 if ":" in settings.desk.host else socket.AF_INET
    try:
        return socket.create_server((settings.desk.host, settings.desk.port), family=family)
    except OSError as error:
        where = f"{settings.desk.host}:{settings.desk.port}"
        no_name = isinstance(error, socket.gaierror)  # whose numbers are not the system's
        reason = os.strerror(error.errno) if error.errno and not no_name else error.strerror or error
        raise UsageError(f"cannot open the desk on {where}: {reason}; see desk.host and desk.port") from None


def desk_url(listening: socket.socket) -> str:
    """The address of the desk that listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def knowledge_index(knowledge: Knowledge, sync: KnowledgeSync, store: Store) -> KnowledgeIndex:
    """The knowledge base as the desk searches and edits it."""

    def search(query: str, limit: int) -> list[dict[str, Any]]:
        return [{**row_of(hit.passage), "score": hit.score} for hit in knowledge.search(query, limit)]

    return KnowledgeIndex(
        search=search,
        changed=sync.look,
        gaps=gaps_of(store),
        state=sync.state,
        upload=Uploads(store),
        refused=_refused,
    )


def _refused(fields: dict[str, Any]) -> str:
    for name in ("question", "answer", "department"):
        if gives_orders(fields[name]):
            return f"{name}: gives orders to a machine, as tampered texts do; write it for callers"
    return ""
