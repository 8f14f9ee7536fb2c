"""The board of seats on the records, shared by many nodes: the queue, claims, wrap-up, what seats want."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

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


class RecordSeats:
    """A voice.seats.SeatBoard on the store; `wrap_up_s` is a seat's time between two calls."""

    def __init__(self, store: Store, writer: Writer, node: str, wrap_up_s: float) -> None:
        self._store = store
        self._writer = writer
        self._node = node
        self._wrap_up_s = wrap_up_s
        self._send, self._wrapping = anyio.create_memory_object_stream[str](float("inf"))

    async def run(self) -> None:
        """Until cancelled: show that this node lives, and free seats whose wrap-up is over."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            async for seat_id in self._wrapping:
                tasks.start_soon(self._wrap_up, seat_id)

    async def _beat(self) -> None:
        while True:
            dead = await self._safely("", self._store.queue.beat, self._node)
            for node in dead or ():
                log.warning("node_is_dead", node=node)
            await anyio.sleep(BEAT_S)

    async def _wrap_up(self, seat_id: str) -> None:
        await anyio.sleep(self._wrap_up_s)
        await self._safely(seat_id, self._end_wrap_up, seat_id)

    def _end_wrap_up(self, seat_id: str) -> None:
        self._store.set_seat_status(seat_id, "free", unless=("away", "ringing", "talking"))

    async def claim(
        self, skill: str, call_id: str, exclude: Collection[str], *, priority: int = 0, only: str = ""
    ) -> Seat | Queued:
        claimed = await self._safely(call_id, self._claim, skill, call_id, exclude, priority, only)
        return claimed or Queued(
            0, 0, 0.0
        )  # without the board nobody can be found free: the caller is told so

    def _claim(
        self, skill: str, call_id: str, exclude: Collection[str], priority: int, only: str
    ) -> Seat | Queued:
        if only:
            exclude = [seat["id"] for seat in self._store.seats() if seat["id"] != only]
        queue = self._store.queue
        found = queue.claim(skill, call_id, node=self._node, priority=priority, exclude=exclude)
        if found.seat is not None:
            row = found.seat
            return Seat(row["id"], row["name"], row["uri"], tuple(row["skills"]))
        expected_s = (found.ahead + 1) * queue.talk_s() / max(found.on_duty, 1)
        return Queued(found.ahead, found.on_duty, expected_s)

    async def leave(self, call_id: str) -> None:
        await self._safely(call_id, self._store.queue.leave, call_id)

    async def verdict(self, seat: Seat) -> str:
        return await self._read(self._store.seat_verdict, seat.id) or ""

    async def talking(self, seat: Seat) -> None:
        await self._safely(seat.id, self._store.set_seat_status, seat.id, "talking")

    async def release(self, seat: Seat, ended: Ended) -> None:
        status = _AFTER[ended]
        if status == "wrap_up" and not self._wrap_up_s:
            status = "free"
        await self._safely(seat.id, self._store.release_seat, seat.id, status)
        if status == "wrap_up":
            self._send.send_nowait(seat.id)

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
        try:
            return await anyio.to_thread.run_sync(work, *args)
        except RecordsError as error:
            log.error("seat_board_failed", error=str(error))
            return None
