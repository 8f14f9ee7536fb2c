"""The API's JSON, as in docs/interface.md. Times are ISO 8601 in UTC; `*_s` are seconds since the answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import Self

from desk.requests import Body

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list, newest or best first; pages count from 1."""

    items: list[T]
    total: int
    page: int


class Turn(BaseModel):
    """One turn; confidences are 0..1; `asr_raw` is what was heard, where `text` writes it otherwise."""

    index: int
    who: str
    text: str
    started_s: float
    ended_s: float | None
    asr_raw: str
    asr_confidence: float | None
    dialog_confidence: float | None
    interrupted: bool
    heard_text: str | None
    response_gap_ms: float | None
    sources: list[str]
    stages_ms: dict[str, float]
    decision: dict[str, str | float]


class CallEvent(BaseModel):
    """Something that happened in a call beside the turns."""

    at_s: float
    kind: str
    detail: dict[str, Any]


class TransferSummary(BaseModel):
    """What the seat was told of the call."""

    model_config = ConfigDict(extra="allow")

    caller: str = ""
    request: str = ""
    place: str = ""
    time: str = ""
    category: str = ""
    department: str = ""
    answered: list[str] = []
    open_points: list[str] = []
    mood: str = ""


class Transfer(BaseModel):
    """Why and to whom the call was handed over; `outcome` is empty while it is under way."""

    reason: str
    summary: TransferSummary
    seat: str
    outcome: str


class LineQuality(BaseModel):
    """What one leg's audio was like; `remote_*` is what the other side reported of the audio it got from us.

    `round_trip_ms` is null where the other side sent no such reports; then `remote_*` are 0 and say nothing.
    """

    leg: Literal["caller", "seat"]
    codec: str
    received_packets: int
    lost_packets: int
    jitter_ms: float
    sent_packets: int
    remote_lost_packets: int
    remote_jitter_ms: float
    round_trip_ms: float | None
    late_frames: int


class CallHead(BaseModel):
    """A call without what happened in it; `recording` is the path of its audio, empty if there is none."""

    id: str
    node: str
    caller: str
    callee: str
    started_at: str
    answered_at: str | None
    ended_at: str | None
    end_reason: str
    outcome: str
    ticket_id: str | None
    recording: str
    satisfaction: int | None


class CallItem(CallHead):
    """A call in a list: also how many turns it has and what the caller said first."""

    turn_count: int
    first_words: str


class Call(CallHead):
    """A call with all that happened in it."""

    turns: list[Turn]
    events: list[CallEvent]
    transfer: Transfer | None
    line: list[LineQuality]


TicketStatus = Literal["filed", "accepted", "in_progress", "resolved", "closed"]
Urgency = Literal["normal", "urgent", "emergency"]


class TicketIn(Body):
    """A work order to file."""

    call_id: str | None = None
    caller: str = Field("", max_length=64)
    category: str = Field("", max_length=200)
    department: str = Field("", max_length=200)
    urgency: Urgency = "normal"
    title: str = Field(min_length=1, max_length=500)
    text: str = Field("", max_length=20_000)
    slots: dict[str, str] = Field({})
    secret: bool = False
    joins: str = Field("", max_length=20)


class TicketPatch(Body):
    """What to change of a work order; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    category: str = Field("", max_length=200)
    department: str = Field("", max_length=200)
    urgency: Urgency = "normal"
    title: str = Field("", min_length=1, max_length=500)
    text: str = Field("", max_length=20_000)
    slots: dict[str, str] = Field({})
    status: TicketStatus = "filed"


class Ticket(BaseModel):
    """A work order; `id` is its number."""

    id: str
    call_id: str | None
    caller: str
    category: str
    department: str
    urgency: str
    title: str
    text: str
    slots: dict[str, str]
    secret: bool
    joins: str
    status: str
    created_at: str
    updated_at: str


class SeatIn(Body):
    """A seat to add or change."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")
    name: str = Field("", max_length=100)
    uri: str = Field(max_length=300, pattern=r"^sips?:\S+$")
    skills: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field([], max_length=50)


class SeatStatus(BaseModel):
    """What a person may set; ringing and talking are set by the calls themselves."""

    status: Literal["away", "free", "wrap_up"]


class Seat(BaseModel):
    """A seat, its status (away, free, ringing, talking, wrap_up) since when, its call, on which node.

    `user` is the account that works there now, "" for none; `configured`: it stands in the settings.
    """

    id: str
    name: str
    uri: str
    skills: list[str]
    status: str
    since: str
    call_id: str | None
    node: str = ""
    user: str = ""
    configured: bool = False


