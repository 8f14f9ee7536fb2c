"""Taking down a complaint or request: slot by slot, read back, confirmed, ready to be filed.

`Intake` is immutable; every function here is pure, so that a reply thrown away unheard has changed nothing.
What is asked for depends on the category of the matter (dialog/taxonomy.yaml); what was said is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from dialog import Expects, TicketDraft, phrases
from dialog.businesses import kind_of
from dialog.contacts import (
    accepts_number,
    added,
    dictated,
    means_this_number,
    missing,
    refuses_number,
    spoken_so_far,
    verdict,
)
from dialog.corrections import corrected, guessed
from dialog.discretion import wants_secrecy
from dialog.drafting import drafted, read_back
from dialog.intents import polarity
from dialog.moments import answered_time, find_duration, find_time, habit, is_unknown, tells_day, tells_hour
from dialog.names import answered_name, declines_name
from dialog.places import Gazetteer
from dialog.slots import (
    SLOTS,
    Intake,
    Slot,
    expects,
    fill,
    main_matter,
    told_besides,
    told_matter,
    told_number,
    told_wishes_about_names,
    value_of,
    without,
)
from dialog.taxonomy import Category, Taxonomy
from dialog.words import clean, spoken_digits, strip_fillers

__all__ = ["MAX_TRIES", "SLOTS", "Clerk", "Intake", "Slot"]

MAX_TRIES = 2  # times one question is asked; then what was said is taken, or the slot stays empty
_NEEDED = ("matter", "contact", "confirm", "change", "join", "filing")  # not to be left open
_MANY_DIGITS = 8  # of a number, from which on a caller is told how many are missing instead of 请继续

_CORRECTION = re.compile("^(?:不对|不是|错了|嗯|哦|对|对但是|等等|等一下|说错了|哎)*(?:应该)?(?:是)?(?:的)?")
_TAKEN_BACK = re.compile(
    "不对|不是|(?<!没)(?<!没有)错|等一下|等等|但是|不过|改"
)  # also after a yes: 对，等一下，不对
_YES = (
    *("对", "是的", "没错", "正确", "可以", "好", "嗯", "行"),
    *("没问题", "没有问题", "都对", "全对", "登记", "就这"),
)
_MORE = re.compile(
    "(?:补充|另外|再加|还有|加上)(?:补充|再加|加|一句|一下|一点|一条|说一下|的是|就是)*(?P<more>.{5,})$"
)
_HOUSE = re.compile("[0-9零〇一二三四五六七八九十百]+号(?:$|(?=[那楼院门店旁对附大小]))")
_CALLED = re.compile("(?:就叫|叫做|叫|名字是|写的是|写着)(?P<name>[一-鿿a-z0-9]{2,})$")
_NAMES_ITSELF = re.compile("[姓叫]")
_NOTHING = re.compile("没有|没什么|没带|没记|不用|不需要|无所谓|都行|随便|没看清|看不清|没注意")


@dataclass(frozen=True, slots=True)
class Clerk:
    """Takes down complaints of one city; holds its places and categories.

    `write` turns words as they sounded into the words of a work order: 人民路十八号 into 人民路18号.
    """

    gazetteer: Gazetteer
    taxonomy: Taxonomy
    write: Callable[[str], str] = str

    def start(self, text: str, caller: str = "") -> Intake:
        """An intake from the first sentence of `caller`, which may fill several slots."""
        return self._next(told_number(told_matter(Intake(), text, self.gazetteer), text, caller))

    def answer(self, intake: Intake, text: str, caller: str) -> Intake:
        """The intake after the caller's answer `text`; `caller` is the number called from, "" if withheld."""
        after = self._answer(intake, text, caller)
        if replace(after, last=intake.last, tries=intake.tries) != intake or after.tries > intake.tries:
            return after
        # Nothing was learnt, though something seemed to be put right: no question is asked without end.
        if intake.asking == "filing":
            return intake
        if intake.tries + 1 < MAX_TRIES or intake.asking in _NEEDED:
            return replace(after, tries=intake.tries + 1)
        return self._next(fill(after, intake.asking, getattr(after, intake.asking, "")))

    def _answer(self, intake: Intake, text: str, caller: str) -> Intake:
        said = strip_fillers(text)
        if intake.asking == "place" and self.gazetteer.find(text) and not self.gazetteer.find(said):
            said = clean(text)  # 喂来城: what sounds like a filler begins a name
        if intake.asking == "name" and said in ("姓", "叫", "我姓"):
            said = clean(text)  # 姓哈
        if intake.asking == "business" and kind_of(clean(text)):
            said = clean(text)  # 极速网吧: or ends one
        if intake.asking == "filing":
            return intake
        if intake.asking == "join":
            return self._joined(intake, said)
        if intake.asking not in ("contact", "confirm", "change"):
            intake = told_number(intake, said, caller)
        put_right = corrected(intake, said, self.gazetteer)
        if put_right is not None:
            put_right = told_wishes_about_names(put_right, said)
            return put_right if put_right.asking != intake.asking else self._next(put_right)
        match intake.asking:
            case "confirm":
                return self._confirmed(intake, said)
            case "change":
                return self._changed(intake, said)
            case "contact":
                return self._contact(told_wishes_about_names(intake, said), said, caller)
            case "matter":
                told = told_matter(intake, said, self.gazetteer)
                return self._next(told) if told.matter else replace(told, tries=intake.tries + 1)
            case "place":
                return self._place(intake, said)
            case "name":
                return self._name(intake, said)
            case slot:
                return self._other(intake, slot, said)

    def question(self, intake: Intake, caller: str) -> str:
        """What to ask now."""
        again = intake.tries > 0
        match intake.asking:
            case "matter":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_MATTER
            case "place":
                if again or self.gazetteer.is_vague(intake.place or "区"):
                    return (
                        phrases.INTAKE_PLACE_AGAIN if again or intake.place else self._asks(intake, "place")
                    )
                return phrases.INTAKE_PLACE_WHERE
            case "contact":
                return self._contact_question(intake, caller)
            case "confirm":
                return phrases.INTAKE_CONFIRM_AGAIN if again else self.read_back(intake, caller)
            case "change":
                return phrases.INTAKE_REPEAT if again else phrases.INTAKE_WHICH_WRONG
            case "join":
                number = spoken_digits(intake.offered)
                return f"{phrases.INTAKE_JOIN}工单编号是{number}。{phrases.INTAKE_JOIN_ASK}"
            case "filing":
                return phrases.INTAKE_FILING
            case slot:
                return phrases.INTAKE_REPEAT if again else self._asks(intake, slot)

    def expects(self, intake: Intake) -> Expects:
        """What kind of answer a slot that is asked for takes."""
        asked = self.taxonomy.slots.get(intake.asking)
        return expects(intake.asking, asked.expects if asked else "anything")

    def read_back(self, intake: Intake, caller: str) -> str:
        """Everything taken down, in one breath, and whether it is right."""
        return read_back(intake, caller, self.taxonomy)

    def offer_join(self, intake: Intake, number: str) -> Intake:
        """Ask whether this shall be handled with the open work order `number`, which is about the same."""
        return replace(intake, asking="join", tries=0, offered=number, join_checked=True)

    def draft(self, intake: Intake) -> TicketDraft:
        """The work order."""
        return drafted(intake, self.category(intake), self.gazetteer, self.taxonomy, self.write)

    def category(self, intake: Intake) -> Category:
        """What the matter is about; what is wished for tells it too."""
        wish = value_of(intake, "wish")
        told = main_matter(intake.matter)
        return self.taxonomy.classify(told if wish in told else f"{told}，{wish}")

    def asks(self, intake: Intake) -> tuple[str, ...]:
        """The slots that are asked for in a matter like this, in order."""
        return ("matter", *self.category(intake).ask, "name", "contact")

    # -- one question after another --------------------------------------------------------------------------

    def _next(self, intake: Intake) -> Intake:
        """Ask for the first slot still open; when none is, for the confirmation."""
        for slot in self.asks(intake):
            if slot not in intake.done and self._open(intake, slot):
                return replace(intake, asking=slot, tries=0)
        return replace(intake, asking="confirm", tries=0)

    def _open(self, intake: Intake, slot: str) -> bool:
        value = value_of(intake, slot)
        if slot == "place":
            return self.gazetteer.is_vague(value) or self.gazetteer.is_bare_street(value)
        if slot == "time":
            exactly = self.category(intake).when
            if exactly == "hour":
                return not tells_hour(value)
            # 停水三天了 tells when it began.
            return not value and not (exactly == "about" and value_of(intake, "duration"))
        if slot == "duration":
            return not value and not intake.time
        return not value

    def _asks(self, intake: Intake, slot: str) -> str:
        own = self.category(intake).questions.get(slot)
        if own:
            return own
        asked = self.taxonomy.slots.get(slot)
        if asked:
            return asked.question
        return {"place": phrases.INTAKE_PLACE, "time": phrases.INTAKE_TIME}.get(slot, phrases.INTAKE_NAME)

    def _again(self, intake: Intake, slot: str) -> Intake:
        """Ask once more; after the last time the slot stays as it is."""
        if intake.tries + 1 < MAX_TRIES:
            return replace(intake, tries=intake.tries + 1)
        return self._next(fill(intake, slot, value_of(intake, slot)))

    # -- answers ---------------------------------------------------------------------------------------------

    def _place(self, intake: Intake, said: str) -> Intake:
        said = self.gazetteer.spell(said)
        told = told_besides(intake, said, self.gazetteer, place=False)
        known = self.gazetteer.find(said)
        when = find_time(without(known, said))
        rest = said.replace(when, "") if when and when not in known else said
        if not known and (is_unknown(said) or polarity(said) is False) and len(clean(rest)) < 8:
            return self._next(fill(told, "place", intake.place))
        if not known and told != intake and len(rest) < 4:
            return self._next(told)  # not where it was, but when, or who called
        value = self.gazetteer.answered(rest)
        if not value:
            return self._again(told, "place")
        value = self._whole_place(intake.place, value)
        if self.gazetteer.is_vague(value) and intake.tries + 1 < MAX_TRIES:
            return replace(told, place=value, tries=intake.tries + 1)
        return self._next(fill(told, "place", value))

    def _whole_place(self, held: str, told: str) -> str:
        """The place as answered, after the district or street that was named before it."""
        if not held or held in told:
            return told
        if told in held:
            return held
        parts = self.gazetteer.parts(told)
        if parts.street or parts.landmark:
            district = self.gazetteer.parts(held).district if self.gazetteer.is_vague(held) else ""
            return told if not district or parts.district not in ("", district) else held + told
        return held + told

    def _name(self, intake: Intake, said: str) -> Intake:
        told = told_besides(intake, said, self.gazetteer)
        if told.name or told.anonymous:
            return self._next(told)
        if declines_name(said):
            return self._next(replace(fill(told, "name", ""), anonymous=True))
        name = answered_name(said)
        if is_unknown(said) and not (name and _NAMES_ITSELF.search(said)):
            return self._next(fill(told, "name", ""))
        if name:
            return self._next(fill(told, "name", name))
        return self._next(told) if told != intake else self._again(told, "name")

    def _other(self, intake: Intake, slot: str, said: str) -> Intake:
        """An answer to the question for the time, or for a slot that only some categories have."""
        if slot == "time" and intake.time:
            return self._hour(intake, said)
        if slot == "time" and self.gazetteer.is_bare_street(intake.place) and _HOUSE.match(said):
            # 人民路, was said; 七十八号, now, is where on it.
            place = intake.place + self.gazetteer.spell(said)
            return replace(fill(intake, "place", place), asking="time", tries=0)
        told = told_besides(intake, said, self.gazetteer)
        if value_of(told, slot):
            whole = answered_time(said) if told == fill(intake, "time", told.time) else ""
            return self._next(fill(told, slot, whole) if told.time in whole else told)
        if slot == "time" and value_of(told, "duration") != value_of(intake, "duration"):
            return self._next(fill(told, "time", ""))  # how long it has gone on tells when it began
        if is_unknown(said) or (slot != "time" and (_NOTHING.search(said) or polarity(said) is False)):
            named = _CALLED.search(said) if slot == "business" else None  # 没有招牌，就叫老吴熟食
            known = clean(named["name"]) if named else ""
            known = (intake.time or find_time(intake.matter)) if slot == "time" else known
            return self._next(fill(told, slot, known))
        if slot != "time" and (told.anonymous, told.secret) != (intake.anonymous, intake.secret):
            return self._next(told)
        elsewhere = told != intake and not (find_time(without(told.place, said)) and slot == "time")
        if elsewhere and (slot == "time" or said.startswith((told.time or "？", told.name or "？"))):
            return self._next(told)
        if slot == "time":
            value = answered_time(without(told.place, said)).replace("，", "")
            usual = habit(intake.matter)
            value += usual if value and not habit(value) else ""
        else:
            value = find_duration(said, asked=True) or clean(said) if slot == "duration" else clean(said)
        return self._next(fill(told, slot, value)) if value else self._again(told, slot)

    def _hour(self, intake: Intake, said: str) -> Intake:
        """An answer to the question for the time, where the day is known already (昨晚, and now 九点四十)."""
        after = self._other(replace(intake, time=""), "time", said)
        if after.asking == "time":
            return replace(after, time=intake.time)
        told = after.time
        whole = told if tells_day(told) else intake.time + told.removeprefix(intake.time)
        return replace(after, time=whole)

    def _contact(self, intake: Intake, said: str, caller: str) -> Intake:
        digits = added(intake.digits, said)
        if dictated(said):
            return self._dictated(intake, digits, caller)
        if caller and means_this_number(said):
            return self._next(fill(told_besides(intake, said, self.gazetteer), "contact", caller))
        if refuses_number(said) or (not caller and polarity(said) is False):
            return self._next(fill(replace(intake, digits=""), "contact", ""))
        if caller and not intake.contact_refused:
            if polarity(said) is False or said.startswith(("不是", "不用这个", "换", "别用")):
                return replace(intake, contact_refused=True, tries=0)
            if polarity(said) or accepts_number(said):
                return self._next(fill(intake, "contact", caller))
        told = told_besides(intake, said, self.gazetteer)
        if told != intake:
            return told
        if intake.tries + 1 >= MAX_TRIES:
            # The number called from reaches the caller; better than none.
            return self._next(fill(intake, "contact", caller))
        return replace(intake, tries=intake.tries + 1, digits=digits)

    def _dictated(self, intake: Intake, digits: str, caller: str) -> Intake:
        """The intake after digits of a number were said: it is whole, goes on, or must be said again."""
        match verdict(digits):
            case "whole":
                return self._next(fill(replace(intake, digits=""), "contact", digits))
            case "short" if len(digits) > len(intake.digits):
                return replace(intake, digits=digits, contact_refused=True)
            case _ if intake.tries + 1 < MAX_TRIES:
                # Kept to be told what was heard; the next number begins anew, since no digit fits after it.
                return replace(intake, digits=digits, contact_refused=True, tries=intake.tries + 1)
            case _:
                return self._next(fill(replace(intake, digits=""), "contact", caller))

    def _contact_question(self, intake: Intake, caller: str) -> str:
        if intake.digits:
            if verdict(intake.digits) == "short" and len(intake.digits) < _MANY_DIGITS:
                return phrases.INTAKE_NUMBER_GO_ON
            return phrases.heard_digits(spoken_so_far(intake.digits), missing(intake.digits))
        if caller and not intake.contact_refused:
            return phrases.INTAKE_CONTACT_SAME
        return phrases.INTAKE_CONTACT_AGAIN if intake.tries else phrases.INTAKE_CONTACT_ASK

    # -- the read-back ---------------------------------------------------------------------------------------

    def _confirmed(self, intake: Intake, said: str) -> Intake:
        answer = polarity(said)
        asked = told_wishes_about_names(intake, said)
        taken_back = answer is None and _TAKEN_BACK.search(said)
        found = guessed(asked, _CORRECTION.sub("", said), self.gazetteer) if answer is None else None
        if answer is None and (more := _MORE.search(said)):
            if said.startswith(("地址", "地点", "位置")):
                return replace(asked, place=intake.place + self.gazetteer.answered(more["more"]), tries=0)
            return replace(asked, matter=f"{intake.matter}，{more['more']}", tries=0)
        if answer is None and asked == intake and not (taken_back or found) and said.startswith(_YES):
            answer = True
        if answer:
            return replace(intake, asking="filing", tries=0)
        if found:
            return self._next(found)
        if asked != intake:
            only_secret = wants_secrecy(said) and asked.anonymous == intake.anonymous
            return replace(
                asked, asking="filing" if only_secret and said.startswith(_YES) else "confirm", tries=0
            )
        if answer is False or taken_back:
            return replace(intake, asking="change", tries=0)
        return replace(intake, tries=intake.tries + 1)

    def _changed(self, intake: Intake, said: str) -> Intake:
        asked = told_wishes_about_names(intake, said)
        if asked != intake:
            return replace(asked, asking="confirm", tries=0)
        if polarity(said):  # 没有，都对
            return replace(intake, asking="confirm", tries=0)
        found = guessed(intake, _CORRECTION.sub("", said), self.gazetteer)
        return self._next(found) if found else replace(intake, tries=intake.tries + 1)

    def _joined(self, intake: Intake, said: str) -> Intake:
        answer = polarity(said)
        if answer is None and said.startswith(_YES) and not _TAKEN_BACK.search(said):
            answer = True
        if answer is None and re.search("单独|自己|分开|不用|不要|另外", said):
            answer = False
        if answer is None and intake.tries + 1 < MAX_TRIES:
            return replace(intake, tries=intake.tries + 1)
        return replace(self._next(intake), joins=intake.offered if answer else "")
