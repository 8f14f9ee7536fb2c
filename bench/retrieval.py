"""How often the embedded dialog answers rightly, wrongly, or hands over: `python -m bench.retrieval`.

- Phrasing left out: every phrasing of the sample knowledge is asked once while it, and any that reads the
  same, is missing from the index. Passage left out: its whole passage is missing, so that any answer is
  wrong, though its neighbours are as near as can be. One passage in eight, never two neighbours, loses a
  phrasing at the same time, which saves many minutes and helps the others little.
- `bench/questions.yaml` adds callers' wordings, and questions that have no answer.
- Misheard: the same with one character in ten replaced by one of the same toneless syllable.

What counts is the reply of the whole dialog to the first words of a call, not the ranking alone.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import cast

import yaml
from pypinyin import lazy_pinyin
from rich.console import Console
from rich.table import Table

from dialog import Basis, CallContext, EndCall, Message, TicketDraft, TicketState, Transfer
from dialog.intake import Clerk
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.passages import Passage, load_passages
from dialog.places import load_gazetteer, load_taxonomy
from dialog.words import clean

ROOT = Path(__file__).parents[1]
TODAY = date(2025, 11, 21)
NOISE = 0.1  # share of characters replaced by homophones
SEED = 20251121
FOLDS = 8
# pypinyin takes a list here, though annotated str: one token per character that has no pinyin.
_ONE_BY_ONE = cast("Callable[[str], str]", list)
OUTCOMES = ("right", "wrong", "asked right", "asked wrong", "person", "other")


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller says; `passage` is the id of its answer, "" where there is none.

    `held_out` is the wording or passage that leaves the index, `fold` says which others leave with it.
    """

    group: str
    text: str
    passage: str = ""
    held_out: str = ""
    fold: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question; `top` is the best passage's id and `score` its score."""

    question: Question
    kind: str
    top: str
    score: float
    search_ms: float


class NoTickets:
    """A work order system that holds nothing."""

    async def by_number(self, number: str) -> TicketState | None:
        return None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        return ()

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return None


def phrasings(passages: Iterable[Passage]) -> list[Question]:
    """Every wording of the passages valid today, to be left out of the index when asked."""
    valid = [p for p in passages if p.valid_on(TODAY)]
    return [
        Question("phrasing left out", text, passage.id, held_out=text, fold=(number % FOLDS, wording))
        for number, passage in enumerate(valid)
        for wording, text in enumerate((passage.question, *passage.phrasings))
    ]


def written(path: Path) -> list[Question]:
    """The questions of questions.yaml; each list in two halves, "open" while tuning and "held" back."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    questions = []
    for group in ("inside", "near", "far"):
        for number, entry in enumerate(data[group]):
            text, passage = entry if isinstance(entry, list) else (entry, "")
            questions.append(Question(f"{group}, {'held' if number % 2 else 'open'}", text, passage))
    return questions


@cache
def _homophones() -> dict[str, list[str]]:
    """The common characters (level one of GB 2312) by their toneless syllable."""
    common = [
        bytes((high, low)).decode("gb2312", "ignore")
        for high in range(0xB0, 0xD8)
        for low in range(0xA1, 0xFF)
    ]
    table = defaultdict(list)
    for char in common:
        if char:
            table[lazy_pinyin(char)[0]].append(char)
    return table


def noisy(text: str) -> str:
    """`text` with about one character in ten heard as another of the same syllable; the same every time."""
    rng = random.Random(f"{SEED}{text}")
    heard = []
    for char, syllable in zip(text, lazy_pinyin(text, errors=_ONE_BY_ONE), strict=True):
        others = [c for c in _homophones().get(syllable, ()) if c != char]
        heard.append(rng.choice(others) if others and rng.random() < NOISE else char)
    return "".join(heard)


def without(passages: Sequence[Passage], held_out: Iterable[str]) -> list[Passage]:
    """The passages without the wordings and the ids held out."""
    gone = {clean(wording) for wording in held_out}
    left = []
    for passage in passages:
        kept = [w for w in (passage.question, *passage.phrasings) if clean(w) not in gone]
        if kept and clean(passage.id) not in gone:
            left.append(replace(passage, question=kept[0], phrasings=tuple(kept[1:])))
    return left


async def ask(question: Question, knowledge: Knowledge, clerk: Clerk) -> Outcome:
    """The dialog's reply to the question as the first words of a call."""
    started = time.perf_counter()
    hits = knowledge.search(question.text)
    search_ms = 1000 * (time.perf_counter() - started)
    dialog = EmbeddedDialog(knowledge, NoTickets(), clerk=clerk)
    history = [Message("caller", question.text)]
    items = [item async for item in dialog.reply(CallContext("bench", "13800138000"), history)]
    basis = next(item for item in items if isinstance(item, Basis))
    said = "".join(item for item in items if isinstance(item, str))
    ids = [source.removeprefix("kb:") for source in basis.sources]
    answer = knowledge.get(ids[0]) if ids else None
    if any(isinstance(item, Transfer) for item in items):
        kind = "person"
    elif not answer or any(isinstance(item, EndCall) for item in items):
        kind = "other"
    elif said.startswith(answer.answer):
        kind = "right" if ids[0] == question.passage else "wrong"
    else:
        kind = "asked right" if question.passage in ids else "asked wrong"
    top = hits[0] if hits else None
    return Outcome(question, kind, top.passage.id if top else "", top.score if top else 0.0, search_ms)


