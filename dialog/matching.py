"""How sure it is that a passage is what a caller's words are about.

tantivy gathers candidates by BM25 over characters and pinyin (dialog/knowledge_index.py); each is rated:

- A character is as telling as the commonest pair of syllables that it stands in, counted over the passages:
  停水 tells much, 打什么电话 little, though each of its characters may be rare.
- What the caller says must be in the passage: in its phrasings, its answer, or what the answer shows to tell.
- The phrasings must, on average, be about what the caller says: a single likeness may be chance.
- The aspects asked for must be told: a fee does not answer what is paid for damage.
- Passages about a rival of what is named (医保 is no 公积金), or about a case of it that was not asked for
  (what to do once it is lost), fall far behind.
- The score is how likely the passage is the right one, by what a closer look at the best few tells
  (dialog/evidence.py, dialog/sureness.py). None of it hangs on how many passages there are, so a score means
  the same in a knowledge base of twenty and of thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialog.coverage import ANSWER, NEXT, Numbers, Query, Shares, Text, heard, laid
from dialog.evidence import WHOLE, Compared, Words, closely, longest
from dialog.meanings import thesaurus
from dialog.sureness import load
from dialog.wording import Matter, cases, matter, untold

# Words that shape a question but do not say what it is about.
_COMMON = (
    "的了吗呢吧啊呀我你您他她它是有在要能可以会想请问什么怎么么样就都也还这那个一下给把被和跟与去到得着过"
)
_COMMON_WEIGHT = 0.25
_OF_CHARACTER = np.ones(1 << 16)
_OF_CHARACTER[[ord(char) for char in _COMMON]] = _COMMON_WEIGHT


class Known(NamedTuple):
    """What is known of a passage's texts: `phrasings` of its rows are phrasings, the others its answer."""

    said: str  # all of it, as written
    text: Text
    phrasings: int
    about: Matter
    usual: frozenset[int]  # cases that more than half of the phrasings name
    place: str  # how the place it alone is for begins, as heard; "" any
    by_wording: tuple[frozenset[int], ...]  # the groups of the thesaurus that each row names
    groups: frozenset[int]  # that any does


def known(said: str, sound: str, place: str, by_wording: Sequence[frozenset[int]]) -> Known:
    """Of the texts of one passage, phrasings before ANSWER, clauses of the answer behind it."""
    asked = said[: said.index(ANSWER)], sound[: sound.index(ANSWER)]
    wordings, sounds = (text.split(NEXT) for text in asked)
    said, sound = said.replace(ANSWER, NEXT), sound.replace(ANSWER, NEXT)
    about = matter(said, sound)
    pairs = zip(wordings, sounds, strict=True) if about.cases else ()
    named = Counter(case for pair in pairs for case in cases(*pair))
    usual = frozenset(case for case, times in named.items() if times > len(wordings) / 2)
    groups = frozenset[int]().union(*by_wording)
    text = laid(said, sound)
    return Known(said, text, len(wordings), about, usual, place, tuple(by_wording), groups)


class Features(NamedTuple):
    """Of candidates (one number each) what tells whether they are meant."""

    held: Shares  # share of the query that the passage holds anywhere
    likest: Shares  # likeness of the phrasing that is most like the query
    average: Shares  # likeness of the phrasings on average
    best: Shares  # the same of the three likest
    said: Shares  # share of the likest phrasing that the query holds
    missing: Shares  # how telling the most telling character is that the passage lacks
    found: Shares  # logarithm of all that the passage holds of the query
    lost: Shares  # and of what it lacks
    alone: Shares  # share of it that is one stretch, times what is lacking: 一个月要多少钱 may be chance
    second: Shares  # how telling the most telling character but one is that it holds
    phrasings: Shares  # logarithm of how many phrasings there are: one of many is sooner like the query
    untold: Shares  # how many aspects of the query it says nothing about
    bm25: Shares  # logarithm
    told: Shares  # BM25 against how telling the query is: more where the passage says it again and again
    elsewhere: Shares  # 1 for another place
    rival: Shares  # 1 where it names rivals of what was named, or lacks a case that was
    unasked: Shares  # 1 for a case that was not asked for
    meant: Shares  # share of the query that the passage holds in these or other words
    near: Shares  # 1 for the passage whose vector is nearest to the query's, less for the next, 0 for most


def words(text: str, rarity: Callable[[Numbers], Shares]) -> Words:
    """Of canonical `text`."""
    sound = heard(text)
    said = laid(text, sound)
    query = Query(said, lambda some: _telling(some, rarity))
    return Words(text, sound, query, _rarest(said, rarity), thesaurus().named(text, sound))


