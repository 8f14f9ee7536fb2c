"""The speaking half of a call: text in, audio out, an account of what was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import anyio

from tts import TtsError, Voice
from tts.clauses import clauses
from voice.media import BYTES_PER_S
from voice.phone import Leg
from voice.streams import closing

S_PER_CHAR = 0.2  # the usual pace, for a clause whose audio is not all there yet


@dataclass(slots=True, eq=False)
class Clause:
    """A clause that is being spoken; `filler` when it is no part of what there is to say."""

    text: str
    filler: bool = False
    duration_s: float = 0.0  # of its audio so far
    complete: bool = False  # its audio is all there


@dataclass(slots=True)
class Speech:
    """One thing the agent says: its clauses in the order they are heard, and how it went."""

    rate: float = 1.0  # of speaking, for the clauses to come
    clauses: list[Clause] = field(default_factory=list)
    heard_s: float = 0.0  # of its audio, when it ended or was stopped
    stopped: bool = False
    first_text_at: float = 0.0  # event-loop time
    first_audio_at: float = 0.0

    @property
    def text(self) -> str:
        """All that was meant to be said so far, fillers too."""
        return "".join(clause.text for clause in self.clauses)

    @property
    def heard_text(self) -> str:
        """What the caller heard: whole clauses, and the last one in proportion."""
        return "".join(text for _, text in self._heard())

    @property
    def heard_reply(self) -> str:
        """As heard_text, without fillers."""
        return "".join(text for clause, text in self._heard() if not clause.filler)

    @property
    def done_chars(self) -> int:
        """Of the reply's text: its clauses that were heard whole; one that was cut is to be said again."""
        whole = [clause for clause, text in self._heard() if len(text) == len(clause.text)]
        return sum(len(clause.text) for clause in whole if not clause.filler)

    def _heard(self) -> list[tuple[Clause, str]]:
        """The clauses of which anything was heard, with what was heard of each."""
        if not self.stopped:
            return [(clause, clause.text) for clause in self.clauses]
        heard: list[tuple[Clause, str]] = []
        left_s = self.heard_s
        for clause in self.clauses:
            duration_s = clause.duration_s
            if not clause.complete:
                duration_s = max(duration_s, len(clause.text) * S_PER_CHAR / self.rate)
            if left_s < duration_s - 0.001:
                part = clause.text[: int(len(clause.text) * left_s / duration_s + 0.01)]
                return [*heard, (clause, part)]
            heard.append((clause, clause.text))
            left_s -= duration_s
        return heard


BeforeAudio = Callable[[], Awaitable[None]]


class Mouth:
    """Speaks on one leg; one Speech at a time."""

    def __init__(self, leg: Leg, voice: Voice) -> None:
        self._leg = leg
        self._voice = voice
        self._at_it = anyio.Lock()  # held while a clause is being played
        self.speech: Speech | None = None  # the one being spoken or prepared now

    @property
    def audible(self) -> bool:
        """The caller has begun to hear the current speech."""
        return self.speech is not None and self._leg.played_s() > 0.0

    @property
    def silent_now(self) -> bool:
        """The caller hears nothing, though there is more to come."""
        if self.speech is None:
            return False
        return self._leg.played_s() > sum(clause.duration_s for clause in self.speech.clauses) - 0.02

    @property
    def at_last_clause(self) -> bool:
        """Of what is there to be said, the caller hears the last clause."""
        speech = self.speech
        if speech is None or not speech.clauses:
            return False
        before_s = sum(clause.duration_s for clause in speech.clauses[:-1])
        return speech.clauses[-1].complete and self._leg.played_s() >= before_s

    def hold(self) -> None:
        """Fall silent for the time being; release() goes on, stop() and say() forget it."""
        self._leg.hold()

    def release(self) -> None:
        """Go on after hold(); harmless without it."""
        self._leg.release()

    async def say(
        self,
        text: AsyncIterator[str],
        speech: Speech | None = None,
        *,
        before_audio: BeforeAudio | None = None,
        preface: str = "",
    ) -> Speech:
        """Speak `text` as it comes, `preface` before it, until it has been heard; stop() ends it early.

        `speech` is the account that is kept, also when this raises; `before_audio` is awaited once, before
        anything can be heard. Raises TtsError, LegGone and whatever `text` raises.
        """
        self._leg.clear()
        speech = self.speech = speech or Speech()
        whole = False
        try:
            if preface:
                await self._say_clause(speech, preface, before_audio, filler=True)
            async with closing(clauses(text)) as parts:
                async for clause in parts:
                    speech.first_text_at = speech.first_text_at or anyio.current_time()
                    await self._say_clause(speech, clause, before_audio)
            await self._leg.drained()
            whole = True
        except TtsError:
            await self._leg.drained()  # no clause is broken off that the voice could say
            raise
        finally:
            if not speech.stopped:
                speech.heard_s = self._leg.played_s()
                speech.stopped = not whole
            if self.speech is speech:  # else stop() was called, and something else is being said already
                self.speech = None
        return speech

    async def silent(self) -> None:
        """Wait until all that was said has been heard. Raises LegGone."""
        await self._leg.drained()

    async def fill(self, speech: Speech, text: str, *, before_audio: BeforeAudio) -> bool:
        """Say `text` beside say(), unless something is said first; whether it was. Raises as say() does."""
        return await self._say_clause(speech, text, before_audio, filler=True)

    async def make(self, text: AsyncIterator[str], speech: Speech) -> None:
        """Have the first clause of `text` made, so that a voice that remembers has it when it is wanted."""
        async with closing(clauses(text)) as parts:
            async for clause in parts:
                async with closing(self._voice.speak(clause, rate=speech.rate)) as audio:
                    async for _ in audio:
                        pass
                return

    async def _say_clause(
        self, speech: Speech, text: str, before_audio: BeforeAudio | None, *, filler: bool = False
    ) -> bool:
        clause, said = Clause(text, filler), len(speech.clauses)
        try:
            async with (
                AsyncExitStack() as playing,
                closing(self._voice.speak(text, rate=speech.rate)) as audio,
            ):
                async for pcm in audio:
                    if clause not in speech.clauses:
                        await playing.enter_async_context(self._at_it)  # a filler is said to its end
                        if filler and (self.speech is not speech or len(speech.clauses) > said):
                            return False  # not needed any more
                        speech.clauses.append(clause)
                    if not speech.first_audio_at:
                        speech.first_audio_at = anyio.current_time()
                        if before_audio is not None:
                            await before_audio()
                    await self._leg.play(pcm)
                    clause.duration_s += len(pcm) / BYTES_PER_S
            clause.complete = True
            return True
        except TtsError:
            if not filler and clause not in speech.clauses:
                speech.clauses.append(clause)  # meant to be said, and not heard
            raise

    def stop(self) -> Speech | None:
        """Fall silent now; returns what was being said."""
        speech, self.speech = self.speech, None
        if speech is not None:
            speech.heard_s = self._leg.clear()
            speech.stopped = True
        return speech
