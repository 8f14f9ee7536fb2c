"""How well the city's categories are told apart by examples that do not hold what is sorted.

Run it as `python -m bench.intake_training` after editing dialog/taxonomy.yaml, or with the file of a city.
Prints the share of examples sorted right by keywords alone, by what the other examples teach, and which are
confused; then the share of the scripted calls for tuning (tests/data/intake), each file's sorted by examples
without its own first words.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Any

from dialog import likeness, taxonomy
from dialog.intake import Clerk
from dialog.places import load_gazetteer
from dialog.taxonomy import Taxonomy
from dialog.words import clean, says
from dialog.yaml_text import read_yaml

FOLDS = 10
SETTINGS = [(0.01, 0.2), (0.02, 0.1), (0.02, 0.2), (0.02, 0.3), (0.04, 0.2)]  # PER_KEYWORD, MARGIN
CALLS = Path(__file__).parents[1] / "tests" / "data" / "intake"
FOR_TUNING = ("dev", "dev2", "train", "train2", "fresh", "blind", "last", "second")
_LEAST = 8  # characters of an example that is a call's; a shorter one is in many


def main(path: Path) -> None:
    """Cross-validate the taxonomy in `path`."""
    data: dict[str, Any] = read_yaml(path.read_text(encoding="utf-8"))
    began = process_time()
    Taxonomy(data)
    print(f"{len(data['categories'])} categories, learnt in {process_time() - began:.2f} s of CPU time")
    print(f"keywords alone: {_keywords_alone(data):.1%}")
    chosen = taxonomy.PER_KEYWORD, likeness.MARGIN
    for per_keyword, margin in SETTINGS:
        taxonomy.PER_KEYWORD, likeness.MARGIN = per_keyword, margin
        told = list(_sorted(data))
        right = sum(one == found for one, found, _ in told) / len(told)
        print(f"a keyword's character {per_keyword}, margin {margin}: {right:.1%} of {len(told)}")
        if (per_keyword, margin) == chosen:
            for one, found, text in told:
                if one != found:
                    print(f"  {one} → {found}: {text}")
    taxonomy.PER_KEYWORD, likeness.MARGIN = chosen
    if path == _own():
        _print_calls(data)


def without(data: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    """The taxonomy `data` without the examples that are parts of `texts`."""

    def keeps(example: str) -> bool:
        return len(clean(example)) < _LEAST or not any(clean(example) in text for text in texts)

    kept = [
        {**one, "examples": [text for text in one["examples"] if keeps(text)]} for one in data["categories"]
    ]
    return {**data, "categories": kept}


def _print_calls(data: Mapping[str, Any]) -> None:
    for name in FOR_TUNING:
        lines = (CALLS / f"calls_{name}.jsonl").read_text(encoding="utf-8").splitlines()
        calls = [json.loads(line) for line in lines]
        clerk = Clerk(load_gazetteer(), Taxonomy(without(data, [clean(call["says"][0]) for call in calls])))
        found = [clerk.category(clerk.start(call["says"][0])).category for call in calls]
        right = sum(call["expected"]["category"] == one for call, one in zip(calls, found, strict=True))
        print(f"calls_{name} by the other examples: {right / len(calls):.1%} of {len(calls)}")


def _sorted(data: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Category, what it was taken for, and text of each example, each fold sorted by the others."""
    for fold in range(FOLDS):
        kept, left_out = [], []
        for one in data["categories"]:
            examples = one["examples"]
            kept.append({**one, "examples": [text for at, text in enumerate(examples) if at % FOLDS != fold]})
            left_out += [(one["category"], text) for at, text in enumerate(examples) if at % FOLDS == fold]
        learnt = Taxonomy({**data, "categories": kept})
        yield from ((category, learnt.classify(text).category, text) for category, text in left_out)


def _keywords_alone(data: dict[str, Any]) -> float:
    tried = Counter[bool]()
    for one in data["categories"]:
        for text in one["examples"]:
            chars = {
                other["category"]: sum(len(word) for word in other["keywords"] if says(clean(text), word))
                for other in data["categories"]
            }
            best = max(chars, key=lambda name: chars[name])
            tried[best == one["category"] and chars[best] > 0] += 1
    return tried[True] / tried.total()


def _own() -> Path:
    return Path(taxonomy.__file__).with_name("taxonomy.yaml")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _own())
