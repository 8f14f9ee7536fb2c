"""How long a silence ends the caller's turn: by the words so far, by what was asked, by how the voice ended.

Pure and clockless; a decision takes a fraction of a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialog import Expects
from voice.completeness import completeness
from voice.prosody import Prosody


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Tuning of the end of turn; times are seconds of silence."""

    patience: float = (
        1.0  # factor on all waits: above 1 fewer callers are cut off, below 1 answers come sooner
    )
    complete_s: float = 0.3  # after words and a voice that surely are at their end
    dangling_s: float = 1.5  # after words that surely go on: 我想问一下
    unknown_s: float = 0.6  # while no words have been recognised


class Endpointer:
    """Judges silences; holds nothing of a call, so one serves all."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings

    def patience_s(
        self, partial: str, *, expects: Expects = "anything", digits: int = 0, prosody: Prosody | None = None
    ) -> float:
        """Seconds of silence after which the turn is over.

        `partial` is the transcript so far; `expects` is what the agent's last words asked for, `digits` how
        many digits of a number (0: not known); `prosody` is that of the begin of the present silence.
        """
        settings = self._settings
        if not partial:
            return settings.patience * settings.unknown_s
        whole = completeness(partial, expects=expects, digits=digits)
        return settings.patience * (settings.dangling_s + (settings.complete_s - settings.dangling_s) * whole)
