"""How well the city's categories are told apart: each example is sorted by what the others teach.

Run it as `python -m bench.intake_training` after editing dialog/taxonomy.yaml, or with the file of a city.
Prints the share sorted right by keywords alone and by keywords with the classifier, and which are confused.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml

from dialog import taxonomy
from dialog.taxonomy import Taxonomy
from dialog.words import clean, says

FOLDS = 10
SETTINGS = [(2.0, 1.0), (4.0, 0.3), (4.0, 1.0), (4.0, 3.0), (8.0, 1.0)]  # PER_KEYWORD, SMOOTHING


def main(path: Path) -> None:
    """Cross-validate the taxonomy in `path`."""
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    began = perf_counter()
    Taxonomy(data)
    print(f"{len(data['categories'])} categories, learnt in {perf_counter() - began:.2f} s")
    print(f"keywords alone: {_keywords_alone(data):.1%}")
    chosen = taxonomy.PER_KEYWORD, taxonomy.SMOOTHING
    for per_keyword, smoothing in SETTINGS:
        taxonomy.PER_KEYWORD, taxonomy.SMOOTHING = per_keyword, smoothing
        told = list(_sorted(data))
        right = sum(one == found for one, found, _ in told) / len(told)
        print(f"a keyword's character {per_keyword}, smoothing {smoothing}: {right:.1%} of {len(told)}")
        if (per_keyword, smoothing) == chosen:
            for one, found, text in told:
                if one != found:
                    print(f"  {one} → {found}: {text}")


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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(taxonomy.__file__).with_name("taxonomy.yaml"))
