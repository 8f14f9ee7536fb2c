"""The embedded dialog: needs no language model, serves from the knowledge base and the city's own lists.

Every caller turn is decided in one fixed order (`EmbeddedDialog._decide`): emergencies and orders that always
work, then whatever was being asked for, then what the words are about.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from dialog import (
    Action,
    Basis,
    CallContext,
    EndCall,
    FileTicket,
    Memory,
    Message,
    Summary,
    TicketLookup,
    TicketState,
    Transfer,
    phrases,
)
from dialog.confidence import confidence
from dialog.intake import MAX_TRIES, Clerk, Intake
from dialog.intents import EMERGENCIES, Intent, control_intent, is_farewell, is_question, polarity
from dialog.knowledge import Hit, Knowledge, Passage
from dialog.places import load_gazetteer, load_taxonomy
from dialog.summary import build_summary
from dialog.words import digits_in, spoken_count, spoken_digits, strip_fillers

TRANSFER_BELOW = 0.45  # confidence under which an answer is not given
MAX_MISSES = 2  # failures to understand in a row before a person takes over
UNCLEAR_ASR = 0.55  # below this ASR confidence the words count as mumbled
SLOW_RATE = 0.8
CLOSE_MARGIN = 0.06  # two passages nearer than this are offered to the caller to choose from
SURE_SCORE = 0.92  # from this score on no choice is offered
ASIDE_SCORE = 0.8  # a question this well matched is answered even in the middle of taking down a complaint
MIN_TICKET_DIGITS = 4

_ADVICE = {
    Intent.FIRE: phrases.FIRE,
    Intent.MEDICAL: phrases.MEDICAL,
    Intent.POLICE: phrases.POLICE,
    Intent.GAS_LEAK: phrases.GAS_LEAK,
    Intent.SUICIDE: phrases.SUICIDE,
}
_CANCEL = re.compile("不投诉了|不登记了|不反映了|不举报了|算了吧?$|取消登记|不报了")
_WRONG = re.compile("不对|不是|错")
_FIRST = re.compile("第一|前一个|前面|头一个|前者")
_SECOND = re.compile("第二|后一个|后面|后者")


@dataclass(frozen=True, slots=True)
class Talk(Memory):
    """What the embedded dialog remembers of a call."""

    said: str = ""  # the last reply in full, to be said again
    rate: float = 1.0
    misses: int = 0  # failures to understand in a row
    awaiting: Literal["", "more", "ticket_number", "offer", "choice"] = ""
    intake: Intake | None = None
    offered: str = ""  # the matter for which a work order was offered
    choice: tuple[str, ...] = ()  # ids of the passages offered to choose from
    answered: tuple[str, ...] = ()  # questions answered in this call
    filed: tuple[str, ...] = ()  # numbers of work orders filed in this call


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, decided."""

    text: str
    talk: Talk
    confidence: float = 1.0
    sources: tuple[str, ...] = ()
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """What there is to decide on."""

    call: CallContext
    history: Sequence[Message]
    talk: Talk
    text: str
    asr: float

    @property
    def heard(self) -> float:
        """Confidence of a reply that rests on the words alone."""
        return confidence(self.asr, 1.0, 1.0, self.talk.misses)


