"""When a question is answered, asked back, or given to a person: all rules in one place.

An order (转人工, an emergency, 再说一遍) is obeyed before any of this is asked; see `dialog/manager.py`. What
remains is judged on the `Evidence`, by the first rule that holds:

1. Sure enough (`answer_from`): the passage is told.
2. The words surely report a trouble (`TROUBLE_FROM`): it is taken down as a work order.
3. The caller was asked what they meant a moment ago: they are not asked again, by rules 4, 5 or 7.
4. Two passages are alike, and it is one of them (`transfer_below`): both are offered.
5. Nearly sure (`transfer_below`): 请问您是想问…，对吗？
6. The words more likely report a trouble than not (`TROUBLE_LIKELY`): it is taken down as a work order.
7. They may report one (`TROUBLE_PERHAPS`): a work order is offered.
8. Mumbled, or hardly a word: once more, please; the second time (for an upset caller the first) a person.
9. Understood, but the knowledge base has no answer: a person, at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dialog.confidence import confidence
from dialog.talk import Kind

TRANSFER_BELOW = 0.45  # confidence under which a question goes to a person
ANSWER_FROM = 0.72  # confidence from which on an answer is given without asking whether that was meant
MAX_MISSES = 2  # failures to understand in a row before a person takes over
MAX_MISSES_UPSET = 1
UNCLEAR_ASR = 0.55  # below this ASR confidence the words count as mumbled
CLOSE = 0.3  # a runner-up with this part of the best score is offered beside it to choose from
FEW_CHARS = 2
TROUBLE_FROM = 0.85  # how likely words report a trouble that are taken down without asking what was meant
TROUBLE_LIKELY = 0.5  # and those that are, where nothing in the knowledge base is near
TROUBLE_PERHAPS = 0.3  # and those for which a work order is offered


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when a question is judged; shares and scores are 0..1."""

    asr: float  # how well the words were heard
    best: float = 0.0  # how likely the best passage is the one meant
    second: float = 0.0  # how likely the next best is
    either: float = 0.0  # how likely it is one of these two
    misses: int = 0  # failures to understand, in a row
    upset: bool = False
    asked_back: bool = False  # the caller was asked what they meant, just now
    trouble: float = 0.0  # how likely the words report that something is wrong
    chars: int = 99  # of what was said, without fillers

    @property
    def sure(self) -> float:
        """How sure the best passage is the answer."""
        return confidence(self.asr, self.best, self.best - self.second, self.misses)

    @property
    def sure_of_either(self) -> float:
        """How sure one of the best two is."""
        return confidence(self.asr, self.either, 1.0, self.misses)

    @property
    def figures(self) -> dict[str, float]:
        """What of it is worth keeping in the record."""
        figures: dict[str, float] = {"asr": self.asr, "retrieval": self.best, "second": self.second}
        figures |= {"either": self.either, "misses": float(self.misses), "upset": float(self.upset)}
        figures |= {"trouble": self.trouble}
        return {name: round(value, 3) for name, value in figures.items()}


class Judgement(NamedTuple):
    """What is done, why, and how sure that is."""

    kind: Kind
    why: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds of a city."""

    transfer_below: float = TRANSFER_BELOW
    answer_from: float = ANSWER_FROM

    def judge(self, found: Evidence) -> Judgement:
        """What to do with a question, by the rules above."""
        sure, either = found.sure, found.sure_of_either
        if sure >= self.answer_from:
            return Judgement("answer", "sure", sure)
        mumbled = found.chars <= FEW_CHARS or found.asr < UNCLEAR_ASR
        if found.trouble >= TROUBLE_FROM and not mumbled:
            return Judgement("intake", "trouble", found.asr)
        if not found.asked_back:
            if found.second >= CLOSE * found.best > 0 and either >= self.transfer_below:
                return Judgement("choice", "two_alike", either)
            if sure >= self.transfer_below:
                return Judgement("confirm", "nearly_sure", sure)
        if found.trouble >= TROUBLE_LIKELY:
            return Judgement("intake", "trouble", found.asr)
        if found.trouble >= TROUBLE_PERHAPS and not mumbled and not found.asked_back:
            return Judgement("intake", "perhaps_trouble", found.asr)
        if mumbled:
            return self.missed(found.misses, upset=found.upset)
        return Judgement("transfer", "no_answer", sure)

    def missed(self, misses: int, *, upset: bool) -> Judgement:
        """What to do with words that were not understood, after `misses` others."""
        if misses + 1 >= (MAX_MISSES_UPSET if upset else MAX_MISSES):
            return Judgement("transfer", "not_understood", 0.0)
        return Judgement("rephrase", "not_heard", 0.0)
