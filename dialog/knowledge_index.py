"""The index of passages that tantivy keeps, in a folder or in memory; of one version of the knowledge.

A document holds a passage whole, its texts as written and as heard (dialog/coverage.py), and the terms by
which it is found: characters and syllables, single and in pairs. How telling a pair of syllables is comes
from tantivy's own document frequencies. Of a passage nothing is kept in memory but what was lately looked at.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tantivy

from dialog.coverage import ANSWER, NEXT, PAIRS, SYLLABLES, Numbers, Shares, heard, syllable
from dialog.evidence import compared
from dialog.matching import Known, features, known, rated, words
from dialog.meanings import FILE, thesaurus
from dialog.passages import Passage
from dialog.vectors import name_of
from dialog.wording import canonical, rewritten, tells
from dialog.words import clean

STATE = "state.json"  # beside the index: its format, and the revision of the knowledge that it holds
HEAP_BYTES = 64_000_000  # of the writer; what is beyond goes into another segment
TERMS_BUDGET = 50_000  # entries of the inverted index that a query may read: rare terms come first
CANDIDATES = 32  # passages that are scored closely
CACHED = 512  # searches that are remembered: a session asks again when its caller goes on after a pause
KEPT = 2048  # passages whose texts are kept ready for scoring
_ALWAYS = 1 << 40  # the day on which a passage without valid_to ends
_CLAUSE = re.compile("[，。；：、！？]")
_PAGE = 1000
_GROUPS = 0x100  # groups of the thesaurus are kept as characters from here on


class Found(NamedTuple):
    """A passage that may be meant: where it stands in the index, and how likely it is, 0..1."""

    at: tuple[int, int]
    score: float
    either: float  # how likely it is this one or the next best


class Candidate(NamedTuple):
    """A passage that BM25 finds: where it stands in the index, what is known of its texts, its BM25.

    BM25 grows with the logarithm of how many passages there are; here it is parted by that.
    """

    at: tuple[int, int]
    known: Known
    bm25: float


class View:
    """One state of the index: what a search reads does not change under it."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher
        self._rarities = np.full(PAIRS, np.nan, np.float32)
        self._looked_at = lru_cache(KEPT)(self._known)
        self.search = lru_cache(CACHED)(self._search)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def rarity(self, pairs: Numbers) -> Shares:
        """How telling pairs of syllables are, 0..1, by the number of passages whose phrasings hold them."""
        found = self._rarities[pairs]
        if np.isnan(found).any():
            total = max(len(self), 1)
            for pair in np.unique(pairs[np.isnan(found)]).tolist():
                term = syllable(pair // SYLLABLES) + syllable(pair % SYLLABLES)
                count = min(self._searcher.doc_freq("asked", term), total)
                self._rarities[pair] = math.log(1 + total / (1 + count)) / math.log(1 + total)
            found = self._rarities[pairs]
        return found.astype(np.float64)

    def _search(self, text: str, day: date, near: Sequence[int] = ()) -> Sequence[Found]:
        """The passages valid on `day` that canonical `text` may mean, best first.

        `near` are the names of the vectors nearest to that of the text, nearest first.
        """
        candidates = self.candidates(text, day, CANDIDATES) if text else []
        ranks = self._ranks(near, day)
        # What only the vector finds shares fewer words with the query than all that BM25 found.
        least = min((one.bm25 for one in candidates), default=1.0)
        found = {one.at for one in candidates}
        candidates += [Candidate(at, self._looked_at(at), least) for at in ranks if at not in found]
        if not candidates or not text:
            return ()
        found_of = compared(words(text, self.rarity), [one.known for one in candidates])
        by_rank = [1 / (1 + ranks[one.at] / 2) if one.at in ranks else 0.0 for one in candidates]
        told = features(found_of, [one.bm25 for one in candidates])._replace(near=np.array(by_rank))
        result = rated(found_of, told)
        ranked = zip(result.order, result.score, result.either, strict=True)
        return tuple(Found(candidates[which].at, score, either) for which, score, either in ranked)

    def candidates(self, text: str, day: date, count: int) -> list[Candidate]:
        """The `count` passages valid on `day` that BM25 finds for canonical `text`."""
        query = self._query(text)
        asked = count
        while True:
            hits = self._searcher.search(query, asked, count=False).hits
            valid = self._valid([address for _, address in hits], day)
            found = [hit for hit, good in zip(hits, valid, strict=True) if good][:count]
            if len(found) == count or len(hits) < asked:
                break
            asked *= 4
        places = [(address.segment_ord, address.doc) for _, address in found]
        unit = math.log1p(len(self))
        return [
            Candidate(at, self._looked_at(at), score / unit)
            for at, (score, _) in zip(places, found, strict=True)
        ]

    def _ranks(self, near: Sequence[int], day: date) -> dict[tuple[int, int], int]:
        """Where the passages stand that these vectors are of, with their rank; those valid on `day`."""
        ranks: dict[tuple[int, int], int] = {}
        for name in near:
            hits = self._searcher.search(self._term("vector", name), 1, count=False).hits
            addresses = [address for _, address in hits]
            if all(self._valid(addresses, day)):
                ranks |= {(address.segment_ord, address.doc): len(ranks) for address in addresses}
        return ranks

    def vector_names(self) -> Iterator[int]:
        """The names of the vectors of all passages."""
        for addresses in self._addresses():
            for name in self._searcher.fast_field_values("vector", addresses):
                yield int(name or 0)

    def named(self, vector_name: int) -> Passage | None:
        """The passage that the vector of that name is of."""
        found = self._searcher.search(self._term("vector", vector_name), 1, count=False).hits
        return _passage(self._searcher.doc(found[0][1])) if found else None

    def _query(self, text: str) -> tantivy.Query:
        """Any of the terms of `text`, the rarest first as far as the budget goes."""
        sound = heard(text)
        terms = {*_terms(text, sound), *_meanings(one.groups for one in thesaurus().named(text, sound))}
        counted = sorted((self._searcher.doc_freq("terms", term), term) for term in terms)
        chosen: list[tuple[tantivy.Occur, tantivy.Query]] = []
        spent = 0
        for times, term in counted:
            spent += times
            if chosen and spent > TERMS_BUDGET:
                break
            if times:
                chosen.append((tantivy.Occur.Should, self._term("terms", term)))
        return tantivy.Query.boolean_query(chosen)

    def _term(self, field: str, value: str | int) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, "freq")

    def _valid(self, addresses: list[tantivy.DocAddress], day: date) -> list[bool]:
        if not addresses:
            return []
        begin, end = (
            np.array(self._searcher.fast_field_values(name, addresses), np.int64)
            for name in ("valid_from", "valid_to")
        )
        valid: list[bool] = ((begin <= day.toordinal()) & (day.toordinal() <= end)).tolist()
        return valid

    def _known(self, at: tuple[int, int]) -> Known:
        document = self._searcher.doc(tantivy.DocAddress(*at))
        said, sound, place, meant = (
            document[name][0].decode() for name in ("said", "heard", "place", "meant")
        )
        return known(said, sound, place, [_groups(wording) for wording in meant.split(NEXT)])

    def passage(self, at: tuple[int, int]) -> Passage:
        """The passage that stands there."""
        return _passage(self._searcher.doc(tantivy.DocAddress(*at)))

    def get(self, passage_id: str) -> Passage | None:
        """The passage of that id."""
        found = self._searcher.search(self._term("id", passage_id), 1, count=False).hits
        return _passage(self._searcher.doc(found[0][1])) if found else None

    def all(self) -> Iterator[Passage]:
        """All passages."""
        for addresses in self._addresses():
            for address in addresses:
                yield _passage(self._searcher.doc(address))

    def _addresses(self) -> Iterator[list[tantivy.DocAddress]]:
        """Of all passages, page by page."""
        every = tantivy.Query.all_query()
        for offset in range(0, len(self), _PAGE):
            hits = self._searcher.search(every, _PAGE, count=False, offset=offset).hits
            yield [address for _, address in hits]


