"""The desk's place in the program: its socket, its server, and the search of the knowledge base for it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from desk.knowledge import KnowledgeIndex
from dialog.knowledge import Knowledge
from hotline.errors import UsageError
from hotline.knowledge import row_of
from hotline.knowledge_gaps import gaps_of
from hotline.knowledge_sync import KnowledgeSync
from hotline.settings import Settings
from records.store import Store


class DeskServer(uvicorn.Server):
    """uvicorn without its signal handlers: signals are ours, calls end before the desk does."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind_desk(settings: Settings) -> socket.socket:
    """Its socket, so that a taken port is known before anything else is opened. Raises UsageError."""
    try:
        return socket.create_server((settings.desk.host, settings.desk.port))
    except OSError as error:
        where = f"{settings.desk.host}:{settings.desk.port}"
        reason = os.strerror(error.errno) if error.errno else error
        raise UsageError(f"cannot open the desk on {where}: {reason}; see desk.host and desk.port") from None


def knowledge_index(knowledge: Knowledge, sync: KnowledgeSync, store: Store) -> KnowledgeIndex:
    """The knowledge base as the desk searches and edits it."""

    def search(query: str, limit: int) -> list[dict[str, Any]]:
        return [{**row_of(hit.passage), "score": hit.score} for hit in knowledge.search(query, limit)]

    return KnowledgeIndex(search=search, changed=sync.look, gaps=gaps_of(store))
