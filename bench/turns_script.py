"""What a caller of the timing benchmark says and when, and what came of it: no sockets, no clock of its own.

All times are seconds since the epoch: of the caller's own packets when they were sent, of the agent's when
they arrived. Packets are A-law, 20 ms each.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from asr.builtin.line import alaw
from bench.speech import PACKET, encode, is_audible
from hotline.line_conditions import Samples
from hotline.turn_clips import LabelledClip, line_noise
from hotline.turn_sounds import ECHO_DB

PACKET_S = 0.02
RATE = 8000
QUIET_S = 0.7  # the agent has finished when it was quiet this long; its pauses are shorter
ANSWER_S = 5.0  # no sound for so long after a request: it was not answered; later the agent asks who is there
FINISHED_S = 1.5  # nothing was heard for so long: there is no answer left to talk over
BETWEEN_S = 2.5  # after something said over the agent, before the next; and before hanging up
FOREVER_S = 40.0  # the agent was heard for longer: it plays music
HANG_UP_S = 0.4  # of the last answer are heard
IDLE_PACKETS = 500


def _values() -> Samples:
    """What each A-law code is decoded to."""
    levels = alaw(np.arange(-32768.0, 32768.0))
    values = np.zeros(256)
    values[np.frombuffer(encode(levels), np.uint8)] = levels
    return values


VALUES = _values()
_QUIETER = encode(np.round(VALUES * 10 ** (ECHO_DB / 20)))  # of each code


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to say; `first` and `last` are the packets with its first and its last sound."""

    name: str
    text: str
    packets: tuple[bytes, ...]
    first: int
    last: int
    pause: tuple[int, int] | None = None  # the packets of an inserted pause, the end not included
    said_s: tuple[float, ...] = ()  # from the first packet's begin, for each character of the text


@dataclass(frozen=True, slots=True)
class Item:
    """A clip's name, and when: once the agent is silent, or once it has spoken for `over_s`."""

    clip: str
    over_s: float | None = None
    asks: bool = True  # it wants an answer


@dataclass(frozen=True, slots=True)
class Script:
    """One call: its items in turn; `echo_packets`, after which the line returns the agent's own voice."""

    items: tuple[Item, ...]
    echo_packets: int = 0  # 0: no echo
    tries: int = 3  # further calls for what could not be said in this one
    to_the_end: bool = False  # hang up when the last answer is over, not when it has begun

    def rest(self, said: int) -> Script | None:
        """The call that says what is missing, after the same opening; None when there is no try left."""
        left = self.items[said:]
        if not left or not self.tries:
            return None
        opening = self.items[:1] if left[0].over_s is not None else ()
        return replace(self, items=(*opening, *left), tries=self.tries - 1)


@dataclass(frozen=True, slots=True)
class Said:
    """One item as it went: when each of its packets was sent, up to the one with its last sound."""

    item: Item
    sent: array[float]


@dataclass(slots=True)
class Trace:
    """One call as the caller saw it."""

    number: str
    up_at: float = 0.0
    over_at: float = 0.0
    sounds: array[float] = field(
        default_factory=lambda: array("d")
    )  # arrivals of the agent's audible packets
    said: list[Said] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All calls of a run, and the clips they use."""

    agent: tuple[str, int]
    at_a_time: int
    scripts: tuple[Script, ...]
    clips: Mapping[str, Clip]


@dataclass(frozen=True, slots=True)
class Report:
    """All calls as they went; `own_late_ms` is how late the caller's process was with its packets."""

    traces: list[Trace]
    unsaid: int
    own_late_ms: array[float]


def clip_of(
    clip: LabelledClip, lead_s: float, *, name: str = "", pause_s: tuple[float, float] | None = None
) -> Clip:
    """A stretch of a call as packets, with `lead_s` of line before its first sound."""
    code = encode(np.frombuffer(clip.pcm, "<i2").astype(np.float64))
    whole = [code[at : at + PACKET] for at in range(0, len(code) - PACKET + 1, PACKET)]
    skip = max(0, _packet(clip.first_s - lead_s))
    last = min(_packet(clip.last_s - PACKET_S / 2), len(whole) - 1)
    pause = (_packet(pause_s[0]) - skip, _packet(pause_s[1]) - skip) if pause_s else None
    said_s = tuple(round(time_s - skip * PACKET_S, 3) for time_s in clip.said_s)
    return Clip(
        name or clip.name,
        clip.text,
        tuple(whole[skip:]),
        _packet(clip.first_s) - skip,
        last - skip,
        pause,
        said_s,
    )


def _packet(at_s: float) -> int:
    return int(at_s / PACKET_S + 1e-6)


