"""The embedded dialog: needs no language model, serves from the knowledge base and the city's own lists.

Every caller turn is decided in one fixed order (`EmbeddedDialog._decide`): emergencies and orders that always
work, then whatever was being asked for, then what the words are about.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from dialog import (
    Action,
    Basis,
    CallContext,
    EndCall,
    FileTicket,
    Message,
    Summary,
    TicketLookup,
    Transfer,
    phrases,
)
from dialog.confidence import confidence
from dialog.expecting import expected
from dialog.intake import MAX_TRIES, Clerk, Intake
from dialog.intents import (
    EMERGENCIES,
    Intent,
    control_intent,
    is_farewell,
    is_question,
    is_thanks,
    polarity,
)
from dialog.knowledge import Hit, Knowledge
from dialog.passages import Passage
from dialog.places import load_gazetteer, load_taxonomy
from dialog.progress import progress
from dialog.summary import build_summary, last_request
from dialog.talk import Answer, Turn, turn_of, understood
from dialog.words import spoken_digits, strip_fillers

TRANSFER_BELOW = 0.45  # confidence under which a question goes to a person
ANSWER_FROM = 0.75  # confidence from which on an answer is given without asking whether that was meant
MAX_MISSES = 2  # failures to understand in a row before a person takes over
UNCLEAR_ASR = 0.55  # below this ASR confidence the words count as mumbled
SLOW_RATE = 0.8
CLOSE = 0.3  # a runner-up with this part of the best score is offered beside it to choose from
SHORT_CHARS = 6  # an answer to a choice no longer than this names the choice, not a new matter
ASIDE_SCORE = 0.8  # a question this well matched is answered even in the middle of taking down a complaint

# What a caller in danger is told, and what the seat is told of it.
_ADVICE = {
    Intent.FIRE: (phrases.FIRE, "疑似火情"),
    Intent.MEDICAL: (phrases.MEDICAL, "需要急救"),
    Intent.POLICE: (phrases.POLICE, "需要报警"),
    Intent.GAS_LEAK: (phrases.GAS_LEAK, "疑似燃气泄漏"),
    Intent.SUICIDE: (phrases.SUICIDE, "疑似轻生"),
}
_CANCEL = re.compile("不投诉了|不登记了|不反映了|不举报了|算了吧?$|取消登记|不报了")
_HAS_MORE = re.compile("有|要")
_WRONG = re.compile("不对|不是|错")
_GOES_ON = re.compile("那|还|它|这个|这要|要多久|要带|多少钱|在哪|怎么收费")
# Asks what holds in general, though the words are those of a trouble.
_ASKS_RULE = re.compile("规定|合法|违法|怎么申请|标准|多少|多久")
_YES_AND = re.compile("(?:对|是|嗯|没错|就是)")  # a yes, and then the question again
_NO_BUT = re.compile("(?:都不是|不是|不对)的?(?:我)?(?:是)?(?:想|要)?(?:问|说)?(?:的是)?")
_FIRST = re.compile("第一|前一个|前面|头一个|前者")
_SECOND = re.compile("第二|后一个|后面|后者")


@dataclass(frozen=True, slots=True)
class EmbeddedDialog:
    """A Dialog without a language model; shared by all calls.

    `city` and `hotline_name` are spoken in the greeting (临江市, 一二三四五热线). A question is answered from
    the confidence `answer_from` on; below, the caller is asked whether that was meant; below `transfer_below`
    the question goes to a person.
    """

    knowledge: Knowledge
    tickets: TicketLookup
    city: str = "临江市"
    hotline_name: str = "一二三四五热线"
    transfer_below: float = TRANSFER_BELOW
    answer_from: float = ANSWER_FROM
    clerk: Clerk = field(default_factory=lambda: Clerk(load_gazetteer(), load_taxonomy()))

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return phrases.greeting(self.city, self.hotline_name)

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """Answer the last message of `history`; raises nothing of its own."""
        answer = await self._decide(turn_of(call, history))
        # A question asked for the first time is worth repeating; 好的，我说慢一点 is not.
        talk = answer.talk if answer.talk.said else replace(answer.talk, said=answer.text)
        expects, digits = expected(answer, call.caller)
        yield Basis(answer.confidence, answer.sources, talk, talk.rate, expects, digits, answer.must_be_heard)
        if answer.text:
            yield answer.text
        if answer.action:
            yield answer.action

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        return self._summary(turn_of(call, history))

    def is_order(self, history: Sequence[Message]) -> bool:
        """Whether the last message is one that is obeyed without a model: an emergency, 转人工, 再说一遍 …"""
        if not history or history[-1].who != "caller":
            return False
        orders = EMERGENCIES | {Intent.HUMAN, Intent.REPEAT, Intent.SLOWER}
        return control_intent(history[-1].said) in orders

    # -- the order of decisions ------------------------------------------------------------------------------

    async def _decide(self, turn: Turn) -> Answer:
        if turn.history and turn.history[-1].who == "result":
            return self._filed(turn)
        intent = control_intent(turn.text)
        if always := self._always(turn, intent):
            return always
        if turn.talk.intake:
            return self._intake(turn, turn.talk.intake, intent)
        if turn.talk.awaiting == "ticket_number" or intent is Intent.PROGRESS:
            told = await progress(self.tickets, turn, intent)
            return told or self._transfer(
                turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.3, "查询工单进度"
            )
        if chosen := self._chosen(turn):
            return chosen
        if intent is Intent.COMPLAINT:
            return self._start_intake(turn, turn.text)
        if courtesy := self._courtesy(turn, intent):
            return courtesy
        return self._question(turn)

    def _always(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """Emergencies and orders about the call itself."""
        talk = turn.talk
        if intent in _ADVICE:
            advice, danger = _ADVICE[intent]
            summary = replace(
                self._summary(turn),
                request=f"{danger}：{self.clerk.write(turn.text)}",
                category="紧急求助",
                mood="着急",
            )
            action = Transfer("emergency", summary)
            return Answer(advice, understood(talk), turn.heard, action=action, must_be_heard=True)
        if intent is Intent.HUMAN:
            return self._transfer(turn, phrases.TO_HUMAN, "caller_asked", turn.heard)
        if intent is Intent.REPEAT:
            return Answer(talk.said or turn.last_said or self.greeting(turn.call), talk, turn.heard)
        if intent is Intent.SLOWER:
            slower = replace(talk, rate=SLOW_RATE)
            return Answer(phrases.SLOWER + (talk.said or turn.last_said), slower, turn.heard)
        return None

    def _courtesy(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """Yes, no, thanks, hello: words whose meaning hangs on what was asked."""
        talk = turn.talk
        closing = talk.awaiting == "closing"
        more = closing or talk.awaiting == "more"
        match intent:
            case Intent.GOODBYE if talk.awaiting == "more" and is_thanks(turn.text):
                return Answer(phrases.WELCOME, understood(talk, awaiting="closing"), turn.heard)
            case Intent.GOODBYE if more or is_farewell(turn.text):
                return Answer(phrases.GOODBYE, understood(talk), turn.heard, action=EndCall())
            case Intent.NO if _WRONG.search(turn.text):
                return self._missed(turn)
            case Intent.NO if more:
                return Answer(phrases.GOODBYE, understood(talk), turn.heard, action=EndCall())
            case Intent.ASK:
                return Answer(phrases.GO_AHEAD, understood(talk), turn.heard)
            case Intent.YES if more and _HAS_MORE.search(turn.text):
                return Answer(phrases.GO_AHEAD, understood(talk), turn.heard)
            case Intent.YES if closing:
                return Answer(phrases.GOODBYE, understood(talk), turn.heard, action=EndCall())
            case Intent.YES if more:
                # 嗯 or 好的 after an answer says that it was heard, not that there is more to ask.
                return Answer(phrases.ACKNOWLEDGED, understood(talk, awaiting="closing"), turn.heard)
            case Intent.YES if not turn.talk.answered and not turn.talk.filed:
                return Answer(phrases.GO_AHEAD, understood(talk), turn.heard)
            case Intent.GOODBYE | Intent.YES | Intent.NO:
                return Answer(phrases.ANYTHING_ELSE, understood(talk, awaiting="more"), turn.heard)
            case Intent.HELLO if talk.awaiting:
                return Answer(phrases.GO_AHEAD, talk, turn.heard)
            case Intent.HELLO:
                return Answer(phrases.HELLO_AGAIN, understood(talk), turn.heard)
            case _:
                return None

    # -- questions -------------------------------------------------------------------------------------------

    def _question(self, turn: Turn) -> Answer:
        """Answer when sure, ask what was meant when nearly sure, else hand over; never ask twice in a row."""
        sure, best, runner_up = _rated(turn, self._search(turn))
        if best and sure >= self.answer_from:
            return self._answered(turn, best.passage, sure)
        asked = turn.talk.awaiting in ("confirm", "choice")
        if asked and best and best.passage.id in turn.talk.choice and _YES_AND.match(turn.text):
            return self._answered(turn, best.passage, turn.heard)
        if best and not asked:
            either = confidence(turn.asr, best.either, 1.0, turn.talk.misses)
            if runner_up and either >= self.transfer_below and runner_up.score >= CLOSE * best.score:
                return self._offer_choice(turn, best.passage, runner_up.passage, either)
            if sure >= self.transfer_below:
                return self._confirm(turn, best.passage, sure)
        if self.clerk.taxonomy.is_problem(turn.text) and not _ASKS_RULE.search(turn.text):
            return self._start_intake(turn, turn.text)
        if len(strip_fillers(turn.text)) <= 2 or turn.asr < UNCLEAR_ASR:
            return self._missed(turn)
        text = phrases.NO_ANSWER_TRANSFER if is_question(turn.text) else phrases.STATEMENT_TRANSFER
        return self._transfer(turn, text, "low_confidence", sure, turn.text)

    def _search(self, turn: Turn) -> list[Hit]:
        """Passages for the caller's words; where these go on from the question before, with that question."""
        talk, said = turn.talk, strip_fillers(turn.text)
        if talk.awaiting in ("confirm", "choice"):
            said = _NO_BUT.sub("", said, count=1) if _NO_BUT.match(said) else said
        hits = self.knowledge.search(said)
        if talk.awaiting == "choice" and len(said) <= SHORT_CHARS:
            before = [m.said for m in turn.history[:-1] if m.who == "caller"]
            return self.knowledge.search("".join(before[-1:]) + said)
        known = hits and hits[0].score >= self.answer_from
        goes_on = talk.awaiting in ("more", "closing") and talk.answered and _GOES_ON.match(said)
        if goes_on and not known:
            return self.knowledge.search(talk.answered[-1] + said)
        return hits

    def _answered(self, turn: Turn, passage: Passage, sure: float, asked: str = "") -> Answer:
        """The passage's answer; `asked` is what it answers where that is not the caller's last words."""
        talk = understood(turn.talk, awaiting="more", answered=(*turn.talk.answered, passage.question))
        ask = phrases.ANYTHING_ELSE
        if self.clerk.taxonomy.is_problem(asked or turn.text):
            talk = replace(talk, awaiting="offer", offered=asked or turn.text)
            ask = phrases.OFFER_TICKET
        return Answer(passage.answer + ask, talk, sure, (passage.ref,))

    def _confirm(self, turn: Turn, passage: Passage, sure: float) -> Answer:
        talk = understood(turn.talk, awaiting="confirm", choice=(passage.id,), misses=turn.talk.misses)
        return Answer(f"{phrases.DID_YOU_MEAN}{_spoken(passage)}，对吗？", talk, sure, (passage.ref,))

    def _offer_choice(self, turn: Turn, first: Passage, second: Passage, sure: float) -> Answer:
        one, two = _spoken(first), _spoken(second)
        talk = understood(turn.talk, awaiting="choice", choice=(first.id, second.id))
        return Answer(f"{phrases.DID_YOU_MEAN}{one}，还是{two}？", talk, sure, (first.ref, second.ref))

    def _chosen(self, turn: Turn) -> Answer | None:
        """What a caller chose or accepted; None where nothing was offered or they say something else."""
        talk, answer = turn.talk, polarity(turn.text)
        if talk.awaiting == "offer":
            if answer:
                return self._start_intake(turn, talk.offered)
            if answer is False:
                return Answer(phrases.ANYTHING_ELSE, understood(talk, awaiting="more"), turn.heard)
        if talk.awaiting in ("choice", "confirm"):
            asked = last_request(turn.history)
            offered = [p for p in self.knowledge.passages if p.id in talk.choice]
            offered.sort(key=lambda p: talk.choice.index(p.id))
            if answer is False or "都不" in turn.text:
                return self._transfer(turn, phrases.NO_ANSWER_TRANSFER, "low_confidence", 0.3, asked)
            if _SECOND.search(turn.text):
                return self._answered(turn, offered[-1], turn.heard, asked)
            if answer or _FIRST.search(turn.text):
                return self._answered(turn, offered[0], turn.heard, asked)
        return None

    def _missed(self, turn: Turn) -> Answer:
        misses = turn.talk.misses + 1
        if misses >= MAX_MISSES:
            return self._transfer(
                turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.0, last_request(turn.history)
            )
        talk = replace(turn.talk, misses=misses, awaiting="")
        return Answer(phrases.REPHRASE, talk, 0.0)

    # -- complaints ------------------------------------------------------------------------------------------

    def _start_intake(self, turn: Turn, text: str) -> Answer:
        intake = self.clerk.start(text)
        question = self.clerk.question(intake, turn.call.caller)
        question = question if intake.asking == "matter" else phrases.INTAKE_NOTED + question
        return Answer(question, understood(turn.talk, intake=intake), turn.heard)

    def _intake(self, turn: Turn, intake: Intake, intent: Intent | None) -> Answer:
        talk, caller = turn.talk, turn.call.caller
        if is_farewell(turn.text):
            return Answer(phrases.GOODBYE, understood(talk), turn.heard, action=EndCall())
        if _CANCEL.search(turn.text):
            text = phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE
            return Answer(text, understood(talk, intake=None, awaiting="more"), turn.heard)
        if intent is Intent.ASK:
            return Answer(phrases.GO_AHEAD, understood(talk), turn.heard)
        if intent is Intent.HELLO:
            return Answer(self.clerk.question(intake, caller), understood(talk), turn.heard)
        if aside := self._aside(turn, intake):
            return aside
        unclear = turn.asr < UNCLEAR_ASR and intent is None and intake.tries == 0
        intake = replace(intake, tries=1) if unclear else self.clerk.answer(intake, turn.text, caller)
        if intake.tries >= MAX_TRIES:
            return self._transfer(turn, phrases.NOT_UNDERSTOOD_TRANSFER, "low_confidence", 0.3)
        text = self.clerk.question(intake, caller)
        if intake.asking == "filing":
            action = FileTicket(self.clerk.draft(intake))
            return Answer(text, understood(talk, intake=intake), turn.heard, action=action)
        return Answer(text, understood(talk, intake=intake), turn.heard)

    def _aside(self, turn: Turn, intake: Intake) -> Answer | None:
        """A clear question of the caller's in the middle of an intake: answer it, then go on asking."""
        if intake.asking == "matter" or not is_question(turn.text):
            return None
        sure, best, _ = _rated(turn, self.knowledge.search(turn.text))
        if not best or sure < ASIDE_SCORE:
            return None
        talk = understood(turn.talk, answered=(*turn.talk.answered, best.passage.question))
        text = best.passage.answer + self.clerk.question(intake, turn.call.caller)
        return Answer(text, talk, sure, (best.passage.ref,))

    def _filed(self, turn: Turn) -> Answer:
        number, intake = turn.history[-1].text, turn.talk.intake
        if not number:
            return self._transfer(turn, phrases.INTAKE_FAILED, "failure", 1.0)
        text = f"{phrases.FILED}工单编号是{spoken_digits(number)}。"
        if intake:
            text += f"我们会转给{self.clerk.draft(intake).department}处理，"
            text += "工作人员会尽快跟您联系，" if intake.contact else ""
            text += phrases.FILED_PROGRESS
        talk = understood(turn.talk, intake=None, awaiting="more", filed=(*turn.talk.filed, number))
        return Answer(text + phrases.ANYTHING_ELSE, talk, must_be_heard=True)

    # -- handing over ----------------------------------------------------------------------------------------

    def _transfer(
        self,
        turn: Turn,
        text: str,
        reason: Literal["low_confidence", "caller_asked", "emergency", "failure"],
        sure: float,
        unanswered: str = "",
    ) -> Answer:
        action = Transfer(reason, self._summary(turn, unanswered))
        return Answer(text, understood(turn.talk), sure, action=action)

    def _summary(self, turn: Turn, unanswered: str = "") -> Summary:
        talk = turn.talk
        return build_summary(
            turn.call,
            turn.history,
            self.clerk.taxonomy,
            intake=talk.intake,
            answered=talk.answered,
            unanswered=unanswered,
            filed=talk.filed,
            write=self.clerk.write,
        )


def _spoken(passage: Passage) -> str:
    """The passage's question as a part of a longer one."""
    return passage.question.split("（")[0].rstrip("？?")


def _rated(turn: Turn, hits: Sequence[Hit]) -> tuple[float, Hit | None, Hit | None]:
    """How sure the best hit is, it, and the runner-up."""
    if not hits:
        return 0.0, None, None
    runner_up = hits[1] if len(hits) > 1 else None
    margin = hits[0].score - (runner_up.score if runner_up else 0.0)
    return confidence(turn.asr, hits[0].score, margin, turn.talk.misses), hits[0], runner_up
