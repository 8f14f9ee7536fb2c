"""What callers asked that had no answer, the same matter counted once: what the knowledge base lacks.

It holds callers' words: for those who keep the knowledge, never for a log.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from dialog.intents import polarity
from dialog.wording import canonical
from records import china_now
from records.store import Store

KINDS = ("transfer", "rephrase", "confirm", "choice")
_HAD_NONE = ("no_answer", "not_understood")  # why a caller was transferred
_BARE = 6  # characters: a yes or no that is longer says more
_LEAST = 2  # characters of what may be a question at all
_NO = ("不是", "不对", "错了")
_LIKE = 0.5  # the part of two questions' telling pairs of characters that they share
# How it is asked, not what about.
_FORM = re.compile(
    "怎么样?|怎样|如何|在?哪[里儿个些]?|多少钱?|多久|多长时间|什么|是否|[能可要]不[能可要]|可以|需要|需不|有没有|能否|办理"
    "|[吗呢吧啊的了我你您请想要去到在办以]"
)


class Unanswered(NamedTuple):
    """A question without an answer, the call it was asked in, and when that began (ISO 8601)."""

    text: str
    call_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A matter asked about in `count` calls, of which one is named; `text` is how one caller said it."""

    text: str
    count: int
    call_id: str
    last_at: str


@dataclass(slots=True)
class _Group:
    text: str
    pairs: frozenset[str]
    calls: dict[str, str] = field(default_factory=dict)  # id of a call -> when it began


def gaps(store: Store, days: int, limit: int, *, now: datetime | None = None) -> list[Gap]:
    """The `limit` matters most asked about in vain in the last `days`. Raises RecordsError."""
    since = (now or china_now()) - timedelta(days=days)
    return grouped(unanswered(store.turns_of_calls_with(KINDS, since)))[:limit]


def gaps_of(store: Store) -> Callable[[int, int], list[dict[str, Any]]]:
    """The same as the desk answers with it."""
    return lambda days, limit: [asdict(gap) for gap in gaps(store, days, limit)]


def unanswered(turns: Sequence[Mapping[str, Any]]) -> Iterator[Unanswered]:
    """The questions in calls (turns in order, call by call) that the agent decided it cannot answer."""
    for call_id, call in groupby(turns, key=lambda turn: turn["call_id"]):
        asked, offered = "", ""
        for turn in call:
            if turn["who"] == "caller" and turn["text"]:
                says = polarity(turn["text"])
                if offered and (says is False or turn["text"].startswith(_NO)):
                    yield Unanswered(offered, call_id, turn["started_at"])
                offered = ""
                if says is None or len(turn["text"]) > _BARE:
                    asked = turn["text"]
            elif turn["who"] == "agent" and asked:
                decision = turn["decision"]
                kind = decision.get("kind")
                if kind == "rephrase" or (kind == "transfer" and decision.get("why") in _HAD_NONE):
                    yield Unanswered(asked, call_id, turn["started_at"])
                offered = asked if kind in ("confirm", "choice") else ""


def grouped(questions: Iterable[Unanswered]) -> list[Gap]:
    """Questions that share what is telling in them, as one; those asked in the most calls first."""
    found = sorted(questions, key=lambda one: one.at, reverse=True)
    pairs = {one.text: _pairs(one.text) for one in found}
    common = Counter(pair for held in pairs.values() for pair in held)
    weight = {pair: math.log(1 + len(pairs) / times) for pair, times in common.items()}
    groups: list[_Group] = []
    holding: dict[str, list[_Group]] = defaultdict(list)
    for one in found:
        group = _likest(pairs[one.text], holding, weight)
        if group is None:
            group = _Group(one.text, pairs[one.text])
            groups.append(group)
            for pair in group.pairs:
                holding[pair].append(group)
        group.calls.setdefault(one.call_id, one.at)
    counted = [
        Gap(group.text, len(group.calls), *next(iter(group.calls.items()))) for group in groups if group.pairs
    ]
    return sorted(counted, key=lambda gap: gap.count, reverse=True)


def _pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters of what is asked, without fillers."""
    whole = canonical(text)
    if len(whole) < _LEAST:
        return frozenset()
    words = _FORM.sub("", whole) or whole
    return frozenset(a + b for a, b in pairwise(words)) or frozenset(words)


def _likest(
    pairs: frozenset[str], holding: Mapping[str, Sequence[_Group]], weight: Mapping[str, float]
) -> _Group | None:
    shared: dict[int, float] = defaultdict(float)
    groups: dict[int, _Group] = {}
    for pair in pairs:
        for group in holding.get(pair, ()):
            groups[id(group)] = group
            shared[id(group)] += weight[pair]
    if not shared:
        return None
    which, most = max(shared.items(), key=lambda item: item[1] / (1 + len(groups[item[0]].pairs)))
    both = sum(weight[pair] for held in (pairs, groups[which].pairs) for pair in held)
    return groups[which] if 2 * most >= _LIKE * both else None
