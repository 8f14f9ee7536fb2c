"""Help for a seat while it talks to a caller: passages for what is discussed, and a growing work order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.to_thread
import structlog

from dialog import TicketDraft
from dialog.contacts import find_contact
from dialog.corrections import corrected
from dialog.intake import SLOTS, Clerk, Intake
from dialog.intents import EMERGENCIES, Intent, control_intent, is_backchannel
from dialog.knowledge import Hit, Knowledge
from dialog.names import answered_name
from dialog.slots import LEAST_MATTER, fill, find_wish, told_besides, told_kind, told_matter, without
from dialog.summary import unsaid
from dialog.words import clean, strip_fillers
from hotline.dialogs import open_clerk
from hotline.journal import RecordJournal
from hotline.settings import Settings
from hotline.speech import open_writer
from voice.events import CallEnded, CallEvent, Happened, Journal, Turn

log = structlog.get_logger()

WAITING = 64  # calls; of more the one that waits longest gets no help for its last turn
PASSAGES = 3
WORTH_SHOWING = 0.45  # how likely the best passage, or the next, must be the one meant
LEAST_SCORE = 0.2  # of a passage shown beside the best
LATELY = 6  # passages shown last, which are not shown again
ANSWER_CHARS = 200
SAID = 100  # turns of the caller's that a draft is made of
LEAST_COMPLAINT = 6  # characters of one that says what it is about; 我要投诉 does not
SHORT_CHARS = 16  # of a turn that tells a place, and no more than that
MATTERS = 3  # sentences that a matter is told in

_TROUBLES = ("投诉", "举报", "报修")
_OF_THE_CALL = frozenset(Intent) - EMERGENCIES - {Intent.COMPLAINT, Intent.PROGRESS}
_JOINING = re.compile("^(?:另外|还有|对了|而且|然后|就是|嗯|那个)+(?=.{4})")
_NAMED = re.compile("(?:免贵)?[姓叫][^名什啥]")  # 姓王, as an answer; of 我姓王 more is understood
_AROUND_PLACE = re.compile("[我们家住在就是的这那边儿]*")
_NUMBERS = re.compile("([零〇一二三四五六七八九十百千万亿幺两点0-9]+)")


@dataclass(slots=True)
class _Call:
    """What the caller said so far, and what the seat was shown for it."""

    said: dict[int, str] = field(default_factory=dict)  # by index of the turn
    clock_s: float = 0.0
    bridged: bool = False
    asked: int = -1  # the index of the turn that passages were looked for last
    shown: deque[str] = field(default_factory=lambda: deque(maxlen=LATELY))
    draft: TicketDraft | None = None


class Assistance:
    """Watches the calls in which a caller talks to a seat, and tells the journal what may help the seat.

    `observe` takes every event as it is emitted and never waits; the work is done in `run`.
    """

    def __init__(self, knowledge: Knowledge, clerk: Clerk, journal: Journal) -> None:
        self._knowledge = knowledge
        self._clerk = clerk
        self._journal = journal
        self._calls: dict[str, _Call] = {}
        self._waiting: dict[str, None] = {}  # in their order
        self._some = anyio.Event()

    @property
    def categories(self) -> list[dict[str, str]]:
        """What matters are sorted into, as {"category", "department", "kind"}; that for all else is last."""
        taxonomy = self._clerk.taxonomy
        return [
            {"category": one.category, "department": one.department, "kind": one.kind}
            for one in (*taxonomy.categories, taxonomy.classify(""))
        ]

    def observe(self, event: CallEvent) -> None:
        """Take note of an event; one of a talk with a seat makes its call wait for help."""
        if isinstance(event, CallEnded):
            self._calls.pop(event.call_id, None)
            self._waiting.pop(event.call_id, None)
        elif isinstance(event, Turn) and event.who == "caller" and event.text:
            call = self._calls.setdefault(event.call_id, _Call())
            call.said[event.index] = event.asr_raw or event.text
            call.clock_s = event.ended_s or event.started_s
            if len(call.said) > SAID:
                del call.said[min(call.said)]
            if call.bridged:
                self._want(event.call_id)
        elif isinstance(event, Happened) and event.kind in ("bridged", "unbridged"):
            call = self._calls.setdefault(event.call_id, _Call())
            call.bridged, call.clock_s = event.kind == "bridged", event.at_s
            if call.bridged:
                self._want(event.call_id)

    def _want(self, call_id: str) -> None:
        if call_id not in self._waiting and len(self._waiting) >= WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[call_id] = None
        self._some.set()

    async def run(self) -> None:
        """Help the calls that wait, one after another; until cancelled."""
        while True:
            while self._waiting:
                await self.help_next()
            self._some = anyio.Event()
            await self._some.wait()

    async def help_next(self) -> None:
        """Do what is to be done for the call that waits longest."""
        call_id = next(iter(self._waiting))
        del self._waiting[call_id]
        call = self._calls[call_id]
        for work in (self._suggest, self._draft):
            try:
                await work(call_id, call)
            except Exception as error:  # the talk goes on without this help
                log.error("assistance_failed", call_id=call_id, exc_info=error)

    def _tell(self, call_id: str, call: _Call, kind: str, detail: dict[str, Any]) -> None:
        if self._calls.get(call_id) is call and call.bridged:
            self._journal.emit(Happened(call_id, call.clock_s, kind, detail))

    async def _suggest(self, call_id: str, call: _Call) -> None:
        """Passages for what the caller said last, by itself or with what was said before it."""
        told = [index for index in sorted(call.said) if _says_something(self._clerk, call.said[index])]
        if not told or told[-1] == call.asked:
            return
        call.asked = told[-1]
        *before, last = (call.said[index] for index in told[-2:])
        alone = await self._worth_showing(call, last)
        joined = await self._worth_showing(call, "，".join((*before, last))) if before else []
        new = max(alone, joined, key=lambda hits: hits[0].either if hits else 0.0)
        if new:
            call.shown.extend(hit.passage.id for hit in new)
            self._tell(call_id, call, "suggestion", {"passages": list(map(_as_shown, new))})

    async def _worth_showing(self, call: _Call, text: str) -> list[Hit]:
        found = await self._knowledge.find(text, PASSAGES)
        hits = [hit for hit in found if hit.passage.id not in call.shown]
        if not hits or hits[0].either < WORTH_SHOWING:
            return []
        return [hit for hit in hits if hit.score >= LEAST_SCORE]

    async def _draft(self, call_id: str, call: _Call) -> None:
        """The work order as it stands, where it has changed."""
        said = [call.said[index] for index in sorted(call.said)]
        draft = await anyio.to_thread.run_sync(draft_of, self._clerk, said)
        if draft is None or draft == call.draft:
            return
        call.draft = draft
        detail = {
            "category": draft.category,
            "department": draft.department,
            "urgency": draft.urgency,
            "title": draft.title,
            "text": draft.text,
            "slots": {name: value for name, value in draft.slots.items() if value},
            "secret": draft.secret,
        }
        self._tell(call_id, call, "draft", detail)


async def open_assistance(settings: Settings, knowledge: Knowledge, journal: RecordJournal) -> Assistance:
    """With the city's own places and matters; it watches the journal from now on. Raises UsageError."""
    words = open_writer(settings.asr)
    clerk = await anyio.to_thread.run_sync(open_clerk, settings.dialog, words)
    assistance = Assistance(knowledge, clerk, journal)
    journal.watch(assistance.observe)
    return assistance


