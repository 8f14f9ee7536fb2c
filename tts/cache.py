"""A voice at the telephone's rate that remembers what it has said."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import anyio.to_thread
import numpy as np
import soxr

from tts import Voice, pcm
from tts.clauses import split_clauses
from tts.making import Making
from tts.spoken import spoken
from tts.streams import closing

TELEPHONE_HZ = 8000
PIECE_S = 0.5  # of what is there already: each piece costs its way through the call once
_CHECK_BYTES = 16
_log = logging.getLogger(__name__)


class CachedVoice:
    """Resamples a voice to `sample_rate` and keeps whole utterances, so that fixed phrases cost nothing.

    The `memory_items` used last are kept in memory. On disk goes only what warm() was given: replies hold
    callers' names, numbers and addresses, which must not be left in files. What is asked for by several at
    once is made once, and what is abandoned half-way is finished and kept, unless that takes longer than
    `finish_s`; what failed is not.
    """

    def __init__(
        self,
        voice: Voice,
        folder: Path | None = None,
        *,
        memory_items: int = 256,
        disk_bytes: int = 200_000_000,
        sample_rate: int = TELEPHONE_HZ,
        finish_s: float = 10.0,
    ) -> None:
        self.name = voice.name
        self.sample_rate = sample_rate
        self._voice = voice
        self._files = _Files(folder, disk_bytes) if folder is not None else None
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_items = memory_items
        self._finish_s = finish_s
        self._making: dict[str, Making] = {}

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
        """Stop what is being made and free the engine; files stay."""
        tasks = [making.task for making in self._making.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # a Making keeps its errors to itself
        await self._voice.aclose()

    async def _speak(self, text: str, rate: float, *, lasting: bool) -> AsyncGenerator[bytes, None]:
        key = self._key(text, rate)
        known = self._memory.get(key)
        if known is None and self._files is not None and self._files.holds(key):
            known = await anyio.to_thread.run_sync(self._files.read, key)
            lasting = known is None  # what is corrupt is made anew
        if known is not None:
            self._remember(key, known)
            if lasting and self._files is not None and not self._files.holds(key):
                await anyio.to_thread.run_sync(self._files.write, key, known)
            for chunk in pcm.pieces(known, self.sample_rate, PIECE_S):
                yield chunk
            return
        making = self._made(key, text, rate)
        making.lasting |= lasting
        async with aclosing(making.listen()) as audio:
            async for chunk in audio:
                for piece in pcm.pieces(chunk, self.sample_rate, PIECE_S):
                    yield piece

    def _made(self, key: str, text: str, rate: float) -> Making:
        making = self._making.get(key)
        if making is None or making.over:
            made = making = Making(
                self._resampled(text, rate), partial(self._keep, key), finish_s=self._finish_s
            )
            self._making[key] = made
            made.task.add_done_callback(lambda _: self._forget(key, made))
        return making

    async def _keep(self, key: str, whole: bytes) -> None:
        self._remember(key, whole)
        if self._making[key].lasting and self._files is not None:
            await anyio.to_thread.run_sync(self._files.write, key, whole)

    def _forget(self, key: str, made: Making) -> None:
        if self._making.get(key) is made:
            del self._making[key]

    async def _resampled(self, text: str, rate: float) -> AsyncGenerator[bytes, None]:
        stream = soxr.ResampleStream(
            self._voice.sample_rate, self.sample_rate, 1, dtype="int16", quality="HQ"
        )
        same = self._voice.sample_rate == self.sample_rate
        async with closing(self._voice.speak(text, rate=rate)) as audio:
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


def _check(audio: bytes) -> bytes:
    return hashlib.blake2b(audio, digest_size=_CHECK_BYTES).digest()
