"""What a large knowledge base costs: `python -m bench.knowledge_scale --passages 100000`.

The passages are made up from the sample knowledge: in each, some words of a sample passage are exchanged for
others of the sample, the same in its phrasings and its answer, so that there are many neighbours that share
most of their words. Each is asked for in one of its phrasings with one word left out and one character in
ten misheard. Prints seconds to index, to open again and to update 100 passages, size, memory, and
milliseconds of a query.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jieba
import numpy as np

from bench.retrieval import ROOT, SEED, TODAY, noisy
from dialog.knowledge import Knowledge
from dialog.passages import Passage, load_passages

EXCHANGED = 0.5  # share of the words of two and more characters that are exchanged
QUERIES = 1000
CHANGED = 100


@dataclass(frozen=True, slots=True)
class Mould:
    """A sample passage cut into words."""

    passage: Passage
    phrasings: Sequence[Sequence[str]]
    answer: Sequence[str]


def moulds() -> list[Mould]:
    """The sample knowledge, cut into words."""
    jieba.setLogLevel("WARNING")
    return [
        Mould(p, [jieba.lcut(text) for text in (p.question, *p.phrasings)], jieba.lcut(p.answer))
        for p in load_passages(ROOT / "dialog" / "knowledge")
        if p.valid_on(TODAY)
    ]


def made_up(count: int) -> Iterator[Passage]:
    """`count` passages, the same every time."""
    rng = random.Random(SEED)
    cut = moulds()
    pool = sorted({word for mould in cut for text in mould.phrasings for word in text if len(word) > 1})
    for number in range(count):
        mould = rng.choice(cut)
        words = {word for text in mould.phrasings for word in text if len(word) > 1}
        exchanged = {word: rng.choice(pool) for word in sorted(words) if rng.random() < EXCHANGED}
        question, *others = ("".join(exchanged.get(word, word) for word in text) for text in mould.phrasings)
        answer = "".join(exchanged.get(word, word) for word in mould.answer)
        yield replace(
            mould.passage, id=f"made-{number}", question=question, phrasings=tuple(others), answer=answer
        )


def asked(passages: Sequence[Passage], count: int) -> list[tuple[str, str]]:
    """Misheard phrasings with a word left out, and the ids of the passages they were taken from."""
    rng = random.Random(SEED)
    questions = []
    for passage in rng.choices(passages, k=count):
        words = jieba.lcut(rng.choice((passage.question, *passage.phrasings)))
        if len(words) > 2:
            del words[rng.randrange(len(words))]
        questions.append((noisy("".join(words)), passage.id))
    return questions


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def until_live(knowledge: Knowledge, changed: Sequence[Passage]) -> float:
    """Seconds until changes are found; what tantivy merges afterwards goes on beside the calls."""
    began = time.perf_counter()
    updating = threading.Thread(target=lambda: knowledge.update(changed, revision=2))
    updating.start()
    while knowledge.revision != 2:
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    updating.join()
    return seconds


def show(done: int, total: int) -> None:
    """A line of progress on the terminal."""
    if done % 1000 == 0 or done == total:
        print(f"\r{done}/{total} passages", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument(
        "--folder", type=Path, help="keep the index here instead of in a folder that is removed"
    )
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="knowledge-"))
    passages = list(made_up(args.passages))
    try:
        knowledge = Knowledge(today=lambda: TODAY, folder=folder)
        seconds = timed(lambda: knowledge.update(passages, revision=1, progress=show))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{len(knowledge)} passages indexed in {seconds:.1f} s; {size / 1e6:.0f} MB on disk")
        knowledge.close()
        opened: list[Knowledge] = []
        seconds = timed(lambda: opened.append(Knowledge(today=lambda: TODAY, folder=folder)))
        print(f"opened again in {seconds:.3f} s")
        measure(opened[0], asked(passages, QUERIES))
        changed = [replace(p, answer=p.question) for p in passages[:CHANGED]]
        print(f"{CHANGED} changed passages live in {until_live(opened[0], changed):.2f} s")
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"most memory of the process, the made-up passages among it: {peak_mb:.0f} MB")
    finally:
        if not args.folder:
            shutil.rmtree(folder)


def measure(knowledge: Knowledge, questions: Sequence[tuple[str, str]]) -> None:
    """Ask, and print how long it took and how often the right passage came first."""
    each_ms, cpu_ms, first = [], [], 0
    for text, passage in questions:
        started, cpu_started = time.perf_counter(), time.process_time()
        hits = knowledge.search(text)
        each_ms.append(1000 * (time.perf_counter() - started))
        cpu_ms.append(1000 * (time.process_time() - cpu_started))
        first += bool(hits) and hits[0].passage.id == passage
    median, p95, longest = np.percentile(each_ms, [50, 95, 100])
    cpu_median, cpu_p95 = np.percentile(cpu_ms, [50, 95])
    print(f"query: median {median:.1f} ms, p95 {p95:.1f} ms, longest {longest:.1f} ms")
    print(f"of it on the processor: median {cpu_median:.1f} ms, p95 {cpu_p95:.1f} ms")
    print(f"the passage asked for came first in {first / len(questions):.1%}")


if __name__ == "__main__":
    main()
