"""The embedded dialog: needs no language model, serves from the knowledge base and the city's own lists.

Every caller turn is decided in one fixed order (`EmbeddedDialog._decide`): emergencies and orders that always
work, then whatever was being asked for, then what the words are about. When a question is answered, asked
back or handed over is in `dialog/policy.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

from dialog import Action, Basis, CallContext, Message, Summary, TicketLookup, Transfer, phrases
from dialog.complaints import Complaints, files_anew
from dialog.courtesies import Courtesies
from dialog.expecting import expected
from dialog.guidance import Guidance
from dialog.handing_over import no_answer, summary_of
from dialog.intake import Clerk
from dialog.intents import EMERGENCIES, Intent, control_intent
from dialog.knowledge import Knowledge
from dialog.leading import Leading, left
from dialog.places import load_gazetteer, load_taxonomy
from dialog.policy import Policy
from dialog.progress import progress
from dialog.questions import Questions
from dialog.services import Service
from dialog.talk import Answer, Turn, turn_of, understood

SLOW_RATE = 0.8

# What a caller in danger is told, and what the seat is told of it.
_ADVICE = {
    Intent.FIRE: (phrases.FIRE, "疑似火情"),
    Intent.MEDICAL: (phrases.MEDICAL, "需要急救"),
    Intent.POLICE: (phrases.POLICE, "需要报警"),
    Intent.GAS_LEAK: (phrases.GAS_LEAK, "疑似燃气泄漏"),
    Intent.SUICIDE: (phrases.SUICIDE, "疑似轻生"),
}


@dataclass(frozen=True, slots=True)
class EmbeddedDialog:
    """A Dialog without a language model; shared by all calls.

    `city` and `hotline_name` are spoken in the greeting (临江市, 一二三四五热线). `policy` holds from which
    confidence on a question is answered, asked back, or given to a person.
    """

    knowledge: Knowledge
    tickets: TicketLookup
    city: str = "临江市"
    hotline_name: str = "一二三四五热线"
    policy: Policy = field(default_factory=Policy)
    guidance: Guidance = field(default_factory=lambda: Guidance(()))
    clerk: Clerk = field(default_factory=lambda: Clerk(load_gazetteer(), load_taxonomy()))
    ask_satisfaction: bool = True

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return phrases.greeting(self.city, self.hotline_name)

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """Answer the last message of `history`; raises nothing of its own."""
        answer = await self._decide(turn_of(call, history))
        yield _basis(answer, call)
        if answer.text:
            yield answer.text
        if answer.action:
            yield answer.action

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        return summary_of(turn_of(call, history), self.clerk)

    def is_order(self, history: Sequence[Message]) -> bool:
        """Whether the last message is one that is obeyed without a model: an emergency, 转人工, 再说一遍 …"""
        if not history or history[-1].who != "caller":
            return False
        orders = EMERGENCIES | {Intent.HUMAN, Intent.REPEAT, Intent.SLOWER}
        return control_intent(history[-1].said) in orders

    def is_for_guidance(self, call: CallContext, history: Sequence[Message]) -> bool:
        """Whether the last message surely wants a service done that callers are led through."""
        turn = turn_of(call, history)
        return control_intent(turn.text) is None and self._leading.wanted(turn)

    def lead(self, call: CallContext, history: Sequence[Message], service: Service) -> tuple[Basis, str]:
        """Begin to lead the caller through `service`: what is said next, as a reply."""
        answer = self._leading.lead(turn_of(call, history), service)
        return _basis(answer, call), answer.text

    @property
    def _leading(self) -> Leading:
        complaints = Complaints(self.clerk, self.tickets)
        return Leading(self.guidance, Questions(self.knowledge, self.policy, complaints, self.guidance))

    async def _decide(self, turn: Turn) -> Answer:
        leading = self._leading
        questions = leading.questions
        complaints = questions.complaints
        courtesies = Courtesies(self.policy, complaints, self.ask_satisfaction)
        if turn.history and turn.history[-1].who == "result":
            return complaints.filed(turn)
        intent = control_intent(turn.text)
        if ordered := self._ordered(turn, intent):
            return ordered
        if intake := turn.talk.intake:
            if steered := complaints.steered(turn, intake, intent):
                return steered
            then = self.clerk.question(intake, turn.call.caller)
            aside = await questions.aside(turn, then) if intake.asking != "matter" else None
            return aside or await complaints.go_on(turn, intake, intent)
        if guided := await leading.go_on(turn, intent):
            return guided
        turn = left(turn)
        if turn.talk.awaiting in ("ticket_number", "ticket_name") and files_anew(turn.text):
            return complaints.start(turn, turn.text)
        if turn.talk.awaiting in ("ticket_number", "ticket_name") or intent is Intent.PROGRESS:
            told = await progress(self.tickets, turn, intent)
            return told or no_answer(turn, self.clerk, phrases.NOT_UNDERSTOOD_TRANSFER, 0.3, "查询工单进度")
        if chosen := complaints.offered(turn) or courtesies.answered_way(turn) or questions.chosen(turn):
            return chosen
        if rated := courtesies.rated(turn, intent):
            return rated
        if intent is Intent.COMPLAINT:
            return complaints.start(turn, turn.text)
        if small := courtesies.reply(turn, intent) or courtesies.not_helped(turn):
            return small
        return await leading.begin(turn)

    def _ordered(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """Emergencies, and orders about the call itself: they work whatever is going on."""
        talk = turn.talk
        if intent in _ADVICE:
            advice, danger = _ADVICE[intent]
            summary = replace(
                summary_of(turn, self.clerk),
                request=f"{danger}：{self.clerk.write(turn.text)}",
                category="紧急求助",
                mood="着急",
            )
            action = Transfer("emergency", summary)
            heard = turn.heard
            return Answer(
                "emergency",
                advice,
                understood(talk),
                heard,
                action=action,
                must_be_heard=True,
                why=intent.value,
            )
        if intent is Intent.HUMAN:
            action = Transfer("caller_asked", summary_of(turn, self.clerk))
            return Answer(
                "transfer", phrases.TO_HUMAN, understood(talk), turn.heard, action=action, why="asked"
            )
        if intent is Intent.REPEAT:
            said = talk.said or turn.last_said or self.greeting(turn.call)
            return Answer("order", said, talk, turn.heard, why="repeat")
        if intent is Intent.SLOWER:
            slower = replace(talk, rate=SLOW_RATE)
            said = phrases.SLOWER + (talk.said or turn.last_said)
            return Answer("order", said, slower, turn.heard, why="slower")
        return None


def _basis(answer: Answer, call: CallContext) -> Basis:
    # A question asked for the first time is worth repeating; 好的，我说慢一点 is not.
    talk = answer.talk if answer.talk.said else replace(answer.talk, said=answer.text)
    expects, digits = (answer.expects, 0) if answer.expects else expected(answer, call.caller)
    decision: dict[str, str | float] = {"kind": answer.kind, **answer.figures}
    if answer.why:
        decision["why"] = answer.why
    return Basis(
        answer.confidence,
        answer.sources,
        talk,
        talk.rate,
        expects,
        digits,
        answer.must_be_heard,
        decision,
        answer.satisfaction,
        answer.closing,
    )
