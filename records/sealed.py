"""Recordings encrypted at rest: a file that grows chunk by chunk, each sealed by AES-256-GCM.

The file, little-endian:

    64 bytes    magic "HLSEALED", version 1 (u16), 2 zero bytes, sample rate (u32), samples' bytes per chunk
                (u32), key id (8), salt (32, random), 4 zero bytes
    16 bytes    tag of the header
    chunks      so many bytes of samples (16-bit stereo, interleaved) as the header says, and 16 bytes of tag
    last chunk  fewer bytes of samples, possibly none, and 16 bytes of tag

The file's own key is HKDF-SHA256 (RFC 5869) of the configured key, the salt, and the file's name. A nonce is
the chunk's kind (u8), 3 zero bytes and its index (u64): within a file none occurs twice with other data, as a
chunk is written once and never again. Header and nonce are associated data. So a chunk opens only in its own
place in its own file; the kind marks the last chunk, without which a file was cut, or is still being written.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from records import NotFound, RecordsError, why
from records.keys import Key, Keys
from records.wav import FRAME_BYTES, HEADER_BYTES, create, write_all
from records.wav import header as wav_header

SUFFIX = ".sealed"
CHUNK_S = 0.5  # what a crash can cost: only whole chunks are in the file
HEADER = struct.Struct("<8sHHII8s32s4x")
MAGIC = b"HLSEALED"
VERSION = 1
TAG_BYTES = 16
SALT_BYTES = 32
HEAD_BYTES = HEADER.size + TAG_BYTES
_MAX_CHUNK_BYTES = 1 << 20

INNER, LAST, LAST_AFTER_CRASH, HEAD = range(4)  # kinds of chunks; the head is sealed as an empty one


class SealedWriter:
    """Appends samples, both channels interleaved, to a new sealed file. All methods raise OSError."""

    def __init__(self, path: Path, sample_rate: int, key: Key) -> None:
        self.written_bytes = 0  # of samples, in whole chunks
        self._chunk_bytes = int(CHUNK_S * sample_rate) * FRAME_BYTES
        salt = secrets.token_bytes(SALT_BYTES)
        header = HEADER.pack(MAGIC, VERSION, 0, sample_rate, self._chunk_bytes, key.id, salt)
        self._cipher = _Cipher(header, salt, key, path.name)
        self._count = 0
        self._pending = bytearray()
        self._end = HEAD_BYTES
        self._file = create(path, header + self._cipher.seal(HEAD, 0, b""))

    def append(self, samples: bytes) -> None:
        """Write every chunk that is full; they count once this returns."""
        self._pending += samples
        while len(self._pending) >= self._chunk_bytes:
            chunk = bytes(self._pending[: self._chunk_bytes])
            del self._pending[: self._chunk_bytes]
            self._write(INNER, chunk)

    def finish(self) -> None:
        """Write the last chunk, which says that there are no more, and see to it that all is on the disk."""
        self._write(LAST, bytes(self._pending))
        self._pending.clear()
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file; not twice."""
        os.close(self._file)

    def _write(self, kind: int, samples: bytes) -> None:
        # Counted first: should the write fail, this index is not used again.
        index, self._count = self._count, self._count + 1
        sealed = self._cipher.seal(kind, index, samples)
        write_all(self._file, sealed, self._end)
        self._end += len(sealed)
        self.written_bytes += len(samples)


