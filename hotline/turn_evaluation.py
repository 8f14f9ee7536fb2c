"""Conversation timing on labelled speech: gaps, cut-offs, interruptions, noise, echo, processor time.

A gap is from the clip's true last sound to the decision that the turn is over; the recogniser's last words,
the reply, the line and its playout buffers come on top of it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from hotline.line_conditions import SAMPLE_RATE, Samples
from hotline.turn_clips import Kind, LabelledClip, with_pause
from hotline.turn_playing import ASR_LAG_S, Asked, Echo, Listening, Seen, StandIn, Words, play
from hotline.turn_recognition import Recognition
from hotline.turn_sounds import (
    ECHO_DB,
    ECHO_DELAYS_S,
    NOISE_LEAD_S,
    SOUND_DBFS,
    Noise,
    agent_speech,
    in_noise,
    noise_only,
    open_line,
)
from voice.manner import Manner
from voice.phone import FRAME_BYTES, FRAME_S
from voice.turns import Turn

PAUSES_S = (0.6, 0.8, 1.0, 1.2)
CALL_TURNS = 5  # of one caller, who pauses in none of them, or for as long in each
SNR_DB = 10.0
NOISE_ONLY_S = 60.0
LATE_S = 0.5  # a turn noticed later than this has lost words
RESUMED_S = 0.1  # after a pause: a decision so late still talks into it
_NUMBER = re.compile(r"[0-9〇零一二三四五六七八九幺两]{5,}")
_TELEPHONE_DIGITS = 11  # what the agent expects of a number it asked for

NewListening: TypeAlias = Callable[[float, Manner], Listening]  # with this patience, to this caller


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count} of {self.of}" + (f" ({self.count / self.of:.1%})" if self.of else "")

    @staticmethod
    def of_all(verdicts: Iterable[bool]) -> Share:
        """How many are true."""
        told = list(verdicts)
        return Share(sum(told), len(told))


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds, of `count`."""

    p50: float
    p95: float
    count: int

    @staticmethod
    def of_all(seconds: Sequence[float]) -> Delays | None:
        """None for none."""
        if not seconds:
            return None
        p50, p95 = (float(value) * 1000 for value in np.percentile(seconds, [50, 95]))
        return Delays(round(p50), round(p95), len(seconds))


@dataclass(frozen=True, slots=True)
class Ending:
    """How the turn of one clip ended."""

    name: str
    gap_s: float | None  # None: no turn ended after the last sound
    answered_early: bool  # a turn ended before the last sound, nothing inserted
    cut_off: dict[float, bool]  # by the pause inserted: a turn ended within it; empty without a place for one


@dataclass(frozen=True, slots=True)
class Endings:
    """How the turns of one kind of clip end with one patience."""

    kind: Kind
    patience: float
    clips: tuple[Ending, ...]

    @property
    def gap_ms(self) -> Delays | None:
        """From the last sound to the decision that the turn is over."""
        return Delays.of_all([clip.gap_s for clip in self.clips if clip.gap_s is not None])

    @property
    def answered_early(self) -> Share:
        """Turns ended in mid-request, nothing inserted."""
        return Share.of_all(clip.answered_early for clip in self.clips)

    @property
    def unanswered(self) -> Share:
        """No turn ended after the last sound."""
        return Share.of_all(clip.gap_s is None for clip in self.clips)

    def cut_off(self, pause_s: float) -> Share:
        """Turns ended within a pause of that length."""
        return Share.of_all(clip.cut_off[pause_s] for clip in self.clips if clip.cut_off)

    @property
    def cut_off_anywhere(self) -> Share:
        """Turns ended within a pause, over all lengths of pauses."""
        return Share.of_all(cut for clip in self.clips for cut in clip.cut_off.values())


@dataclass(frozen=True, slots=True)
class Over:
    """What a sound does to the agent: stops it, which is silent from `silent_s` on; holds it for a moment."""

    stopped: bool
    silent_s: float | None
    held: bool


@dataclass(frozen=True, slots=True)
class OverAgent:
    """What stops the agent while it speaks."""

    backchannels: Share
    interruptions_ms: dict[Kind, Delays | None]  # first sound to the decision to fall silent
    unheard: dict[Kind, Share]  # interruptions that never stopped it
    noise: Share
    voices: Share  # noise in which somebody else talks
    noise_by_file: dict[str, Share]
    echo: Share
    held: dict[str, Share] = field(
        default_factory=dict
    )  # by the same names: it fell silent for a moment only


