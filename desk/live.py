"""What happens in calls right now, for pages and programs that watch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

BACKLOG = 256  # events a watcher may lag behind before it is cut off

Event = Mapping[str, Any]


class LiveFeed:
    """Hands every published event to every watcher; all of it on the event loop's thread.

    An event is a JSON object with at least `kind` and `call_id`.
    """

    def __init__(self) -> None:
        self._watchers: set[MemoryObjectSendStream[Event]] = set()
        self._closed = False
        self._arrived = anyio.Event()  # somebody who watches

    async def until_watched(self) -> None:
        """Wait until anybody watches."""
        while not self._watchers:
            self._arrived = anyio.Event()
            await self._arrived.wait()

    def publish(self, event: Event) -> None:
        """Give an event to all watchers; never waits. One that lags too far is cut off, to come again."""
        for watcher in list(self._watchers):
            try:
                watcher.send_nowait(event)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                self._watchers.discard(watcher)
                watcher.close()

    @contextmanager
    def watch(self) -> Iterator[MemoryObjectReceiveStream[Event]]:
        """A stream of the events published from now on; it ends when the feed closes or the watcher lags."""
        send, receive = anyio.create_memory_object_stream[Event](BACKLOG)
        if self._closed:
            send.close()
        else:
            self._watchers.add(send)
            self._arrived.set()
        try:
            yield receive
        finally:
            self._watchers.discard(send)
            send.close()
            receive.close()

    def close(self) -> None:
        """End all streams, so that the web server can stop: an open stream would keep it waiting."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()
        self._watchers.clear()


async def sse(feed: LiveFeed, ping_s: float = 15.0) -> AsyncIterator[str]:
    """The feed as server-sent events, with a comment now and then so that proxies keep the line open."""
    with feed.watch() as events:
        yield "retry: 2000\n\n"
        while True:
            event: Event | None = None
            with anyio.move_on_after(ping_s):
                try:
                    event = await events.receive()
                except anyio.EndOfStream:
                    return
            yield (
                ": still here\n\n" if event is None else f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
            )
