"""What callers want done about their matter, from its first word to the end of what they say.

It begins with a word that wishes (希望, 能不能, 要求), or a last clause does: 我要按保价赔, 给催一下. What
sets a thing right, who is asked, and the forms in which callers wish are data (wishes.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from dialog.words import clean
from dialog.yaml_text import read_yaml

_HERE = Path(__file__).parent
_LEAST = 2  # characters of a wish
_LAST_CLAUSES = 3  # in which a wish is looked for by how a clause begins
_SHORTEST, _LONGEST = 5, 18  # characters of a clause that wishes, where no pauses were heard
_CLAUSES = re.compile("[，。；！？,;!?]+")

_THANKS = re.compile("(?:谢|多谢|感谢|辛苦|麻烦|拜托).{0,6}$")


class Forms(NamedTuple):
    """The forms of wishes.yaml, each by a wish that it finds."""

    anywhere: Mapping[str, re.Pattern[str]]
    clauses: Mapping[str, re.Pattern[str]]  # of a whole clause
    last_clause: Mapping[str, re.Pattern[str]]  # of a whole clause with nothing after it
    told: re.Pattern[str]  # what no clause that wishes says
    unpaused: re.Pattern[str]  # how a clause that wishes begins where no pauses were heard
    not_before: re.Pattern[str]  # what does not stand before it


@lru_cache(maxsize=1)
def forms() -> Forms:
    """The forms, read once."""
    data: dict[str, Any] = read_yaml((_HERE / "wishes.yaml").read_text(encoding="utf-8"))
    parts = {name: _any(words) for name, words in data.items() if isinstance(words, list)}
    parts["single"] = "".join(word for word in data["remedies"] if len(word) == 1)
    for name, part in data["parts"].items():
        parts[name] = Template(part).safe_substitute(parts)

    def compiled(kind: str) -> dict[str, re.Pattern[str]]:
        return {wish: re.compile(Template(form).safe_substitute(parts)) for wish, form in data[kind].items()}

    told, unpaused, not_before = (
        re.compile(Template(form).safe_substitute(parts))
        for form in ("|".join(data["told"]), data["unpaused"], data["not_before"])
    )
    whole = (compiled("forms"), compiled("clauses"), compiled("last_clause"))
    return Forms(*whole, told=told, unpaused=unpaused, not_before=not_before)


def _any(words: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def wish_in(text: str) -> str:
    """What the caller wants done, from its first word to the end of `text`; "" where they do not say."""
    found = [match for form in forms().anywhere.values() if (match := form.search(text))]
    begin = min((match.start() for match in found if len(text) - match.start() >= _LEAST), default=-1)
    return text[begin:] if begin >= 0 else ""


def wish_in_clauses(text: str) -> str:
    """As `wish_in`, by how the last clauses of `text` begin, where pauses were heard as commas; cleaned."""
    clauses = [said for clause in _CLAUSES.split(text) if (said := clean(clause))]
    if len(clauses) == 1:
        return _unpaused(clauses[0])
    if _THANKS.match(clauses[-1]):
        clauses.pop()
    last = range(max(len(clauses) - _LAST_CLAUSES, 0), len(clauses))
    wishes = [at for at in last if _wishes(clauses[at], last=at == last[-1])]
    if not wishes:
        return ""
    begin = wishes[-1]
    while begin - 1 in wishes:
        begin -= 1
    return "".join(clauses[begin:])


def _unpaused(text: str) -> str:
    """The longest end of `text`, in which no pause was heard, that is a wish; "" where none is."""
    every = forms()
    for begin in range(max(len(text) - _LONGEST, _SHORTEST), len(text) - _SHORTEST + 1):
        lead = every.unpaused.match(text, begin) and not every.not_before.search(text[:begin])
        if lead and _wishes(text[begin:], last=True):
            return text[begin:]
    return ""


def _wishes(clause: str, *, last: bool) -> bool:
    every = forms()
    if any(form.match(clause) for form in every.last_clause.values()) and last:
        return True
    return not every.told.search(clause) and any(form.match(clause) for form in every.clauses.values())
