"""Names of firms and offices that callers tell in passing: 夕阳红养老院的护工, 在速易贷上借的.

What kind of business it is ends a name, and tells one from all else that is said; which words do so, and
which end a name to its left, is data (businesses.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from dialog.yaml_text import read_yaml

_HERE = Path(__file__).parent
LONGEST = 10  # characters of a name before its kind
LEAST, MOST = 2, 6  # characters of a name that are not general words
MOST_WIDE = 4  # characters of a name that holds a word which ends others: 好再来

_COUNTED = "[一二两三四五六七八九十几半百千万]+(?:多|来)?[部台趟次回车吨辆块条张件套份月年天岁遍样种点栋层]"
_PLACE = re.compile("[路巷道村镇乡区市县]$")
_POINTED = (
    "，上?的|，(?=[那有]?[个家])(?:有)?[个家]?|那个|那家|这家|一家|有家|有个|店叫|名叫|叫做|在|去|到|找|跟|从"
)
# 有个叫快修侠的，, 我网贷借的，叫及时雨，, but not 叫人来修.
_CALLED = re.compile(
    "(?:有一?个|有一?家|一个|一家|那个|那家|这个|这家|店名?|牌子|平台|公司|软件|，)(?:名字)?(?:叫做?|名叫)(?:个|什么)?"
    "(?P<name>[^，来去修管拖走开停赔退处理派人你我他她它们给警察城管物业交警老板了不没把]{2,6}?)的?(?=，|$)"
)
_OPENS = re.compile("^|在|给|跟|从|被|向|找|去|到|那个|这个|那家|这家|一家|，")
_NO_NAME = re.compile("[了的我你他她它们不没是要说就都还又也着过吗呢吧啊个]")


class _Words(NamedTuple):
    kind: re.Pattern[str]  # kinds at the end of a name, as many as follow one another
    before: re.Pattern[str]  # what ends a name to its left
    where: re.Pattern[str]
    general: re.Pattern[str]
    trade: re.Pattern[str]  # general words at the end of a name
    beside: re.Pattern[str]
    called: re.Pattern[str]
    no_firm: re.Pattern[str]  # what is in no name of a firm that tells no kind
    sign: re.Pattern[str]  # a name as it stands over a door, after what points to it
    dealt: re.Pattern[str]  # a name of any kind, and what one does with a firm


@lru_cache(maxsize=1)
def _words() -> _Words:
    data = cast("dict[str, list[str]]", read_yaml((_HERE / "businesses.yaml").read_text(encoding="utf-8")))
    kind, whole, before, where, general, beside = (
        _any(data[name]) for name in ("kinds", "whole", "before", "where", "general", "beside")
    )
    return _Words(
        kind=re.compile(f"(?:{kind})+"),
        before=re.compile(f"(?:{whole})|(?P<end>{before}|{_COUNTED}|[，0-9])"),
        where=re.compile(f"(?:{where})*"),
        general=re.compile(f"(?:{where}|{general}|{kind})*"),
        trade=re.compile(f"(?<=.{{2}})(?:{general})$"),
        beside=re.compile(beside),
        called=re.compile(
            f"(?:叫做?|名叫|叫个)(?P<name>[^，的了我你他]{{2,8}}?)的(?:那家|那个|这家|{general})?(?:{kind})"
        ),
        no_firm=re.compile(
            f"{_any(data['no_firm'])}|[一二三四五六七八九十几]楼|^(?:{where}|{general}|{kind}|{_any(data['signs'])})*$"
        ),
        sign=re.compile(
            f"(?:{_POINTED})(?P<name>(?P<own>[^，]{{1,3}}?)(?:{_any(data['signs'])}))(?!{_any(data['inside'])})"
        ),
        dealt=re.compile(
            f"(?:在|从|跟|找|去|到)(?P<name>(?P<own>[^，]{{3,6}}?))(?:那里|那儿|那边)?(?=(?:{_any(data['deeds'])})(?:了|的|过|个|一))"
        ),
    )


def _any(words: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def find_business(text: str) -> str:
    """The first firm or office that `text`, without its place and time, names; "" where it names none."""
    words = _words()
    named = [
        m["name"]
        for form in (words.called, _CALLED)
        for m in form.finditer(text)
        if not words.general.fullmatch(m["name"])
    ]
    return next(iter((*named, *_by_kind(text, words), *_by_deed(text, words))), "")


def kind_of(name: str) -> str:
    """What kind of business `name` says it is (旅行社), "" where it says none."""
    found = [m.group() for m in _words().kind.finditer(name) if m.end() == len(name)]
    return found[-1] if found else ""


def _by_kind(text: str, words: _Words) -> Iterator[str]:
    """Names that end with what kind of business it is."""
    begin = 0
    for kind in words.kind.finditer(text):
        before = text[max(begin, kind.start() - LONGEST) : kind.start()]
        name = _name(before, words) or _wide_name(before, words)
        if name and not words.beside.match(text, kind.end()):
            begin = kind.end()
            yield name + kind.group()


def _by_deed(text: str, words: _Words) -> Iterator[str]:
    """Names that tell no kind, by what points to them (那个仁和堂) or is done there (在阳光假日报了团)."""
    for form in (words.sign, words.dealt):
        for found in form.finditer(text):
            name = found["name"]
            own = found["own"]
            ended = any(m["end"] for m in words.before.finditer(own)) or _NO_NAME.search(own)
            if not (ended or words.no_firm.search(name) or _PLACE.search(name)):
                yield name


def _name(before: str, words: _Words) -> str:
    """What of the words `before` a kind is a name, "" where nothing is."""
    ends = [m.end() for m in words.before.finditer(before) if m["end"]]
    name = before[ends[-1] :] if ends else before
    where = words.where.match(name)
    name = name[where.end() :] if where else name
    rest = words.general.match(name)
    told = len(words.trade.sub("", name)) - (rest.end() if rest else 0)
    told += 1 if told and told == len(name) - 1 else 0  # 大众, 老李
    return name if LEAST <= told <= MOST and not _PLACE.search(name) else ""


def _wide_name(before: str, words: _Words) -> str:
    """A short name between a preposition and a kind, though it holds what ends other names: 在好再来足浴."""
    begin = max(m.end() for m in _OPENS.finditer(before))
    name = before[begin:]
    ends = [m["end"] for m in words.before.finditer(name) if m["end"]]
    plain = all(len(end) == 1 for end in ends) and not _NO_NAME.search(name)
    fits = LEAST < len(name) <= MOST_WIDE and begin > 0
    return name if ends and plain and fits and not words.general.fullmatch(name) else ""
