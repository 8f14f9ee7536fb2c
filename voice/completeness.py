"""Whether the words heard so far may be all that the caller wants to say."""

from __future__ import annotations

import re

from dialog import Expects

UNKNOWN, BEGIN = "\0", "\1"
_DIGITS = "零〇一幺二两三四五六七八九0123456789"
_SPELLED = re.compile(f"[{_DIGITS}]+$")
_FILLER_END = re.compile("(?:嗯|呃|额|啊这个|那个|这个|就是说?|然后呢?|那么)$")
_DANGLING = re.compile(
    "(?:问一下|咨询一下|请问|想问|想咨询|反映一下|投诉一下|我想|我要|想要|就是|因为|所以|但是|可是|不过|而且|然后|"
    "还有|如果|要是|虽然|或者|以及|并且|和|与|跟|在|从|把|被|给|对于|向|往|关于|按照|根据|比如|例如|第|"
    "办理|咨询|投诉|反映|我的|我们的|你们的|他们的)$"
)
_COMPLETE = re.compile(
    "(?:吗|呢|吧|怎么办|怎么补办?|多少钱?|哪里|哪儿|什么|了|是的|不用|没有|谢谢|再见|可以|人工|号|材料|办理不?了|怎么办理)$"
)
_ANSWERS = re.compile(
    "(?:对|是|好|行|嗯|可以|没错|不|没有|不用|不是|不对|要|不要|需要|确认|正确|的|了|吧|啊|就这样|谢谢)+"
)


def digits_missing(partial: str, expects: Expects, digits: int) -> bool | None:
    """Whether a number being spelled out lacks digits; None where none is being spelled."""
    match = _SPELLED.search(partial)
    if match is None:
        return None
    count = len(match[0])
    if expects == "digits" and digits:
        return count < digits
    if expects != "digits" and count < 4:
        return None
    number = match[0].translate(str.maketrans("一幺", "11"))
    return count < (11 if number[0] == "1" else 7)


def completeness(partial: str, *, expects: Expects = "anything", digits: int = 0) -> float:
    """How likely the words are a whole turn: 0..1."""
    missing = digits_missing(partial, expects, digits)
    if missing is not None:
        return 0.0 if missing else 0.95
    if expects == "yes_no" and _ANSWERS.fullmatch(partial):
        return 1.0
    if re.search("怎么(?:办理|咨询|投诉|反映)$", partial) or re.search("是.*的$", partial):
        return 1.0
    if _FILLER_END.search(partial) or _DANGLING.search(partial):
        return 0.0
    if _COMPLETE.search(partial):
        return 1.0
    return 0.7 if expects in ("anything", "yes_no") else 0.5
