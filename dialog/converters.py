"""Documents as blocks of text: Markdown, Word and HTML by their tags, PDF and plain text by their lines."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dialog.passages import KnowledgeError, column_names, decoded, missing_columns, tidy

if TYPE_CHECKING:
    from bs4 import Tag

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WITHIN_TEXT = re.compile(
    r"a|abbr|b|bdi|big|cite|code|del|em|font|i|img|ins|label|mark|q|s|small|span|strong|su[bp]|tt|u|\w+:\w+"
)
_NOT_CONTENT = (
    "script, style, noscript, template, nav, header, footer, aside, form, button, svg, iframe, [hidden]"
)
_HIDDEN = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d])|opacity:0(?![.\d])")
_BOLD_HEADING = 40  # a whole paragraph in bold, not longer than this, is a heading
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
_WORD_STYLES = "\n".join(
    ["p[style-name='Title'] => h1:fresh", "p[style-name='标题'] => h1:fresh"]
    + [f"p[style-name='标题 {level}'] => h{level}:fresh" for level in range(1, 7)]
)
_LONE_HEADING = 15
_WIDEST = 60  # Chinese characters: wider lines were not wrapped to fit a page
_ENDS = "。！？!?；;：:"
_STARTS = re.compile(
    r"第[一二三四五六七八九十百零〇]+[章节条]|[一二三四五六七八九十]+、|[（(][一二三四五六七八九十\d]+[)）]"
    r"|\d{1,2}[.、．)）]|[问答QA]\s*\d*\s*[:：]|[-•·●○■◆*]\s"
)
_ITEM = re.compile(r"\d{1,2}[.、．)）](?!\d)|[（(]\d+[)）]|[-•·●○■◆*]\s")
_PAGE_NUMBER = re.compile(r"[-—\s]*(?:第\s*)?\d+(?:\s*[/／]\s*\d+)?(?:\s*页)?(?:\s*共\s*\d+\s*页)?[-—\s]*")
_EDGE = 2  # lines at the top and bottom of a page that may be its header and footer
_ON_PAGES = 3  # they are if they stand on this many pages, and on half of all


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` from 1, the title, to 6), a paragraph, or an item of a list or row of a table.

    `place` says where it stands, for messages: a page or a line; "" where only headings tell.
    """

    kind: Literal["heading", "text", "item"]
    text: str
    level: int = 0
    place: str = ""


def blocks(file: Path) -> list[Block]:
    """What a document says, in its order. Raises KnowledgeError."""
    convert = CONVERTERS[file.suffix.lower()]
    try:
        found = list(convert(file))
    except KnowledgeError:
        raise
    except Exception as error:  # a broken file breaks a converter in many ways
        detail = " ".join(str(error).split()) or type(error).__name__
        raise KnowledgeError(f"{file}: not readable as {file.suffix}: {detail}") from error
    if not found:
        hint = "; scanned pages need their text recognised (OCR) first" if file.suffix == ".pdf" else ""
        raise KnowledgeError(f"{file}: there is no text in it{hint}")
    return found


def _markdown(file: Path) -> Iterable[Block]:
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", decoded(file).replace("\r\n", "\n"))
    return html_blocks(MarkdownIt("commonmark").enable("table").render(text))


def _html(file: Path) -> Iterable[Block]:
    return html_blocks(decoded(file))


def _word(file: Path) -> Iterable[Block]:
    import mammoth

    with file.open("rb") as stream:
        no_image = mammoth.images.img_element(lambda _image: {"src": ""})
        made = mammoth.convert_to_html(stream, style_map=_WORD_STYLES, convert_image=no_image)
    return html_blocks(made.value)


