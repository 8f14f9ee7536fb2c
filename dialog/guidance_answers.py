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

SHORT_CHARS = 12  # of a longer sentence only its beginning counts, or words that name the answer
LONG_CHARS = 20  # and of a still longer one only words that name what was asked
MAX_AGE = 130
_OF_AGE = ("岁", "今年", "年纪", "年龄", "出生", "年生", "生的")

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
# How a longer sentence begins that is a yes or a no.
_YES_AND = re.compile("^(?:嗯|哎)*(?:对(?!面|方|象|门|于|比)|是的|是啊|有的|没错)")
_NO_AND = re.compile(
    "^(?:嗯|哎|我|他|她|孩子|老人|都|也|从来|现在|目前)*(?:还没|没有|没(?!错|问题|关系|事)|不是)"
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
    does_not_know = asked and found is None and len(said) <= LONG_CHARS and _NOT_KNOWN.search(said)
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
    named_yes, named_no = _named(condition.means_yes, said), _named(condition.means_no, said)
    if named_yes or named_no:
        return "yes" if len(named_yes) > len(named_no) else "no"
    if not asked or _NOT_KNOWN.search(said):
        return None
    plain = polarity(said)
    if plain is None and not is_question(said):
        short = len(said) <= SHORT_CHARS
        no, yes = (_NO, _YES) if short else (_NO_AND, _YES_AND)
        plain = False if no.search(said) else True if yes.search(said) else None
    return None if plain is None else "yes" if plain else "no"


def _number(condition: Condition, said: str, *, asked: bool, today: date) -> str | None:
    unit = condition.unit
    cues = (*condition.cues, *(_OF_AGE if asked else ("岁",))) if unit == "岁" else condition.cues
    cued = any(says(said, cue) for cue in cues)
    if not cued and (not asked or len(said) > LONG_CHARS):
        return None
    bare = asked and (cued or len(said) <= SHORT_CHARS)
    span = span_in(said, unit, today, bare=bare)
    if asked and (span is None or unit == "岁"):
        span = span_in(by_sound(said), unit, today, bare=True) or span or _reached(condition, said)
    if span and unit == "岁" and span[1] > MAX_AGE:
        return None
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
