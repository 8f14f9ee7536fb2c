"""Guiding a caller through a service: does it seem open to them, what to bring, how it is done, step by step.

`Guide` is immutable and every function here is pure, so that a reply thrown away unheard has changed nothing.
Nothing is decided here: whether a caller qualifies is said as far as their answers go, and that the window
has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from dialog import Expects
from dialog import guidance_spoken as spoken
from dialog.guidance_answers import answer_to
from dialog.guidance_words import (
    asks_detail,
    goes_back,
    goes_on,
    is_about_else,
    is_not_ready,
    named_step,
    repeats,
    skips_questions,
    stops,
    takes_back,
    waits,
    wants_to_do,
)
from dialog.intents import is_question, is_thanks, polarity
from dialog.knowledge import Knowledge
from dialog.passages import Passage
from dialog.services import UNKNOWN, Condition, Service, every_of, meets
from dialog.words import strip_fillers

MAX_TRIES = 2  # times one question is answered in vain; then nothing is said of whether the caller qualifies
AT_ONCE = 3  # materials told in one breath
SURE = 0.5  # from this score on a service is meant: guide the caller, or leave the one they are in
ASIDE = 0.6  # a question that another passage answers so well is asked in between


@dataclass(frozen=True, slots=True)
class Guide:
    """Where a caller is in a service.

    `index` is the condition asked, how many materials were told, or the step told last, from 0; `tries`, how
    often the present question was answered in vain.
    """

    service: str
    stage: Literal["offer", "conditions", "verdict", "materials", "steps", "done"]
    index: int = 0
    answers: tuple[tuple[str, str], ...] = ()
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Guided:
    """One reply of the guidance; `guide` is None once it has ended."""

    text: str
    guide: Guide | None
    expects: Expects = "anything"
    sources: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing is left to tell, so that the caller may be asked what else they want."""
        return self.guide is None or self.guide.stage == "done"


