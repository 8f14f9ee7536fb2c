"""The figures of a text in normal form, however they are written: 三十天 and 30日, 1万2千元 and 12000块.

A figure is compared by what it counts and how much, never by its characters. Where a writing can mean two
things (15日 is a day of the month or a length of time) it stands for both, and one of them must fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cn2an

Normal: TypeAlias = tuple[str, str]  # what is counted, and how much
Reader: TypeAlias = "Callable[[re.Match[str]], list[set[Normal]]]"  # the figures that a match writes

_CN = "零〇一二三四五六七八九幺两"
_N = (
    f"(?:[0-9]+(?:[,，][0-9]{{3}})*(?:\\.[0-9]+)?[万千百亿]?(?:[0-9{_CN}]+[千百十]?)?|"
    f"[{_CN}十百千万亿]+(?:点[{_CN}]+[万亿]?)?)"
)
_PART = "凌晨|清晨|早上|早晨|早|上午|中午|下午|午后|傍晚|晚上|晚|夜里|夜间|半夜|深夜"
_AFTERNOON = re.compile("下午|午后|傍晚|晚|夜间")
_ABOUT = "(?:多|余|来|几)?"

# Words with a numeral in them that count nothing; blanked before figures are looked for.
_NO_FIGURE = re.compile(
    "一般|一下|一起|一样|一定|一些|一直|一会儿?|一律|一旦|一边|一共|一并|统一|唯一|(?<!分)之一|万一|一家人|一次性|一站式|一件事|"
    "一网通办|一窗|一切|进一步|下一步|上一步|第一时间|一系列|一致|一再|一体|一卡通|一码|老百姓|百姓|五险一金|两头|两边|"
    "二维码|二手|二次供水|十字|一面|万分|四季|另一方|任何一方|一方|一点儿|一点[也都]|(?<=[快慢多少早晚高低有好])一点(?![零〇一二三四五六七八九])|"
    "十分(?!钟)|千万(?=别|不|要|记)|三方|五一(?=劳动节|假期|期间)|"
    "(?:任意|任何|随便|其中|每|哪|这|那|同|某|另|逐)一?[个家项种位件次步]|一[个位项种步家](?!半|工作日|月|小时|钟头|星期|礼拜|季度)|"
    "第[一二三四五1-5](?:步|点|项|种|类|，|,|、)"
)
_DAY = re.compile(f"(?P<month>{_N})月(?:份)?(?:(?P<day>{_N})[日号])?")
_YEAR = re.compile(f"(?P<year>(?:19|20)[0-9]{{2}}|[一二][{_CN}]{{3}})年")
_CLOCK = re.compile(
    f"(?P<part>{_PART})?(?P<hour>{_N})(?:点钟?(?!{_N}(?:倍|万|亿|吨|平|米|元|个百分|折|公里|岁))|时(?!间|候|段|期|效|限)|[:：](?=[0-9]{{2}}))"
    f"(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<minute>[0-9]{{1,2}}|[{_CN}十]{{1,3}})分?(?!钟|个|天|倍|元|%))?"
)
_DIGITS = re.compile(f"\\+?[0-9{_CN[:-1]}](?:[-－—–  ]?[0-9{_CN[:-1]}]){{2,}}")
_GROUPED = re.compile(f"[0-9{_CN[:-1]}]+(?:[，,、][0-9{_CN[:-1]}]+)+")
_KEY = re.compile(f"按(?P<key>[0-9{_CN[:-1]}])(?=键|$|[^0-9{_CN}十百千万个一-鿿.%％])")
# A street with its number: neither is of use with another's.
_ADDRESS = re.compile(f"(?P<road>[一-鿿]{{1,6}}(?:路|大道|大街|街|巷|弄))的?(?P<number>{_N})号(?!楼|线)")
_PERCENT = re.compile(
    f"百分之(?P<of>{_N})|(?P<sign>{_N}){_ABOUT}(?:[%％]|个百分点|个点)|(?P<tenth>{_N})成(?!立|年|本|功|为|员)"
)
_HALF = re.compile("(?P<unit>(?<!个)半(?:个?(?:月|小时|钟头)|年|天|价)|一半)")
_COUNTED = re.compile(
    f"(?P<nth>第)?(?P<first>{_N})(?:(?:到|至|-|~|～|—|或)(?P<last>{_N}))?{_ABOUT}(?P<each>个半|个|半)?(?P<unit>"
    "工作日|小时|钟头|分钟|秒钟?|星期|礼拜|季度|周岁|平方米|平米|公里|公斤|千瓦时|月|年|天|日|周|岁|刻钟|"
    "元|块|圆|角|毛|分钱|折|倍|楼|层|号|度|吨|米|厘米|毫克|克|斤|兆|级|次|寸|英寸|"
    "口人|口|人|名|位|张|份|件|项|种|家|条|本|套|户|辆|只|栋|单元|室|步|类|档|轮|期)?(?P<half>半)?"
    f"(?P<dime>(?<=[块米])[{_CN}1-9](?![0-9十百]))?"
)
# What a unit counts, and how many of what it is compared by.
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("元", "块", "圆"), ("yuan", 1.0)),
    **dict.fromkeys(("角", "毛"), ("yuan", 0.1)),
    **dict.fromkeys(("天", "日"), ("day", 1.0)),
    **dict.fromkeys(("周", "星期", "礼拜"), ("day", 7.0)),
    **dict.fromkeys(("小时", "钟头"), ("minute", 60.0)),
    **dict.fromkeys(("岁", "周岁"), ("age", 1.0)),
    **dict.fromkeys(("楼", "层"), ("floor", 1.0)),
    **dict.fromkeys(("平方米", "平米"), ("square metre", 1.0)),
    **dict.fromkeys(("秒", "秒钟"), ("second", 1.0)),
    **dict.fromkeys(("度", "千瓦时"), ("degree", 1.0)),
    "工作日": ("working day", 1.0),
    "分钱": ("yuan", 0.01),
    "月": ("month", 1.0),
    "季度": ("month", 3.0),
    "年": ("month", 12.0),
    "分钟": ("minute", 1.0),
    "刻钟": ("minute", 15.0),
    "号": ("number", 1.0),
    "倍": ("times", 1.0),
    "公里": ("metre", 1000.0),
    "米": ("metre", 1.0),
    "厘米": ("metre", 0.01),
    "公斤": ("gram", 1000.0),
    "斤": ("gram", 500.0),
    "克": ("gram", 1.0),
    "吨": ("tonne", 1.0),
    "级": ("grade", 1.0),
    "寸": ("inch", 1.0),
    "英寸": ("inch", 1.0),
    "次": ("time", 1.0),
}
_HALVES = {"半年": ("month", 6.0), "半天": ("day", 0.5), "半价": ("percent", 50.0), "一半": ("percent", 50.0)}
_TRAILING = re.compile(f"([万千百])([{_CN}1-9])$")
_COMMA = re.compile("[，,、]")
_BLANK = "　"
# Said of every month, also as 一个月.
_RATES: tuple[tuple[str, Normal], ...] = (
    ("每月", ("month", "1")),
    ("每个月", ("month", "1")),
    ("每年", ("month", "12")),
    ("每天", ("day", "1")),
    ("每周", ("day", "7")),
    ("每小时", ("minute", "60")),
)
_LOWER = {"万": "千", "千": "百", "百": "十"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the normal forms that it may stand for, and the words it was read from.

    Groups of digits with a comma between may be one number or several: then `parts` are these.
    """

    normals: frozenset[Normal]
    text: str
    parts: tuple[Figure, ...] = ()

    def within(self, known: Collection[Normal]) -> bool:
        """Whether the figure is among the `known` normal forms, as `normals` gives them."""
        if not self.normals.isdisjoint(known) or (self.parts and all(p.within(known) for p in self.parts)):
            return True
        kind, value = next(iter(self.normals))
        if self.text.startswith("一") and (kind, value) == ("count", "1"):  # 一张 is mostly "a", not "one"
            return ("unit", self.text[-1]) not in known
        kinds = dict(self.normals)
        if "clock unsaid" in kinds:
            half_days = {f"{float(at) % 720:g}" for other, at in known if other == "clock" and at != "none"}
            return kinds["clock unsaid"] in half_days
        if "bare" in kinds:
            return any(at == kinds["bare"] for other, at in known if other not in ("digits", "clock", "nth"))
        return False


