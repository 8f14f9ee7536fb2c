"""What a caller puts right, at whatever question: 不是人民路，是人民东路; 电话错了，是一三九…"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dialog.contacts import added, dictated, verdict
from dialog.moments import answered_time, find_duration, find_time, told_time
from dialog.names import answered_name, corrected_name, find_name
from dialog.places import Gazetteer
from dialog.slots import SLOTS, Intake, fill, value_of
from dialog.words import clean, digits_in, find_sounds, sounds

_WHAT: dict[str, str] = {
    **dict.fromkeys(("地址", "地点", "位置", "地方"), "place"),
    **dict.fromkeys(("时间", "日期", "日子"), "time"),
    **dict.fromkeys(("姓名", "名字", "姓"), "name"),
    **dict.fromkeys(
        ("联系电话", "手机号码", "电话号码", "电话", "号码", "联系方式", "手机号", "手机"), "contact"
    ),
    **dict.fromkeys(("内容", "问题", "事情", "情况"), "matter"),
    "诉求": "wish",
    "车牌号": "plate",
    "车牌": "plate",
}
_NAMED = "|".join(sorted(_WHAT, key=len, reverse=True))
_WRONG = "(?:说|报|记|写|填|弄|搞|讲|念)?(?:的)?(?:不对|错了?|有误|不是这个)了?"
_BECOMES = "(?:应该|要)?(?:改成|改为|换成|改到|改一下|应为|写成|应该是|是|叫)"
_CHANGE = re.compile(
    f"(?:把|我的?|那个|你们?|刚才的?|前面的?)*(?P<what>{_NAMED})(?P<wrong>{_WRONG})?(?:我|"
    f"那个)?(?P<becomes>{_BECOMES})?(?P<value>.*)$"
)
_NOT_BUT = re.compile("不是(?P<wrong>.{1,15}?)(?:而是|应该是|是)(?P<right>.{1,30})$")
_BUT_NOT = re.compile("(?:应该)?(?:是|我?姓|我?叫)(?P<right>.{1,30}?)(?:不是|不姓|不叫)(?P<wrong>.{1,15})$")
_NOT_NAME = re.compile("不[姓叫](?P<wrong>.{1,4}?)(?:我)?[姓叫](?P<right>.{1,12})$")
_WRONG_RIGHT = re.compile("(?P<wrong>.{2,15}?)(?:不对|错了|说错了)(?:应该)?(?:是|改成)?(?P<right>.{1,30})$")
_INTO = re.compile("把?(?P<wrong>.{2,15}?)(?:改成|改为|换成)(?P<right>.{2,30})$")
_RETOLD = re.compile(
    "(?:^(?:错了|不对|不是)(?=应该|是)|(?:刚才|刚刚|前面|我)*(?:说错了?|讲错了?|记错了?|报错了?|弄错了?|"
    "口误|更正一下|纠正一下|改一下|"
    "不对不对|哦不是?|啊不是?))"
    "(?:了|我|那个|应该)*(?:是|在)?(?P<right>.{1,30})$"
)
_LAST_DIGITS = re.compile(
    "(?:最后|尾号|末尾|后)(?:几|两|二|三|四)?(?:位|个)?(?:数|"
    "号)?(?:应该)?是(?P<digits>[零〇幺一二三四五六七八九0-9]{2,4})$"
)
_NO_NUMBER = re.compile("(?:别|不要|不用|不想)(?:写|登记?|留|记)(?:我的?)?(?:联系)?(?:电话|号码|手机)")
_HOUSE_NUMBER = re.compile(
    f"^(?:不对)?(?:门牌号?码?|楼号|房间?号|栋号|单元号|几号)(?:{_WRONG})?(?:应该)?(?:是|改成)"
)
_ROOM = re.compile("[零〇一二三四五六七八九0-9]{3,4}$")
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
    return (
        _withdrawn(intake, said)
        or _last_digits(intake, said)
        or _swapped(intake, said, gazetteer)
        or _changed(intake, said, gazetteer)
        or _retold(intake, said, gazetteer)
    )


def guessed(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """The intake with `said` put where it fits by its looks, or None."""
    told = _HOUSE_NUMBER.sub("", said)
    if told != said and _ROOM.fullmatch(told) and _ROOM.search(intake.place):
        return fill(intake, "place", _ROOM.sub(told, intake.place))
    said = told
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
    change = _CHANGE.match(said) or _CHANGE.search(said)
    if not change:
        return None
    plainly = change["wrong"] or (change["becomes"] or "").startswith(("改", "换", "应", "写"))
    if not plainly and not (change["becomes"] and intake.asking in ("confirm", "change")):
        return None
    slot = _WHAT[change["what"]]
    value = _value(intake, slot, re.sub("^(?:应该|就)*[是在]", "", change["value"]), gazetteer)
    if value:
        return fill(replace(intake, digits="") if slot == "contact" else intake, slot, value)
    if not change["wrong"]:
        return None
    asked = replace(intake, asking=slot, tries=0, done=intake.done - {slot})
    if slot == "contact":
        return replace(asked, contact="", contact_refused=True, digits=added("", change["value"]))
    return asked if slot in SLOTS else None


def _swapped(intake: Intake, said: str, gazetteer: Gazetteer) -> Intake | None:
    """不是甲是乙, 是乙不是甲, 把甲改成乙: 乙 in the place of 甲, wherever that sounds."""
    for form in (_NOT_NAME, _BUT_NOT, _NOT_BUT, _INTO, _WRONG_RIGHT):
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
    for slot in ("place", "time", "name", "duration", "matter", *(one for one, _ in intake.more)):
        held = value_of(intake, slot)
        at = find_sounds(sounds(wrong), sounds(held)) if held else -1
        if at < 0:
            continue
        if slot == "name":
            name = corrected_name(right)
            return fill(intake, "name", name) if name else None
        if slot == "place" and _NUMBERED.match(right):
            return fill(intake, slot, _renumbered(held, right))
        before, after = held[:at], held[at + len(wrong) :]
        new = answered_time(right) if slot == "time" else spelled
        # 不是人民路是人民东路十八号: what is told with it anew is not there twice.
        before = (
            ""
            if before and (sounds(new)[: len(before)] == sounds(before) or _other_district(new, gazetteer))
            else before
        )
        after = "" if after and sounds(new)[-len(after) :] == sounds(after) else after
        if slot == "place" and _NUMBERED.match(after) and _NUMBERED.search(new):
            after = ""
        return fill(intake, slot, before + new + after)
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
        return gazetteer.answered(right)
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
        held: Sequence[re.Match[str]] = [
            one for one in _NUMBERED.finditer(place) if one["unit"] == new["unit"]
        ]
        if held:
            place = place[: held[0].start()] + new.group() + place[held[0].end() :]
        else:
            place += new.group()
    return place


def _other_district(place: str, gazetteer: Gazetteer) -> bool:
    return bool(re.match("[一-鿿]{2}区", place)) and bool(gazetteer.parts(place).district)
