"""What the model of voice/completeness.py learns from: whole things that people say, and where they end.

The sentences that the built-in recogniser was trained on (`asr/builtin/text`, this project's own), its
generated numbers, addresses, names and times, and words of jieba's dictionary (MIT) on their own and as the
object of commands. The sample knowledge, `bench/heldout` and all recordings' texts stay out: the model is
measured on them.
"""

from __future__ import annotations

import itertools
import random
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr.builtin.generated import Phrases, Places
from voice.completeness import UNKNOWN

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba asks for pkg_resources, which newer setuptools complain about
    import jieba

ROOT = Path(__file__).parents[1]
MOST_CHARACTERS = 48
WHOLE_WEIGHT = 6.0  # of an end, among all the places where its sentence could be broken off
WITHIN_WORD_WEIGHT = 0.5
_GENERATED, _NAMES, _QUESTIONS, _COMMANDS = 8000, 10000, 9000, 14000  # in an epoch, beside the sentences

_WORDS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("endpointing_words.yaml").read_text("utf-8")
)
_HEADS = "店城馆厅场厦园院楼街路道站桥市区村苑寺庙山湖所校行吧部社岛湾"


@dataclass(frozen=True, slots=True)
class Example:
    """A text and what is learned after each of its characters: how much it weighs, and if it is whole."""

    text: str
    weights: tuple[float, ...]
    whole: tuple[bool, ...]


class Pool:
    """Words to draw from, common ones more often."""

    def __init__(self, dice: random.Random, words: Sequence[tuple[str, int, str]]) -> None:
        self._dice = dice
        self._words = [word for word, _, _ in words]
        self._until = list(itertools.accumulate((count + 1) ** 0.5 for _, count, _ in words))

    def draw(self) -> str:
        return self._dice.choices(self._words, cum_weights=self._until)[0]


