"""Finds the entry whose phrasing a caller's words fit, by characters and by sound.

Two steps: tantivy gathers candidates by BM25 over character and pinyin unigrams and bigrams; then each
candidate phrasing is scored by how much of the query it covers and how much of it the query covers, weighted
by how telling each syllable is. The score is comparable between queries, which BM25 is not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import tantivy

from dialog.words import clean, sounds, strip_fillers

CANDIDATES = 60  # phrasings that are scored closely
MIDDLE, SLOPE = 0.57, 13.0  # of the calibration
OTHER_THING = 0.75  # factor on the fit where query and phrasing name different documents, fees or offices

# Said in many ways, meant as one: all are rewritten to the first before anything is compared.
_SYNONYMS = (
    ("丢了", "丢失了", "丢失", "遗失", "弄丢了", "掉了", "不见了", "找不到了", "找不着了", "弄没了"),
    ("补办", "重新办", "重办", "补领", "再办一张", "补一张"),
    (
        "要多久",
        "需要多久",
        "多长时间",
        "多少时间",
        "要几天",
        "需要几天",
        "几天能",
        "多少天",
        "什么时候能",
        "多久",
    ),
    ("多少钱", "费用", "收费吗", "怎么收费", "收多少", "要钱吗", "贵不贵", "几块钱"),
    ("在哪", "去哪里", "在哪里", "到哪里", "哪里", "去哪儿", "哪儿", "去哪", "什么地方", "地址"),
    (
        "什么材料",
        "哪些材料",
        "什么东西",
        "哪些东西",
        "什么资料",
        "哪些资料",
        "哪些手续",
        "什么手续",
        "什么证件",
        "哪些证件",
    ),
    ("怎么", "如何", "怎样", "咋"),
    ("孩子", "小孩", "小朋友", "娃", "儿子", "女儿", "宝宝"),
    ("老人", "老年人", "我爸", "我妈", "爸爸", "妈妈", "父母", "老头", "老太太"),
    ("离职", "辞职", "辞工"),
    ("驾驶证", "驾照"),
    ("社保", "社会保险"),
    ("医保", "医疗保险"),
    ("公积金", "住房公积金"),
    ("养老金", "退休金", "退休工资"),
    ("办理", "申办", "办一个", "办个"),
    ("取出来", "提取", "支取", "取出"),
    ("欠薪", "拖欠工资", "不发工资", "没发工资", "工资不给", "不给工资"),
    ("房产证", "不动产证", "不动产权证", "房本"),
    ("营业执照", "执照"),
    ("网上", "线上", "手机上", "在网上"),
    ("外地", "异地", "外省", "外市"),
)
_CANON = {variant: group[0] for group in _SYNONYMS for variant in group}
_SYNONYM = re.compile("|".join(sorted(map(re.escape, _CANON), key=len, reverse=True)))

# Words that shape a question but do not say what it is about.
_COMMON = (
    "的了吗呢吧啊呀我你您他她它是有在要能可以会想请问什么怎么么样就都也还这那个一下给把被和跟与去到得着过"
)
_COMMON_WEIGHT = 0.25
_THINGS = "卡证费金险照局本税票"  # a word that ends in one of these names what a question is about


@dataclass(frozen=True, slots=True)
class Found:
    """An entry (its index) and how well its best phrasing fits, 0..1."""

    entry: int
    score: float


@dataclass(frozen=True, slots=True)
class _Phrase:
    entry: int
    text: str
    sounds: tuple[str, ...]
    weights: tuple[float, ...]


class Matcher:
    """An index over entries, each a sequence of phrasings; immutable."""

    def __init__(self, entries: Sequence[Sequence[str]]) -> None:
        texts = [(n, canonical(text)) for n, phrasings in enumerate(entries) for text in phrasings]
        texts = [(n, text) for n, text in texts if text]
        # Counted per entry, not per phrasing: a word in all phrasings of one entry still tells it apart.
        seen: dict[int, set[str]] = {}
        for n, text in texts:
            seen.setdefault(n, set()).update(sounds(text))
        self._count = Counter(sound for found in seen.values() for sound in found)
        self._entries = max(len(entries), 1)
        self._phrases = [_Phrase(n, text, sounds(text), self._weights(text)) for n, text in texts]
        self._searcher = self._index()

    def search(self, text: str) -> list[Found]:
        """Entries with a score above 0, best first."""
        query = canonical(text)
        if not query:
            return []
        query_phrase = _Phrase(-1, query, sounds(query), self._weights(query))
        best: dict[int, float] = {}
        for number in self._candidates(query):
            phrase = self._phrases[number]
            score = _fit(query_phrase, phrase)
            best[phrase.entry] = max(best.get(phrase.entry, 0.0), score)
        ranked = sorted(best.items(), key=lambda item: -item[1])
        return [Found(entry, round(score, 4)) for entry, score in ranked if score > 0]

    def _weights(self, text: str) -> tuple[float, ...]:
        """How telling each character is: the rarer its sound over all entries, the more."""
        top = math.log(1 + self._entries)
        return tuple(
            (math.log(1 + self._entries / (1 + self._count[sound])) / top)
            * (_COMMON_WEIGHT if char in _COMMON else 1.0)
            for char, sound in zip(text, sounds(text), strict=True)
        )

    def _index(self) -> tantivy.Searcher:
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("number", stored=True)
        builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
        index = tantivy.Index(builder.build())
        writer = index.writer(heap_size=15_000_000, num_threads=1)
        for number, phrase in enumerate(self._phrases):
            document = tantivy.Document()
            document.add_unsigned("number", number)
            document.add_text("terms", " ".join(_terms(phrase.text)))
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._schema = index.schema
        return index.searcher()

    def _candidates(self, query: str) -> list[int]:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "terms", term, "freq"))
            for term in set(_terms(query))
        ]
        found = self._searcher.search(tantivy.Query.boolean_query(terms), CANDIDATES, count=False)
        return [int(self._searcher.doc(address)["number"][0]) for _, address in found.hits]


def canonical(text: str) -> str:
    """Cleaned text without fillers, synonyms rewritten to one form."""
    return _SYNONYM.sub(lambda match: _CANON[match.group()], strip_fillers(clean(text)))


def _terms(text: str) -> list[str]:
    """Characters and their bigrams, syllables and their bigrams: the fields that BM25 fuses."""
    heard = sounds(text)
    pairs = [a + b for a, b in pairwise(text)]
    sound_pairs = [f"{a}_{b}" for a, b in pairwise(heard)]
    return [*text, *pairs, *(f"_{s}" for s in heard), *sound_pairs]


def _fit(query: _Phrase, phrase: _Phrase) -> float:
    """How well two phrases fit, 0..1: what the query says must be in the phrase, and mostly vice versa."""
    asked, said = _covered(query, phrase), _covered(phrase, query)
    if not asked or not said:
        return 0.0
    # A caller wraps a question in circumstances that no phrasing holds, yet what is asked must be there.
    raw = math.exp(0.6 * math.log(asked) + 0.4 * math.log(said))
    return _calibrated(raw * (1.0 if _same_thing(query, phrase) else OTHER_THING))


def _same_thing(query: _Phrase, phrase: _Phrase) -> bool:
    """Whether the first document, fee or office in the query (公交卡) is the phrase's too (not 社保卡)."""
    i = next((i for i in range(1, len(query.text)) if _names_thing(query.text, i)), None)
    if i is None:
        return True
    before = _telling(query, i - 2)
    for k in range(1, len(phrase.sounds)):
        if phrase.sounds[k - 1 : k + 1] == query.sounds[i - 1 : i + 1]:
            other = _telling(phrase, k - 2)
            if not before or not other or before == other:
                return True
    return False


