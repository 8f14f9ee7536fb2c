"""Whether a clause says the opposite of a passage: 收费 for 不收费, 可以 for 不能, 不用 for 要."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dialog.words import clean

_FREE = re.compile(
    "免费|不(?:用|需要|必|另)?(?:再)?(?:收|交|缴|付|花|要)(?:任何|一分)?(?:取)?(?:费用?|钱)|免收|没有费用|零费用|不收取|无需(?:缴|交|付)费"
)
_CHARGED = re.compile(
    "(?<!不)(?<!免)(?:收取?费|要钱|要收|收取|另收|付费|有偿)|工本费(?!不|免|全免|已经)|要(?:交|缴|付)(?:费|钱)"
)
_NOT = re.compile(
    "不(?:可以|能够?|得(?!已)|予|行(?!$)|准|允许|许|给|支持|受理)|禁止|没法|无法|办不了|报不了|领不了|不行"
)
_MAY = re.compile("(?<!不)可以|(?<![不只才])能(?!够?不)|都行|就行|准许|允许|支持|受理|照样|一样(?:能|可以)")
_NO_NEED = re.compile(
    "不用|不需要|无需|不必|不要求|用不着|免(?:去|于|提交|带|交)|不要(?=带|交|提供|办|预约|本人)|没必要"
)
_NEED = re.compile("需要|必须|一定要|还得|(?<![不只])要(?!是|求|么|不|等|看|素|紧)|务必|应当")
_LIMIT = re.compile("不(?:能|得|可以)?(?:超过|低于|少于|多于|高于|晚于|早于)")
_SHORT = re.compile("(?:是的|对|好的|嗯)?(?:都)?(?:不)?(?:可以|能|行)(?:的|办|办的|报|取|领|申请|办理)?")
_CLAUSE = re.compile("[^。！？；，,!?;\n]+")
LIKE = 0.5  # part of the shorter clause's pairs of characters that makes two clauses speak of the same


@dataclass(frozen=True, slots=True)
class _Family:
    """Words that say yes and no to one thing."""

    yes: re.Pattern[str]
    no: re.Pattern[str]

    def side(self, clause: str) -> bool | None:
        """Whether `clause` says yes or no; None where it says neither."""
        text = _LIMIT.sub("", clause)
        if self.no.search(text):
            return False
        return True if self.yes.search(text) else None

    def rest(self, clause: str) -> str:
        """What the clause says it of."""
        return clean(self.yes.sub("", self.no.sub("", clause)))


_ALLOWED = _Family(_MAY, _NOT)
_NEEDED = _Family(_NEED, _NO_NEED)


def contradicts(clause: str, answer: str) -> bool:
    """Whether `clause` says the opposite of what `answer` says, as far as their words show."""
    clauses = _clauses(answer)
    if any(clean(one) == clean(clause) for one in clauses):
        return False
    if _FREE.search(clause) or _CHARGED.search(clause):
        return _fee_contradicts(clause, clauses)
    if _SHORT.fullmatch(clean(clause)):
        return _short_contradicts(clause, clauses)
    return _no_longer(_ALLOWED, clause, clauses) or _no_longer(_NEEDED, clause, clauses)


def _fee_contradicts(clause: str, clauses: tuple[str, ...]) -> bool:
    """Whether what is said to be free is charged for, or the other way round."""
    free = [one for one in clauses if _FREE.search(one)]
    charged = [one for one in clauses if one not in free and (_CHARGED.search(one) or "元" in one)]
    says_free = bool(_FREE.search(clause))
    same, other = (free, charged) if says_free else (charged, free)
    if not same:
        return says_free or bool(other)
    alike, opposite = (
        max((_likeness(_fee(clause), _fee(one)) for one in of), default=0.0) for of in (same, other)
    )
    return opposite >= LIKE and opposite > alike


def _fee(clause: str) -> str:
    """What a clause says to be free, or charged for."""
    return clean(_CHARGED.sub("", _FREE.sub("", clause)))


def _short_contradicts(clause: str, clauses: tuple[str, ...]) -> bool:
    """Whether a bare 可以 or 不可以 is the opposite of how the answer begins, or of all it says."""
    said, lead = _ALLOWED.side(clause), _ALLOWED.side(clauses[0]) if clauses else None
    if lead is not None:
        return said is not lead
    sides = {_ALLOWED.side(one) for one in clauses}
    return said not in sides if said is False else (False in sides and True not in sides)


def _no_longer(family: _Family, clause: str, clauses: tuple[str, ...]) -> bool:
    side = family.side(clause)
    if side is None:
        return False
    rest = family.rest(clause)
    same = max(
        (_likeness(rest, family.rest(one)) for one in clauses if family.side(one) is side), default=0.0
    )
    other = max(
        (_likeness(rest, family.rest(one)) for one in clauses if family.side(one) is (not side)), default=0.0
    )
    if side:
        plain = max((_likeness(rest, clean(one)) for one in clauses if family.side(one) is None), default=0.0)
        return other >= LIKE and other > max(same, plain)
    # A no is believed only where the answer says no to the same.
    return same < SHARED or other > same


SHARED = 0.2


@lru_cache(maxsize=4096)
def _clauses(answer: str) -> tuple[str, ...]:
    return tuple(_CLAUSE.findall(answer))


def _likeness(one: str, other: str) -> float:
    """How much of the shorter of two texts is in the other, by pairs of characters, 0..1."""
    pairs = [{text[at : at + 2] for at in range(len(text) - 1)} for text in (one, other)]
    fewest = min(map(len, pairs))
    return len(pairs[0] & pairs[1]) / fewest if fewest else 0.0
