"""Chinese text as a recogniser hears it: cleaning, toneless pinyin, fillers, spoken digits.

Everything that compares a caller's words with known words does so through this file, because the recogniser
writes homophones (医保 as 一宝) and callers put fillers around what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import cast

import cn2an
from pypinyin import Style, lazy_pinyin, pinyin

_NOT_WORD = re.compile(r"(?!(?<=\d)\.(?=\d)|(?<=\d)%)[^0-9A-Za-z㐀-鿿〇]")
_WRITTEN_NUMBER = re.compile(r"(\d+)(\.\d+)?(%?)")
_MAX_COUNT_DIGITS = 4  # longer numbers are telephone numbers and codes: digit by digit
_FILLERS_BEFORE = (
    "你好",
    "您好",
    "喂",
    "请问",
    "那个",
    "就是说",
    "就是因为",
    "因为",
    "就是",
    "嗯",
    "呃",
    "啊",
    "哎",
    "唉",
    "哦",
    "噢",
    "额",
    "同志",
    "师傅",
    "小姐",
    "帮我查一下",
    "帮我看一下",
    "麻烦你",
    "麻烦您",
    "麻烦",
    "我想问一下",
    "我想问问",
    "我想问",
    "我问一下",
    "问一下",
    "想问一下",
    "我想咨询一下",
    "我想咨询",
    "我要咨询",
    "咨询一下",
    "我想了解一下",
    "我想了解",
    "想了解一下",
    "了解一下",
    "我想知道",
    "我想请问",
    "能告诉我",
    "可以告诉我",
    "跟你打听一下",
    "打听一下",
    "然后",
)
_FILLERS_AFTER = (
    "啊",
    "呀",
    "呢",
    "吧",
    "嘛",
    "哦",
    "哈",
    "啦",
    "谢谢你",
    "谢谢您",
    "谢谢",
    "嗯",
    "那个",
    "好吗",
    "行吗",
    "一下",
)
_BEFORE = tuple(sorted(_FILLERS_BEFORE, key=len, reverse=True))
_AFTER = tuple(sorted(_FILLERS_AFTER, key=len, reverse=True))

# Accents and a narrow line blur these; both sides of every comparison are folded alike.
_FOLDS = ((re.compile("^([zcs])h"), r"\1"), (re.compile("([ei])ng$"), r"\1n"))

_DIGITS = {"零": "0", "〇": "0", "一": "1", "幺": "1", "二": "2", "两": "2", "三": "3", "四": "4"}
_DIGITS |= {"五": "5", "六": "6", "七": "7", "八": "8", "九": "9"} | {d: d for d in "0123456789"}
_DIGIT_SOUNDS = {"yi": "1", "yao": "1", "er": "2", "liang": "2", "san": "3", "si": "4", "wu": "5"}
_DIGIT_SOUNDS |= {"liu": "6", "qi": "7", "ba": "8", "jiu": "9", "lin": "0", "dong": "0"}
_NAMES = str.maketrans("0123456789", "零一二三四五六七八九")
_SPOKEN = dict(zip("0123456789", "零幺二三四五六七八九", strict=True))


def clean(text: str) -> str:
    """`text` without punctuation and spaces, Latin letters in lower case; 3.5 and 30% stay whole."""
    return _NOT_WORD.sub("", text).lower()


def in_words(text: str) -> str:
    """`text` with its numbers as they are said: 65岁 → 六十五岁, 12345 → 一二三四五, 30% → 百分之三十."""
    return _WRITTEN_NUMBER.sub(_said, text)


def _said(number: re.Match[str]) -> str:
    whole, fraction, percent = number.groups(default="")
    counts = len(whole) <= _MAX_COUNT_DIGITS and (len(whole) == 1 or not whole.startswith("0"))
    year = len(whole) == 4 and number.string.startswith("年", number.end())
    words = str(cn2an.an2cn(int(whole), "low")) if counts and not year else whole.translate(_NAMES)
    words += "点" + fraction[1:].translate(_NAMES) if fraction else ""
    return "百分之" + words if percent else words


@lru_cache(maxsize=2048)
def fold(syllable: str) -> str:
    """A toneless syllable without the differences that accents blur: zh/z, ch/c, sh/s, eng/en, ing/in."""
    for pattern, replacement in _FOLDS:
        syllable = pattern.sub(replacement, syllable)
    return syllable


# pypinyin takes a list here, though annotated str: one token per character that has no pinyin.
_ONE_BY_ONE = cast("Callable[[str], str]", list)


@lru_cache(maxsize=65536)
def sounds(text: str) -> tuple[str, ...]:
    """One folded toneless syllable per character of `text` (digits and letters stand for themselves)."""
    return tuple(fold(s) for s in lazy_pinyin(text, errors=_ONE_BY_ONE))


@lru_cache(maxsize=8192)
def readings_of(char: str) -> frozenset[str]:
    """All folded toneless syllables that `char` may be read as: 长 is chang and zhang."""
    return frozenset(fold(s) for s in pinyin(char, Style.NORMAL, heteronym=True, errors=_ONE_BY_ONE)[0])


@lru_cache(maxsize=8192)
def spelled(text: str) -> str:
    """The sounds of `text` as one string, in which those of a phrase are found with `in`: " yi bao ka "."""
    return f" {' '.join(sounds(text))} "


def strip_fillers(text: str) -> str:
    """Cleaned `text` without polite and hesitating words at its ends; never empty unless `text` is."""
    text = clean(text)
    stripped = True
    while stripped:
        stripped = False
        for filler in _BEFORE:
            if text.startswith(filler) and len(text) > len(filler):
                text, stripped = text[len(filler) :], True
        for filler in _AFTER:
            if text.endswith(filler) and len(text) > len(filler):
                text, stripped = text[: -len(filler)], True
    return text


def find_sounds(needle: Sequence[str], haystack: Sequence[str], start: int = 0) -> int:
    """Index of the first place at or after `start` where `needle` sounds in `haystack`, or -1."""
    size = len(needle)
    for at in range(start, len(haystack) - size + 1):
        if tuple(haystack[at : at + size]) == tuple(needle):
            return at
    return -1


def says(text: str, phrase: str) -> bool:
    """Whether `phrase` is in `text`, by its characters or, from three syllables on, by its sound."""
    return phrase in text or (len(phrase) >= 3 and spelled(phrase) in spelled(text))


def digits_in(text: str, *, by_sound: bool) -> str:
    """The longest run of digits spoken or written in `text`, e.g. "13800138000"; `by_sound` takes homophones.

    Filler particles inside a run are skipped, because callers say numbers in groups.
    """
    best = run = ""
    cleaned = clean(text)
    for char, sound in zip(cleaned, sounds(cleaned), strict=True):
        digit = _DIGITS.get(char) or (_DIGIT_SOUNDS.get(sound) if by_sound else None)
        if digit:
            run += digit
            best = max(best, run, key=len)
        elif char not in "嗯啊呃额然后":
            run = ""
    return best


def spoken_digits(number: str) -> str:
    """A number as read back digit by digit, in breath groups: 13800138000 → 幺三八，零零幺三，八零零零."""
    digits = "".join(_SPOKEN.get(c, c) for c in number if c.isalnum())
    if len(digits) == 11 and number.startswith("1"):
        groups = [digits[:3], digits[3:7], digits[7:]]
    else:
        groups = [digits[i : i + 4] for i in range(0, len(digits), 4)]
        if len(groups) > 1 and len(groups[-1]) == 1:
            groups[-2:] = [groups[-2] + groups[-1]]
    return "，".join(groups)


def spoken_count(number: int) -> str:
    """0..99 as a count is said: 二十一."""
    tens, ones = divmod(number, 10)
    names = "零一二三四五六七八九"
    if tens == 0:
        return names[ones]
    return (names[tens] if tens > 1 else "") + "十" + (names[ones] if ones else "")
