"""What a recogniser should listen for in this city: its places, its departments, and what is asked about."""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable

from dialog.passages import Passage
from dialog.places import Gazetteer

LIMIT = 500  # more blunt the recogniser for all other words
_MOST_TERMS = 200
_SHORTEST = 3  # characters; shorter terms sound like too much else
_COMMON = 300  # occurrences in jieba's corpus from which on a word is general vocabulary
_NOUNS = ("n", "vn", "j")  # jieba's tags: nouns, of verbs too, and abbreviations
_OF_THE_CITY = re.compile("^[市区县](?=.{3})")  # callers say 民政局


def hotwords_of(passages: Iterable[Passage], gazetteer: Gazetteer, *, limit: int = LIMIT) -> list[str]:
    """At most `limit` words for an engine's hotwords: names of places first, each word once.

    Loads jieba's dictionary, which takes a second or two: only for engines that take hotwords.
    """
    passages = tuple(passages)
    departments = [_OF_THE_CITY.sub("", passage.department) for passage in passages if passage.department]
    terms = list(dict.fromkeys([*departments, *_terms(passages)]))[:_MOST_TERMS]
    names = [name for name in gazetteer.names if len(name) >= _SHORTEST]
    return list(dict.fromkeys([*names[: limit - len(terms)], *terms]))[:limit]


def _terms(passages: Iterable[Passage]) -> list[str]:
    """Nouns of the questions that are not general vocabulary; those of the most passages first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba asks for pkg_resources, which newer setuptools complain about
        import jieba
        import jieba.posseg
    jieba.setLogLevel(logging.WARNING)
    words = jieba.Tokenizer()
    tagger = jieba.posseg.POSTokenizer(words)
    found: Counter[str] = Counter()
    for passage in passages:
        questions = "，".join((passage.question, *passage.phrasings))
        tagged = {(pair.word, pair.flag) for pair in tagger.cut(questions, HMM=False)}
        found.update(word for word, flag in tagged if len(word) >= _SHORTEST and flag.startswith(_NOUNS))
    rare = [word for word in found if words.FREQ.get(word, 0) < _COMMON]
    return sorted(rare, key=lambda word: (-found[word], word))
