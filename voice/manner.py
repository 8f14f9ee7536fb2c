"""How one caller pauses: who has paused for long in mid-turn will again, and is waited for as long."""

from __future__ import annotations

from voice.turns import Turn

_CUT_OFF_S = 0.8  # who speaks again so soon after a turn's end had not finished
_LEAST_S = 0.4  # shorter silences lie within anybody's speech


class Manner:
    """Told every step of one call; knows the longest pause in it that was no end of a turn.

    Pauses of who murmurs while the agent speaks do not count.
    """

    def __init__(self) -> None:
        self.paused_s = 0.0
        self._silence_s = 0.0  # the present one, within the turn
        self._end_s = 0.0  # the one that ended the last turn
        self._since_end_s = 0.0

    def advance(
        self,
        seconds: float,
        turn: Turn | None,
        *,
        turn_s: float | None,
        silence_s: float,
        agent_speaks: bool,
    ) -> None:
        """`seconds` of audio brought `turn`, over the agent if it speaks.

        Since then the caller's turn has lasted for `turn_s` (None: there is none), and they have been silent
        for `silence_s`.
        """
        if turn is Turn.ENDED:
            self._since_end_s, self._end_s = 0.0, 0.0 if agent_speaks else self._silence_s + seconds
        elif turn is Turn.BEGAN and self._end_s and self._since_end_s + seconds <= _CUT_OFF_S:
            self._paused(self._end_s + self._since_end_s + seconds)
        self._since_end_s += seconds
        silence_s = 0.0 if agent_speaks else min(silence_s, turn_s or 0.0)
        if turn_s is not None and silence_s < self._silence_s:
            self._paused(self._silence_s)
        self._silence_s = silence_s

    def _paused(self, seconds: float) -> None:
        if seconds >= _LEAST_S:
            self.paused_s = max(self.paused_s, seconds)