class SealedPlayback:
    """A sealed recording as the WAV it holds, as far as it goes now; reads decrypt only what they need.

    `complete` is False while the call runs, and for ever when the file was cut or could not be written to its
    end. Nothing that was changed is ever returned. Raises RecordsError when the file does not open.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        self.name = path.name.removesuffix(SUFFIX)
        self._path = path
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            body_bytes = os.fstat(file.fileno()).st_size - HEAD_BYTES
        rate, self._chunk_bytes, self._cipher = _open_head(path, head, keys)
        self._count, tail_bytes = divmod(body_bytes, self._chunk_bytes + TAG_BYTES)
        last = self._last_chunk(tail_bytes)
        self.complete = last is not None
        self._last = last or b""  # what does not open here was cut while it was written
        data_bytes = self._count * self._chunk_bytes + len(self._last)
        self._wav_header = wav_header(rate, data_bytes)
        self.size = HEADER_BYTES + data_bytes

    def read(self, offset: int, length: int) -> bytes:
        """These bytes of the WAV, fewer at its end. Raises RecordsError where the file was changed."""
        end = min(offset + length, self.size)
        data = self._wav_header[offset:end]
        begin, end = max(offset, HEADER_BYTES) - HEADER_BYTES, end - HEADER_BYTES  # of the samples
        if begin < end:
            first = begin // self._chunk_bytes
            try:
                samples = b"".join(self._chunks(first, (end - 1) // self._chunk_bytes))
            except OSError as error:
                raise RecordsError(f"the recording {self.name} cannot be read: {why(error)}") from error
            start = first * self._chunk_bytes
            data += samples[begin - start : end - start]
        return data

    def _chunks(self, first: int, last: int) -> Iterator[bytes]:
        sealed_bytes = self._chunk_bytes + TAG_BYTES
        with self._path.open("rb") as file:
            file.seek(HEAD_BYTES + first * sealed_bytes)
            for index in range(first, min(last + 1, self._count)):
                samples = self._cipher.open(INNER, index, file.read(sealed_bytes))
                if samples is None:
                    raise RecordsError(
                        f"the recording {self._path.name} was changed or damaged: part {index} does not open"
                    )
                yield samples
        if last == self._count:
            yield self._last

    def _last_chunk(self, tail_bytes: int) -> bytes | None:
        if tail_bytes < TAG_BYTES:
            return None
        with self._path.open("rb") as file:
            file.seek(HEAD_BYTES + self._count * (self._chunk_bytes + TAG_BYTES))
            sealed = file.read(tail_bytes)
        samples = self._cipher.open(LAST, self._count, sealed)
        return samples if samples is not None else self._cipher.open(LAST_AFTER_CRASH, self._count, sealed)


def repair_sealed(path: Path, keys: Keys) -> bool:
    """Cut off what a crash left unfinished and seal the end; True if that was needed.

    Raises RecordsError, leaving the file as it is, when it does not open; OSError.
    """
    with path.open("r+b") as file:
        head = file.read(HEAD_BYTES)
        _, chunk_bytes, cipher = _open_head(path, head, keys)
        if SealedPlayback(path, keys).complete:
            return False
        sealed_bytes = chunk_bytes + TAG_BYTES
        count = (file.seek(0, os.SEEK_END) - HEAD_BYTES) // sealed_bytes
        while count:  # after a loss of power the file may be longer than what was written
            file.seek(HEAD_BYTES + (count - 1) * sealed_bytes)
            if cipher.open(INNER, count - 1, file.read(sealed_bytes)) is not None:
                break
            count -= 1
        file.truncate(HEAD_BYTES + count * sealed_bytes)
        file.seek(0, os.SEEK_END)
        # A kind of its own, as the chunk cut off may have had this index; and nothing in it, so that doing
        # this twice after two crashes gives the same bytes.
        file.write(cipher.seal(LAST_AFTER_CRASH, count, b""))
        file.flush()
        os.fsync(file.fileno())
        return True


class _Cipher:
    """Seals and opens the chunks of one file."""

    def __init__(self, header: bytes, salt: bytes, key: Key, name: str) -> None:
        derive = HKDF(SHA256(), 32, salt, b"hotline recording 1\0" + name.encode())
        self._aes = AESGCM(derive.derive(key.secret))
        self._header = header

    def seal(self, kind: int, index: int, samples: bytes) -> bytes:
        nonce = struct.pack("<B3xQ", kind, index)
        return self._aes.encrypt(nonce, samples, self._header + nonce)

    def open(self, kind: int, index: int, sealed: bytes) -> bytes | None:
        """The samples, None if this is not that chunk as it was sealed."""
        nonce = struct.pack("<B3xQ", kind, index)
        if len(sealed) < TAG_BYTES:
            return None
        try:
            return self._aes.decrypt(nonce, sealed, self._header + nonce)
        except InvalidTag:
            return None


def _open_head(path: Path, head: bytes, keys: Keys) -> tuple[int, int, _Cipher]:
    """Sample rate, bytes of samples per chunk, and what opens them."""
    if len(head) < HEAD_BYTES:
        raise NotFound(f"the recording {path.name} has not begun")
    header = head[: HEADER.size]
    magic, version, _, rate, chunk_bytes, key_id, salt = HEADER.unpack(header)
    if magic != MAGIC or not 0 < chunk_bytes <= _MAX_CHUNK_BYTES:
        raise RecordsError(f"{path.name} is not a sealed recording")
    if version != VERSION:
        raise RecordsError(
            f"{path.name} is sealed in version {version}; this program reads version {VERSION}"
        )
    try:
        cipher = _Cipher(header, salt, keys.find(key_id), path.name)
    except RecordsError as error:
        raise RecordsError(f"the recording {path.name} cannot be opened: {error}") from None
    if cipher.open(HEAD, 0, head[HEADER.size :]) is None:
        raise RecordsError(f"the recording {path.name} was changed or damaged, or is that of another call")
    return rate, chunk_bytes, cipher
