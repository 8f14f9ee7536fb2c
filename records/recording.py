"""A call's recording: a file that is playable at every moment, whatever befalls the process or the disk."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, Protocol

import numpy as np
import structlog

from records import CHINA, RecordsError, why
from records.keys import Key, Keys
from records.sealed import SUFFIX, SealedWriter, repair_sealed
from records.wav import FRAME_BYTES, MAX_DATA_BYTES, WavWriter, repair_wav

P = ParamSpec("P")

FLUSH_S = 0.5
BACKLOG_LIMIT_S = 60.0  # audio waiting for a stalled disk before the recording is given up

_log = structlog.get_logger(__name__)
# One thread for all recordings: the interpreter waits for it at exit, so what is queued is written.
_disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording")
_counting = threading.Lock()


@dataclass(slots=True)
class Stats:
    """How recording goes in this process."""

    open: int = 0  # being written now
    failures_total: int = 0  # given up in mid-call


stats = Stats()


class _Writer(Protocol):
    """A file on the disk's thread; see WavWriter and SealedWriter."""

    written_bytes: int

    def append(self, samples: bytes) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class Recording:
    """Writes a stereo recording as the call goes, left the caller, right the agent or seat; s16le.

    With a key it is sealed (records/sealed.py), without one it is a WAV. Neither creating nor writing nor
    closing waits for the disk. When the file cannot be written, `on_error` is called once, on any thread, the
    rest is dropped and the call goes on.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int = 8000,
        *,
        key: Key | None = None,
        on_error: Callable[[RecordsError], None] | None = None,
    ) -> None:
        self.path = path
        self.failed = False  # what is written from now on is dropped
        self._sample_rate = sample_rate
        self._key = key
        self._on_error = on_error
        self._flush_bytes = int(FLUSH_S * sample_rate) * 2
        self._left = bytearray()
        self._right = bytearray()
        self._handed_bytes = 0  # of both channels
        self._closed: Future[None] | None = None
        # Of the disk's thread:
        self._file: _Writer | None = None
        self._written_bytes = 0  # of both channels
        with _counting:
            stats.open += 1
        self._submit(self._open)

    @property
    def length_s(self) -> float:
        """How much can be played by now."""
        return self._written_bytes / FRAME_BYTES / self._sample_rate

    def write(self, left: bytes, right: bytes) -> None:
        """Append what was heard and what was played in the same time; equal length, whole samples."""
        if len(left) != len(right) or len(left) % 2:
            raise ValueError(f"left has {len(left)} bytes, right {len(right)}; right is equal and even")
        if self._closed is not None or self.failed:
            return
        self._left += left
        self._right += right
        if len(self._left) >= self._flush_bytes:
            self._hand_over()

    def close(self) -> Future[None]:
        """Write the rest and close the file; the future is done when it is on the disk. Harmless twice."""
        if self._closed is None:
            self._hand_over()
            self._closed = self._submit(self._finish)
        return self._closed

    def _hand_over(self) -> None:
        waiting_s = (self._handed_bytes - self._written_bytes) / FRAME_BYTES / self._sample_rate
        if waiting_s > BACKLOG_LIMIT_S and not self.failed:
            stalled = TimeoutError(errno.ETIMEDOUT, f"the disk stands still for {waiting_s:.0f} s")
            self._report(stalled)  # at once: its thread may never wake
            self._submit(self._fail, stalled)
        left, right = bytes(self._left), bytes(self._right)
        self._left.clear()
        self._right.clear()
        self._handed_bytes += len(left) + len(right)
        self._submit(self._append, left, right)

    def _submit(self, fn: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> Future[None]:
        future = _disk.submit(fn, *args, **kwargs)
        future.add_done_callback(self._log_bug)
        return future

    def _log_bug(self, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:  # an error of on_error, or of ours: the files of other calls go on
            _log.error("recording.bug", file=self.path.name, reason=repr(error))

    def _report(self, error: OSError) -> None:
        with _counting:
            if self.failed:
                return
            self.failed = True
            stats.failures_total += 1
            stats.open -= 1
        if self._on_error is None:
            _log.error("recording.failed", file=self.path.name, reason=why(error))
        else:
            self._on_error(RecordsError(f"the recording {self.path.name} cannot be written: {why(error)}"))

    # On the disk's thread, in the order they were submitted

    def _open(self) -> None:
        try:
            if self._key is None:
                self._file = WavWriter(self.path, self._sample_rate)
            else:
                self._file = SealedWriter(self.path, self._sample_rate, self._key)
        except OSError as error:
            self._fail(error)

    def _append(self, left: bytes, right: bytes) -> None:
        if self._file is None or not left:
            return
        both = np.empty((len(left) // 2, 2), dtype="<i2")
        both[:, 0] = np.frombuffer(left, dtype="<i2")
        both[:, 1] = np.frombuffer(right, dtype="<i2")
        try:
            if self._written_bytes + both.nbytes > MAX_DATA_BYTES:
                raise OSError(errno.EFBIG, "it has the greatest length that a WAV can have")
            self._file.append(both.tobytes())
            self._written_bytes = self._file.written_bytes
        except OSError as error:
            self._fail(error)

    def _finish(self) -> None:
        if self._file is None:
            return
        try:
            self._file.finish()
            self._written_bytes = self._file.written_bytes
            file, self._file = self._file, None
            file.close()
        except OSError as error:
            self._fail(error)
        else:
            with _counting:
                stats.open -= 1

    def _fail(self, error: OSError) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as second:
                _log.error("recording.close_failed", file=self.path.name, reason=why(second))
        self._report(error)


def recording_name(call_id: str, at: datetime, *, sealed: bool) -> str:
    """Where a call's recording goes, relative to the recordings' folder: a folder for each day in China."""
    return f"{at.astimezone(CHINA):%Y/%m/%d}/{call_id}.wav{SUFFIX if sealed else ''}"


def repair(path: Path, keys: Keys | None = None) -> bool:
    """Bring what a crash left of a recording to a proper end; True if that was needed.

    Raises RecordsError.
    """
    try:
        return repair_sealed(path, keys or Keys()) if path.name.endswith(SUFFIX) else repair_wav(path)
    except OSError as error:
        raise RecordsError(f"the recording {path.name} cannot be repaired: {why(error)}") from error


def free_bytes(folder: Path) -> int:
    """Room for recordings on the disk that `folder` is on, or will be on. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.absolute().parent
    return shutil.disk_usage(folder).free
