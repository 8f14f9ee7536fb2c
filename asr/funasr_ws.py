"""Recognition by a FunASR runtime server over its WebSocket protocol: the C++ servers and the Python one.

A JSON message tells mode, hotwords and format; then comes audio; {"is_speaking": false} ends it. The server
cuts the utterance by its own voice activity detection: a reply of a mode "...online" is the next few words
of a running guess, one of a mode "...offline" a whole segment heard again, in place of the guess.

The servers tell differently which reply is the last (read in their sources, up to version 1.4.3):

- the C++ server for 2pass sets is_final in the last reply and in no other;
- the C++ server for files answers once, with the mode "offline" and without is_final;
- the Python server sets is_final in every "...offline" reply; since July 2026 it acknowledges an end that
  says is_end, and names a speaker (spk_name) in its replies. Before, is_final was set while audio came, and
  nothing told the last reply: `GRACE_S` without another one ends the utterance.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import soxr

from asr import Transcript, Word
from asr.server import Link, parse_reply
from asr.servers import UNRATED_CONFIDENCE, Fleet
from asr.vosk_engine import join_words

Mode: TypeAlias = Literal["2pass", "online", "offline"]

PATIENCE_PER_S = 0.1  # more for each second of audio: a second pass takes its time
GRACE_S = 0.5  # without another segment, for servers that do not say which is the last
# The Python server takes any audio for 16 kHz, whatever audio_fs says, and the C++ server fills 8 kHz in
# piece by piece, with a seam at each: so it is filled in here.
WIRE_RATE = 16_000
CHUNK_S = 0.06  # of audio in a message: the Python server counts messages, 10 of them make its 0.6 s
_CHUNK_BYTES = round(WIRE_RATE * CHUNK_S) * 2
_HOTWORD_WEIGHT = 20  # as in the runtime's documentation
_TAG = re.compile(r"<\|[^|<>]*\|>")  # SenseVoice's marks of language, mood and noise
_TOKEN = re.compile(
    r"[A-Za-z0-9]+(?:[.,:'/&@_-][A-Za-z0-9]+)*%?"  # a Latin word or a number, whole
    r"|[^\s，。？！、；：…—～·“”‘’（）《》〈〉【】「」『』"
    r",.?!;:\"'()\[\]{}<>~|_/\\*#-]"
)


class FunasrServerRecognizer:
    """Recognises by the FunASR runtime servers at `servers`, whichever is least busy and works."""

    def __init__(
        self,
        servers: Sequence[str],
        *,
        mode: Mode = "2pass",
        hotwords: Sequence[str] = (),
        itn: bool = False,
        reuse: bool = False,
        verify_tls: bool = True,
        sample_rate: int = 8000,
        connect_timeout_s: float = 1.0,
        reply_timeout_s: float = 4.0,
    ) -> None:
        """For audio at `sample_rate` Hz; `servers` are ws:// or wss:// addresses, else ModelError is raised.

        `mode`: "2pass" guesses while the caller speaks and hears each segment again, "online" only guesses,
        "offline" has no partials. With `itn` the server writes numbers as digits. With `reuse`, connections
        are kept from one utterance to the next. After the end of the audio a server that says nothing for
        `reply_timeout_s` and a tenth of the audio's length is given up; what it has told by then stands.
        """
        self.sample_rate = sample_rate
        self._reply_timeout_s = reply_timeout_s
        weights = {word: _HOTWORD_WEIGHT for word in map(str.strip, hotwords) if word}
        self._start = {
            "mode": mode,
            "chunk_size": [5, 10, 5],
            "chunk_interval": 10,
            "encoder_chunk_look_back": 4,
            "decoder_chunk_look_back": 0,
            "wav_format": "pcm",
            "audio_fs": WIRE_RATE,
            "hotwords": json.dumps(weights, ensure_ascii=False) if weights else "",
            "itn": itn,
            "svs_itn": itn,
            "is_speaking": True,
        }
        self._fleet = Fleet(
            servers,
            self._exchange,
            subject="FunASR server",
            reuse=reuse,
            verify_tls=verify_tls,
            connect_timeout_s=connect_timeout_s,
            send_timeout_s=reply_timeout_s,
            subprotocol="binary",  # without it the Python server refuses
        )

    def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` (mono s16le, chunks of any size) runs, and one final when it ends.

        The server gives no confidence: it is `UNRATED_CONFIDENCE` for all words, which are there only where
        the server gives times for them (a Python server counts them from the first sound on). When a server
        fails, the next one hears the utterance from its start. Raises EngineFailed when all have failed.
        Closing or cancelling closes the connection.
        """
        return self._fleet.transcribe(audio)

    async def aclose(self) -> None:
        """Close all connections; transcriptions still running end with EngineFailed."""
        await self._fleet.aclose()

    def _exchange(self, link: Link) -> _Exchange:
        return _Exchange(link, self._start, self.sample_rate, self._reply_timeout_s)


@dataclass(frozen=True, slots=True)
class _Segment:
    tokens: list[str]
    times_s: list[tuple[float, float]]


