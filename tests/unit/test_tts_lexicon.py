"""Words are cut as jieba cuts them, without loading what it loads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tts import lexicon
from tts.lexicon import TOTAL, Lexicon, open_tokenizer

pytestmark = [pytest.mark.unit]

TEXTS = sorted((Path(__file__).parents[2] / "dialog").glob("**/*.yaml"))
HAN = re.compile("[〇㐀-鿿]+")
SMALL = "AT&T 3 nz\n阿Q 3 nr\n一 5 m\n一心 7 n\n一心一意 9 i\n心 4 n\n意 2 n\n".encode()


@pytest.fixture(scope="module", name="jieba")
def _jieba() -> Any:
    tokenizer = lexicon.jieba.Tokenizer()
    tokenizer.initialize()
    return tokenizer


def test_what_a_word_begins_with_is_known_but_no_word() -> None:
    words = Lexicon(SMALL)
    assert [words.get(word) for word in ("一", "一心", "一心一", "一心一意")] == [5, 7, 0, 9]
    assert "一心一" in words
    assert words["一心一"] == 0


@pytest.mark.parametrize("word", ["一意", "丁", "龙", "心意"])
def test_what_no_word_begins_with_is_not_known(word: str) -> None:
    words = Lexicon(SMALL)
    assert word not in words
    assert words.get(word) is None


def test_every_word_of_the_dictionary_is_as_frequent_as_in_jieba(jieba: Any) -> None:
    words = open_tokenizer().FREQ
    known: Mapping[str, int] = jieba.FREQ
    assert jieba.total == TOTAL
    assert [word for word, count in known.items() if HAN.fullmatch(word) and words.get(word) != count] == []


def test_texts_are_cut_as_jieba_cuts_them(jieba: Any) -> None:
    own = open_tokenizer()
    parts = {part for file in TEXTS for part in HAN.findall(file.read_text(encoding="utf-8"))}
    assert len(parts) > 1000
    assert [part for part in sorted(parts) if list(own.cut(part)) != list(jieba.cut(part))] == []
