"""What the agent says and does: the `Dialog` protocol and its few types.

A dialog is shared by all calls and keeps nothing between replies: all that it must remember of a call
rides in `Message.memory`, so a reply that is thrown away unheard has changed nothing. Reads (knowledge,
the state of a work order) happen inside the dialog; everything with an effect is an `Action` that the
call session performs.

Errors, as a tree:

    DialogError             no reply could be made; the session hands the caller over to a person
    └── LlmError            the model's service failed; `retryable` says whether a retry may help
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias


class DialogError(Exception):
    """No reply could be made."""


class LlmError(DialogError):
    """The language model's service failed."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class Memory:
    """Base of what a dialog engine wants to find again at the next turn; immutable, opaque to others."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a call's history, oldest first.

    `who` is "caller", "agent", or "result" (the outcome of an Action: its text is e.g. the number of the work
    order just filed, empty when it failed). `confidence` is the ASR confidence of a caller's words, 0..1
    (1.0 for typed text and keyed digits), `heard` are these words as they sounded where `text` writes them
    otherwise (十八号 for 18号), else "". An agent's message holds only what the caller really heard, and
    carries the `memory` of the reply it belongs to.
    """

    who: Literal["caller", "agent", "result"]
    text: str
    confidence: float = 1.0
    memory: Memory | None = None
    heard: str = ""

    @property
    def said(self) -> str:
        """The words as they sounded, for whoever compares or repeats them."""
        return self.heard or self.text


Expects: TypeAlias = Literal["anything", "yes_no", "digits", "place", "name", "time", "matter"]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reply rests on; yielded once, before its first text.

    `confidence` 0..1 is the dialog's own, `sources` are ids of knowledge passages ("kb:…"), `memory` goes
    into the history with the reply, `rate` is the speaking rate from now on (0.8 after 慢一点). `expects` is
    what its last words ask for, `digits` how many digits where a number is asked for (0: not known): so much
    helps to tell when the caller has finished. Nothing said over what `must_be_heard` stops it. `decision`
    says for the record why this reply: "kind" (answer, confirm, choice, transfer, rephrase …), and the
    figures it was decided on; never a caller's words. `satisfaction` is what the caller has just said of the
    call, 1 (not satisfied) to 3 (satisfied). Silence after a reply that is `closing` is no reason to ask
    again: the call ends with a goodbye.
    """

    confidence: float
    sources: tuple[str, ...] = ()
    memory: Memory | None = None
    rate: float = 1.0
    expects: Expects = "anything"
    digits: int = 0
    must_be_heard: bool = False
    decision: Mapping[str, str | float] = field(default_factory=dict)
    satisfaction: int | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A work order as taken down; empty strings where the caller said nothing.

    `slots` holds what was asked for one by one (keys such as "name", "contact", "place", "time", "matter").
    Where the caller asked for it, `secret` keeps who they are from the department that the matter is about.
    `joins` is the number of an open work order about the same trouble, with which this one is to be handled.
    """

    category: str
    department: str
    urgency: Literal["normal", "urgent", "emergency"]
    title: str
    text: str
    slots: Mapping[str, str] = field(default_factory=dict)
    secret: bool = False
    joins: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a seat must know before saying hello; the fields of CONTRACT.md's transfer.summary."""

    caller: str = ""
    request: str = ""
    place: str = ""
    time: str = ""
    category: str = ""
    department: str = ""
    answered: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a person, after what was said before it has been spoken."""

    reason: Literal["low_confidence", "caller_asked", "emergency", "failure", "no_input"]
    summary: Summary
    skill: str = ""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up, after what was said before it has been spoken."""


@dataclass(frozen=True, slots=True)
class FileTicket:
    """File a work order. Ends the reply: the session files it, appends a "result", asks for a reply again."""

    draft: TicketDraft


Action: TypeAlias = "Transfer | EndCall | FileTicket"


@dataclass(frozen=True, slots=True)
class TicketState:
    """Where a filed work order stands, as told to a caller."""

    number: str
    title: str
    status: str  # what a caller is told, e.g. "处理中"
    department: str
    filed_at: str  # ISO 8601
    name: str = ""  # who filed it, as they called themselves; asked for before anything is told
    contact: str = ""


class TicketLookup(Protocol):
    """Finds filed work orders; read only."""

    async def by_number(self, number: str) -> TicketState | None: ...

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        """The caller's work orders, newest first."""
        ...

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        """An open work order of the same category at the same place, the newest; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class CallContext:
    """What is known of a call, beside what is said."""

    call_id: str
    caller: str  # telephone number, "" when withheld
    handed_back: bool = False  # a seat has talked to the caller, who is the agent's again


class Dialog(Protocol):
    """Decides what to say next."""

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        ...

    def reply(self, call: CallContext, history: Sequence[Message]) -> AsyncIterator[str | Basis | Action]:
        """Answer the last message of `history`: a Basis, then text as it comes, then at most one Action.

        Raises DialogError.
        """
        ...

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        ...
