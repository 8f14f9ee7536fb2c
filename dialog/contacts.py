"""Telephone numbers as callers say them: in one go or in pieces, too long, too short, corrected."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from dialog.words import clean, digits_in, spoken_digits

Verdict: TypeAlias = Literal["whole", "short", "long", "wrong"]

_MOBILE_DIGITS = 11
_LEAST_PIECE = 2  # digits; 一 alone is no piece of a number
_LEAST_RUN = 7  # digits that are a number even among other words, or heard as homophones
_PIECE_SHARE = 0.6  # of the words, from which on they are a piece of a number

_LEAD = re.compile(
    "^(?:我的?|您|你|打|记|用|换成?|换个?|留|就|是|号码|电话|手机号?|联系方式|联系|座机|固话|区号|说|呢|啊|"
    "嗯|对|好|的|然后|接着|后面|最后)+"
)
_ASIDE = re.compile(
    "等一下|等等|等会儿?|稍等|我看一下|我看看|我想想|后面(?:是|的)|最后(?:是|四位|三位)|下面是|再来|还有|"
    "然后|接着|那个|这个(?!号)|就是"
)
_MOBILE_AT_END = re.compile(f"1[3-9][0-9]{{{_MOBILE_DIGITS - 2}}}$")
_REPEATED = re.compile("(?P<times>[两二三四五六七八])个(?P<digit>[零〇幺一二三四五六七八九0-9])")
_TIMES = {"两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8}
_ANEW = re.compile("不对|错了|重新|重说|重来|从头|不是")
# 一下 and 第二遍 are no digits of a number.
_GROUP = re.compile(
    "[零〇幺一二两三四五六七八九0-9]{2,}|(?<![第这那])[零〇幺一二三四五六七八九0-9](?![下遍个次会点位样些句])"
)
_THIS_NUMBER = re.compile(
    "(?<![不别用要])(?:打|用|留|记|联系)(?:我|就)?(?:的)?(?:现在)?(?:打的)?(?:这个|这|本机|来电)(?:号码?|电话|手机|就|可以|行|吧|$)|"
    "(?:电话|号码|手机号?|联系方式)(?:就|还)?(?:是|打|用)(?:我)?(?:现在)?(?:打的)?(?:这个|本机|来电)"
)
_SAME_NUMBER = re.compile(
    "这个|这号|就用|现在的|本机|当前|打的这个|来电|我的号|^(?:对|是|好|行|可以|能|嗯|没错|没问题)"
)
_NO_CONTACT = re.compile(
    "用不着|(?:不|别|甭)(?:太)?(?:想|愿意?|方便|便|能|敢|需要|用|要|必)?(?:再)?(?:给我|跟我|找我)?"
    "(?:留|联系|打|通知|找我|回(?:访|复|电|我|话|信|了?$|知道)|提供)|不想说|不说了|不方便|不用了?$|不用了|免了|算了"
)
# 上班时间别打, 晚上不要打: when to call, and no refusal.
_NOT_THEN = re.compile(
    "(?:上班|下班|白天|晚上|夜里|半夜|中午|早上|上午|下午|开会|睡觉|[一-鿿]{1,4}点)(?:的?时间|的?时候|以?后|以?前)?"
    "(?:就|都)?(?:别|不要|不方便|不用|不能)(?:接|打)?(?:电话)?"
)
_KEEPS_NUMBER = re.compile(
    "(?:电话|号码|手机号?|联系方式)(?:我|就|也)*(?:不|别)(?:想|用|要|方便)?(?:再)?(?:留|写|登|记|说|给)"
)
_WORDS_OF_NUMBERS = re.compile("电话|手机|号码|联系|打")


def verdict(digits: str) -> Verdict:
    """Whether `digits` are a whole telephone number: a mobile, a landline with or without area code, 400."""
    least, most = _lengths(digits)
    if not most:
        return "wrong"
    return "short" if len(digits) < least else "long" if len(digits) > most else "whole"


def missing(digits: str) -> int:
    """How many digits must still come before `digits` are a whole number; negative for too many."""
    least, most = _lengths(digits)
    if not most:
        return 0
    return least - len(digits) if len(digits) < least else min(most - len(digits), 0)


def dictated(text: str) -> str:
    """The digits of a number, or of a piece of one, that `text` says as an answer; "" where it says none."""
    text = re.sub("双(?P<digit>[零〇幺一二三四五六七八九])", r"\g<digit>\g<digit>", text)
    text = _REPEATED.sub(lambda m: m["digit"] * _TIMES[m["times"]], text)
    if whole := _put_together(text):
        return whole
    text = _ASIDE.sub("", text)
    exact, run = (digits_in(text, by_sound=by_sound) for by_sound in (False, True))
    if len(run) >= _LEAST_RUN:
        # 吧 sounds like 八: a number that is whole without its sound is taken without.
        for digits in (_without_country(exact), _without_country(run)):
            if verdict(digits) == "whole":
                return digits
        mobile = _MOBILE_AT_END.search(exact)  # 最后是五五九九，一三四零零零零五五九九
        return mobile.group() if mobile else _without_country(run)
    rest = _LEAD.sub("", text)
    pieces = re.findall("[零〇幺一二两三四五六七八九0-9]+", rest)
    digits = "".join(digits_in(piece, by_sound=False) for piece in pieces)
    telling = len(digits) >= max(_LEAST_PIECE, _PIECE_SHARE * len(rest))
    return digits if telling else ""


def _put_together(text: str) -> str:
    """The whole number that groups of digits make, whatever is said between (停一下); of two the last.

    What comes before 不对 or 重说一遍 does not count where a whole number follows.
    """
    for part in (_ANEW.split(text)[-1], text):
        groups = [digits_in(found, by_sound=False) for found in _GROUP.findall(clean(part))]
        for first in range(len(groups)):
            digits = _without_country("".join(groups[first:]))
            if verdict(digits) == "whole" and len(digits) >= _MOBILE_DIGITS - 1:
                return digits
    return ""


def added(before: str, text: str) -> str:
    """The digits of a number collected so far, after the caller said `text`.

    A whole number said at once stands for itself, and so does one that is begun anew (不对，一三九…, or one
    too many for the number so far).
    """
    digits = dictated(text)
    if not digits or _ANEW.search(text) or verdict(digits) == "whole":
        return digits or ("" if _ANEW.search(text) else before)
    joined = before + digits
    return digits if before and verdict(joined) == "long" and digits[0] in "01" else joined


def find_contact(text: str) -> str:
    """A whole mobile number, or another where a word says that it is one, told in passing; "" if none."""
    digits = _without_country(digits_in(text, by_sound=False))
    named = bool(_WORDS_OF_NUMBERS.search(text)) and len(digits) >= _LEAST_RUN
    mobile = len(digits) == _MOBILE_DIGITS and digits.startswith("1")
    return digits if verdict(digits) == "whole" and (mobile or named) else ""


def means_this_number(text: str) -> bool:
    """Whether `text` says to call the number that the caller calls from: 打我这个就行."""
    return bool(_THIS_NUMBER.search(text))


def accepts_number(text: str) -> bool:
    """Whether `text` agrees to be called back on the number called from."""
    return bool(_SAME_NUMBER.search(text))


def refuses_number(text: str) -> bool:
    """Whether `text`, an answer to the question for a number, says that there will be none."""
    return bool(_NO_CONTACT.search(_NOT_THEN.sub("", text)))


def spoken_so_far(digits: str) -> str:
    """Digits of a number that is not whole, in the breath groups that it will have when it is."""
    if not digits.startswith("1"):
        return spoken_digits(digits)
    return "，".join(spoken_digits(part) for part in (digits[:3], digits[3:7], digits[7:]) if part)


def keeps_number(text: str) -> bool:
    """Whether `text` says, without being asked, that no number is to be taken down."""
    return bool(_KEEPS_NUMBER.search(text))


def _without_country(digits: str) -> str:
    return digits[2:] if len(digits) == _MOBILE_DIGITS + 2 and digits.startswith("861") else digits


def _lengths(digits: str) -> tuple[int, int]:
    """The fewest and most digits a number has that begins so; (0, 0) where none does."""
    if re.match("1[3-9]|1$", digits):
        return _MOBILE_DIGITS, _MOBILE_DIGITS
    if re.match("0(?:10|2[0-9])", digits):
        return 10, 11
    if digits.startswith("0"):
        return 11, 12
    if re.match("[48]00", digits):
        return 10, 10
    if re.match("[2-9]", digits):
        return 7, 8
    return 0, 0
