"""What a caller puts right, at whatever question: 不是人民路，是人民东路; 电话错了，是一三九…"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dialog.businesses import kind_of
from dialog.contacts import added, dictated, verdict
from dialog.moments import answered_time, find_duration, find_time, told_time
from dialog.names import answered_name, corrected_name, find_name
from dialog.places import Gazetteer
from dialog.slots import SLOTS, Intake, fill, value_of
from dialog.words import clean, digits_in, find_sounds, sounds

_WHAT: dict[str, str] = {
    **dict.fromkeys(
        (
            "地址",
            "地点",
            "位置",
            "地方",
            "地名",
            "路名",
            "街名",
            "村名",
            "小区名",
            "小区",
            "门牌号",
            "门牌",
            "楼号",
        ),
        "place",
    ),
    **dict.fromkeys(("时间", "日期", "日子", "钟点"), "time"),
    **dict.fromkeys(("姓名", "名字", "姓氏", "姓"), "name"),
    **dict.fromkeys(
        (
            *("店名", "单位名称", "单位", "公司名", "公司", "厂名", "商家", "名称"),
            *("饭店", "餐馆", "酒店", "超市", "药店", "驾校", "健身房", "旅行社", "平台"),
        ),
        "business",
    ),
    **dict.fromkeys(
        ("联系电话", "手机号码", "电话号码", "电话", "号码", "联系方式", "手机号", "手机"), "contact"
    ),
    **dict.fromkeys(("内容", "问题", "事情", "情况"), "matter"),
    "诉求": "wish",
    "车牌号": "plate",
    "车牌": "plate",
}
_NAMED = "|".join(sorted(_WHAT, key=len, reverse=True))
_WRONG = "(?:也|还|又|都)?(?:说|报|记|写|填|弄|搞|讲|念)?(?:的)?(?:不对|错了?|有误|不是这个)了?"
_BECOMES = "(?:应该|要)?(?:改成|改为|换成|改到|改一下|应为|写[成上]?吧?|登记成?|应该是|是|叫)"
_CHANGE = re.compile(
    f"(?:把|我的?|那个|你们?|刚才的?|前面的?)*(?P<what>{_NAMED})(?!写?的)(?P<wrong>{_WRONG})?(?:我|"
    f"那个)?(?P<becomes>{_BECOMES})?(?P<value>.*)$"
)
_NOT_BUT = re.compile("不是(?P<wrong>.{1,15}?)(?:而是|应该是|是)(?P<right>.{1,30})$")
# 是九号楼，我一着急说成七号了
_SAID_AS = re.compile(
    "(?:应该)?是(?P<right>.{1,12}?)(?:我|刚才|刚刚|一着急|一急|着急|嘴快|嘴瓢|不小心|糊涂|口误|给|你们?|是不是|怎么)*"
    "(?:说|念|报|写|记|看|讲|听|弄|搞)(?:错)?成了?(?:是)?(?P<wrong>.{1,10}?)了?$"
)
_BUT_NOT = re.compile("(?:应该)?(?:是|我?姓|我?叫)(?P<right>.{1,30}?)(?:不是|不姓|不叫)(?P<wrong>.{1,15})$")
_NOT_NAME = re.compile("不[姓叫](?P<wrong>.{1,4}?)(?:我)?[姓叫](?P<right>.{1,12})$")
_WRONG_RIGHT = re.compile("(?P<wrong>.{2,15}?)(?:不对|错了|说错了)(?:应该)?(?:是|改成)?(?P<right>.{1,30})$")
_INTO = re.compile("把?(?P<wrong>.{2,15}?)(?:改成|改为|换成)(?P<right>.{2,30})$")
_ANOTHER = re.compile(
    "(?:错了?|不对|不是.+)(?:我|那个)*(?:应该)?(?:是|叫|改成)(?:叫)?(?P<right>[一-鿿a-z0-9]{3,14})$"
)
_RETOLD = re.compile(
    "(?:^(?:错了|不对|不是)(?=应该|是)|^[一-鿿]{1,8}?(?:写|说|报|搞|记|弄)?(?:错了|不对|有误)|(?:刚才|刚刚|前面|我)*(?:说错了?|讲错了?|记错了?|报错了?|弄错了?|"
    "口误|(?:漏|少|掉)了?一?个字|更正一下|纠正一下|改一下|"
    "不对不对|哦不是?|啊不是?))"
    "(?:了|我|那个|应该)*(?:是|在)?(?P<right>.{1,30})$"
)
# A second correction in the same breath: 不是三栋是五栋，电话也错了; 不是三栋是五栋，不是张是章.
_SECOND = re.compile(
    f"(?<=.{{4}})(?:(?:还有|另外|然后|再有|而且|同时|对了)(?:就是)?|(?:我的?|那个)?"
    f"(?=(?:{_NAMED})(?:(?:也|还|又|要)*(?:{_WRONG}|{_BECOMES})|(?:也|又)不是))|"
    "(?=不(?:是|姓).{1,15}?[是姓]))"
)
_NAMES_SLOT = re.compile(_NAMED)
_LAST_DIGITS = re.compile(
    "(?:最后|尾号|末尾|后)(?:几|两|二|三|四)?(?:位|个)?(?:数|号)?"
    f"(?:{_WRONG})?(?:应该)?(?:是|改成)(?P<digits>[零〇幺一二三四五六七八九0-9]{{2,4}})$"
)
_NO_NUMBER = re.compile("(?:别|不要|不用|不想)(?:写|登记?|留|记)(?:我的?)?(?:联系)?(?:电话|号码|手机)")
_HOUSE_NUMBER = re.compile(
    f"^(?:不对)?(?:门牌号?码?|楼号|房间?号|栋号|单元号|几号|(?:我家|我们|那个|他家|这)?(?:院子?|房子|楼栋?|店面?|铺子|铺面|大门))"
    f"(?:{_WRONG})?(?:应该)?(?:是|改成|在)"
)
_NAME_OF = re.compile(
    f"(?P<kind>[一-鿿]{{1,3}}?)的?(?:名字?|名称)(?:{_WRONG})(?:应该)?(?:是|叫)(?P<right>[一-鿿]{{1,8}}(?P=kind))$"
)
_ROOM = re.compile("[零〇一二三四五六七八九0-9]{3,4}$")
_KIND_OF_PLACE = re.compile(
    "[一-鿿]{1,5}?(?P<kind>村|庄|镇|乡|小区|花园|家园|公寓|苑|大道|路|街|巷|桥|公园|广场|学校|医院)"
)
_AFTER_DISTRICT = re.compile("^[一-鿿]{2,3}[区县市]")
_EXPLAINS = re.compile("字头|偏旁|旁|底|加|上面|下面|的|那个")
_PRONOUN = re.compile("^(?:那个|这个|我|我们|姓|叫)+")
_NUMBERED = re.compile(
    "(?P<number>[0-9零〇一二三四五六七八九十百]+)(?P<unit>号楼|号院|号|栋|幢|楼|单元|层|室|门)"
)


def corrected(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """The intake with what `said` puts right, or None where it puts nothing right.

    Where it only says what is wrong (电话错了), that is asked for anew: its slot is what the intake asks for.
    """
    if intake.asking in ("matter", "join", "filing"):
        return None
    for second in _SECOND.finditer(said):
        first = _corrected(intake, said[: second.start()], gazetteer)
        rest = said[second.end() :]
        if first and (
            first.asking == intake.asking or _NAMES_SLOT.match(rest)
        ):  # 地点错了，不是五楼是六楼 is one
            both = corrected(first, rest, gazetteer)
            if both:
                return both
    return _corrected(intake, said, gazetteer)


def _corrected(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    return (
        _withdrawn(intake, said)
        or _last_digits(intake, said)
        or _other_business(intake, said)
        or _other_name(intake, said)
        or _swapped(intake, said, gazetteer)
        or _changed(intake, said, gazetteer)
        or _retold(intake, said, gazetteer)
    )


def guessed(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """The intake with `said` put where it fits by its looks, or None."""
    told = _HOUSE_NUMBER.sub("", said).removesuffix("的")
    if told != said and _ROOM.fullmatch(told) and _ROOM.search(intake.place):
        return fill(intake, "place", _ROOM.sub(told, intake.place))
    said = told
    if re.match("我?(?:姓|叫)|名字", said) and (name := find_name(said) or answered_name(said)):
        return fill(replace(intake, anonymous=False), "name", name)
    digits = dictated(said)
    if verdict(digits or "1") == "whole":
        return fill(intake, "contact", digits)
    if place := gazetteer.find(said):
        return fill(intake, "place", gazetteer.answered(said) or place)
    if intake.place and _NUMBERED.match(said):
        return fill(intake, "place", _renumbered(intake.place, said))
    if find_duration(said) and value_of(intake, "duration"):
        return fill(intake, "duration", find_duration(said))
    if time := told_time(said) or (find_time(said) if intake.time else ""):
        return fill(intake, "time", time)
    if name := find_name(said) or (answered_name(said) if said.startswith(("姓", "叫", "免贵")) else ""):
        return fill(replace(intake, anonymous=False), "name", name)
    return None


def _withdrawn(intake: Intake, said: str) -> Intake | None:
    """别留我电话了"""
    held = bool(intake.contact) and intake.asking in ("confirm", "change")
    return fill(intake, "contact", "") if held and _NO_NUMBER.search(said) else None


def _last_digits(intake: Intake, said: str) -> Intake | None:
    """电话不对，最后四位是五五九九: the last digits of the number anew; None where a whole one is told."""
    told = _LAST_DIGITS.search(clean(said))
    digits = digits_in(told["digits"], by_sound=False) if told else ""
    if not digits or not intake.contact or verdict(dictated(said) or "1") == "whole":
        return None
    return fill(intake, "contact", intake.contact[: -len(digits)] + digits)


def _changed(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """地址改成…; while all is read back, also 地址是…"""
    forms = (
        _CHANGE.match(said),
        *(_CHANGE.match(said, named.start()) for named in _NAMES_SLOT.finditer(said)),
    )
    confirming = intake.asking in ("confirm", "change")
    change = next((form for form in forms if form and _changes(form, confirming=confirming)), None)
    if not change:
        return None
    slot = _WHAT[change["what"]]
    value = _value(intake, slot, re.sub("^(?:应该|就)*[是在]", "", change["value"]), gazetteer)
    if value:
        named = intake.anonymous and slot != "name"  # who tells a name after all is not anonymous
        return fill(
            replace(intake, digits="" if slot == "contact" else intake.digits, anonymous=named), slot, value
        )
    if not change["wrong"]:
        return None
    asked = replace(intake, asking=slot, tries=0, done=intake.done - {slot})
    if slot == "contact":
        return replace(asked, contact="", contact_refused=True, digits=added("", change["value"]))
    return asked if slot in SLOTS else None


def _changes(form: re.Match[str], *, confirming: bool) -> bool:
    """Whether 地址… says that it is wrong, or becomes another; a mere 是 does so only at the read-back."""
    plainly = form["wrong"] or (form["becomes"] or "").startswith(("改", "换", "应", "写"))
    return bool(plainly or (form["becomes"] and confirming))


def _other_business(intake: Intake, said: str) -> Intake | None:
    """旅行社说错了，是彩霞旅行社: another of the same kind; None where none of that kind was told."""
    held = value_of(intake, "business")
    told = _ANOTHER.search(said)
    if not held or not told or kind_of(held) != kind_of(told["right"]) or not kind_of(held):
        return None
    return _renamed_business(intake, told["right"])


def _other_name(intake: Intake, said: str) -> Intake | None:
    """公墓名字不对，是红旗岭公墓: the place named by a kind, where it holds one of that kind."""
    told = _NAME_OF.search(said)
    held = (
        re.search(f"[一-鿿]{{1,5}}?{told['kind']}", _AFTER_DISTRICT.sub("", intake.place)) if told else None
    )
    return (
        fill(intake, "place", intake.place.replace(held.group(), told["right"], 1)) if told and held else None
    )


def _renamed_business(intake: Intake, name: str) -> Intake:
    """The intake with `name` for the business, also where the matter tells it."""
    held = value_of(intake, "business")
    matter = intake.matter.replace(held, name) if held else intake.matter
    return fill(replace(intake, matter=matter), "business", name)


def _swapped(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """不是甲是乙, 是乙不是甲, 把甲改成乙: 乙 in the place of 甲, wherever that sounds."""
    for form in (_NOT_NAME, _SAID_AS, _BUT_NOT, _NOT_BUT, _INTO, _WRONG_RIGHT):
        if swap := form.search(said):
            found = _put(intake, swap["wrong"], swap["right"], gazetteer)
            if found:
                return found
    swap = _NOT_BUT.search(said)
    if swap and intake.asking in ("confirm", "change"):
        return guessed(intake, swap["right"], gazetteer)
    return None


def _put(intake: Intake, wrong: str, right: str, gazetteer: Gazetteer) -> Intake | None:
    if (
        len(digits_in(wrong, by_sound=False)) >= 3
        and (number := digits_in(wrong, by_sound=False)) in intake.contact
    ):
        return fill(intake, "contact", intake.contact.replace(number, digits_in(right, by_sound=False)))
    wrong = _PRONOUN.sub("", gazetteer.spell(wrong)) or wrong
    spelled = gazetteer.spell(right)
    for slot in ("place", "time", "name", "duration", "business", "matter", *(one for one, _ in intake.more)):
        held = value_of(intake, slot)
        at = find_sounds(sounds(wrong), sounds(held)) if held else -1
        if at < 0:
            continue
        if slot == "name":
            name = corrected_name(right) or _like_name(right, held)
            return fill(intake, "name", name) if name else None
        if slot == "place" and _NUMBERED.match(right) and not _ROOM.search(right):
            return fill(intake, slot, _renumbered(held, right))
        before, after = held[:at], held[at + len(wrong) :]
        new = answered_time(right) if slot == "time" else spelled
        # 不是人民路是人民东路十八号: what is told with it anew is not there twice.
        if slot == "place" and before and (again := before.rfind(new[:3])) >= 0:
            before = before[:again]  # 光明路八十号 is 光明路十八号, and names the road anew
        before = (
            ""
            if before and (sounds(new)[: len(before)] == sounds(before) or _other_district(new, gazetteer))
            else before
        )
        after = "" if after and sounds(new)[-len(after) :] == sounds(after) else after
        if slot == "place" and _NUMBERED.match(after) and _NUMBERED.search(new):
            after = ""
        whole = before + new + after
        return _renamed_business(intake, whole) if slot == "business" else fill(intake, slot, whole)
    return None


def _retold(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """刚才说错了，是…: put where it fits by its looks, else where the last answer went."""
    retold = _RETOLD.search(said)
    if not retold:
        return None
    right = retold["right"]
    if found := guessed(intake, right, gazetteer):
        return found
    if intake.last and intake.last != "contact" and (value := _value(intake, intake.last, right, gazetteer)):
        return fill(intake, intake.last, value)
    return None


def _value(intake: Intake, slot: str, right: str, gazetteer: Gazetteer) -> str:
    """What a correction puts into `slot`; "" where it holds nothing for it."""
    if slot == "place":
        if _NUMBERED.match(right) and intake.place and not gazetteer.find(right):
            return _renumbered(intake.place, right)
        return _renamed(intake.place, right) or gazetteer.answered(right)
    if slot == "time":
        return answered_time(right)
    if slot == "name":
        return corrected_name(right) or answered_name(right)
    if slot == "contact":
        digits = dictated(right)
        return digits if verdict(digits or "1") == "whole" else ""
    return clean(right) if len(clean(right)) >= 2 else ""


def _renumbered(place: str, right: str) -> str:
    """`place` with the numbers that `right` tells anew (二十八号, 三号楼) for those of the same kind."""
    for new in _NUMBERED.finditer(right):
        every = list(_NUMBERED.finditer(place))
        held: Sequence[re.Match[str]] = [one for one in every if one["unit"] == new["unit"]]
        held = held or [one for one in every if one["unit"].startswith(new["unit"])]  # 号 of 号院
        if held:
            place = place[: held[0].start()] + new.group() + place[held[0].end() :]
        else:
            place += new.group()
    return place


def _renamed(place: str, right: str) -> str:
    """`place` with the name `right` (肖庄村) for the one of the same kind (赵庄村); "" where it has none."""
    new = _KIND_OF_PLACE.fullmatch(right)
    held = re.search(f"[一-鿿]{{1,5}}?{new['kind']}", _AFTER_DISTRICT.sub("", place)) if new else None
    return place.replace(held.group(), right, 1) if held else ""


def _like_name(right: str, held: str) -> str:
    """The first characters of `right` as a name for `held`, where the rest tells how they are written."""
    name, rest = right[: len(held)], right[len(held) :]
    explained = not rest or (bool(_EXPLAINS.search(rest)) and any(char in rest for char in name))
    return name if len(held) > 1 and len(name) == len(held) and explained else ""


def _other_district(place: str, gazetteer: Gazetteer) -> bool:
    return bool(re.match("[一-鿿]{2}区", place)) and bool(gazetteer.parts(place).district)
