"""When something happened and how long it has gone on, found in a caller's words as they sounded."""

from __future__ import annotations

import re

_NUMBER = "[0-9零〇一二两三四五六七八九十]+"
_DATE = (
    "(?:三十一?|[一二两]?十[一二三四五六七八九]?|二十[一二三四五六七八九]?|初?[一二三四五六七八九]|"
    "[12]?[0-9]|3[01])"
)
_MANY = "(?:好几|大半|十几|几十|[0-9零〇一二两三四五六七八九十几半数百]+)"
_WEEKDAY = "[一二三四五六日天末]"
_DAY = (
    "大前天|今天|昨天|前天|今儿|昨儿|前儿|今早|今晚|昨晚|昨夜|前晚|当天|那天|每天|每晚|每周|天天|夜夜|最近|"
    "近来|这几天|"
    "这两天|这段时间|近期|前几天|前阵子|"
    f"(?:上|这|本)?个?(?:周|星期|礼拜){_WEEKDAY}|上上?个?(?:周|星期|礼拜)|(?:这|本)个?(?:周|星期|礼拜)|"
    f"每个?周末|每个?月|每个?(?:星期|礼拜)|周末|工作日|节假日|"
    f"上上?个?月(?:初|中|底)?|(?:这个|本)月(?:初|中|底)?|月初|月底|今年|去年|前年|年初|年底|春节|过年|"
    f"国庆节?|"
    f"五一|中秋节?|元旦节?|清明节?|端午节?|"
    f"暑假|寒假|高考|春天|夏天|秋天|冬天|{_MANY}个?多?(?:小时|天|周|星期|礼拜|月|年)多?(?:之前|以前|前)|"
    f"[0-9零〇一二三四五六七八九]{{4}}年|{_NUMBER}月份?(?:{_NUMBER}[号日])?(?:初|中旬|底)?|"
    f"(?<![路街道巷弄院村区苑园城里栋楼0-9零〇一二三四五六七八九十百千]){_DATE}[号日](?![楼院栋线店桌柜门那旁对附])"
)
_PART_OF_DAY = (
    "大半夜|后半夜|前半夜|半夜|深夜|夜里|夜间|凌晨|清晨|早上|早晨|大清早|一大早|一早|上午|中午|下午|傍晚|"
    "晚上|晚间|白天|放学|上学|上班|下班"
)
_CLOCK_END = f"(?:来钟|多钟|钟|半|{_NUMBER}分?|多|左右)"
_CLOCK = (
    f"(?:{_PART_OF_DAY})的?{_NUMBER}点{_CLOCK_END}?|(?!一点){_NUMBER}点{_CLOCK_END}?(?![意建要原])|"
    f"一点(?:钟|半|多|{_NUMBER}分)"
)
# 一直没人管 says nothing of when, unless it answers the question for it.
_VAGUE = "一直|长期|经常|刚才|刚刚|现在|目前|平时|平常|有时候|好久"
_JOINS = (
    "从|到|至|的(?=半夜|深夜|夜里|凌晨|早上|上午|中午|下午|傍晚|晚上)|开始|以后|之后|以来|起|左右|前后|"
    "的时候|时候|期间|时间段|那会儿|那阵子|那几天|放学的时候"
)
_TIME = re.compile(f"(?:从|自)?(?:{_CLOCK}|{_DAY}|{_PART_OF_DAY}|{_VAGUE}|{_JOINS})+")
_SAYS_WHEN = re.compile(f"{_CLOCK}|{_DAY}|{_PART_OF_DAY}|{_VAGUE}")
_SAYS_DAY = re.compile(f"{_CLOCK}|{_DAY}|从.{{1,6}}到现在")
_NOT_AT_ENDS = re.compile("^(?:到|至)+|(?:从|到|至)+$")
_LEAD = re.compile("^(?:大概|大约|差不多|应该|时间|就|具体)*(?:就?是|在)?(?:大概|大约|差不多)?")
_UNKNOWN = re.compile("记不清|不记得|记不得|不知道|不清楚|忘了|说不清|不好说|说不准|没注意")

_SPAN = f"{_MANY}个?多?半?(?:小时|钟头|天|周|星期|礼拜|月|年|学期|季度|分钟)(?:多|半)?"
_NOT_SPAN = (
    "(?!级|前|之前|以前|后|之后|以后|内|之内|以内|一次|一回|的时候|初|底|份|来一|"
    "[0-9零〇一二三四五六七八九十]+[号日])"
)
_CUE = (
    "(?:已经|已|都|快要?|有|持续|连续|长达|足足|整整|将近|接近|差不多|超过|拖|等|停|坏|欠|断|堆|吵|闹|漏|"
    "修|挂|干|跑)了?(?:我们?)?"
)
# 停了半小时收我二十块 tells no duration, 停了四个小时了 does.
_SHORT_SPAN = f"{_MANY}个?半?(?:小时|钟头|分钟)(?:多|半)?"
_DURATION = re.compile(
    f"(?:{_CUE})+(?P<after>(?:快|将近|差不多|大概|有)?(?!{_SHORT_SPAN}){_SPAN}){_NOT_SPAN}|"
    f"(?P<before>(?!{_SHORT_SPAN}){_SPAN}){_NOT_SPAN}(?=了|没|都没|不|还没|还不|都不)|"
    f"(?:已经|已|持续了?)(?P<short>{_SHORT_SPAN})|(?P<till>{_SHORT_SPAN})(?=了)"
)
_ANY_SPAN = re.compile(f"(?P<before>{_SPAN}){_NOT_SPAN}")
_NO_SPAN_BEFORE = re.compile("(?:每|第|等|要等|再|过|限|这|那|前|上|隔|头|近)$")


def find_time(text: str) -> str:
    """The longest expression of time in `text`, "" where there is none."""
    found = [m.group() for m in _TIME.finditer(text) if _SAYS_WHEN.search(m.group())]
    return _NOT_AT_ENDS.sub("", max(found, key=len, default=""))


def told_time(text: str) -> str:
    """As `find_time`, but only where it says on which day or at what hour: of several the longest."""
    found = [m.group() for m in _TIME.finditer(text) if _SAYS_DAY.search(m.group())]
    return _NOT_AT_ENDS.sub("", max(found, key=len, default=""))


def answered_time(text: str) -> str:
    """What `text`, an answer to 什么时候, says of it; "" where that is nothing."""
    return find_time(text) or (_span(_ANY_SPAN, text) and text) or _at_least_two(_LEAD.sub("", text))


def find_duration(text: str, *, asked: bool = False) -> str:
    """How long it has gone on (三天, 快半年), "" where not told; `asked` takes any span of time."""
    return _span(_DURATION, text) or (_span(_ANY_SPAN, text) if asked else "")


def is_unknown(text: str) -> bool:
    """Whether the caller says that they do not know."""
    return bool(_UNKNOWN.search(text))


def _span(pattern: re.Pattern[str], text: str) -> str:
    for found in pattern.finditer(text):
        group = next(name for name, value in found.groupdict().items() if value)
        if not _NO_SPAN_BEFORE.search(text[: found.start(group)]):
            return found[group]
    return ""


def _at_least_two(text: str) -> str:
    return text if len(text) >= 2 else ""
