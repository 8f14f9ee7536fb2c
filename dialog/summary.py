"""What a seat is told before saying hello: assembled from the slots and the turns, without a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import cn2an

from dialog import CallContext, Message, Summary
from dialog.intake import SLOTS, Intake
from dialog.intents import control_intent
from dialog.places import Taxonomy
from dialog.words import clean, sounds, strip_fillers

SPOKEN_CHARS = 60  # about 12 s of speech at the pace of a seat's whisper
SPELLED = 5  # digits from which on a number may have been said in pieces
SAID_PAIRS = 0.8  # of a fact's pairs of syllables that must have been said
_ANGRY = re.compile(
    "气死|太差|什么态度|没人管|推来推去|踢皮球|骗|垃圾服务|曝光|忍无可忍|受不了|打了.{1,3}次|到现在都?没"
)
_WORRIED = re.compile("着急|急死|赶紧|马上|尽快|害怕|担心|危险|求求|怎么办啊|救")
_NUMERALS = re.compile("[0-9零〇一二三四五六七八九十百千万亿幺两]+")
_COUNTING = frozenset("0123456789零〇一二三四五六七八九幺两")
_DIGITS = str.maketrans("零〇一二三四五六七八九幺两", "0012345678912")
_NAMES = {"matter": "具体情况", "place": "地点", "time": "时间", "name": "称呼", "contact": "联系方式"}


def build_summary(
    call: CallContext,
    history: Sequence[Message],
    taxonomy: Taxonomy,
    *,
    intake: Intake | None = None,
    answered: Sequence[str] = (),
    unanswered: str = "",
    filed: Sequence[str] = (),
    write: Callable[[str], str] = str,
) -> Summary:
    """The call so far.

    `answered` are the questions that got an answer, `unanswered` the one that got none, `filed` the numbers
    of the work orders filed in this call. What the caller said is put through `write`, which writes numbers.
    Category and department stay empty where they could only be guessed: nobody said them.
    """
    request = (intake.matter if intake else "") or unanswered or last_request(history)
    category = taxonomy.certain(request) if request else None
    open_points = [f"未答复：{write(strip_fillers(unanswered))}"] if unanswered else []
    if intake:
        missing = [_NAMES[slot] for slot in SLOTS if not getattr(intake, slot) and slot not in intake.done]
        open_points.append("工单未提交" + (f"，缺{'、'.join(missing)}" if missing else "，待确认"))
    name = intake.name if intake else ""
    number = (intake.contact if intake else "") or call.caller
    return Summary(
        caller=f"{name}（{number}）" if name and number else name or number,
        request=write(strip_fillers(request)),
        place=write(intake.place) if intake else "",
        time=write(intake.time) if intake else "",
        category=category.category if category else "",
        department=category.department if category else "",
        answered=(*answered, *(f"已登记工单{number}" for number in filed)),
        open_points=tuple(open_points),
        mood=mood(history),
    )


def last_request(history: Sequence[Message]) -> str:
    """The caller's last words that were about a matter, "" where there were none."""
    for message in reversed(history):
        about_a_matter = message.who == "caller" and len(strip_fillers(message.said)) > 2
        if about_a_matter and control_intent(message.said) is None:
            return message.said
    return ""


def mood(history: Sequence[Message]) -> str:
    """How the caller sounds, as far as words show: 不满, 着急 or 平静."""
    said = "，".join(message.said for message in history if message.who == "caller")
    if _ANGRY.search(said):
        return "不满"
    return "着急" if _WORRIED.search(said) else "平静"


def spoken_summary(summary: Summary) -> str:
    """What is whispered to a seat before it takes the call: who wants what where, and how it stands.

    Two sentences, together at most 12 s of speech.
    """
    name = summary.caller.split("（")[0]
    is_name = bool(re.fullmatch("[一-鿿]{1,4}", name))
    who = (f"来电人姓{name}" if len(name) == 1 else f"来电人{name}") if is_name else "来电人"
    wants = f"{who}，诉求是{_short(summary.request, 22)}" if summary.request else f"{who}需要人工服务"
    if summary.place and summary.place not in wants:
        wants += f"，地点{_short(summary.place, 12)}"
    stands = []
    if summary.open_points and summary.open_points[0].startswith("未答复"):
        stands.append("知识库没有答案")
    elif summary.open_points:
        stands.append("工单还没有提交")
    elif summary.answered:
        stands.append("前面的问题已答复")
    if summary.mood in ("不满", "着急"):
        stands.append(f"情绪{summary.mood}")
    return f"{wants}。" + (f"{'，'.join(stands)}。" if stands else "")


def unsaid(fact: str, said: Sequence[str]) -> bool:
    """Whether `fact` tells something that was not `said` in the call, by its sound.

    Every number in it must have been said, in digits or in words, perhaps in pieces; and four in five of its
    pairs of syllables: a place may be put together from two answers.
    """
    texts = [clean(text) for text in said]
    values = {_value(run) for text in texts for run in _NUMERALS.findall(text)}
    spelled_out = "".join(_value(run) for text in texts for run in _NUMERALS.findall(text))
    told = clean(fact)
    for run in _NUMERALS.findall(told):
        if _value(run) not in values and not (len(_value(run)) >= SPELLED and _value(run) in spelled_out):
            return True
    known = {pair for text in texts for pair in _pairs(text)}
    pairs = _pairs(told)
    return sum(pair in known for pair in pairs) < SAID_PAIRS * len(pairs)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Neighbouring syllables, none across a number."""
    return [pair for part in _NUMERALS.split(text) for pair in pairwise(sounds(part))]


def _value(numerals: str) -> str:
    """The digits of a number as it is written: 五零一, 五百零一 and 501 are 501."""
    if set(numerals) <= _COUNTING:
        return numerals.translate(_DIGITS)
    try:
        return str(cn2an.cn2an(numerals.replace("幺", "一").replace("两", "二"), "smart"))
    except ValueError:  # no number after all: 万一 is none
        return numerals


def _short(text: str, chars: int) -> str:
    text = text.rstrip("。？，！")
    return text if len(text) <= chars else text[: chars - 1] + "等"
