"""The keys that recordings are sealed with: one to write with, any number to read with."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from records import RecordsError

KEY_BYTES = 32  # AES-256
ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Key:
    """One secret; its `id` stands in every recording sealed with it and tells nothing about it."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """The first 8 bytes of a hash of the secret."""
        return hashlib.sha256(b"hotline recording key id\0" + self.secret).digest()[:ID_BYTES]


@dataclass(frozen=True, slots=True)
class Keys:
    """`current` seals new recordings (None: they are written in plain text), `old` ones still open theirs."""

    current: Key | None = None
    old: tuple[Key, ...] = ()

    def find(self, key_id: bytes) -> Key:
        """The key with that id. Raises RecordsError."""
        for key in (self.current, *self.old):
            if key is not None and key.id == key_id:
                return key
        raise RecordsError(
            f"it is sealed with the key {key_id.hex()}, which is not set;"
            " see records.key_file and records.old_keys_file"
        )


def parse_key(text: str) -> Key:
    """A key as it is written: 32 bytes as 64 hexadecimal digits or in base64. Raises ValueError."""
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:  # which would be base64 too, of 48 bytes
            return Key(bytes.fromhex(text))
        secret = base64.b64decode(text, validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ValueError(
            "write 32 random bytes as 64 hex digits or in base64, as `openssl rand -base64 32` does"
        )
    return Key(secret)


def parse_keys(current: str, old: str) -> Keys:
    """`current` as for parse_key, or empty; `old` has any number of keys, one a line. Raises ValueError."""
    return Keys(
        parse_key(current) if current else None,
        tuple(parse_key(line) for line in old.splitlines() if line.strip()),
    )
