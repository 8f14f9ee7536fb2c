"""The questions in a document, each with what stands below: marked (问：… 答：…), asking lines, headings.

A caller listens to an answer: of a section only its first whole sentences become one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dialog.converters import Block

SPOKEN = 160  # characters of a section's answer
ANSWERED = 300  # of an answer that was written to a question
_LONGEST_HEADING = 100
_LONGEST_NUMBERED = 30  # a longer numbered line is a text
_STANDS_ALONE = 8  # characters: a shorter heading says little without the one above it
_FIRST_LINE = 40  # a document's first line, if not longer and no sentence, is its title
_HAN = "一二三四五六七八九十百零〇"
_QUESTION = re.compile(
    rf"(?:【?(?:问题|提问|问)[{_HAN}\d]*】?\s*[:：]|【(?:问题|问)】|[Qq]\d*\s*[:：])\s*(.+)", re.S
)
_ANSWER = re.compile(
    rf"(?:【?(?:答案|答复|回答|回复|答)[{_HAN}\d]*】?\s*[:：]|【(?:答案|回答|答)】|[Aa]\d*\s*[:：])\s*(.*)",
    re.S,
)
_THEN_ANSWER = re.compile(r"\s*(?:【答】|(?<![\w回])(?:答案|答复|回答|答|A)\s*[:：])\s*")
_ASKS = re.compile(r"[？?]$|怎么|怎样|如何|哪里|哪些|哪儿|多少|多久|什么|是否|能否|可否|能不能|吗$")
_ASKING_LINE = re.compile(r"[^。！？!?]{3,59}[？?]")
_NUMBER = re.compile(
    rf"(?:第[{_HAN}\d]+[章节条]|[{_HAN}]+、|[（(][{_HAN}\d]+[)）]|\d{{1,2}}(?:\.\d{{1,2}})*(?:[.、．)）](?!\d)|\s)|[-•·●○■◆*]\s)\s*"
)
# Lines that stand as headings by their numbers, and how deep: below all real headings.
_NUMBERED = (
    (re.compile(rf"第[{_HAN}\d]+章"), 7),
    (re.compile(rf"第[{_HAN}\d]+节"), 8),
    (re.compile(rf"[{_HAN}]+、"), 9),
    (re.compile(rf"[（(][{_HAN}]+[)）]"), 10),
)
_LIST_LEVEL = 9  # from here on a numbered line may be an item of a list
_ARTICLE = re.compile(rf"第([{_HAN}\d]+)条\s*(?:[【（(]([^】）)]{{2,20}})[】）)])?\s*(.+)", re.S)
_ARTICLE_LEVEL = 11
_ENDS = "。！？!?；;，,：:"
_SENTENCE = re.compile(r"[^。！？!?]*[。！？!?]+[”’」』）)]*|[^。！？!?]+$")
_LOOSE_END = re.compile(r"[；;，,、：:]+$")


@dataclass(slots=True)
class Section:
    """A question, or a heading, and the blocks below it; `asked`: written as a question with its answer.

    `heading` is the nearest one, "" if there is none; `place` tells where to look in the file.
    """

    question: str
    asked: bool
    heading: str
    place: str
    level: int = 0  # of a numbered line taken for a heading, else 0
    parts: list[Block] = field(default_factory=list)


def sections(name: str, blocks: Sequence[Block]) -> list[Section]:
    """The sections of a document in their order; `name` is its title if it has none itself."""
    reader = _Reader(name)
    for number, block in enumerate(blocks):
        if number == 0 and _is_title(block):
            block = Block("heading", block.text, 1, block.place)
        reader.take(block)
    return _without_lists(reader.found)


def answer_of(section: Section) -> tuple[str, bool]:
    """What to say of a section, in whole sentences, and whether that is all of it."""
    text = _joined(section.parts)
    most = ANSWERED if section.asked else SPOKEN
    taken = ""
    for sentence in _SENTENCE.findall(text):
        if taken and len(taken) + len(sentence) > most:
            return taken, False
        taken += sentence
    return taken, True


class _Reader:
    """One pass over a document's blocks."""

    def __init__(self, title: str) -> None:
        self.found: list[Section] = []
        self._title = title
        self._headings: list[tuple[int, str]] = []
        self._marked = False  # within 问：… 答：…, where an asking line belongs to the answer

    def take(self, block: Block) -> None:
        text = block.text
        if marked := _QUESTION.fullmatch(text):
            self._marked_question(marked[1], block)
        elif (answer := _ANSWER.fullmatch(text)) and self.found and self.found[-1].asked:
            self._add(Block(block.kind, answer[1], place=block.place))
        elif block.kind == "heading" and len(text) <= _LONGEST_HEADING:
            self._heading(block.level, text, block)
        elif block.kind == "text" and (article := _ARTICLE.fullmatch(text)):
            self._article(article, block)
        elif block.kind == "text" and (level := _numbered_level(text)):
            self._heading(level, text, block, numbered=True)
        elif self._asks(text):
            self._open(self._in_context(_unnumbered(text)), True, block)
        else:
            self._add(block)

    def _asks(self, text: str) -> bool:
        """Whether a line is a question of its own; within a marked answer only a numbered one is."""
        may = not self._marked or _NUMBER.match(text) is not None
        return may and _ASKING_LINE.fullmatch(_unnumbered(text)) is not None

    def _marked_question(self, text: str, block: Block) -> None:
        question, *answers = _THEN_ANSWER.split(text, maxsplit=1)
        self._open(question.strip(), True, block)
        self._marked = True
        for answer in answers:
            self._add(Block(block.kind, answer, place=block.place))

    def _heading(self, level: int, text: str, block: Block, *, numbered: bool = False) -> None:
        words = _unnumbered(text)
        self._headings = [(above, name) for above, name in self._headings if above < level]
        if level == 1 and not self.found:
            self._title = words
        question = words if level == 1 else self._in_context(words)
        self._headings.append((level, words))
        self._open(question, bool(_ASKS.search(words)), block)
        self.found[-1].level = level if numbered else 0

    def _article(self, article: re.Match[str], block: Block) -> None:
        number, caption, text = article.groups()
        self._headings = [(above, name) for above, name in self._headings if above < _ARTICLE_LEVEL]
        self._open(f"{self._title}，{caption or f'第{number}条'}", False, block)
        self.found[-1].heading, self.found[-1].level = f"第{number}条", _ARTICLE_LEVEL
        self._add(Block("text", text, place=block.place))

    def _in_context(self, words: str) -> str:
        above = self._headings[-1][1] if self._headings else self._title
        return words if len(words) >= _STANDS_ALONE else f"{above}，{words}"

    def _open(self, question: str, asked: bool, block: Block) -> None:
        heading = self._headings[-1][1] if self._headings else ""
        self.found.append(Section(question, asked, heading, block.place or heading or question))
        self._marked = False

    def _add(self, block: Block) -> None:
        if not self.found:
            self._open(self._title, False, block)
        if block.text.strip():
            self.found[-1].parts.append(block)