@dataclass(frozen=True, slots=True)
class EmbeddedDialog:
    """A Dialog without a language model; shared by all calls.

    `city` and `hotline_name` are spoken in the greeting (临江市, 一二三四五热线); below the confidence
    `transfer_below` a question goes to a person.
    """

    knowledge: Knowledge
    tickets: TicketLookup
    city: str = "临江市"
    hotline_name: str = "一二三四五热线"
    transfer_below: float = TRANSFER_BELOW
    clerk: Clerk = field(default_factory=lambda: Clerk(load_gazetteer(), load_taxonomy()))

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return phrases.greeting(self.city, self.hotline_name)

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncIterator[str | Basis | Action]:
        """Answer the last message of `history`; raises nothing of its own."""
        answer = await self._decide(_turn(call, history))
        # A question asked for the first time is worth repeating; 好的，我说慢一点 is not.
        talk = answer.talk if answer.talk.said else replace(answer.talk, said=answer.text)
        yield Basis(answer.confidence, answer.sources, talk, talk.rate)
        if answer.text:
            yield answer.text
        if answer.action:
            yield answer.action

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        return self._summary(_turn(call, history))

    def is_order(self, history: Sequence[Message]) -> bool:
        """Whether the last message is one that is obeyed without a model: an emergency, 转人工, 再说一遍 …"""
        if not history or history[-1].who != "caller":
            return False
        orders = EMERGENCIES | {Intent.HUMAN, Intent.REPEAT, Intent.SLOWER}
        return control_intent(history[-1].text) in orders

    # -- the order of decisions ------------------------------------------------------------------------------

    async def _decide(self, turn: _Turn) -> Answer:
        if turn.history and turn.history[-1].who == "result":
            return self._filed(turn)
        intent = control_intent(turn.text)
        if always := self._always(turn, intent):
            return always
        if turn.talk.intake:
            return self._intake(turn, turn.talk.intake, intent)
        if turn.talk.awaiting == "ticket_number" or intent is Intent.PROGRESS:
            return await self._progress(turn, intent)
        if chosen := self._chosen(turn):
            return chosen
        if intent is Intent.COMPLAINT:
            return self._start_intake(turn, turn.text)
        if courtesy := self._courtesy(turn, intent):
            return courtesy
        return self._question(turn)

    def _always(self, turn: _Turn, intent: Intent | None) -> Answer | None:
        """Emergencies and orders about the call itself."""
        talk = turn.talk
        if intent in EMERGENCIES:
            return self._transfer(turn, _ADVICE[intent], "emergency", turn.heard)
        if intent is Intent.HUMAN:
            return self._transfer(turn, phrases.TO_HUMAN, "caller_asked", turn.heard)
        if intent is Intent.REPEAT:
            return Answer(talk.said or self.greeting(turn.call), talk, turn.heard)
        if intent is Intent.SLOWER:
            slower = replace(talk, rate=SLOW_RATE)
            return Answer(phrases.SLOWER + talk.said, slower, turn.heard)
        return None

    def _courtesy(self, turn: _Turn, intent: Intent | None) -> Answer | None:
        """Yes, no, thanks, hello: words whose meaning hangs on what was asked."""
        talk = turn.talk
        more = talk.awaiting == "more"
        match intent:
            case Intent.GOODBYE if more or is_farewell(turn.text):
                return Answer(phrases.GOODBYE, _said(talk), turn.heard, action=EndCall())
            case Intent.NO if _WRONG.search(turn.text):
                return self._missed(turn)
            case Intent.NO if more:
                return Answer(phrases.GOODBYE, _said(talk), turn.heard, action=EndCall())
            case Intent.YES if more:
                return Answer(phrases.GO_AHEAD, _said(talk), turn.heard)
            case Intent.GOODBYE | Intent.YES | Intent.NO:
                return Answer(phrases.ANYTHING_ELSE, _said(talk, awaiting="more"), turn.heard)
            case Intent.HELLO:
                return Answer(phrases.HELLO_AGAIN, _said(talk), turn.heard)
            case _:
                return None

    # -- questions -------------------------------------------------------------------------------------------

    def _question(self, turn: _Turn) -> Answer:
        hits = self.knowledge.search(turn.text)
        sure, best, runner_up = _rated(turn, hits)
        mumbled = len(strip_fillers(turn.text)) <= 2 or turn.asr < UNCLEAR_ASR
        if best and sure >= self.transfer_below and not (mumbled and sure < SURE_SCORE * 0.75):
            close = runner_up and best.score - runner_up.score < CLOSE_MARGIN and best.score < SURE_SCORE
            if close and runner_up:
                return self._offer_choice(turn, best.passage, runner_up.passage, sure)
            return self._answered(turn, best.passage, sure)
        if self.clerk.taxonomy.is_problem(turn.text):
            return self._start_intake(turn, turn.text)
        if mumbled:
            return self._missed(turn)
        return self._transfer(turn, phrases.NO_ANSWER_TRANSFER, "low_confidence", sure, turn.text)

    def _answered(self, turn: _Turn, passage: Passage, sure: float) -> Answer:
        talk = _said(turn.talk, awaiting="more", answered=(*turn.talk.answered, passage.question))
        ask = phrases.ANYTHING_ELSE
        if self.clerk.taxonomy.is_problem(turn.text):
            talk = replace(talk, awaiting="offer", offered=turn.text)
            ask = phrases.OFFER_TICKET
        return Answer(passage.answer + ask, talk, sure, (passage.ref,))

    def _offer_choice(self, turn: _Turn, first: Passage, second: Passage, sure: float) -> Answer:
        one, two = (passage.question.rstrip("？?") for passage in (first, second))
        talk = _said(turn.talk, awaiting="choice", choice=(first.id, second.id))
        return Answer(f"请问您是想问{one}，还是{two}？", talk, sure, (first.ref, second.ref))

    def _chosen(self, turn: _Turn) -> Answer | None:
        """What a caller chose or accepted; None where nothing was offered or they say something else."""
        talk, answer = turn.talk, polarity(turn.text)
        if talk.awaiting == "offer":
            if answer:
                return self._start_intake(turn, talk.offered)
            if answer is False:
                return Answer(phrases.ANYTHING_ELSE, _said(talk, awaiting="more"), turn.heard)
        if talk.awaiting == "choice":
            offered = [p for p in self.knowledge.passages if p.id in talk.choice]
            offered.sort(key=lambda p: talk.choice.index(p.id))
            if answer is False or "都不" in turn.text:
                return self._transfer(turn, phrases.NO_ANSWER_TRANSFER, "low_confidence", 0.3, _asked(turn))
            if _SECOND.search(turn.text):
                return self._answered(turn, offered[1], turn.heard)
            if answer or _FIRST.search(turn.text):
                return self._answered(turn, offered[0], turn.heard)
        return None

    def _missed(self, turn: _Turn) -> Answer:
        misses = turn.talk.misses + 1
        if misses >= MAX_MISSES:
            return self._transfer(turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.0, _asked(turn))
        talk = replace(turn.talk, said=turn.talk.said, misses=misses, awaiting="")
        return Answer(phrases.REPHRASE, talk, 0.0)

    # -- complaints ------------------------------------------------------------------------------------------

    def _start_intake(self, turn: _Turn, text: str) -> Answer:
        intake = self.clerk.start(text)
        return Answer(
            self.clerk.question(intake, turn.call.caller), _said(turn.talk, intake=intake), turn.heard
        )

    def _intake(self, turn: _Turn, intake: Intake, intent: Intent | None) -> Answer:
        talk, caller = turn.talk, turn.call.caller
        if is_farewell(turn.text):
            return Answer(phrases.GOODBYE, _said(talk), turn.heard, action=EndCall())
        if _CANCEL.search(turn.text):
            text = phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE
            return Answer(text, _said(talk, intake=None, awaiting="more"), turn.heard)
        if intent is Intent.HELLO:
            return Answer(self.clerk.question(intake, caller), _said(talk), turn.heard)
        if aside := self._aside(turn, intake):
            return aside
        unclear = turn.asr < UNCLEAR_ASR and intent is None and intake.tries == 0
        intake = replace(intake, tries=1) if unclear else self.clerk.answer(intake, turn.text, caller)
        if intake.tries >= MAX_TRIES:
            return self._transfer(turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.3)
        text = self.clerk.question(intake, caller)
        if intake.asking == "filing":
            action = FileTicket(self.clerk.draft(intake))
            return Answer(text, _said(talk, intake=intake), turn.heard, action=action)
        return Answer(text, _said(talk, intake=intake), turn.heard)

    def _aside(self, turn: _Turn, intake: Intake) -> Answer | None:
        """A clear question of the caller's in the middle of an intake: answer it, then go on asking."""
        if intake.asking == "matter" or not is_question(turn.text):
            return None
        sure, best, _ = _rated(turn, self.knowledge.search(turn.text))
        if not best or sure < ASIDE_SCORE:
            return None
        talk = _said(turn.talk, answered=(*turn.talk.answered, best.passage.question))
        text = best.passage.answer + self.clerk.question(intake, turn.call.caller)
        return Answer(text, talk, sure, (best.passage.ref,))

    def _filed(self, turn: _Turn) -> Answer:
        number, intake = turn.history[-1].text, turn.talk.intake
        if not number:
            return self._transfer(turn, phrases.INTAKE_FAILED, "failure", 1.0)
        text = f"已经登记好了，工单编号是{spoken_digits(number)}。"
        if intake:
            text += f"我们会转给{self.clerk.draft(intake).department}处理，"
            text += "工作人员会尽快跟您联系，" if intake.contact else ""
            text += "您也可以凭编号来电查询进度。"
        talk = _said(turn.talk, intake=None, awaiting="more", filed=(*turn.talk.filed, number))
        return Answer(text + phrases.ANYTHING_ELSE, talk)

    # -- work orders -----------------------------------------------------------------------------------------

    async def _progress(self, turn: _Turn, intent: Intent | None) -> Answer:
        talk = turn.talk
        awaited = talk.awaiting == "ticket_number"
        digits = digits_in(turn.text, by_sound=awaited)
        if len(digits) >= MIN_TICKET_DIGITS:
            state = await self.tickets.by_number(digits)
            if state:
                return self._told(turn, state, others=0)
            return self._ask_number(turn, phrases.TICKET_NOT_FOUND)
        if awaited and intent is not Intent.PROGRESS:
            if intent in (Intent.GOODBYE, Intent.NO):
                return Answer(phrases.ANYTHING_ELSE, _said(talk, awaiting="more"), turn.heard)
            return self._ask_number(turn, phrases.ASK_TICKET_NUMBER)
        states = await self.tickets.by_caller(turn.call.caller) if turn.call.caller else ()
        if states:
            return self._told(turn, states[0], others=len(states) - 1)
        ask = phrases.NO_TICKETS_OF_CALLER if turn.call.caller else phrases.ASK_TICKET_NUMBER
        return Answer(ask, _said(talk, awaiting="ticket_number"), turn.heard)

    def _ask_number(self, turn: _Turn, ask: str) -> Answer:
        misses = turn.talk.misses + 1
        if misses >= MAX_MISSES:
            return self._transfer(
                turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.3, "查询工单进度"
            )
        return Answer(ask, replace(_said(turn.talk, awaiting="ticket_number"), misses=misses), turn.heard)

    def _told(self, turn: _Turn, state: TicketState, *, others: int) -> Answer:
        filed = datetime.fromisoformat(state.filed_at.replace("Z", "+00:00"))
        day = f"{spoken_count(filed.month)}月{spoken_count(filed.day)}日"
        text = f"您{day}反映的{state.title}，现在的状态是{state.status}，由{state.department}办理。"
        if others:
            text += f"您名下还有另外{spoken_count(min(others, 99))}个工单，需要查询请说工单编号。"
        answered = (*turn.talk.answered, f"工单{state.number}的进度")
        talk = _said(turn.talk, awaiting="more", answered=answered)
        return Answer(text + phrases.ANYTHING_ELSE, talk, turn.heard)

    # -- handing over ----------------------------------------------------------------------------------------

    def _transfer(
        self,
        turn: _Turn,
        text: str,
        reason: Literal["low_confidence", "caller_asked", "emergency", "failure"],
        sure: float,
        unanswered: str = "",
    ) -> Answer:
        action = Transfer(reason, self._summary(turn, unanswered))
        return Answer(text, _said(turn.talk), sure, action=action)

    def _summary(self, turn: _Turn, unanswered: str = "") -> Summary:
        talk = turn.talk
        return build_summary(
            turn.call,
            turn.history,
            self.clerk.taxonomy,
            intake=talk.intake,
            answered=talk.answered,
            unanswered=unanswered,
            filed=talk.filed,
        )


