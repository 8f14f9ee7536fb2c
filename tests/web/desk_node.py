"""A desk as one node of several runs it: on a shared database, with a real journal, stopped and started."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from desk.app import create_desk
from desk.board import BoardWatch
from desk.knowledge import KnowledgeIndex
from desk.live import LiveFeed
from hotline.journal import RecordJournal
from hotline.knowledge_upload import Uploads
from records.store import Store
from records.writer import Writer
from voice.events import CallEvent

T = TypeVar("T")
CATEGORIES = [
    {"category": "施工噪音", "department": "市城市管理局", "kind": "投诉"},
    {"category": "路灯照明", "department": "市住房和城乡建设局", "kind": "报修"},
    {"category": "其他", "department": "市政务服务热线", "kind": "投诉"},
]
ROOT = Path(__file__).parents[2]


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
            knowledge=KnowledgeIndex(
                search=self._search,
                changed=lambda: None,
                gaps=lambda _days, _limit: [],
                state=dict,
                upload=Uploads(self.store),
                refused=lambda _fields: "",
            ),
            categories=CATEGORIES,
            wrap_up_s=30.0,
        )
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        works = [self._journal.tell_live(), BoardWatch(self.store, self._live).run()]
        tasks = [asyncio.create_task(work) for work in works]
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
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


@contextmanager
def node_process(name: str, url: str, folder: Path) -> Iterator[str]:
    """A node in a process of its own; gives the address of its desk."""
    command = [sys.executable, "-m", "tests.web.desk_node", name, url, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http"), f"the node {name} did not start"
            yield address
        finally:
            process.stdin.close()  # it ends by itself
            assert process.wait(20) == 0


if __name__ == "__main__":
    with desk_node(sys.argv[1], sys.argv[2], Path(sys.argv[3])) as served:
        print(served.url, flush=True)  # noqa: T201 - for node_process
        sys.stdin.read()
