"""The clockless half of listening: frames and partials in; what the caller is at out."""

from __future__ import annotations

import math
from collections import deque

from dialog import Expects
from voice import prosody
from voice.calm import Calm
from voice.endpointing import Endpointer
from voice.manner import Manner
from voice.phone import FRAME_S
from voice.prosody import Prosody
from voice.turns import Turn, TurnSettings, TurnTaker
from voice.vad import SpeechDetector

_ASK_FROM_S = 0.1  # no silence shorter than this ends a turn
_QUIET_TICKS = 10  # of a quiet line may wait
_SPEECH_TICKS = 5  # of speech: they go to the recogniser together


class Listener:
    """One call's voice activity, prosody, end of turn and turn taking, put together. Time is frames taken.

    `manner` is what is known of the caller from before.
    """

    def __init__(self, settings: TurnSettings, endpointer: Endpointer, manner: Manner | None = None) -> None:
        self._manner = manner or Manner()
        self._detector = SpeechDetector()
        self._endpointer = endpointer
        self._taker = TurnTaker(settings)
        self._looks_s = sorted((_ASK_FROM_S, settings.prepare_silence_s))  # into a silence
        self._recent: deque[bytes] = deque(
            maxlen=round(prosody.KEPT_S / FRAME_S) + round(_ASK_FROM_S / FRAME_S)
        )
        self._prosody: Prosody | None = None
        self._judged: tuple[str, Expects, int, Prosody | None] | None = None
        self._patience_s = 0.0
        self.expects: Expects = "anything"  # what the agent's last words asked for
        self.digits = 0  # how many, where it asked for a number; 0: not known

    @property
    def silence_s(self) -> float:
        """Since the caller's last speech."""
        return self._taker.silence_s

    @property
    def in_turn(self) -> bool:
        """The caller's turn is not over."""
        return self._taker.in_turn

    def stir(self) -> None:
        """The caller did something else than speak: they are there."""
        self._taker.stir()

    def take(self, frame: bytes, sent: bytes, *, agent_speaks: bool, partial: str) -> Turn | None:
        """One tick's frames, received and sent; `partial` is the transcript of the turn so far."""
        self._recent.append(frame)
        taker = self._taker
        turn = taker.advance(
            FRAME_S,
            speech=self._detector.evidence(frame, sent),
            bot_speaking=agent_speaks,
            partial=partial,
            patience_s=self._patience(partial),
        )
        turn_s = taker.turn_s if taker.in_turn else None
        self._manner.advance(
            FRAME_S, turn, turn_s=turn_s, silence_s=taker.silence_s, agent_speaks=agent_speaks
        )
        return turn

    def calm(self, *, agent_speaks: bool, partial: str) -> Calm:
        """How long the next ticks may wait: nothing that they can hold matters before."""
        taker = self._taker
        if not taker.in_turn:
            left_s = math.inf if agent_speaks else taker.until_no_input_s
            return Calm(1, min(_QUIET_TICKS, _ticks(left_s)), *self._detector.quiet)
        if agent_speaks or taker.interrupting:
            return Calm()
        next_s = [at_s for at_s in self._looks_s if at_s > taker.silence_s + FRAME_S / 2]
        if next_s:
            left_s = next_s[0] - taker.silence_s
        elif self._judged is not None and self._judged[:3] == (partial, self.expects, self.digits):
            left_s = self._patience_s - taker.silence_s
        else:
            left_s = 0.0
        return Calm(min(_SPEECH_TICKS, _ticks(min(left_s, taker.until_too_long_s))))

    def _patience(self, partial: str) -> float:
        """How long the present silence must last; judged anew when something changed."""
        silence_s = self._taker.silence_s
        if not self._taker.in_turn or silence_s < _ASK_FROM_S - FRAME_S - 1e-9:
            self._prosody = self._judged = None
            return float("inf")
        if self._judged is None and self._endpointer.hears_voice:
            frames = list(self._recent)
            self._prosody = prosody.measure(frames[: len(frames) - 1 - round(silence_s / FRAME_S)])
        known = partial, self.expects, self.digits, self._prosody
        if known != self._judged:
            self._judged = known
            self._patience_s = self._endpointer.patience_s(
                partial,
                expects=self.expects,
                digits=self.digits,
                paused_s=self._manner.paused_s,
                prosody=self._prosody,
            )
        return self._patience_s


def _ticks(seconds: float) -> int:
    """The first tick from now in which so much time has passed."""
    return max(1, math.ceil(min(seconds, 1.0) / FRAME_S - 1e-6))
