"""How the knowledge base and the whole embedded dialog do on labelled first words of calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dialog import Basis, CallContext, Message, TicketDraft, TicketState
from dialog.confidence import confidence
from dialog.knowledge import Hit, Knowledge
from dialog.manager import EmbeddedDialog
from hotline.evaluation_figures import Spread, spread
from hotline.kb_cases import Case
from hotline.turn_evaluation import Share

# right, wrong: a passage's answer was given; asked …: the caller was asked whether one (or which) was meant,
# or was led into a service; person: handed over, also in danger.
Became: TypeAlias = Literal["right", "wrong", "asked right", "asked wrong", "person", "work order", "other"]
BINS = 10
_KINDS = ("easy", "plain", "hard", "near", "far", "chat", "complaint")  # in this order, others after them
_CHOICES = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_CALLER = "13800138000"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: the passages found, best first, with the best one's score, and the reply.

    `sure` is how sure the dialog was that the best passage answers, None where it did not come to search.
    """

    case: Case
    found: tuple[str, ...]
    score: float
    became: Became
    sources: tuple[str, ...]
    confidence: float
    sure: float | None
    search_ms: float
    reply_ms: float

    @property
    def first(self) -> bool:
        """Whether the best passage is right."""
        return bool(self.case.passages.intersection(self.found[:1]))

    @property
    def first_three(self) -> bool:
        """Whether one of the best three is right."""
        return bool(self.case.passages.intersection(self.found[:3]))

    @property
    def answered(self) -> bool:
        """Whether a passage's answer was given."""
        return self.became in ("right", "wrong")


