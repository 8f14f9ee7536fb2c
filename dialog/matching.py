"""How sure it is that a passage is what a caller's words are about.

tantivy gathers candidates by BM25 over characters and pinyin (dialog/knowledge_index.py); each is rated:

- A character is as telling as the commonest pair of syllables that it stands in, counted over the passages:
  停水 tells much, 打什么电话 little, though each of its characters may be rare.
- What the caller says must be in the passage: in its phrasings, its answer, or what the answer shows to tell.
- The phrasings must, on average, be about what the caller says: a single likeness may be chance.
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

from dialog.coverage import ANSWER, NEXT, Numbers, Query, Shares, Text, heard, laid, together
from dialog.wording import Matter, cases, matter

# Words that shape a question but do not say what it is about.
_COMMON = (
    "的了吗呢吧啊呀我你您他她它是有在要能可以会想请问什么怎么么样就都也还这那个一下给把被和跟与去到得着过"
)
_COMMON_WEIGHT = 0.25
_OF_CHARACTER = np.ones(1 << 16)
_OF_CHARACTER[[ord(char) for char in _COMMON]] = _COMMON_WEIGHT


class Known(NamedTuple):
    """What is known of a passage's texts: `phrasings` of its rows are phrasings, the others its answer."""

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
    named = Counter(case for pair in zip(wordings, sounds, strict=True) for case in cases(*pair))
    usual = frozenset(case for case, times in named.items() if times > len(wordings) / 2)
    return Known(laid(said, sound), len(wordings), matter(said, sound), usual, place)


class Features(NamedTuple):
    """Of candidates (one number each) what tells whether they are meant."""

    held: Shares  # share of the query that the passage holds anywhere
    likest: Shares  # likeness of the phrasing that is most like the query
    average: Shares  # likeness of the phrasings on average
    best: Shares  # the same of the three likest
    said: Shares  # share of the likest phrasing that the query holds
    asked: Shares  # share of the query that the likest phrasing holds
    missing: Shares  # how telling the most telling character is that the passage lacks
    bm25: Shares  # part of the best candidate's
    elsewhere: Shares  # 1 for another place
    rival: Shares  # 1 where it names rivals of what was named, or lacks a case that was
    unasked: Shares  # 1 for a case that was not asked for


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
    lacks = ((1 - credits) * query.weights).max(axis=1)
    return Features(
        held=query.share(credits),
        likest=likeness[likest],
        average=np.array([likeness[span].mean() for span in spans]),
        best=np.array([np.sort(likeness[span])[-3:].mean() for span in spans]),
        said=said[likest],
        asked=asked[likest],
        missing=lacks,
        bm25=np.array(bm25) / max(bm25),
        elsewhere=np.array([bool(one.place) and one.place not in sound for one in candidates], float),
        rival=np.array([one.about.lacks(about) for one in candidates], float),
        unasked=np.array([not one.usual <= about.cases for one in candidates], float),
    )


def _telling(text: Text, rarity: Callable[[Numbers], Shares]) -> Shares:
    """How telling each character is: as the commonest pair of syllables that it stands in."""
    rarities = rarity(text.pairs)
    rarities[text.pairs == 0] = np.inf
    telling = np.minimum(rarities[:-1], rarities[1:])
    telling[np.isinf(telling)] = 1.0
    weights: Shares = telling * _OF_CHARACTER[text.chars]
    return weights


# Fitted by logistic regression to right and wrong finds (docs/decisions/dialog.md).
SAID, LIKE, SHORT = 0.43, 0.47, 0.10
ELSEWHERE = 0.3
SHARPNESS = 22.5  # how fast a lower fit loses its share to the best
PER_FIT, PER_SHARE, BEGIN = 5.5, 3.0, -5.5
LITERAL = 0.8  # from this likeness to one phrasing on the score rises to 1.0, however unlike the others are


class Rated(NamedTuple):
    """Of candidates: how likely each is the one meant, and how likely it is this one or the next best."""

    order: list[int]  # best first
    score: list[float]
    either: list[float]


def rated(found: Features) -> Rated:
    """How likely each candidate is the one meant."""
    lost = np.maximum(np.maximum(found.elsewhere, found.rival), found.unasked)
    fit = SAID * found.held + LIKE * found.average + SHORT * found.said - ELSEWHERE * lost
    order = np.argsort(-fit, kind="stable")
    odds = np.exp(SHARPNESS * fit[order])
    shares = odds / odds.sum()
    following = np.append(shares[1:], 0.0)
    literal = np.clip((found.likest[order] - LITERAL) / (1 - LITERAL), 0.0, 1.0)
    score, either = (
        np.maximum(1 / (1 + np.exp(-(PER_FIT * fit[order] + PER_SHARE * share + BEGIN))), literal)
        for share in (shares, shares + following)
    )
    best = np.argsort(-score, kind="stable")
    return Rated(order[best].tolist(), score[best].round(4).tolist(), either[best].round(4).tolist())
