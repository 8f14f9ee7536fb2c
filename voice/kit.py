"""What a call needs from the rest of the program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from asr import Recognizer
from dialog import CallContext, Dialog, TicketDraft
from tts import Voice
from voice.endpointing import Endpointer
from voice.events import Journal
from voice.phone import Phone
from voice.policies import Policy
from voice.promises import Promises
from voice.recorder import CallRecorder, StereoFile
from voice.replies import Pace
from voice.seats import SeatBoard, SeatSettings
from voice.turns import TurnSettings


@dataclass(frozen=True, slots=True)
class Kit:
    """What a call needs from the rest of the program; one for all calls."""

    recognizer: Recognizer
    voice: Voice
    dialog: Dialog
    phone: Phone
    board: SeatBoard
    journal: Journal
    policy: Policy
    open_recording: Callable[[str], tuple[StereoFile, str]]  # call id -> file, its name for the record
    file_ticket: Callable[[CallContext, str, TicketDraft], Awaitable[str]]  # call, key -> number; raises
    turns: TurnSettings
    endpointer: Endpointer
    pace: Pace
    seats: SeatSettings
    overloaded: Callable[[], bool] = lambda: False  # the machine does not keep up: do what must be done only
    max_call_s: float = 1800.0  # of talk with the agent; then it hands the caller to a person
    callbacks: Promises | None = None  # None: nobody is called back by us
    recorders: dict[str, CallRecorder] = field(default_factory=dict)  # of the calls that run, by call id
