"""What has been said in a call, as the dialog is told it, and what the dialog wants to find again."""

from __future__ import annotations

from dialog import Basis, Memory, Message


class History:
    """Only what was really heard, on either side; `memory` and `rate` are those of the last reply heard."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._memory: Memory | None = None
        self._rate = 1.0

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, oldest first."""
        return tuple(self._messages)

    @property
    def unanswered(self) -> bool:
        """The caller's words are the last; no reply to them was heard yet."""
        return bool(self._messages) and self._messages[-1].who == "caller"

    def basis(self) -> Basis:
        """What a reply rests on before its dialog says otherwise: all stays as it was."""
        return Basis(1.0, memory=self._memory, rate=self._rate)

    def caller_said(self, text: str, confidence: float = 1.0, heard: str = "") -> None:
        """Add a caller's turn, with the words `heard` where `text` writes them otherwise.

        One that follows another is its second half: no reply was heard between.
        """
        message = Message("caller", text, confidence, heard=heard)
        if self.unanswered:
            first = self._messages.pop()
            message = Message(
                "caller",
                first.text + text,
                min(first.confidence, confidence),
                heard=first.said + message.said if first.heard or heard else "",
            )
        self._messages.append(message)

    def agent_said(self, heard_text: str, basis: Basis) -> None:
        """Add what the caller heard of a reply."""
        self._memory, self._rate = basis.memory, basis.rate
        self._messages.append(Message("agent", heard_text, memory=basis.memory))

    def acted(self, result: str, basis: Basis) -> None:
        """Add what came of an action: the number of the work order filed, "" when it failed."""
        self._messages.append(Message("result", result, memory=basis.memory))
