"""Calls that the agent itself makes: what it asks, as data, and a Dialog that asks it.

Whoever picks up may be somebody else, so nothing of the matter is said before they say that they have called.
A person can be asked for at any time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialog import Action, Basis, CallContext, Dialog, EndCall, Memory, Message, Summary, Transfer, phrases
from dialog.courtesies import rating_of
from dialog.intents import EMERGENCIES, Intent, control_intent, is_farewell, polarity
from dialog.words import clean
from dialog.yaml_text import read_yaml

FOLDER = Path(__file__).parent / "scripts"
TRIES = 2  # so often a question is asked
ASKED: Literal["caller_asked"] = "caller_asked"
NOT_CONFIRMED = "接电话的人还没有确认是来电人本人"

Kind = Literal["yes_no", "rating", "text"]
Verdict = Literal["", "confirmed", "wrong_person", "not_confirmed", "refused"]


class ScriptError(Exception):
    """A script cannot be read; the message says what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Question(_Part):
    """One question; words within the answer that mean yes or no, where they are not plain ones."""

    id: str = Field(min_length=1)
    kind: Kind
    ask: str = Field(min_length=1)
    means_yes: tuple[str, ...] = ()
    means_no: tuple[str, ...] = ()


class Script(_Part):
    """A call: who we are, whether it is the right person, what is asked, and the last words.

    With `then` a seat, the call is handed over after `thanks`; {city} is the city's name.
    """

    opening: str = Field(min_length=1)
    confirm: Question
    wrong_person: str = Field(min_length=1)
    not_confirmed: str = Field(min_length=1)
    again: str = ""
    busy: tuple[str, ...] = ()  # words of somebody who has no time now
    refuses: tuple[str, ...] = ()  # and of one who wants no such call
    not_now: str = phrases.GOODBYE
    questions: tuple[Question, ...] = ()
    thanks: str = Field(min_length=1)
    then: Literal["seat", "end"] = "end"


