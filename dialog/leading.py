"""Leading a caller through a service, and back to it when they ask something else in between."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from dialog import phrases
from dialog.guidance import SURE, Guidance, Guided
from dialog.intents import Intent
from dialog.policy import UNCLEAR_ASR
from dialog.questions import Questions
from dialog.services import Service
from dialog.talk import Answer, Turn, understood
from dialog.words import sounds, strip_fillers

_HOW = re.compile("怎么|如何|咋|什么|哪|多少|多久|几")
_DECLINES = re.compile("不用|不需要")
_MAY_LEAVE = ("offer", "steps", "done")  # 没有了 is no answer to what is asked or told there


@dataclass(frozen=True, slots=True)
class Leading:
    """The part of the dialog that guides; other questions meanwhile go to `questions`."""

    guidance: Guidance
    questions: Questions

    async def go_on(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """The next reply of the guidance that is under way; None where the words leave it."""
        guide = turn.talk.guide
        leaves = intent is Intent.GOODBYE and not _DECLINES.search(turn.text)
        if guide is None or (guide.stage in _MAY_LEAVE and leaves):
            return None
        if self.questions.complaints.clerk.taxonomy.is_problem(turn.text):
            return None
        if guided := self.guidance.answer(guide, turn.text):
            return _told(turn, guided)
        if guide.stage == "done" or intent is not None:
            return None
        return await self.questions.aside(turn, self.guidance.question(guide))

    async def begin(self, turn: Turn) -> Answer:
        """Begin with the service that the caller wants for sure, or answer from the knowledge base.

        Who asks how a thing is done is told so, and offered to be guided; who wants it done is guided.
        """
        service = self._service(turn)
        if service and wants_it_done(turn.text):
            return self.lead(turn, service)
        answer = await self.questions.reply(turn)
        return self.lead(turn, service) if service and answer.kind != "answer" else answer

    def wanted(self, turn: Turn) -> bool:
        """Whether the caller surely wants a service done, and does not only ask how that is."""
        return wants_it_done(turn.text) and self._service(turn) is not None

    def lead(self, turn: Turn, service: Service) -> Answer:
        """The first words of the guidance through `service`."""
        talk = replace(turn.talk, answered=(*turn.talk.answered, f"{service.name}导办"))
        return _told(replace(turn, talk=talk), self.guidance.begin(service, turn.text))

    def _service(self, turn: Turn) -> Service | None:
        """The service that the words are surely about."""
        service, score = self.guidance.find(turn.text) or (None, 0.0)
        sure = score >= SURE and turn.asr >= UNCLEAR_ASR
        return service if service and sure and _names(turn.text, service) else None


def _names(text: str, service: Service) -> bool:
    """Whether `text` says what the service is about: 孩子不想上学了 is like 给孩子上户口, but no 户口."""
    telling = {*pairwise(sounds(service.name)), sounds(service.doing)[-2:]}
    said = strip_fillers(text)
    return said in service.phrasings or not telling.isdisjoint(pairwise(sounds(said)))


def wants_it_done(text: str) -> bool:
    """Whether the words are no question (我要办, not 怎么办)."""
    return not _HOW.search(text)


def left(turn: Turn) -> Turn:
    """The turn of a caller who has left the guidance that was under way."""
    talk = replace(turn.talk, guide=None, awaiting=turn.talk.awaiting or "more")
    return replace(turn, talk=talk) if turn.talk.guide else turn


def _told(turn: Turn, guided: Guided) -> Answer:
    talk = understood(turn.talk, guide=guided.guide, awaiting="more" if guided.over else "")
    text = guided.text + (phrases.ANYTHING_ELSE if guided.over else "")
    stage = guided.guide.stage if guided.guide else "over"
    return Answer("guide", text, talk, turn.heard, guided.sources, expects=guided.expects, why=stage)
