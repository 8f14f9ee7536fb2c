"""Recognition by vosk-server (alphacep/vosk-server), its Python and its C++ WebSocket server.

A JSON message sets the sample rate and asks for words, then comes audio; each message with audio is answered
by one reply, a partial or, where the server heard a pause, a result. {"eof" : 1} is answered by the last
result, and the server closes; {"reset" : 1}, which newer Python servers know, by the last result alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from asr import Transcript, Word
from asr.server import Link, parse_reply
from asr.servers import UNRATED_CONFIDENCE, Fleet
from asr.vosk_engine import join_words

CHUNK_S = 0.1  # of audio in a message
_EOF = '{"eof" : 1}'  # compared as it stands by the servers, blanks and all
_RESET = '{"reset" : 1}'


class VoskServerRecognizer:
    """Recognises by the vosk-servers at `servers`, whichever is least busy and works."""

    def __init__(
        self,
        servers: Sequence[str],
        *,
        reuse: bool = False,
        verify_tls: bool = True,
        sample_rate: int = 8000,
        connect_timeout_s: float = 1.0,
        reply_timeout_s: float = 4.0,
    ) -> None:
        """For audio at `sample_rate` Hz; `servers` are ws:// or wss:// addresses, else ModelError is raised.

        With `reuse`, connections are kept from one utterance to the next where the server can do that. Each
        message must be answered within `reply_timeout_s`.
        """
        self.sample_rate = sample_rate
        self._reply_timeout_s = reply_timeout_s
        self._fleet = Fleet(
            servers,
            self._exchange,
            subject="vosk-server",
            reuse=reuse,
            verify_tls=verify_tls,
            connect_timeout_s=connect_timeout_s,
            send_timeout_s=reply_timeout_s,
        )

    def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        When a server fails, the next one hears the utterance from its start. Raises EngineFailed when all
        have failed. Closing or cancelling closes the connection.
        """
        return self._fleet.transcribe(audio)

    async def aclose(self) -> None:
        """Close all connections; transcriptions still running end with EngineFailed."""
        await self._fleet.aclose()

    def _exchange(self, link: Link) -> _Exchange:
        return _Exchange(link, self.sample_rate, self._reply_timeout_s, keep=self._fleet.reuse)


class _Exchange:
    """One utterance in vosk-server's protocol."""

    may_be_done = False

    def __init__(self, link: Link, sample_rate: int, reply_timeout_s: float, *, keep: bool) -> None:
        self.done = False
        self.asks_to_keep = False
        # The C++ server knows neither settings nor {"reset" : 1}: it takes both for audio.
        self._knows_json = "Beast" not in link.software
        self._link = link
        self._rate = sample_rate
        self._reply_timeout_s = reply_timeout_s
        self._keep = keep and self._knows_json and link.server.keeps_connections
        self._pending = bytearray()
        self._samples = 0
        self._ended = False
        self._owed = 0  # replies that the server has still to send
        self._texts: list[str] = []
        self._words: list[Word] = []
        self._partial = ""

    def begin(self) -> Sequence[str]:
        if self._link.utterances or not self._knows_json:
            return ()
        config = {"sample_rate": self._rate, "words": True, "max_alternatives": 0}
        return (json.dumps({"config": config}),)

    def audio(self, pcm: bytes) -> Sequence[bytes]:
        self._pending += pcm
        size = int(self._rate * CHUNK_S) * 2
        whole = len(self._pending) // size * size
        chunks = [bytes(self._pending[at : at + size]) for at in range(0, whole, size)]
        del self._pending[:whole]
        return self._count(chunks)

    def end(self) -> Sequence[str | bytes]:
        self._ended = True
        rest = bytes(self._pending[: len(self._pending) // 2 * 2])
        self.asks_to_keep = self._keep
        self._owed += 1
        return [*self._count([rest] if rest else []), _RESET if self._keep else _EOF]

    def take(self, reply: str | bytes) -> None:
        message = parse_reply(self._link, reply)
        alternatives = message.get("alternatives")  # of a server set up to give several
        if isinstance(alternatives, list) and alternatives and isinstance(alternatives[0], dict):
            message = alternatives[0]
        self._owed -= 1
        if isinstance(partial := message.get("partial"), str):
            self._partial = join_words(partial.split())
        elif isinstance(text := message.get("text"), str):
            self._texts += text.split()
            self._words += self._read_words(message.get("result", []))
            self._partial = ""
            if self._ended and self._owed <= 0:
                self.done = True
                self._link.audio_s += self._samples / self._rate
        else:
            raise self._link.failure("its reply has neither a partial nor a text")

    def text(self) -> str:
        return join_words([join_words(self._texts), self._partial])

    def patience_s(self) -> float:
        return self._reply_timeout_s if self._owed > 0 or self._ended else math.inf

    def final(self) -> Transcript:
        if not self.done:
            raise self._link.failure(f"no reply within {self._reply_timeout_s:g} s")
        text = join_words(self._texts)
        characters = sum(len(word.text) for word in self._words)
        rated = sum(word.confidence * len(word.text) for word in self._words)
        confidence = rated / characters if characters else UNRATED_CONFIDENCE
        return Transcript(text, True, confidence if text else 0.0, tuple(self._words))

    def _count(self, chunks: list[bytes]) -> list[bytes]:
        self._owed += len(chunks)
        self._samples += sum(map(len, chunks)) // 2
        return chunks

    def _read_words(self, result: Any) -> list[Word]:
        """A result's words; the clock of a kept connection goes on from one utterance to the next."""
        begun_s = self._link.audio_s
        try:
            words = [
                Word(
                    str(item["word"]),
                    max(0.0, float(item["start"]) - begun_s),
                    max(0.0, float(item["end"]) - begun_s),
                    min(1.0, max(0.0, float(item.get("conf", UNRATED_CONFIDENCE)))),
                )
                for item in result
            ]
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise self._link.failure("the words of its reply are not understood") from error
        return [word for word in words if join_words([word.text])]  # without what it did not know
