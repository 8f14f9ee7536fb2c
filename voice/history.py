"""What has been said in a call, as the dialog is told it, and what the dialog wants to find again."""

from __future__ import annotations

from dialog import Basis, Message


class History:
    """Only what was really heard, on either side; and what the last reply heard rests on."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._basis = Basis(1.0)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, oldest first."""
        return tuple(self._messages)

    @property
    def closing(self) -> bool:
        """Nothing more is expected of the caller: what was said last needs no answer."""
        return self._basis.closing

    @property
    def unanswered(self) -> bool:
        """The caller's words are the last; no reply to them was heard yet."""
        return bool(self._messages) and self._messages[-1].who == "caller"

    def basis(self) -> Basis:
        """What a reply rests on before its dialog says otherwise: all stays as it was."""
        same = self._basis
        return Basis(1.0, (), same.memory, same.rate, same.expects, same.digits)

    def with_caller(self, text: str, confidence: float = 1.0, heard: str = "") -> tuple[Message, ...]:
        """The messages as they would be with one more turn of the caller's.

        One that follows another is its second half: no reply was heard between. `heard` are the words where
        `text` writes them otherwise.
        """
        if not self.unanswered:
            return (*self._messages, Message("caller", text, confidence, heard=heard))
        first = self._messages[-1]
        said = first.said + (heard or text) if first.heard or heard else ""
        joined = Message("caller", first.text + text, min(first.confidence, confidence), heard=said)
        return (*self._messages[:-1], joined)

    def caller_said(self, text: str, confidence: float = 1.0, heard: str = "") -> None:
        """Add a caller's turn, as with_caller() has it."""
        self._messages = list(self.with_caller(text, confidence, heard))

    def agent_said(self, heard_text: str, basis: Basis) -> None:
        """Add what the caller heard of a reply."""
        self._basis = basis
        self._messages.append(Message("agent", heard_text, memory=basis.memory))

    def acted(self, result: str, basis: Basis) -> None:
        """Add what came of an action: the number of the work order filed, "" when it failed."""
        self._messages.append(Message("result", result, memory=basis.memory))
