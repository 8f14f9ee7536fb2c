"""The configured recogniser's own partials, by the audio it had heard when it told them, without a clock."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import anyio

from asr import Recognizer
from asr.pool import CHUNK_S, HasLoad
from hotline.errors import UsageError
from hotline.line_conditions import SAMPLE_RATE
from hotline.turn_clips import LabelledClip
from voice.streams import closing

LAG_S = 0.05  # from a piece's last sound to its words: decoding, on a machine that is not too busy
_BEFORE_S, _AFTER_S = 0.4, 1.0  # of the clip's speech is heard as well
_POLL_S = 0.004


@dataclass(slots=True)
class Recognised:
    """What was told, piece by piece; a turn that begins later has only what came after its begin."""

    ends_s: list[float]
    texts: list[str]
    given_before: int = 0

    def turn_began(self, at_s: float) -> None:
        """From here on only what is said in this turn is told."""
        self.given_before = len(self._text(at_s - _BEFORE_S))

    def partial(self, at_s: float) -> str:
        """The turn so far."""
        return self._text(at_s - LAG_S)[self.given_before :]

    def _text(self, at_s: float) -> str:
        told = bisect_right(self.ends_s, at_s + 1e-9)
        return self.texts[told - 1] if told else ""


class Recognition:
    """Lets a recogniser that decodes in this process hear clips, one after the other.

    Raises UsageError for one that decodes elsewhere: how much it has heard is not known.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        if not isinstance(recognizer, HasLoad):
            raise UsageError(
                "--recognizer takes an engine that decodes in this process: set asr.engine to vosk, say"
            )
        self._recognizer, self._load = recognizer, recognizer.load
        self._known: dict[bytes, Recognised] = {}
        self.cpu_s = 0.0
        self.heard_s = 0.0

    def words(self, clip: LabelledClip) -> Recognised:
        """What is recognised of the clip. Raises AsrError."""
        if clip.pcm not in self._known:
            began_s = time.process_time()
            self._known[clip.pcm] = anyio.run(self._hear, clip)
            self.cpu_s += time.process_time() - began_s
        return replace(self._known[clip.pcm])

    async def _hear(self, clip: LabelledClip) -> Recognised:
        begin, end = (
            round(at_s * SAMPLE_RATE) * 2 for at_s in (clip.first_s - _BEFORE_S, clip.last_s + _AFTER_S)
        )
        pcm, size = clip.pcm[begin:end], round(CHUNK_S * SAMPLE_RATE) * 2
        heard, text = Recognised([], []), ""
        before_s = self._load().decoded_s

        async def audio() -> AsyncIterator[bytes]:
            for at in range(0, len(pcm) - size + 1, size):
                yield pcm[at : at + size]
                fed_s = at / size * CHUNK_S + CHUNK_S
                while self._load().decoded_s - before_s < fed_s - CHUNK_S / 2:  # noqa: ASYNC110  # engines tell no more
                    await anyio.sleep(_POLL_S)
                await anyio.sleep(_POLL_S)  # its words come by the loop
                heard.ends_s.append(begin / 2 / SAMPLE_RATE + fed_s)
                heard.texts.append(text)
                self.heard_s += CHUNK_S

        async with closing(self._recognizer.transcribe(audio())) as transcripts:
            async for transcript in transcripts:
                if not transcript.final:
                    text = transcript.text
        return heard
