"""Cutting streamed text into clauses."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from tts.clauses import clauses, split_clauses

pytestmark = [pytest.mark.unit]

TEXTS = [
    "您好，这里是12345热线。请问有什么可以帮您？",
    "好的。社保卡丢失后，请带身份证到就近的社保网点挂失，补办需要5个工作日，工本费1,200.50元；也可以在网上办理。",
    "办公时间是8:30-17:00，中午不休息，8：30：00开门。电话0571-88888888，网址www.12345.gov.cn。",
    "“您说得对。”他说。（完）",
    "没有标点的一段很长的话" * 12,
    "abcdefghij" * 30,
    "一、身份证；二、户口本；三、照片两张。\n请带原件！",
    "3.",
    "……",
    "",
]


async def _stream(text: str, cuts: random.Random) -> AsyncIterator[str]:
    while text:
        size = cuts.randint(1, 5)
        yield text[:size]
        text = text[size:]


@pytest.mark.anyio
@pytest.mark.parametrize("text", TEXTS)
async def test_the_cut_does_not_depend_on_the_stream(text: str) -> None:
    for seed in range(20):
        streamed = [clause async for clause in clauses(_stream(text, random.Random(seed)))]
        assert streamed == split_clauses(text)


@pytest.mark.parametrize("text", TEXTS[:-2])
def test_nothing_is_lost(text: str) -> None:
    joined = "".join(split_clauses(text))
    assert text.startswith(joined)
    assert not any(char.isalnum() for char in text[len(joined) :])


def test_the_first_clause_is_short_and_the_later_ones_longer() -> None:
    assert split_clauses(TEXTS[1]) == [
        "好的。",
        "社保卡丢失后，请带身份证到就近的社保网点挂失，",
        "补办需要5个工作日，工本费1,200.50元；",
        "也可以在网上办理。",
    ]


def test_numbers_and_times_are_never_cut() -> None:
    assert split_clauses(TEXTS[2])[0] == "办公时间是8:30-17:00，"
    assert split_clauses("共1,200.50元，好吗？")[0] == "共1,200.50元，"
    assert split_clauses("你好：8：30，9：00都可以。") == ["你好：", "8：30，9：00都可以。"]


def test_text_without_marks_is_cut_before_it_grows_too_long() -> None:
    assert max(map(len, split_clauses(TEXTS[4]))) <= 61
    assert split_clauses("号码" + "1" * 200) == ["号码" + "1" * 200]


def test_what_cannot_be_spoken_gives_no_clause() -> None:
    assert split_clauses("……") == []
    assert split_clauses("\n。，") == []


@pytest.mark.anyio
async def test_a_clause_is_out_as_soon_as_its_mark_has_come() -> None:
    async def endless() -> AsyncIterator[str]:
        yield "您好，"
        raise AssertionError("asked for more text before the first clause was out")

    stream = clauses(endless())
    assert await anext(stream) == "您好，"