def load_script(name: str, city: str, folder: Path = FOLDER) -> Script:
    """The script of this name, with the city's name in its words. Raises ScriptError."""
    path = folder / f"{name}.yaml"
    try:
        data = read_yaml(path.read_text(encoding="utf-8").replace("{city}", city))
        return Script.model_validate(data)
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ScriptError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ScriptError(f"{path.name}: {at}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class Progress(Memory):
    """How far a script has come: the question that was asked last (-1: who it is), and the answers."""

    at: int = -1
    tries: int = 1
    verdict: Verdict = ""
    answers: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    wants_person: bool = False


@dataclass(frozen=True, slots=True)
class ScriptDialog:
    """A Dialog that asks a script's questions in one call; `summary` is what a seat of `skill` is told.

    Whoever has talked to a seat, and is handed back, goes on as any caller does: with `afterwards`.
    """

    script: Script
    summary: Summary
    skill: str = ""
    afterwards: Dialog | None = None

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return self.script.opening + self.script.confirm.ask

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """Take the answer and ask on; raises nothing of its own."""
        if call.handed_back and self.afterwards:
            items = self.afterwards.reply(call, _since_script(history))
            async with aclosing(cast("AsyncGenerator[str | Basis | Action, None]", items)):
                async for item in items:
                    if isinstance(item, Transfer) and not item.summary.request:
                        item = Transfer(item.reason, *self._matter(history))
                    yield item
            return
        before, said = _state(history)
        now, text, action = self._step(before, said)
        asked = self._question(now)
        expects: Literal["yes_no", "anything"] = "yes_no" if asked and asked.kind == "yes_no" else "anything"
        kind = {"kind": "script", "question": asked.id if asked else "end"}
        yield Basis(1.0, memory=now, expects=expects, decision=kind, must_be_heard=asked is None)
        yield text
        if action:
            yield action

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The matter that the call is about, for a seat."""
        if call.handed_back and self.afterwards:
            newer = self.afterwards.summarize(call, _since_script(history))
            if newer.request:
                return newer
        return self._matter(history)[0]

    def _matter(self, history: Sequence[Message]) -> tuple[Summary, str]:
        return self._summary(self.progress(history)), self.skill

    def _summary(self, state: Progress) -> Summary:
        if state.verdict == "confirmed":
            return self.summary
        return replace(self.summary, open_points=(*self.summary.open_points, NOT_CONFIRMED))

    def progress(self, history: Sequence[Message]) -> Progress:
        """How far it came, with an answer after which nothing more was heard."""
        state, said = _state(history)
        return self._step(state, said)[0] if said else state

    def _question(self, state: Progress) -> Question | None:
        """What was asked last; None when all has been."""
        if state.verdict in ("wrong_person", "not_confirmed", "refused") or state.wants_person:
            return None
        if state.at < 0:
            return self.script.confirm
        return self.script.questions[state.at] if state.at < len(self.script.questions) else None

    def _step(self, state: Progress, said: str) -> tuple[Progress, str, Action | None]:
        """What the answer `said` leads to: the state, what is said next, what is done then."""
        question = self._question(state)
        intent = control_intent(said)
        if intent is Intent.HUMAN or intent in EMERGENCIES:
            now, summary = replace(state, wants_person=True), self._summary(state)
            reason: Literal["emergency", "caller_asked"] = "emergency" if intent in EMERGENCIES else ASKED
            return now, phrases.TO_HUMAN, Transfer(reason, summary, self.skill)
        if question is None:
            return state, self.script.not_now, EndCall()
        value = answer_to(question, said)
        if value is None or question.kind == "text":
            left = self._left(state, said)
            if left is not None:
                return left
        if value is None and intent in (Intent.REPEAT, Intent.HELLO, Intent.WHO, Intent.ASK, Intent.SLOWER):
            return state, (self.script.opening if state.at < 0 else "") + question.ask, None
        if value is None and state.tries < TRIES:
            return replace(state, tries=state.tries + 1), self.script.again + question.ask, None
        if question is self.script.confirm:
            return self._confirmed(state, value)
        answer = (question.id, {"value": value, "said": said})
        return self._next(replace(state, answers=(*state.answers, answer)))

    def _left(self, state: Progress, said: str) -> tuple[Progress, str, Action | None] | None:
        """What is said to somebody who has no time, or takes leave; None for anybody else."""
        words = clean(said)
        now = replace(state, at=len(self.script.questions))
        if is_farewell(said) or any(word in words for word in self.script.refuses):
            return replace(now, verdict=state.verdict or "refused"), self.script.not_now, EndCall()
        if any(word in words for word in self.script.busy):
            return now, self.script.not_now, EndCall()
        return None

    def _confirmed(self, state: Progress, value: object) -> tuple[Progress, str, Action | None]:
        if value is None:
            return replace(state, verdict="not_confirmed"), self.script.not_confirmed, EndCall()
        if value is False:
            return replace(state, verdict="wrong_person"), self.script.wrong_person, EndCall()
        return self._next(replace(state, verdict="confirmed"))

    def _next(self, state: Progress) -> tuple[Progress, str, Action | None]:
        now = replace(state, at=state.at + 1, tries=1)
        question = self._question(now)
        if question is not None:
            return now, question.ask, None
        seat = self.script.then == "seat"
        return now, self.script.thanks, Transfer(ASKED, self.summary, self.skill) if seat else EndCall()


def answer_to(question: Question, said: str) -> bool | int | str | None:
    """What `said` answers: yes or no, 1 to 3, or the words themselves; None where it is no answer."""
    words = clean(said)
    if question.kind == "text":
        return said or None
    if question.kind == "rating":
        return rating_of(words)
    plain = polarity(said)
    if plain is not None:
        return plain
    if any(no in words for no in question.means_no):
        return False
    return True if any(yes in words for yes in question.means_yes) else None


def _since_script(history: Sequence[Message]) -> Sequence[Message]:
    """What was said after the script, and the agent's last words before it."""
    last = max((at for at, message in enumerate(history) if isinstance(message.memory, Progress)), default=0)
    return history[last:]


def _state(history: Sequence[Message]) -> tuple[Progress, str]:
    """How far it was when the agent spoke last, and what was said since."""
    state, said = Progress(), ""
    for message in history:
        if message.who == "caller":
            said += message.text
        else:
            said = ""
            if isinstance(message.memory, Progress):
                state = message.memory
    return state, said