class Workplace(BaseModel):
    """Where the sender works: the seat, null for none; how long a wrap-up lasts; how many callers wait.

    `now` is the desk's clock, `wrap_up_s` is null where the desk does not know it.
    """

    name: str
    role: str
    seat: Seat | None
    wrap_up_s: float | None
    waiting: int
    now: str


class SeatAnswer(Body):
    """Whether a seat takes the call that it rings for; with `call_id` only if it still is that one."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["accepted", "declined"]
    call_id: str | None = None


_SIP_OR_NOTHING = r"^(sips?:[\w.+*#-]+@[\w.:\[\]-]+(;[\w.=;-]+)?)?$"


class CommandDetail(BaseModel):
    """What a command needs: `add` a `uri` to ring, `send_on` a `seat` or a `skill`."""

    model_config = ConfigDict(extra="forbid")

    uri: Annotated[str, Field(max_length=300, pattern=_SIP_OR_NOTHING)] = ""
    seat: Annotated[str, Field(max_length=64)] = ""
    skill: Annotated[str, Field(max_length=64)] = ""


class CallCommand(Body):
    """What a seat wants done with the call that it is in."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["hold", "resume", "add", "drop", "send_on", "hand_back"]
    detail: CommandDetail = CommandDetail()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.action == "add" and not self.detail.uri:
            raise ValueError("add needs detail.uri, a SIP address to ring")
        if self.action == "send_on" and bool(self.detail.seat) == bool(self.detail.skill):
            raise ValueError("send_on needs detail.seat or detail.skill, one of them")
        return self


class SeatCallItem(CallItem):
    """A call that a seat was rung for; `connected`: this seat talked to the caller."""

    request: str
    transfer_outcome: str
    connected: bool


class Waiting(BaseModel):
    """A caller who waits for a seat, the first in the queue comes first; `priority` 1: an emergency."""

    call_id: str
    node: str
    skill: str
    priority: int
    since: str


class History(BaseModel):
    """What a telephone number has behind it: its newest calls and its newest open work orders."""

    calls: list[CallItem]
    tickets: list[Ticket]


_NO_CONTROLS = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Line = Annotated[str, Field(max_length=500, pattern=_NO_CONTROLS)]


class PassageIn(Body):
    """A passage to put in; `valid_from` and `valid_to` are days, inclusive, and null where it is open."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=1, max_length=500, pattern=_NO_CONTROLS)
    answer: str = Field(min_length=1, max_length=5000, pattern=_NO_CONTROLS)
    phrasings: list[Line] = Field([], max_length=100)
    department: Line = ""
    district: Line = ""
    topic: Line = ""
    source: Line = ""
    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} is before valid_from {self.valid_from}")
        self.phrasings = [phrasing for phrasing in self.phrasings if phrasing]
        return self


class PassageNew(PassageIn):
    """A new passage; without `id` it gets one."""

    id: str = Field("", max_length=100, pattern=r"^(\w[\w.:-]*)?$")

    @field_validator("id")
    @classmethod
    def _is_no_path(cls, value: str) -> str:
        if value in ("gaps", "import", "state"):
            raise ValueError(f"{value} stands for something else below /api/v1/kb; choose another id")
        return value


class Passage(BaseModel):
    """A passage of the knowledge base; `score`, 0..1, how well it fits, where it was searched for."""

    id: str
    question: str
    answer: str
    phrasings: list[str] = []
    department: str = ""
    district: str = ""
    topic: str = ""
    source: str = ""
    valid_from: str | None = None
    valid_to: str | None = None
    updated_at: str | None = None
    score: float | None = None


class Gap(BaseModel):
    """A matter asked about in vain in `count` calls, the last of them `call_id`; `text` is a caller's."""

    text: str
    count: int
    call_id: str
    last_at: str


class RecordingAction(BaseModel):
    """What to do with a running call's recording; paused, it goes on in silence."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["pause", "resume"]


class RecordingState(BaseModel):
    """A running call's recording after an action."""

    call_id: str
    paused: bool


class ChatIn(Body):
    """One message of a text conversation; `session` is chosen by the client and names the conversation."""

    session: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1, max_length=2000)


class ChatOut(BaseModel):
    """The agent's reply; `action` names what it wants done beside, e.g. a transfer."""

    model_config = ConfigDict(extra="allow")

    reply: str
    action: str | dict[str, Any] | None = None
    sources: list[str] = []
    confidence: float | None = None
