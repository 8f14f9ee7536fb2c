"""What the embedded dialog remembers of a call, what it decides on, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from dialog import Action, CallContext, Expects, Memory, Message, phrases
from dialog.confidence import confidence
from dialog.guidance import Guide
from dialog.intake import Intake
from dialog.words import clean

Kind: TypeAlias = Literal[
    "answer",  # a passage is told
    "confirm",  # was this what you meant?
    "choice",  # was it this or that?
    "rephrase",  # not understood: say it again
    "transfer",  # a person takes over
    "intake",  # a work order is being taken down, or has been filed
    "guide",  # led through a service, step by step
    "progress",  # where a work order stands
    "order",  # about the call itself: again, slower
    "emergency",
    "courtesy",
    "close",  # how was the call, and the goodbye
]

# What was asked, where the next words are an answer to it.
Awaiting: TypeAlias = Literal[
    "",
    "more",  # anything else?
    "closing",  # the same, a second time
    "ticket_number",
    "ticket_name",  # who filed the work order
    "offer",  # a work order?
    "choice",
    "confirm",
    "another_way",  # what was answered did not help: a work order, or a person?
    "satisfaction",
]


@dataclass(frozen=True, slots=True)
class Talk(Memory):
    """What the embedded dialog remembers of a call."""

    said: str = ""  # the last reply in full, to be said again
    rate: float = 1.0
    misses: int = 0  # failures to understand in a row
    awaiting: Awaiting = ""
    intake: Intake | None = None
    guide: Guide | None = None  # where the caller is in a service
    offered: str = ""  # the matter for which a work order was offered
    choice: tuple[str, ...] = ()  # ids of the passages offered to choose from, or of the one to confirm
    answered: tuple[str, ...] = ()  # questions answered in this call
    filed: tuple[str, ...] = ()  # numbers of work orders filed in this call
    ticket: str = ""  # number of the work order whose owner is asked for
    rated: bool = False  # the caller has been asked how the call was

    @property
    def begun(self) -> bool:
        """Whether something is under way that only the embedded dialog can go on with."""
        return bool(self.intake or self.guide) or self.awaiting not in ("", "more", "closing")


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, decided: what is said and done, and why (`kind`, `why`, `figures`, for the record)."""

    kind: Kind
    text: str
    talk: Talk
    confidence: float = 1.0
    sources: tuple[str, ...] = ()
    action: Action | None = None
    must_be_heard: bool = False  # nothing said over it stops it
    expects: Expects | None = None  # what it asks for; None: as its talk tells
    why: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    satisfaction: int | None = None
    closing: bool = False  # silence after it ends the call


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
    if call.handed_back and _asked_again(history):  # what was going on before is the seat's by now
        talk = understood(replace(talk, intake=None, guide=None), awaiting="closing")
    last = history[-1] if history else Message("caller", "")
    # Of speech, punctuation is only the engine's guess.
    return Turn(call, history, talk, clean(last.heard) or last.text, last.confidence)


def _asked_again(history: Sequence[Message]) -> bool:
    """Whether the caller was just asked for anything else, as a seat has handed them back."""
    last = next((message.text for message in reversed(history) if message.who == "agent"), "")
    return bool(last) and phrases.BACK_AGAIN.startswith(last)


def understood(talk: Talk, **changes: object) -> Talk:
    """`talk` after a reply that understood the caller; `said` is filled in by the reply itself."""
    fresh = replace(talk, said="", misses=0, awaiting="", offered="", choice=(), ticket="")
    return replace(fresh, **changes)  # type: ignore[arg-type]