def _is_of_a_matter(text: str) -> bool:
    """Whether `text` is about more than the call itself."""
    return not is_backchannel(text) and control_intent(text) not in _OF_THE_CALL


def _says_something(clerk: Clerk, text: str) -> bool:
    """Whether `text` says so much that something can be known about it; where it is, alone, says nothing."""
    said = clerk.gazetteer.spell(strip_fillers(text))
    where = clerk.gazetteer.find(said)
    only_where = where and _AROUND_PLACE.fullmatch(said.replace(where, ""))
    return len(said) > 2 and not only_where and _is_of_a_matter(text)


def _as_shown(hit: Hit) -> dict[str, Any]:
    passage = hit.passage
    cut = len(passage.answer) > ANSWER_CHARS
    answer = passage.answer[: ANSWER_CHARS - 1] + "…" if cut else passage.answer
    return {
        "id": passage.id,
        "question": passage.question,
        "answer": answer,
        "source": passage.source,
        "score": round(hit.score, 3),
    }


def draft_of(clerk: Clerk, said: Sequence[str]) -> TicketDraft | None:
    """The work order that the caller's turns `said`, oldest first, make; None while they tell no matter.

    It tells nothing that is not in them. Takes some milliseconds per turn.
    """
    intake, matters, asked = Intake(), [], ""
    for text in (_JOINING.sub("", one) for one in said if _is_of_a_matter(one)):
        told = told_matter(intake, text, clerk.gazetteer)
        trouble, about = _matter_in(clerk, text)
        if trouble or (about and not asked):
            told = _placed(clerk, told, intake, text)
            if len(clean(told.matter)) >= LEAST_MATTER and not unsaid(told.matter, said):
                matters += [told.matter] if trouble and told.matter not in matters else []
                asked = asked or told.matter
            intake = told
        else:
            intake = _beside(clerk, intake, strip_fillers(text))
    if not asked:
        return None
    # What only asks something is the matter as long as no trouble is told.
    matter = "，".join(matters[:MATTERS]) or asked
    return clerk.draft(_only_said(replace(intake, matter=matter), said))