class Guidance:
    """Guides callers through services; immutable, shared by all calls.

    With `knowledge` a service is only found by words that are not rather about another of its passages.
    """

    def __init__(
        self,
        services: Iterable[Service],
        today: Callable[[], date] = date.today,
        knowledge: Knowledge | None = None,
    ) -> None:
        self.services = {service.id: service for service in services}
        self._today = today
        self._knowledge = knowledge
        self._index = Knowledge(map(_as_passage, self.services.values()), today)

    def find(self, text: str) -> tuple[Service, float] | None:
        """The service that a caller wants done, or asks whether they may have, and how sure that is, 0..1.

        Below SURE it is not to be acted on. None for a plain question about one thing (居住证收费吗), which
        the knowledge base answers.
        """
        return self._best(text) if wants_to_do(text) else None

    def named(self, name: str) -> Service | None:
        """The service of this name (新生儿落户)."""
        return next((one for one in self.services.values() if one.name == name), None)

    def about(self, passage: str) -> Service | None:
        """The service that rests on this passage first of all, to be offered after its answer."""
        return next((one for one in self.services.values() if one.passages[:1] == (passage,)), None)

    def offer(self, service: Service) -> Guided:
        """Ask whether the caller wants to be guided through `service`."""
        return self._guided(Guide(service.id, "offer"))

    def begin(self, service: Service, text: str = "") -> Guided:
        """The first question; what the caller's words `text` answer already is not asked."""
        return self._begin(Guide(service.id, "conditions"), text)

    def question(self, guide: Guide) -> str:
        """What is being asked or told now, to come back to it."""
        service, told = self.services[guide.service], dict(guide.answers)
        match guide.stage:
            case "offer":
                return spoken.offer(service)
            case "conditions":
                return service.conditions[guide.index].ask
            case "verdict":
                return spoken.ASK_MATERIALS
            case "materials":
                return spoken.left(len(spoken.bring(service, told)) - guide.index) or spoken.ASK_STEPS
            case _:
                return spoken.step(every_of(service.steps, told), guide.index)

    def answer(self, guide: Guide, text: str) -> Guided | None:
        """The reply to `text`; None where the words are not about the guide, so that others answer them."""
        if is_about_else(text):
            return None
        if guide.stage == "done":
            return self._around_steps(guide, text)
        if repeats(text):
            return self._again(guide)
        if waits(text):
            return self._guided(guide, spoken.TAKE_YOUR_TIME)
        if stops(text):
            return self._guided(None, spoken.STOPPED, self.services[guide.service])
        if is_thanks(text):
            return self._guided(None, spoken.WELCOME, self.services[guide.service])
        if guide.stage == "conditions":
            return self._condition(guide, text)
        corrected = self._corrected(guide, text)
        return corrected or self._offered(guide, text) or self._detail(guide, text)

    # -- does the caller qualify -----------------------------------------------------------------------------

    def _begin(self, guide: Guide, text: str) -> Guided:
        service = self.services[guide.service]
        needs = {condition.slot: condition.needs for condition in service.conditions}
        answered = ((slot, value) for slot, value in guide.answers if slot in needs)
        known = {slot: value for slot, value in answered if meets(needs[slot], value) is not None}
        answers = {**known, **self._told(service, text, known)} if text else known
        left = [one for one in service.conditions if one.slot not in answers]
        lead = spoken.opening(service, len(left)) if not _failed(service, answers) else ""
        if not service.conditions:
            return self._then(replace(guide, stage="materials", index=0, answers=()), lead)
        return self._judged(replace(guide, answers=tuple(answers.items())), lead if left else "")

    def _condition(self, guide: Guide, text: str) -> Guided | None:
        service, before = self.services[guide.service], dict(guide.answers)
        asked = service.conditions[guide.index]
        if self._is_aside(service, text):
            return None
        if skips_questions(text):
            return self._then(replace(guide, stage="materials", index=0, tries=0), spoken.UNDECIDED)
        if goes_back(text):
            return self._judged(replace(guide, answers=guide.answers[:-1], tries=0), "")
        told = self._told(service, text, before, asked)
        if told:
            return self._judged(replace(guide, answers=tuple({**before, **told}.items()), tries=0), "")
        if detail := self._detail(guide, text):
            return detail
        if is_question(text) or self._is_other(service, text):
            return None
        if guide.tries + 1 >= MAX_TRIES:
            answers = (*guide.answers, (asked.slot, UNKNOWN))
            given_up = replace(guide, stage="materials", index=0, answers=answers, tries=0)
            return self._then(given_up, spoken.GIVE_UP)
        sorry = spoken.NOT_EXACT if asked.kind == "number" else spoken.NOT_UNDERSTOOD
        return self._guided(replace(guide, tries=guide.tries + 1), sorry + asked.ask)

    def _told(
        self, service: Service, text: str, before: dict[str, str], asked: Condition | None = None
    ) -> dict[str, str]:
        """Answers that `text` gives, in the order of the questions; earlier ones only where it takes back."""
        found = {}
        for condition in service.conditions:
            if condition.slot in before and not takes_back(text):
                continue
            value = answer_to(condition, text, asked=condition is asked, today=self._today())
            if value is not None and value != before.get(condition.slot):
                found[condition.slot] = value
        return found

    def _judged(self, guide: Guide, lead: str) -> Guided:
        """The next question, or the verdict once an answer speaks against it or all are given."""
        service, answers = self.services[guide.service], dict(guide.answers)
        failed = _failed(service, answers)
        if failed:
            return self._refused(guide, failed)
        for index, condition in enumerate(service.conditions):
            if condition.slot not in answers:
                return self._then(replace(guide, stage="conditions", index=index, tries=0), lead)
        guide = replace(guide, stage="materials", index=0, tries=0)
        if UNKNOWN in answers.values():
            return self._then(guide, spoken.UNDECIDED)
        return self._then(guide, spoken.qualifies(service, answers))

    def _refused(self, guide: Guide, failed: Condition) -> Guided:
        verdict = spoken.refused(failed.reason)
        other = self.services.get(failed.otherwise)
        if other:
            offer = Guide(other.id, "offer", answers=guide.answers)
            return self._guided(offer, verdict + self.question(offer))
        return self._then(replace(guide, stage="verdict", index=0, tries=0), verdict + spoken.SPECIAL_CASE)

    def _corrected(self, guide: Guide, text: str) -> Guided | None:
        """The verdict anew, where the caller takes back what it rests on."""
        service, before = self.services[guide.service], dict(guide.answers)
        if guide.stage not in ("verdict", "materials") or not takes_back(text):
            return None
        told = self._told(service, text, before)
        return self._judged(replace(guide, answers=tuple({**before, **told}.items())), "") if told else None

    # -- what to bring and what to do ------------------------------------------------------------------------

    def _offered(self, guide: Guide, text: str) -> Guided | None:
        """The reply to a yes or a no to what was offered, or to 下一步 and its kin."""
        if guide.stage == "steps":
            return self._around_steps(guide, text)
        answer = polarity(text)
        if answer is None and goes_on(text):
            answer = True
        service = self.services[guide.service]
        left = guide.stage == "materials" and guide.index < len(spoken.bring(service, dict(guide.answers)))
        if left and (answer is False or is_not_ready(text)):
            return self._guided(guide, spoken.TAKE_YOUR_TIME)
        if answer is False:
            return None if takes_back(text) else self._guided(None, spoken.STOPPED, service)
        if answer is None:
            return None
        if guide.stage == "offer":
            return self._begin(replace(guide, stage="conditions", index=0), "")
        if guide.stage == "verdict":
            return self._then(replace(guide, stage="materials", index=0), "")
        if left:
            return self._then(guide, "")
        return self._to_step(guide, 0)

    def _around_steps(self, guide: Guide, text: str) -> Guided | None:
        if number := named_step(text):
            return self._to_step(guide, number - 1)
        if goes_back(text):
            return self._to_step(guide, guide.index - 1)
        if repeats(text):
            return self._guided(guide)
        if guide.stage == "steps" and (polarity(text) or goes_on(text)):
            return self._to_step(guide, guide.index + 1)
        if guide.stage == "steps" and (polarity(text) is False or is_not_ready(text)):
            return self._guided(guide, spoken.TAKE_YOUR_TIME)
        return self._detail(guide, text)

    def _to_step(self, guide: Guide, index: int) -> Guided:
        service = self.services[guide.service]
        steps = every_of(service.steps, dict(guide.answers))
        last = len(steps) - 1
        at = min(max(index, 0), last)
        told = replace(guide, stage="done" if at == last else "steps", index=at, tries=0)
        text = spoken.step(steps, at)
        if index < 0:
            text = spoken.FIRST_STEP + text
        return self._guided(told, text + spoken.SAY_NEXT if at == 0 < last and index == 0 else text)

    def _then(self, guide: Guide, lead: str) -> Guided:
        """`lead`, and what comes next at this stage."""
        service, answers = self.services[guide.service], dict(guide.answers)
        if guide.stage != "materials":
            return self._guided(guide, lead + self.question(guide))
        things = spoken.bring(service, answers)
        text = spoken.materials(things, guide.index)
        guide = replace(guide, index=min(guide.index + spoken.AT_ONCE, len(things)), tries=0)
        if guide.index >= len(things):
            text += spoken.where_and_when(service, answers) + spoken.ASK_STEPS
        return self._guided(guide, lead + text)

    def _again(self, guide: Guide) -> Guided:
        """What was asked or told last, once more."""
        if guide.stage == "materials" and guide.index:
            begin = (guide.index - 1) // spoken.AT_ONCE * spoken.AT_ONCE
            return self._then(replace(guide, index=begin), "")
        return self._guided(guide)

    def _detail(self, guide: Guide, text: str) -> Guided | None:
        """The answer to a short question about this very service: 多少钱, 多久, 去哪办, 带什么."""
        service, answers = self.services[guide.service], dict(guide.answers)
        words = "".join((service.name, service.doing, *service.phrasings))
        detail = spoken.details(service, answers).get(asks_detail(text, words), "")
        if not detail or self._is_other(service, text):
            return None
        back = "" if guide.stage == "done" else self.question(guide)
        return self._guided(guide, f"{detail}。{back}")

    # -- common ----------------------------------------------------------------------------------------------

    def _best(self, text: str) -> tuple[Service, float] | None:
        said = strip_fillers(text)
        hits = self._index.search(said, 1)
        if not hits:
            return None
        service, score = self.services[hits[0].passage.id], hits[0].score
        known = self._knowledge
        if known is None or not any(known.get(passage) for passage in service.passages):
            return service, score
        rivals = known.search(said, 1)
        if rivals and rivals[0].passage.id in service.passages:
            return service, score * (1 + rivals[0].score) / 2
        return service, score * (1 - rivals[0].score) if rivals else score

    def _is_aside(self, service: Service, text: str) -> bool:
        """Whether the caller asks, in between, what another passage answers."""
        if self._knowledge is None or not is_question(text):
            return False
        hits = self._knowledge.search(strip_fillers(text), 1)
        return bool(hits and hits[0].score >= ASIDE and hits[0].passage.id not in service.passages)

    def _is_other(self, service: Service, text: str) -> bool:
        found = self.find(text)
        return bool(found and found[0] is not service and found[1] >= SURE)

    def _guided(self, guide: Guide | None, text: str = "", service: Service | None = None) -> Guided:
        """A reply with what it expects and rests on; without `text` what is being asked or told now."""
        if guide is None:
            assert service is not None
            return Guided(text, None, sources=_sources(service))
        service = self.services[guide.service]
        text = text or self.question(guide)
        asks = guide.stage == "conditions" and service.conditions[guide.index].kind == "yes_no"
        offers = guide.stage in ("offer", "verdict") or text.endswith(spoken.ASK_STEPS)
        return Guided(text, guide, "yes_no" if asks or offers else "anything", _sources(service))


def _as_passage(service: Service) -> Passage:
    """A service as what is found by a caller's words."""
    told = "，".join(line.say for line in (*service.materials, *service.steps))
    words = (service.doing, *service.phrasings)
    return Passage(service.id, service.name, told, words, service.department, service.district)


def _failed(service: Service, answers: dict[str, str]) -> Condition | None:
    """The first condition that an answer speaks against; not knowing does not."""
    against = (one for one in service.conditions if meets(one.needs, answers.get(one.slot, UNKNOWN)) is False)
    return next(against, None)


def _sources(service: Service) -> tuple[str, ...]:
    return (f"service:{service.id}", *(f"kb:{passage}" for passage in service.passages))
