"""From toned pinyin to the model's phones: initials and toned finals, and their copies by place in the word.

Each network output ("pdf") is a phone; output 0 is CTC's blank. The graph uses copies of the phones that tell
where in a word they stand (Kaldi's word-boundary marks), all sharing the phone's output.
"""

from __future__ import annotations

import re

# fmt: off
INITIALS = (
    "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "zh", "ch", "sh", "r",
    "z", "c", "s", "^",  # none: with it every syllable is two phones, and a phone never follows itself
)
FINALS = (
    "a", "o", "e", "ai", "ei", "ao", "ou", "an", "en", "ang", "eng", "er", "ong",
    "i", "ii", "iii", "ia", "ie", "iao", "iou", "ian", "in", "iang", "ing", "iong",
    "u", "ua", "uo", "uai", "uei", "uan", "uen", "uang", "ueng", "v", "ve", "van", "vn",
)
# fmt: on
TONES = "12345"
BLANK = 0
PHONES = ("<blank>", *INITIALS, *(final + tone for final in FINALS for tone in TONES))
PDF_OF = {phone: pdf for pdf, phone in enumerate(PHONES)}

SILENCE = "SIL"  # shares the blank's output
PLACED = (
    SILENCE,
    *(initial + place for initial in INITIALS for place in ("_B", "_I")),
    *(phone + place for phone in PHONES[1 + len(INITIALS) :] for place in ("_I", "_E")),
)
ID_OF = {phone: number for number, phone in enumerate(PLACED, 1)}  # Kaldi counts phones from 1
BOUNDARY = {"B": "begin", "I": "internal", "E": "end"}

_WITHOUT_INITIAL = {
    **{"yi": "i", "ya": "ia", "ye": "ie", "yao": "iao", "you": "iou", "yan": "ian", "yin": "in", "yo": "o"},
    **{"yang": "iang", "ying": "ing", "yong": "iong", "wu": "u", "wa": "ua", "wo": "uo", "wai": "uai"},
    **{"wei": "uei", "wan": "uan", "wen": "uen", "wang": "uang", "weng": "ueng"},
    **{"yu": "v", "yue": "ve", "yuan": "van", "yun": "vn"},
    **{"n": "en", "ng": "en", "m": "en", "hm": "eng", "hng": "eng", "r": "er", "ê": "ei", "eh": "ei"},
}
_FULL = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve"}
_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcs])?([a-zê]+?)([1-5])")


def pdf_of(placed: str) -> int:
    """The network output of a placed phone."""
    return BLANK if placed == SILENCE else PDF_OF[placed[:-2]]


def syllable_phones(syllable: str) -> tuple[str, str]:
    """A tone-numbered pinyin syllable ("zhong1", "lv4") as initial and toned final.

    Raises ValueError when it is none.
    """
    plain, tone = syllable[:-1].replace("ü", "v").replace("u:", "v"), syllable[-1:]
    if tone in TONES and plain in _WITHOUT_INITIAL:
        return "^", _WITHOUT_INITIAL[plain] + tone
    match = _SYLLABLE.fullmatch(plain + tone)
    if match is None:
        raise ValueError(f"{syllable!r} is no syllable of toned pinyin such as 'zhong1'")
    initial, final = match.group(1) or "^", match.group(2)
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "v" + final[1:]
    elif final == "i" and initial in ("z", "c", "s"):
        final = "ii"
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        final = "iii"
    final = _FULL.get(final, final)
    if final not in FINALS:
        raise ValueError(f"{syllable!r} is no syllable of toned pinyin such as 'zhong1'")
    return initial, final + tone


def word_phones(syllables: list[str]) -> tuple[str, ...]:
    """A word's syllables as placed phones: its first initial is a beginning, its last final an end."""
    phones = [phone for syllable in syllables for phone in syllable_phones(syllable)]
    places = ["_B", *["_I"] * (len(phones) - 2), "_E"]
    return tuple(phone + place for phone, place in zip(phones, places, strict=True))