async def measure(questions: Sequence[Question], passages: Sequence[Passage]) -> list[Outcome]:
    """Ask all; those of one fold share an index from which all that they hold out is missing."""
    clerk = Clerk(load_gazetteer(), load_taxonomy())
    folds: dict[tuple[int, int] | None, list[Question]] = defaultdict(list)
    for question in questions:
        folds[question.fold].append(question)
    outcomes = []
    for asked in folds.values():
        knowledge = Knowledge(without(passages, {q.held_out for q in asked if q.held_out}), lambda: TODAY)
        outcomes += [await ask(question, knowledge, clerk) for question in asked]
    return outcomes


def rows(outcomes: Sequence[Outcome]) -> Iterator[list[str]]:
    """One line per group: how many, top-1, and the share of each outcome in per cent."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.question.group].append(outcome)
    for group, found in groups.items():
        kinds = Counter(outcome.kind for outcome in found)
        answered = bool(found[0].question.passage)
        top = sum(o.top == o.question.passage for o in found) / len(found)
        shares = [f"{kinds[kind]}  {kinds[kind] / len(found):5.1%}" for kind in OUTCOMES]
        yield [group, str(len(found)), f"{top:.1%}" if answered else "", *shares]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print what was answered or asked wrongly")
    parser.add_argument("--held", action="store_true", help="also ask the questions held back while tuning")
    args = parser.parse_args()
    passages = load_passages(ROOT / "dialog" / "knowledge")
    clear = phrasings(passages) + written(ROOT / "bench" / "questions.yaml")
    if not args.held:
        clear = [q for q in clear if not q.group.endswith("held")]
    heard = [replace(q, group=f"{q.group}, misheard", text=noisy(q.text)) for q in clear]
    alone = [
        replace(q, group="passage left out", passage="", held_out=q.passage, fold=(q.fold[0], -1))
        for q in clear
        if q.fold
    ]
    outcomes = asyncio.run(measure(clear + heard + alone, passages))
    table = Table("questions", "asked", "top 1", *OUTCOMES, title="Replies of the embedded dialog")
    for row in rows(outcomes):
        table.add_row(*row)
    Console(width=150).print(table)
    times = sorted(outcome.search_ms for outcome in outcomes)
    print(f"search: median {times[len(times) // 2]:.1f} ms, p95 {times[int(0.95 * len(times))]:.1f} ms")
    if args.show:
        for o in outcomes:
            if o.kind in ("wrong", "asked wrong"):
                print(f"{o.kind:12} {o.score:.2f} {o.question.group:20} {o.question.text} -> {o.top}")


if __name__ == "__main__":
    main()
