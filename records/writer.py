"""Writes to the store on one background thread, so that a call never waits for the disk unless it asks to."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import structlog

from records import RecordsError
from records.store import Store

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_S = (0.05, 0.2, 0.8)
BATCH_SIZE = 500  # writes committed at once
GATHER_S = 0.1  # for which writes wait for others while nobody waits for them
KEPT = 10_000  # writes kept for later while the database cannot be written, and failures remembered

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    """One write: `args` begins with the id it is about; `waiter` gets the result if somebody waits for it."""

    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    waiter: Future[Any] | None = None
    result: Any = None
    error: Exception | None = None

    @property
    def about(self) -> str:
        return self.args[0] if self.args and isinstance(self.args[0], str) else ""

    @property
    def name(self) -> str:
        return getattr(self.call, "__name__", type(self.call).__name__)

    @property
    def urgent(self) -> bool:
        return self.waiter is not None


@dataclass(slots=True)
class _Barrier:
    about: str | None
    waiter: Future[None]
    urgent: bool


class Writer:
    """A queue of store writes, done in order by one thread, in one transaction with others that come soon.

    What somebody waits for is written at once, with all that came before it; else within GATHER_S.

    A write that fails because the database cannot be written at present (full disk, lock) is retried, then
    kept and tried again with the next one; any other failure drops that write alone. Both are logged by id
    and reported by the next `durable()`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Job | _Barrier | None] = queue.SimpleQueue()
        self._kept: list[_Job] = []
        self._failed: deque[tuple[str, Exception]] = deque(maxlen=KEPT)  # about, error; writer thread only
        self._hurry = threading.Event()  # somebody waits for what is in the queue
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Queue a call of a Store method, whose first argument is the id it is about; never waits."""
        self._put(_Job(fn, args, kwargs))

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a Store method after all that was submitted so far and return its result once it is committed.

        Raises what the method raises; RecordsError when it could not be committed.
        """
        waiter: Future[T] = Future()
        self._put(_Job(fn, args, kwargs, waiter))
        return await asyncio.wrap_future(waiter)

    async def durable(self, about: str | None = None, *, urgent: bool = True) -> None:
        """Wait until everything submitted so far is committed; when not `urgent`, it may gather others first.

        Raises RecordsError when a write has failed since it was last asked; with `about`, only a write about
        that id counts, and only such a one is then forgotten.
        """
        waiter: Future[None] = Future()
        self._put(_Barrier(about, waiter, urgent))
        await asyncio.wrap_future(waiter)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is queued and end the thread. Raises RecordsError when writes are left undone."""
        self._closing.set()
        self._queue.put(None)
        self._hurry.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive() or self._kept:
            raise RecordsError("the database could not be written at the end; the latest records are lost")

    def _put(self, item: _Job | _Barrier) -> None:
        if self._closing.is_set():
            error = RecordsError("the writer is closed; nothing more is recorded")
            _log.error("records.write_refused", reason=str(error))
            if item.waiter is not None:
                item.waiter.set_exception(error)
            return
        self._queue.put(item)
        if item.urgent:
            self._hurry.set()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._queue.get()]
            self._hurry.wait(GATHER_S)
            self._hurry.clear()  # before the queue is emptied, so that nothing urgent is left in it unnoticed
            while len(batch) < BATCH_SIZE and not self._queue.empty():
                batch.append(self._queue.get())
            if len(batch) == BATCH_SIZE:
                self._hurry.set()  # for what did not fit
            open_ = None not in batch
            self._write(self._kept + [item for item in batch if isinstance(item, _Job)])
            for item in batch:
                if isinstance(item, _Barrier):
                    self._answer(item)

    def _write(self, jobs: list[_Job]) -> None:
        self._kept = []
        if not jobs or self._written_at_once(jobs):
            return
        for delay_s in (*RETRY_AFTER_S, None):
            try:
                with self._store.batch():
                    for job in jobs:
                        _do(job)
                break
            except RecordsError as error:
                if delay_s is None or not error.retryable:
                    self._put_off(jobs, error)
                    return
                # Also ends the wait at once when the program is closing.
                self._closing.wait(delay_s)
        for job in jobs:
            if job.error is not None:
                _log.error("records.write_failed", about=job.about, write=job.name, reason=str(job.error))
                self._failed.append((job.about, job.error))
            _settle(job)

    def _written_at_once(self, jobs: list[_Job]) -> bool:
        """Try the cheap way, which hardly ever fails; if anything does, nothing has been written."""
        try:
            with self._store.batch(all_or_none=True):
                for job in jobs:
                    job.result = job.call(*job.args, **job.kwargs)
        except Exception:  # whatever it is comes again, and is told, when each write is done by itself
            return False
        for job in jobs:
            _settle(job)
        return True

    def _put_off(self, jobs: list[_Job], error: RecordsError) -> None:
        for job in jobs:
            _log.error("records.write_put_off", about=job.about, write=job.name, reason=str(error))
            self._failed.append((job.about, error))
            if job.waiter is not None:  # whoever waits is told, and decides himself whether to try again
                job.error = error
                _settle(job)
        self._kept = [job for job in jobs if job.waiter is None]
        if len(self._kept) > KEPT:
            _log.error("records.writes_lost", count=len(self._kept) - KEPT)
            del self._kept[:-KEPT]

    def _answer(self, barrier: _Barrier) -> None:
        mine = [failure for failure in self._failed if barrier.about in (None, failure[0])]
        for failure in mine:
            self._failed.remove(failure)
        if not barrier.waiter.set_running_or_notify_cancel():
            return
        if mine:
            about, error = mine[0]
            barrier.waiter.set_exception(
                RecordsError(f"{len(mine)} writes failed, the first about {about}: {error}")
            )
        else:
            barrier.waiter.set_result(None)


def _do(job: _Job) -> None:
    job.error = None
    try:
        job.result = job.call(*job.args, **job.kwargs)
    except RecordsError as error:
        if error.retryable:
            raise
        job.error = error
    except Exception as error:  # a wrong argument in one write must not end the thread for all
        job.error = error


def _settle(job: _Job) -> None:
    if job.waiter is None or not job.waiter.set_running_or_notify_cancel():
        return
    if job.error is not None:
        job.waiter.set_exception(job.error)
    else:
        job.waiter.set_result(job.result)
