"""How long a silence ends the caller's turn: by the words so far, by what was asked, by how the voice ended.

Pure and clockless: a decision takes a fraction of a millisecond and depends on its arguments only. How it is
made, and how to tune it, is told in docs/turn-taking.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dialog import Expects
from voice.completeness import CERTAIN, log_odds, model, normalised
from voice.prosody import Prosody, finality

_DICTATED: tuple[Expects, ...] = ("place", "matter")
_LONGEST_AGAIN_S = 2.2  # however long somebody has paused
_REMEMBERED = 256  # texts: a silence asks of one again and again
# Logarithms: below the first words go on, between the next two they may go on or not, from the last on they
# are all. Chosen, with the waits, on recordings that are not reported (docs/turn-taking.md).
_ODDS = (-1.2, -1.0, 1.35, 2.0)


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Tuning of the end of turn; times are seconds of silence, from the caller's last sound."""

    patience: float = (
        1.0  # factor on all waits: above 1 fewer callers are cut off, below 1 answers come sooner
    )
    complete_s: float = 0.3  # after words that surely are all: 社保卡丢了怎么补办
    uncertain_s: float = 1.08  # after words that may go on as well as not: 社保卡丢了
    dangling_s: float = 1.6  # after words that surely go on: 我想问一下, half a telephone number
    unknown_s: float = 0.6  # while no words have been recognised
    dictation_s: float = (
        0.9  # at least, while a place or a matter is taken down: people pause between sentences
    )
    pause_margin_s: float = 0.3  # more than this caller has paused so far, unless the words surely are all
    voice_weight: float = 0.0  # of how the voice ended, against the words; 0: the words alone count

    def __post_init__(self) -> None:
        if not 0 < self.complete_s <= self.uncertain_s <= self.dangling_s:
            raise ValueError(
                "complete_s, uncertain_s and dangling_s must be above 0 and in this order, not "
                f"{self.complete_s:g}, {self.uncertain_s:g}, {self.dangling_s:g}"
            )
        if self.patience <= 0 or self.unknown_s <= 0 or self.dictation_s < 0 or self.voice_weight < 0:
            raise ValueError(
                "patience and unknown_s must be above 0, dictation_s and voice_weight not below, not "
                f"{self.patience:g}, {self.unknown_s:g}, {self.dictation_s:g}, {self.voice_weight:g}"
            )


class Endpointer:
    """Judges silences; holds nothing of a call, so one serves all."""

    def __init__(self, settings: EndpointSettings, voice: Callable[[Prosody], float] = finality) -> None:
        """`voice` gives the log-odds that a voice has come to its end."""
        self._settings = settings
        self._voice = voice
        model()  # loaded now, not in a call

    @property
    def hears_voice(self) -> bool:
        """Whether the prosody counts; measuring it costs a millisecond a silence."""
        return self._settings.voice_weight > 0

    def patience_s(
        self,
        partial: str,
        *,
        expects: Expects = "anything",
        digits: int = 0,
        paused_s: float = 0.0,
        prosody: Prosody | None = None,
    ) -> float:
        """Seconds of silence after which the turn is over.

        `partial` is the transcript so far; `expects` is what the agent's last words asked for, `digits` how
        many digits of a number (0: not known); `paused_s` is the caller's longest pause in mid-turn so far;
        `prosody` is that of the begin of the present silence.
        """
        settings = self._settings
        text = normalised(partial)
        if not text:
            return settings.patience * settings.unknown_s
        odds = _log_odds(text, expects, digits)
        if prosody is not None and abs(odds) < CERTAIN:
            odds += settings.voice_weight * self._voice(prosody)
        least_s = settings.dictation_s if expects in _DICTATED else 0.0
        return settings.patience * max(least_s, self.wait_s(odds, paused_s))

    def wait_s(self, odds: float, paused_s: float = 0.0) -> float:
        """The wait, before `patience`, for these log-odds that the caller has finished."""
        settings = self._settings
        again_s = min(paused_s + settings.pause_margin_s, _LONGEST_AGAIN_S) if paused_s else 0.0
        uncertain_s, dangling_s = max(settings.uncertain_s, again_s), max(settings.dangling_s, again_s)
        return float(np.interp(odds, _ODDS, (dangling_s, uncertain_s, uncertain_s, settings.complete_s)))


_log_odds = functools.lru_cache(_REMEMBERED)(
    lambda text, expects, digits: log_odds(text, expects=expects, digits=digits)
)
