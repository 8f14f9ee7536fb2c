"""What callers are likely to say: a pruned Kneser-Ney trigram over words, for the decoding graph."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba asks for pkg_resources, which newer setuptools complain about
    import jieba

jieba.setLogLevel(logging.WARNING)

BEGIN, END = "<s>", "</s>"
_HAN = re.compile("[一-鿿]+")
_NUMERALS = re.compile("([零一二三四五六七八九十百千万幺两])")
_FLOOR = 1e-9
_HISTORY_ARCS = 10  # what another history costs the graph: a spelling of its word, in arcs

History = tuple[str, ...]


class Segmenter:
    """Cuts text into words; numerals stand alone, so that any number can be built of them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """`names` are kept whole, numerals in them apart."""
        self._jieba = jieba.Tokenizer()
        for name in names:
            self._jieba.add_word(name, freq=10**6)

    def words(self, text: str) -> list[str]:
        """The words of the Han characters in `text`."""
        found: list[str] = []
        for run in _HAN.findall(text):
            for part in _NUMERALS.split(run):
                found += self._jieba.cut(part, HMM=False) if part else []
        return found


def general_words(characters: int, words: int) -> dict[str, float]:
    """The commonest characters and longer words of Mandarin by jieba's dictionary, with frequencies."""
    single: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    with (Path(jieba.__file__).parent / "dict.txt").open(encoding="utf-8") as lines:
        for line in lines:
            word, frequency, *_ = line.split()
            if _HAN.fullmatch(word) and len(word) <= 4 and not (len(word) > 1 and _NUMERALS.search(word)):
                (single if len(word) == 1 else longer)[word] = int(frequency)
    return {
        word: float(count + 1) for word, count in single.most_common(characters) + longer.most_common(words)
    }


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """P(word | up to two words before), as back-off n-grams: what is not listed backs off to fewer words."""

    listed: Mapping[History, Mapping[str, float]]  # () is the unigrams: every word of the vocabulary
    backoff: Mapping[History, float]

    def known(self, history: History) -> History:
        """The longest end of `history` that lists successors."""
        history = history[-2:]
        while history not in self.listed:
            history = history[1:]
        return history

    def probability(self, history: History, word: str) -> float:
        """P(word | history)."""
        weight = 1.0
        history = self.known(history)
        while True:
            if word in self.listed[history]:
                return weight * self.listed[history][word]
            if not history:
                return weight * _FLOOR
            weight *= self.backoff[history]
            history = self.known(history[1:])

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Per word, ends of sentences included."""
        total, count = 0.0, 0
        for words in sentences:
            line = [BEGIN, *words, END]
            for at in range(1, len(line)):
                total -= math.log(self.probability(tuple(line[max(0, at - 2) : at]), line[at]))
                count += 1
        return math.exp(total / max(1, count))


def estimate(
    sentences: Iterable[Sequence[str]],
    general: Mapping[str, float],
    *,
    general_share: float = 0.15,
    pruning: float = 1e-6,
) -> LanguageModel:
    """Interpolated Kneser-Ney (Chen and Goodman, 1998), one discount an order, pruned by relative entropy.

    The unigrams are mixed with `general` word frequencies; `pruning` drops an n-gram whose absence changes
    the model by less (nats a word), as Stolcke (1998) does.
    """
    counts = _count(sentences)
    unigrams = _unigrams(counts[0][()], general, general_share)
    orders: list[dict[History, dict[str, float]]] = [{(): unigrams}]
    shares: list[dict[History, float]] = [{}]
    for table in counts[1:]:
        probabilities, left_over = _interpolate(table, orders[-1])
        orders.append(probabilities)
        shares.append(left_over)
    return _prune(orders, counts, pruning)


def _count(sentences: Iterable[Sequence[str]]) -> list[dict[History, Counter[str]]]:
    """Counts by order and history: of trigrams; below them, of different words before (Kneser-Ney)."""
    unigrams: dict[History, Counter[str]] = defaultdict(Counter)
    bigrams: dict[History, Counter[str]] = defaultdict(Counter)
    trigrams: dict[History, Counter[str]] = defaultdict(Counter)
    for words in sentences:
        line = [BEGIN, *words, END]
        bigrams[BEGIN,][line[1]] += 1  # nothing stands before a beginning: these are counted as they are
        for first, second, third in zip(line, line[1:], line[2:], strict=False):
            trigrams[first, second][third] += 1
    for (_, second), successors in trigrams.items():
        bigrams[second,].update(successors.keys())
    for successors in bigrams.values():
        unigrams[()].update(successors.keys())
    return [unigrams, bigrams, trigrams]


def _unigrams(counts: Counter[str], general: Mapping[str, float], share: float) -> dict[str, float]:
    total, general_total = sum(counts.values()), sum(general.values())
    vocabulary = {*counts, *general, *(character for word in counts if word != END for character in word)}
    mixed = {
        word: (1 - share) * counts[word] / total + share * (general.get(word, 1.0)) / general_total
        for word in vocabulary
    }
    scale = sum(mixed.values())
    return {word: value / scale for word, value in mixed.items()}


def _interpolate(
    table: Mapping[History, Counter[str]], lower: Mapping[History, Mapping[str, float]]
) -> tuple[dict[History, dict[str, float]], dict[History, float]]:
    once = sum(1 for successors in table.values() for count in successors.values() if count == 1)
    twice = sum(1 for successors in table.values() for count in successors.values() if count == 2)
    discount = once / max(1, once + 2 * twice)
    probabilities: dict[History, dict[str, float]] = {}
    left_over: dict[History, float] = {}
    for history, successors in table.items():
        total = sum(successors.values())
        left_over[history] = discount * len(successors) / total
        below = lower.get(history[1:], lower.get((), {}))
        probabilities[history] = {
            word: max(count - discount, 0) / total + left_over[history] * below.get(word, _FLOOR)
            for word, count in successors.items()
        }
    return probabilities, left_over


def _prune(
    orders: Sequence[dict[History, dict[str, float]]],
    counts: Sequence[Mapping[History, Counter[str]]],
    threshold: float,
) -> LanguageModel:
    """Keep the n-grams that matter, lower orders first, and weigh what backs off so that all sums to one."""
    words = sum(sum(successors.values()) for successors in counts[-1].values())
    listed: dict[History, Mapping[str, float]] = {(): orders[0][()]}
    backoff: dict[History, float] = {}
    model = LanguageModel(listed, backoff)
    for order, table in enumerate(orders[1:], 1):
        for history, successors in table.items():
            if order > 1 and history[1:] not in listed:
                continue
            seen = sum(counts[order][history].values())
            share = _left_over(successors, model, history)
            kept, gain = {}, 0.0
            for word, probability in successors.items():
                below = share * model.probability(history[1:], word)
                change = seen / words * probability * (math.log(probability) - math.log(below))
                if change > threshold:
                    kept[word] = probability
                    gain += change
            if gain > threshold * (len(kept) + _HISTORY_ARCS):
                backoff[history] = _left_over(kept, model, history)
                listed[history] = kept
    return model


def _left_over(successors: Mapping[str, float], model: LanguageModel, history: History) -> float:
    """The factor by which the shorter history's probabilities stand for the words not in `successors`."""
    here = 1 - sum(successors.values())
    below = 1 - sum(model.probability(history[1:], word) for word in successors)
    return max(here, 0.01) / max(below, 0.01)