@dataclass(frozen=True, slots=True)
class InNoise:
    """Turn starts in one noise."""

    noise: str
    voices: bool
    missed: Share
    late: Share
    false_starts: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured; what the data were not there for is None or empty."""

    endings: tuple[Endings, ...]
    over_agent: OverAgent | None
    in_noise: tuple[InNoise, ...]
    cpu_s_per_minute: float
    recognition_cpu_s_per_minute: float | None = None  # of speech, where a recogniser heard the callers


@dataclass(slots=True)
class Material:
    """What to measure with; any of it may be empty."""

    clips: Sequence[LabelledClip]
    backchannels: Sequence[LabelledClip] = ()
    noises: Sequence[Noise] = ()
    backgrounds: Sequence[tuple[str, bool, Samples]] = ()  # name, whether somebody talks in it, sound


@dataclass(slots=True)
class Evaluation:
    """One run over the material; `tell` is called after each stretch of a call."""

    new_listening: NewListening
    material: Material
    lag_s: float = ASR_LAG_S
    recognition: Recognition | None = None  # hears synthetic callers; people are beyond the built-in one
    tell: Callable[[], object] = field(default=lambda: None)
    _cpu_s: float = 0.0
    _heard_s: float = 0.0

    def run(self, patiences: Sequence[float]) -> Figures:
        """Everything; what does not depend on patience with the first one."""
        endings = [self.endings(kind, patience) for patience in patiences for kind in self._kinds()]
        over_agent = self._over_agent(patiences[0]) if self.material.backchannels else None
        noisy = [self._in_noise(*one, patiences[0]) for one in self.material.backgrounds]
        cpu = self._cpu_s / self._heard_s * 60 if self._heard_s else 0.0
        return Figures(tuple(endings), over_agent, tuple(noisy), cpu, self._recognition_cpu())

    def _recognition_cpu(self) -> float | None:
        heard_s = self.recognition.heard_s if self.recognition else 0.0
        return self.recognition.cpu_s / heard_s * 60 if self.recognition and heard_s else None

    def endings(self, kind: Kind, patience: float) -> Endings:
        """Gaps and cut-offs of all clips of a kind."""
        clips = [clip for clip in self.material.clips if clip.kind == kind]
        cut_offs: list[dict[float, bool]] = [{} for _ in clips]
        for pause_s in PAUSES_S:
            paused = [
                (one, cut_off)
                for clip, cut_off in zip(clips, cut_offs, strict=True)
                if (one := with_pause(clip, pause_s))
            ]
            all_ends = self._calls([one.clip for one, _ in paused], patience)
            for (one, cut_off), ends in zip(paused, all_ends, strict=True):
                until_s = one.pause_end_s + RESUMED_S
                cut_off[pause_s] = any(one.pause_start_s <= at_s <= until_s for at_s in ends)
        told = map(_ending, clips, self._calls(clips, patience), cut_offs)
        return Endings(kind, patience, tuple(told))

    def _kinds(self) -> list[Kind]:
        there = {clip.kind for clip in self.material.clips}
        kinds: tuple[Kind, ...] = ("human", "synthetic")
        return [kind for kind in kinds if kind in there]

    def _calls(self, clips: Sequence[LabelledClip], patience: float) -> Iterator[list[float]]:
        """When turns ended in each clip, up to the first end after its last sound."""
        for number, clip in enumerate(clips):
            if number % CALL_TURNS == 0:
                caller = Manner()
            ends: list[float] = []
            for seen in self._play(clip.pcm, patience, clip, asked=asked_for(clip.text), caller=caller):
                if seen.turn is Turn.ENDED:
                    ends.append(seen.at_s)
                    if seen.at_s >= clip.last_s:
                        break
            self.tell()
            yield ends

    def _over_agent(self, patience: float) -> OverAgent:
        heard = [(clip, self._over(clip.pcm, patience, clip)) for clip in self.material.clips]
        murmured = [self._over(clip.pcm, patience, clip) for clip in self.material.backchannels]
        before = open_line(NOISE_LEAD_S)
        noisy = [(noise, self._over(before + noise.pcm, patience)) for noise in self.material.noises]
        line = open_line(len(agent_speech()) / 2 / SAMPLE_RATE)
        returned = [self._over(line, patience, echo=Echo(delay_s, ECHO_DB)) for delay_s in ECHO_DELAYS_S]
        kinds = {kind: [(clip, one) for clip, one in heard if clip.kind == kind] for kind in self._kinds()}
        delays = {
            kind: [one.silent_s - clip.first_s for clip, one in found if one.silent_s is not None]
            for kind, found in kinds.items()
        }
        quiet = [one for noise, one in noisy if not noise.voices]
        return OverAgent(
            backchannels=Share.of_all(one.stopped for one in murmured),
            interruptions_ms={kind: Delays.of_all(found) for kind, found in delays.items()},
            unheard={
                kind: Share.of_all(not one.stopped for _, one in found) for kind, found in kinds.items()
            },
            noise=Share.of_all(one.stopped for one in quiet),
            voices=Share.of_all(one.stopped for noise, one in noisy if noise.voices),
            noise_by_file={
                name: Share.of_all(one.stopped for noise, one in noisy if noise.name == name)
                for name in dict.fromkeys(noise.name for noise, _ in noisy)
            },
            echo=Share.of_all(one.stopped for one in returned),
            held={
                "backchannels": Share.of_all(one.held for one in murmured),
                "noise": Share.of_all(one.held for one in quiet),
                "echo": Share.of_all(one.held for one in returned),
            },
        )

    def _over(
        self, pcm: bytes, patience: float, clip: LabelledClip | None = None, *, echo: Echo | None = None
    ) -> Over:
        """What `pcm` does to the agent, which speaks all along."""
        held_at_s: float | None = None
        was_held = False
        for seen in self._play(pcm, patience, clip, sent=agent_speech(), echo=echo):
            if seen.turn is Turn.HOLD:
                held_at_s = seen.at_s
            elif seen.turn in (Turn.RELEASE, Turn.ENDED):
                was_held, held_at_s = was_held or held_at_s is not None, None
            elif seen.turn is Turn.BARGE_IN:
                self.tell()
                return Over(True, seen.at_s if held_at_s is None else held_at_s, was_held)
        self.tell()
        return Over(False, None, was_held or held_at_s is not None)

    def _in_noise(self, name: str, voices: bool, noise: Samples, patience: float) -> InNoise:
        starts = [self._started_s(in_noise(clip, noise, SNR_DB), patience) for clip in self.material.clips]
        alone = noise_only(noise, SOUND_DBFS - SNR_DB, NOISE_ONLY_S)
        false = Counter(seen.turn for seen in self._play(alone, patience))[Turn.BEGAN]
        self.tell()
        return InNoise(
            name,
            voices,
            Share.of_all(start is None for start in starts),
            Share.of_all(start is not None and start > LATE_S for start in starts),
            false,
            NOISE_ONLY_S / 60,
        )

    def _started_s(self, clip: LabelledClip, patience: float) -> float | None:
        """How long after the first sound a turn was under way; None if none was until the last sound."""
        in_turn = False
        for seen in self._play(clip.pcm, patience):
            if seen.at_s > clip.last_s or (in_turn and seen.at_s >= clip.first_s):
                break
            if seen.turn in (Turn.BEGAN, Turn.ENDED):
                in_turn = seen.turn is Turn.BEGAN
                if in_turn and seen.at_s >= clip.first_s:
                    self.tell()
                    return seen.at_s - clip.first_s
        self.tell()
        return 0.0 if in_turn else None

    def _play(
        self,
        pcm: bytes,
        patience: float,
        clip: LabelledClip | None = None,
        *,
        sent: bytes = b"",
        asked: Asked | None = None,
        echo: Echo | None = None,
        caller: Manner | None = None,
    ) -> Iterator[Seen]:
        """`play`, with its processor time counted."""
        words: Words = StandIn(clip, self.lag_s)
        if self.recognition is not None and clip is not None and clip.kind == "synthetic":
            words = self.recognition.words(clip)
        listening = self.new_listening(patience, caller or Manner())
        playing = play(listening, pcm, words, sent=sent, asked=asked, echo=echo)
        began_s, heard_s = time.process_time(), 0.0
        try:
            for seen in playing:
                heard_s = seen.at_s
                yield seen
            heard_s = len(pcm) / FRAME_BYTES * FRAME_S
        finally:
            self._cpu_s += time.process_time() - began_s
            self._heard_s += heard_s


def _ending(clip: LabelledClip, ends: Sequence[float], cut_off: dict[float, bool]) -> Ending:
    answered_s = next((at_s for at_s in ends if at_s >= clip.last_s), None)
    return Ending(
        clip.name,
        None if answered_s is None else round(answered_s - clip.last_s, 3),
        any(at_s < clip.last_s for at_s in ends),
        cut_off,
    )


def asked_for(text: str) -> Asked:
    """What the agent asked before somebody says `text`: nothing but a number is said for no reason."""
    spoken = "".join(character for character in text if character.isalnum())
    if not _NUMBER.fullmatch(spoken):
        return Asked()
    return Asked("digits", _TELEPHONE_DIGITS if len(spoken) == _TELEPHONE_DIGITS else 0)