class PassageIndex:
    """The index on disk (or in memory, without `folder`): opened, written, and read through views.

    An index that a crash left unreadable, or that another version of the program made, is begun anew: its
    `revision` is then 0, so that whoever keeps the passages puts all of them in again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.revision = _kept_revision(folder) if folder else 0
        if folder and self.revision == 0:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._index = self._open()
        self.view = View(self._index.schema, self._index.searcher())

    def _open(self) -> tantivy.Index:
        if not self._folder:
            return tantivy.Index(_schema())
        try:
            return tantivy.Index(_schema(), path=str(self._folder), reuse=True)
        except (OSError, ValueError):
            shutil.rmtree(self._folder)
            self._folder.mkdir(parents=True)
            self.revision = 0
            return tantivy.Index(_schema(), path=str(self._folder))

    def write(
        self,
        changed: Sequence[Passage],
        removed: Collection[str],
        revision: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Put `changed` in and take `removed` out; after a crash all of it holds, or nothing."""
        writer = self._index.writer(heap_size=HEAP_BYTES, num_threads=1)
        for passage_id in removed:
            writer.delete_documents_by_term("id", passage_id)
        for done, passage in enumerate(changed, start=1):
            writer.delete_documents_by_term("id", passage.id)
            writer.add_document(_document(passage))
            if progress and (done % 100 == 0 or done == len(changed)):
                progress(done, len(changed))
        writer.commit()
        self._index.reload()
        self.view = View(self._index.schema, self._index.searcher())
        self._note(revision)
        writer.wait_merging_threads()
        self._index.reload()
        self.view = View(self._index.schema, self._index.searcher())

    def _note(self, revision: int) -> None:
        """Written after the commit: a crash in between puts the same changes in once more."""
        self.revision = revision
        if self._folder:
            draft = self._folder / f"{STATE}.new"
            draft.write_text(json.dumps({"format": _format(), "revision": revision}), encoding="utf-8")
            draft.replace(self._folder / STATE)