def _matter_in(clerk: Clerk, text: str) -> tuple[bool, bool]:
    """Whether `text` reports a trouble, and whether it is about anything that the taxonomy knows."""
    text = strip_fillers(text)
    rest = without(clerk.gazetteer.find(text), text)
    told = without(find_wish(rest), rest)
    known = clerk.taxonomy.find(rest) is not None
    if find_contact(text) and not clerk.taxonomy.certain(rest):  # words of a number may sound like anything
        return False, False
    complains = told_kind(text) in _TROUBLES and len(told) > LEAST_COMPLAINT
    return complains or (len(told) > LEAST_MATTER and clerk.taxonomy.is_problem(rest)), known


def _beside(clerk: Clerk, intake: Intake, said: str) -> Intake:
    """The intake with what `said` puts right, or tells besides the matter."""
    put_right = corrected(replace(intake, asking="confirm"), said, clerk.gazetteer)
    if put_right is not None:
        return put_right
    spelled = clerk.gazetteer.spell(said)
    told = told_besides(intake, spelled, clerk.gazetteer)
    if told.place and not intake.place and len(spelled) <= SHORT_CHARS:
        told = fill(told, "place", clerk.gazetteer.answered(spelled) or told.place)
    if not told.name and not told.anonymous and _NAMED.match(said):
        told = fill(told, "name", answered_name(said))
    return _placed(clerk, told, intake, spelled)


def _placed(clerk: Clerk, told: Intake, before: Intake, said: str) -> Intake:
    """`told` with the place that was named after a mere district, as a part of it."""
    gazetteer, held = clerk.gazetteer, before.place
    where = gazetteer.find(gazetteer.spell(said))
    if where and len(said) <= SHORT_CHARS:
        where = gazetteer.answered(said) or where
    if not held or not where or where in held or not gazetteer.is_vague(held):
        return told
    district = gazetteer.parts(where).district
    whole = held + where if district in ("", held) and held not in where else where
    return fill(told, "place", whole)


def _only_said(intake: Intake, said: Sequence[str]) -> Intake:
    """The intake without what was not said like that: better an empty slot than a wrong one."""
    said = [*said, "".join(map(strip_fillers, said))]  # 在江北区, 那个建设路十八号: told in two turns
    for slot in SLOTS:
        if slot != "matter" and not _was_said(getattr(intake, slot), said):
            intake = fill(intake, slot, "")
    return replace(intake, more=tuple((name, value) for name, value in intake.more if _was_said(value, said)))


def _was_said(value: str, said: Sequence[str]) -> bool:
    """Whether all of `value` was said; a number put right later stands where another was said first."""
    return not unsaid(value, said) or not any(unsaid(part, said) for part in _NUMBERS.split(value))
