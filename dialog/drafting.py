"""The words of a work order, and of its read-back, made of nothing but what was taken down."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from dialog import TicketDraft, phrases
from dialog.places import Gazetteer
from dialog.slots import SLOTS, Intake, value_of, without_wish
from dialog.taxonomy import Category, Kind, Taxonomy
from dialog.words import clean, in_words, spoken_digits

TITLE_CHARS = 40

_VERBS: dict[Kind, str] = {
    "举报": "市民举报",
    "建议": "市民建议",
    "求助": "市民求助",
    "咨询": "市民咨询",
    "报修": "市民报修",
}
_USUAL_WISH: dict[Kind, str] = {
    "建议": "请相关部门研究",
    "咨询": "请相关部门答复",
    "求助": "请相关部门核实并协助解决",
}
_WISH_LEAD = re.compile("^(?:所以|就|我们?|还|你们)*(?:麻烦|请|求求)?(?:你们)?")
_HESITATIONS = re.compile("那个那个|就是说|嗯+|呃+|(?<=[一-鿿])就是那个")
_TURNS = re.compile(
    "(?<=[一-鿿]{4})(而且|但是|可是|不过|所以|结果|导致|然后|已经|到现在|希望|要求|天天|每天)(?=[一-鿿]{3})"
)


def drafted(
    intake: Intake, category: Category, gazetteer: Gazetteer, taxonomy: Taxonomy, write: Callable[[str], str]
) -> TicketDraft:
    """The work order: sorted, titled, written in the form that departments are used to."""
    told = f"{intake.matter}，{value_of(intake, 'wish')}，{value_of(intake, 'duration')}"
    slots = {str(slot): write(value_of(intake, slot)) for slot in SLOTS}
    parts = gazetteer.parts(intake.place) if intake.place else None
    for name in ("district", "street", "landmark"):
        if parts and getattr(parts, name):
            slots[name] = write(getattr(parts, name))
    if not intake.time and (lasted := value_of(intake, "duration")):
        slots["time"] = f"已持续{write(lasted)}"
    slots |= {
        name: value.upper() if name == "plate" else write(value) for name, value in intake.more if value
    }
    kind: Kind = intake.kind or category.kind
    slots["kind"] = kind
    if intake.anonymous:
        slots["anonymous"] = "是"
    title = slots["matter"] if slots["place"] in slots["matter"] else slots["place"] + slots["matter"]
    return TicketDraft(
        category=category.category,
        department=category.department,
        urgency=taxonomy.urgency(told),
        title=_titled(title),
        text=_body(intake, {**slots, "matter": write(without_wish(intake))}, kind, taxonomy),
        slots=slots,
        secret=intake.secret,
        joins=intake.joins,
    )


def read_back(intake: Intake, caller: str, taxonomy: Taxonomy) -> str:
    """Everything taken down, as it sounded, in one breath, and whether it is right."""
    parts = [f"{phrases.READ_BACK}您反映的是，{without_wish(intake)}"]
    if intake.place:
        parts.append(f"地点在{intake.place}")
    if intake.time:
        parts.append(f"时间是{intake.time}")
    for name, value in intake.more:
        if not value or name == "wish" or value in intake.matter:
            continue
        parts.append(f"已经有{value}" if name == "duration" else f"{taxonomy.label(name)}是{value}")
    if (wish := _wish(intake)) and wish not in without_wish(intake):
        parts.append(f"您{wish}" if wish.startswith(("希望", "要求", "建议")) else f"您的诉求是{wish}")
    if intake.name:
        parts.append(f"您姓{intake.name}" if len(intake.name) == 1 else f"您叫{intake.name}")
    elif intake.anonymous:
        parts.append("不登记您的姓名")
    if not intake.contact:
        parts.append("没有留联系电话")
    elif intake.contact == caller:
        parts.append("联系电话就是您现在这个号码")
    else:
        parts.append(f"联系电话是{spoken_digits(intake.contact)}")
    if intake.secret:
        parts.append("您的个人信息会保密")
    return "，".join(parts) + "。" + phrases.READ_BACK_ASK


def _body(intake: Intake, slots: dict[str, str], kind: Kind, taxonomy: Taxonomy) -> str:
    """市民反映：时间，地点，事情，持续多久。诉求：…。联系人…"""
    matter = _formal(slots["matter"])
    facts = []
    for value in (slots["time"] if intake.time else "", slots["place"]):
        if value and not _says(matter, value):
            facts.append(value)
    facts.append(matter)
    if (duration := slots.get("duration", "")) and not _says(matter, duration):
        facts.append(f"已持续{duration}")
    text = f"{_VERBS.get(kind, '市民反映')}：{'，'.join(facts)}。"
    for name, value in slots.items():
        if name in dict(intake.more) and name not in ("duration", "wish"):
            text += f"{taxonomy.label(name)}：{value}。"
    wish = _wish(replace(intake, more=(("wish", slots.get("wish", "")),)))
    text += f"诉求：{wish or _USUAL_WISH.get(kind, '请相关部门核实处理')}。"
    if intake.secret:
        return text + "市民要求对其个人信息保密。"
    who = "市民要求匿名" if intake.anonymous else f"联系人：{slots['name']}" if intake.name else ""
    number = f"联系电话：{slots['contact']}" if intake.contact else "未留联系电话"
    return text + "，".join(part for part in (who, number) if part) + "。"


def _wish(intake: Intake) -> str:
    return _WISH_LEAD.sub("", value_of(intake, "wish"))


def _formal(matter: str) -> str:
    """The matter without hesitations, with commas where it turns; callers' words are heard without any."""
    text = _HESITATIONS.sub("", matter)
    return _TURNS.sub(r"，\1", text) if not re.search("[，。；！？]", text) else text.rstrip("。，")


def _says(text: str, value: str) -> bool:
    return clean(in_words(value)) in clean(in_words(text))


def _titled(text: str) -> str:
    return text if len(text) <= TITLE_CHARS else text[: TITLE_CHARS - 1] + "…"
