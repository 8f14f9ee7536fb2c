"""Microsoft Edge's read-aloud voices over the internet, by the package edge-tts: natural, not guaranteed.

The service answers 403 or 503 at times, and its first sound takes most of a second: put it before a local
voice in a chain (tts.fallback) and behind a cache (tts.cache).
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import aiohttp
import anyio
import anyio.to_thread
import edge_tts
from edge_tts.exceptions import EdgeTTSException, NoAudioReceived

from tts import VoiceFailed, VoiceMissing, pcm
from tts.mp3 import Mp3Error, Mp3Stream
from tts.spoken import spoken

DEFAULT_VOICE = "zh-CN-XiaoxiaoNeural"
_LEAD_S = 0.03
_TAIL_S = 0.1
_TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # one and the same from Python 3.11 on


class EdgeVoice:
    """Speaks as the service streams. Needs the internet; sends it the text that is to be spoken."""

    sample_rate = 24000

    def __init__(
        self,
        voice: str = DEFAULT_VOICE,
        *,
        connect_timeout_s: float = 2.0,
        first_byte_timeout_s: float = 3.0,
        idle_timeout_s: float = 3.0,
        retries: int = 1,
        proxy: str | None = None,
    ) -> None:
        """`first_byte_timeout_s` counts from the beginning of an attempt to its first sound.

        A refused or failed attempt is repeated up to `retries` times while nothing has been heard; one that
        ran out of time is not, the caller has waited enough. Raises VoiceMissing for an impossible name.
        """
        if not re.fullmatch(r"[a-z]{2,3}-[A-Z]{2}-([a-z]+-)?\w+Neural", voice):
            raise VoiceMissing(f"{voice!r} is not an edge-tts voice; one is {DEFAULT_VOICE}")
        self.name = f"edge:{voice}"
        self._voice = voice
        self._connect_timeout_s = connect_timeout_s
        self._first_byte_timeout_s = first_byte_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._retries = retries
        self._proxy = proxy

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield mono s16le at 24000 Hz as it arrives. Raises VoiceFailed."""
        text = spoken(text)
        if not any(char.isalnum() for char in text):
            return
        for attempts_left in range(self._retries, -1, -1):
            heard = False
            try:
                async with aclosing(self._attempt(text, rate)) as audio:
                    async for chunk in audio:
                        heard = True
                        yield chunk
            except VoiceFailed as error:
                if heard or not attempts_left or isinstance(error.__cause__, _TIMEOUTS):
                    raise
            else:
                return

    async def aclose(self) -> None:
        """Nothing to free: each sentence has its own connection."""

    async def _attempt(self, text: str, rate: float) -> AsyncGenerator[bytes, None]:
        trimmer = pcm.SilenceTrimmer(self.sample_rate, lead_s=_LEAD_S, tail_s=_TAIL_S)
        with Mp3Stream(self.sample_rate) as decoder:
            try:
                async with aclosing(self._mp3(text, rate)) as mp3:
                    async for data in mp3:
                        decoded = await anyio.to_thread.run_sync(decoder.push, data)
                        if audio := trimmer.push(decoded):
                            yield audio
                decoded = await anyio.to_thread.run_sync(decoder.finish)
            except Mp3Error as error:
                raise VoiceFailed(f"edge-tts: {error}", retryable=True) from error
        if audio := trimmer.push(decoded) + trimmer.finish():
            yield audio

    async def _mp3(self, text: str, rate: float) -> AsyncGenerator[bytes, None]:
        """The service's messages as MP3 data, each awaited in time, each failure put in words."""
        communicate = edge_tts.Communicate(
            text,
            self._voice,
            rate=f"{round((rate - 1) * 100):+d}%",
            proxy=self._proxy,
            connect_timeout=math.ceil(self._connect_timeout_s),
        )
        deadline = anyio.current_time() + self._first_byte_timeout_s
        async with aclosing(communicate.stream()) as messages:
            while True:
                try:
                    with anyio.fail_after(deadline - anyio.current_time()):
                        message = await anext(messages)
                except StopAsyncIteration:
                    break
                except (
                    TimeoutError,
                    asyncio.TimeoutError,
                    aiohttp.ClientError,
                    EdgeTTSException,
                    OSError,
                ) as error:
                    raise VoiceFailed(f"edge-tts: {self._reason(error)}", retryable=True) from error
                if message["type"] == "audio":
                    yield message["data"]
                    deadline = anyio.current_time() + self._idle_timeout_s
        # The package takes a lost connection for the end; only the service's turn.end clears this count.
        if communicate.state["chunk_audio_bytes"]:
            raise VoiceFailed("edge-tts: the connection was lost in mid-sentence", retryable=True)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, _TIMEOUTS):
            return (
                f"the service was too slow (first sound within {self._first_byte_timeout_s:g} s, "
                f"then never {self._idle_timeout_s:g} s without any)"
            )
        if isinstance(error, aiohttp.WSServerHandshakeError):
            return f"the service refused with HTTP {error.status}"
        if isinstance(error, NoAudioReceived):
            return f"the service sent no audio; does it have the voice {self._voice}?"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"the service cannot be reached: {error.os_error}"
        return f"the service failed: {type(error).__name__}"
