"""What complaints and requests are about: the city's categories, in a plain YAML file beside this one.

A category is found by its keywords, and by a naive Bayes classifier over pairs of syllables. That learns from
the keywords and examples of the file when it is loaded: a city's own file needs no training of its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import yaml

from dialog import Expects
from dialog.troubles import reports_trouble
from dialog.words import clean, says, sounds

Kind: TypeAlias = Literal["投诉", "举报", "求助", "建议", "报修", "咨询"]
ASKED = ("place", "time")  # between the matter and the name, where a category says nothing else

# Chosen by leaving out one example after another (bench/intake_training.py).
PER_KEYWORD = 4.0  # what a character of a keyword counts, in nats of the classifier
SMOOTHING = 1.0  # added to every count of a pair of syllables
KEYWORD_TIMES = 2  # how often a keyword is counted when the classifier learns
LATER = 0.5  # less that a keyword at the very end counts: first comes what it is, last what it does to people
SURE = 0.5  # nats by which the best category must lead where no keyword was said

_HERE = Path(__file__).parent
_REMEMBERED = 512
# Where it is says little of what it is: of 流浪狗在学校门口 the school is not the matter.
_NEARBY = re.compile(
    "(?:就?在[一-鿿]{2,6}?|[一-鿿]{2,3})(?:门口|旁边|附近|对面|后面|前面|楼下|门前|周边|边上)"
)
_LEAST_LEFT = 8  # characters that tell enough without the place
_WISH = re.compile("能不能|可不可以|能否|可以")  # 能不能把暖气停了 asks for what would otherwise be trouble
_DENIED = re.compile("(?:没有?|没有?人|没人|未|不会|不是|怕|以免|防止)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A slot that categories may ask for: what it is called, how it is asked, what kind of answer comes."""

    label: str
    question: str
    expects: Expects = "anything"


@dataclass(frozen=True, slots=True)
class Category:
    """What a complaint is about and who answers for it; `ask` and `questions` say what else is taken down."""

    category: str
    department: str
    keywords: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    kind: Kind = "投诉"
    ask: tuple[str, ...] = ASKED
    questions: Mapping[str, str] = field(default_factory=dict)


class Taxonomy:
    """Sorts a complaint by its words into category, department and urgency."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Raises KeyError or TypeError where `data` has not the form of taxonomy.yaml."""
        self.slots = {name: Asked(**given) for name, given in (data.get("slots") or {}).items()}
        self._categories = [_category(given) for given in data["categories"]]
        self._default = Category(**data["default"])
        self._trouble = tuple(data.get("trouble") or ())
        self._urgent = [_alternatives(line) for line in data["urgent"]]
        self._likely = _Likelihoods(
            [(*one.examples, *one.keywords * KEYWORD_TIMES) for one in self._categories]
        )
        self._ranked = lru_cache(_REMEMBERED)(self._rank)

    @property
    def categories(self) -> Sequence[Category]:
        """All categories but the default."""
        return self._categories

    @property
    def questions(self) -> list[str]:
        """All questions that are not among the fixed phrases, to be synthesised in advance."""
        own = [question for one in self._categories for question in one.questions.values()]
        return list(dict.fromkeys([*(slot.question for slot in self.slots.values()), *own]))

    def label(self, slot: str) -> str:
        """What a slot of the file's own is called in a work order."""
        return self.slots[slot].label if slot in self.slots else slot

    def classify(self, text: str) -> Category:
        """The category that `text` is most likely about; the default where its words tell nothing."""
        return self.find(text) or self._default

    def find(self, text: str) -> Category | None:
        """The category that `text` is most likely about, or None where its words tell nothing."""
        return self._ranked(clean(text))

    def is_problem(self, text: str) -> bool:
        """Whether `text` reports that something is wrong, though nobody said 投诉."""
        text = clean(text)
        named = any(says(text, word) for category in self._categories for word in category.problem)
        return (named and not _WISH.search(text)) or reports_trouble(
            text, self._trouble, known=self.find(text) is not None
        )

    def urgency(self, text: str) -> Literal["normal", "urgent"]:
        """Whether a work order about `text` can wait; real emergencies never become one."""
        text = clean(text)
        told = any(all(any(_holds(text, word) for word in words) for words in line) for line in self._urgent)
        return "urgent" if told else "normal"

    def _rank(self, text: str) -> Category | None:
        if not text or not self._categories:
            return None
        without_place = _NEARBY.sub("，", text)
        text = without_place if len(without_place) >= _LEAST_LEFT else text
        keywords = [_keyword_chars(one, text) for one in self._categories]
        likely = self._likely.of(text)
        scores = [PER_KEYWORD * chars + nats for chars, nats in zip(keywords, likely, strict=True)]
        first, *others = sorted(scores, reverse=True)
        lead = first - others[0] if others else first
        if not any(keywords) and lead < SURE:
            return None
        return self._categories[scores.index(first)]


class _Likelihoods:
    """Multinomial naive Bayes over pairs of syllables, all classes equally likely beforehand."""

    def __init__(self, classes: Sequence[Iterable[str]]) -> None:
        counts = [Counter(pair for text in texts for pair in set(_pairs(text))) for texts in classes]
        everything: Counter[tuple[str, str]] = Counter()
        for count in counts:
            everything.update(count)
        totals = [sum(count.values()) for count in counts]
        room, every = SMOOTHING * len(everything), everything.total()
        # How much likelier than usual a pair is in each class, in nats; most are as in `_unseen`.
        usual = {pair: (n + SMOOTHING) / (every + room) for pair, n in everything.items()}
        self._usual = {pair: math.log(p) for pair, p in usual.items()}
        self._unseen = [math.log(SMOOTHING / (total + room)) if room else 0.0 for total in totals]
        self._seen = [
            {pair: math.log((n + SMOOTHING) / (total + room)) for pair, n in count.items()}
            for count, total in zip(counts, totals, strict=True)
        ]

    def of(self, text: str) -> list[float]:
        """For each class the nats by which its pairs speak for it; pairs never seen say nothing."""
        pairs = [pair for pair in set(_pairs(text)) if pair in self._usual]
        return [
            sum(seen.get(pair, unseen) - self._usual[pair] for pair in pairs)
            for seen, unseen in zip(self._seen, self._unseen, strict=True)
        ]


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    return pairwise(sounds(clean(text)))


def _keyword_chars(category: Category, text: str) -> float:
    """How many characters of the category's keywords are in the cleaned `text`; late ones count less."""
    return sum(
        len(word) * (1 - LATER * max(text.find(word), 0) / len(text))
        for word in category.keywords
        if says(text, word)
    )


def _holds(text: str, word: str) -> bool:
    """Whether `text` says `word` without denying it; from three syllables on by sound."""
    at = text.find(word)
    return not _DENIED.search(text[:at]) if at >= 0 else says(text, word)


def _alternatives(line: str | Sequence[str]) -> list[list[str]]:
    return [words.split("|") for words in ([line] if isinstance(line, str) else line)]


def _category(given: Mapping[str, Any]) -> Category:
    lists = {
        name: tuple(given[name]) for name in ("keywords", "problem", "examples", "ask") if given.get(name)
    }
    return Category(**{**given, "problem": (), **lists})


def load_taxonomy(path: Path = _HERE / "taxonomy.yaml") -> Taxonomy:
    """The city's categories from `path`; raises OSError or yaml.YAMLError where it cannot be read."""
    return Taxonomy(cast("Mapping[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8"))))
