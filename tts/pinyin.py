"""Mandarin text as tone-numbered pinyin, cut into words: what a phoneme-driven engine needs to speak it.

pypinyin chooses the readings over words cut by jieba; the few words of public service that it misreads stand
in WORDS. Third-tone sandhi is left to the engine (espeak-ng does it); 一 and 不 change their tones here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pypinyin import Style, lazy_pinyin

from tts.lexicon import open_tokenizer

PAUSES_S = {
    **dict.fromkeys("。！？!?…\n", 0.22),
    **dict.fromkeys("；;：:", 0.18),
    **dict.fromkeys("，,", 0.14),
    **dict.fromkeys("、", 0.07),
}
# Names of the letters as Mandarin speakers say them.
LETTERS = {
    **{"A": "ei1", "B": "bi4", "C": "sei1", "D": "di4", "E": "yi4", "F": "ai2fu5", "G": "ji4", "H": "ei2qi5"},
    **{
        "I": "ai4",
        "J": "jie4",
        "K": "kai4",
        "L": "ai2lu5",
        "M": "ai2mu5",
        "N": "en1",
        "O": "ou1",
        "P": "pi4",
    },
    **{"Q": "kou4", "R": "a4", "S": "ai2si5", "T": "ti4", "U": "you1", "V": "wei1", "W": "da2bu4liu5"},
    **{"X": "ai4ke4si5", "Y": "wai4", "Z": "zei4"},
}
WORDS = {
    "还款": "huan2 kuan3",
    "偿还": "chang2 huan2",
    "还清": "huan2 qing1",
    "归还": "gui1 huan2",
    "还给": "huan2 gei3",
    "返还": "fan3 huan2",
    "退还": "tui4 huan2",
    "地方": "di4 fang5",
    "着急": "zhao2 ji2",
    "为您": "wei4 nin2",
    "为了": "wei4 le5",
    "重名": "chong2 ming2",
    "参保": "can1 bao3",
    "缴存": "jiao3 cun2",
    "朝阳区": "chao2 yang2 qu1",
    "幺": "yao1",
    "们": "men5",
    "地": "de5",
    "得": "de5",
    "还": "hai2",
    "行": "xing2",
    "长": "chang2",
    "重": "zhong4",
}
_TOKEN = re.compile(r"(?P<han>[\u3007\u3400-\u9fff]+)|(?P<latin>[A-Za-z]+)|(?P<mark>.)", re.DOTALL)
_DIGITS = frozenset("零〇幺一二三四五六七八九十")
_ORDINAL = frozenset("第初周期")
_CALENDAR = frozenset("月日号楼层栋幢")
_words = open_tokenizer()


@dataclass(frozen=True, slots=True)
class Phrase:
    """A run without pause; `words` are pinyin ("she4bao3ka3") or, where `language` is "en", English words."""

    words: tuple[str, ...]
    language: Literal["zh", "en"] = "zh"
    pause_s: float = 0.0  # silence after it


def phrases(text: str) -> list[Phrase]:
    """Cut `text` at its marks; anything that is neither Han, Latin nor a mark in PAUSES_S is passed over.

    Digits must have been turned into words before (tts.spoken).
    """
    found: list[Phrase] = []
    for language, word, pause_s in _tokens(text):
        if pause_s:
            if found:
                last = found[-1]
                found[-1] = Phrase(last.words, last.language, max(pause_s, last.pause_s))
        elif found and not found[-1].pause_s and found[-1].language == language:
            found[-1] = Phrase((*found[-1].words, word), language)
        else:
            found.append(Phrase((word,), language))
    return found


def _tokens(text: str) -> Iterator[tuple[Literal["zh", "en"], str, float]]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "han":
            for word in word_pinyin(token):
                yield "zh", word, 0.0
        elif match.lastgroup == "latin":
            if len(token) > 3 and not token.isupper():
                yield "en", token.lower(), 0.0
            else:
                for letter in token.upper():
                    yield "zh", LETTERS[letter], 0.0
        elif token in PAUSES_S:
            yield "zh", "", PAUSES_S[token]


def word_pinyin(han: str) -> list[str]:
    """The words of a run of Han characters, each as joined syllables: 社保卡 → "she4bao3ka3"."""
    words = list(_words.cut(han))
    syllables = [list(_syllables(word)) for word in words]
    if sum(map(len, syllables)) == len(han):  # one syllable per character: the tones of 一 and 不 can be set
        _sandhi(words, syllables)
    return ["".join(group) for group in syllables if group]


@functools.lru_cache(50_000)
def _syllables(word: str) -> tuple[str, ...]:
    if word in WORDS:
        return tuple(WORDS[word].split())
    readings = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")
    return tuple(reading.replace("ü", "v") for reading in readings)


def _sandhi(words: list[str], syllables: list[list[str]]) -> None:
    """Give 一 and 不 the tones of speech; 一 keeps its own in digits, ordinals, dates and at word ends."""
    text = "".join(words)
    places = [(w, i) for w, group in enumerate(syllables) for i in range(len(group))]
    for at, (w, i) in enumerate(places[:-1]):
        after = syllables[places[at + 1][0]][places[at + 1][1]]
        if text[at] == "不":
            if after.endswith("4"):
                syllables[w][i] = "bu2"
        elif text[at] == "一":
            before, then = text[at - 1 : at], text[at + 1]
            ends_word = i > 0 and i == len(syllables[w]) - 1
            if before in (_DIGITS | _ORDINAL) or then in (_DIGITS | _CALENDAR) or ends_word:
                syllables[w][i] = "yi1"
            elif after[-1] in "45" and (after.endswith("4") or then == "个"):
                syllables[w][i] = "yi2"
            elif after[-1] in "123":
                syllables[w][i] = "yi4"
