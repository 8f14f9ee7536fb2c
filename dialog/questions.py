"""Questions to the knowledge base: answered, asked about, offered to choose from, or handed to a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialog import phrases
from dialog.complaints import Complaints
from dialog.guidance import Guidance
from dialog.handing_over import is_upset, no_answer, not_understood
from dialog.intents import is_question, polarity
from dialog.knowledge import Hit, Knowledge
from dialog.passages import Passage
from dialog.policy import TROUBLE_PERHAPS, Evidence, Policy
from dialog.summary import last_request
from dialog.talk import Answer, Turn, understood
from dialog.words import strip_fillers

SHORT_CHARS = 6  # an answer to a choice no longer than this names the choice, not a new matter
ASIDE_SCORE = 0.8  # a question this well matched is answered even in the middle of something else

_GOES_ON = re.compile("那|还|它|这个|这要|要多久|要带|多少钱|在哪|怎么收费")
_YES_AND = re.compile("(?:对|是|嗯|没错|就是)")  # a yes, and then the question again
_NO_BUT = re.compile("(?:都不是|不是|不对)的?(?:我)?(?:是)?(?:想|要)?(?:问|说)?(?:的是)?")
_NEITHER = re.compile("(?:我?[说问]的|这两个|两个|哪个)?都不(?:是|对|要|行)?")  # and not 说了好几回都不听
_FIRST = re.compile("第一|前一个|前面|头一个|前者")
_SECOND = re.compile("第二|后一个|后面|后者")


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers from the knowledge base by the `policy`; what is a trouble goes to `complaints`."""

    knowledge: Knowledge
    policy: Policy
    complaints: Complaints
    guidance: Guidance

    async def reply(self, turn: Turn) -> Answer:
        """Answer when sure, ask what was meant when nearly sure, else hand over; never ask twice in a row."""
        hits = await self._search(turn)
        found = self._evidence(turn, hits)
        asked = found.asked_back
        if asked and hits and hits[0].passage.id in turn.talk.choice and _YES_AND.match(turn.text):
            return self._answered(turn, hits[0].passage, turn.heard)
        judged = self.policy.judge(found)
        if judged.why in ("not_heard", "not_understood"):
            return not_understood(turn, self.policy, self.complaints.clerk, found)
        if judged.why == "perhaps_trouble":
            answer = self.complaints.offer(turn)
        else:
            answer = self._carried_out(turn, judged.kind, judged.confidence, hits)
        return replace(answer, why=judged.why, figures=found.figures)

    def _carried_out(self, turn: Turn, kind: str, sure: float, hits: Sequence[Hit]) -> Answer:
        match kind:
            case "answer":
                return self._answered(turn, hits[0].passage, sure)
            case "choice":
                return _offer_choice(turn, hits[0].passage, hits[1].passage, sure)
            case "confirm":
                return _confirm(turn, hits[0].passage, sure)
            case "intake":
                return self.complaints.start(turn, turn.text)
        text = phrases.NO_ANSWER_TRANSFER if is_question(turn.text) else phrases.STATEMENT_TRANSFER
        return no_answer(turn, self.complaints.clerk, text, sure, turn.text)

    async def aside(self, turn: Turn, then: str) -> Answer | None:
        """The answer to a clear question in the middle of something else, which goes on with `then`."""
        if not is_question(turn.text):
            return None
        hits = await self.knowledge.find(turn.text)
        found = self._evidence(turn, hits)
        if not hits or found.sure < ASIDE_SCORE:
            return None
        passage = hits[0].passage
        talk = understood(turn.talk, answered=(*turn.talk.answered, passage.question))
        return Answer(
            "answer",
            passage.answer + then,
            talk,
            found.sure,
            (passage.ref,),
            why="aside",
            figures=found.figures,
        )

    def chosen(self, turn: Turn) -> Answer | None:
        """What a caller chose or confirmed; None where nothing was offered or they say something else."""
        talk, answer = turn.talk, polarity(turn.text)
        if talk.awaiting not in ("choice", "confirm"):
            return None
        asked = last_request(turn.history)
        if answer is False or _NEITHER.match(turn.text):
            return no_answer(turn, self.complaints.clerk, phrases.NO_ANSWER_TRANSFER, 0.3, asked)
        offered = [passage for id_ in talk.choice if (passage := self.knowledge.get(id_))]
        if not offered:  # taken out of the knowledge base a moment ago
            return None
        if _SECOND.search(turn.text):
            return self._answered(turn, offered[-1], turn.heard, asked)
        if answer or _FIRST.search(turn.text):
            return self._answered(turn, offered[0], turn.heard, asked)
        return None

    async def _search(self, turn: Turn) -> list[Hit]:
        """Passages for the caller's words; where these go on from the question before, with that question."""
        talk, said = turn.talk, strip_fillers(turn.text)
        if talk.awaiting in ("confirm", "choice"):
            said = _NO_BUT.sub("", said, count=1) if _NO_BUT.match(said) else said
        if talk.awaiting == "choice" and len(said) <= SHORT_CHARS:
            before = [m.said for m in turn.history[:-1] if m.who == "caller"]
            return await self.knowledge.find("".join(before[-1:]) + said)
        hits = await self.knowledge.find(said)
        known = hits and hits[0].score >= self.policy.answer_from
        goes_on = talk.awaiting in ("more", "closing") and talk.answered and _GOES_ON.match(said)
        if goes_on and not known:
            return await self.knowledge.find(talk.answered[-1] + said)
        return hits

    def _evidence(self, turn: Turn, hits: Sequence[Hit]) -> Evidence:
        taxonomy = self.complaints.clerk.taxonomy
        return Evidence(
            asr=turn.asr,
            best=hits[0].score if hits else 0.0,
            second=hits[1].score if len(hits) > 1 else 0.0,
            either=hits[0].either if hits else 0.0,
            misses=turn.talk.misses,
            upset=is_upset(turn),
            asked_back=turn.talk.awaiting in ("confirm", "choice"),
            trouble=taxonomy.problem(turn.text),
            chars=len(strip_fillers(turn.text)),
        )

    def _may_report(self, text: str) -> bool:
        """Whether `text`, though it was answered, may report what wants a work order: 楼道灯不亮."""
        taxonomy = self.complaints.clerk.taxonomy
        return taxonomy.is_problem(text) or (
            not is_question(text) and taxonomy.problem(text) >= TROUBLE_PERHAPS
        )

    def _answered(self, turn: Turn, passage: Passage, sure: float, asked: str = "") -> Answer:
        """The passage's answer; `asked` is what it answers where that is not the caller's last words."""
        known = turn.talk.answered
        talk = understood(turn.talk, awaiting="more", answered=(*known, passage.question))
        ask, expects = phrases.ANYTHING_ELSE, None
        service = self.guidance.about(passage.id)
        if self._may_report(asked or turn.text):
            talk = replace(talk, awaiting="offer", offered=asked or turn.text)
            ask = phrases.OFFER_TICKET
        elif service and service.conditions and passage.question not in known:
            offer = self.guidance.offer(service)
            talk, ask, expects = replace(talk, awaiting="", guide=offer.guide), offer.text, offer.expects
        text, sources = passage.answer + ask, (passage.ref,)
        return Answer("answer", text, talk, sure, sources, expects=expects, why="confirmed")


def _confirm(turn: Turn, passage: Passage, sure: float) -> Answer:
    talk = understood(turn.talk, awaiting="confirm", choice=(passage.id,), misses=turn.talk.misses)
    return Answer("confirm", f"{phrases.DID_YOU_MEAN}{_spoken(passage)}，对吗？", talk, sure, (passage.ref,))


def _offer_choice(turn: Turn, first: Passage, second: Passage, sure: float) -> Answer:
    text = f"{phrases.DID_YOU_MEAN}{_spoken(first)}，还是{_spoken(second)}？"
    talk = understood(turn.talk, awaiting="choice", choice=(first.id, second.id))
    return Answer("choice", text, talk, sure, (first.ref, second.ref))


def _spoken(passage: Passage) -> str:
    """The passage's question as a part of a longer one."""
    return passage.question.split("（")[0].rstrip("？?")
