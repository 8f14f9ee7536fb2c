"""How likely a caller's words report a trouble, rather than ask what holds.

Callers put troubles as questions (路灯黑了一个礼拜怎么没人来修), and tell a story before they ask for a rule.
So no single word decides: what was said is put in numbers (`Signs`), which a logistic curve weighs. Its
weights were fitted (bench/reports_training.py) to the labelled first words of calls and questions for tuning.
The words that show a sign are data (troubles.yaml).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from dialog.words import strip_fillers
from dialog.yaml_text import read_yaml

MOST_CHARS = 50  # a longer story tells no more by its length
LAST_CHARS = 12  # where the question of a sentence stands, if it has one
MOST_WORDS = 5  # of trouble that are counted

_HERE = Path(__file__).parent
_PARTICLES = "(?:了|的)?(?:吗|嘛|么|呢|啊|呀)?"  # at the end of a question that only complains


class Signs(NamedTuple):
    """What of a caller's words tells whether they report a trouble."""

    troubles: float  # words of trouble, as the city lists them
    known: float  # how well one of the city's categories knows the matter, 0..1
    named: float  # 1 where it says what the city lists as a problem: 停水, 暖气不热
    chars: float  # length, in twenties
    asks: float  # 1 where something is asked for to be told
    asks_last: float  # 1 where that stands at the end
    rhetoric: float  # questions that only complain
    demands: float  # something is to be done about it
    plans: float  # 1 where callers tell what they plan or have heard
    entitled: float  # what they may be entitled to is asked
    grudges: float  # words said only of what annoys
    redress: float  # 1 where a loss shall be made good


class _Shown(NamedTuple):
    """What shows each sign."""

    rhetoric: re.Pattern[str]
    demands: re.Pattern[str]
    asks: re.Pattern[str]
    plans: re.Pattern[str]
    entitled: re.Pattern[str]
    grudges: re.Pattern[str]
    redress: re.Pattern[str]


WEIGHTS = Signs(0.65, 2.79, 1.04, 5.26, -3.00, -1.44, -1.54, -0.68, -2.77, -1.66, 0.57, 0.07)
BEGIN = -5.97
MAY_BE, IS_LIKELY = 0.3, 0.5  # at least so likely are words, few as they may be, that `_least` tells of
KNOWN_LITTLE, KNOWN = 0.2, 0.5  # how well the matter of a bare statement is known


def signs(text: str, words: Sequence[str], *, known: float, named: bool) -> Signs:
    """The numbers of `text`; `words` are the city's words of trouble."""
    said = strip_fillers(text)
    troubles = sum(word in said for word in words)
    shown = _shown()
    plain = shown.demands.sub("，", shown.rhetoric.sub("，", said))
    return Signs(
        troubles=min(troubles, MOST_WORDS),
        known=known,
        named=named,
        chars=min(len(said), MOST_CHARS) / 20,
        asks=bool(shown.asks.search(plain)),
        asks_last=bool(shown.asks.search(plain[-LAST_CHARS:])),
        rhetoric=_count(shown.rhetoric, said, 2),
        demands=_count(shown.demands, said, 2),
        plans=_count(shown.plans, said, 1),
        entitled=_count(shown.entitled, said, 2),
        grudges=_count(shown.grudges, said, 2),
        redress=_count(shown.redress, said, 1),
    )


def likely_report(told: Signs) -> float:
    """How likely these are the signs of a report that something is wrong, 0..1."""
    odds = BEGIN + sum(weight * sign for weight, sign in zip(WEIGHTS, told, strict=True))
    likely = 1 / (1 + math.exp(-odds))
    return max(likely, _least(told))


def _least(told: Signs) -> float:
    """How likely words are at least: a loss told and redress asked for, or no more than stated (路灯坏了)."""
    if told.plans or told.entitled:
        return 0.0
    stated = not (told.asks or told.rhetoric)
    if stated and told.troubles and told.known >= KNOWN:
        return IS_LIKELY
    loss = told.redress and (told.troubles or told.grudges)
    return MAY_BE if loss or (stated and (told.troubles or told.known >= KNOWN_LITTLE)) else 0.0


@lru_cache(maxsize=1)
def _shown() -> _Shown:
    data = cast("dict[str, list[str]]", read_yaml((_HERE / "troubles.yaml").read_text(encoding="utf-8")))
    forms = {sign: "|".join(lines) for sign, lines in data.items()}
    forms["rhetoric"] = f"(?:{forms['rhetoric']}){_PARTICLES}"
    return _Shown(**{sign: re.compile(form) for sign, form in forms.items()})


def _count(pattern: re.Pattern[str], text: str, most: int) -> float:
    return float(min(sum(1 for _ in pattern.finditer(text)), most))
