"""Counts what a recogniser got wrong, character by character, in the form in which both texts were spoken."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tts.spoken import spoken

# A written number does not tell which of these was said.
_SAME = str.maketrans("幺〇○", "一零零")
_TWO = re.compile("两(?=[百千万亿])")


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of an alignment: `written` in the reference, `heard` in its place; one may be empty."""

    written: str
    heard: str

    @property
    def right(self) -> bool:
        """Whether this was heard as written."""
        return self.written == self.heard


@dataclass(frozen=True, slots=True)
class Alignment:
    """The least number of changes that make the reference what was heard, in characters."""

    steps: tuple[Step, ...]
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All changes."""
        return self.substitutions + self.deletions + self.insertions

    def confusions(self) -> list[tuple[str, str]]:
        """Each substitution: the character written, the one heard."""
        wrong = (step for step in self.steps if step.written and step.heard and not step.right)
        return [pair for step in wrong for pair in zip(step.written, step.heard, strict=True)]

    def heard_right(self) -> list[bool]:
        """For each character heard, whether it stands in the reference."""
        return [step.right for step in self.steps for _ in step.heard]


def compared(text: str) -> str:
    """`text` as it is compared: numbers in words, half width, upper case, no punctuation and no blanks."""
    said = spoken(unicodedata.normalize("NFKC", spoken(text))).upper().translate(_SAME)
    return "".join(character for character in _TWO.sub("二", said) if character.isalnum())


def align(reference: str, heard: str) -> Alignment:
    """Align two texts, both as `compared` gives them."""
    steps = []
    counts = {"replace": 0, "delete": 0, "insert": 0, "equal": 0}
    for change in Levenshtein.opcodes(reference, heard):
        step = Step(reference[change.src_start : change.src_end], heard[change.dest_start : change.dest_end])
        counts[change.tag] += max(len(step.written), len(step.heard))
        steps.append(step)
    return Alignment(tuple(steps), counts["replace"], counts["delete"], counts["insert"])
