"""Places of the city: the gazetteer, a plain YAML file beside this one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dialog.taxonomy import Taxonomy, load_taxonomy
from dialog.words import clean, find_sounds, sounds, spelled

__all__ = ["Gazetteer", "Taxonomy", "load_gazetteer", "load_taxonomy"]

_HERE = Path(__file__).parent
# What may follow a street or community in an address: numbers, buildings, floors, rooms, and where exactly.
_TAIL = re.compile(
    r"^(?:和|与|跟)?(?:[0-9零〇一二三四五六七八九十百千幺两]+(?:号|弄|栋|幢|座|楼|单元|层|室|区|期|巷|门)?|"
    r"号|院|楼下|楼|单元|室|[东西南北]门口?|门口|门前|大门|路口|交叉口|附近|旁边|对面|楼下|后面|前面|里面|这边|边上|"
    r"东侧|西侧|南侧|北侧|的)+"
)
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


def load_gazetteer(path: Path = _HERE / "gazetteer.yaml") -> Gazetteer:
    """The city's places from `path`; raises OSError or yaml.YAMLError where it cannot be read."""
    return Gazetteer(yaml.safe_load(path.read_text(encoding="utf-8")))
