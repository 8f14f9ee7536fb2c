"""What the embedded dialog remembers of a call, what it decides on, and what it decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dialog import Action, CallContext, Memory, Message
from dialog.confidence import confidence
from dialog.intake import Intake
from dialog.words import clean


@dataclass(frozen=True, slots=True)
class Talk(Memory):
    """What the embedded dialog remembers of a call."""

    said: str = ""  # the last reply in full, to be said again
    rate: float = 1.0
    misses: int = 0  # failures to understand in a row
    awaiting: Literal["", "more", "closing", "ticket_number", "offer", "choice", "confirm"] = ""
    intake: Intake | None = None
    offered: str = ""  # the matter for which a work order was offered
    choice: tuple[str, ...] = ()  # ids of the passages offered to choose from, or of the one to confirm
    answered: tuple[str, ...] = ()  # questions answered in this call
    filed: tuple[str, ...] = ()  # numbers of work orders filed in this call


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, decided."""

    text: str
    talk: Talk
    confidence: float = 1.0
    sources: tuple[str, ...] = ()
    action: Action | None = None
    must_be_heard: bool = False  # nothing said over it stops it


@dataclass(frozen=True, slots=True)
class Turn:
    """The caller's last words, as they sounded, and all they hang on; `asr` is their confidence, 0..1."""

    call: CallContext
    history: Sequence[Message]
    talk: Talk
    text: str
    asr: float

    @property
    def heard(self) -> float:
        """Confidence of a reply that rests on the words alone."""
        return confidence(self.asr, 1.0, 1.0, self.talk.misses)

    @property
    def last_said(self) -> str:
        """What the caller last heard of the agent, "" when nothing yet."""
        return next((m.text for m in reversed(self.history) if m.who == "agent" and m.text), "")


def turn_of(call: CallContext, history: Sequence[Message]) -> Turn:
    """The last message of `history` with what the embedded dialog remembers."""
    memories = (m.memory for m in reversed(history))
    talk = next((memory for memory in memories if isinstance(memory, Talk)), Talk())
    last = history[-1] if history else Message("caller", "")
    # Of speech, punctuation is only the engine's guess.
    return Turn(call, history, talk, clean(last.heard) or last.text, last.confidence)


def understood(talk: Talk, **changes: object) -> Talk:
    """`talk` after a reply that understood the caller; `said` is filled in by the reply itself."""
    fresh = replace(talk, said="", misses=0, awaiting="", offered="", choice=())
    return replace(fresh, **changes)  # type: ignore[arg-type]
