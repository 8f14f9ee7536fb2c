"""Complaints and requests: taken down slot by slot, perhaps joined to an open one, filed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dialog import EndCall, FileTicket, TicketLookup, Transfer, phrases
from dialog.handing_over import no_answer, summary_of
from dialog.intake import MAX_TRIES, Clerk, Intake
from dialog.intents import Intent, is_farewell, polarity
from dialog.policy import UNCLEAR_ASR
from dialog.talk import Answer, Turn, understood
from dialog.words import spoken_digits

# 姓名就算了 and 电话就不登记了 are answers, 那算了 ends it.
_CANCEL = re.compile(
    "(?<!就)(?:不投诉了|不登记了|不反映了|不举报了|不报了)|^(?:那|嗯|唉|哎|还是)*(?:就)?算了吧?$|取消登记"
)
_ANEW = re.compile("(?:我要|我想|我就要)(?:投诉|举报|反映|报修)")


def files_anew(text: str) -> bool:
    """Whether the caller plainly wants something taken down: 我要投诉，上次反映的事没人回复我."""
    return bool(_ANEW.search(text))


@dataclass(frozen=True, slots=True)
class Complaints:
    """Leads the caller through an intake; `clerk` knows what to ask, `tickets` what is open already."""

    clerk: Clerk
    tickets: TicketLookup

    def start(self, turn: Turn, text: str) -> Answer:
        """Begin a work order with what was said first."""
        intake = self.clerk.start(text, turn.call.caller)
        question = self.clerk.question(intake, turn.call.caller)
        question = question if intake.asking == "matter" else phrases.INTAKE_NOTED + question
        return Answer("intake", question, understood(turn.talk, intake=intake), turn.heard)

    def offer(self, turn: Turn) -> Answer:
        """Ask whether what was said, which the knowledge base has no answer to, shall become a work order."""
        talk = understood(turn.talk, awaiting="offer", offered=turn.text)
        return Answer("intake", phrases.NOTHING_KNOWN + phrases.OFFER_TICKET, talk, turn.heard)

    def offered(self, turn: Turn) -> Answer | None:
        """The answer to 需要我帮您登记一个工单吗; None where none was offered, or they say something else."""
        if turn.talk.awaiting != "offer":
            return None
        answer = polarity(turn.text)
        if answer:
            return self.start(turn, turn.talk.offered)
        if answer is False and not turn.talk.answered:  # a question after all, which nobody has answered
            return no_answer(turn, self.clerk, phrases.NO_ANSWER_TRANSFER, turn.heard, turn.talk.offered)
        if answer is False:
            talk = understood(turn.talk, awaiting="more")
            return Answer("courtesy", phrases.ANYTHING_ELSE, talk, turn.heard)
        return None

    def steered(self, turn: Turn, intake: Intake, intent: Intent | None) -> Answer | None:
        """What the words say of the intake itself: end it, wait, is anybody there; None for anything else."""
        if is_farewell(turn.text):
            return Answer("close", phrases.GOODBYE, understood(turn.talk), turn.heard, action=EndCall())
        if _CANCEL.search(turn.text):
            text = phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE
            talk = understood(turn.talk, intake=None, awaiting="more")
            return Answer("intake", text, talk, turn.heard, why="cancelled")
        if intent is Intent.ASK:
            return Answer("courtesy", phrases.GO_AHEAD, understood(turn.talk), turn.heard)
        if intent is Intent.WHO:
            question = self.clerk.question(intake, turn.call.caller)
            said = phrases.WHO_I_AM.removesuffix("请问有什么可以帮您？") + question
            return Answer("courtesy", said, understood(turn.talk), turn.heard)
        if intent is Intent.HELLO:
            question = self.clerk.question(intake, turn.call.caller)
            return Answer("intake", question, understood(turn.talk), turn.heard)
        return None

    async def go_on(self, turn: Turn, intake: Intake, intent: Intent | None) -> Answer:
        """Take the caller's words into the intake and ask what is still missing."""
        talk, caller = turn.talk, turn.call.caller
        unclear = turn.asr < UNCLEAR_ASR and intent is None and intake.tries == 0
        intake = replace(intake, tries=1) if unclear else self.clerk.answer(intake, turn.text, caller)
        if intake.tries >= MAX_TRIES:
            text, why = phrases.NOT_UNDERSTOOD_TRANSFER, "not_understood"
            action = Transfer("low_confidence", summary_of(turn, self.clerk))
            return Answer("transfer", text, understood(talk), 0.3, action=action, why=why)
        intake = await self.perhaps_joining(intake)
        text = self.clerk.question(intake, caller)
        now = understood(talk, intake=intake)
        if intake.asking == "filing":
            return Answer("intake", text, now, turn.heard, action=FileTicket(self.clerk.draft(intake)))
        return Answer("intake", text, now, turn.heard, why=intake.asking)

    async def perhaps_joining(self, intake: Intake) -> Intake:
        """What is whole, with the open work order about the same offered to join, where there is one."""
        if intake.asking != "confirm" or intake.join_checked:
            return intake
        like = await self.tickets.open_like(self.clerk.draft(intake))
        return self.clerk.offer_join(intake, like.number) if like else replace(intake, join_checked=True)

    def filed(self, turn: Turn) -> Answer:
        """What came of filing: the number, or a person where it failed."""
        number, intake = turn.history[-1].text, turn.talk.intake
        if not number:
            action = Transfer("failure", summary_of(turn, self.clerk))
            why = "not_filed"
            return Answer("transfer", phrases.INTAKE_FAILED, understood(turn.talk), action=action, why=why)
        text = f"{phrases.FILED}工单编号是{spoken_digits(number)}。"
        if intake:
            text += f"我们会转给{self.clerk.draft(intake).department}处理，"
            text += "工作人员会尽快跟您联系，" if intake.contact else ""
            text += phrases.FILED_PROGRESS
        talk = understood(turn.talk, intake=None, awaiting="more", filed=(*turn.talk.filed, number))
        return Answer("intake", text + phrases.ANYTHING_ELSE, talk, must_be_heard=True, why="filed")
