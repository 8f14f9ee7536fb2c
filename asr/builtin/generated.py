"""Phrases no one writes down by hand: numbers, dates, names and addresses, as callers say them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_WORDS: dict[str, Sequence[str]] = yaml.safe_load(
    (Path(__file__).parent / "generated.yaml").read_text(encoding="utf-8")
)
_DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Places:
    """A city's names, as they are spoken."""

    districts: Sequence[str] = ()
    streets: Sequence[str] = ()
    communities: Sequence[str] = ()
    landmarks: Sequence[str] = ()

    def names(self) -> list[str]:
        """All of them."""
        return [*self.districts, *self.streets, *self.communities, *self.landmarks]


@dataclass
class Phrases:
    """An endless, reproducible source of phrases about one city's places."""

    places: Places
    dice: random.Random = field(default_factory=lambda: random.Random(12345))

    def __iter__(self) -> Iterator[str]:
        kinds: list[tuple[float, Callable[[], str]]] = [
            (0.2, self.telephone),
            (0.12, self.identifier),
            (0.24, self.address_phrase),
            (0.2, self.name_phrase),
            (0.12, self.time_phrase),
            (0.12, self.amount_phrase),
        ]
        weights, makers = zip(*kinds, strict=True)
        while True:
            yield self.dice.choices(makers, weights)[0]()

    def telephone(self) -> str:
        """A mobile or landline number, whole or in part, digit by digit."""
        mobile = "一" + self.dice.choice("三五七八九") + self._digits(9)
        number = self.dice.choice([mobile, mobile, self._digits(8), self._digits(7), mobile[:3], mobile[-4:]])
        before = ["", "", "", *_WORDS["before_numbers"]]
        after = ["", "", "", "", "", "就是这个号", "对吧"]
        return self.dice.choice(before) + self._said(number) + self.dice.choice(after)

    def identifier(self) -> str:
        """A work order's number, a door number, the last digits of an identity card."""
        before = ["", *_WORDS["before_identifiers"]]
        count = self.dice.choice([3, 4, 4, 6, 6, 8, 8, 10, 12, 18])
        return self.dice.choice(before) + self._said(self._digits(count))

    def address(self) -> str:
        """A place in the city, from the district to the door, some parts left out."""
        pick = self.dice.choice
        ours = self.dice.random() < 0.7
        street = pick((ours and self.places.streets) or _WORDS["streets"])
        community = pick((ours and self.places.communities) or _WORDS["communities"])
        landmark = pick(self.places.landmarks or ["火车站", "市政府"])
        district = pick(self.places.districts or ["江北区"]) if self.dice.random() < 0.4 else ""
        door = f"{self.number(self.dice.randint(1, 399))}号"
        building = f"{self.number(self.dice.randint(1, 30))}{pick(['号楼', '栋', '幢', '号楼'])}"
        unit = f"{self.number(self.dice.randint(1, 6))}单元"
        floor, door_of_floor = self.dice.randint(1, 9), self.dice.randint(1, 9)
        room = self._said(f"{_DIGITS[floor]}零{_DIGITS[door_of_floor]}") + pick(["", "室", "房"])
        where: str = pick(
            [
                street,
                street + door,
                street + door,
                street + community,
                community + building,
                community + building + unit,
                community + building + unit + room,
                street + door + community + building + room,
                landmark + pick(["旁边", "对面", "附近", "门口", "后面"]),
                street + "和" + pick(_WORDS["streets"]) + pick(["路口", "交叉口"]),
                community + pick(["门口", "北门", "南门", "东门", "地下车库", "里面"]),
            ]
        )
        return district + where

    def address_phrase(self) -> str:
        """An address, as an answer or on its own."""
        before = ["", "", "", *_WORDS["before_addresses"]]
        after = ["", "", "", "", "那里", "这边", "附近"]
        return self.dice.choice(before) + self.address() + self.dice.choice(after)

    def name_phrase(self) -> str:
        """A caller's name."""
        surname, given = self._common(_WORDS["surnames"]), self._common(_WORDS["given_names"])
        return self.dice.choice(
            [
                f"我叫{surname}{given}",
                f"我叫{surname}{given}",
                f"我是{surname}{given}",
                f"{surname}{given}",
                f"姓名{surname}{given}",
                f"我姓{surname}",
                f"免贵姓{surname}",
                f"我姓{surname}叫{surname}{given}",
                f"{surname}{self.dice.choice(['先生', '女士', '师傅', '阿姨'])}",
            ]
        )

    def time_phrase(self) -> str:
        """When something happened or happens."""
        pick = self.dice.choice
        day = pick(_WORDS["days"])
        part = pick(["", "早上", "上午", "中午", "下午", "晚上", "夜里", "凌晨", "傍晚"])
        hour = self.number(self.dice.randint(1, 12)) if self.dice.random() < 0.9 else "两"
        minute = pick(["", "", "半", "多", "左右", "一刻", "四十", "二十", "十分"])
        month, day_of_month = self.number(self.dice.randint(1, 12)), self.number(self.dice.randint(1, 31))
        date = f"{month}月{day_of_month}{pick(['号', '日'])}"
        year = pick(["", "", *_WORDS["years"]])
        count = pick(["一", "两", "三", "四", "五", "六", "十", "半", "好几"])
        span = count + pick(["天", "个月", "年", "个小时", "个星期", "周"])
        return pick(
            [
                f"{day}{part}{hour}点{minute}",
                f"{day}{part}",
                f"从{day}{part}开始",
                f"{year}{date}",
                f"大概{part}{hour}点{minute}",
                f"已经{span}了",
                f"有{span}了",
                f"每天{part}{hour}点到{self.number(self.dice.randint(1, 12))}点",
            ]
        )

    def amount_phrase(self) -> str:
        """Money, ages, counts."""
        pick = self.dice.choice
        least, most = pick([(1, 99), (100, 999), (1000, 9999)])
        value = self.dice.randint(least, most)
        if self.dice.random() < 0.15:
            value = value * 10000
        unit = pick(_WORDS["units"])
        before = pick(["", "", *_WORDS["before_amounts"]])
        if self.dice.random() < 0.12:
            return before + f"百分之{self.number(self.dice.randint(1, 99))}"
        return before + self.number(value) + unit

    def number(self, value: int) -> str:
        """A count as it is spoken, below a hundred million: 12 → 十二, 204 → 二百零四."""
        if value >= 10000:
            rest = value % 10000
            tail = "" if not rest else ("零" if rest < 1000 else "") + self.number(rest)
            return ("两" if value // 10000 == 2 else self.number(value // 10000)) + "万" + tail
        text, gap = "", False
        for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit = value // unit % 10
            if digit:
                text += ("零" if gap and text else "") + _DIGITS[digit] + name
            gap = not digit
        return text[1:] if text.startswith("一十") else text or "零"

    def _common(self, words: Sequence[str]) -> str:
        """One of `words`, which stand commonest first, about as often as it is met (Zipf)."""
        return self.dice.choices(words, [1 / (rank + 5) for rank in range(len(words))])[0]

    def _digits(self, count: int) -> str:
        return "".join(self.dice.choice(_DIGITS) for _ in range(count))

    def _said(self, digits: str) -> str:
        return digits.replace("一", "幺") if self.dice.random() < 0.7 else digits
