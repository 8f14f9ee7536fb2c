"""When a caller's turn begins, pauses, ends, interrupts the agent: pure, clockless; time is audio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from dialog.intents import is_presence_check, may_become_backchannel

_EPSILON_S = 1e-9  # sums of frames are not exact
_SYLLABLE_S = 0.5  # of speech, before a single syllable in it can interrupt: it may be a 嗯 misheard
_WORDS_MARGIN_S = 0.1  # of speech, in which words are still waited for after they have always come before


class Turn(Enum):
    """What the TurnTaker saw in this step."""

    BEGAN = auto()  # the caller began to speak: open a recogniser, with pre-roll
    HOLD = auto()  # somebody sounds while the agent speaks: fall silent until it is clear what it is
    RELEASE = auto()  # it was short, or a listener's 嗯: go on speaking
    BARGE_IN = auto()  # a real interruption: stop the agent
    FALSE_ALARM = auto()  # what stopped the agent holds no words: go on where it stopped
    PAUSED = auto()  # the caller is silent, perhaps at the end: a reply can be prepared
    ENDED = auto()  # the caller's turn is over
    NO_INPUT = auto()  # nobody has said anything for a while


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Tuning, all in seconds of audio. How long a silence ends a turn is voice.endpointing's to say."""

    start_speech_s: float = 0.1  # speech before a turn begins; half of it where it is unmistakable
    preroll_s: float = 0.3  # audio before the begin that belongs to the turn
    resume_speech_s: float = 0.06  # speech that ends a silence; less is a click
    prepare_silence_s: float = 0.12  # silence after which a reply is prepared
    no_input_s: float = 6.0  # silence, from the end of the agent's audio, before NO_INPUT
    max_turn_s: float = 30.0  # a turn is ended after this
    hold_speech_s: float = 0.1  # speech over the agent that silences it for the time being
    hold_silence_s: float = 0.24  # silence after which a hold is over
    barge_in_speech_s: float = 0.16  # speech over the agent before words in it can interrupt
    barge_in_anyway_s: float = 1.2  # the same while it is unknown how soon there are words; the longest wait
    murmur_s: float = 0.8  # of 嗯嗯 or of no words over the agent, after which it goes on beside them
    false_alarm_s: float = 1.0  # after an interruption, without words recognised


def _weight(speech: float, bot_speaking: bool) -> float:
    """Over the agent even doubtful speech counts in full: to fall silent for nothing is a hesitation only."""
    if speech and bot_speaking:
        return max(1.0, speech)
    return speech or -1.0