def idle_packets() -> list[bytes]:
    """An open line on which nobody speaks, for ten seconds."""
    code = encode(line_noise(IDLE_PACKETS * PACKET, seed=5))
    return [code[at : at + PACKET] for at in range(0, len(code), PACKET)]


class Conversation:
    """One call's caller: hears packets, gives packets, keeps the trace; None for a packet: hang up."""

    def __init__(
        self, script: Script, clips: Mapping[str, Clip], idle: Sequence[bytes], trace: Trace
    ) -> None:
        self.trace = trace
        self._script = script
        self._clips = clips
        self._idle = itertools.cycle(idle)
        self._clip: Clip | None = None  # being said, or its line still being sent
        self._position = 0
        self._sent: array[float] | None = None  # while an item is being said
        self._said = 0  # items
        self._asked_at = self._ended_at = trace.up_at  # when the last asking, and the last item was over
        self._answer_at: float | None = None  # the first sound after that
        self._sound_at = float("-inf")
        self._received: list[bytes] = []
        self._returned = 0

    @property
    def rest(self) -> Script | None:
        """What has not been said, as another call."""
        return self._script.rest(self._said)

    @property
    def unsaid(self) -> int:
        """How many items have not been said."""
        return len(self._script.items) - self._said

    def hear(self, payload: bytes, at: float) -> None:
        """A packet of the agent arrived."""
        if self._script.echo_packets:
            self._received.append(payload)
        if is_audible(payload):
            self._sound_at = at
            self.trace.sounds.append(at)
            if self._answer_at is None and self._sent is None and at > self._asked_at:
                self._answer_at = at

    def next_packet(self, now: float) -> bytes | None:
        """What to send now; None to hang up."""
        if self._sent is None and not self._decide(now):
            return None
        packet = self._line()
        if self._sent is not None and self._clip is not None:
            self._sent.append(now)
            if self._position > self._clip.last:
                self._over(now)
        return packet

    def _line(self) -> bytes:
        """The clip, and the line as it is around it."""
        echo = self._echo()
        if self._clip is not None:
            if self._position < len(self._clip.packets):
                self._position += 1
                packet = self._clip.packets[self._position - 1]
                return packet if self._sent is not None else echo or packet
            self._clip = None
        return echo or next(self._idle)

    def _echo(self) -> bytes:
        """What comes back of the agent's voice at this moment."""
        if not self._script.echo_packets or len(self._received) <= self._script.echo_packets:
            return b""
        self._returned = max(self._returned + 1, len(self._received) - self._script.echo_packets - 2)
        if self._returned > len(self._received) - self._script.echo_packets:
            self._returned -= 1  # the agent's packet is late: the same again would be no echo
            return b""
        packet = self._received[self._returned - 1]
        return packet.translate(_QUIETER) if is_audible(packet) else b""

    def _over(self, now: float) -> None:
        item, sent = self._script.items[self._said], self._sent
        assert sent is not None
        self.trace.said.append(Said(item, sent))
        self._said += 1
        self._sent, self._ended_at = None, now
        if item.asks:
            self._asked_at, self._answer_at = now, None

    def _decide(self, now: float) -> bool:
        """Begin the next item if it is time; False when the call is over."""
        if self._said == len(self._script.items):
            return not self._may_leave(now)
        item = self._script.items[self._said]
        unanswered = self._answer_at is None and now - self._asked_at > ANSWER_S
        if item.over_s is None:
            if unanswered or self._agent_is_quiet(now):
                self._begin(item)
            return self._answer_at is None or now - self._answer_at < FOREVER_S
        if unanswered or (self._answer_at is not None and now - self._sound_at > FINISHED_S):
            return False  # nothing to talk over
        if self._answer_at is None or now - self._sound_at > 2.5 * PACKET_S:
            return True
        spaced = self._ended_at == self._asked_at or now - self._ended_at >= BETWEEN_S
        if spaced and now - self._answer_at >= item.over_s:
            self._begin(item)
        return True

    def _begin(self, item: Item) -> None:
        self._clip, self._position, self._sent = self._clips[item.clip], 0, array("d")

    def _agent_is_quiet(self, now: float) -> bool:
        return self._answer_at is not None and now - max(self._sound_at, self._answer_at) > QUIET_S

    def _may_leave(self, now: float) -> bool:
        if not self._script.items[-1].asks:
            return now - self._ended_at > BETWEEN_S
        if self._answer_at is None:
            return now - self._asked_at > ANSWER_S
        if self._script.to_the_end:
            return self._agent_is_quiet(now)
        return now - self._answer_at > HANG_UP_S
