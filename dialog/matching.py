"""How sure it is that a passage is what a caller's words are about.

tantivy gathers candidates by BM25 over characters and pinyin (dialog/knowledge_index.py); each is rated:

- A character is as telling as the commonest pair of syllables that it stands in, counted over the passages:
  停水 tells much, 打什么电话 little, though each of its characters may be rare.
- What the caller says must be in the passage: in its phrasings, its answer, or what the answer shows to tell.
- The phrasings must, on average, be about what the caller says: a single likeness may be chance.
- The aspects asked for must be told: a fee does not answer what is paid for damage.
- Passages about a rival of what is named (医保 is no 公积金), or about a case of it that was not asked for
  (what to do once it is lost), fall far behind.
- The score is how likely the passage is the right one: a logistic curve over its fit, and over how far it
  leads the others. BM25 cannot be compared between queries; this can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialog.coverage import ANSWER, NEXT, Numbers, Query, Shares, Text, heard, laid, together
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


def known(said: str, sound: str, place: str) -> Known:
    """Of the texts of one passage, phrasings before ANSWER, clauses of the answer behind it."""
    wordings = said[: said.index(ANSWER)].split(NEXT)
    sounds = sound[: sound.index(ANSWER)].split(NEXT)
    said, sound = said.replace(ANSWER, NEXT), sound.replace(ANSWER, NEXT)
    about = matter(said, sound)
    pairs = zip(wordings, sounds, strict=True) if about.cases else ()
    named = Counter(case for pair in pairs for case in cases(*pair))
    usual = frozenset(case for case, times in named.items() if times > len(wordings) / 2)
    return Known(said, laid(said, sound), len(wordings), about, usual, place)


class Features(NamedTuple):
    """Of candidates (one number each) what tells whether they are meant."""

    held: Shares  # share of the query that the passage holds anywhere
    likest: Shares  # likeness of the phrasing that is most like the query
    average: Shares  # likeness of the phrasings on average
    best: Shares  # the same of the three likest
    said: Shares  # share of the likest phrasing that the query holds
    asked: Shares  # share of the query that the likest phrasing holds
    missing: Shares  # how telling the most telling character is that the passage lacks
    missing_next: Shares  # and the next: one may be misheard
    found: Shares  # logarithm of all that the passage holds of the query
    lost: Shares  # and of what it lacks
    untold: Shares  # how many aspects of the query it says nothing about
    bm25: Shares  # logarithm
    elsewhere: Shares  # 1 for another place
    rival: Shares  # 1 where it names rivals of what was named, or lacks a case that was
    unasked: Shares  # 1 for a case that was not asked for
    near: Shares  # 1 for the passage whose vector is nearest to the query's, less for the next, 0 for most


def features(
    text: str, candidates: Sequence[Known], bm25: Sequence[float], rarity: Callable[[Numbers], Shares]
) -> Features:
    """What tells which of `candidates` the canonical `text` is about; at least one of these is needed."""
    sound = heard(text)
    query = Query(laid(text, sound), lambda some: _telling(some, rarity))
    about = matter(text, sound)
    texts = [one.text for one in candidates]
    rows, first = together(texts)
    asked, said = query.shares(rows)
    # A caller wraps a question in circumstances that no phrasing holds; what is asked must be there.
    likeness = asked**0.6 * said**0.4
    spans = [slice(at, at + one.phrasings) for at, one in zip(first.tolist(), candidates, strict=True)]
    likest = [int(likeness[span].argmax()) + span.start for span in spans]
    credits = query.credits(texts)
    lacks = np.sort((1 - credits) * query.weights, axis=1)
    return Features(
        held=query.share(credits),
        likest=likeness[likest],
        average=np.array([likeness[span].mean() for span in spans]),
        best=np.array([np.sort(likeness[span])[-3:].mean() for span in spans]),
        said=said[likest],
        asked=asked[likest],
        missing=lacks[:, -1],
        missing_next=lacks[:, -2:][:, 0],
        found=np.log1p((credits * query.weights).sum(axis=1)),
        lost=np.log1p(lacks.sum(axis=1)),
        untold=np.array(untold(text, [one.said for one in candidates]), float),
        bm25=np.log(bm25),
        elsewhere=np.array([bool(one.place) and one.place not in sound for one in candidates], float),
        rival=np.array([one.about.lacks(about) for one in candidates], float),
        unasked=np.array([not one.usual <= about.cases for one in candidates], float),
        near=np.zeros(len(candidates)),
    )


def _telling(text: Text, rarity: Callable[[Numbers], Shares]) -> Shares:
    """How telling each character is: as the commonest pair of syllables that it stands in."""
    rarities = rarity(text.pairs)
    rarities[text.pairs == 0] = np.inf
    telling = np.minimum(rarities[:-1], rarities[1:])
    telling[np.isinf(telling)] = 1.0
    weights: Shares = telling * _OF_CHARACTER[text.chars]
    return weights


# What `python -m bench.retrieval_training` prints.
FIT = {
    "held": 3.59,
    "average": 4.84,
    "best": 3.00,
    "said": 1.95,
    "missing": -1.68,
    "bm25": 4.52,
    "elsewhere": -1.22,
    "rival": -0.91,
    "unasked": -0.55,
}
SURE = {
    "share": 0.59,
    "lead": 0.40,
    "best": 5.69,
    "found": 2.43,
    "lost": 1.63,
    "missing": -1.94,
    "missing_next": -3.00,
}
BEGIN = -6.28
NEAR = 3.0  # how much the nearest vector adds to a fit: chosen, not fitted, since every model differs
UNTOLD = 1.5  # taken off the odds for each aspect that is not told: chosen, since 3.0 does no better
ANOTHER = 3.0  # taken off the odds of a passage for another place, thing or case than the caller's
SHARPER = 3.0  # the share of the best among those like it is told by so much more of their lead
LITERAL = 0.8  # from this likeness to one phrasing on the score rises to 1.0, however unlike the others are


class Rated(NamedTuple):
    """Of candidates: how likely each is the one meant, and how likely it is this one or the next best."""

    order: list[int]  # best first
    score: list[float]
    either: list[float]


def against_best(found: Features) -> Features:
    """With bm25 as a part of the best one's."""
    return found._replace(bm25=np.exp(found.bm25 - found.bm25.max()))


