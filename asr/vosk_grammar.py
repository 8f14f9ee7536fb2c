"""Grammars for Vosk: a list of phrases, and nothing else is heard.

Vosk 0.3.45 makes a bigram model of the phrases and composes it with the model's HCLr.fst, in place of the
model's own Gr.fst. A model with HCLG.fst was composed when it was built; given a grammar, Vosk would only log
a warning and go on without it, and words the model does not have it would leave out. Both are refused here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from asr import ModelError
from asr.vosk_model import VoskModel

_ANYTHING_ELSE = "[unk]"


def grammar_json(model: VoskModel, phrases: Sequence[str]) -> str:
    """The grammar of `phrases` as Vosk takes it, each cut into words that `model` has.

    Where the model has a word for anything else, that is added, so that other speech is not forced into a
    phrase. Raises ModelError.
    """
    if not model.dynamic_graph:
        raise ModelError(
            f"{model.path}: this model's graph (HCLG.fst) is fixed, so it takes no grammar; use a model with"
            " HCLr.fst and Gr.fst, or build the words into the graph"
        )
    lines = [" ".join(_cut(model, phrase)) for phrase in phrases]
    if model.knows(_ANYTHING_ELSE):
        lines.append(_ANYTHING_ELSE)
    return json.dumps(lines, ensure_ascii=False)


def _cut(model: VoskModel, phrase: str) -> list[str]:
    """The fewest words of the model that make up `phrase`; blanks in it are boundaries already."""
    words: list[str] = []
    for part in phrase.split():
        best: list[list[str] | None] = [[]]  # for every length of the part's beginning
        for end in range(1, len(part) + 1):
            ways = [
                [*way, part[start:end]]
                for start, way in enumerate(best)
                if way is not None and model.knows(part[start:end])
            ]
            best.append(min(ways, key=len, default=None))
        found = best[-1]
        if found is None:
            raise ModelError(f"{model.path}: the grammar says {part!r}, but the model has no such words")
        words += found
    return words