def _names_thing(text: str, i: int) -> bool:
    return text[i] in _THINGS and text[i - 1] not in _COMMON


def _telling(phrase: _Phrase, i: int) -> str:
    """The sound at `i`, "" where there is none or its character says nothing."""
    return phrase.sounds[i] if i >= 0 and phrase.text[i] not in _COMMON else ""


def _calibrated(raw: float) -> float:
    """Spread the scores so that 0.5 parts questions with an answer from questions without; 1.0 stays 1.0.

    The middle and slope are measured on paraphrases and on questions outside the sample knowledge.
    """
    return (1 + math.exp(-SLOPE * (1 - MIDDLE))) / (1 + math.exp(-SLOPE * (raw - MIDDLE)))


def _covered(part: _Phrase, whole: _Phrase) -> float:
    """The weighted share of `part` that occurs in `whole`: half as single sounds, half as pairs in order."""
    chars, heard = set(whole.text), set(whole.sounds)
    pairs = set(pairwise(whole.sounds))
    got = total = 0.0
    last = len(part.text) - 1
    for i, (char, sound, weight) in enumerate(zip(part.text, part.sounds, part.weights, strict=True)):
        total += weight
        if sound not in heard:
            continue
        in_order = (i > 0 and (part.sounds[i - 1], sound) in pairs) or (
            i < last and (sound, part.sounds[i + 1]) in pairs
        )
        single = 1.0 if char in chars else 0.8 if in_order else 0.4
        got += weight * (0.5 * single + 0.5 * in_order)
    return got / total if total else 0.0
