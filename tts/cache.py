"""A voice at the telephone's rate that remembers what it has said."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio.to_thread
import numpy as np
import soxr

from tts import Voice, pcm
from tts.clauses import split_clauses
from tts.spoken import spoken

TELEPHONE_HZ = 8000
_CHECK_BYTES = 16
_log = logging.getLogger(__name__)


class CachedVoice:
    """Resamples a voice to `sample_rate` and keeps whole utterances, so that fixed phrases cost nothing.

    The `memory_items` used last are kept in memory. On disk goes only what warm() was given: replies hold
    callers' names, numbers and addresses, which must not be left in files. Speech that failed or was
    abandoned half-way is not kept.
    """

    def __init__(
        self,
        voice: Voice,
        folder: Path | None = None,
        *,
        memory_items: int = 256,
        disk_bytes: int = 200_000_000,
        sample_rate: int = TELEPHONE_HZ,
    ) -> None:
        self.name = voice.name
        self.sample_rate = sample_rate
        self._voice = voice
        self._files = _Files(folder, disk_bytes) if folder is not None else None
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_items = memory_items

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield mono s16le at `sample_rate`, from the cache or as it is made. Raises TtsError."""
        async with aclosing(self._speak(spoken(text), rate, lasting=False)) as audio:
            async for chunk in audio:
                yield chunk

    async def warm(self, texts: Iterable[str], *, rate: float = 1.0) -> None:
        """Make sure that fixed `texts`, whole and clause by clause, are there. Raises TtsError."""
        for text in texts:
            for part in dict.fromkeys((text, *split_clauses(text))):
                async with aclosing(self._speak(spoken(part), rate, lasting=True)) as audio:
                    async for _ in audio:
                        pass

    async def aclose(self) -> None:
        """Free the engine; files stay."""
        await self._voice.aclose()

    async def _speak(self, text: str, rate: float, *, lasting: bool) -> AsyncGenerator[bytes, None]:
        key = self._key(text, rate)
        known = self._memory.get(key)
        if known is None and self._files is not None:
            known = await anyio.to_thread.run_sync(self._files.read, key)
            lasting = known is None and (lasting or self._files.holds(key))  # what is corrupt is made anew
        if known is not None:
            self._remember(key, known)
            if lasting and self._files is not None:
                await anyio.to_thread.run_sync(self._files.write, key, known)
            for chunk in pcm.pieces(known, self.sample_rate):
                yield chunk
            return
        made: list[bytes] = []
        async with aclosing(self._resampled(text, rate)) as audio:
            async for chunk in audio:
                made.append(chunk)
                yield chunk
        whole = b"".join(made)
        self._remember(key, whole)
        if lasting and self._files is not None:
            await anyio.to_thread.run_sync(self._files.write, key, whole)

    async def _resampled(self, text: str, rate: float) -> AsyncGenerator[bytes, None]:
        stream = soxr.ResampleStream(
            self._voice.sample_rate, self.sample_rate, 1, dtype="int16", quality="HQ"
        )
        same = self._voice.sample_rate == self.sample_rate
        async with _closing(self._voice.speak(text, rate=rate)) as audio:
            async for chunk in audio:
                out = chunk if same else stream.resample_chunk(np.frombuffer(chunk, np.int16)).tobytes()
                if out:
                    yield out
        rest = b"" if same else stream.resample_chunk(np.empty(0, np.int16), last=True).tobytes()
        if rest:
            yield rest

    def _key(self, text: str, rate: float) -> str:
        parts = (self.name, f"{rate:.3f}", str(self.sample_rate), text)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()

    def _remember(self, key: str, audio: bytes) -> None:
        self._memory[key] = audio
        self._memory.move_to_end(key)
        while len(self._memory) > self._memory_items:
            self._memory.popitem(last=False)


class _Files:
    """Audio files named by key, each behind its checksum; the longest unused go beyond the limit.

    A cache must not cost a call: a folder that cannot be read or written is logged, and done without.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def holds(self, key: str) -> bool:
        return self._path(key).exists()

    def read(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("voice cache: cannot read %s: %s", path, error.strerror)
            return None
        audio = data[_CHECK_BYTES:]
        if data[:_CHECK_BYTES] != _check(audio):
            _log.warning("voice cache: %s is corrupt, it will be made anew", path)
            return None
        return audio

    def write(self, key: str, audio: bytes) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
                file.write(_check(audio) + audio)
            os.replace(file.name, path)
            self._shrink()
        except OSError as error:
            _log.warning("voice cache: cannot write %s: %s", path, error.strerror)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.pcm"

    def _shrink(self) -> None:
        files = [(path, path.stat()) for path in self._folder.glob("*/*.pcm")]
        total = sum(stat.st_size for _, stat in files)
        for path, stat in sorted(files, key=lambda file: file[1].st_mtime):
            if total <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size


@asynccontextmanager
async def _closing(audio: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """End an engine's work when its listener has gone; contextlib.aclosing, for plain iterators too."""
    try:
        yield audio
    finally:
        if isinstance(audio, AsyncGenerator):
            await audio.aclose()


def _check(audio: bytes) -> bytes:
    return hashlib.blake2b(audio, digest_size=_CHECK_BYTES).digest()
