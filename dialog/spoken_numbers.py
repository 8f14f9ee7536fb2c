"""Numbers as callers tell them of themselves: an age, a time, an income; always a span, seldom exact.

六十五 is 65, 六十多 is 60 to 69, 快六十了 is at most 59, 一年半 is 18 months, 五八年的 is an age.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, TypeAlias

from pypinyin import lazy_pinyin

from dialog.words import in_words

Unit: TypeAlias = Literal["岁", "个月", "年", "元", ""]
Span: TypeAlias = tuple[int, int]  # the least and the greatest that may be meant

ENDLESS = 10**9
_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_SIZES = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_SOUNDS = {
    "ling": "零",
    "yi": "一",
    "er": "二",
    "liang": "两",
    "san": "三",
    "si": "四",
    "wu": "五",
    "liu": "六",
}
_SOUNDS |= {"qi": "七", "ba": "八", "jiu": "九", "shi": "十", "bai": "百", "qian": "千"}

_NUMERAL = "[零〇一二两三四五六七八九十百千万]"
_LEAD = re.compile("^(?:今年|大概|就|是|有|都|也|刚|满)+")
_ONLY_NUMBER = re.compile(f"{_NUMERAL}+(?:个月|岁|年|块|元)?半?[了的吧多]?")
_LESS = (
    "不到|没到|不足|不满|没满|未满|没有|还没有?|快要?|将近|接近|奔|马上|就要|"
    "差(?!不多)(?:[一两三几半])?(?:天|个?月|年|岁|点)?"
)
_NUMBER = re.compile(
    f"(?P<less>(?:{_LESS})(?:就|要|有|到|满|是)*)?(?P<number>{_NUMERAL}+|半(?=年|个月))"
    "(?P<more>多|来|几|出头|以上|个多)?(?P<half>个半)?(?P<unit>个月|个?星期|年|岁|周|天|块|元|月)?"
    "(?P<and_half>半)?(?P<after>多|出头|以上|不到)?"
)
_EITHER = re.compile("([一二三四五六七八])[二三四五六七八九](?=十)")  # 七八十岁 is 70 at least
_DIGIT = "[零〇一二三四五六七八九]"
_YEAR = f"(?:一九|二零|二〇){_DIGIT}{{2}}|(?:{_DIGIT}{{2}}|{_DIGIT}十{_DIGIT}?)(?=年)"
_BORN = re.compile(f"(?P<year>{_YEAR})年?(?:{_NUMERAL}+月份?(?:{_NUMERAL}+[号日])?)?(?:的|生|出生|$)")
_NO_INCOME = re.compile("没有?(?:任何|什么)?(?:收入|工资|钱)|零收入")
_JUST_NOW = re.compile("昨天|今天|前天|前几天|上周|这周|这几天|刚(?:刚|来|登记|办|做|搬|交)")
_DATE = re.compile(
    f"(?:(?P<past>今年|去年|前年)|(?P<year>二[零〇]{_DIGIT}{{2}})年)(?:(?P<month>{_NUMERAL}{{1,2}})月)?"
)
_MONTHS = {"年": 12, "个月": 1, "月": 1}
_DAYS = {"周": 7, "星期": 7, "个星期": 7, "天": 1}
_MONTH_DAYS = 30


def span_in(text: str, unit: Unit, today: date, *, bare: bool) -> Span | None:
    """The last number told in `text`, in `unit`; `bare`: one without a unit is in that unit, too."""
    said = in_words(text)
    if unit == "元" and _NO_INCOME.search(said):
        return 0, 0
    if unit == "岁" and (born := _BORN.search(said)):
        age = _age(born["year"], today)
        return age, age
    if unit in ("个月", "年") and (since := _since(said, today)):
        return since if unit == "个月" else (since[0] // 12, since[1] // 12)
    spans = (_in_unit(match, unit, bare=bare) for match in _NUMBER.finditer(_EITHER.sub(r"\1", said)))
    return next((span for span in reversed(list(spans)) if span), None)


def _since(said: str, today: date) -> Span | None:
    """The months since a day told as 去年, 今年三月, 二零二三年 or 昨天."""
    if _JUST_NOW.search(said):
        return 0, 0
    found = _DATE.search(said)
    if not found:
        return None
    past = {"今年": 0, "去年": 1, "前年": 2}.get(found["past"] or "", 0)
    year = _value(found["year"]) if found["year"] else today.year - past
    month = _value(found["month"]) if found["month"] else 0
    months = (today.year - year) * 12 + today.month
    if not 0 <= month <= 12 or months < month:
        return None
    return (months - month, months - month) if month else (max(months - 12, 0), months - 1)


def by_sound(text: str) -> str:
    """An answer that sounds like a number alone, written as one: 刘石五 is 六十五; "" where it does not."""
    said = _LEAD.sub("", in_words(text))
    heard = (lazy_pinyin(char)[0] for char in said)
    written = "".join(_SOUNDS.get(sound, char) for char, sound in zip(said, heard, strict=True))
    return written if _ONLY_NUMBER.fullmatch(written) else ""


def _in_unit(match: re.Match[str], unit: Unit, *, bare: bool) -> Span | None:
    named = match["unit"] or ""
    half = match["number"] == "半"
    number = 0 if half else _value(match["number"])
    if unit in ("个月", "年"):
        per = _MONTHS.get(named)
        if named in _DAYS:
            months = number * _DAYS[named] // _MONTH_DAYS
            span = months, months
        elif per:
            months = per // 2 if half else number * per
            months += per // 2 if match["half"] or match["and_half"] else 0
            span = _around(match, months, per // 2 if half else per)
        else:
            return None
        return span if unit == "个月" else (span[0] // 12, span[1] // 12)
    fits = named == unit or (unit == "元" and named == "块") or (bare and not named)
    return _around(match, number, _SIZES.get(match["number"][-1], 1)) if fits and not half else None


def _around(match: re.Match[str], number: int, step: int) -> Span:
    if match["less"] or match["after"] == "不到":
        return 0, max(number - 1, 0)
    if "以上" in (match["more"], match["after"]):
        return number, ENDLESS
    return number, number + (step - 1 if match["more"] or match["after"] else 0)


def _value(numeral: str) -> int:
    """六十五 is 65, 一千二 is 1200, 九百零五 is 905, 六五 is 65."""
    if not any(char in _SIZES for char in numeral):
        return int("".join(str(_DIGITS[char]) for char in numeral))
    total = section = 0
    digit: int | None = None
    size = 1  # of the last place; a digit without one stands a place lower
    for char in numeral:
        if char in _DIGITS:
            digit = _DIGITS[char]
            size = 10 if digit == 0 else size
        elif char == "万":
            total, section, digit, size = (section + (digit or 0)) * 10000, 0, None, 10000
        else:
            section += (1 if digit is None else digit) * _SIZES[char]
            digit, size = None, _SIZES[char]
    return total + section + (digit or 0) * size // 10


def _age(year: str, today: date) -> int:
    born = _value(year)
    if born < 100:
        born += 2000 if 2000 + born <= today.year else 1900
    return today.year - born
