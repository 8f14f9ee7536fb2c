"""The speaking half of a call: text in, audio out, an account of what was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from tts import Voice
from tts.clauses import clauses
from voice.media import BYTES_PER_S
from voice.phone import Leg
from voice.streams import closing


@dataclass(slots=True)
class Speech:
    """One thing the agent says: its clauses with the seconds of audio of each, and how it went."""

    clauses: list[str] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    heard_s: float = 0.0  # of its audio, when it ended or was stopped
    stopped: bool = False
    first_text_at: float = 0.0  # event-loop time
    first_audio_at: float = 0.0

    @property
    def text(self) -> str:
        """All that was meant to be said so far."""
        return "".join(self.clauses)

    @property
    def heard_text(self) -> str:
        """What the caller heard: whole clauses, and the last one in proportion."""
        if not self.stopped:
            return self.text
        heard, left_s = "", self.heard_s
        for clause, duration_s in zip(self.clauses, self.durations_s, strict=False):
            if left_s < duration_s:
                return heard + clause[: int(len(clause) * left_s / duration_s)]
            heard += clause
            left_s -= duration_s
        return heard

    @property
    def unheard_clauses(self) -> list[str]:
        """From the clause that was cut, to say again."""
        done, left_s = 0, self.heard_s
        for duration_s in self.durations_s:
            if left_s < duration_s:
                break
            left_s -= duration_s
            done += 1
        return self.clauses[done:]


class Mouth:
    """Speaks on one leg; one Speech at a time."""

    def __init__(self, leg: Leg, voice: Voice) -> None:
        self._leg = leg
        self._voice = voice
        self.speech: Speech | None = None  # the one being spoken or prepared now

    @property
    def audible(self) -> bool:
        """The caller has begun to hear the current speech."""
        return self.speech is not None and self._leg.played_s() > 0.0

    async def say(
        self,
        text: AsyncIterator[str],
        speech: Speech | None = None,
        *,
        rate: float = 1.0,
        before_audio: Callable[[], Awaitable[None]] | None = None,
    ) -> Speech:
        """Speak `text` as it comes and wait until it has been heard; stop() ends it early.

        `speech` is the account that is kept, also when this raises; `before_audio` is awaited once, before
        anything can be heard. Raises TtsError, LegGone and whatever `text` raises.
        """
        self._leg.clear()
        speech = self.speech = speech or Speech()
        try:
            async with closing(clauses(text)) as parts:
                async for clause in parts:
                    speech.first_text_at = speech.first_text_at or anyio.current_time()
                    await self._say_clause(speech, clause, rate, before_audio)
            await self._leg.drained()
        finally:
            if not speech.stopped:
                speech.heard_s = self._leg.played_s()
                speech.stopped = speech.heard_s + 0.01 < sum(speech.durations_s)
            self.speech = None
        return speech

    async def _say_clause(
        self, speech: Speech, clause: str, rate: float, before_audio: Callable[[], Awaitable[None]] | None
    ) -> None:
        speech.clauses.append(clause)
        speech.durations_s.append(0.0)
        async with closing(self._voice.speak(clause, rate=rate)) as audio:
            async for pcm in audio:
                if not speech.first_audio_at:
                    speech.first_audio_at = anyio.current_time()
                    if before_audio is not None:
                        await before_audio()
                await self._leg.play(pcm)
                speech.durations_s[-1] += len(pcm) / BYTES_PER_S

    def stop(self) -> Speech | None:
        """Fall silent now; returns what was being said."""
        speech = self.speech
        if speech is not None:
            speech.heard_s = self._leg.clear()
            speech.stopped = True
        return speech
