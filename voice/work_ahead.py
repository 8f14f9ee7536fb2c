"""A reply made while the caller may still go on: there when the turn is over, or thrown away unheard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialog import Message
from dialog.words import clean
from voice.replies import Reply

MAX_DRAFTS = 3  # in one turn of the caller's: each costs a search, or a request to the model
SURE = 0.9  # the confidence that a draft takes the words to have
SURE_ENOUGH = 0.85  # with less, the answer may be another one


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply being made to `messages`, the last of which is what the caller seems to have said."""

    reply: Reply
    messages: Sequence[Message]

    def answers(self, messages: Sequence[Message]) -> bool:
        """Whether it is the reply to these, too: the same words, recognised as surely."""
        return (
            not self.reply.failure
            and len(messages) == len(self.messages)
            and clean(messages[-1].said) == clean(self.messages[-1].said)
            and messages[-1].confidence >= SURE_ENOUGH
        )


class WorkAhead:
    """The draft of one call, if any; `discard` ends it."""

    def __init__(self, discard: Callable[[Reply], None]) -> None:
        self._discard = discard
        self._draft: Draft | None = None
        self._count = 0

    def new_turn(self) -> None:
        """The caller begins to speak."""
        self._count = 0

    def prepare(self, messages: Sequence[Message], make: Callable[[Sequence[Message]], Reply]) -> None:
        """The caller may have finished: `make` the reply to `messages`, unless it is being made."""
        if self._draft is not None and self._draft.answers(messages):
            return
        self.forget()
        if self._count < MAX_DRAFTS:
            self._count += 1
            self._draft = Draft(make(messages), messages)

    def take(self, messages: Sequence[Message]) -> Reply | None:
        """The caller has finished: the reply to `messages`, if it is this one that was made."""
        draft = self._draft
        if draft is None or not draft.answers(messages):
            self.forget()
            return None
        self._draft = None
        return draft.reply

    def forget(self) -> None:
        """It is not wanted any more."""
        if self._draft is not None:
            self._discard(self._draft.reply)
            self._draft = None
