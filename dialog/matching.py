"""Finds the entry that a caller's words are about, and how sure that is, by characters and by sound.

tantivy gathers entries by BM25 over characters and pinyin; then each is scored anew:

- A character is as telling as the commonest pair of syllables that it stands in, counted over the entries:
  停水 tells much, 打什么电话 little, though each of its characters may be rare.
- What the caller says must be in the entry: in its phrasings, its answer, or what the answer shows to tell.
- The phrasings must, on average, be about what the caller says: a single likeness may be chance.
- Entries about a rival of what is named (医保 is no 公积金), or about a case of it that was not asked for
  (what to do once it is lost), fall far behind.
- The score is how likely the entry is the right one: a logistic curve over its fit, and over how far it leads
  the others. BM25 cannot be compared between queries; this can.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import tantivy

from dialog.coverage import Lexicon, Phrase, Query
from dialog.wording import canonical, cases, matter, tells
from dialog.words import sounds

CANDIDATES = 32  # entries that are scored closely
CACHED = 512  # searches that are remembered: a session asks again when its caller goes on after a pause

# From here on fitted by logistic regression to right and wrong finds in the sample knowledge, each phrasing
# asked while it, or its whole passage, was left out (docs/decisions/dialog.md).
SAID, LIKE, SHORT = 0.43, 0.47, 0.10  # the parts of a fit: see `_fits`
SHARPNESS = 22.5  # how fast a lower fit loses its share to the best
PER_FIT, PER_SHARE, BEGIN = 5.5, 3.0, -5.5  # of the logistic curve: see `_score`

ELSEWHERE = 0.3  # taken off the fit of an entry for another place, thing or case than the caller's
LITERAL = 0.8  # from this likeness to one phrasing on the score rises to 1.0, however unlike the others are

# Words that shape a question but do not say what it is about.
_COMMON = frozenset(
    "的了吗呢吧啊呀我你您他她它是有在要能可以会想请问什么怎么么样就都也还这那个一下给把被和跟与去到得着过"
)
_COMMON_WEIGHT = 0.25
_CLAUSE = re.compile("[，。；：、！？]")


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be found: its phrasings, the `text` that answers, and the `place` it alone is for ("" any)."""

    phrasings: Sequence[str]
    text: str = ""
    place: str = ""


class Found(NamedTuple):
    """An entry (its index) and how likely it is the one meant, 0..1."""

    entry: int
    score: float
    either: float  # how likely it is this one or the next best


class _Fit(NamedTuple):
    fit: float
    likest: float  # likeness of the phrasing that is most like the query


