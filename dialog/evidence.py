"""A closer look at the few passages that fit a caller's words best: what tells a hit from a near miss.

Of a near miss most words are there, and the one that counts is not: another paper, another place, an aspect
that nothing is said about. What a passage lacks is therefore looked at from all sides: where it stands in the
words, whether the knowledge base knows it elsewhere, whether the passage says it in other words
(dialog/meanings.py), whether another passage has it. None of it hangs on the size of the knowledge base.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialog.coverage import NEXT, Occurrence, Query, Shares
from dialog.meanings import Named

if TYPE_CHECKING:
    from dialog.matching import Known

WHOLE = 0.8  # from this credit on a character is held together with a neighbour
SAME_MEANING = 0.85  # credit of a character of a word for which the passage has another
SURELY_UNKNOWN = 0.999  # how telling a pair of syllables is that no phrasing holds
PART = 3  # the beginning and the end of what is said are this part of it
_FIRST, _LAST = 4, 6  # characters at the very beginning and end
_REMEMBERED = 4096  # passages of which is remembered what their phrasings ask

# What can be asked of a matter, in canonical words.
_ASKED = tuple(
    re.compile(words)
    for words in (
        "多少钱|几块|价格|多少",
        "要多久|多久|几天",
        "在哪|哪个",
        "什么时候|几月|几点|哪天",
        "打什么电话|电话",
        "什么材料|什么|哪些",
        "找谁|谁管|谁",
        "可以|行吗|允许|能",
        "怎么",
        "为什么|为啥|怎么回事",
        "吗|不$|没$|还是|要不要|是不是|算不算|用不用",
        "丢|没了",
        "多大|几岁|几年|几个|几次|几",
    )
)


class Words(NamedTuple):
    """What a caller said: canonical, as heard, as it is looked for, and the words of the thesaurus in it.

    `rare` is by character how telling the commonest pair of syllables is that it stands in, inf without any.
    """

    text: str
    sound: str
    query: Query
    rare: Shares
    named: Sequence[Named]

    @property
    def groups(self) -> list[int]:
        """Of the thesaurus, that are named."""
        return sorted(frozenset[int]().union(*(one.groups for one in self.named)))


class Compared(NamedTuple):
    """What a caller's words and passages have in common, a passage a row.

    `held` and `asked` are by character how far it is in the passage and in its phrasings alone, `meant` and
    `meant_asked` the same in these or other words; `has` says by group of the thesaurus that the words name
    whether the passage names it. `likeness` is by phrasing how like the words it is, `said` how much of it is
    in the words, 0 where there are fewer; `first` is how much of the words is in the first phrasing.
    """

    words: Words
    known: Sequence[Known]
    held: Shares
    asked: Shares
    has: NDArray[np.bool_]
    meant: Shares
    meant_asked: Shares
    likeness: Shares
    said: Shares
    first: Shares

    def of(self, which: NDArray[np.intp]) -> Compared:
        """The same of some of the passages."""
        return Compared(
            self.words,
            [self.known[at] for at in which],
            held=self.held[which],
            asked=self.asked[which],
            has=self.has[which],
            meant=self.meant[which],
            meant_asked=self.meant_asked[which],
            likeness=self.likeness[which],
            said=self.said[which],
            first=self.first[which],
        )

    def share(self, credits: Shares) -> Shares:
        """The share of the words, by their telling characters, that these credits are."""
        return self.words.query.share(credits)


def compared(words: Words, known: Sequence[Known]) -> Compared:
    """What the words and each of the passages that are `known` have in common."""
    occurs = words.query.occurrence([one.text for one in known], [one.phrasings for one in known])
    groups = words.groups
    has = np.array([[group in one.groups for group in groups] for one in known], np.bool_)
    meant, meant_asked = occurs.held.copy(), occurs.asked.copy()
    for one in words.named:
        places = [groups.index(group) for group in one.groups]
        rows = np.flatnonzero(has[:, places].any(axis=1))
        span = np.s_[rows, one.start : one.end]
        meant[span] = np.maximum(meant[span], SAME_MEANING)
        meant_asked[span] = np.maximum(meant_asked[span], SAME_MEANING)
    return Compared(
        words, known, occurs.held, occurs.asked, has, meant, meant_asked, *_likeness(occurs, known)
    )


def _likeness(occurs: Occurrence, known: Sequence[Known]) -> tuple[Shares, Shares, Shares]:
    """By passage and phrasing how like the words it is, and what share of it these are; see Compared."""
    counts = np.array([one.phrasings for one in known])
    places = np.arange(counts.max())
    at = np.minimum(occurs.first[:, None] + places, len(occurs.share) - 1)
    inside = places < counts[:, None]
    said = occurs.of_row[at] * inside
    # A caller wraps a question in circumstances that no phrasing holds; what is asked must be there.
    likeness = occurs.share[at] ** 0.6 * said**0.4
    return likeness, said, occurs.share[occurs.first]


def closely(found: Compared) -> dict[str, Shares]:
    """By its name what tells whether each of the passages is meant, a number each."""
    return _places(found) | _phrasings(found) | _meanings(found) | _aspects(found)


def _places(found: Compared) -> dict[str, Shares]:
    """Where in the words what is held and what is lacking stands, and how telling the most telling is."""
    weights, total, credits = found.words.query.weights, found.words.query.total, found.held
    lost, holds = weights * (1 - credits), weights * credits
    count = len(weights)
    part = max(count // PART, 1)
    held, asked = found.share(credits), found.share(found.asked)
    whole = found.asked >= WHOLE
    unknown = (found.words.rare >= SURELY_UNKNOWN) & np.isfinite(found.words.rare)
    most_lost, most_held = _greatest(lost, 2), _greatest(holds, 3)
    same = np.full(len(held), 1.0)
    return {
        "run": longest(lost, credits < WHOLE),
        "head": holds[:, :part].sum(axis=1) / max(float(weights[:part].sum()), 1e-9),
        "tail": holds[:, -part:].sum(axis=1) / max(float(weights[-part:].sum()), 1e-9),
        "begins": lost[:, :_FIRST].sum(axis=1),
        "ends": lost[:, -_LAST:].sum(axis=1),
        "asked": asked,
        "answers": held - asked,
        "unknown": same * float(weights[unknown].sum()) / total,
        "elsewhere_known": (lost * ~unknown).sum(axis=1),
        "characters": same * count,
        "telling": same * float(weights.sum()),
        "ahead": _ahead(held),
        "asked_ahead": _ahead(asked),
        "whole": whole.mean(axis=1),
        "whole_share": (weights * whole).sum(axis=1) / total,
        "whole_most": (weights * whole).max(axis=1),
        "lost_most": most_lost[:, 0],
        "lost_next": most_lost[:, 1],
        "held_most": most_held[:, 0],
        "held_third": most_held[:, 2],
    }


def _phrasings(found: Compared) -> dict[str, Shares]:
    """How like the words the phrasings are: the question itself, the likest, all of them."""
    counts = np.array([one.phrasings for one in found.known])
    likest = -np.sort(-found.likeness, axis=1)
    mean = likest.sum(axis=1) / counts
    return {
        "question": found.first,
        "question_said": found.said[:, 0],
        "spread": likest[:, :3].sum(axis=1) / np.minimum(counts, 3) - mean,
        "five": likest[:, :5].sum(axis=1) / np.minimum(counts, 5),
        "likest_ahead": _ahead(likest[:, 0]),
    }


def _meanings(found: Compared) -> dict[str, Shares]:
    """What is held in these or other words, and how many words of the thesaurus are lacking."""
    weights, groups = found.words.query.weights, found.words.groups
    held, asked = found.share(found.meant), found.share(found.meant_asked)
    part = max(len(weights) // PART, 1)
    has = np.zeros((len(found.known), len(found.words.named)), np.bool_)
    lacks = np.zeros(has.shape)
    for at, one in enumerate(found.words.named):
        has[:, at] = found.has[:, [groups.index(group) for group in one.groups]].any(axis=1)
        lacking = ~has[:, at] & (found.held[:, one.start : one.end].min(axis=1) < WHOLE)
        lacks[:, at] = lacking * float(weights[one.start : one.end].sum())
    named = frozenset(groups)
    near = [max((len(named & wording) for wording in one.by_wording), default=0) for one in found.known]
    return {
        "meant_asked": asked,
        "meant_more": held - found.share(found.held),
        "meant_run": longest(weights * (1 - found.meant), found.meant < WHOLE),
        "meant_tail": (weights * found.meant)[:, -part:].sum(axis=1)
        / max(float(weights[-part:].sum()), 1e-9),
        "meant_together": np.array(near) / max(len(groups), 1),
        "named_held": has.sum(axis=1).astype(float),
        "named_lost": (lacks > 0).sum(axis=1).astype(float),
        "lost_words": lacks.sum(axis=1),
        "lost_word": lacks.max(axis=1, initial=0.0),
        "meant_ahead": _ahead(held),
        "meant_asked_ahead": _ahead(asked),
        "named": np.full(len(held), float(len(groups))),
    }


def _aspects(found: Compared) -> dict[str, Shares]:
    """What share of the phrasings ask what the words ask (how much …): on average, and at least."""
    asks = [at for at, pattern in enumerate(_ASKED) if pattern.search(found.words.text)]
    if not asks:
        everything = np.ones(len(found.known))
        return {"aspects": everything, "aspect_least": everything}
    shares = np.array([_asking(one.said, one.phrasings) for one in found.known])[:, asks]
    return {"aspects": shares.mean(axis=1), "aspect_least": shares.min(axis=1)}


@lru_cache(_REMEMBERED)
def _asking(said: str, phrasings: int) -> tuple[float, ...]:
    """What share of the phrasings, which stand before all else that is `said`, asks each of _ASKED."""
    wordings = said.split(NEXT)[:phrasings]
    return tuple(sum(bool(ask.search(text)) for text in wordings) / phrasings for ask in _ASKED)


def _greatest(values: Shares, count: int) -> Shares:
    """Of each row the greatest, first the greatest; 0 where there are fewer."""
    padded = np.pad(values, ((0, 0), (0, count)))
    greatest: Shares = -np.sort(-padded, axis=1)[:, :count]
    return greatest


def _ahead(values: Shares) -> Shares:
    """How far each is ahead of the best other one; behind is below 0."""
    if len(values) < 2:
        return values.astype(np.float64)
    order = np.argsort(-values, kind="stable")
    best = np.full(len(values), values[order[0]])
    best[order[0]] = values[order[1]]
    ahead: Shares = values - best
    return ahead


def longest(values: Shares, counted: NDArray[np.bool_]) -> Shares:
    """Of each row the greatest sum over characters one after another all of which are `counted`."""
    total = np.cumsum(np.where(counted, values, 0.0), axis=1)
    before = np.maximum.accumulate(np.where(counted, 0.0, total), axis=1)
    greatest: Shares = (total - before).max(axis=1)
    return greatest
