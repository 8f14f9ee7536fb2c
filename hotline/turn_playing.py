"""Plays stretches of calls to the listening parts of the agent, faster than real time and without a clock.

Speech detection, prosody, end of turn and turn taking are the real ones; the recogniser's place is taken by a
stand-in that releases the text in step with the audio.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dialog import Expects
from hotline.turn_clips import LabelledClip
from hotline.turn_sounds import with_echo
from voice.media import SILENCE
from voice.phone import FRAME_BYTES, FRAME_S
from voice.turns import Turn

ASR_LAG_S = 0.2  # words come this much after their sound
_PREROLL_S = 0.4  # audio before a turn's begin that the recogniser gets as well


class Listening(Protocol):
    """One call's ear without its recogniser: voice.listener.Listener, or what stands in for it."""

    expects: Expects
    digits: int

    def take(self, frame: bytes, sent: bytes, *, agent_speaks: bool, partial: str) -> Turn | None:
        """One frame received and the one sent in the same tick; `partial` is of the present turn."""
        ...


class Words(Protocol):
    """What has been recognised."""

    def turn_began(self, at_s: float) -> None:
        """From here on only what is said in this turn is told."""
        ...

    def partial(self, at_s: float) -> str:
        """The turn so far."""
        ...


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


@dataclass(frozen=True, slots=True)
class Echo:
    """The line returns what the agent says."""

    delay_s: float
    level_db: float


class Agent:
    """What the agent says, and whether it is heard: held for a moment, stopped, gone on with."""

    def __init__(self, speech: bytes) -> None:
        self._speech, self._at = speech, 0
        self._stopped = self._held = False

    @property
    def speaks(self) -> bool:
        """It has something to say, even while it is held."""
        return not self._stopped and self._at < len(self._speech)

    def send(self) -> bytes:
        """The next frame."""
        if not self.speaks or self._held:
            return SILENCE
        frame = self._speech[self._at : self._at + FRAME_BYTES]
        self._at += FRAME_BYTES
        return frame.ljust(FRAME_BYTES, b"\0")

    def obey(self, turn: Turn) -> None:
        """Do what a conversation does on this."""
        if turn is Turn.BARGE_IN:
            self._stopped = True
        elif turn is Turn.FALSE_ALARM:
            self._stopped = False
        if turn is Turn.HOLD:
            self._held = True
        elif turn in (Turn.RELEASE, Turn.ENDED, Turn.FALSE_ALARM):
            self._held = False


def play(
    listening: Listening,
    pcm: bytes,
    words: Words | None = None,
    *,
    sent: bytes = b"",
    asked: Asked | None = None,
    echo: Echo | None = None,
) -> Iterator[Seen]:
    """What `listening` decides on hearing `pcm`, while the agent says `sent` as far as it is let."""
    words, agent, asked = words or StandIn(None), Agent(sent), asked or Asked()
    listening.expects, listening.digits = asked.expects, asked.digits
    late = deque([SILENCE] * round(echo.delay_s / FRAME_S) if echo else [])
    in_turn = False
    for number in range(len(pcm) // FRAME_BYTES):
        now_s = round((number + 1) * FRAME_S, 3)
        speaks, spoken = agent.speaks, agent.send()
        received = pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
        if echo is not None:
            late.append(spoken)
            received = with_echo(received, late.popleft(), echo.level_db)
        partial = words.partial(now_s) if in_turn else ""
        turn = listening.take(received, spoken, agent_speaks=speaks, partial=partial)
        if turn is None:
            continue
        if turn in (Turn.BEGAN, Turn.ENDED):
            in_turn = turn is Turn.BEGAN
        if turn is Turn.BEGAN:
            words.turn_began(now_s)
        agent.obey(turn)
        yield Seen(turn, now_s)