def fits(found: Features) -> Shares:
    """How well each candidate fits, comparable only between candidates for one query."""
    relative = against_best(found)
    fit: Shares = sum((weight * getattr(relative, name) for name, weight in FIT.items()), NEAR * found.near)
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


def _likely(found: Features, order: NDArray[np.intp], shares: Shares, lead: Shares) -> Shares:
    """How likely it is, for candidates in `order`, that what the query is about is among these."""
    known = {name: getattr(found, name)[order] for name in SURE if name in Features._fields}
    known |= {"share": shares, "lead": lead}
    less = (ANOTHER * _another(found) + UNTOLD * found.untold)[order]
    odds = BEGIN + sum(SURE[name] * value for name, value in known.items()) - less
    likely: Shares = 1 / (1 + np.exp(-odds))
    return likely


def _another(found: Features) -> Shares:
    another: Shares = np.maximum(np.maximum(found.elsewhere, found.rival), found.unasked)
    return another


def rated(found: Features) -> Rated:
    """How likely each candidate is the one meant."""
    fit = fits(found)
    order, shares, lead = standing(fit)
    ranked = fit[order]
    own = _parts(SHARPER * (ranked - ranked[0]))
    alone = _likely(found, order, shares, lead) * own
    # This or the next best: both together against the one behind them.
    ahead = ranked - np.append(ranked, [ranked[-1]] * 2)[2:]
    either = _likely(found, order, shares + np.append(shares[1:], 0.0), ahead) * (
        own + np.append(own[1:], 0.0)
    )
    literal = np.clip((found.likest[order] - LITERAL) / (1 - LITERAL), 0.0, 1.0) * (
        1 - _another(found)[order]
    )
    score = np.minimum.accumulate(np.maximum(alone, literal))
    either = np.maximum(score, either)
    return Rated(order.tolist(), score.round(4).tolist(), either.round(4).tolist())
