"""Closing the engines' audio on time, not whenever the garbage collector comes by."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def closing(audio: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """End an engine's work on leaving; contextlib.aclosing, for plain iterators too."""
    try:
        yield audio
    finally:
        if isinstance(audio, AsyncGenerator):
            await audio.aclose()
