"""The tables of timed calls: what a row of the YAML files may say, checked as they are read.

A scenario is what the caller does (`caller`), what must then be heard and recorded (`expect`), and the parts
that are not as usual (`asr`, `tts`, `line`, `dialog` …). README.md beside this file shows how to write one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dialog import Expects, phrases
from tests.sim.scenario import CALLER, GREETING
from tests.sim.timing.sounds import NoiseKind

FOLDER = Path(__file__).parent


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Does(_Row):
    """One thing the caller does, and when; without `into`, `after` or `later` it counts from the greeting."""

    at: float = 0.0  # seconds from the end of the greeting, or from what `into` or `after` names
    into: str = ""  # from the first sound of these words of the agent's
    after: str = ""  # from the last sound of these words of the agent's
    later: float | None = None  # seconds after the end of the caller's sound before
    says: str = ""  # … where the caller pauses
    lasts_s: float = 0.0  # of sound; 0: five characters a second; of a noise
    pause_s: list[float] = [0.8]
    confidence: float = 0.95
    asr_fails_at_s: float | None = None
    noise: NoiseKind | None = None
    dbfs: float = -18.0
    keys: str = ""
    hangs_up: bool = False

    @field_validator("pause_s", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return value if isinstance(value, list) else [value]

    @model_validator(mode="after")
    def _one_thing(self) -> Does:
        if [bool(self.says), self.noise is not None, bool(self.keys), self.hangs_up].count(True) != 1:
            raise ValueError("a caller's row says one of: says, noise, keys, hangs_up")
        if self.noise is not None and self.lasts_s <= 0:
            raise ValueError("a noise needs lasts_s")
        return self

    def __str__(self) -> str:
        return self.says or f"({self.noise})" * bool(self.noise) or self.keys or "hangs up"


class Must(_Row):
    """One thing that must be so; the rows with `agent` together are all that the agent was heard to say."""

    agent: str = ""  # … any words; ✂ cut off here
    within_ms: tuple[float, float] | None = None  # of the caller's last sound
    after_agent_ms: tuple[float, float] | None = None  # from the agent's own last sound
    silent_within_ms: float | None = None  # after the first sound of the caller's that fell on these words
    held_ms: tuple[float, float] = (0.0, 0.0)  # the agent fell silent within these words and went on
    turns: int | None = None  # of the caller's, in the record
    caller: list[str] | None = None  # the caller's turns in the record
    record: list[str] | None = None  # all turns in the record, "agent 好的✂"
    history: list[str] | None = None  # what the dialog was told the last time, "caller …"
    events: str | None = None  # kinds, in order
    ends: str | None = None  # end reason and outcome
    transfer: str | None = None  # reason, seat, outcome
    tickets: int | None = None  # filed
    replies: int | None = None  # times the dialog was asked, at most

    @field_validator("within_ms", "after_agent_ms", "held_ms", mode="before")
    @classmethod
    def _a_range(cls, value: object) -> object:
        return (0.0, value) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _one_thing(self) -> Must:
        timing = {"within_ms", "after_agent_ms", "silent_within_ms", "held_ms"} & self.model_fields_set
        if len(self.model_fields_set - timing) != 1 or (timing and not self.agent):
            raise ValueError("a row expects one thing; times belong to a row with agent")
        return self


class Asr(_Row):
    """The recogniser."""

    partial_lag_s: float = 0.2
    final_s: float = 0.1
    partials: bool = True


class Tts(_Row):
    """The voice; it breaks at every clause that has one of the words in `fails`."""

    first_audio_s: float = 0.1
    fails: list[str] = []


class Line(_Row):
    """The line: how loud it hisses, how loud and how late the agent's own voice comes back."""

    noise_dbfs: float | None = None
    noise: NoiseKind = "hiss"
    echo_db: float | None = None
    echo_delay_s: float = 0.2


class Answers(_Row):
    """What the dialog says to words that contain `hears`; a number among the texts is a wait in seconds."""

    hears: str = ""
    says: list[str | float] = []
    expects: Expects = "anything"
    digits: int = 0
    must_be_heard: bool = False
    then: Literal["", "file", "end", "transfer"] = ""


class Timed(_Row):
    """A timed call."""

    name: str
    caller: list[Does] = []
    expect: list[Must] = Field(min_length=1)
    asr: Asr = Asr()
    tts: Tts = Tts()
    line: Line = Line()
    dialog: list[Answers] = []  # instead of the real one
    number: str = CALLER  # of the caller, "" withheld
    stays: bool = False  # does not hang up when nothing is said any more
    seat: bool = False  # somebody takes calls that are handed over
    filing_s: float = 0.02
    file: str = ""

    @field_validator("caller", "expect", mode="before")
    @classmethod
    def _a_list(cls, value: Any) -> Any:
        return value or []

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def load(folder: Path = FOLDER) -> Iterator[Timed]:
    """The scenarios of all tables. Raises ValueError, saying which scenario is wrong and why."""
    for path in sorted(folder.glob("*.yaml")):
        for number, row in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), 1):
            try:
                for it in row.pop("each", [""]):
                    yield Timed.model_validate(_spelled_out(row, it) | {"file": path.stem})
            except (ValidationError, KeyError) as error:
                raise ValueError(f"{path.name}, scenario {number} ({row.get('name')}): {error}") from error


def _spelled_out(value: Any, it: object) -> Any:
    """The same with {it} and the names of phrases, as in {FILLER_FIRST}, spelled out."""
    if isinstance(value, dict):
        return {key: _spelled_out(inner, it) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spelled_out(inner, it) for inner in value]
    names = {"it": it, "GREETING": GREETING, **vars(phrases)}
    return value.format_map(names) if isinstance(value, str) else value
