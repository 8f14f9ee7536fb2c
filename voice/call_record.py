"""One call's entries in the journal: its events on its own clock, its turns in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal, TypeAlias

from asr import Transcript
from voice.events import Happened, Journal, LineQuality, Turn
from voice.phone import LineStats
from voice.recorder import CallRecorder

Speaker: TypeAlias = Literal["caller", "seat", "third"]


class CallRecord:
    """Writes what happens in one call into the journal, at the time that the recording has reached."""

    def __init__(self, call_id: str, journal: Journal, recorder: CallRecorder) -> None:
        self.call_id = call_id
        self._journal = journal
        self._recorder = recorder
        self._turns = 0

    @property
    def clock_s(self) -> float:
        """Seconds since the call was answered, on the clock of the caller's audio."""
        return self._recorder.clock_s

    def happened(self, kind: str, detail: Mapping[str, Any] | None = None) -> None:
        """Put an event into the record."""
        self._journal.emit(Happened(self.call_id, self.clock_s, kind, detail or {}))

    def line(self, leg: Literal["caller", "seat"], stats: LineStats) -> None:
        """Put how a leg's line was into the record."""
        self._journal.emit(LineQuality(self.call_id, leg, **asdict(stats)))

    def next_index(self) -> int:
        """The place of the next turn among all of the call; one that is not used stays free."""
        self._turns += 1
        return self._turns - 1

    def said(self, who: Speaker, index: int, said: Transcript, started_s: float, ended_s: float) -> None:
        """Put a turn of the caller's, of a seat's, or of a third party's into the record."""
        turn = Turn(self.call_id, index, who, said.text, started_s, ended_s)
        self._journal.emit(replace(turn, asr_raw=said.raw, asr_confidence=said.confidence))
