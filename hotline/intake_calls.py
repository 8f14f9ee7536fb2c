"""Scripted intake calls: played by text against the embedded dialog, their work orders judged."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialog import Basis, CallContext, FileTicket, Message, TicketDraft, Transfer
from dialog.manager import EmbeddedDialog
from dialog.talk import Talk
from dialog.words import clean, in_words
from hotline.errors import UsageError

MAX_TURNS = 25  # of the caller; a longer call has failed
_UNKNOWN, _UNWILLING, _YES, _ACCEPTS = "不知道", "不想留", "对", "好的"
_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))


class ExpectedSlots(BaseModel):
    """What a work order must hold: lists of words that stand in a slot, and slots told exactly."""

    model_config = ConfigDict(extra="forbid", strict=True)

    matter_has: list[str] = []
    place_has: list[str] = []
    time_has: list[str] = []
    duration_has: list[str] = []
    wish_has: list[str] = []
    business_has: list[str] = []
    district: str = ""
    street: str = ""
    landmark: str = ""
    name: str = ""
    contact: str = ""
    anonymous: bool = False
    secret: bool = False


class Expected(BaseModel):
    """The work order that must come of a call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    category: str
    department: str
    urgency: str
    slots: ExpectedSlots


class Script(BaseModel):
    """A call: what the caller says first, answers and corrects, and the work order that must come of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    caller: str = ""
    says: list[str] = Field(min_length=1)
    answers: dict[str, str] = {}
    corrections: list[str] = []
    expected: Expected


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a call: the work order, or none and why; how often something was asked."""

    script: Script
    draft: TicketDraft | None
    failed: str = ""
    questions: int = 0
    said: tuple[tuple[str, str], ...] = ()

    @property
    def slots(self) -> Mapping[str, bool]:
        """Whether each slot of which something is expected is right; all wrong where nothing was filed."""
        return judged(self.script.expected.slots, self.draft)

    @property
    def right(self) -> bool:
        """Whether a work order was filed and every slot is right."""
        return self.draft is not None and all(self.slots.values())

    def is_right(self, name: str) -> bool:
        """Whether category, department or urgency is right."""
        return self.draft is not None and getattr(self.draft, name) == getattr(self.script.expected, name)


def load_scripts(data: Path) -> list[Script]:
    """The calls in a file of JSON lines, or in all files of a folder. Raises UsageError."""
    files = sorted(data.glob("*.jsonl")) if data.is_dir() else [data]
    scripts: list[Script] = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: cannot be read as UTF-8 text: {error}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                scripts.append(Script.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise UsageError(f"{file}, line {number}: {where or 'JSON'}: {first['msg']}") from error
    if not scripts:
        raise UsageError(f"{data}: holds no calls; one JSON object a line, in files *.jsonl")
    return scripts


async def play(script: Script, dialog: EmbeddedDialog) -> Played:
    """Hold the call `script` with `dialog` until a work order is filed, or until it fails."""
    call = CallContext(script.id, script.caller)
    caller = Caller(script)
    history = [Message("agent", dialog.greeting(call))]
    words = script.says[0]
    said = [("agent", history[0].text)]
    for _ in range(MAX_TURNS):
        history.append(Message("caller", words))
        said.append(("caller", words))
        basis, text, action = Basis(0.0), "", None
        async for item in _reply(dialog, call, history):
            if isinstance(item, Basis):
                basis = item
            elif isinstance(item, str):
                text += item
            else:
                action = item
        history.append(Message("agent", text, memory=basis.memory))
        said.append(("agent", text))
        if isinstance(action, FileTicket):
            return Played(script, action.draft, "", caller.asked, tuple(said))
        if action is not None:
            why = f"transferred: {action.reason}" if isinstance(action, Transfer) else "the agent hung up"
            return Played(script, None, why, caller.asked, tuple(said))
        words = caller.answers(basis)
    return Played(script, None, f"no work order after {MAX_TURNS} turns", caller.asked, tuple(said))


async def _reply(
    dialog: EmbeddedDialog, call: CallContext, history: Sequence[Message]
) -> AsyncIterator[object]:
    async for item in dialog.reply(call, history):
        yield item


@dataclass
class Caller:
    """Says what the script says, to whatever is asked."""

    script: Script
    to_say: list[str] = field(default_factory=list)
    to_correct: list[str] = field(default_factory=list)
    corrected: str = ""
    asked: int = 0

    def __post_init__(self) -> None:
        self.to_say = self.script.says[1:]
        self.to_correct = list(self.script.corrections)

    def answers(self, basis: Basis) -> str:
        """The caller's next words, after a reply on `basis`."""
        self.asked += 1
        talk = basis.memory if isinstance(basis.memory, Talk) else Talk()
        intake = talk.intake
        if intake is None:
            if talk.awaiting == "offer":
                return _ACCEPTS
            # Answered, or not understood: the caller goes on, or says plainly that it is a complaint.
            begun = "不是，" if talk.awaiting in ("confirm", "choice") else ""
            return self.to_say.pop(0) if self.to_say else f"{begun}我要投诉，{self.script.says[0]}"
        match intake.asking:
            case "matter" if self.to_say:
                return self.to_say.pop(0)
            case "matter":
                return self.script.answers.get("matter", self.script.says[0])
            case "join":
                return _ACCEPTS
            case "confirm":
                self.corrected = self.to_correct.pop(0) if self.to_correct else ""
                return self.corrected or _YES
            case "change":
                return self.corrected or _UNKNOWN
            case slot:
                missing = _UNWILLING if slot in ("name", "contact") else _UNKNOWN
                return self.script.answers.get(slot, missing)


def judged(expected: ExpectedSlots, draft: TicketDraft | None) -> dict[str, bool]:
    """For each slot of which something is expected, whether the work order holds it."""
    slots = draft.slots if draft else {}
    found: dict[str, bool] = {}
    for name in ("matter", "place", "time", "duration", "wish", "business"):
        words: list[str] = getattr(expected, f"{name}_has")
        if words:
            found[name] = all(_spoken(word) in _spoken(slots.get(name, "")) for word in words)
    for name in ("district", "street", "landmark"):
        if value := getattr(expected, name):
            found[name] = _spoken(value) == _spoken(slots.get(name, ""))
    for name in ("name", "contact"):
        found[name] = draft is not None and slots.get(name, "") == getattr(expected, name)
    found["anonymous"] = draft is not None and bool(slots.get("anonymous")) == expected.anonymous
    found["secret"] = draft is not None and draft.secret == expected.secret
    return found


def _spoken(text: str) -> str:
    """`text` so that numbers in words and in digits, 两 and 二, are the same."""
    words = clean(in_words(text)).replace("两", "二").replace("幺", "一")
    return re.sub("[0-9]", lambda digit: _DIGITS[digit.group()], words)
