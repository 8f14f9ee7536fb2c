"""Numbers as they are written: 幺三八零零零零幺幺幺幺 → 13800001111, 人民路十八号 → 人民路18号.

Only numerals change; the words around them stay as they were said (八点半 → 8点半), but for 三块五 → 3.5元,
which needs its point. In digits come numbers read digit by digit, numbers from ten on, and smaller ones in
measures, dates, times and addresses. What counts less than ten things stays (三个月), and so do numbers that
are about right (两三天, 十几年) and words that only hold numerals (一直, 三番五次).

The rules are tried in their order at each place of the text, from left to right; the first that fits takes
its part of the text, which no other rule sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from asr.numerals import (
    BEGIN,
    DECIMAL,
    DIGIT,
    END,
    FEW,
    FROM_TEN,
    FROM_TWENTY,
    LAST,
    NOT_TENTHS,
    NUMBER,
    NUMERALS,
    ONE,
    SEVERAL,
    VALUE,
    by_digits,
    cardinal,
    decimal,
    each,
    value,
)

Rule = tuple[str, Callable[[str], str]]

_HAS_NUMERAL = re.compile(f"[{NUMERALS}]")

_CALLED = "(?:(?<=[号码尾位数房元楼栋幢座是])|(?<=[打拨叫])|(?<=[打拨叫][过了通]))"
_IN_ORDER = "|".join("一二三四五六七八九"[i : i + n] for n in (4, 3) for i in range(10 - n))
_NO_COUNTING = f"(?!(?:{_IN_ORDER})(?!{DIGIT}))"  # 一二三楼 are three
_NO_PAIRS = f"(?!(?P<first>{FEW})(?P=first)(?P<second>{FEW})(?P=second))"  # 七七八八

_DAYTIMES = (
    "凌晨 清晨 早上 早晨 上午 中午 下午 傍晚 晚上 夜里 半夜 深夜 夜间 今早 今晚 昨晚 昨夜 明早 明晚 每晚"
)
_IN_DAY = "(?:" + "|".join(f"(?<={part})" for part in _DAYTIMES.split()) + ")"
_MINUTES = f"(?:(?:零{DIGIT}|[二三四五]?十{ONE}?)(?:分(?!钟))?{END}|{ONE}分(?!钟|之)|[一三]刻|半(?!点))"
_OCLOCK = f"(?!(?!{NOT_TENTHS}){DIGIT}(?!点))"  # no decimal
_HOUR = "[零二两三四五六七八九]点"
_HAPPENS = "左右|前后|[以之][前后]|开[始门]|来钟|关门|[就才准]|都?没|还[没不在]|[上下]班|出门|起床"
_DAY = "(?:三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九](?=[号日]))"

# What a single digit measures.
_MEASURE = (
    "(?:摄氏度|度|厘米|毫米|平方公里|平方|平米|立方|公里|千米|公斤|千克|米|斤|克|吨|毫升|升|周岁|岁|块钱|毛钱|"
    "千瓦|瓦|分贝|兆|元(?=$|钱|[一每多左以的不就了吧]))"
)
# What ten and a dozen may count; before other words they stay: 十分, 十足, 十二指肠.
_COUNTED = (
    "(?:个|位|次|天|年|周|小时|刻钟|分钟|秒|名|件|份|张|种|户|块|元|毛|套|间|台|辆|条|项|家|片|本|把|口|人|处|批|组|"
    "笔|瓶|箱|盒|颗|支|只|头|棵|根|幅|所|座|场|趟|遍|轮|类|起|部|期|级|届|层|栋|幢|室|站|度|米|公里|平米|平方|斤|"
    "公斤|吨|升|周?岁|亩|分贝|篇|页|班|倍|折|袋|桶|车|排|列|圈|公分|工作日)"
)

_STAYS = (
    # Idioms and names.
    "三七二十一|九九八十一|八十一难|二十四(?:节气|孝)|三百六十行|一千零一夜|十八(?:变|般|罗汉)|二十大|十[六七八九]大|"
    "十万(?:火急|八千里)|三十而立|四十不惑|三十六计|七十二变|七老八十|一百个(?:不|愿意|放心)|十年如一日|十月怀胎|"
    "十天半个?月|不怕一万|三十年河[东西]|[孤冷]零零|零零(?:散散|碎碎|星星)|[百千万][儿把]?八[百十千]|"
    "二百五(?![块元斤米度十])|一号难求|一楼一底|一九二九|一月一[次回交]",
    # Feasts, and days by the moon.
    "(?:农历|阴历|正月|腊月|冬月)(?:[一二三四五六七八九十]+月)?初?[一二三四五六七八九十]*|大年三十|"
    "年三十(?=[晚夜那])|初[一二三四五六七八九](?:十[五六]|(?![百千万点个块月号楼岁十]))|双十[一二]?|"
    "[八七]月十五(?![号日])|九月九(?![号日])|二月二(?![号日十])",
    # Days of the week, classes at school, streets in a grid, plans.
    "(?:星期|礼拜|周)[一二三四五六](?![十百千])(?:[一二三四五六](?![点号月十百千个]))*|"
    f"(?<=[高初])[一二三](?={NUMBER}班)|[经纬]{FEW}*十?{FEW}?路|十[一二三四]五(?=规划|期间|计划)",
    # The first nine in order.
    f"第{ONE}(?![{NUMERALS}])",
)


def number_writer(names: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that writes the numbers of a text; `names` that hold numerals stay as they are spelled."""
    kept = sorted((re.escape(name) for name in names if _HAS_NUMERAL.search(name)), key=len, reverse=True)
    rules = [*((name, _as_said) for name in kept), *_RULES]
    pattern = re.compile("|".join(f"(?P<r{number}>{takes})" for number, (takes, _) in enumerate(rules)))
    writers = {f"r{number}": write for number, (_, write) in enumerate(rules)}

    def write(text: str) -> str:
        if not _HAS_NUMERAL.search(text):
            return text
        return pattern.sub(lambda match: writers[str(match.lastgroup)](match[0]), text)

    return write