def figures(text: str) -> list[Figure]:
    """The figures in `text`, in their order."""
    rest = _NO_FIGURE.sub(lambda match: _BLANK * len(match.group()), text)
    found: list[tuple[int, Figure]] = []
    for pattern, read in _READERS:
        for match in list(pattern.finditer(rest)):
            read_off = read(match)
            parts = tuple(figures(_COMMA.sub(_BLANK, match.group()))) if read is _grouped and read_off else ()
            found += [
                (match.start(), Figure(frozenset(one), match.group().strip(), parts)) for one in read_off
            ]
            if read_off:
                rest = rest[: match.start()] + _BLANK * len(match.group()) + rest[match.end() :]
    return [figure for _, figure in sorted(found, key=lambda item: item[0])]


@lru_cache(maxsize=4096)
def normals(text: str) -> frozenset[Normal]:
    """All normal forms that the figures of `text` may stand for, to compare other figures with."""
    known = {normal for word, normal in _RATES if word in text}
    for figure in figures(text):
        for one in (figure, *figure.parts):
            known |= {normal for normal in one.normals if normal[0] != "clock unsaid"}
            known |= {("unit", one.text[-1]) for kind, _ in one.normals if kind == "count"}
            known |= {("number", value.partition("|")[2]) for kind, value in one.normals if kind == "address"}
            dates = [value for kind, value in one.normals if kind == "date"]
            known |= {("month of the year", value.split(".")[0]) for value in dates}
    return frozenset(known)


