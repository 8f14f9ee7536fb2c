"""Recordings as they are played: found by the name in the record, plain or sealed, read by ranges."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Protocol

from records import NotFound, RecordsError, why
from records.keys import Keys
from records.sealed import SUFFIX, SealedPlayback
from records.wav import HEADER_BYTES


class Playback(Protocol):
    """A WAV as it was when it was opened, also when it grows; holds no file open between reads."""

    @property
    def name(self) -> str:
        """The file's, as a WAV's."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def complete(self) -> bool | None:
        """Whether the recording was brought to its end; None where that cannot be told."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """These bytes, fewer at the end. Raises RecordsError."""
        ...


def open_recording(path: Path, keys: Keys | None = None) -> Playback:
    """A recording for reading. Raises NotFound, RecordsError."""
    try:
        if path.name.endswith(SUFFIX):  # the name decides: a plain file must not pass for a sealed one
            return SealedPlayback(path, keys or Keys())
        return _PlainPlayback(path)
    except FileNotFoundError:
        raise NotFound(f"the recording {path.name} cannot be read: there is no such file") from None
    except OSError as error:
        raise RecordsError(f"the recording {path.name} cannot be read: {why(error)}") from error


def find_recording(folder: Path, name: str) -> Path | None:
    """The file that a call's record names, relative to `folder`; never one outside, whatever it says."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or not name.endswith((".wav", f".wav{SUFFIX}")):
        return None
    path = folder / inside
    return path if path.is_file() else None


class _PlainPlayback:
    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.complete = None
        self._path = path
        # The header before the size, and the same one in every read: it then promises no more than there is.
        with path.open("rb") as file:
            self._header = file.read(HEADER_BYTES)
            self.size = os.fstat(file.fileno()).st_size

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        data = self._header[offset:end]
        begin = offset + len(data)
        if begin < end:
            try:
                with self._path.open("rb") as file:
                    file.seek(begin)
                    data += file.read(end - begin)
            except OSError as error:
                raise RecordsError(f"the recording {self.name} cannot be read: {why(error)}") from error
        return data