def html_blocks(html: str) -> Iterator[Block]:
    """The blocks of a page's own text, without navigation and what a reader does not see."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    for tag in page.select(_NOT_CONTENT):
        tag.decompose()
    for tag in page.select("[style]"):
        if not tag.decomposed and _HIDDEN.search(re.sub(r"\s", "", str(tag.get("style")).lower())):
            tag.decompose()
    title = page.title.get_text() if page.title else ""
    mains = page.select("main, article")
    body = mains[0] if len(mains) == 1 else page.body or page
    if title.strip() and not body.find("h1"):
        yield Block("heading", tidy(title), 1)
    yield from _Walk().blocks(body)


class _Walk:
    """One pass over a tree of tags: text runs on until a tag begins or ends a block."""

    def __init__(self) -> None:
        self._run: list[str] = []

    def blocks(self, tag: Tag, kind: Literal["text", "item"] = "text") -> Iterator[Block]:
        from bs4.element import NavigableString, Tag

        for child in tag.children:
            if type(child) is NavigableString:  # not a comment, which is one too
                self._run.append(str(child))
            elif not isinstance(child, Tag) or child.name in ("title", "head"):
                continue
            elif child.name in _HEADINGS or _all_bold(child):
                yield from self._end(kind)
                level = _HEADINGS.get(child.name, 6)
                if text := tidy(child.get_text()):
                    yield Block("heading", text, level)
            elif child.name == "table" and (rows := _rows(child)):
                yield from self._end(kind)
                yield from (Block("item", row) for row in rows)
            elif _WITHIN_TEXT.fullmatch(child.name):
                yield from self.blocks(child, kind)
            else:
                inner: Literal["text", "item"] = "item" if child.name in ("li", "dd") else kind
                yield from self._end(kind)
                yield from self.blocks(child, inner)
                yield from self._end(inner)
        if tag.parent is None or tag.name in ("body", "main", "article"):
            yield from self._end(kind)

    def _end(self, kind: Literal["text", "item"]) -> Iterator[Block]:
        text = tidy("".join(self._run))
        self._run.clear()
        if text:
            yield Block(kind, text)


def _all_bold(tag: Tag) -> bool:
    text = tidy(tag.get_text()) if tag.name == "p" else ""
    if not 0 < len(text) <= _BOLD_HEADING or text[-1] in "。；;，,：:":
        return False
    return tidy("".join(bold.get_text() for bold in tag.find_all(["strong", "b"]))) == text


def _rows(table: Tag) -> list[str]:
    """A table's rows as sentences, each value after its column's head; none if it only lays out a page."""
    found = table.find_all("tr")
    cells = [[tidy(cell.get_text(" ")) for cell in row.find_all(["td", "th"])] for row in found]
    rows = [row for row in cells if any(row)]
    if table.find("table") or not rows or max(map(len, rows)) < 2:
        return []
    head, *rest = rows
    if not missing_columns(head):
        names = column_names(head)
        asked = [dict(zip(names, row, strict=False)) for row in rest]
        return [f"问：{row.get('question', '')} 答：{row.get('answer', '')}" for row in asked]
    if len(head) == 2 and not table.find("th"):
        return ["：".join(row) for row in rows]
    return [_sentence(head, row) for row in rest]


def _sentence(head: Sequence[str], row: Sequence[str]) -> str:
    pairs = zip(head[1:], row[1:], strict=False)
    return "，".join(
        [*row[:1], *(f"{name}：{value}" for name, value in pairs if value not in ("", "-", "—", "/"))]
    )


def _plain(file: Path) -> Iterable[Block]:
    lines = decoded(file).splitlines()
    return _headed(_paragraphs((f"line {number}", line) for number, line in enumerate(lines, start=1)))


def _pdf(file: Path) -> Iterable[Block]:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it tells of every small flaw that it mends
    reader = PdfReader(file)
    if reader.is_encrypted and not reader.decrypt(""):
        raise KnowledgeError(f"{file}: needs a password; save it without one")
    pages = [[line.strip() for line in page.extract_text().splitlines()] for page in reader.pages]
    edges = ({*page[:_EDGE], *page[-_EDGE:]} for page in pages)
    seen = Counter(line for edge in edges for line in edge)
    furniture = {line for line, times in seen.items() if times >= max(_ON_PAGES, len(pages) / 2)}
    lines = [(f"page {number}", line) for number, page in enumerate(pages, start=1) for line in page]
    own = (
        (place, line) for place, line in lines if line not in furniture and not _PAGE_NUMBER.fullmatch(line)
    )
    return _headed(_paragraphs(own))


def _paragraphs(lines: Iterable[tuple[str, str]]) -> Iterator[Block]:
    """Lines as blocks: a line as wide as the page goes on in the next one."""
    placed = [(place, tidy(line)) for place, line in lines]
    widths = sorted(_width(line) for _, line in placed if line)
    width = widths[len(widths) * 9 // 10] if widths else 0.0
    full = max(8.0, width * 0.85) if width <= _WIDEST else math.inf
    block: Block | None = None
    last = ""
    for place, line in placed:
        goes_on = line and last and _width(last) >= full and last[-1] not in _ENDS
        if block and goes_on and not _STARTS.match(line):
            block = replace(block, text=tidy(f"{block.text} {line}"))
        else:
            if block:
                yield block
            kind: Literal["text", "item"] = "item" if _ITEM.match(line) else "text"
            block = Block(kind, line, place=place) if line else None
        last = line
    if block:
        yield block


def _headed(found: Iterable[Block]) -> Iterator[Block]:
    """A short line between two sentences is a heading."""
    some = list(found)
    for before, block, after in zip([None, *some], some, [*some[1:], None], strict=False):
        short = (
            len(block.text) <= _LONE_HEADING and block.text[-1] not in _ENDS and not _STARTS.match(block.text)
        )
        if short and before and before.text[-1] in "。！？!?" and after and after.text[-1] in "。！!；：":
            yield replace(block, kind="heading", level=6)
        else:
            yield block


def _width(line: str) -> float:
    """In Chinese characters; others are half as wide."""
    return sum(1.0 if character > "\x7f" else 0.5 for character in line)


CONVERTERS: Mapping[str, Callable[[Path], Iterable[Block]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".docx": _word,
    ".pdf": _pdf,
    ".txt": _plain,
}
KINDS: Sequence[str] = tuple(CONVERTERS)
