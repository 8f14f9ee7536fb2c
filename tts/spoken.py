"""Written Chinese as a Mandarin speaker says it: numbers, money, dates, times, telephone and ID numbers …

The rules stand in RULES in the order in which they are tried over the whole text; what one has turned into
words holds no digits, so no later rule touches it, and speaking twice changes nothing.
Cardinals are cn2an's; which numbers are cardinals, and which are read digit by digit, is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import cn2an

Rule = tuple[str, Callable[[re.Match[str]], str] | str]

_DIGITS = "零幺二三四五六七八九"
_YEAR = "零一二三四五六七八九"
_FULL_WIDTH = str.maketrans(
    "０１２３４５６７８９％．＋－＠＃／＝￥～〜∼﹣−–—―ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ",
    "0123456789%.+-@#/=¥~~~-----ABCDEFGHIJKLMNOPQRSTUVWXYZ",
)
# Measures before which a single 2 is 两, and all others that make a number a quantity.
_LIANG = (
    "个|位|次|天|年|周|星期|小时|刻钟|分钟|秒|名|件|份|张|种|户|块|元|公里|千米|平方米|平方公里|立方米|米|倍|岁|"
    "万|千|亿|套|间|台|辆|条|项|家|代|片|本|把|点|口|人|处|批|组|笔|门|斤|公斤|吨|克|千克|工作日|自然日|"
    "升|毫升|瓶|箱|盒|颗|支|只|头|棵|根|幅|所|座|场|趟|遍|轮|类|起|部|瓦|千瓦时|千瓦|期"
)
_MEASURE = (
    rf"(?:{_LIANG}|月|日|号|层|楼|级|度|角|分|毫米|厘米|毫克|百|折|等|摄氏度|分贝|兆|"
    "栋|幢|单元|室|路|届|章|款|亩|美元|欧元|周岁)"
)
_UNITS = {
    **dict.fromkeys(("㎡", "m²", "m2"), "平方米"),
    **dict.fromkeys(("㎥", "m³", "m3"), "立方米"),
    **dict.fromkeys(("km²", "km2"), "平方公里"),
    **dict.fromkeys(("kWh", "kwh"), "千瓦时"),
    **dict.fromkeys(("kW", "kw", "KW"), "千瓦"),
    **dict.fromkeys(("km", "KM"), "公里"),
    **dict.fromkeys(("kg", "KG"), "公斤"),
    **dict.fromkeys(("ml", "mL"), "毫升"),
    **dict.fromkeys(("L", "l"), "升"),
    **dict.fromkeys(("dB", "db"), "分贝"),
    **dict.fromkeys(("℃", "°C"), "摄氏度"),
    **{"km/h": "公里每小时", "m/s": "米每秒", "m": "米", "cm": "厘米", "mm": "毫米", "g": "克", "mg": "毫克"},
    **{
        "t": "吨",
        "GB": "G",
        "MB": "兆",
        "Mbps": "兆",
        "min": "分钟",
        "h": "小时",
        "s": "秒",
        "V": "伏",
        "W": "瓦",
    },
    "°": "度",
}
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TO = r"\s*(?:-+|~+|至|到)\s*"
_START = r"(?<![\d.A-Za-z])"
_END = r"(?![\d])(?!\.\d)"


@lru_cache(maxsize=4096)  # a chain, its caches and its engines each ask for the same clause
def spoken(text: str) -> str:
    """Say `text`: "3.5%" → "百分之三点五", "12345" → "幺二三四五"; commas in long numbers are pauses."""
    text = text.translate(_FULL_WIDTH)
    for pattern, say in RULES:
        text = pattern.sub(say, text)
    return text


def by_digits(digits: str) -> str:
    """Each digit by name, 1 as 幺; letters stay."""
    return "".join(_DIGITS[int(c)] if c.isdecimal() else c for c in digits)


def in_groups(digits: str) -> str:
    """A long number by digits with a pause between groups: 13800138000 → 幺三八，零零幺三，八零零零."""
    if re.match(r"(?:19|20)\d\d[01]\d[0-3]\d\d", digits) and len(digits) < 17:  # begins with a date
        return f"{in_groups(digits[:8])}，{in_groups(digits[8:])}"
    sizes = {7: (3, 4), 8: (4, 4), 10: (3, 3, 4), 11: (3, 4, 4), 18: (3, 3, 4, 4, 4)}.get(len(digits))
    if sizes is None:
        count = max(1, round(len(digits) / 4))
        sizes = tuple(len(digits) * (i + 1) // count - len(digits) * i // count for i in range(count))
    parts, at = [], 0
    for size in sizes:
        parts.append(by_digits(digits[at : at + size]))
        at += size
    return "，".join(parts)


def cardinal(number: str) -> str:
    """A quantity: 1,200.50 → 一千二百点五, 2000 → 两千, -3 → 负三; too long for a quantity: by digits."""
    number = number.replace(",", "")
    if number.startswith("-"):
        return "负" + cardinal(number[1:])
    whole, _, fraction = number.partition(".")
    if len(whole) > 15 or (len(whole) > 1 and whole.startswith("0") and not fraction):
        return in_groups(whole)
    words = str(cn2an.an2cn(int(whole), "low"))
    words = re.sub("^二(?=[千万亿])", "两", words)
    fraction = fraction.rstrip("0")
    return words + ("点" + "".join(_YEAR[int(c)] for c in fraction) if fraction else "")


def _quantity(number: str, measure: str) -> str:
    if number == "2" and re.match(_LIANG, measure):
        return "两" + measure
    return cardinal(number) + measure


def _house(number: str, word: str) -> str:
    return (by_digits(number) if len(number) >= 3 else cardinal(number)) + word


def _year(digits: str) -> str:
    return "".join(_YEAR[int(c)] for c in digits)


def _date(year: str, month: str, day: str | None, day_word: str = "日") -> str:
    return f"{_year(year)}年{cardinal(str(int(month)))}月" + (
        cardinal(str(int(day))) + day_word if day else ""
    )


def _clock(hour: str, minute: str, before: str = "", second: str | None = None) -> str:
    """8:30 → 八点半; 17:00 → 下午五点, unless `before` already says which part of the day."""
    h, m, part = int(hour), int(minute), ""
    if 12 <= h < 24:
        part = "中午" if h == 12 else "下午" if h < 18 else "晚上"
        h = h if h == 12 else h - 12
    if before:
        part = ""
    words = before + part + ("两" if h == 2 else cardinal(str(h))) + "点"
    if second and int(second):
        return words + f"{cardinal(str(m))}分{cardinal(str(int(second)))}秒"
    if m == 30:
        return words + "半"
    return words if m == 0 else words + ("零" if m < 10 else "") + cardinal(str(m)) + "分"


def _hours(first: str, last: str) -> str:
    """Opening hours; the part of the day is said once: 下午一点半到五点."""
    return f"{first}到{last[2:] if first[:2] == last[:2] and last[:2] in ('上午', '下午', '晚上') else last}"


def _web(address: str) -> str:
    """A URL or e-mail address, as it is read out: www.12345.gov.cn → 三W点幺二三四五点G O V点C N."""
    address = re.sub(r"^[a-z]+://", "", address, flags=re.IGNORECASE).rstrip("/")
    address = re.sub(r"^www\b", "三W", address, flags=re.IGNORECASE)
    for mark, word in (
        ("@", "艾特"),
        (".", "点"),
        ("/", "斜杠"),
        ("-", "横杠"),
        ("_", "下划线"),
        (":", "冒号"),
    ):
        address = address.replace(mark, word)
    address = re.sub(
        "[A-Za-z]+", lambda m: " ".join(m[0].upper()) if len(m[0]) <= 4 else m[0].lower(), address
    )
    return by_digits(re.sub(r"[^\w ]", "", address))


def _temperature(match: re.Match[str]) -> str:
    sign, number = match[1], match[2]
    return ("零下" if sign else "") + cardinal(number) + "摄氏度"


def _money(match: re.Match[str]) -> str:
    sign = {"¥": "元", "$": "美元", "€": "欧元"}[match[1]]
    return _quantity(match[2], (match[3] or "") + sign)


def _both(
    first: str, last: str, tail: str, each: Callable[[str, str], str] = lambda n, _: cardinal(n)
) -> str:
    return f"{each(first, tail)}到{each(last, tail)}{tail}"


def _layout() -> Iterator[Rule]:
    """Marks and addresses of a text that was made to be read, not heard."""
    yield r"(?<![\d*])\*{2,}|\*{2,}(?![\d*])|`+|^\s*#+\s*|^\s*[-•·*]\s+", ""
    yield r"^(\s*)(\d{1,2})[.)、](?!\d)\s*", lambda m: f"{cardinal(m[2])}、"
    yield r"[（(](\d{1,2})[)）]", lambda m: f"{cardinal(m[1])}、"

    yield r"(?a:(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", lambda m: _web(m[0])
    yield (
        r"(?a:(?:https?://|www\.)[\w./_-]*[\w/]|"
        r"(?<![\w.-])[a-z][\w-]*(?:\.[\w-]+)*\.(?:com|cn|net|org|gov)\b(?:/[\w./_-]*)?)",
        lambda m: _web(m[0]),
    )


def _numbers_by_digits() -> Iterator[Rule]:
    """ID numbers and telephone numbers."""
    yield rf"{_START}(\d{{17}}[\dXx]){_END}", lambda m: in_groups(m[1].upper())
    yield r"\+86[- ]?(?=1\d{10})", "加八六，"
    yield rf"{_START}(1\d{{2}})[- ](\d{{4}})[- ](\d{{4}}){_END}", lambda m: in_groups(m[1] + m[2] + m[3])
    yield rf"{_START}(1\d{{2}}\*{{2,}}\d{{4}}){_END}", lambda m: in_groups(m[1].replace("*", ""))
    yield (
        rf"{_START}\(?(0\d{{2,3}})[)\- ]\s?(\d{{3,4}})[- ]?(\d{{4}}){_END}",
        lambda m: "，".join(map(by_digits, m.groups())),
    )
    yield (
        rf"{_START}([48]00)[- ]?(\d{{3}})[- ]?(\d{{4}}){_END}",
        lambda m: "，".join(map(by_digits, m.groups())),
    )


def _dates() -> Iterator[Rule]:
    """Dates."""
    yield (
        rf"{_START}(\d{{4}})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01]){_END}",
        lambda m: _date(m[1], m[3], m[4]),
    )
    yield rf"{_START}((?:19|20)\d\d)[-/](0[1-9]|1[0-2]){_END}", lambda m: _date(m[1], m[2], None)
    yield (
        r"(?<!\d)((?:19|20)\d\d)\s?[-~至到]+\s?((?:19|20)\d\d)\s?年",
        lambda m: f"{_year(m[1])}到{_year(m[2])}年",
    )
    yield r"(?<!\d)((?:19|20)\d\d)\s?年", lambda m: _year(m[1]) + "年"


def _times() -> Iterator[Rule]:
    """Times of day."""
    part = r"(凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜间)?\s?"
    clock = r"([01]?\d|2[0-4])[::：]([0-5]\d)(?:[:：]([0-5]\d))?(?!\d)"
    yield (
        rf"(?<!\d){part}{clock}{_TO}{part}{clock}",
        lambda m: _hours(_clock(m[2], m[3], m[1] or "", m[4]), _clock(m[6], m[7], m[5] or "", m[8])),
    )
    yield rf"(?<!\d){part}{clock}", lambda m: _clock(m[2], m[3], m[1] or "", m[4])
    yield r"(?<!\d)0?2点", "两点"


def _amounts() -> Iterator[Rule]:
    """Percentages, money, temperatures, fractions."""
    yield (
        rf"{_START}({_NUMBER})%?{_TO}({_NUMBER})%",
        lambda m: f"百分之{cardinal(m[1])}到百分之{cardinal(m[2])}",
    )
    yield rf"{_START}100%", "百分之百"
    yield rf"{_START}(-?{_NUMBER})\s?%", lambda m: f"百分之{cardinal(m[1])}"
    yield rf"{_START}({_NUMBER})‰", lambda m: f"千分之{cardinal(m[1])}"
    yield rf"([¥$€])\s?({_NUMBER})\s?(万|亿|千万|百万)?元?", _money
    yield (
        rf"(?<![\d.])(-?)({_NUMBER}){_TO}(-?)({_NUMBER})\s?(?:℃|°C|摄氏度)",
        lambda m: f"{'零下' if m[1] else ''}{cardinal(m[2])}到{'零下' if m[3] else ''}{cardinal(m[4])}摄氏度",
    )
    yield rf"(?<![\d.])(-?)({_NUMBER})\s?(?:℃|°C|摄氏度)", _temperature
    yield rf"{_START}(\d{{1,2}})/(\d{{1,3}}){_END}", lambda m: f"{cardinal(m[2])}分之{cardinal(m[1])}"
    yield r"(?<!\d)(\d{1,2})\s?[*×xX]\s?(\d{1,2})(?!\d)", lambda m: f"{cardinal(m[1])}乘{cardinal(m[2])}"


def _units() -> Iterator[Rule]:
    """Units in Latin letters."""
    units = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
    yield (
        rf"{_START}({_NUMBER}){_TO}({_NUMBER})\s?({units})(?![A-Za-z])",
        lambda m: _both(m[1], m[2], _UNITS[m[3]]),
    )
    yield rf"{_START}({_NUMBER})\s?({units})(?![A-Za-z])", lambda m: _quantity(m[1], _UNITS[m[2]])
    yield r"(?<=[元米度吨次])/(?:㎡|m²)", "每平方米"
    yield r"(?<=[元米度吨次])/(?=[年月周天日次人户吨度])", "每"


def _names() -> Iterator[Rule]:
    """Addresses, routes, and other names that are numbers."""
    yield r"(?<!\d)(\d+)(号楼|栋|幢|单元|座)", lambda m: _house(m[1], m[2])
    yield (
        r"(?<!\d)(\d+)-(\d+)-(\d+)(室|房|号)?",
        lambda m: "，".join(_house(n, "") for n in m.groups()[:3]) + (m[4] or ""),
    )
    yield r"(?<!\d)(\d+)(室|房间|房|路(?!程)|号)", lambda m: _house(m[1], m[2])

    yield r"(?<=[楼栋幢元号])(\d{3,4})(?![\d.]|[多余来]?元)", lambda m: by_digits(m[1])
    yield (
        r"((?:验证|编|密|号|代)码|尾号|编号|工号|卡号|账号|单号|邮编)([是为：: ]*)(\d+)",
        lambda m: m[1] + m[2] + in_groups(m[3]),
    )


def _quantities() -> Iterator[Rule]:
    """Ranges and quantities with a measure."""
    yield (
        rf"{_START}({_NUMBER})(万|亿)?{_TO}({_NUMBER})\s?((?:余|多)?{_MEASURE})",
        lambda m: f"{_quantity(m[1], m[4])[: -len(m[4])]}{m[2] or ''}到{_quantity(m[3], m[4])}",
    )
    yield (
        rf"{_START}(\d{{1,4}}){_TO}(\d{{1,4}})(?![\d-])(?!\.\d)",
        lambda m: f"{cardinal(m[1])}到{cardinal(m[2])}",
    )
    yield r"第\s?(\d{1,6})(?!\d)", lambda m: "第" + str(cn2an.an2cn(int(m[1]), "low"))
    yield (
        rf"(?<![\d.A-Za-z-])(-?{_NUMBER})\s?((?:余|多|来)?{_MEASURE})",
        lambda m: _quantity(m[1], m[2]),
    )
    yield r"(?<=(?:共|约|满|超|达|近))(\d{1,8})(?![\d.])", lambda m: cardinal(m[1])


def _rest() -> Iterator[Rule]:
    """What is left: letters with digits (plates, work orders), decimals, bare numbers."""
    yield r"(?<![A-Za-z])([A-Za-z]+)-?(\d+)\.(\d+)", lambda m: f"{m[1]}{cardinal(m[2])}点{_year(m[3])}"
    yield r"(?<=[A-Za-z])-?(\d{3,})", lambda m: in_groups(m[1])
    yield r"(?<=[A-Za-z])(\d{1,2})(?![A-Za-z\d])", lambda m: cardinal(m[1])
    yield r"(?<=[A-Za-z])(\d+)|(?<!\d)(\d+)(?=[A-Za-z])", lambda m: by_digits(m[0])
    yield r"(?<![\d.])(-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+\.\d+)(?!\.?\d)", lambda m: cardinal(m[1])
    yield r"(?<!\d)((?:19|20)\d\d)(?!\d)", lambda m: _year(m[1])
    yield r"(?<!\d)(11[024579]|12[0-2]|0\d+)(?!\d)", lambda m: in_groups(m[1])
    yield r"(?<![\d-])-(\d{1,4})(?!\d)", lambda m: "负" + cardinal(m[1])
    yield r"(?<!\d)(\d{1,4})(?!\d)", lambda m: cardinal(m[1])
    yield r"\d+", lambda m: in_groups(m[0])


def _joints() -> Iterator[Rule]:
    """Marks between words."""
    yield r"(?<=[\u4e00-\u9fff])/(?=[\u4e00-\u9fff])", "或"
    yield r"(?<=[\u4e00-\u9fff])~(?=[\u4e00-\u9fff])", "到"
    yield r"\s?&\s?", "和"
    yield r"\s?[×x*](?=[零一二三四五六七八九十])", "乘"
    yield r"(?<=[\u4e00-\u9fffA-Z])\+(?=[\u4e00-\u9fffA-Z])", "加"
    yield r"(?<=[\u4e00-\u9fff])=(?=[\u4e00-\u9fff])", "等于"


# In this order: what an earlier rule has said, a later one does not see.
_GROUPS = (_layout, _numbers_by_digits, _dates, _times, _amounts, _units, _names, _quantities, _rest, _joints)

RULES = tuple((re.compile(pattern, re.MULTILINE), say) for group in _GROUPS for pattern, say in group())