@dataclass(frozen=True, slots=True)
class Bin:
    """Statements with a confidence from `low` on: how many, how sure on average, the share that was right."""

    low: float
    count: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated confidence of `what` against being right; `error` is the expected calibration error, 0..1."""

    what: Literal["answers", "decisions", "best hits"]
    line: Literal["clean", "recognised", "all"]
    count: int
    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one kind of utterances that are in the knowledge base, or (`known` false) are not."""

    name: str
    known: bool
    recognised: bool
    asked: int
    first: Share
    first_three: Share
    answered: Share
    rightly: Share  # of what was answered
    became: dict[Became, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """What answering from a confidence on would come to, of all that was decided on a passage."""

    answer_from: float
    answered: Share  # of the questions that are in the knowledge base
    rightly: Share  # of these answered
    unknown: Share  # answered, of what is not in the knowledge base


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is told."""

    rows: tuple[Row, ...]
    search_ms: Spread | None
    reply_ms: Spread | None
    reliability: tuple[Reliability, ...]
    choices: tuple[Choice, ...]


class NoTickets:
    """A work order system that holds nothing."""

    async def by_number(self, number: str) -> TicketState | None:
        """None."""
        return None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        """None at all."""
        return ()

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        """None."""
        return None


async def measure(
    cases: Sequence[Case], dialog: EmbeddedDialog, ranking: Knowledge, tell: Callable[[], object] = int
) -> list[Outcome]:
    """Put every case to `ranking` and to `dialog`; `tell` is called after each.

    `ranking` must not be the dialog's own object: that remembers searches, so the second would cost nothing.
    """
    outcomes = []
    for case in cases:
        started = time.perf_counter()
        hits = ranking.search(case.said, 3)
        search_ms = 1000 * (time.perf_counter() - started)
        outcomes.append(await _ask(case, dialog, hits, search_ms))
        tell()
    return outcomes


async def _ask(case: Case, dialog: EmbeddedDialog, hits: Sequence[Hit], search_ms: float) -> Outcome:
    basis, became, reply_ms = await _reply(case.message, dialog, case.passages)
    return Outcome(
        case,
        tuple(hit.passage.id for hit in hits),
        hits[0].score if hits else 0.0,
        became,
        _ids(basis),
        basis.confidence,
        _sure(basis),
        search_ms,
        reply_ms,
    )


async def _reply(
    message: Message, dialog: EmbeddedDialog, passages: frozenset[str]
) -> tuple[Basis, Became, float]:
    """What the dialog replies on, what that comes to, and the ms until its first words."""
    basis, first_words_ms = Basis(0.0), 0.0
    started = time.perf_counter()
    async for part in dialog.reply(CallContext("evaluation", _CALLER), [message]):
        if isinstance(part, Basis):
            basis = part
        elif isinstance(part, str):
            first_words_ms = first_words_ms or 1000 * (time.perf_counter() - started)
    right = bool(passages.intersection(_ids(basis)))
    became: Became = "other"
    match basis.decision.get("kind"):
        case "answer":
            became = "right" if right else "wrong"
        case "confirm" | "choice" | "guide":
            became = "asked right" if right else "asked wrong"
        case "transfer" | "emergency":
            became = "person"
        case "intake":
            became = "work order"
    return basis, became, first_words_ms


def _ids(basis: Basis) -> tuple[str, ...]:
    return tuple(source.removeprefix("kb:") for source in basis.sources)


def _sure(basis: Basis) -> float | None:
    """How sure the dialog was of the best passage, from the figures that it decided on."""
    figures = {name: value for name, value in basis.decision.items() if isinstance(value, float)}
    if "retrieval" not in figures:
        return None
    best, second = figures["retrieval"], figures.get("second", 0.0)
    return confidence(figures.get("asr", 1.0), best, best - second, int(figures.get("misses", 0)))


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """What the outcomes come to."""
    return Figures(
        tuple(_rows(outcomes)),
        spread(one.search_ms for one in outcomes),
        spread(one.reply_ms for one in outcomes),
        tuple(_reliability(outcomes)),
        tuple(_choice(outcomes, answer_from) for answer_from in _CHOICES),
    )


def _choice(outcomes: Sequence[Outcome], answer_from: float) -> Choice:
    known = [one for one in outcomes if one.case.passages]
    unknown = [one for one in outcomes if not one.case.passages]
    told = [one for one in known if (one.sure or 0.0) >= answer_from]
    return Choice(
        answer_from,
        Share(len(told), len(known)),
        Share.of_all(one.first for one in told),
        Share.of_all((one.sure or 0.0) >= answer_from for one in unknown),
    )


def _rows(outcomes: Sequence[Outcome]) -> Iterable[Row]:
    """Questions and unknown ones, as typed and as recognised: all of them, then kind by kind."""
    for known in (True, False):
        for recognised in (False, True):
            group = [
                one
                for one in outcomes
                if bool(one.case.passages) is known and one.case.recognised is recognised
            ]
            kinds = sorted({one.case.kind for one in group if one.case.kind}, key=_place)
            if group:
                yield _row("all", group)
            for kind in kinds:
                yield _row(kind, [one for one in group if one.case.kind == kind])


def _place(kind: str) -> tuple[int, str]:
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS)), kind


def _row(name: str, group: Sequence[Outcome]) -> Row:
    answered = [one for one in group if one.answered]
    return Row(
        name,
        bool(group[0].case.passages),
        group[0].case.recognised,
        len(group),
        Share.of_all(one.first for one in group),
        Share.of_all(one.first_three for one in group),
        Share(len(answered), len(group)),
        Share.of_all(one.became == "right" for one in answered),
        dict(Counter(one.became for one in group)),
    )


def _reliability(outcomes: Sequence[Outcome]) -> Iterable[Reliability]:
    """Of answers from a passage, of what was decided on the best passage, of the best hit for anything said.

    A decision is right where the best passage is; to be unsure of one that is not, is as good as to be sure
    of one that is.
    """
    clean = [one for one in outcomes if not one.case.recognised]
    heard = [one for one in outcomes if one.case.recognised]
    groups: dict[Literal["clean", "recognised", "all"], Sequence[Outcome]] = {}
    groups = {"clean": clean, "recognised": heard, "all": outcomes if clean and heard else ()}
    present = [(line, group) for line, group in groups.items() if group]
    for line, group in present:
        answers = [(one.confidence, one.became == "right") for one in group if one.answered]
        yield Reliability("answers", line, *reliability(answers))
    for line, group in present:
        decisions = [(one.sure, one.first) for one in group if one.sure is not None]
        yield Reliability("decisions", line, *reliability(decisions))
    for line, group in present:
        yield Reliability("best hits", line, *reliability([(one.score, one.first) for one in group]))


def reliability(statements: Sequence[tuple[float, bool]]) -> tuple[int, tuple[Bin, ...], float]:
    """How many, their bins, and the expected calibration error.

    `statements` are confidences, 0..1, and whether they were right; there are ten bins of equal width, empty
    ones are left out. The error is the mean distance between confidence and share right, each bin counting by
    how many are in it (Naeini et al., 2015).
    """
    parted: dict[int, list[tuple[float, bool]]] = {}
    for stated, right in statements:
        parted.setdefault(min(int(stated * BINS), BINS - 1), []).append((stated, right))
    bins = tuple(
        Bin(
            place / BINS,
            len(held),
            sum(stated for stated, _ in held) / len(held),
            sum(right for _, right in held) / len(held),
        )
        for place, held in sorted(parted.items())
    )
    error = sum(one.count * abs(one.stated - one.right) for one in bins) / max(len(statements), 1)
    return len(statements), bins, error


def worst_first(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Wrong answers, the surest first; then wrong guesses that callers were asked about."""
    bad = [one for one in outcomes if one.became in ("wrong", "asked wrong")]
    return sorted(bad, key=lambda one: (one.became != "wrong", -one.confidence))
