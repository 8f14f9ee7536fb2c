"""A desk as one node of several runs it: on a shared database, with a real journal, stopped and started."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from desk.app import create_desk
from desk.knowledge import KnowledgeIndex
from desk.live import LiveFeed
from hotline.journal import RecordJournal
from records.store import Store
from records.writer import Writer
from voice.events import CallEvent

T = TypeVar("T")


class DeskNode:
    """One node: its own store on the database, its own live feed, journal and web server."""

    def __init__(self, name: str, url: str, folder: Path, search: Callable[..., Any] | None = None) -> None:
        self.name = name
        self.folder = folder
        self.store = Store(url)
        self.writer = Writer(self.store)
        self.port = 0
        self._search = search

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name=self.name)
        self._thread.start()
        assert started.wait(20), f"the desk of {self.name} did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive(), f"the desk of {self.name} did not stop"

    def close(self) -> None:
        self.stop()
        self.writer.close()
        self.store.close()

    def emit(self, *events: CallEvent) -> None:
        """What happens in a call on this node: written, then told to those who watch."""
        for event in events:
            self._loop.call_soon_threadsafe(self._journal.emit, event)

    def do(self, work: Callable[..., T], *args: object, **kwargs: object) -> T:
        """A write after all that was emitted before, as the seat board does it."""

        async def in_turn() -> T:
            return await self.writer.run(work, *args, **kwargs)

        return asyncio.run_coroutine_threadsafe(in_turn(), self._loop).result(20)

    def publish(self, event: dict[str, Any]) -> None:
        """A live event that is not kept."""
        self._loop.call_soon_threadsafe(self._live.publish, event)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._live = LiveFeed()
        self._journal = RecordJournal(self.store, self.writer, self._live, self.name)
        app = create_desk(
            self.store,
            recordings_dir=self.folder / "recordings",
            api_token=None,
            ready=lambda: True,
            metrics=lambda: "",
            live=self._live,
            knowledge=KnowledgeIndex(self._search, lambda: None, lambda _days, _limit: []),
            wrap_up_s=30.0,
        )
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        telling = asyncio.create_task(self._journal.tell_live())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        self._journal.close()
        self._live.close()
        server.should_exit = True
        await serving


@contextmanager
def desk_node(
    name: str, url: str, folder: Path, search: Callable[..., Any] | None = None
) -> Iterator[DeskNode]:
    """A running node."""
    node = DeskNode(name, url, folder, search)
    node.start()
    try:
        yield node
    finally:
        node.close()
