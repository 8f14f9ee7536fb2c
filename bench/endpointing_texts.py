"""What the model of voice/completeness.py learns from: whole things that people say, and where they end.

The sentences that the built-in recogniser was trained on (`asr/builtin/text`, this project's own), its
generated numbers, addresses, names and times; what callers ask and report in `tests/data` for training;
words of jieba's dictionary (MIT) on their own and as the object of commands; and sentences and names of a
folder that docs/turn-taking.md describes (CC0, Apache-2.0 and MIT). The sample knowledge, `bench/heldout`,
what `tests/data` holds for development and measuring, and all recordings' texts stay out: the model is
measured on them.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr.builtin.generated import Phrases, Places
from voice.completeness import UNKNOWN, normalised

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba asks for pkg_resources, which newer setuptools complain about
    import jieba

ROOT = Path(__file__).parents[1]
MOST_CHARACTERS = 48
WHOLE_WEIGHT = 6.0  # of an end, among all the places where its sentence could be broken off
WITHIN_WORD_WEIGHT = 0.1  # nobody pauses there; a recogniser may stop there for a moment
BEFORE_LAST_WEIGHT = 0.3  # who has only one character left to say seldom pauses: 怎么补办|呢
_GENERATED, _NAMES, _QUESTIONS = 8000, 12000, 9000  # in an epoch, beside the sentences
_COMMANDS, _TITLES, _WISHES = 14000, 3000, 9000
_CALLS = 3  # times, in an epoch, what is asked and reported in calls for training
_READ = 36000  # of the sentences that were read aloud, in an epoch
_CLAUSE_WEIGHT = 0.3  # of a comma's place: what comes before may be said alone as well
_ALIKE_CHARACTERS, _MOST_ALIKE = 5, 15  # read sentences with the same last ones; 非建制地区 ends thousands
_FOR_TRAINING = (
    "kb/train_questions.jsonl",
    "kb/train_unknown.jsonl",
    "kb/train2_questions.jsonl",
    "kb/train2_unknown.jsonl",
    "intake/calls_train.jsonl",
)
_SHORTEST_SAID = 3  # characters
_LEAST_KNOWN = 4  # characters of a recording's text that no sentence read may hold

_WORDS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("endpointing_words.yaml").read_text("utf-8")
)
_PAPERS = "证卡本照簿费金款税险号户籍票贴单"  # last characters of what people have made out, pay and draw
_HEADS = "店城馆厅场厦园院楼街路道站桥市区村苑寺庙山湖所校行吧部社岛湾"


@dataclass(frozen=True, slots=True)
class Folder:
    """Sentences of `read_aloud`, with punctuation; names of places and shops; titles of songs and films."""

    sentences: Sequence[str] = ()
    names: Sequence[str] = ()
    titles: Sequence[str] = ()


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

    def __init__(self, folder: Folder, seed: int = 1) -> None:
        self._dice = random.Random(seed)
        read = folder.sentences
        self._known = [normalised(name) for name in folder.names]
        self._known_titles = [normalised(title) for title in folder.titles]
        self._read = read
        self._said = [one for one in map(normalised, read) if len(one) <= 7]
        files = sorted((ROOT / "asr" / "builtin" / "text").glob("*.txt"))
        self._sentences = [line for file in files for line in file.read_text("utf-8").split()]
        self._sentences += _CALLS * said_in_calls()
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
        papers = [w for w in words if w[2] in ("n", "nz") and w[0][-1] in _PAPERS and len(w[0]) in (3, 4)]
        self._papers = Pool(self._dice, papers)
        self._things = Pool(self._dice, [w for w in words if w[2] == "n" and len(w[0]) == 2])
        places = [w for w in words if w[2] in ("n", "nt", "ns") and w[0][-1] in _HEADS and len(w[0]) <= 4]
        self._places = Pool(self._dice, places)

    def epoch(self) -> list[Example]:
        """About 110,000 examples, shuffled; others each time."""
        examples = [self._sentence(sentence) for sentence in self._sentences]
        examples += [labelled(text) for text in itertools.islice(self._phrases, _GENERATED)]
        examples += [labelled(self._name()) for _ in range(_NAMES)]
        examples += [labelled(self._question()) for _ in range(_QUESTIONS)]
        examples += [labelled(self._command()) for _ in range(_COMMANDS)]
        examples += [labelled(self._wish()) for _ in range(_WISHES)]
        if self._known_titles:
            examples += [labelled(self._dice.choice(self._known_titles)) for _ in range(_TITLES)]
        examples += [self._clauses(one) for one in self._dice.sample(self._read, min(_READ, len(self._read)))]
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

    def _clauses(self, sentence: str) -> Example:
        """A sentence read aloud, sometimes without its first clauses; what ends at a comma is not clear."""
        clauses = [normalised(clause) for clause in re.split("[，、；,;]", sentence)]
        if self._dice.random() < 0.3:
            clauses = clauses[self._dice.randrange(len(clauses)) :]
        example, commas = labelled("".join(clauses)), set(itertools.accumulate(map(len, clauses)))
        weights = [
            _CLAUSE_WEIGHT if at in commas and not whole else weight
            for at, (weight, whole) in enumerate(zip(example.weights, example.whole, strict=True), 1)
        ]
        return Example(example.text, tuple(weights), example.whole)

    def _question(self) -> str:
        """In few words."""
        pick, chance = self._dice.choice, self._dice.random()
        thing = self._nouns.draw() if self._dice.random() < 0.7 else self._titles.draw()
        asked = thing + pick(_WORDS["asked"])
        if chance > 0.85:
            asked = pick(_WORDS["how"]) + self._verbs.draw() + thing
        elif chance > 0.6:  # 怎么装充电桩, 公积金怎么合并到临江
            thing = pick(["", "", self._nouns.draw()]) + thing
            does, place = pick(_WORDS["does"]), self._proper.draw()
            asked = pick(
                [pick(_WORDS["how"]) + does + thing, thing + pick(_WORDS["how"]) + does + "到" + place]
            )
        return (
            pick(["", "", "", *_WORDS["before_asked"]]) + pick(["", "", "", "", *_WORDS["for_whom"]]) + asked
        )

    def _wish(self) -> str:
        """As people say it in the street: 想给我妈弄个老年卡, 户口迁走了低保还有不, 隔壁的狗没人管."""
        pick, chance = self._dice.choice, self._dice.random()
        thing = self._papers.draw()
        if chance > 0.5:  # 优待证, 工龄证明
            prefix = pick(_WORDS["for_whom"]) if chance > 0.8 else self._things.draw()
            thing = prefix + pick(_WORDS["papers"])
        whom = pick(["", "", "", "给" + pick(_WORDS["for_whom"])])
        tail = pick(_WORDS["colloquially_asked"]) if self._dice.random() < 0.4 else ""
        kind = self._dice.random()
        if kind < 0.4:
            return pick(_WORDS["wishes"]) + whom + pick(_WORDS["gets"]) + thing + tail
        if kind < 0.6:
            return pick(["", "", *_WORDS["for_whom"]]) + thing + pick(_WORDS["colloquially_asked"])
        if kind < 0.75:
            return pick(_WORDS["for_whom"]) + pick(["", "能", "要"]) + pick(_WORDS["gets"]) + thing + tail
        if kind < 0.9:
            return pick(_WORDS["whose"]) + self._things.draw() + pick(_WORDS["troubles"]) + tail
        about = pick(_WORDS["whose"]) + self._verbs.draw() + self._things.draw()
        return pick(["", "", *_WORDS["wishes"]]) + about + pick(_WORDS["colloquially_asked"])

    def _name(self) -> str:
        """A place or an organisation, or a part of it: its gate, its branch in a street."""
        chance = self._dice.random()
        if chance < 0.08:
            return self._whole_name() + self._dice.choice(_WORDS["parts"])
        if chance < 0.14:
            return (
                self._whole_name()
                + self._proper.draw()
                + self._dice.choice(["店", "路店", "分店", "街店", "路"])
            )
        return self._whole_name()

    def _whole_name(self) -> str:
        """From the dictionary, or made as shops and buildings are named."""
        chance = self._dice.random()
        if chance < 0.2 or (chance < 0.4 and not self._known):
            return self._names.draw()
        if chance < 0.4:
            return self._dice.choice(self._known)
        made = self._proper.draw() + (self._nouns.draw() if chance > 0.85 else "") + self._places.draw()
        return self._proper.draw() + made if chance < 0.5 else made

    def _command(self) -> str:
        """What people say to the machines in their cars and homes."""
        pick, chance = self._dice.choice, self._dice.random()
        if chance < 0.2:
            number = pick(["", "一", "二", "三", "五"]) + "十" + pick("一二三四五六七八九")
            level = pick(
                [number + pick(["度", "", "度吧"]), pick("一两三四五六") + pick(["度", "档", "摄氏度"])]
            )
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
        if kind and self._dice.random() < 0.01:
            return verb + kind
        return verb + kind + self._title()

    def _title(self) -> str:
        """Of a song or a film: a name, a few words, half a sentence, something foreign."""
        pick, chance = self._dice.choice, self._dice.random()
        if chance < 0.07:
            return UNKNOWN
        if chance < 0.1:
            return pick(["", pick(self._short)]) + UNKNOWN + self._titles.draw()
        if chance > 0.6 and self._known_titles:
            return pick(self._known_titles)
        if chance < 0.3:
            return pick(self._short if chance < 0.2 or not self._said else self._said)
        words = "".join(self._titles.draw() for _ in range(pick([1, 1, 2])))
        return pick(["", "", "", "我的", "你", "不", "最后的"]) + words


def said_in_calls() -> list[str]:
    """Questions and reports of `tests/data`, as far as they are for training."""
    data = ROOT / "tests" / "data"
    found: list[str] = []
    for name in _FOR_TRAINING:
        for line in (data / name).read_text("utf-8").splitlines():
            one = json.loads(line)
            said = [one["text"]] if "text" in one else [*one["says"], *one["answers"].values()]
            found += [*said, *one.get("corrections", ())]
    return [text for text in dict.fromkeys(map(normalised, found)) if len(text) >= _SHORTEST_SAID]


def of_folder(path: Path, measured: Collection[str]) -> Folder:
    """What there is to learn from in a folder, without the texts `measured` on and the names in them.

    Nor are those of its `leave_out*.txt` learned from: recordings by which it is judged what to train.
    """

    def lines(kind: str) -> list[str]:
        files = sorted(path.glob(f"{kind}*.txt"))
        return [line for file in files for line in file.read_text("utf-8").splitlines() if line]

    measured = [*measured, *lines("leave_out")]
    texts = [normalised(text) for text in measured]
    endings = {text[at:] for text in texts for at in range(len(text))}

    def names(kind: str) -> list[str]:
        return [one for one in lines(kind) if normalised(one) not in endings]

    return Folder(read_aloud(lines("sentences"), measured), names("names"), names("titles"))


def read_aloud(lines: Iterable[str], measured: Collection[str]) -> list[str]:
    """Sentences to learn from: in Chinese, whole, not too much alike, without the texts `measured` on."""
    alike: Counter[str] = Counter()
    left_out = [text for text in map(normalised, measured) if len(text) >= _LEAST_KNOWN]
    kept: list[str] = []
    sentences = (one.strip() for line in lines for one in re.split("(?<=[。？！?!])", line))
    for line in dict.fromkeys(sentences):
        if not re.fullmatch("[一-鿿，、；。？！,“”《》「」·]+", line) or re.search(
            "《》|[：·,、，；]$", line
        ):
            continue
        text = normalised(line)
        alike[ending := text[-_ALIKE_CHARACTERS:]] += 1
        if not 3 <= len(text) <= MOST_CHARACTERS or alike[ending] > _MOST_ALIKE:
            continue
        if not any(one in text or text in one for one in left_out):
            kept.append(line)
    return kept


def labelled(text: str) -> Example:
    """A whole text: an end at its last character, none at the others."""
    text = text[:MOST_CHARACTERS]
    ends = set(itertools.accumulate(len(word) for word in jieba.cut(text)))
    weights = [1.0 if at in ends else WITHIN_WORD_WEIGHT for at in range(1, len(text))]
    if weights:
        weights[-1] *= BEFORE_LAST_WEIGHT
    return Example(text, (*weights, WHOLE_WEIGHT), (*[False] * (len(text) - 1), True))


def _dictionary() -> list[tuple[str, int, str]]:
    """jieba's words with their frequencies and parts of speech."""
    with (Path(jieba.__file__).parent / "dict.txt").open(encoding="utf-8") as lines:
        rows = [line.split() for line in lines]
    return [(word, int(count), tag) for word, count, tag in rows if re.fullmatch("[一-鿿]{2,12}", word)]