class _Exchange:
    """One utterance in the runtime's protocol."""

    asks_to_keep = False  # the end is the same whether the connection is kept or not

    def __init__(self, link: Link, start: dict[str, Any], sample_rate: int, reply_timeout_s: float) -> None:
        self.done = False
        self.may_be_done = False
        self._link = link
        self._start = start
        self._utterance = uuid.uuid4().hex
        self._reply_timeout_s = reply_timeout_s
        self._upsampler = (
            soxr.ResampleStream(sample_rate, WIRE_RATE, 1, dtype="int16")
            if sample_rate != WIRE_RATE
            else None
        )
        self._odd = b""  # half a sample
        self._pending = bytearray()
        self._audio_s = 0.0
        self._ended = False
        # The Python servers set is_final in the midst of speech; they are built on the package websockets.
        self._final_means_end = "websockets" not in link.software
        self._segments: list[_Segment] = []
        self._guess = ""  # what was heard since the last segment

    def begin(self) -> Sequence[str]:
        return (json.dumps({**self._start, "wav_name": self._utterance}, ensure_ascii=False),)

    def audio(self, pcm: bytes) -> Sequence[bytes]:
        pcm = self._odd + pcm
        whole = len(pcm) // 2 * 2
        self._odd = pcm[whole:]
        self._pending += self._fit(pcm[:whole], last=False)
        return self._chunks(len(self._pending) // _CHUNK_BYTES)

    def end(self) -> Sequence[str | bytes]:
        self._ended = True
        self._pending += self._fit(b"", last=True)
        # Filled up with silence: the Python server reckons with messages of one length.
        self._pending += bytes(-len(self._pending) % _CHUNK_BYTES)
        chunks = self._chunks(len(self._pending) // _CHUNK_BYTES)
        return [*chunks, json.dumps({"is_speaking": False, "is_end": True})]

    def take(self, reply: str | bytes) -> None:
        message = parse_reply(self._link, reply)
        if message.get("wav_name", self._utterance) != self._utterance:
            return  # late, from an utterance before this one on a kept connection
        text, mode = message.get("text", ""), message.get("mode", "")
        if not isinstance(text, str) or not isinstance(mode, str):
            raise self._link.failure("text and mode of its reply are not understood")
        if mode.endswith("offline"):
            self._segments.append(_Segment(_tokens(text), _times_s(message.get("timestamp"))))
            self._guess = ""
        elif mode.endswith("online"):
            self._guess += text
        elif text:
            raise self._link.failure("its reply has a text, but none of the modes online and offline")
        self._look_for_the_end(message, mode)

    def text(self) -> str:
        return join_words(
            [token for segment in self._segments for token in segment.tokens] + _tokens(self._guess)
        )

    def patience_s(self) -> float:
        if not self._ended:
            return math.inf  # to silence, nothing is said
        return GRACE_S if self.may_be_done else self._reply_timeout_s + PATIENCE_PER_S * self._audio_s

    def final(self) -> Transcript:
        self.done |= self.may_be_done
        text = self.text()
        if not self.done and not text:
            waited = f"{self._reply_timeout_s + PATIENCE_PER_S * self._audio_s:.1f} s"
            raise self._link.failure(f"no reply within {waited} after the end of the audio")
        if not text:
            return Transcript("", final=True)
        return Transcript(text, True, UNRATED_CONFIDENCE, self._words())

    def _look_for_the_end(self, message: dict[str, Any], mode: str) -> None:
        flagged = message.get("is_final") is True
        if message.get("is_end") is True:
            if message.get("error"):
                raise self._link.failure("it says that it failed")
            self.done = self._ended
        elif not self._ended:
            self._final_means_end &= not flagged
        elif "spk_name" in message:
            self.may_be_done = False  # an acknowledgement follows
        elif not self._final_means_end:
            self.may_be_done |= mode.endswith("offline")
        elif flagged and ("WebSocket++" in self._link.software or "timestamp" in message):
            self.done = True  # the C++ server; a proxy may hide its name, but that one tells times
        else:
            self.done = mode == "offline" and not flagged
            self.may_be_done |= flagged

    def _words(self) -> tuple[Word, ...]:
        """All words with their times; none where times are missing, or begin anew with each segment."""
        words = [
            Word(token, begin_s, end_s, UNRATED_CONFIDENCE)
            for segment in self._segments
            if len(segment.tokens) == len(segment.times_s)
            for token, (begin_s, end_s) in zip(segment.tokens, segment.times_s, strict=True)
        ]
        edges = [edge for word in words for edge in (word.start_s, word.end_s)]
        complete = len(words) == sum(len(segment.tokens) for segment in self._segments)
        return tuple(words) if complete and not self._guess and edges == sorted(edges) else ()

    def _fit(self, pcm: bytes, *, last: bool) -> bytes:
        if self._upsampler is None:
            return pcm
        samples: bytes = self._upsampler.resample_chunk(np.frombuffer(pcm, "<i2"), last=last).tobytes()
        return samples

    def _chunks(self, number: int) -> list[bytes]:
        chunks = [bytes(self._pending[at * _CHUNK_BYTES : (at + 1) * _CHUNK_BYTES]) for at in range(number)]
        del self._pending[: number * _CHUNK_BYTES]
        self._audio_s += number * CHUNK_S
        return chunks


def _tokens(text: str) -> list[str]:
    """A server's text without punctuation: Chinese characters one by one, Latin words and numbers whole."""
    return _TOKEN.findall(_TAG.sub(" ", text))


def _times_s(timestamp: Any) -> list[tuple[float, float]]:
    """[[begin_ms, end_ms], …], which the C++ servers send as a string; anything else tells no times."""
    if isinstance(timestamp, str):
        try:
            timestamp = json.loads(timestamp)
        except ValueError:
            return []  # two segments in one reply are no valid JSON
    if not isinstance(timestamp, list):  # newer C++ servers put the wall clock here while there are no times
        return []
    try:
        return [(begin_ms / 1000, end_ms / 1000) for begin_ms, end_ms in timestamp]
    except (TypeError, ValueError):
        return []