class Texts:
    """An endless, reproducible source of examples."""

    def __init__(self) -> None:
        self._dice = random.Random(1)
        files = sorted((ROOT / "asr" / "builtin" / "text").glob("*.txt"))
        self._sentences = [line for file in files for line in file.read_text("utf-8").split()]
        self._short = [sentence for sentence in self._sentences if len(sentence) <= 8]
        city = yaml.safe_load((ROOT / "dialog" / "gazetteer.yaml").read_text("utf-8"))["districts"]
        kinds = ("streets", "communities", "landmarks")
        parts = [[name for one in city.values() for name in one[kind]] for kind in kinds]
        self._phrases = iter(Phrases(Places(list(city), *parts)))
        words = _dictionary()
        self._proper = Pool(self._dice, [w for w in words if w[2] in ("ns", "nz", "nr") and len(w[0]) <= 4])
        self._names = Pool(self._dice, [w for w in words if w[2] in ("ns", "nt", "nz") and len(w[0]) >= 4])
        self._titles = Pool(
            self._dice, [w for w in words if w[2] in ("i", "l", "n", "nz") and len(w[0]) >= 2]
        )
        self._verbs = Pool(self._dice, [w for w in words if w[2] in ("v", "vn") and len(w[0]) == 2])
        self._nouns = Pool(self._dice, [w for w in words if w[2] == "n" and len(w[0]) >= 3])
        places = [w for w in words if w[2] in ("n", "nt", "ns") and w[0][-1] in _HEADS and len(w[0]) <= 4]
        self._places = Pool(self._dice, places)

    def epoch(self) -> list[Example]:
        """About 60,000 examples, shuffled; others each time."""
        examples = [self._sentence(sentence) for sentence in self._sentences]
        examples += [labelled(text) for text in itertools.islice(self._phrases, _GENERATED)]
        examples += [labelled(self._name()) for _ in range(_NAMES)]
        examples += [labelled(self._question()) for _ in range(_QUESTIONS)]
        examples += [labelled(self._command()) for _ in range(_COMMANDS)]
        self._dice.shuffle(examples)
        return examples

    def _sentence(self, sentence: str) -> Example:
        """As it is, or as it comes out of a mouth: with an opening, broken off, after another one."""
        chance = self._dice.random()
        if chance < 0.1:
            return labelled(self._dice.choice(_WORDS["openings"]) + sentence)
        if chance < 0.2:
            words = list(jieba.cut(sentence))
            at = self._dice.randrange(0, len(words) + 1)
            broken = labelled("".join(words[:at]) + self._dice.choice(_WORDS["fillers"]))
            return Example(broken.text, broken.weights, (False,) * len(broken.text))
        if chance < 0.4:  # nobody knows whether the first of two sentences could have been all
            first, second = labelled(self._dice.choice(self._sentences)), labelled(sentence)
            weights = (*first.weights[:-1], 0.0, *second.weights)
            whole = (*first.whole[:-1], False, *second.whole)
            text = first.text + second.text
            return Example(text[-MOST_CHARACTERS:], weights[-MOST_CHARACTERS:], whole[-MOST_CHARACTERS:])
        if chance < 0.65:  # the begin is lost, or was never said
            words = list(jieba.cut(sentence))
            return labelled("".join(words[self._dice.randrange(0, max(1, len(words) - 1)) :]))
        return labelled(sentence)

    def _question(self) -> str:
        """In few words."""
        pick, chance = self._dice.choice, self._dice.random()
        thing = self._nouns.draw() if chance < 0.6 else self._titles.draw()
        asked = thing + pick(_WORDS["asked"])
        if chance > 0.8:
            asked = pick(_WORDS["how"]) + self._verbs.draw() + thing
        return (
            pick(["", "", "", *_WORDS["before_asked"]]) + pick(["", "", "", "", *_WORDS["for_whom"]]) + asked
        )

    def _name(self) -> str:
        """A place or an organisation: from the dictionary, or made as shops and buildings are named."""
        chance = self._dice.random()
        if chance < 0.4:
            return self._names.draw()
        made = self._proper.draw() + (self._nouns.draw() if chance > 0.85 else "") + self._places.draw()
        return self._proper.draw() + made if chance < 0.5 else made

    def _command(self) -> str:
        """What people say to the machines in their cars and homes."""
        pick, chance = self._dice.choice, self._dice.random()
        if chance < 0.2:
            number = pick(["", "一", "二", "三", "五"]) + "十" + pick("一二三四五六七八九")
            level = pick([number, pick("一两三四五六")]) + pick(["度", "", "档", "度吧"])
            switch = pick(["打开", "关闭", "关掉", "开一下"]) + pick(_WORDS["switches"])
            sets = pick(["", "把", "空调", "把空调"]) + pick(_WORDS["levels"]) + pick(_WORDS["sets"]) + level
            return pick(
                [
                    sets,
                    sets,
                    pick(_WORDS["sets"]) + level,
                    pick(_WORDS["turns"]) + pick(_WORDS["levels"]),
                    switch,
                ]
            )
        if chance < 0.4:
            return pick(_WORDS["go"]) + self._name()
        verb, kinds = (
            (pick(_WORDS["hear"]), _WORDS["songs"])
            if chance < 0.7
            else (pick(_WORDS["see"]), _WORDS["works"])
        )
        kind = pick(kinds) if self._dice.random() < 0.5 else ""
        if kind and self._dice.random() < 0.03:
            return verb + kind
        return verb + kind + self._title()

    def _title(self) -> str:
        """Of a song or a film: a name, a few words, half a sentence, something foreign."""
        pick, chance = self._dice.choice, self._dice.random()
        if chance < 0.1:
            return UNKNOWN
        if chance < 0.35:
            return pick(self._short)
        words = "".join(self._titles.draw() for _ in range(pick([1, 1, 2])))
        return pick(["", "", "", "我的", "你", "不", "最后的"]) + words


def labelled(text: str) -> Example:
    """A whole text: an end at its last character, none at the others."""
    text = text[:MOST_CHARACTERS]
    ends = set(itertools.accumulate(len(word) for word in jieba.cut(text)))
    weights = [1.0 if at in ends else WITHIN_WORD_WEIGHT for at in range(1, len(text))]
    return Example(text, (*weights, WHOLE_WEIGHT), (*[False] * (len(text) - 1), True))


def _dictionary() -> list[tuple[str, int, str]]:
    """jieba's words with their frequencies and parts of speech."""
    with (Path(jieba.__file__).parent / "dict.txt").open(encoding="utf-8") as lines:
        rows = [line.split() for line in lines]
    return [(word, int(count), tag) for word, count, tag in rows if re.fullmatch("[一-鿿]{2,12}", word)]