class Matcher:
    """An index over entries; immutable."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        wordings = [[text for text in map(canonical, entry.phrasings) if text] for entry in entries]
        answers = [
            [canonical(part) for part in (*_CLAUSE.split(entry.text), *tells(entry.text))]
            for entry in entries
        ]
        self._entries = max(len(entries), 1)
        # Counted per entry, not per phrasing: a word in all phrasings of one entry still tells it apart.
        self._counts: Counter[tuple[str, ...]] = Counter()
        for texts in wordings:
            self._counts.update({pair for text in texts for pair in pairwise(sounds(text))})
            self._counts.update({(sound,) for text in texts for sound in sounds(text)})
        self._lexicon = Lexicon()
        self._phrases = [self._lexicon.lay([self._phrase(text) for text in texts]) for texts in wordings]
        self._held = [self._lexicon.hold(texts + more) for texts, more in zip(wordings, answers, strict=True)]
        self._told = [matter("，".join(texts + more)) for texts, more in zip(wordings, answers, strict=True)]
        self._cases = [_usual_cases(texts) for texts in wordings]
        self._places = [sounds(entry.place)[:2] for entry in entries]
        self._searcher = self._index(texts + more for texts, more in zip(wordings, answers, strict=True))
        everything = self._searcher.search(tantivy.Query.all_query(), self._entries, count=False).hits
        self._entry_at = {
            (at.segment_ord, at.doc): int(self._searcher.doc(at)["entry"][0]) for _, at in everything
        }
        self._remembered = lru_cache(CACHED)(self._search)

    def search(self, text: str) -> Sequence[Found]:
        """Entries, best first."""
        return self._remembered(canonical(text))

    def _search(self, text: str) -> Sequence[Found]:
        candidates = self._candidates(text) if text else []
        if not candidates:
            return ()
        fits = dict(zip(candidates, self._fits(text, candidates), strict=True))
        ranked = sorted(fits, key=lambda entry: -fits[entry].fit)
        odds = [math.exp(SHARPNESS * fits[entry].fit) for entry in ranked]
        total = sum(odds)
        shares = [odd / total for odd in odds]
        found = []
        for entry, share, next_share in zip(ranked, shares, [*shares[1:], 0.0], strict=True):
            score = _score(fits[entry], share)
            either = _score(fits[entry], share + next_share)
            found.append(Found(entry, round(score, 4), round(either, 4)))
        return tuple(sorted(found, key=lambda one: -one.score))

    def _phrase(self, text: str) -> Phrase:
        """The text with how telling each character is: as the commonest pair of syllables it stands in."""
        heard = sounds(text)
        pairs = tuple(pairwise(heard))
        rarities = [self._rarity(pair) for pair in pairs]
        if rarities:
            telling = list(map(min, [rarities[0], *rarities], [*rarities, rarities[-1]]))
        else:
            telling = [self._rarity(heard)]
        weights = [
            rarity * (_COMMON_WEIGHT if char in _COMMON else 1.0)
            for char, rarity in zip(text, telling, strict=True)
        ]
        return Phrase(text, pairs, weights)

    def _rarity(self, heard: tuple[str, ...]) -> float:
        return math.log(1 + self._entries / (1 + self._counts[heard])) / math.log(1 + self._entries)

    def _index(self, texts: Iterable[Sequence[str]]) -> tantivy.Searcher:
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("entry", stored=True)
        builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
        index = tantivy.Index(builder.build())
        writer = index.writer(heap_size=15_000_000, num_threads=1)
        for entry, parts in enumerate(texts):
            document = tantivy.Document()
            document.add_unsigned("entry", entry)
            document.add_text("terms", " ".join(term for part in parts for term in _terms(part)))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._schema = index.schema
        return index.searcher()

    def _candidates(self, text: str) -> list[int]:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "terms", term, "freq"))
            for term in set(_terms(text))
        ]
        found = self._searcher.search(tantivy.Query.boolean_query(terms), CANDIDATES, count=False)
        return [self._entry_at[at.segment_ord, at.doc] for _, at in found.hits]

    def _fits(self, text: str, candidates: Sequence[int]) -> list[_Fit]:
        """How well entries fit, about 0..1: by how much of the query they hold, by how like the query their
        phrasings are on average, and by how much of the likest phrasing the query holds."""
        phrase, about = self._phrase(text), matter(text)
        query = Query(phrase, self._lexicon)
        held = query.share_in([self._held[entry] for entry in candidates]).tolist()
        asked, said = query.shares([self._phrases[entry] for entry in candidates])
        # A caller wraps a question in circumstances that no phrasing holds; what is asked must be there.
        likeness, shorts = (asked**0.6 * said**0.4).tolist(), said.tolist()
        fits = []
        end = 0
        for entry, share in zip(candidates, held, strict=True):
            begin, end = end, end + len(self._phrases[entry].totals)
            likest = max(likeness[begin:end], default=0.0)
            short = shorts[likeness.index(likest, begin, end)] if likest else 0.0
            average = sum(likeness[begin:end]) / max(end - begin, 1)
            place = self._places[entry]
            elsewhere = (
                (bool(place) and place not in phrase.pairs)
                or self._told[entry].lacks(about)
                or not self._cases[entry] <= about.cases
            )
            fit = SAID * share + LIKE * average + SHORT * short
            fits.append(_Fit(fit - ELSEWHERE * elsewhere, likest))
        return fits


def _usual_cases(texts: Sequence[str]) -> frozenset[int]:
    """The cases that more than half of the texts name."""
    named = Counter(case for text in texts for case in cases(text))
    return frozenset(case for case, times in named.items() if times > len(texts) / 2)


def _terms(text: str) -> list[str]:
    """Characters and their bigrams, syllables and their bigrams: the fields that BM25 fuses."""
    heard = sounds(text)
    pairs = [a + b for a, b in pairwise(text)]
    sound_pairs = [f"{a}_{b}" for a, b in pairwise(heard)]
    return [*text, *pairs, *(f"_{s}" for s in heard), *sound_pairs]


def _score(found: _Fit, share: float) -> float:
    """How likely a find is right; `share` 0..1 is its part of all that may be meant."""
    evidence = PER_FIT * found.fit + PER_SHARE * share + BEGIN
    literal = (found.likest - LITERAL) / (1 - LITERAL)
    return max(1 / (1 + math.exp(-evidence)), min(literal, 1.0))
