"""Taking down a complaint or request: slot by slot, read back, confirmed, ready to be filed.

`Intake` is immutable; every function here is pure, so that a reply thrown away unheard has changed nothing.
It holds the caller's words as they sounded, since they are read back; the work order holds them as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from dialog import TicketDraft, phrases
from dialog.intents import polarity
from dialog.places import Gazetteer, Taxonomy
from dialog.words import clean, digits_in, sounds, spoken_digits, strip_fillers

Slot: TypeAlias = Literal["matter", "place", "time", "name", "contact"]
SLOTS: tuple[Slot, ...] = ("matter", "place", "time", "name", "contact")
MAX_TRIES = 2  # times one question is asked; then what was said is taken, or the slot stays empty
MIN_PHONE_DIGITS = 7

_NUMBER = "[0-9零〇一二两三四五六七八九十]+"
_DAY = (
    "今天|昨天|前天|大前天|今早|今晚|昨晚|昨夜|每天|每晚|天天|最近|这几天|这两天|近期|上周[一二三四五六日天末]?|上个?月|"
    "上个?星期|这周|这个?星期|这个?月|周[一二三四五六日末]|星期[一二三四五六日天]|周末|工作日|一直|长期|经常|刚才|刚刚|现在|"
    f"{_NUMBER}(?:个)?(?:天|周|星期|月|年)(?:前|以前|多)?|{_NUMBER}月{_NUMBER}[号日]|{_NUMBER}[号日](?!楼|院|栋|线|店)"
)
_PART_OF_DAY = "半夜|深夜|夜里|凌晨|清晨|早上|早晨|一早|上午|中午|下午|傍晚|晚上|白天|夜间"
_CLOCK = f"{_NUMBER}点(?:钟|半|{_NUMBER}分?|多)?"
_TIME = re.compile(
    f"(?:从)?(?:(?:{_DAY})|(?:{_PART_OF_DAY})|(?:{_CLOCK})|到|至|开始|以后|之后|左右|前后|的时候)+"
)
_SAYS_DAY = re.compile(f"{_DAY}|{_CLOCK}")
_TIME_LEAD = re.compile("^(?:大概|大约|差不多|应该|时间|就)*(?:是|在)?(?:大概|大约|差不多)?")
_TIME_UNKNOWN = re.compile("记不清|不记得|不知道|不清楚|忘了|说不清")

_MATTER_LEAD = re.compile(
    "^(?:你好|您好|喂|请问|那个|嗯)*(?:我|我们)?(?:想|要|来)*(?:跟你们?|向你们?)?(?:投诉|反映|举报|报修|求助|登记)(?:一下|个|一个|一件)?"
    "(?:的)?(?:问题|事情|事)?(?:是|就是)?"
)
_NAME = re.compile("(?:免贵姓|我姓|姓|我叫|名字叫|名字是|叫)(?P<name>[一-鿿]{1,4}?)(?:先生|女士|小姐|同志)?$")
_TITLED = re.compile("^(?:我是)?(?P<name>[一-鿿]{1,3})(?:先生|女士|小姐)$")
_ANONYMOUS = re.compile("匿名|不想说|不方便|不愿意|保密|不留|不说了|不告诉|不提供|别问")
_SAME_NUMBER = re.compile("这个|这号|就用|现在的|本机|当前|打的这个|来电")
_NO_CONTACT = re.compile("不留|不用联系|不要联系|不想留|不用打|不方便|别打")
_CORRECTION = re.compile("^(?:不对|不是|错了|嗯|哦|对|对但是|等等|等一下|说错了)?(?:是)?(?:的)?")
_TAKEN_BACK = re.compile("不对|不是|(?<!没)(?<!没有)错|等一下|等等")  # also after a yes: 对，等一下，不对
_NOT_BUT = re.compile("不是(?P<wrong>.{2,15}?)[是而](?:是)?(?P<right>.{2,30})$")
_BUT_NOT = re.compile("(?:应该)?是(?P<right>.{2,30}?)不是(?P<wrong>.{2,15})$")
_CHANGE = re.compile(
    "(?:把)?(?:刚才的?)?(?P<what>地址|地点|位置|时间|姓名|名字|姓|电话|号码|联系方式|手机号?|内容|问题|事情)"
    "(?:不对|错了|记错了)?(?:应该)?(?:改成|改为|换成|改到|是|应为|写成|叫)(?P<value>.+)$"
)
_WHAT: dict[str, Slot] = {"地址": "place", "地点": "place", "位置": "place", "时间": "time", "姓名": "name"}
_WHAT |= {"名字": "name", "姓": "name", "电话": "contact", "号码": "contact", "联系方式": "contact"}
_WHAT |= {"手机": "contact", "手机号": "contact", "内容": "matter", "问题": "matter", "事情": "matter"}


@dataclass(frozen=True, slots=True)
class Intake:
    """A complaint so far; "" is not said yet, slots in `done` are not asked again even where empty."""

    matter: str = ""
    place: str = ""
    time: str = ""
    name: str = ""
    contact: str = ""
    asking: Slot | Literal["confirm", "change", "filing"] = "matter"
    done: frozenset[Slot] = frozenset()
    tries: int = 0  # how often the present question was answered in vain
    contact_refused: bool = False  # the calling number shall not be used


@dataclass(frozen=True, slots=True)
class Clerk:
    """Takes down complaints of one city; holds its places and categories.

    `write` turns words as they sounded into the words of a work order: 人民路十八号 into 人民路18号.
    """

    gazetteer: Gazetteer
    taxonomy: Taxonomy
    write: Callable[[str], str] = str

    def start(self, text: str) -> Intake:
        """An intake from the caller's first sentence, which may fill several slots."""
        matter = self.gazetteer.spell(_MATTER_LEAD.sub("", strip_fillers(text)))
        place = self.gazetteer.find(matter)
        # 半夜 alone tells when, but not on which day: it stays a part of the matter and the day is asked.
        time = _told_time(_without(place, matter))
        if place:
            # The place is kept in its own slot; without it the matter reads better.
            matter = re.sub(f"^(?:在|我是|我住在?)?{re.escape(place)}(?:这边|那边|附近)?(?:的)?", "", matter)
        told = clean(matter)
        intake = Intake(matter=told if len(told) >= 3 else "", place=place, time=time)
        return self._next(intake)

    def answer(self, intake: Intake, text: str, caller: str) -> Intake:
        """The intake after the caller's answer `text`; `caller` is the number called from, "" if withheld."""
        said = strip_fillers(text)
        corrected = self._corrected(intake, said)
        if corrected is not None:
            return self._next(corrected)
        match intake.asking:
            case "confirm":
                return self._confirmed(intake, said)
            case "change":
                guessed = self._guess(intake, _CORRECTION.sub("", said))
                return self._next(guessed) if guessed else replace(intake, tries=intake.tries + 1)
            case "filing":
                return intake
            case "contact":
                return self._contact(intake, said, caller)
            case slot:
                elsewhere = self._elsewhere(intake, slot, said)
                if elsewhere is not None:
                    return self._next(elsewhere)
                value = self._value(slot, said)
                if slot != "matter" and _declines(slot, said):
                    return self._next(_fill(intake, slot, ""))
                if slot == "place" and value and intake.place not in value:
                    value = intake.place + value  # the street, after the district
                vague = slot == "place" and _is_district(value)
                if (not value or vague) and (intake.tries + 1 < MAX_TRIES or slot == "matter"):
                    return replace(intake, place=value if vague else intake.place, tries=intake.tries + 1)
                return self._next(_also(_fill(intake, slot, value), said))

    def question(self, intake: Intake, caller: str) -> str:
        """What to ask now."""
        again = intake.tries > 0
        match intake.asking:
            case "matter":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_MATTER
            case "place":
                return phrases.INTAKE_PLACE_AGAIN if again or intake.place else phrases.INTAKE_PLACE
            case "time":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_TIME
            case "name":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_NAME
            case "contact":
                if caller and not intake.contact_refused:
                    return phrases.INTAKE_CONTACT_SAME
                return phrases.INTAKE_CONTACT_AGAIN if again else phrases.INTAKE_CONTACT_ASK
            case "confirm":
                return phrases.INTAKE_CONFIRM_AGAIN if again else self.read_back(intake, caller)
            case "change":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_WHICH_WRONG
            case "filing":
                return phrases.INTAKE_FILING

    def read_back(self, intake: Intake, caller: str) -> str:
        """Everything taken down, in one breath, and whether it is right."""
        parts = [f"{phrases.READ_BACK}您反映的是，{intake.matter}"]
        if intake.place:
            parts.append(f"地点在{intake.place}")
        if intake.time:
            parts.append(f"时间是{intake.time}")
        if intake.name:
            parts.append(f"您姓{intake.name}" if len(intake.name) == 1 else f"您叫{intake.name}")
        if not intake.contact:
            parts.append("没有留联系电话")
        elif intake.contact == caller:
            parts.append("联系电话就是您现在这个号码")
        else:
            parts.append(f"联系电话是{spoken_digits(intake.contact)}")
        return "，".join(parts) + "。" + phrases.READ_BACK_ASK

    def draft(self, intake: Intake) -> TicketDraft:
        """The work order."""
        category = self.taxonomy.classify(intake.matter)
        slots = {str(slot): self.write(getattr(intake, slot)) for slot in SLOTS}
        text = slots["matter"]
        text += f"。地点：{slots['place']}" if intake.place else ""
        text += f"。时间：{slots['time']}" if intake.time else ""
        return TicketDraft(
            category=category.category,
            department=category.department,
            urgency=self.taxonomy.urgency(intake.matter),
            title=f"{slots['place']}{slots['matter']}"[:40],
            text=text + "。",
            slots=slots,
        )

    def _next(self, intake: Intake) -> Intake:
        """Ask for the first slot still open; when none is, for the confirmation."""
        for slot in SLOTS:
            value: str = getattr(intake, slot)
            if slot not in intake.done and (not value or (slot == "place" and _is_district(value))):
                return replace(intake, asking=slot, tries=0)
        return replace(intake, asking="confirm", tries=0)

    def _value(self, slot: Slot, said: str) -> str:
        """What `said` puts into `slot`, "" where it does not."""
        if slot == "matter":
            matter = _MATTER_LEAD.sub("", said)
            return matter if len(matter) >= 3 else ""
        if slot == "place":
            return self.gazetteer.find(said) or _at_least(3, self.gazetteer.spell(said))
        if slot == "time":
            return _find_time(said) or _at_least(2, _TIME_LEAD.sub("", said))
        if slot == "name":
            return _find_name(said, asked=True)
        digits = digits_in(said, by_sound=True)
        return digits if len(digits) >= MIN_PHONE_DIGITS else ""

    def _contact(self, intake: Intake, said: str, caller: str) -> Intake:
        digits = self._value("contact", said)
        if digits:
            return self._next(_fill(intake, "contact", digits))
        if _NO_CONTACT.search(said) or (not caller and polarity(said) is False):
            return self._next(_fill(intake, "contact", ""))
        if caller and not intake.contact_refused:
            if polarity(said) is False or said.startswith(("不是", "不用这个", "换")):
                return replace(intake, contact_refused=True, tries=0)
            if polarity(said) or _SAME_NUMBER.search(said):
                return self._next(_fill(intake, "contact", caller))
        if intake.tries + 1 >= MAX_TRIES:
            # The number called from reaches the caller; better than none.
            return self._next(_fill(intake, "contact", caller))
        return replace(intake, tries=intake.tries + 1)

    def _confirmed(self, intake: Intake, said: str) -> Intake:
        answer = polarity(said)
        taken_back = answer is None and _TAKEN_BACK.search(said)
        if answer is None and not taken_back and said.startswith(("对", "是的", "没错", "正确", "可以")):
            answer = True
        if answer:
            return replace(intake, asking="filing", tries=0)
        guessed = self._guess(intake, _CORRECTION.sub("", said)) if answer is None else None
        if guessed:
            return self._next(guessed)
        if answer is False or taken_back:
            return replace(intake, asking="change", tries=0)
        return replace(intake, tries=intake.tries + 1)

    def _corrected(self, intake: Intake, said: str) -> Intake | None:
        """The intake with a correction in plain words applied (地址改成…, 不是甲是乙), or None."""
        change = _CHANGE.search(said)
        if change and intake.asking in ("confirm", "change"):
            slot = _WHAT[change["what"]]
            value = self._value(slot, change["value"])
            return _fill(intake, slot, value) if value else None
        swap = _NOT_BUT.search(said) or _BUT_NOT.search(said)
        if not swap:
            return None
        wrong, right = sounds(self.gazetteer.spell(swap["wrong"])), self.gazetteer.spell(swap["right"])
        for slot in SLOTS:
            held: str = getattr(intake, slot)
            at = _find(wrong, held)
            if at >= 0:
                return _fill(intake, slot, held[:at] + right + held[at + len(wrong) :])
        return self._guess(intake, swap["right"])

    def _elsewhere(self, intake: Intake, slot: Slot, said: str) -> Intake | None:
        """The intake when the answer to the question for `slot` plainly tells another one, else None."""
        rest = _without(_told_time(said), said)
        no_place = slot == "place" and len(rest) < 4 and not self.gazetteer.find(said)
        no_time = slot == "time" and not _find_time(said)
        told = _also(intake, said) if no_place or no_time else intake
        return told if told != intake else None

    def _guess(self, intake: Intake, said: str) -> Intake | None:
        """The intake with `said` put where it fits by its looks, or None."""
        digits = digits_in(said, by_sound=False)
        if len(digits) >= MIN_PHONE_DIGITS:
            return _fill(intake, "contact", digits)
        if place := self.gazetteer.find(said):
            return _fill(intake, "place", place)
        if time := _told_time(said):
            return _fill(intake, "time", time)
        if name := _find_name(said, asked=False):
            return _fill(intake, "name", name)
        return None


