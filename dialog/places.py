"""Places of the city: the gazetteer, a plain YAML file beside this one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dialog.taxonomy import Taxonomy, load_taxonomy
from dialog.words import clean, find_sounds, readings_of, sounds, spelled
from dialog.yaml_text import read_yaml

__all__ = ["Gazetteer", "Taxonomy", "load_gazetteer", "load_taxonomy"]

_HERE = Path(__file__).parent
_NUMBER = "[0-9零〇一二三四五六七八九十百千幺两]+"
_DIGIT = "[0-9零〇一二三四五六七八九幺]"
_UNIT = "号院?|弄|栋|幢|座|楼|单元|层|室|区|期|巷|门|组|队|排|户"
# What may follow a street or community in an address: numbers, buildings, floors, rooms, and where exactly.
_TAIL = re.compile(
    rf"^(?:和|与|跟|到|至)?(?:(?:第|负|地下)?{_NUMBER}(?:{_UNIT})(?:(?:到|至|和){_NUMBER}(?:{_UNIT}))?|"
    rf"{_NUMBER}(?:到|至){_NUMBER}(?:{_UNIT})|{_DIGIT}{{3,4}}(?!号)|"
    r"[a-z](?:座|栋|区|幢)|号|院|小区|楼下|楼[上顶](?!的|邻居|有|那|住|一)|楼(?!上|顶)|单元|室|"
    r"[东西南北]+(?:门|侧|边|面|头|角)?口?|门口|"
    rf"门前|大门|正门|后门|路口|交叉口|附近|往[东西南北]{_NUMBER}米|"
    r"旁边|对面|楼下|后面|前面|后头|前头|里面|外面|下面|中间|这边|边上|右手边|左手边|[东西南北]侧|"
    r"(?:第[一二三四五六七八九十]+)?[小中大]学|幼儿园|菜市场|农贸市场|"
    r"市场|超市|银行|公交站|地铁[站口]|站台|站|地下车库|车库|高架桥|立交桥|天桥|桥|步行街|家属院|大院|急诊|"
    r"门诊|[出入]口|[那这]一段|一带|湖边|"
    r"的(?!人|饭店|店|车|那)|里头|里)+"
)
_TAIL_END = re.compile(r"(?:的|这边|那边|那里|那儿|里|和|与|跟|到|至|第)+$")
_LEAD = re.compile("^(?:地址|地点|位置|地方|家里|我家|我们家)?(?:就)?(?:是|在|叫|住在|位于)+")
_ANSWER_LEAD = re.compile(
    "^(?:嗯|哦|就|那个|应该|大概|好像|地址|地点|位置|地方|具体|我家里?|我们家?|我|他们?|店|公司|单位|工厂|"
    "厂|发生|事情|家里)*"
    "(?:就是|就在|是|在|叫|住在|住|位于)+(?:那个)?|^(?:嗯|哦|就那个|那个|就)"
)
# Said beside the place: that the caller does not know it exactly.
_NOT_EXACTLY = re.compile(
    "(?:具体|哪|几|门牌)?(?:几?号|位置|地址|地方)?(?:具体)?(?:几号)?(?:我|就)?(?:也|真|都|倒)?(?:说不上来|"
    "不太?(?:知道|清楚|晓得)|"
    "记不(?:清|得|住)了?|忘了)"
)
# What an answer to 在什么地方 may end with, after the last known name.
_WHERE = re.compile(
    "(?:[店厂站口场院校库处侧段前后厅室馆行河桥村沟渠坡山塔房屋吧城苑园路街巷道里边上下楼]|旁边|对面|附近|"
    "地方|交界|"
    "超市|市场|工地|中间|隔壁|平房|学校|方向|大楼)$"
)
# In what follows a known name: that it tells something else than where.
_NO_PLACE = re.compile(
    "[我你他她是了不没吗呢吧啊姓叫有说看想都天月点时候]|电话|以前|以后|早上|晚上|上午|下午|半夜|夜里|刚才"
)
_POINTING = re.compile("就在|就是|(?<=区)的(?=[一-鿿])")
_TWICE = re.compile("(?P<name>[一-鿿]{3,6})(?P=name)")  # 幸福路，幸福路一百二十号
_LYING_IN = re.compile("(?:就|是|位于|在)+$")
_REPAIR = re.compile("(?:不对|哦不|说错了|错了|不是)(?:应该)?是?")
_REST = 12  # characters after the last known name that may belong to the place
# Names that the gazetteer has not: they must not hold words that only point (这条路, 我们小区).
_POINTS = (
    ""
    "家在我们你他她人这那哪的了是有到把被和跟与条个走过马公铁道上下每各整全同该本某大小旁隔对附楼投诉反映举报修叫从往去来车都也还说里外前后东西南北到处边天"
)
_FUNCTION = (
    ""
    "在我们你他她这那哪的了是有到把被和跟与条个从往去来都也还说投诉反映举报住马公铁0-9零〇一二三四五六七八九十"
)
_UNKNOWN = re.compile(
    rf"(?<!姓)[^{_FUNCTION}姓]{{1,3}}(?:大道|路|街|巷|胡同|弄)(?={_NUMBER}号)|"
    rf"[^{_POINTS}0-9零〇一二三四五六七八九十]{{2,4}}(?:小区|花园|家园|公寓|大厦|新村|雅苑|名苑|佳苑|嘉园|"
    rf"工业园|产业园)|"
    rf"(?<=[区镇乡县市])[一-鿿]{{1,3}}[村镇乡庄](?=$|{_NUMBER}[组队社号])|"
    rf"(?<=[一-鿿]{{2}}[区县])(?!农村|城镇|乡村|新农村|[全各某])[^{_FUNCTION}里外让找给]{{1,3}}[村镇乡庄]|"
    rf"[^{_FUNCTION}村]{{1,3}}村(?={_NUMBER}[组队社])"
)
_NOT_NAMES = re.compile(
    "老旧|老小区|附近|隔壁|旁边|高档|新建|一些|很多|好多|安置|回迁|住宅|商业|单身|人才|青年|物业|业主|"
    "自己|咱们?|进不|回不|出不|长租|短租|出租|廉租|公租|酒店式"
)
_STREET = re.compile(rf"(?P<street>[^{_FUNCTION}面边]{{1,4}}?(?:大道|路|街|巷|胡同|弄))")
_IS_STREET = re.compile("(?:大道|路|街|巷|胡同|弄)$")
_HOUSE = re.compile(rf"^{_NUMBER}号(?!线|楼(?![下上顶道里])|栋|院?(?:到|至|和))")

_PAUSE = re.compile("[，。；！？,;!?]")
# Where somebody is treated is not where it was: 有两个现在在儿童医院输液.
_TREATED = re.compile(
    "^[一-鿿]{0,8}医院(?:里|急诊)?(?:现在|正|还|正在|已经)*(?:输液|住院|住着|住了|打针|打吊针|抢救|躺|缝|包扎|吸氧|挂水|吊水|治|观察|急救)"
)
# Between two names of one address: 滨河路靠近滨江公园.
_BETWEEN = re.compile(
    "(?:的|和|与|跟|靠近|靠|挨着|紧挨着?|临近|快到|上的?|边上的?|旁边的?|对面的?)?(?:那个|那边|这边)?"
)


# After what only sounds like a name: 大货车占着车道 names no 火车站.
_GOES_ON = "着了满过用住道据"


class Parts(NamedTuple):
    """What a place consists of, "" where not known: 江南区, 人民东路18号, 人民广场."""

    district: str = ""
    street: str = ""
    landmark: str = ""


class Gazetteer:
    """Knows the city's districts, streets, communities and landmarks, by their sound."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._aliases = {alias for parts in data["districts"].values() for alias in parts.get("aliases", ())}
        names = {*data["districts"], *self._aliases}
        self._districts = {name: name for name in data["districts"]}
        self._within: dict[str, set[str]] = {}
        self._landmarks: set[str] = set()
        for district, parts in data["districts"].items():
            self._districts |= {alias: district for alias in parts.get("aliases", ())}
            self._landmarks.update(parts.get("landmarks", ()), parts.get("communities", ()))
            for kind in ("streets", "communities", "landmarks"):
                names.update(parts.get(kind, ()))
                for name in parts.get(kind, ()):
                    self._within.setdefault(name, set()).add(district)
        # Longest first, so that 人民东路 is not taken for 人民路, nor 江北区 for 江北.
        longest_first = sorted(names, key=lambda n: (-len(n), n))
        self._sounds = [(name, reading) for name in longest_first for reading in _readings(name)]
        self._many_readings = [
            (name, sounds(name), at)
            for name in longest_first
            for at, char in enumerate(name)
            if len(name) >= 3 and len(readings_of(char)) > 1
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """All names in full, as they are spelled, the longest first."""
        return tuple(dict.fromkeys(name for name, _ in self._sounds if name not in self._aliases))

    def find(self, text: str) -> str:
        """The address said in `text`, spelled as the gazetteer spells it; "" where no known place is."""
        pauses = _pauses(text)
        text, spans = self._spell(clean(text))
        # 我是个老教师，小区广场上 names no 老教师小区.
        spans = [(start, end) for start, end in spans if not pauses.intersection(range(start + 1, end))]
        chains = [
            chain
            for chain in _chains(text, spans)
            if not _TREATED.search(text[slice(*chain)] + text[chain[1] :])
        ]
        if not chains:
            return ""
        # 江北区 is passed over where a street is named elsewhere.
        start, end = max(chains, key=lambda chain: (not self._is_vague(text[slice(*chain)]), -chain[0]))
        found = _TAIL_END.sub("", text[start:end])
        # A bare 江北 in a sentence is too little to be the place of something.
        return "" if found in self._aliases else found

    def answered(self, text: str) -> str:
        """The place that `text`, an answer to 在什么地方, tells; "" where it tells none."""
        text = _NOT_EXACTLY.sub("", clean(text))
        text, spans = self._spell(text)
        if not spans:
            told = _ANSWER_LEAD.sub("", text)
            return told if len(told) >= 3 else ""
        chains = _chains(text, spans)
        repaired = _REPAIR.search(text)
        if repaired and chains[-1][0] >= repaired.end():  # 科技小区，不对，是创业公寓
            chains = [chain for chain in chains if chain[0] >= repaired.end()]
        start, end = chains[0][0], chains[-1][1]
        rest = text[end:]
        tells_where = _WHERE.search(rest) or self._is_vague(text[start:end]) or not _NO_PLACE.search(rest)
        if rest and len(rest) <= _REST and tells_where:
            end = len(text)
        lead = "" if repaired else _ANSWER_LEAD.sub("", text[:start])
        lead = _LYING_IN.sub("", lead)  # 夕阳红养老院，在光明路
        place = _POINTING.sub("", text[start:end])
        if _WHERE.search(lead) and not lead.startswith(("我", "他", "你")):
            place = lead + place
        return _TAIL_END.sub("", _TWICE.sub(r"\1", place))

    def parts(self, place: str) -> Parts:
        """District, street with its number, and landmark of a place; the district also where only the city's
        list tells it."""
        text, spans = self._spell(clean(place))
        names = [text[start:end] for start, end in spans]
        districts = [self._districts[name] for name in names if name in self._districts]
        known = [self._within[name] for name in names if len(self._within.get(name, ())) == 1]
        district = next(iter(districts), "") or next((next(iter(owner)) for owner in known), "")
        landmark = next((name for name in names if name in self._landmarks), "")
        street, at = "", 0
        for start, end in spans:
            if text[start:end] not in self._within or text[start:end] in self._landmarks:
                continue
            if _IS_STREET.search(text[start:end]):
                street, at = text[start:end], end
                break
        begin = len(districts[0]) if districts and text.startswith(districts[0]) else 0
        if not street and (unknown := _STREET.match(text, begin)):
            street, at = unknown["street"], unknown.end()
        number = _HOUSE.match(text[at:]) if street else None
        return Parts(district, street + (number.group() if number else ""), landmark)

    def is_vague(self, place: str) -> bool:
        """Whether a place names a district and nothing more, which is too little to send somebody to."""
        return self._is_vague(clean(place))

    def is_bare_street(self, place: str) -> bool:
        """Whether a place names a street, and not where on it."""
        text, spans = self._spell(clean(place))
        return bool(spans) and spans[-1][1] == len(text) and bool(_IS_STREET.search(text[slice(*spans[-1])]))

    def _is_vague(self, place: str) -> bool:
        rest = place
        for name in self._districts:
            rest = rest.replace(name, "")
        return len(rest) < 2 or (len(place) <= 3 and place.endswith(("区", "县")))

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
            if f" {' '.join(sound)} " not in heard_spelled:
                continue
            at = -1
            while (at := find_sounds(sound, heard, at + 1)) >= 0:
                end = at + len(sound)
                exact = text[at:end] == name
                goes_on = text[end - 1] != name[-1] and text[end : end + 1] in tuple(_GOES_ON)
                if any(taken[at:end]) or (not exact and (len(name) < 3 or goes_on)):
                    continue
                text = text[:at] + name + text[end:]
                taken[at:end] = [True] * len(sound)
                spans.append((at, end))
        for name, at in _in_other_readings(self._many_readings, text, heard):
            if not any(taken[at : at + len(name)]):
                text = text[:at] + name + text[at + len(name) :]
                taken[at : at + len(name)] = [True] * len(name)
                spans.append((at, at + len(name)))
        for found in _UNKNOWN.finditer(text):
            if not any(taken[slice(*found.span())]) and not _NOT_NAMES.search(found.group()):
                spans.append(found.span())
        return text, sorted(spans)


def _readings(name: str) -> set[tuple[str, ...]]:
    """How a name sounds by itself and among other words, which may differ: 朝阳路 and 在朝阳路."""
    return {sounds(name), sounds(f"在{name}")[1:]}


def _in_other_readings(
    names: Iterable[tuple[str, tuple[str, ...], int]], text: str, heard: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """Names that `text` says, and where; each comes with its sound and where a character of many readings is.

    长姜路 says 长江路, though its 长 is read otherwise there. The last character must have been heard right.
    """
    for name, sound, at in names:
        start = text.find(name[at]) - at
        end = start + len(name)
        if start < 0 or end > len(text) or text[end - 1] != name[-1]:
            continue
        same = zip(name, sound, text[start:end], heard[start:end], strict=True)
        if all(char == said or syllable == as_heard for char, syllable, said, as_heard in same):
            yield name, start


def _pauses(text: str) -> set[int]:
    """Where in the cleaned `text` the caller paused."""
    return {len(clean(text[: pause.start()])) for pause in _PAUSE.finditer(text)}


def _chains(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Names that stand together in `text`, with all that belongs to their address: from where to where."""
    chains: list[tuple[int, int]] = []
    for start, end in spans:
        tail = _TAIL.match(text[end:])
        if chains and _BETWEEN.fullmatch(text[chains[-1][1] : start]):
            chains[-1] = (chains[-1][0], end + (tail.end() if tail else 0))
        else:
            chains.append((start, end + (tail.end() if tail else 0)))
    return chains


def load_gazetteer(path: Path = _HERE / "gazetteer.yaml") -> Gazetteer:
    """The city's places from `path`; raises OSError or yaml.YAMLError where it cannot be read."""
    return _gazetteer(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)  # several parts of the program ask for the same
def _gazetteer(text: str) -> Gazetteer:
    return Gazetteer(read_yaml(text))