def features(found: Compared, bm25: Sequence[float]) -> Features:
    """What tells which of the candidates the words are about."""
    text, sound, query = found.words[:3]
    about = matter(text, sound)
    counts = np.array([one.phrasings for one in found.known])
    likest, best = found.likeness.argmax(axis=1), _most(found.likeness, 3)
    held = found.share(found.held)
    holds, lacks = found.held * query.weights, (1 - found.held) * query.weights
    return Features(
        held=held,
        likest=best[:, 0],
        average=found.likeness.sum(axis=1) / counts,
        best=best.sum(axis=1) / np.minimum(counts, 3),
        said=np.take_along_axis(found.said, likest[:, None], axis=1)[:, 0],
        missing=lacks.max(axis=1),
        found=np.log1p(holds.sum(axis=1)),
        lost=np.log1p(lacks.sum(axis=1)),
        alone=longest(holds, found.held >= WHOLE) / np.maximum(holds.sum(axis=1), 1e-9) * (1 - held),
        second=_most(holds, 2)[:, -1],
        phrasings=np.log(counts),
        untold=np.array(untold(text, [one.said for one in found.known]), float),
        bm25=np.log(bm25),
        told=np.array(bm25) / query.weights.sum(),
        elsewhere=np.array([bool(one.place) and one.place not in sound for one in found.known], float),
        rival=np.array([one.about.lacks(about) for one in found.known], float),
        unasked=np.array([not one.usual <= about.cases for one in found.known], float),
        meant=found.share(found.meant),
        near=np.zeros(len(counts)),
    )


def _most(values: Shares, count: int) -> Shares:
    """Of each row the greatest, first the greatest."""
    most: Shares = -np.sort(-values, axis=1)[:, :count]
    return most


def _telling(text: Text, rarity: Callable[[Numbers], Shares]) -> Shares:
    """How telling each character is: as the commonest pair of syllables that it stands in."""
    telling = _rarest(text, rarity)
    telling[np.isinf(telling)] = 1.0
    telling *= _OF_CHARACTER[text.chars]
    return telling


def _rarest(text: Text, rarity: Callable[[Numbers], Shares]) -> Shares:
    """How telling the commonest pair of syllables is that each character stands in; inf without a pair."""
    pairs = rarity(text.pairs)
    pairs[text.pairs == 0] = np.inf
    rarest: Shares = np.minimum(pairs, np.append(pairs[1:], np.inf))
    return rarest


CLOSE = 8  # candidates that are looked at closely
NEAR = 3.0  # how much the nearest vector adds to a fit: chosen, not fitted, since every model differs
UNTOLD = 1.5  # taken off the odds for each aspect that is not told: chosen, the fit would have 2.0
ANOTHER = 3.0  # and of a passage for another place, thing or case than the caller's: chosen, seldom asked for
LITERAL = 0.8  # from this likeness to one phrasing on the score rises to 1.0, however unlike the others are


class Rated(NamedTuple):
    """Of candidates: how likely each is the one meant, and how likely it is this one or the next best."""

    order: list[int]  # best first
    score: list[float]
    either: list[float]


def against_best(told: Features) -> Features:
    """With bm25 as a part of the best one's."""
    return told._replace(bm25=np.exp(told.bm25 - told.bm25.max()))


def fits(told: Features, ranks: Mapping[str, float]) -> Shares:
    """How well each candidate fits, comparable only between candidates for one query."""
    relative = against_best(told)
    fit: Shares = sum((weight * getattr(relative, name) for name, weight in ranks.items()), NEAR * told.near)
    return fit


def standing(fit: Shares) -> tuple[NDArray[np.intp], Shares, Shares]:
    """Candidates by their fit, best first: which, their part of all that may be meant, and their lead.

    The lead of the best is that over the next; of the others, how far they are behind it (below 0).
    """
    order = np.argsort(-fit, kind="stable")
    ranked = fit[order]
    lead = ranked - ranked[0]
    shares = _parts(lead)
    lead[0] -= lead[1] if len(lead) > 1 else 0.0
    return order, shares, lead


def _parts(logarithms: Shares) -> Shares:
    parts: Shares = np.exp(logarithms) / np.exp(logarithms).sum()
    return parts


class Looked(NamedTuple):
    """Candidates by their fit, best first; `table` and `less` are of the first CLOSE only.

    `table` is by its name what tells how likely each is meant, `less` what is taken off the odds (logarithm).
    """

    order: NDArray[np.intp]
    table: dict[str, Shares]
    less: Shares


def looked_at(found: Compared, told: Features, ranks: Mapping[str, float]) -> Looked:
    """What tells how likely each of the best candidates, by `ranks`, is the one meant."""
    order, shares, lead = standing(fits(told, ranks))
    near = order[:CLOSE]
    table = {name: getattr(told, name)[near] for name in Features._fields if name != "near"}
    table |= {"share": shares[:CLOSE], "lead": lead[:CLOSE]}
    table |= closely(found.of(near))
    return Looked(order, table, (ANOTHER * _another(told) + UNTOLD * told.untold)[near])


def _another(told: Features) -> Shares:
    another: Shares = np.maximum(np.maximum(told.elsewhere, told.rival), told.unasked)
    return another


def rated(found: Compared, told: Features) -> Rated:
    """How likely each candidate is the one meant."""
    ranks, trees = load()
    order, table, less = looked_at(found, told, ranks)
    likely = 1 / (1 + np.exp(less - trees.odds(table)))
    again = np.argsort(-likely, kind="stable")  # a closer look may show another to be the better one
    order[: len(again)], likely = order[again], likely[again]
    likely /= max(1.0, float(likely[:2].sum()))  # only one can be meant
    likely = np.append(likely, np.full(len(order) - len(likely), likely[-1]))
    literal = np.clip((told.likest[order] - LITERAL) / (1 - LITERAL), 0.0, 1.0)
    score = np.minimum.accumulate(np.maximum(likely, literal * (1 - _another(told)[order])))
    either = np.minimum(score + np.append(score[1:], 0.0), 1.0)
    return Rated(order.tolist(), score.round(4).tolist(), either.round(4).tolist())