def _turn(call: CallContext, history: Sequence[Message]) -> _Turn:
    memories = (m.memory for m in reversed(history))
    talk = next((memory for memory in memories if isinstance(memory, Talk)), Talk())
    last = history[-1] if history else Message("caller", "")
    return _Turn(call, history, talk, last.text, last.confidence)


def _said(talk: Talk, **changes: object) -> Talk:
    """`talk` after a reply that understood the caller; `said` is filled in by the reply itself."""
    fresh = replace(talk, said="", misses=0, awaiting="", offered="", choice=())
    return replace(fresh, **changes)  # type: ignore[arg-type]


def _rated(turn: _Turn, hits: Sequence[Hit]) -> tuple[float, Hit | None, Hit | None]:
    """How sure the best hit is, it, and the runner-up."""
    if not hits:
        return 0.0, None, None
    runner_up = hits[1] if len(hits) > 1 else None
    margin = hits[0].score - (runner_up.score if runner_up else 0.0)
    return confidence(turn.asr, hits[0].score, margin, turn.talk.misses), hits[0], runner_up


def _asked(turn: _Turn) -> str:
    """The caller's last words that were more than a yes or no."""
    for message in reversed(turn.history):
        if message.who == "caller" and control_intent(message.text) is None:
            return message.text
    return ""
