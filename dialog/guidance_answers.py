"""What a caller's words answer to one question of a service: yes or no, a number, a choice.

A number told as a span (六十多) is only taken where all of it is as needed, or none; else it is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from dialog import spoken_numbers
from dialog.intents import is_question, polarity
from dialog.services import UNKNOWN, Condition, Span, meets
from dialog.spoken_numbers import by_sound, span_in
from dialog.words import says, strip_fillers

_NOT_KNOWN = re.compile(
    "不知道|不清楚|不晓得|不确定|不太清|不懂|说不准|说不好|记不清|记不得|不记得|忘了|搞不清|弄不清"
)
_DENIED = re.compile("(?:不是|没有?|并非|不算|不)$")  # right before a word it takes that back
_NO = re.compile("没有|没(?!错|问题|关系|事)|不是|不算|未|还差|不够|不行|不(?:在|会|能|符合)")
_DONE = "办|拿|交|缴|住|登|登记|领|做|结|签|买|备案|取|弄|开|准备|查|评"
_YES = re.compile(
    "^(?:嗯|对|是|有|都|也|已经|早就|早|当然|肯定|刚刚|刚|我们?|他|她)*"
    f"(?:对|是|有|满了|够了|会|能|符合|在这|在临江|(?:{_DONE})(?:好|过|到|全|齐|了|完|满|的)+)"
)
_REACHED = re.compile("^(?:嗯|对|是|有|都|已经|早就|早|肯定|刚刚|刚)*(?:满|够|到|超过?)[了的]")
_NOT_REACHED = re.compile("(?:还|没|不)[^，]{0,2}(?:满|够|到)")


def answer_to(condition: Condition, text: str, *, asked: bool, today: date) -> str | None:
    """What `text` answers to the condition's question, None where that is not plain.

    Where it was not `asked`, only what the words say by themselves counts: a mere yes does not.
    """
    said = strip_fillers(text)
    if condition.kind == "choice":
        found = _chosen(condition, said)
    elif condition.kind == "yes_no":
        found = _yes_or_no(condition, said, asked=asked)
    else:
        found = _number(condition, said, asked=asked, today=today)
    does_not_know = asked and found is None and _NOT_KNOWN.search(said)
    return UNKNOWN if does_not_know else found


def _named(words: Iterable[str], said: str) -> str:
    """The longest of the words that is said and not denied; "" where none is."""
    named = [""]
    for word in words:
        before, found, _ = said.partition(word)
        if says(said, word) and not (found and _DENIED.search(before)):
            named.append(word)
    return max(named, key=len)


def _chosen(condition: Condition, said: str) -> str | None:
    named = {choice: _named((choice, *words), said) for choice, words in condition.choices.items()}
    longest = max(named.values(), key=len)
    # 自己的店 names no 自己; but who names two things has not chosen.
    best = [choice for choice, word in named.items() if word and not (word != longest and word in longest)]
    return best[0] if len(best) == 1 else None


def _yes_or_no(condition: Condition, said: str, *, asked: bool) -> str | None:
    yes, no = _named(condition.means_yes, said), _named(condition.means_no, said)
    if yes or no:
        return "yes" if len(yes) > len(no) else "no"
    if not asked or _NOT_KNOWN.search(said):
        return None
    plain = polarity(said)
    if plain is None and not is_question(said):
        plain = False if _NO.search(said) else True if _YES.search(said) else None
    return None if plain is None else "yes" if plain else "no"


def _number(condition: Condition, said: str, *, asked: bool, today: date) -> str | None:
    cued = (condition.unit == "岁" and "岁" in said) or any(says(said, cue) for cue in condition.cues)
    if not (asked or cued):
        return None
    span = span_in(said, condition.unit, today, bare=asked)
    if asked and (span is None or condition.unit == "岁"):
        span = span_in(by_sound(said), condition.unit, today, bare=True) or span or _reached(condition, said)
    if span is None:
        return None
    low, high = span
    told = str(low) if low == high else f"{low}-{high}"
    return None if meets(condition.needs, told) is None else told


def _reached(condition: Condition, said: str) -> spoken_numbers.Span | None:
    """满了 and 还没到, in answer to a question for a number that must be reached."""
    needed = condition.needs.min if isinstance(condition.needs, Span) else None
    if needed is None:
        return None
    if _NOT_REACHED.search(said):
        return needed - 1, needed - 1
    return (needed, needed) if _REACHED.search(said) else None
