"""What a reply of the embedded dialog costs: `python -m bench.dialog_cost`.

Every question of `bench/questions.yaml` is asked over the sample knowledge as the first words of a call, and
then once more, as callers who go on after a pause make the session do. Costs are CPU milliseconds of the
process on one core, the same whatever else the machine does. With `--dump FILE` the finds (ids and scores)
and the words of all replies are written, so that a change can be shown to have changed nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.retrieval import ROOT, TODAY, NoTickets, Question, noisy, written
from dialog import Basis, CallContext, Message
from dialog.intake import Clerk
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.passages import load_passages
from dialog.places import load_gazetteer, load_taxonomy

CALL = CallContext("bench", "13800138000")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of each reply."""

    name: str
    each_ms: Sequence[float]

    def __str__(self) -> str:
        times = sorted(self.each_ms)
        median, p95 = times[len(times) // 2], times[int(0.95 * len(times))]
        return f"{self.name:12} {len(times)} replies: median {median:.3f} ms, p95 {p95:.3f} ms"


async def replied(dialog: EmbeddedDialog, text: str) -> list[Any]:
    """All that the dialog yields to `text`."""
    return [item async for item in dialog.reply(CALL, [Message("caller", text)])]


def plain(item: object) -> str:
    """An item of a reply as a line that two versions can be compared by."""
    if isinstance(item, Basis):
        return f"{item.confidence:.4f} {' '.join(item.sources)}"
    return item if isinstance(item, str) else repr(item)


async def timed(name: str, dialog: EmbeddedDialog, questions: Sequence[Question]) -> Cost:
    """One reply to each question, timed."""
    each_ms = []
    for question in questions:
        started = time.process_time_ns()
        await replied(dialog, question.text)
        each_ms.append((time.process_time_ns() - started) / 1e6)
    return Cost(name, each_ms)


async def finds(dialog: EmbeddedDialog, questions: Sequence[Question]) -> dict[str, Any]:
    """What is found and said, by question."""
    found = {}
    for question in questions:
        hits = dialog.knowledge.search(question.text, limit=32)
        said = [plain(item) for item in await replied(dialog, question.text)]
        found[question.text] = {"hits": [(h.passage.id, h.score, h.either) for h in hits], "reply": said}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dump", type=Path, help="write what was found and said, as JSON")
    args = parser.parse_args()
    started = time.process_time()
    knowledge = Knowledge(load_passages(ROOT / "dialog" / "knowledge"), lambda: TODAY)
    dialog = EmbeddedDialog(knowledge, NoTickets(), clerk=Clerk(load_gazetteer(), load_taxonomy()))
    print(f"{len(knowledge.passages)} passages, indexed in {time.process_time() - started:.2f} s")
    questions = written(ROOT / "bench" / "questions.yaml")
    asyncio.run(replied(dialog, "社保卡"))  # what is loaded at the first reply is not counted
    print(asyncio.run(timed("first time", dialog, questions)))
    print(asyncio.run(timed("again", dialog, questions)))
    if args.dump:
        misheard = [Question(q.group, noisy(q.text)) for q in questions]
        found = asyncio.run(finds(dialog, [*questions, *misheard]))
        args.dump.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