def _is_title(block: Block) -> bool:
    short = block.kind == "text" and len(block.text) <= _FIRST_LINE and block.text[-1] not in _ENDS
    return short and not _QUESTION.fullmatch(block.text) and not _NUMBER.match(block.text)


def _numbered_level(text: str) -> int:
    if len(text) > _LONGEST_NUMBERED or text[-1] in "。；;，,":
        return 0
    return next((level for pattern, level in _NUMBERED if pattern.match(text)), 0)


def _unnumbered(text: str) -> str:
    return _NUMBER.sub("", text, count=1) if _NUMBER.match(text) else text


def _without_lists(found: Sequence[Section]) -> list[Section]:
    """Numbered lines with nothing below them were no headings but a list, of the section above."""
    kept: list[Section] = []
    for section, after in zip(found, [*found[1:], None], strict=True):
        deeper = after is not None and after.level > section.level
        if section.level >= _LIST_LEVEL and not section.parts and not deeper and not section.asked and kept:
            kept[-1].parts.append(Block("item", section.heading))
        else:
            kept.append(section)
    return [section for section in kept if section.parts]


def _joined(parts: Sequence[Block]) -> str:
    """The parts as sentences: paragraphs end in full stops, items of a list in semicolons, but the last."""
    text = ""
    for part in parts:
        words = _unnumbered(part.text.strip())
        listed = part.kind == "item" or words != part.text.strip()
        if not listed and text.endswith(("；", ";")):
            text = f"{text[:-1]}。"
        if words:
            text += words if words[-1] in _ENDS else f"{words}{'；' if listed else '。'}"
    return _LOOSE_END.sub("。", text)
