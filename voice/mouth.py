"""The speaking half of a call: text in, audio out, an account of what was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from tts import TtsError, Voice
from tts.clauses import clauses
from voice.media import BYTES_PER_S
from voice.phone import Leg
from voice.streams import closing

S_PER_CHAR = 0.2  # the usual pace, for a clause whose audio is not all there yet


@dataclass(slots=True)
class Speech:
    """One thing the agent says: its clauses with the seconds of audio of each, and how it went."""

    rate: float = 1.0  # of speaking, for the clauses to come
    clauses: list[str] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    complete: int = 0  # clauses whose audio is all there
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
        whole, part = self._heard()
        cut = self.clauses[whole] if whole < len(self.clauses) else ""
        return "".join(self.clauses[:whole]) + cut[: int(len(cut) * part + 0.01)]

    @property
    def unheard_text(self) -> str:
        """From the beginning of the clause that was cut, to say again."""
        return "".join(self.clauses[self._heard()[0] :]) if self.stopped else ""

    def _heard(self) -> tuple[int, float]:
        """How many clauses were heard whole, and what share of the next one."""
        left_s = self.heard_s
        for number, (clause, duration_s) in enumerate(zip(self.clauses, self.durations_s, strict=True)):
            if number >= self.complete:
                duration_s = max(duration_s, len(clause) * S_PER_CHAR / self.rate)
            if left_s < duration_s - 0.001:
                return number, left_s / duration_s
            left_s -= duration_s
        return len(self.clauses), 0.0


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
                    await self._say_clause(speech, clause, before_audio)
            await self._leg.drained()
        except TtsError:
            await self._leg.drained()  # no clause is broken off that the voice could say
            raise
        finally:
            if not speech.stopped:
                speech.heard_s = self._leg.played_s()
                unfinished = speech.complete < len(speech.clauses)
                speech.stopped = unfinished or speech.heard_s + 0.01 < sum(speech.durations_s)
            if self.speech is speech:  # else stop() was called, and something else is being said already
                self.speech = None
        return speech

    async def _say_clause(
        self, speech: Speech, clause: str, before_audio: Callable[[], Awaitable[None]] | None
    ) -> None:
        speech.clauses.append(clause)
        speech.durations_s.append(0.0)
        async with closing(self._voice.speak(clause, rate=speech.rate)) as audio:
            async for pcm in audio:
                if not speech.first_audio_at:
                    speech.first_audio_at = anyio.current_time()
                    if before_audio is not None:
                        await before_audio()
                await self._leg.play(pcm)
                speech.durations_s[-1] += len(pcm) / BYTES_PER_S
        speech.complete += 1

    def stop(self) -> Speech | None:
        """Fall silent now; returns what was being said."""
        speech, self.speech = self.speech, None
        if speech is not None:
            speech.heard_s = self._leg.clear()
            speech.stopped = True
        return speech
