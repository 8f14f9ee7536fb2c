"""A call's recording: a stereo WAV that is playable at every moment, whatever happens to the process."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec

import numpy as np
import structlog

from records import RecordsError, why

P = ParamSpec("P")

FLUSH_S = 0.5
BACKLOG_LIMIT_S = 60.0  # audio waiting for a stalled disk before the recording is given up
HEADER_BYTES = 44
FRAME_BYTES = 4  # two channels, 16 bits

_log = structlog.get_logger(__name__)
# One thread for all recordings: the interpreter waits for it at exit, so what is queued is written.
_disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording")


class Recording:
    """Writes a stereo WAV file as the call goes, left the caller, right the agent or seat; s16le.

    Neither creating nor writing nor closing waits for the disk. When the file cannot be written, `on_error`
    is called once, on the disk's thread, the rest is dropped and the call goes on.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int = 8000,
        *,
        on_error: Callable[[RecordsError], None] | None = None,
    ) -> None:
        self.path = path
        self._sample_rate = sample_rate
        self._on_error = on_error
        self._flush_bytes = int(FLUSH_S * sample_rate) * 2
        self._left = bytearray()
        self._right = bytearray()
        self._handed_bytes = 0  # of one channel
        self._closed: Future[None] | None = None
        # Of the disk's thread:
        self._file: int | None = None
        self._data_bytes = 0  # of both channels
        self._failed = False  # read by write() too
        self._reported = False
        self._submit(self._open)

    def write(self, left: bytes, right: bytes) -> None:
        """Append what was heard and what was played in the same time; equal length, whole samples."""
        if len(left) != len(right) or len(left) % 2:
            raise ValueError(f"left has {len(left)} bytes, right {len(right)}; right is equal and even")
        if self._closed is not None or self._failed:
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
        waiting_s = (self._handed_bytes - self._data_bytes / 2) / 2 / self._sample_rate
        if waiting_s > BACKLOG_LIMIT_S and not self._failed:
            self._failed = True  # stops write() at once; the disk's thread reports it when it wakes
            self._submit(
                self._fail, TimeoutError(errno.ETIMEDOUT, f"the disk stands still for {waiting_s:.0f} s")
            )
        left, right = bytes(self._left), bytes(self._right)
        self._left.clear()
        self._right.clear()
        self._handed_bytes += len(left)
        self._submit(self._append, left, right)

    def _submit(self, fn: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> Future[None]:
        future = _disk.submit(fn, *args, **kwargs)
        future.add_done_callback(self._log_bug)
        return future

    def _log_bug(self, future: Future[None]) -> None:
        error = future.exception()
        if error is not None:  # an error of on_error, or of ours: the files of other calls go on
            _log.error("recording.bug", file=self.path.name, reason=repr(error))

    # On the disk's thread, in the order they were submitted

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.pwrite(self._file, header(self._sample_rate, 0), 0)
        except OSError as error:
            self._fail(error)

    def _append(self, left: bytes, right: bytes) -> None:
        if self._file is None or not left:
            return
        both = np.empty((len(left) // 2, 2), dtype="<i2")
        both[:, 0] = np.frombuffer(left, dtype="<i2")
        both[:, 1] = np.frombuffer(right, dtype="<i2")
        try:
            # Data first: a header that is behind its data plays, one that is ahead of it does not.
            _write_all(self._file, both.tobytes(), HEADER_BYTES + self._data_bytes)
            self._data_bytes += both.nbytes
            _write_all(self._file, header(self._sample_rate, self._data_bytes), 0)
        except OSError as error:
            self._fail(error)

    def _finish(self) -> None:
        if self._file is None:
            return
        try:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self._reported:
            return
        self._failed = self._reported = True
        if self._file is not None:
            try:
                os.close(self._file)
            except OSError as second:
                _log.error("recording.close_failed", file=self.path.name, reason=str(second))
            self._file = None
        failure = RecordsError(f"the recording {self.path.name} cannot be written: {why(error)}")
        _log.error("recording.failed", file=self.path.name, reason=why(error))
        if self._on_error is not None:
            self._on_error(failure)


def repair(path: Path) -> bool:
    """Make the sizes in a recording's header those of its data; True if they were not.

    Raises RecordsError.
    """
    try:
        with path.open("r+b") as file:
            head = file.read(HEADER_BYTES)
            if len(head) < HEADER_BYTES or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
                raise RecordsError(f"{path.name} is not a recording of this program")
            size = file.seek(0, os.SEEK_END)
            data_bytes = (size - HEADER_BYTES) // FRAME_BYTES * FRAME_BYTES
            right = header(struct.unpack_from("<I", head, 24)[0], data_bytes)
            if head == right and size == HEADER_BYTES + data_bytes:
                return False
            file.seek(0)
            file.write(right)
            file.truncate(HEADER_BYTES + data_bytes)
            return True
    except OSError as error:
        raise RecordsError(f"the recording {path.name} cannot be repaired: {error.strerror}") from error


def header(sample_rate: int, data_bytes: int) -> bytes:
    """The 44 bytes before the samples of a 16-bit stereo WAV."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        2,
        sample_rate,
        sample_rate * FRAME_BYTES,
        FRAME_BYTES,
        16,
        b"data",
        data_bytes,
    )


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view = view[written:]
        offset += written