def amount(words: str) -> float | None:
    """The number that `words` write: 1万2千 → 12000, 一千五 → 1500, 幺二三 → 123; None where they do not."""
    plain = re.sub("[,，]", "", words).replace("幺", "一").replace("〇", "零")
    plain = _TRAILING.sub(lambda match: match[1] + match[2] + _LOWER[match[1]], plain)
    if scaled := re.fullmatch("(.*点.*)([万亿])", plain):
        value = amount(scaled[1])
        return value and value * (1e4 if scaled[2] == "万" else 1e8)
    try:
        if re.search("[十百千万亿].*[0-9]", plain):
            plain = re.sub("[0-9]+", lambda digits: str(cn2an.an2cn(digits.group())), plain)
        return float(cn2an.cn2an(plain, "smart"))
    except ValueError:
        return None


def _of(kind: str, value: float | None, scale: float = 1.0) -> set[Normal]:
    return set() if value is None else {(kind, f"{value * scale:.8g}")}


def _grouped(match: re.Match[str]) -> list[set[Normal]]:
    """Groups of one number said with a breath between them: 幺三九，零零幺三，九零零零."""
    start = match.start() + max(match.group().rfind(mark) for mark in "，,、") + 1
    last = _COUNTED.match(match.string, start)
    counts = last and (last["unit"] or last["each"] or re.match("[.%％点]", match.string[match.end() :]))
    digits = "".join(map(_digit, match.group()))
    return [{("digits", digits)}] if len(digits) >= 5 and not counts else []


def _key(match: re.Match[str]) -> list[set[Normal]]:
    return [{("key", _digit(match["key"]))}]


def _address(match: re.Match[str]) -> list[set[Normal]]:
    number = amount(match["number"])
    return [] if number is None else [{("address", f"{match['road'][-3:]}|{number:g}")}]


def _year(match: re.Match[str]) -> list[set[Normal]]:
    return [{("year", "".join(map(_digit, match["year"])))}]


def _percent(match: re.Match[str]) -> list[set[Normal]]:
    value, scale = (match["tenth"], 10.0) if match["tenth"] else (match["of"] or match["sign"], 1.0)
    found = _of("percent", amount(value), scale)
    return [found] if found else []