def _as_said(part: str) -> str:
    return part


def _identity(part: str) -> str:
    """An ID card number that ends with X, however that was heard."""
    return by_digits(part[:17]) + "X"


def _percent(part: str) -> str:
    number = part[3:]
    written = decimal(number) if "点" in number else "100" if number == "百" else cardinal(number)
    return written + ("%" if part.startswith("百") else "‰")


def _money(part: str) -> str:
    """三块五 → 3.5元, 两块八毛五分钱 → 2.85元."""
    yuan, _, rest = part.partition("块")
    return f"{value(yuan)}.{''.join(VALUE.get(char, '') for char in rest)}元"


def _kept() -> Iterator[Rule]:
    """What stays, and shares: 百分之三十 → 30%, but 三分之一."""
    for words in _STAYS:
        yield words, _as_said
    yield f"[百千]分之(?:{DECIMAL}|{NUMBER}{END}|百{END})", _percent
    yield f"{BEGIN}{NUMBER}分之{NUMBER}", _as_said


def _times() -> Iterator[Rule]:
    """Times of day. 三点 alone may be three points, and 一点 is mostly a little."""
    yield f"{BEGIN}(?:二十[一二三四]?|十[一二]?)点(?:{_MINUTES}|{_OCLOCK}(?!意见|要求|建议))", each
    yield f"{BEGIN}(?:{_HOUR}|一点)(?:{_MINUTES}|[钟整多])", each
    yield f"{BEGIN}{_IN_DAY}(?:{_HOUR}|一点(?![也都儿点])){_OCLOCK}", each
    yield f"{BEGIN}(?<=[从到至])(?:{_HOUR}|一点(?=[到至])){_OCLOCK}", each
    yield f"{BEGIN}(?<![有这那说讲提第]){_HOUR}(?={_HAPPENS}|[到至][{NUMERALS}]|{FEW}点)", each


def _dates() -> Iterator[Rule]:
    """Dates. 一五年 and 九八年 stay, since 15年 would be fifteen years; 一月 may be any month."""
    yield f"{BEGIN}(?:一[八九]|[二两]零){DIGIT}{{2}}(?:年|(?=[到至](?:一九|二零){DIGIT}{{2}}年))", each
    yield f"{BEGIN}零{DIGIT}年(?!级)", each
    day = f"{_DAY}[号日]?{END}"
    yield f"{BEGIN}(?:十[一二]?|[二三四五六七八九])月(?:份|(?!初{FEW}|初十)(?:{day})?)", each
    yield f"{BEGIN}一月(?:份|{day}|(?=[到至底初中以之])|(?<=[年从到至]一月))", each


