"""When something happened and how long it has gone on, found in a caller's words as they sounded."""

from __future__ import annotations

import re

_NUMBER = "[0-9零〇一二两三四五六七八九十]+"
_DATE = (
    "(?:三十一?|[一二两]?十[一二三四五六七八九]?|二十[一二三四五六七八九]?|初?[一二三四五六七八九]|"
    "[12]?[0-9]|3[01])"
)
_MANY = (
    "(?:好几|大半|小半|一整|整整一|十几|几十|[一二三四五六七八九]?[十百]来|"
    "[0-9零〇一二两三四五六七八九十几半数百仨俩]+)"
)
_WEEKDAY = "[一二三四五六日天末]"
_DAY = (
    "大前天|今天|昨天|前天|今儿个?|昨儿个?|前儿个?|今早|今晚|昨晚|昨夜|前晚|当天|那天|每天|每晚|每周|天天|夜夜|最近|"
    "近来|这几天|"
    "这两天|这段时间|近期|前几天|前阵子|"
    f"(?:上上?|这|本|每)?个?(?:周|星期|礼拜){_WEEKDAY}|上上?个?(?:周|星期|礼拜)|(?:这|本)个?(?:周|星期|礼拜)|"
    f"每个?周末|每个?月|每个?(?:星期|礼拜)|(?:上上?个?)?周末|工作日|节假日|"
    f"上上?个?月(?:初|中|底)?|(?:这个|本)月(?:初|中|底)?|月初|月底|今年|去年|前年|年初|年底|春节|过年|"
    f"国庆节?|"
    f"五一|中秋节?|元旦节?|清明节?|端午节?|"
    f"暑假|寒假|高考|[春夏秋冬]天|[入立开][春夏秋冬]|正月|腊月|开学|学期|期末|放假|{_MANY}个?多?(?:小时|天|周|星期|礼拜|月|年)多?(?:之前|以前|前)|"
    f"[0-9零〇一二三四五六七八九]{{4}}年|{_NUMBER}月份?(?:{_NUMBER}[号日])?(?:初|中旬|底)?|"
    f"(?<![路街道巷弄院村区苑园城里栋楼0-9零〇一二三四五六七八九十百千]){_DATE}[号日](?![楼院栋线店桌柜门那旁对附窗厅机室车库坑井铺摊档站病床教馆泵灯杆闸桥地])"
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
_TIME = re.compile(f"(?:从|自|打(?!{_VAGUE}))?(?:{_CLOCK}|{_DAY}|{_PART_OF_DAY}|{_VAGUE}|{_JOINS})+")
_SAYS_WHEN = re.compile(f"{_CLOCK}|{_DAY}|{_PART_OF_DAY}|{_VAGUE}")
# Said in passing these tell when it happened; 天天, 今年 and 十一点 alone may be about something else.
_POINT = (
    "大前天|今天|昨天|前天|今儿个?|昨儿个?|前儿个?|今早|今晚|昨晚|昨夜|前晚|"
    f"上上?个?(?:周|星期|礼拜)(?:{_WEEKDAY}|末)?|(?:这|本)个?(?:周|星期|礼拜){_WEEKDAY}|(?:周|星期|礼拜)(?!末){_WEEKDAY}|"
    f"上上?个?月|月初|月底|春节|过年|国庆节?|五一|中秋节?|元旦节?|清明节?|端午节?|{_NUMBER}月份?|"
    f"{_MANY}个?多?(?:小时|天|周|星期|礼拜|月|年)多?(?:之前|以前|前)|"
    f"(?<![路街道巷弄院村区苑园城里栋楼0-9零〇一二三四五六七八九十百千]){_DATE}[号日]"
)
_SAYS_POINT = re.compile(
    f"(?:{_PART_OF_DAY})的?{_NUMBER}点|{_POINT}|(?:从|自|打).{{1,6}}(?:到现在|开始|起)|^(?:从|自|打)(?!{_PART_OF_DAY}|早)"
)
_SAYS_DAY = re.compile(f"{_DAY}|{_VAGUE}")
_SAYS_HOUR = re.compile(f"{_CLOCK}|{_VAGUE}|每天|天天")
_HABIT = re.compile(
    f"(?:天天|每天|每周|每个?(?:星期|礼拜){_WEEKDAY}?|每个?周末)的?(?:{_PART_OF_DAY})|每晚|夜夜"
)
# 今天我闺女中考, 昨天打电话问物业: when something else is, not what is reported.
# 上个月还能报呢: when all was still well.
_ELSE = re.compile(
    f"(?:{_POINT})(?:{_PART_OF_DAY})?(?:都|明明|本来|那会儿)*还(?:能|是好|好|可以|正常|给|亮|通|热)|"
    f"(?:{_POINT}|明天|后天)(?:{_PART_OF_DAY})?(?:就|正好|刚好|还)?(?:是|要)?(?:我们?家?|他们?|她)?"
    "(?:[一-鿿]{2}|娃|妈|爸)?(?:要|有|还要)?(?:(?:中|高|月|统|会)考|考试|期末|面试|结婚|生日|(?:做|动)(?:个|完)?手术|上早班|上夜班|出差|坐月子|体检|"
    "(?:去|来|给|跟|向|找)?(?:你们|物业|社区|街道|他们|幺二三四五|一二三四五|12345|热线)?(?:打过?(?:了)?(?:电话|热线|幺二三四五|一二三四五|12345)|反映过|投诉过|问过|报过修|报过案))"
)
# 二十号到四十号那一片: numbers of houses; 今天推明天: no day at all.
_NO_DATE = re.compile(
    f"{_NUMBER}号?(?:到|至){_NUMBER}号(?=那|这|之间|中间|一片|一段|一带|一截|一溜|一排|院|楼|的?路灯)|"
    "今天(?:推|拖|说)?明天(?:(?:推|拖|说)?后天)?|(?:明天|后天)(?:推|拖)后天"
)
# 那是十年前卖了的车, 档案十年前搬没了: what lies behind it, long ago, where it is not what the caller did.
_LONG_AGO = re.compile(
    "(?<!^)(?<!我)(?<!们)(?<!家)(?:[五六七八九十百]|[二三四五六七八九]?十[一二三四五六七八九几多]?|几十|十几|好多|多少){1,3}年(?:多)?(?:之前|以前|前)"
)
# 书包摆一天没人: all day long, each time.
_ALL_DAY = re.compile("[摆占坐站忙守蹲躺逛放](?:了|着|上)?(?:一整?天|大?半天|一上午|一下午)(?=没|不|也|都)")
# 讲半天没用, 等了老半天: at length, and no half a day.
_AT_LENGTH = re.compile("[讲说问喊敲打等排坐站走翻按弄搞看听念哭找求劝](?:了|着|我|他)*[大老好]?半天(?!了)")
_SHORT_ANSWER = 16  # characters; so short an answer to 什么时候 is taken as it stands
_NOT_AT_ENDS = re.compile("^(?:到|至)+|(?:从|到|至)+$")
_LEAD = re.compile("^(?:大概|大约|差不多|应该|时间|就|具体)*(?:就?是|在)?(?:大概|大约|差不多)?")
_UNKNOWN = re.compile("记不清|不记得|记不得|不知道|不清楚|忘了|说不清|不好说|说不准|没注意")

_SPAN = (
    f"(?:[一两三四五几]天[一两三四五几]夜|{_MANY}个?(?:多|来)?半?整?"
    "(?:小时|钟头|天|周|星期|礼拜|月|年|学期|季度|分钟)(?:多|半)?)"
)
_NOT_SPAN = (
    "(?!级|的(?!时间)|前|之前|以前|后|之后|以后|内|之内|以内|一次|一回|的时候|初|底|份|来一|"
    "[0-9零〇一二三四五六七八九十]+[号日])"
)
_NOT_OF_SPAN = (
    "(?!级|第|又|前|之前|以前|后|之后|以后|内|之内|以内|一次|一回|初|底|份|来一|"
    "[0-9零〇一二三四五六七八九十]+[号日])"
)
_CUE = (
    "(?:已经|已|都|一连|连着|接连|到现在|至今|到今天|快要?|有|持续|连续|长达|足足|整整|将近|接近|差不多|超过|拖|等|停|坏|欠|断|堆|吵|闹|漏|压|晾|耗|卡|空|围|断网|断电|断水|断气|积水|停水|停电|停气|停暖|没水|没电|"
    "修|挂|跑)了?(?:我们?)?"
)
# 停了半小时收我二十块 tells no duration, 停了四个小时了 does.
_SHORT_SPAN = f"{_MANY}个?多?半?(?:小时|钟头|分钟)(?:多|半)?"
_DURATION = re.compile(
    f"(?:{_CUE})+(?P<after>(?:快|将近|差不多|大概|有)?(?!{_SHORT_SPAN}){_SPAN}){_NOT_SPAN}|"
    f"(?<!不)[一-鿿]了(?P<since>(?:快|将近|差不多|小)?(?!{_SHORT_SPAN}){_SPAN})(?!就|才|只|便|的(?!队|时间|班|号)|工资|工钱|房租|押金|奖金|钱|话费|费){_NOT_OF_SPAN}|"
    f"(?P<before>(?!{_SHORT_SPAN}){_SPAN}){_NOT_SPAN}(?=了|没|都没|不(?![换洗扫拖擦])|还没|还不|都不)|"
    f"扣了(?P<taken>{_SPAN}){_NOT_SPAN}(?!的|工资|工钱|房租|押金|奖金|钱|话费|费)|"
    f"(?:已经|已|持续了?)(?P<short>{_SHORT_SPAN})|(?P<till>{_SHORT_SPAN})(?=了)"
)
_ANY_SPAN = re.compile(f"(?P<before>{_SPAN}){_NOT_SPAN}")
# What one did for so long, or what is counted else: 用了三个月就坏, 出差了两个月, 请了三天假, 过期五天.
_NO_SPAN_BEFORE = re.compile(
    "(?:每|第|等|要等|再|过|限|(?<!在)这|(?<!在)那|前|上|隔|头|近|过期|超期|逾期|保质期|保修期?|"
    "(?:用|住|干|做|学|教|开|穿|睡|租|种|养|练|玩|骑|戴|交|付|签|请|假|出差|断绝来往|来往|断了联系|不联系|没联系|分居|认识|相处|守寡|瘫痪|患病|瘫|工作|打工|退休|离职|离开|搬走|结婚|住院|入职|怀孕)"
    "(?:都)?(?:了|过)?(?:快|将近|差不多|小|大概|有)?)$"
)


def find_time(text: str) -> str:
    """The longest expression of time in `text`, "" where there is none."""
    found = [m.group() for m in _TIME.finditer(_NO_DATE.sub("，", text)) if _SAYS_WHEN.search(m.group())]
    return _NOT_AT_ENDS.sub("", max(found, key=len, default=""))


def told_time(text: str) -> str:
    """As `find_time`, but only where it says on which day or at what hour: of several the longest."""
    text = _LONG_AGO.sub("，", _NO_DATE.sub("，", _ELSE.sub("，", text)))
    found = [m.group() for m in _TIME.finditer(text) if _SAYS_POINT.search(m.group())]
    return _NOT_AT_ENDS.sub("", max(found, key=len, default=""))


def tells_day(text: str) -> bool:
    """Whether `text` says on which day it was, or since when."""
    return bool(_SAYS_DAY.search(text))


def tells_hour(text: str) -> bool:
    """Whether `text` says at what hour it was, or that it is so now or always."""
    return bool(_SAYS_HOUR.search(text) or habit(text))


def habit(text: str) -> str:
    """How often it happens, as said in passing (天天半夜, 每晚), "" where that is not said."""
    return max((m.group() for m in _HABIT.finditer(text)), key=len, default="")


def answered_time(text: str) -> str:
    """What `text`, an answer to 什么时候, says of it; "" where that is nothing."""
    time = find_time(text)
    told = _LEAD.sub("", text).removesuffix("的")
    if time and time in told and len(told) <= _SHORT_ANSWER:
        return told
    return time or (_span(_ANY_SPAN, text) and text) or _at_least_two(told)


def find_duration(text: str, *, asked: bool = False) -> str:
    """How long it has gone on (三天, 快半年), "" where not told; `asked` takes any span of time."""
    text = _AT_LENGTH.sub("，", _ALL_DAY.sub("，", text))
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