def _kept_revision(folder: Path) -> int:
    """The revision of the index in `folder`; 0 where there is none that can be read."""
    try:
        state: Any = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return int(state["revision"]) if state["format"] == _format() else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


@lru_cache(maxsize=1)
def _format() -> str:
    """What the documents hang on: tantivy, pypinyin, and the files by which texts are rewritten."""
    files = ("words.py", "wording.py", "coverage.py", "vectors.py", "knowledge_index.py")
    code = zlib.crc32(b"".join(Path(__file__).with_name(name).read_bytes() for name in (*files, FILE)))
    return f"tantivy {version('tantivy')}, pypinyin {version('pypinyin')}, code {code:08x}"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="freq")
    builder.add_unsigned_field("valid_from", fast=True)
    builder.add_unsigned_field("valid_to", fast=True)
    builder.add_unsigned_field("vector", indexed=True, fast=True)  # the name of its vector
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("asked", tokenizer_name="whitespace", index_option="basic")
    for name in ("said", "heard", "place", "meant", "passage"):
        builder.add_bytes_field(name, stored=True)
    return builder.build()


def _document(passage: Passage) -> tantivy.Document:
    phrasings = [text for text in map(canonical, (passage.question, *passage.phrasings)) if text]
    answer = f"{passage.answer}，{passage.topic}，{passage.department}"
    clauses = _clauses(answer)
    read = [heard(text) for text in phrasings]
    read_clauses = [heard(text) for text in clauses]
    terms = [
        term
        for pair in zip((*phrasings, *clauses), (*read, *read_clauses), strict=True)
        for term in _terms(*pair)
    ]
    named = [thesaurus().groups_in(text) for text in (*phrasings, *clauses)]
    terms += _meanings(named)
    stored = {field.name: getattr(passage, field.name) for field in fields(Passage)}
    document = tantivy.Document()
    document.add_text("id", passage.id)
    document.add_unsigned("valid_from", passage.valid_from.toordinal() if passage.valid_from else 0)
    document.add_unsigned("valid_to", passage.valid_to.toordinal() if passage.valid_to else _ALWAYS)
    document.add_unsigned("vector", name_of(passage))
    document.add_text("terms", " ".join(terms))
    document.add_text("asked", " ".join({a + b for text in read for a, b in pairwise(text)}))
    document.add_bytes("said", ANSWER.join((NEXT.join(phrasings), NEXT.join(clauses))).encode())
    document.add_bytes("heard", ANSWER.join((NEXT.join(read), NEXT.join(read_clauses))).encode())
    document.add_bytes("meant", NEXT.join(map(_named, named)).encode())
    document.add_bytes("place", heard(canonical(passage.district))[:2].encode())
    document.add_bytes("passage", json.dumps(stored, ensure_ascii=False, default=str).encode())
    return document


def _clauses(answer: str) -> list[str]:
    """The clauses of an answer, and which questions it shows to answer."""
    return [rewritten(text) for text in map(clean, (*_CLAUSE.split(answer), *tells(answer))) if text]


def _meanings(named: Iterable[frozenset[int]]) -> list[str]:
    """The terms by which groups of the thesaurus are found."""
    return [f"={group}" for groups in named for group in groups]


def _named(groups: frozenset[int]) -> str:
    """The groups that a text names, a character each."""
    return "".join(chr(_GROUPS + group) for group in sorted(groups))


def _groups(named: str) -> frozenset[int]:
    """What `_named` wrote."""
    return frozenset(ord(char) - _GROUPS for char in named)


def _passage(document: tantivy.Document) -> Passage:
    stored: dict[str, Any] = json.loads(document["passage"][0])
    stored["phrasings"] = tuple(stored["phrasings"])
    for name in ("valid_from", "valid_to"):
        stored[name] = date.fromisoformat(stored[name]) if stored[name] else None
    return Passage(**stored)


def _terms(said: str, sound: str) -> list[str]:
    """Characters and their pairs, syllables and their pairs: what BM25 counts."""
    pairs = [a + b for text in (said, sound) for a, b in pairwise(text)]
    return [*said, *sound, *pairs]
