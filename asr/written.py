"""What was heard, written as a person would write it down: numbers in digits, names as the city spells them.

A recogniser writes numbers as they sound and names it does not know as homophones (人民洞路十八号); the
record, the seat and the work order want 人民东路18号. Only the final is written; partials pass as they are,
since their last number may still grow.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from pypinyin import lazy_pinyin

from asr import Recognizer, Transcript
from asr.numbers_written import number_writer
from asr.pool import HasLoad, Load

# pypinyin takes a list here, though annotated str: one token per character that has no pinyin.
_ONE_BY_ONE = cast("Callable[[str], str]", list)
# What names of streets and housing end with. Other names are words too: 汽车站 sounds like 汽车占.
_SUFFIX = re.compile(
    "(?:路|街|道|巷|弄|胡同|小区|花园|家园|公寓|新村|新城|广场|大厦|[苑园城湾府庭居里村庄桥镇])$"
)
_HOUSE = re.compile("[零〇一幺二三四五六七八九十百0-9]+(?:号|栋|幢|座|弄|巷|期|单元|室|楼)")
_SHORTEST = 3  # syllables of a name that is recognised by its sound


class Writer:
    """Writes one city's texts; holds nothing of them, so one serves all calls and threads."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """`names` are the city's places as they are spelled.

        Streets and housing of three and more syllables are put right where only their sound was heard right;
        of names that sound alike none is. Numerals within any name stay: 第一人民医院.
        """
        names = sorted(set(names), key=lambda name: (-len(name), name))
        self._exact = re.compile("|".join(map(re.escape, names)) or "(?!)")
        self._spelled = _by_sound(names)
        self._sizes = sorted({len(sounds) for sounds in self._spelled}, reverse=True)
        self._write_numbers = number_writer(names)

    def write(self, text: str) -> str:
        """`text` with names put right and numbers in digits; takes a fraction of a millisecond."""
        return self._write_numbers(self.spell(text))

    def spell(self, text: str) -> str:
        """`text` with names put right.

        Their toneless syllables must be those heard. The last character, as in 路 or 小区, must have been
        heard right, or else all others and a house number after it; and the text must not have the name too.
        """
        if not self._sizes or len(text) < self._sizes[-1]:
            return text
        heard = _sounds(text)
        kept = {at for match in self._exact.finditer(text) for at in range(*match.span())}
        for size in self._sizes:
            for at in range(len(text) - size + 1):
                name = self._spelled.get(heard[at : at + size])
                taken = kept.intersection(range(at, at + size))
                if name and name not in text and not taken and _fits(name, text, at):
                    text = text[:at] + name + text[at + size :]
                    kept.update(range(at, at + size))
        return text


class WrittenRecognizer:
    """A recogniser whose finals are written by `writer`; what it heard itself stays in `Transcript.raw`.

    Confidences are the engine's, for the text and for the words; the words' texts are those heard.
    """

    def __init__(self, recognizer: Recognizer, writer: Writer) -> None:
        self.sample_rate = recognizer.sample_rate
        self._recognizer = recognizer
        self._writer = writer

    async def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield the engine's partials, and its final as it is written. Raises AsrError."""
        heard = cast("AsyncGenerator[Transcript, None]", self._recognizer.transcribe(audio))
        async with aclosing(heard):
            async for transcript in heard:
                yield self._written(transcript) if transcript.final else transcript

    def load(self) -> Load:
        """How far behind the engine is; nothing waits where it does not tell."""
        return self._recognizer.load() if isinstance(self._recognizer, HasLoad) else Load()

    async def aclose(self) -> None:
        """Close the engine."""
        await self._recognizer.aclose()

    def _written(self, final: Transcript) -> Transcript:
        text = self._writer.write(final.text)
        return final if text == final.text else replace(final, text=text, raw=final.raw or final.text)


def _sounds(text: str) -> tuple[str, ...]:
    """One toneless syllable per character; what has none stands for itself."""
    return tuple(lazy_pinyin(text, errors=_ONE_BY_ONE))


def _by_sound(names: Iterable[str]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    ambiguous = set()
    for name in names:
        if len(name) >= _SHORTEST and _SUFFIX.search(name):
            sounds = _sounds(name)
            if found.setdefault(sounds, name) != name:
                ambiguous.add(sounds)
    return {sounds: name for sounds, name in found.items() if sounds not in ambiguous}


def _fits(name: str, text: str, at: int) -> bool:
    end = at + len(name)
    if text[end - 1] == name[-1]:
        return True
    return text[at : end - 1] == name[:-1] and _HOUSE.match(text, end) is not None
