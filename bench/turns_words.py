"""A vosk-server that knows what is said to it: `python -m bench.turns_words CLIPS` (a pickle of clips).

It finds the clips' packets in the audio, which comes sample by sample as it was sent but cut otherwise, and
tells the clip's text in step with it. It stands for a recogniser that understands people; how much of the
speech packets' audio it knew is in its log at its end, "known N s of M s". It prints "ready PORT".
"""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import sys
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from bench.speech import PACKET
from bench.turns_script import PACKET_S, RATE, VALUES, Clip

KEY = 40  # bytes, by which a packet is known: 20 samples
LAG_S = 0.1  # a word is told so long after it was said, and the audio comes in pieces of 0.1 s besides
_PCM = VALUES.astype("<i2")


@dataclass(frozen=True, slots=True)
class Place:
    """A packet of a clip, by the moment at its end."""

    clip: Clip
    end_s: float

    def said(self, more_s: float = 0.0) -> int:
        """How many characters have been said by then."""
        return bisect_right(self.clip.said_s, self.end_s + more_s + 1e-6)


class Words:
    """Which packet of which clip is which sound."""

    def __init__(self, clips: Iterable[Clip]) -> None:
        self._places: dict[bytes, Place] = {}
        for clip in clips:
            for number in range(clip.first, clip.last + 1):
                # A pause is the noise that follows the clip, and the packet in which it ends begins with it.
                if clip.pause is None or not clip.pause[0] <= number <= clip.pause[1]:
                    code = np.frombuffer(clip.packets[number][: KEY // 2], np.uint8)
                    self._places[_PCM[code].tobytes()] = Place(clip, (number + 1) * PACKET_S)

    def place(self, key: bytes) -> Place | None:
        """The packet that begins so; None for what is no speech of ours."""
        return self._places.get(key)


class Utterance:
    """What has been heard since the recogniser began anew."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._audio = b""
        self._at = 0  # in it, where the next packet can begin
        self._heard: list[tuple[Place, Place]] = []  # the first and the latest packet of each text
        self._since_s = 0.0  # the latest
        self.heard_s = self.known_s = 0.0

    def feed(self, pcm: bytes) -> None:
        """Take mono s16le of any length."""
        audio, at = self._audio + pcm, self._at
        self.heard_s += len(pcm) / 2 / RATE
        while at + KEY <= len(audio):
            place = self._words.place(audio[at : at + KEY])
            at += 2 if place is None else 2 * PACKET
            if place is None:
                self._since_s += 1 / RATE
            else:
                self._hear(place)
        done = min(at, len(audio))
        self._audio, self._at = audio[done:], at - done

    def _hear(self, place: Place) -> None:
        self._since_s = 0.0
        self.known_s += PACKET_S
        if self._heard and self._heard[-1][0].clip.text == place.clip.text:
            self._heard[-1] = (self._heard[-1][0], place)
        else:
            self._heard.append((place, place))

    def text(self, *, final: bool) -> str:
        """The characters told so far; at the end also those that a recogniser still has to think about."""
        lag_s = 0.0 if final else max(0.0, LAG_S - self._since_s)
        return "".join(
            first.clip.text[first.said(-PACKET_S) : latest.said(-lag_s)] for first, latest in self._heard
        )


async def _utterances(connection: ServerConnection, words: Words, totals: list[float]) -> None:
    heard = Utterance(words)
    async for message in connection:
        if isinstance(message, bytes):
            heard.feed(message)
            await connection.send(json.dumps({"partial": " ".join(heard.text(final=False))}))
        elif "config" in message:
            continue
        else:  # reset or eof
            result = [{"word": word, "start": 0, "end": 0, "conf": 1.0} for word in heard.text(final=True)]
            await connection.send(json.dumps({"text": " ".join(heard.text(final=True)), "result": result}))
            totals[0] += heard.known_s
            totals[1] += heard.heard_s
            if "eof" in message:
                return
            heard = Utterance(words)


async def _main(clips: list[Clip]) -> None:
    words, totals = Words(clips), [0.0, 0.0]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
    try:
        async with serve(
            lambda connection: _utterances(connection, words, totals), "127.0.0.1", 0, compression=None
        ) as server:
            print("ready", next(iter(server.sockets)).getsockname()[1], flush=True)
            await server.serve_forever()
    except asyncio.CancelledError:
        print(f"known {totals[0]:.0f} s of {totals[1]:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(_main(pickle.loads(Path(sys.argv[1]).read_bytes())))