def _digit_by_digit() -> Iterator[Rule]:
    """Telephone numbers, codes, rooms: long ones anywhere, short ones where 零 or 幺 or a word shows it."""
    begin, end = f"(?<![{NUMERALS}点])", f"(?![{NUMERALS}])"
    digit = f"(?:{SEVERAL}|{DIGIT})"
    yield f"{begin}{DIGIT}{{17}}(?:叉|差|x|X|[艾埃爱]克斯)", _identity
    yield f"{begin}{digit}{{5,}}{end}", by_digits
    yield f"{begin}{_CALLED}{_NO_COUNTING}{digit}{{3,4}}{end}", by_digits
    yield f"{begin}(?:(?<=[号码尾])|(?<=[号码尾]是)){SEVERAL}{end}", by_digits
    yield f"{begin}{_NO_COUNTING}{_NO_PAIRS}{DIGIT}{{4}}{end}", by_digits
    yield f"{begin}(?={DIGIT}{{0,2}}[零〇幺]){DIGIT}{{3}}{end}", by_digits
    yield f"\\A{_NO_COUNTING}{DIGIT}{{3}}\\Z", by_digits
    yield f"{begin}[五六七八九零]零(?:后(?![面边来])|年代)", by_digits


def _measured() -> Iterator[Rule]:
    """Addresses, money, measures and ranges."""
    number = f"(?:{_NO_COUNTING}{DIGIT}{{3,5}}|{FROM_TEN}|{FEW})"
    unit = "(?:号楼|号院|号线|号(?![召码])|单元|楼(?![梯宇盘道市层人]))"
    yield f"{BEGIN}(?<![这那哪满整每](?=一楼)){number}{unit}", each
    yield f"{BEGIN}{_NO_COUNTING}{DIGIT}{{3,4}}(?=室|房)", each
    yield f"{BEGIN}{FEW}(?:栋|幢|座|弄|巷|排)(?={DIGIT}{{3}}|{NUMBER}(?:单元|室|楼|层|号))", each
    yield f"{BEGIN}(?<=[区苑园城湾府庭寓路街期庄村厦号]){FEW}(?:栋|幢|座|弄|巷|排)(?![楼房别])", each
    yield f"{BEGIN}(?:{FROM_TEN}路(?!口)|{FEW}(?<!一)路(?=公交|公共|汽车|车)|(?<![这那哪])一路(?=公交))", each

    sold = "(?=一[斤个张本袋瓶箱次平度])"
    other = f"(?![{NUMERALS}个只条斤张块本月号点米岁天次件位名人年分角])"
    yield f"{BEGIN}{NUMBER}块{FEW}毛(?:{FEW}(?:分钱?)?(?![{NUMERALS}])|钱)?", _money
    yield f"{BEGIN}{NUMBER}块(?!一(?![了吧的钱]|$)){FEW}(?:钱|{sold}|{other})", _money
    yield f"{BEGIN}{DECIMAL}", decimal
    measured = f"{FEW}(?:号|楼|点|月|周?岁|度|公里|米|斤|吨|元|块钱|栋|单元)"
    first = f"(?:{FROM_TEN}|{ONE}(?<!一)|一(?=[到至]{FEW}楼))"  # 一到 is mostly as soon as
    yield f"{BEGIN}{first}(?=[到至](?:{FROM_TEN}{END}(?![多点月])|{measured}))", each
    yield f"{BEGIN}(?:[二两三四五六七八九]{_MEASURE}|一(?:周?岁|公里))", each
    yield f"{BEGIN}{NUMBER}(?:斤{FEW}(?=两)|[米度斤](?!一(?!$|[以的])){FEW}{{1,2}}{other})", each


def _counts() -> Iterator[Rule]:
    """Cardinals from ten on."""
    yield f"{BEGIN}{FROM_TWENTY}{END}", each
    yield f"{BEGIN}十{LAST}?(?={_COUNTED})", each
    yield f"{BEGIN}十{LAST}分", each
    yield f"{BEGIN}十[二三四五六七八九](?=$|[了吧呢啊])", each


_RULES = tuple(
    rule for rules in (_kept, _times, _dates, _digit_by_digit, _measured, _counts) for rule in rules()
)