def _fill(intake: Intake, slot: Slot, value: str) -> Intake:
    changes: dict[str, object] = {slot: value, "done": intake.done | {slot}}
    return replace(intake, **changes)  # type: ignore[arg-type]


def _also(intake: Intake, said: str) -> Intake:
    """The intake with what else a sentence tells of time and name, where nothing is known yet."""
    rest = _without(intake.place, said)
    if not intake.time and (time := _told_time(rest)):
        intake = _fill(intake, "time", time)
    if not intake.name and (name := _find_name(rest, asked=False)):
        intake = _fill(intake, "name", name)
    return intake


def _without(part: str, text: str) -> str:
    return text.replace(part, "，") if part else text


def _is_district(place: str) -> bool:
    """Whether a place names a district and nothing more, which is too little to send somebody to."""
    return len(place) <= 3 and place.endswith("区")


def _find(sound: tuple[str, ...], held: str) -> int:
    heard = sounds(held)
    return next((i for i in range(len(heard) - len(sound) + 1) if heard[i : i + len(sound)] == sound), -1)


def _find_time(text: str) -> str:
    """The longest expression of time in `text`."""
    found = [
        m.group() for m in _TIME.finditer(text) if re.search(f"{_DAY}|{_PART_OF_DAY}|{_CLOCK}", m.group())
    ]
    return max(found, key=len, default="")


def _told_time(text: str) -> str:
    """As `_find_time`, but only where it says on which day or at what hour."""
    time = _find_time(text)
    return time if _SAYS_DAY.search(time) else ""


def _find_name(text: str, *, asked: bool) -> str:
    found = _NAME.search(text) or _TITLED.search(text)
    if found:
        return found["name"]
    return text if asked and 1 <= len(text) <= 4 and polarity(text) is None else ""


def _declines(slot: Slot, said: str) -> bool:
    """Whether the caller does not want to, or cannot, fill the slot."""
    if slot == "time":
        return bool(_TIME_UNKNOWN.search(said))
    # 匿名 is often heard as something else that sounds like it.
    anonymous = bool(_ANONYMOUS.search(said)) or sounds(said) == sounds("匿名")
    return anonymous or polarity(said) is False or bool(_TIME_UNKNOWN.search(said))


def _at_least(chars: int, text: str) -> str:
    return text if len(text) >= chars else ""
