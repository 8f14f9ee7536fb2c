"""Places and matters of the city: the gazetteer and the taxonomy, both plain YAML beside this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from dialog.words import clean, find_sounds, says, sounds, spelled

_HERE = Path(__file__).parent
# What may follow a street or community in an address: numbers, buildings, floors, rooms, and where exactly.
_TAIL = re.compile(
    r"^(?:和|与|跟)?(?:[0-9零〇一二三四五六七八九十百千幺两]+(?:号|弄|栋|幢|座|楼|单元|层|室|区|期|巷|门)?|"
    r"号|院|楼下|楼|单元|室|[东西南北]门口?|门口|门前|大门|路口|交叉口|附近|旁边|对面|楼下|后面|前面|里面|这边|边上|"
    r"东侧|西侧|南侧|北侧|的)+"
)
# That something is broken, missing or unbearable, whatever it is.
_TROUBLE = re.compile(
    "坏了|不亮|没人管|管不管|漏水|堵了|停了|断了|没有水|没水|没电|受不了|太吵|好吵|很臭|太脏|倒了|失灵"
)
_WISH = re.compile("能不能|可不可以|能否|可以")  # 能不能把暖气停了 asks for what would otherwise be trouble
_TAIL_END = re.compile(r"(?:的|这边)+$")
_LEAD = re.compile("^(?:地址|地点|位置|地方|家里|我家|我们家)?(?:就)?(?:是|在|叫|住在|位于)+")


class Gazetteer:
    """Knows the city's districts, streets, communities and landmarks, by their sound."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._aliases = {alias for parts in data["districts"].values() for alias in parts.get("aliases", ())}
        names = {*data["districts"], *self._aliases}
        for parts in data["districts"].values():
            names.update(*(parts.get(kind, ()) for kind in ("streets", "communities", "landmarks")))
        # Longest first, so that 人民东路 is not taken for 人民路, nor 江北区 for 江北.
        self._sounds = [(name, sounds(name)) for name in sorted(names, key=lambda n: (-len(n), n))]

    @property
    def names(self) -> tuple[str, ...]:
        """All names in full, as they are spelled, the longest first."""
        return tuple(name for name, _ in self._sounds if name not in self._aliases)

    def find(self, text: str) -> str:
        """The address said in `text`, spelled as the gazetteer spells it; "" where no known place is."""
        text, spans = self._spell(clean(text))
        if not spans:
            return ""
        start, end = spans[0]
        for next_start, next_end in spans[1:]:
            gap = text[end:next_start]
            if gap in ("", "的") or _TAIL.fullmatch(gap) or gap in ("和", "与", "跟"):
                end = next_end
        tail = _TAIL.match(text[end:])
        if tail:
            end += tail.end()
        found = _TAIL_END.sub("", text[start:end])
        # A bare 江北 in a sentence is too little to be the place of something.
        return "" if found in self._aliases else found

    def spell(self, text: str) -> str:
        """`text`, an answer to 在什么地方, with known names spelled right and 地址是 taken off."""
        return _LEAD.sub("", self._spell(clean(text))[0])

    def _spell(self, text: str) -> tuple[str, list[tuple[int, int]]]:
        """`text` with every known name spelled right, and where those names are."""
        heard = list(sounds(text))
        taken = [False] * len(text)
        spans = []
        heard_spelled = spelled(text)
        for name, sound in self._sounds:
            if spelled(name) not in heard_spelled:
                continue
            at = -1
            while (at := find_sounds(sound, heard, at + 1)) >= 0:
                end = at + len(sound)
                exact = text[at:end] == name
                if any(taken[at:end]) or (len(name) < 3 and not exact):
                    continue
                text = text[:at] + name + text[end:]
                taken[at:end] = [True] * len(sound)
                spans.append((at, end))
        return text, sorted(spans)


@dataclass(frozen=True, slots=True)
class Category:
    """What a complaint is about and who answers for it."""

    category: str
    department: str
    keywords: tuple[str, ...] = ()
    problem: tuple[str, ...] = ()


class Taxonomy:
    """Sorts a complaint by its words into category, department and urgency."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._categories = [
            Category(c["category"], c["department"], tuple(c["keywords"]), tuple(c.get("problem") or ()))
            for c in data["categories"]
        ]
        self._default = Category(**data["default"])
        self._urgent = tuple(data["urgent"])

    def classify(self, text: str) -> Category:
        """The category whose keywords say most in `text`; the default where none does."""
        return self.find(text) or self._default

    def find(self, text: str) -> Category | None:
        """The category whose keywords say most in `text`, or None where none does."""
        text = clean(text)

        def weight(category: Category) -> int:
            return sum(len(word) for word in category.keywords if says(text, word))

        best = max(self._categories, key=weight)
        return best if weight(best) else None

    def is_problem(self, text: str) -> bool:
        """Whether `text` reports that something is wrong, though nobody said 投诉."""
        text = clean(text)
        named = any(says(text, word) for category in self._categories for word in category.problem)
        trouble = bool(_TROUBLE.search(text)) and not _WISH.search(text)
        return named or (trouble and self.find(text) is not None)

    def urgency(self, text: str) -> Literal["normal", "urgent"]:
        """Whether a work order about `text` can wait; real emergencies never become one."""
        text = clean(text)
        return "urgent" if any(says(text, word) for word in self._urgent) else "normal"


def load_gazetteer(path: Path = _HERE / "gazetteer.yaml") -> Gazetteer:
    """The city's places from `path`; raises OSError or yaml.YAMLError where it cannot be read."""
    return Gazetteer(yaml.safe_load(path.read_text(encoding="utf-8")))


def load_taxonomy(path: Path = _HERE / "taxonomy.yaml") -> Taxonomy:
    """The city's categories from `path`; raises OSError or yaml.YAMLError where it cannot be read."""
    return Taxonomy(yaml.safe_load(path.read_text(encoding="utf-8")))
