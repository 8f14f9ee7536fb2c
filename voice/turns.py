"""When a caller's turn begins, ends, or interrupts the agent: pure, clockless; time is audio received."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_BACKCHANNEL = re.compile("(嗯|恩|啊|哦|噢|喔|呃|哎|诶|对|是|好|行|的|明白|知道了)+")


def is_backchannel(text: str) -> bool:
    """Whether these words, said while the agent speaks, are a listener's noises, not a wish to speak."""
    return _BACKCHANNEL.fullmatch(text) is not None


class Turn(Enum):
    """What the TurnTaker saw in this step."""

    BEGAN = auto()  # the caller began to speak: open a recogniser, with pre-roll
    BARGE_IN = auto()  # the turn that began is a real interruption: stop the agent
    ENDED = auto()  # the caller's turn is over
    NO_INPUT = auto()  # nobody has said anything for a while


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Tuning, all in seconds of audio."""

    start_speech_s: float = 0.1  # speech before a turn begins
    end_silence_s: float = 0.5  # silence that ends a turn
    preroll_s: float = 0.3  # audio before the begin that belongs to the turn
    no_input_s: float = 6.0  # silence, from the end of the agent's audio, before NO_INPUT
    max_turn_s: float = 30.0  # a turn is ended after this
    barge_in_speech_s: float = 0.2  # speech over the agent before words in it can interrupt
    barge_in_anyway_s: float = 0.8  # speech over the agent that interrupts without words recognised


class TurnTaker:
    """Feed it every frame's verdict; it tells when turns begin and end. At most one Turn per step."""

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self.in_turn = False
        self.interrupting = False  # the current turn has been told as a BARGE_IN
        self.turn_s = 0.0  # since BEGAN
        self.silence_s = 0.0  # since the caller's last speech frame
        self._speech_s = 0.0  # recent speech; short gaps only wear it down
        self._turn_speech_s = 0.0  # speech within the turn
        self._quiet_s = 0.0  # since anybody spoke

    def stir(self) -> None:
        """The caller did something else than speak: they are there."""
        self._quiet_s = 0.0

    def advance(self, seconds: float, *, speech: bool, bot_speaking: bool, partial: str = "") -> Turn | None:
        """Take `seconds` of audio that was speech or not; `partial` is the transcript of the turn so far."""
        self.silence_s = 0.0 if speech else self.silence_s + seconds
        self._speech_s = self._speech_s + seconds if speech else max(0.0, self._speech_s - seconds)
        self._quiet_s = 0.0 if speech or bot_speaking or self.in_turn else self._quiet_s + seconds
        if self.in_turn:
            return self._within_turn(seconds, speech, bot_speaking, partial)
        if self._speech_s >= self._settings.start_speech_s - 1e-9:
            self.in_turn = True
            self.interrupting = False
            self.turn_s = 0.0
            self._turn_speech_s = self._speech_s
            return Turn.BEGAN
        if self._quiet_s >= self._settings.no_input_s - 1e-9:
            self._quiet_s = 0.0
            return Turn.NO_INPUT
        return None

    def _within_turn(self, seconds: float, speech: bool, bot_speaking: bool, partial: str) -> Turn | None:
        self.turn_s += seconds
        self._turn_speech_s += seconds if speech else 0.0
        silent = self.silence_s >= self._settings.end_silence_s - 1e-9
        if silent or self.turn_s >= self._settings.max_turn_s - 1e-9:
            self.in_turn = False
            self._speech_s = 0.0
            return Turn.ENDED
        if bot_speaking and not self.interrupting and self._interrupts(partial):
            self.interrupting = True
            return Turn.BARGE_IN
        return None

    def _interrupts(self, partial: str) -> bool:
        words = bool(partial) and not is_backchannel(partial)
        needed_s = self._settings.barge_in_speech_s if words else self._settings.barge_in_anyway_s
        return self._turn_speech_s >= needed_s - 1e-9
