"""What complaints and requests are about: the city's categories, in a plain YAML file beside this one.

A category is found by its keywords, and by how much the words lean to its examples. Those are learnt when the
file is loaded: a city's own file needs no training of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from dialog import Expects
from dialog.likeness import Likeness
from dialog.troubles import Signs, likely_report, signs
from dialog.words import clean, says
from dialog.yaml_text import read_yaml

Kind: TypeAlias = Literal["投诉", "举报", "求助", "建议", "报修", "咨询"]
ASKED = ("place", "time")  # between the matter and the name, where a category says nothing else

# Chosen by leaving out one example after another (bench/intake_training.py).
PER_KEYWORD = 0.02  # what a character of a keyword counts, beside likeness, which is 0..1
LATER = 0.5  # less that a keyword at the very end counts: first comes what it is, last what it does to people
LIKELY = 0.5  # from this likelihood on words count as the report of a trouble
LEAST_LIKE = 0.08  # to the best category, where no keyword was said; less tells nothing
WELL_LIKE = 0.3  # what is so like the examples is known well
SURE = 0.02  # by which the best category must lead to be known, where no keyword was said
CERTAIN = 0.08  # and to be told to a person as known

_HERE = Path(__file__).parent
_REMEMBERED = 512
# Where it is says little of what it is: of 流浪狗在学校门口 the school is not the matter.
_NEARBY = re.compile(
    "(?:就?在[一-鿿]{2,6}?|[一-鿿]{2,3})(?:门口|旁边|附近|对面|后面|前面|楼下|门前|周边|边上)"
)
# On what it is, or which way it is in: of 摊子支在非机动车道上 neither is the matter, unless nothing else is.
_WHEREON = re.compile("(?:在|到|往)[一-鿿]{2,10}?(?:上|里头|里面|里|中间)")
# Who was asked for help in vain: 物业贴个条子就完事了, 街道说让我等等.
_PASSED_ON = re.compile(
    "(?:(?:找|跟|给|问|向)了?)?(?:物业|社区|居委会|街道办?|村委会|村里|派出所|城管|客服)(?:的人|那边|公司)?"
    "(?:也|都|就|只|还|又|老)*(?:说|让|叫|贴|推|不管|不理|管不了|不出面|过来看|过来瞅).*$"
)
# Who calls: 我是退休教师 is not about pensions.
_WHO_I_AM = re.compile(
    "我(?:就)?是(?:个|一个|一名|名|位|咱们?)?(?:退休|下岗|离休|返聘|外地|本地)*(?:的)?"
    "(?:教师|老师|工人|职工|干部|医生|护士|司机|军人|老兵|警察|会计|学生|老师傅|厨师|快递员|外卖员|骑手|保安|保洁|环卫工人?|退休人员)(?!的)"
)
_ELSEWHERE = 0.5  # of its weight a keyword has there
_LEAST_ALONE = 4  # characters that tell enough without who was asked in vain
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
    when: Literal["about", "day", "hour"] = "about"  # how exactly it must be known when


class _Best(NamedTuple):
    """The likeliest category of some words."""

    category: Category
    like: float  # to its examples, 0..1
    lead: float  # before the next, in leaning
    own: bool  # a keyword of it was said
    named: bool  # a keyword of any was said


class Taxonomy:
    """Sorts a complaint by its words into category, department and urgency."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Raises KeyError or TypeError where `data` has not the form of taxonomy.yaml."""
        self.slots = {name: Asked(**given) for name, given in (data.get("slots") or {}).items()}
        self._categories = [_category(given) for given in data["categories"]]
        self._default = Category(**data["default"])
        self._trouble = tuple(data.get("trouble") or ())
        self._urgent = [_alternatives(line) for line in data["urgent"]]
        self._like = Likeness(
            [one.examples for one in self._categories], [one.keywords for one in self._categories]
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
        best = self._ranked(clean(text))
        return best.category if best and (best.named or best.like >= LEAST_LIKE) else self._default

    def find(self, text: str) -> Category | None:
        """The category that `text` is about, or None where that could only be guessed."""
        best = self._ranked(clean(text))
        return best.category if best and (best.named or best.lead >= SURE) else None

    def certain(self, text: str) -> Category | None:
        """The category of `text`, or None where it is a guess: what no category is for looks like any."""
        best = self._ranked(clean(text))
        if not best or best.lead < CERTAIN:
            return None
        return best.category if best.own or self.is_problem(text) else None

    def is_problem(self, text: str) -> bool:
        """Whether `text` tells of something that is wrong, though nobody said 投诉; it may ask as well."""
        return self._names_problem(text) or self.problem(text) >= LIKELY

    def problem(self, text: str) -> float:
        """How likely `text` reports that something is wrong, rather than asks, 0..1."""
        return likely_report(self.signs(text))

    def signs(self, text: str) -> Signs:
        """What of `text` tells whether it reports a trouble."""
        return signs(text, self._trouble, known=self._known(text), named=self._names_problem(text))

    def _known(self, text: str) -> float:
        """How well some category knows the matter, 0..1: by a keyword, and by how like its examples it is."""
        best = self._ranked(clean(text))
        return (best.own + min(best.like / WELL_LIKE, 1.0)) / 2 if best else 0.0

    def urgency(self, text: str) -> Literal["normal", "urgent"]:
        """Whether a work order about `text` can wait; real emergencies never become one."""
        text = clean(text)
        told = any(all(any(_holds(text, word) for word in words) for words in line) for line in self._urgent)
        return "urgent" if told else "normal"

    def _names_problem(self, text: str) -> bool:
        text = clean(text)
        named = any(says(text, word) for category in self._categories for word in category.problem)
        return named and not _WISH.search(text)

    def _rank(self, text: str) -> _Best | None:
        if not text or not self._categories:
            return None
        without_place = _NEARBY.sub("，", _WHO_I_AM.sub("，", text))
        text = without_place if len(without_place) >= _LEAST_LEFT else text
        keywords = [_keyword_chars(one, text) for one in self._categories]
        alone = _PASSED_ON.sub("", text)
        like, leaning = self._like.of(alone if len(alone) >= _LEAST_ALONE else text)
        scores = [PER_KEYWORD * chars + points for chars, points in zip(keywords, leaning, strict=True)]
        first, *others = sorted(scores, reverse=True)
        lead = first - others[0] if others else first
        at = scores.index(first)
        return _Best(self._categories[at], like[at], lead, own=keywords[at] > 0, named=any(keywords))


def _keyword_chars(category: Category, text: str) -> float:
    """How many characters of the category's keywords are in the cleaned `text`; late ones count less."""
    said = [word for word in category.keywords if says(text, word)]
    # 电瓶车 says no more than once what 电瓶 says.
    said = [word for word in said if not any(word in longer for longer in said if longer != word)]
    aside = [found.span() for form in (_WHEREON, _PASSED_ON) for found in form.finditer(text)]
    return sum(_counts(word, text, aside) for word in said)


def _counts(word: str, text: str, aside: Sequence[tuple[int, int]]) -> float:
    """How many characters a keyword counts; fewer late in the text, and in what is said `aside`."""
    at = max(text.find(word), 0)
    elsewhere = word in text and any(start <= at and at + len(word) <= end for start, end in aside)
    return len(word) * (1 - LATER * at / len(text)) * (_ELSEWHERE if elsewhere else 1.0)


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
    return _taxonomy(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)  # several parts of the program ask for the same
def _taxonomy(text: str) -> Taxonomy:
    return Taxonomy(cast("Mapping[str, Any]", read_yaml(text)))
