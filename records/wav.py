"""A stereo WAV that grows and is playable at every moment."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from records import RecordsError

HEADER_BYTES = 44
FRAME_BYTES = 4  # two channels, 16 bits
MAX_DATA_BYTES = 0xFFFF_FFFF - HEADER_BYTES  # sizes in a WAV have 32 bits: 37 hours at 8 kHz


class WavWriter:
    """Appends samples, both channels interleaved, to a new WAV file. All methods raise OSError."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.written_bytes = 0  # of samples
        self._sample_rate = sample_rate
        self._file = create(path, header(sample_rate, 0))

    def append(self, samples: bytes) -> None:
        """Write them; they count once this returns."""
        # Data first: a header that is behind its data plays, one that is ahead of it does not.
        write_all(self._file, samples, HEADER_BYTES + self.written_bytes)
        self.written_bytes += len(samples)
        write_all(self._file, header(self._sample_rate, self.written_bytes), 0)

    def finish(self) -> None:
        """See to it that all is on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file; not twice."""
        os.close(self._file)


def create(path: Path, head: bytes) -> int:
    """A new file that begins with `head` and that nobody else on the machine may read. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(file, head, 0)
    except OSError:
        os.close(file)
        raise
    return file


def write_all(file: int, data: bytes, offset: int) -> None:
    """Write at `offset`, however many times the system takes a part only. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view = view[written:]
        offset += written


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


def repair_wav(path: Path) -> bool:
    """Make the sizes in the header those of the data; True if they were not. Raises RecordsError, OSError."""
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
