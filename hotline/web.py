"""The desk's place in the program: its socket, its server, and the search of the knowledge base for it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from dialog.knowledge import Knowledge
from hotline.errors import UsageError
from hotline.settings import Settings


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


def kb_search(knowledge: Knowledge) -> Callable[[str, int], list[dict[str, Any]]]:
    """The search as the desk answers with it."""

    def search(query: str, limit: int) -> list[dict[str, Any]]:
        return [
            {
                "id": hit.passage.id,
                "question": hit.passage.question,
                "answer": hit.passage.answer,
                "department": hit.passage.department,
                "source": hit.passage.source,
                "valid_from": hit.passage.valid_from,
                "valid_to": hit.passage.valid_to,
                "score": hit.score,
            }
            for hit in knowledge.search(query, limit)
        ]

    return search
