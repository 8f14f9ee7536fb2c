"""The board of seats on the records, shared by many nodes: the queue, claims, wrap-up, what seats want."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import structlog

from records import RecordsError
from records.store import Store
from records.writer import Writer
from voice.policies import Queued
from voice.seats import Command, Ended, Seat

log = structlog.get_logger()
T = TypeVar("T")

BEAT_S = 5.0
# A telephone that does not answer gets no further calls until somebody at it says that it is free again.
_AFTER: dict[Ended, str] = {
    "talked": "wrap_up",
    "declined": "wrap_up",
    "busy": "wrap_up",
    "no_answer": "away",
    "unreachable": "away",
    "unused": "free",
}


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Do `work` in a worker thread; whoever is cancelled does not wait for it."""
    return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True)


class RecordSeats:
    """A voice.seats.SeatBoard on the store; `wrap_up_s` is a seat's time between two calls.

    While the database fails, callers who wait keep their place, talks go on, and what became of seats is
    written once it can be. `read` does a read of the store.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        node: str,
        wrap_up_s: float,
        *,
        read: Callable[..., Awaitable[Any]] = in_thread,
    ) -> None:
        self._store = store
        self._writer = writer
        self._node = node
        self._wrap_up_s = wrap_up_s
        self._in_thread = read
        self._places: dict[str, Queued] = {}  # of those who wait, by call id
        self._talking: dict[str, str] = {}  # seat id -> call id
        self._unread = False  # the last read failed, and it has been told
        self._send, self._wrapping = anyio.create_memory_object_stream[Seat](float("inf"))

    def close(self) -> None:
        """Nothing more is asked of it."""
        self._send.close()
        self._wrapping.close()

    async def run(self) -> None:
        """Until cancelled: show that this node lives, close dead ones' calls, end seats' wrap-up."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            async for seat in self._wrapping:
                tasks.start_soon(self._wrap_up, seat)

    async def _beat(self) -> None:
        while True:
            dead = await self._safely("", self._store.queue.beat, self._node, dict(self._talking))
            for node in dead or ():
                log.warning("node_is_dead", node=node)
                for closed in await self._safely("", self._store.close_unfinished, node) or ():
                    log.warning("call_closed_after_crash", call_id=closed.call_id)
            await anyio.sleep(BEAT_S)

    async def _wrap_up(self, seat: Seat) -> None:
        await anyio.sleep(self._wrap_up_s)
        self._writer.submit(self._store.queue.end_wrap_up, seat.id, seat.call_id)

    async def claim(
        self, skill: str, call_id: str, exclude: Collection[str], *, priority: int = 0, only: str = ""
    ) -> Seat | Queued:
        found = await self._safely(call_id, self._claim, skill, call_id, exclude, priority, only)
        if found is None:  # without the board nobody can be found free: whoever did not wait yet is told so
            return self._places.get(call_id, Queued(0, 0, 0.0))
        self._places.pop(call_id, None)
        if isinstance(found, Queued):
            self._places[call_id] = found
        return found

    def _claim(
        self, skill: str, call_id: str, exclude: Collection[str], priority: int, only: str
    ) -> Seat | Queued:
        if only:
            exclude = [seat["id"] for seat in self._store.seats() if seat["id"] != only]
        queue = self._store.queue
        found = queue.claim(skill, call_id, node=self._node, priority=priority, exclude=exclude)
        if found.seat is not None:
            row = found.seat
            return Seat(row["id"], row["name"], row["uri"], tuple(row["skills"]), call_id)
        expected_s = (found.talks + 1) * queue.talk_s() / max(found.on_duty, 1)
        return Queued(found.ahead, found.on_duty, expected_s)

    async def skill_for(self, about: str) -> str:
        seats = await self._read(self._store.seats) or ()
        named = (skill for seat in seats for skill in seat["skills"] if skill in about)
        return max(named, key=len, default="")

    async def leave(self, call_id: str) -> None:
        self._places.pop(call_id, None)
        self._writer.submit(self._store.queue.leave, call_id)

    async def verdict(self, seat: Seat) -> str:
        return await self._read(self._store.seat_verdict, seat.id) or ""

    async def talking(self, seat: Seat) -> None:
        self._talking[seat.id] = seat.call_id
        self._writer.submit(self._store.queue.talking, seat.id, seat.call_id)

    async def release(self, seat: Seat, ended: Ended) -> None:
        status = _AFTER[ended]
        if status == "wrap_up" and not self._wrap_up_s:
            status = "free"
        self._talking.pop(seat.id, None)
        self._writer.submit(self._store.queue.release, seat.id, seat.call_id, status)
        if status == "wrap_up":
            self._send.send_nowait(seat)

    async def commands(self, call_id: str) -> Sequence[Command]:
        wanted = await self._read(self._store.commands.take, call_id)
        return [Command(one["action"], one["detail"]) for one in wanted or ()]

    async def _safely(self, about: str, work: Callable[..., T], *args: object) -> T | None:
        """Done by the writer; the call goes on when the database fails."""
        try:
            return await self._writer.run(work, *args)
        except RecordsError as error:
            log.error("seat_board_failed", about=about, error=str(error))
            return None

    async def _read(self, work: Callable[..., T], *args: object) -> T | None:
        """Asked for several times a second in every talk, so a failure is told once, until it is over."""
        try:
            found: T = await self._in_thread(work, *args)
        except RecordsError as error:
            if not self._unread:
                log.error("seat_board_failed", error=str(error))
            self._unread = True
            return None
        self._unread = False
        return found
