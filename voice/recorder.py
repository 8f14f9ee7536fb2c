"""A call's stereo recording on the clock of the caller's leg: left the caller, right what the caller hears.

That is the agent or the seat; a third party in their talk is mixed with the seat.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from voice.events import Happened, Journal
from voice.media import SILENCE, mix
from voice.phone import FRAME_S, Leg

_WAITING_FRAMES = 25  # another leg's frames wait this long at most for the caller's clock


class StereoFile(Protocol):
    """Takes 20 ms at a time and never waits; the file is playable at any moment.

    Once it has `failed`, what is written is dropped.
    """

    failed: bool

    def write(self, left: bytes, right: bytes, /) -> None: ...

    def close(self) -> object: ...


class CallRecorder:
    """Taps the caller's leg, and others while attached; also the clock of the agent's first sound."""

    def __init__(self, caller: Leg, file: StereoFile, journal: Journal) -> None:
        self._call_id = caller.call_id
        self._file = file
        self._journal = journal
        self._paused = False
        self._others: dict[Leg, deque[bytes]] = {}  # what a seat, or a third party, says to the caller
        self._caller = caller
        self._clock_s = 0.0
        self.sound_s: float | None = None  # when the agent's first sound since expect_sound() left us
        caller.tap(self._on_caller)

    @property
    def clock_s(self) -> float:
        """Seconds of the caller's audio so far."""
        self.catch_up()
        return self._clock_s

    @property
    def failed(self) -> bool:
        """The file can no longer be written; the call goes on without it."""
        return self._file.failed

    def pause(self, by: str = "agent") -> None:
        """Write silence instead of sound, as for a card or ID number, until resume(); harmless twice."""
        self._pause(True, "recording_paused", by)

    def resume(self, by: str = "agent") -> None:
        """Write what is heard again; harmless when it was not paused."""
        self._pause(False, "recording_resumed", by)

    def catch_up(self) -> None:
        """Have what has been heard and sent up to now on tape."""
        self._caller.catch_up()

    def _pause(self, paused: bool, kind: str, by: str) -> None:
        self.catch_up()
        if self._paused != paused:
            self._paused = paused
            self._journal.emit(Happened(self._call_id, self.clock_s, kind, {"by": by}))

    def expect_sound(self) -> None:
        """From now on, note when the next sound is sent to the caller."""
        self.catch_up()
        self.sound_s = None

    def attach(self, other: Leg) -> None:
        """Record what a seat, or a third party, says to the caller."""
        self.catch_up()
        frames = self._others[other] = deque(maxlen=_WAITING_FRAMES)
        other.tap(lambda received, sent: frames.append(received))

    def detach(self, other: Leg) -> None:
        """Its words are not for the caller any more; harmless when they were not."""
        if self._others.pop(other, None) is not None:
            other.tap(None)

    def _on_caller(self, received: bytes, sent: bytes) -> None:
        if self.sound_s is None and sent is not SILENCE and any(sent):
            self.sound_s = self._clock_s
        right = sent
        for frames in self._others.values():
            if frames:
                right = mix(right, frames.popleft())
        if self._paused:  # silence of the same length: sound and text stay in step
            received = right = SILENCE
        self._file.write(received, right)
        self._clock_s += FRAME_S