def _day(match: re.Match[str]) -> list[set[Normal]]:
    month, day = amount(match["month"]), amount(match["day"]) if match["day"] else None
    if month is None or not 1 <= month <= 12:
        return []
    return [{("date", f"{month:g}.{day:g}")} if day else {("month of the year", f"{month:g}")}]


def _clock(match: re.Match[str]) -> list[set[Normal]]:
    hour, part = amount(match["hour"]), match["part"] or ""
    after = match.string[match.end() :]
    vague = match.group() == "一点" and not re.match("到|至|半|前|后|整|开|以", after)  # a little
    if hour is None or hour > 24 or hour != int(hour) or vague:
        return []
    minute = 30.0 if match["half"] else amount(match["minute"] or "零") or 0.0
    minute = 15.0 * (amount(match["quarter"]) or 0.0) if match["quarter"] else minute
    before = match.string[max(0, match.start() - 12) : match.start()]
    carried = not part and _AFTERNOON.search(before) and re.search("[到至~～—-]$", before)
    if hour < 12 and (_AFTERNOON.search(part) or carried or (part == "中午" and hour < 5)):
        hour += 12
    nonsense = part and not _AFTERNOON.search(part) and part != "中午" and hour > 12  # 早上十八点
    told: set[Normal] = {("clock", "none" if nonsense else f"{hour * 60 + minute:g}")}
    if not part and not carried and hour <= 12:  # 九点到五点: without 下午 it may be either
        told.add(("clock unsaid", f"{(hour * 60 + minute) % 720:g}"))
    return [told]


def _digits(match: re.Match[str]) -> list[set[Normal]]:
    text = match.group()
    counted = _COUNTED.match(match.string, match.start())
    if counted and len(text) <= 7 and (counted["unit"] or len(counted["first"]) > len(text)):
        return []
    digits = "".join(map(_digit, text))
    return [{("digits", digits)} | (_of("bare", float(digits)) if len(digits) <= 4 else set())]


def _half(match: re.Match[str]) -> list[set[Normal]]:
    unit = match["unit"]
    kind, value = _HALVES.get(unit) or (("month", 0.5) if unit.endswith("月") else ("minute", 30.0))
    return [_of(kind, value)]


def _counted(match: re.Match[str]) -> list[set[Normal]]:
    unit, each = match["unit"] or "", match["each"] or ""
    words = [word for word in (match["first"], match["last"]) if word]
    if len(words) == 1 and not unit and not each and len(words[0]) == 1 and not words[0].isdigit():
        return []  # a single numeral without anything that it counts
    more = 0.1 * (amount(match["dime"]) or 0) if match["dime"] else 0.0
    more += 0.5 if each.endswith("半") or match["half"] else 0.0
    amounts = [amount(word) for word in words]
    return [_measured(value + more, unit, each, bool(match["nth"])) for value in amounts if value is not None]


def _measured(value: float, unit: str, each: str, ordinal: bool) -> set[Normal]:
    if ordinal:
        return _of("nth", value)
    if unit == "折":
        return _of("fold", value / 10 if value > 10 else value)
    if unit in ("日", "号"):
        return _of("number", value) | (_of("day", value) if unit == "日" else set())
    kind, scale = _UNITS.get(unit, ("count" if unit or each else "bare", 1.0))
    return _of(kind, value, scale)


def _digit(char: str) -> str:
    """The digit that `char` writes, "" where it writes none."""
    if char in "0123456789":
        return char
    at = "零一二三四五六七八九".find(char.replace("〇", "零").replace("幺", "一"))
    return str(at) if at >= 0 else ""


_READERS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (_GROUPED, _grouped),
    (_ADDRESS, _address),
    (_KEY, _key),
    (_YEAR, _year),
    (_PERCENT, _percent),
    (_DAY, _day),
    (_CLOCK, _clock),
    (_DIGITS, _digits),
    (_HALF, _half),
    (_COUNTED, _counted),
)
