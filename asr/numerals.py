"""Chinese numerals: what they look like, as parts of regular expressions, and what they are worth.

cn2an reads the cardinals. Nothing here captures, so that the parts can be put together freely.
"""

from __future__ import annotations

import re

import cn2an

VALUE = dict(zip("零〇一幺二两三四五六七八九", "0011223456789", strict=True))
NUMERALS = "零〇一幺二两三四五六七八九十百千万亿"

# 一 after a number may begin the next word: 五百一个号, 从八十一下变成四十.
_EACH = "[个亩度斤张天年次套位平米本袋瓶箱碗份人顿趟户晚节两单棵只条间桶包盒辆台件]"
_WORD = "[下直些起共般样定边会并律再向]"
# Not within a longer number, nor within one that is only about right: 十几, 几十, 七八十.
BEGIN = f"(?<![{NUMERALS}几数])"
END = f"(?![零〇幺二两三四五六七八九十百千万亿几]|一(?!{_EACH}|{_WORD}))"

DIGIT = "[零〇一幺二三四五六七八九]"  # as numbers are read digit by digit
ONE = "[一二两三四五六七八九]"
FEW = "[一二三四五六七八九]"
LAST = f"(?:[二两三四五六七八九]|一(?!{_WORD}))"
_SHORT = f"(?:[二两三四五六七八九]|一(?!{_EACH}|{_WORD}))"  # of 一百五, 一万二

_TENS = f"{ONE}十{LAST}?"
_AFTER_HUNDREDS = f"零{LAST}|{_TENS}"
_AFTER_THOUSANDS = f"零{_TENS}|零{LAST}|{ONE}百(?:{_AFTER_HUNDREDS})?"
_FULL = (
    f"(?:{ONE}千(?:{_AFTER_THOUSANDS})?|{ONE}百(?:{_AFTER_HUNDREDS})?|{ONE}?十{LAST}?|{ONE})"  # as before 万
)
_HUNDREDS = f"{ONE}百(?:{_AFTER_HUNDREDS}|{_SHORT})?"
_THOUSANDS = f"{ONE}千(?:零{_TENS}|零{LAST}|{_HUNDREDS}|{_SHORT})?"
_AFTER_MYRIADS = f"{_THOUSANDS}|零?{_HUNDREDS}|零{_TENS}|零{LAST}|{_SHORT}"
_MYRIADS = f"{_FULL}万(?:{_AFTER_MYRIADS})?"
_BILLIONS = f"{_FULL}亿(?:零?{_MYRIADS})?"
FROM_TWENTY = f"(?:{_BILLIONS}|{_MYRIADS}|{_THOUSANDS}|{_HUNDREDS}|{_TENS})"
FROM_TEN = f"(?:{FROM_TWENTY}|十{LAST}?)"
NUMBER = f"(?:{FROM_TEN}|{ONE})"

# 三点五, but not 三点五十 (a time), 七点一开门 (as soon as it …) or 我说两点二是 (the second of two).
NOT_TENTHS = f"{FEW}[是个]|一(?!$|[倍万亿米度公平克斤吨元块级分升千瓦兆岁]|{DIGIT})"
DECIMAL = (
    f"(?:{NUMBER}|零)(?<![快慢早晚大小多少好差有高低近远轻重]一)点(?!{NOT_TENTHS})"
    f"{DIGIT}+(?![零〇一幺二两三四五六七八九十百千几点月号楼栋])"
)
SEVERAL = f"[两三四五六七八九]个{DIGIT}(?![十百千万亿月])"  # 四个零: 0000

_SEVERAL = re.compile(f"([两三四五六七八九])个({DIGIT})")
_DIGITS_OR_NUMBER = re.compile(f"((?:{DIGIT}|[两]零){DIGIT}+|零)|{NUMBER}")


def by_digits(said: str) -> str:
    """Digit by digit: 幺三八四个零 → 1380000; other characters stay."""
    said = _SEVERAL.sub(lambda match: match[2] * int(VALUE[match[1]]), said)
    return "".join(VALUE.get(char, char) for char in said)


def value(said: str) -> int:
    """What a cardinal is worth: 两万三 → 23000."""
    return int(cn2an.cn2an(said, "normal"))


def cardinal(said: str) -> str:
    """A cardinal in digits, round ones with 万 and 亿: 十八 → 18, 两万三 → 2.3万, 三万五千六百 → 35600."""
    number = value(said)
    for unit, name, shown in ((10**8, "亿", 10**7), (10**4, "万", 10**3)):
        if number >= unit and number % shown == 0:
            return f"{number / unit:.10g}{name}"
    return str(number)


def decimal(said: str) -> str:
    """三点一四 → 3.14."""
    whole, _, fraction = said.partition("点")
    return f"{'0' if whole == '零' else cardinal(whole)}.{by_digits(fraction)}"


def each(said: str) -> str:
    """Every number in `said`, digit by digit or as a cardinal, as it was said: 二零一九年三月 → 2019年3月."""
    return _DIGITS_OR_NUMBER.sub(lambda match: by_digits(match[0]) if match[1] else cardinal(match[0]), said)
