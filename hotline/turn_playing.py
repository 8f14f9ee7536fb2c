"""Plays stretches of calls to the listening parts of the agent, faster than real time and without a clock.

Speech detection, prosody, end of turn and turn taking are the real ones; the recogniser's place is taken by a
stand-in that releases the text in step with the audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dialog import Expects
from hotline.turn_clips import LabelledClip
from voice.media import SILENCE
from voice.phone import FRAME_BYTES, FRAME_S
from voice.turns import Turn, TurnSettings, TurnTaker
from voice.vad import SpeechDetector

ASR_LAG_S = 0.2  # words come this much after their sound
_PREROLL_S = 0.4  # audio before a turn's begin that the recogniser gets as well


class Listening(Protocol):
    """One call's ear without its recogniser; `silence_s` is since the caller's last sound."""

    @property
    def silence_s(self) -> float: ...

    def take(
        self,
        frame: bytes,
        sent: bytes,
        *,
        agent_speaks: bool,
        partial: str,
        expects: Expects,
        digits: int,
    ) -> Turn | None:
        """One frame received and the one sent in the same tick; `partial` is of the present turn."""
        ...


class PartsListening:
    """Speech detector and turn taker."""

    def __init__(self, settings: TurnSettings) -> None:
        self._detector = SpeechDetector()
        self._taker = TurnTaker(settings)

    @property
    def silence_s(self) -> float:
        """Since the caller's last sound."""
        return self._taker.silence_s

    def take(
        self,
        frame: bytes,
        sent: bytes,
        *,
        agent_speaks: bool,
        partial: str,
        expects: Expects,
        digits: int,
    ) -> Turn | None:
        """One frame."""
        speech = self._detector.is_speech(frame, sent)
        return self._taker.advance(FRAME_S, speech=speech, bot_speaking=agent_speaks, partial=partial)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ear decided, and when: in seconds of the audio played."""

    turn: Turn
    at_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What the agent's last words asked for."""

    expects: Expects = "anything"
    digits: int = 0


class StandIn:
    """In the recogniser's place: the words of `clip`, each `lag_s` after it has been said."""

    def __init__(self, clip: LabelledClip | None, lag_s: float = ASR_LAG_S) -> None:
        self._clip, self._lag_s = clip, lag_s
        self._given_before = 0

    def turn_began(self, at_s: float) -> None:
        """From here on only what is said in this turn is told."""
        self._given_before = len(self._clip.said(at_s - _PREROLL_S)) if self._clip else 0

    def partial(self, at_s: float) -> str:
        """The turn so far, without punctuation, as recognisers write it."""
        if self._clip is None:
            return ""
        said = self._clip.said(at_s - self._lag_s)[self._given_before :]
        return "".join(character for character in said if character.isalnum())


def play(
    listening: Listening,
    pcm: bytes,
    words: StandIn | None = None,
    *,
    sent: bytes = b"",
    asked: Asked | None = None,
) -> Iterator[Seen]:
    """What `listening` decides on hearing `pcm`, while the agent says `sent` until it is interrupted."""
    words, asked = words or StandIn(None), asked or Asked()
    stopped = False
    in_turn = False
    for number in range(len(pcm) // FRAME_BYTES):
        at = number * FRAME_BYTES
        spoken = b"" if stopped else sent[at : at + FRAME_BYTES]
        now_s = round((number + 1) * FRAME_S, 3)
        turn = listening.take(
            pcm[at : at + FRAME_BYTES],
            spoken.ljust(FRAME_BYTES, b"\0") if spoken else SILENCE,
            agent_speaks=bool(spoken),
            partial=words.partial(now_s) if in_turn else "",
            expects=asked.expects,
            digits=asked.digits,
        )
        if turn is Turn.BEGAN:
            in_turn = True
            words.turn_began(now_s)
        elif turn is Turn.ENDED:
            in_turn = False
        elif turn is Turn.BARGE_IN:
            stopped = True
        if turn is not None:
            yield Seen(turn, now_s)
