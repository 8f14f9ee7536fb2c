"""What is known of a complaint so far, and what one sentence of the caller's adds to it.

Values are the caller's words as they sounded, since they are read back; the work order holds them as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

from dialog import Expects
from dialog.businesses import find_business
from dialog.contacts import find_contact, keeps_number, means_this_number
from dialog.discretion import secret_from, wants_anonymity, wants_secrecy
from dialog.moments import find_duration, told_time
from dialog.names import find_name
from dialog.places import Gazetteer
from dialog.taxonomy import Kind
from dialog.wishes import wish_in, wish_in_clauses
from dialog.words import clean, strip_fillers

Slot: TypeAlias = Literal["matter", "place", "time", "name", "contact"]
SLOTS: tuple[Slot, ...] = ("matter", "place", "time", "name", "contact")
LEAST_MATTER = 3  # characters that say what it is about; 投诉 alone does not
LEAST_REST = 4  # characters that must stay of a matter when something is taken out of it

_MATTER_LEAD = re.compile(
    "^(?:你好|您好|喂|请问|那个|嗯|不是|是|就是|这样的?)*(?:我|我们)?(?:想|要|来|就想)*(?:[跟向给对]你们?|"
    "问问|"
    "问一下|咨询一下)?"
    "(?:匿名|实名)?(?:投诉|反映|举报|报修|求助|登记|提)(?:一下|个|一个|一件|一条|点|几点)?(?:的)?(?:问题|事情|事|意见|"
    "情况|"
    "建议)?(?:是|就是|说)?"
)
_CLAUSES = re.compile("[，。；！？,;!?]")
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("举报", re.compile("举报")),
    ("报修", re.compile("报修|修一下|来修|派人修")),
    ("建议", re.compile("(?:提|有)(?:个|一个|点|一点|条)?(?:小)?建议|^(?:我|我们)?(?:就|想|要)?建议")),
    ("投诉", re.compile("投诉")),
    ("求助", re.compile("求助|求求|帮帮忙|帮帮我")),
)
_SELF_CLAUSE = re.compile("^我(?:姓|叫)[一-鿿]{1,3}?(?=我?家?住|是|在)")  # 我姓孙家住…
_ONLY_LEADS = re.compile("^(?:我|我们|想|要|给|跟|向|你们|提|说|个|反映|一下)+$")
# What was said first and is not what the call is about: 漏水那个解决了，今天打电话是为下水道.
_ASIDE = re.compile(
    "^.*?(?:今天打(?:这个)?电话(?:是|就是)(?:为了?|想|要)?|我(?:要|想)(?:说|反映|投诉)的是|主要是?(?:想)?(?:说|反映|投诉)|"
    "不说(?:那个|这个|它)了?我?(?:要|就)?说|重新说|重说)(?=.{8})"
)
_ASKS_TO_FILE = re.compile("(?:麻烦|请|帮我|帮忙|你们)+(?:给)?(?:反映|登记|记录|记)(?:一下)?$")
_BEFORE_SECRET = re.compile(
    "(?:你们)?(?:去查的?(?:时候)?|处理的时候)?(?:但是|不过|可是)?(?:千万|请|一定|你们|麻烦|要|可|给我|帮我|替我|为我)*$"
)
_NAMED_CLAUSE = re.compile(
    "我(?:姓|叫).{1,4}(?:电话|手机|联系).*$|我(?:姓|叫)[一-鿿]{1,3}$|我?的?(?:电话|"
    "手机号?)(?:号码)?就?(?:是|打)(?=[0-9零〇一幺二三四五六七八九]|这|我|现在|本机|来电).*$"
)


@dataclass(frozen=True, slots=True)
class Intake:
    """A complaint so far; "" is not said yet, slots in `done` are not asked again even where empty.

    `asking` is the slot asked for now, or "confirm" (all is read back), "change" (what is wrong?), "join" (an
    open work order is offered to join) or "filing". `more` holds the slots that only some categories have.
    """

    matter: str = ""
    place: str = ""
    time: str = ""
    name: str = ""
    contact: str = ""
    asking: str = "matter"
    done: frozenset[str] = frozenset()
    tries: int = 0  # how often the present question was answered in vain
    contact_refused: bool = False  # the calling number shall not be used
    more: tuple[tuple[str, str], ...] = ()
    kind: Kind | Literal[""] = ""  # as the caller called it
    digits: str = ""  # of a telephone number that is said in pieces
    anonymous: bool = False
    secret: bool = False
    last: str = ""  # the slot filled last, which 刚才说错了 speaks of
    offered: str = ""  # the number of the open work order offered to join
    joins: str = ""  # the same, once accepted
    join_checked: bool = False  # whether there is one to join has been looked up


def value_of(intake: Intake, slot: str) -> str:
    """What is known of `slot`, "" where nothing is."""
    return str(getattr(intake, slot)) if slot in SLOTS else dict(intake.more).get(slot, "")


def fill(intake: Intake, slot: str, value: str) -> Intake:
    """The intake with `slot` settled; an empty value says that there will be none."""
    done = intake.done | {slot}
    if slot not in SLOTS:
        more = {**dict(intake.more), slot: value}
        return replace(intake, more=tuple(more.items()), done=done, last=slot)
    changes = cast("dict[str, str]", {slot: value})
    return replace(intake, done=done, last=slot, **changes)  # type: ignore[arg-type]


def told_kind(text: str) -> Kind | Literal[""]:
    """What the caller calls it: a complaint, a report, a suggestion …; "" where they do not."""
    return next((kind for kind, says_so in _KINDS if says_so.search(clean(text))), "")


def told_matter(intake: Intake, text: str, gazetteer: Gazetteer) -> Intake:
    """The intake after a sentence that tells the matter, and whatever else."""
    said = gazetteer.spell(_MATTER_LEAD.sub("", strip_fillers(text)))
    intake = replace(intake, kind=intake.kind or told_kind(text))
    if not intake.place:
        intake = replace(intake, place=gazetteer.find(text))
    intake = told_besides(told_wishes_about_names(intake, text), said, gazetteer, place=False)
    # Told in passing it may still be asked more exactly: 昨晚, where the hour must be known.
    intake = replace(intake, done=intake.done - {"time"})
    if not value_of(intake, "wish") and (wish := _wish_in_clauses(text, said)):
        intake = fill(intake, "wish", wish)
    if not value_of(intake, "business") and (business := _told_business(text, gazetteer)):
        intake = fill(intake, "business", business)
    matter = _bare_matter(said, intake, gazetteer)
    return replace(intake, matter=matter) if len(clean(matter)) >= LEAST_MATTER else intake


def told_besides(intake: Intake, said: str, gazetteer: Gazetteer, *, place: bool = True) -> Intake:
    """The intake with what `said` tells in passing of all that is not known yet."""
    intake = told_wishes_about_names(intake, said)
    where = gazetteer.find(said)
    if where and place and not intake.place:
        intake = replace(intake, place=where)
    rest = without(where or intake.place, said)
    duration = find_duration(rest)
    found = {
        "contact": find_contact(said),
        "name": "" if intake.anonymous else find_name(rest),
        # 半夜 alone tells when, but not on which day: it stays a part of the matter and the day is asked.
        "time": told_time(without(duration, rest)),
        "duration": duration,
        "wish": find_wish(said),
    }
    for slot, value in found.items():
        if value and not value_of(intake, slot) and slot not in intake.done:
            intake = fill(intake, slot, value)
    return intake


def _told_business(text: str, gazetteer: Gazetteer) -> str:
    """The firm or office that the matter is about; commas, where any were heard, tell where names begin."""
    clauses = []
    for clause in _CLAUSES.split(text):
        said = gazetteer.spell(strip_fillers(clause))
        said = without(gazetteer.find(said), said)
        clauses.append(without(told_time(said), said))
    return find_business("，".join(clauses))


def told_wishes_about_names(intake: Intake, said: str) -> Intake:
    """The intake, anonymous or secret where the caller asks for it."""
    if wants_anonymity(said):
        intake = replace(intake, anonymous=True, name="", done=intake.done | {"name"})
    return replace(intake, secret=True) if wants_secrecy(said) else intake


def find_wish(text: str) -> str:
    """What the caller wants done, from its first word to the end of `text`; "" where they do not say."""
    return wish_in(_NAMED_CLAUSE.sub("", _without_secret(text)))


def _wish_in_clauses(text: str, said: str) -> str:
    """As `find_wish`, by how the last clauses of `text` begin, in the words of `said`, which is its end."""
    wish = strip_fillers(_NAMED_CLAUSE.sub("", wish_in_clauses(_without_secret(text))))
    at = strip_fillers(text).rfind(wish) - len(strip_fillers(text)) + len(said)
    return said[at : at + len(wish)] if wish and at >= 0 else ""


def _without_secret(text: str) -> str:
    """`text` up to a plea for secrecy."""
    begin = secret_from(text)
    return _BEFORE_SECRET.sub("", text[:begin]) if begin < len(text) else text


def without(part: str, text: str) -> str:
    """`text` with a gap where `part` was."""
    return text.replace(part, "，") if part else text


def expects(asking: str, own: Expects = "anything") -> Expects:
    """What kind of answer a slot takes; `own` for one that is not among `SLOTS`."""
    return cast("Expects", asking) if asking in ("matter", "place", "time", "name") else own


def _bare_matter(said: str, intake: Intake, gazetteer: Gazetteer) -> str:
    """The matter without what stands in slots of its own, where it reads better so."""
    matter = said
    cut = _without_secret(matter)
    matter = cut if len(cut) >= LEAST_REST else matter
    for clause in (_NAMED_CLAUSE, _SELF_CLAUSE, _ASKS_TO_FILE):
        cut = clause.sub("", matter)
        matter = cut if len(cut) >= LEAST_REST else matter
    led = True
    while led:
        led = False
        for part in (intake.place, intake.time, value_of(intake, "duration")):
            shorter = re.sub(
                f"^(?:就?在|我是|我?家?就?住在?|我家|从)?{re.escape(part)}(?:这边|那边|附近|这里|"
                f"上)?的?(?![了没多])",
                "",
                matter,
            )
            if part and shorter != matter:
                matter, led = shorter, True
    return matter


def without_wish(intake: Intake) -> str:
    """The matter without the wish that it ends with, unless little else was said (能不能多装几把长椅)."""
    rest = intake.matter.removesuffix(value_of(intake, "wish"))
    return rest if len(rest) >= LEAST_REST and not _ONLY_LEADS.search(rest) else intake.matter


def main_matter(matter: str) -> str:
    """What of a matter the call is about, where something else is told first."""
    return _ASIDE.sub("", matter) or matter


def told_number(intake: Intake, said: str, caller: str) -> Intake:
    """The intake where `said`, in passing, gives the number called from, or says that there will be none."""
    if intake.contact or "contact" in intake.done:
        return intake
    if caller and means_this_number(said):
        return fill(intake, "contact", caller)
    return fill(intake, "contact", "") if keeps_number(said) else intake