class TurnTaker:
    """Feed it every frame's verdict; it tells what the caller is at. At most one Turn per step."""

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self.in_turn = False
        self.interrupting = False  # the current turn has been told as a BARGE_IN
        self.turn_s = 0.0  # since BEGAN
        self.silence_s = 0.0  # since the caller's last speech
        self._speech_s = 0.0  # recent speech; short gaps only wear it down
        self._weighed_s = 0.0  # the same by its weight
        self._run_s = 0.0  # of speech, without a gap
        self._turn_speech_s = 0.0  # speech within the turn
        self._words_s = math.inf  # of it, until there were words: the longest in this call, once it is known
        self._has_words = False
        self._quiet_s = 0.0  # since anybody spoke
        self._holding = False
        self._held = False  # once a turn is enough
        self._interrupting_s = 0.0
        self._alarmed = False  # once a turn: from then on it takes words to interrupt
        self._prepared_for = ""

    @property
    def until_no_input_s(self) -> float:
        """Until NO_INPUT comes if nobody speaks."""
        return self._settings.no_input_s - self._quiet_s

    @property
    def until_too_long_s(self) -> float:
        """Until the turn is ended whatever is said."""
        return self._settings.max_turn_s - self.turn_s

    def stir(self) -> None:
        """The caller did something else than speak: they are there."""
        self._quiet_s = 0.0

    def advance(
        self, seconds: float, *, speech: float, bot_speaking: bool, partial: str = "", patience_s: float = 0.6
    ) -> Turn | None:
        """Take `seconds` of audio that was speech or not.

        `speech` is 0 for none, else how much it weighs while no turn has begun: 1 as it is, 2 where it is
        unmistakable. `partial` is the transcript of the turn so far, `patience_s` how long a silence ends it.
        """
        self._run_s = self._run_s + seconds if speech else 0.0
        paused = self.silence_s > 0.0 and self._run_s < self._settings.resume_speech_s - _EPSILON_S
        self.silence_s = self.silence_s + seconds if paused or not speech else 0.0
        self._speech_s = self._speech_s + seconds if speech else max(0.0, self._speech_s - seconds)
        self._weighed_s = max(0.0, self._weighed_s + seconds * _weight(speech, bot_speaking))
        self._quiet_s = 0.0 if speech or bot_speaking or self.in_turn else self._quiet_s + seconds
        if self.in_turn:
            self.turn_s += seconds
            self._turn_speech_s += seconds if speech else 0.0
            self._look_for_words(partial)
            if self._is_over(speech, patience_s):
                self._reset()
                return Turn.ENDED
            return self._over_agent(seconds, bot_speaking, partial) or self._pause(partial)
        if self._weighed_s >= self._settings.start_speech_s - _EPSILON_S:
            self.in_turn = True
            self.turn_s = 0.0
            self._turn_speech_s = self._speech_s
            return Turn.BEGAN
        if self._quiet_s >= self._settings.no_input_s - _EPSILON_S:
            self._quiet_s = 0.0
            return Turn.NO_INPUT
        return None

    def _reset(self) -> None:
        self.in_turn = self.interrupting = False
        self._holding = self._held = self._alarmed = False
        self._speech_s = self._weighed_s = self._interrupting_s = 0.0
        self._prepared_for = ""
        self._has_words = False

    def _look_for_words(self, partial: str) -> None:
        """How soon this recogniser has words: those that are not there by then will not come."""
        if partial and not self._has_words:
            self._has_words = True
            known_s = 0.0 if self._words_s == math.inf else self._words_s
            self._words_s = max(known_s, self._turn_speech_s)

    def _is_over(self, speech: float, patience_s: float) -> bool:
        silent = not speech and self.silence_s >= patience_s - _EPSILON_S
        return silent or self.turn_s >= self._settings.max_turn_s - _EPSILON_S

    def _pause(self, partial: str) -> Turn | None:
        """Once for each silence, and once more whenever other words are recognised in it."""
        if self.silence_s < self._settings.prepare_silence_s - _EPSILON_S or partial in (
            "",
            self._prepared_for,
        ):
            return None
        self._prepared_for = partial
        return Turn.PAUSED

    def _over_agent(self, seconds: float, bot_speaking: bool, partial: str) -> Turn | None:
        if not (self.interrupting or bot_speaking):
            return None
        murmur = may_become_backchannel(partial)
        if self.interrupting:
            return self._doubt(seconds, has_words=bool(partial) and not murmur)
        murmur = murmur or is_presence_check(partial)
        if self._turn_speech_s >= self._interruption_s(partial, murmur) - _EPSILON_S:
            self.interrupting, self._holding = True, False
            return Turn.BARGE_IN
        if self._holding:
            return self._release(partial, murmur)
        held_s = self._settings.hold_speech_s - _EPSILON_S
        if not self._held and self._run_s and self._turn_speech_s >= held_s:
            self._holding = self._held = True
            return Turn.HOLD
        return None

    def _doubt(self, seconds: float, *, has_words: bool) -> Turn | None:
        """After an interruption: it was none when no words come."""
        self._interrupting_s += seconds
        if has_words or self._interrupting_s < self._settings.false_alarm_s - _EPSILON_S:
            return None
        self.interrupting, self._alarmed = False, True
        return Turn.FALSE_ALARM

    def _release(self, partial: str, murmur: bool) -> Turn | None:
        silent = self.silence_s >= self._settings.hold_silence_s - _EPSILON_S
        if silent or self._turn_speech_s >= self._beside_s(partial, murmur) - _EPSILON_S:
            self._holding = False
            return Turn.RELEASE
        return None

    def _beside_s(self, partial: str, murmur: bool) -> float:
        """Speech over the agent that it falls silent for, before it goes on beside it."""
        if partial:
            return self._settings.murmur_s if murmur else math.inf
        words_s = min(self._words_s + _WORDS_MARGIN_S, self._settings.barge_in_anyway_s)
        return max(self._settings.murmur_s, words_s)

    def _interruption_s(self, partial: str, murmur: bool) -> float:
        """Speech over the agent that makes an interruption, of what has been recognised so far."""
        if not partial:
            known = self._alarmed or self._words_s < math.inf
            return math.inf if known else self._settings.barge_in_anyway_s
        if murmur:
            return math.inf
        enough_s = self._settings.barge_in_speech_s
        return max(enough_s, _SYLLABLE_S) if len(partial) == 1 else enough_s
