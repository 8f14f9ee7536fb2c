"""Passages: reviewed questions with their answers, and reading them from tables and topics.

Errors, as a tree:

    KnowledgeError          a knowledge file cannot be read; the message names the file and the entry or line
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import yaml

from dialog.yaml_text import read_yaml

TABLES = (".yaml", ".yml", ".csv", ".xlsx")
MOST_QUESTION = 500  # characters
MOST_ANSWER = 5000
ID = re.compile(r"\w[\w.:-]{0,99}")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufeff]")
# PDF has characters by their looks; what comes out of it may be a radical that looks the same.
_RADICALS = {code: normalize("NFKC", chr(code)) for code in range(0x2F00, 0x2FD6)}
_RADICALS |= dict(
    zip(
        map(ord, "⼾⾭⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻤⻥⻦⻧⻨⻩⻪⻬⻮⻰⻳"),
        "户青民虎西见角贝车长门青韦页风飞食马鬼鱼鸟卤麦黄黾齐齿龙龟",
        strict=True,
    )
)
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_HEADERS = {  # what tables are headed with in practice
    "编号": "id",
    "问题": "question",
    "标准问题": "question",
    "标准问": "question",
    "答案": "answer",
    "标准答案": "answer",
    "相似问": "phrasings",
    "相似问法": "phrasings",
    "其他问法": "phrasings",
    "部门": "department",
    "责任部门": "department",
    "区域": "district",
    "区县": "district",
    "主题": "topic",
    "分类": "topic",
    "来源": "source",
    "依据": "source",
    "生效日期": "valid_from",
    "失效日期": "valid_to",
}


class KnowledgeError(Exception):
    """A knowledge file cannot be read; the message names the file and the entry or line."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One reviewed question with its answer; `valid_from` and `valid_to` are inclusive, None is open."""

    id: str
    question: str
    answer: str
    phrasings: tuple[str, ...] = ()
    department: str = ""
    district: str = ""
    topic: str = ""
    source: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def ref(self) -> str:
        """How replies and records name this passage as their source."""
        return f"kb:{self.id}"

    def valid_on(self, day: date) -> bool:
        """Whether the passage may be told to a caller on `day`."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


_FIELDS = frozenset(Passage.__dataclass_fields__)


def load_passages(path: Path) -> list[Passage]:
    """Read YAML topics and tables (.csv, .xlsx; columns as in docs/interface.md): one, or a folder of them.

    Ids are unique over all that is read. Raises KnowledgeError.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in TABLES)
        if not files:
            raise KnowledgeError(f"{path}: no .yaml, .csv or .xlsx file in this folder")
    elif path.is_file():
        files = [path]
    else:
        raise KnowledgeError(f"{path}: no such file or folder; expected a folder of .yaml files or a .csv")
    return unique(entry for file in files for entry in table_entries(file))


def unique(entries: Iterable[tuple[str, Passage]]) -> list[Passage]:
    """The passages of (place, passage). Raises KnowledgeError where an id is used twice."""
    places: dict[str, str] = {}
    passages = []
    for where, passage in entries:
        if passage.id in places:
            raise KnowledgeError(f"{where}: id {passage.id!r} is already used at {places[passage.id]}")
        places[passage.id] = where
        passages.append(passage)
    return passages


def table_entries(file: Path) -> Iterator[tuple[str, Passage]]:
    """The passages of one topic or table, each with the place it stands at. Raises KnowledgeError."""
    kind = file.suffix.lower()
    if kind == ".csv":
        return _table(file, _csv_rows(file))
    if kind == ".xlsx":
        return _sheets(file)
    return _yaml_entries(file)


def stable_id(stem: str, question: str) -> str:
    """An id that a passage without one keeps as long as its file's name and its question stay."""
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-._")[:60] or "passage"
    return f"{name}-{hashlib.sha256(question.encode()).hexdigest()[:8]}"


def decoded(file: Path) -> str:
    """A text file in UTF-8, UTF-16 or GB 18030, still usual in China. Raises KnowledgeError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise KnowledgeError(f"{file}: cannot be read: {error.strerror or error}") from error
    encodings = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise KnowledgeError(f"{file}: no text in UTF-8 or GB 18030; save it again in UTF-8")


def _yaml_entries(file: Path) -> Iterator[tuple[str, Passage]]:
    try:
        topic = read_yaml(decoded(file))
    except yaml.YAMLError as error:
        raise KnowledgeError(f"{file}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(topic, dict) or not isinstance(topic.get("passages"), list):
        raise KnowledgeError(f"{file}: expected a mapping with topic, department and a list `passages`")
    for number, entry in enumerate(topic["passages"], start=1):
        where = f"{file}: entry {number}"
        if not isinstance(entry, dict):
            raise KnowledgeError(f"{where}: expected a mapping with id, question and answer")
        if entry.get("id"):
            where += f" ({entry['id']})"
        shared = {key: topic.get(key) for key in ("topic", "department", "district")}
        own = {
            "id": entry.get("id") or stable_id(file.stem, _text(entry.get("question"))),
            "source": entry.get("source") or file.name,
        }
        phrasings = entry.get("phrasings") or []
        if not isinstance(phrasings, list):
            raise KnowledgeError(f"{where}: phrasings must be a list")
        yield where, checked(where, shared | entry | own, [str(p) for p in phrasings])


def _csv_rows(file: Path) -> Iterator[tuple[str, Sequence[object]]]:
    lines = csv.reader(io.StringIO(decoded(file), newline=""))
    try:
        for row in lines:
            yield f"{file}: line {lines.line_num}", row
    except csv.Error as error:
        raise KnowledgeError(f"{file}: line {lines.line_num}: not readable as CSV: {error}") from error


def _sheets(file: Path) -> Iterator[tuple[str, Passage]]:
    """The passages of all sheets that are headed as knowledge; others may hold notes."""
    import openpyxl  # takes a while, and few commands need it

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        book.close()
    except Exception as error:  # a broken file breaks it in many ways
        raise KnowledgeError(f"{file}: not readable as an Excel workbook (.xlsx): {error}") from error
    headed = {name: rows for name, rows in sheets.items() if rows and not missing_columns(rows[0])}
    for name, rows in (headed or sheets).items():
        places = (f"{file}: sheet {name}, row {number}" for number in range(1, len(rows) + 1))
        yield from _table(file, zip(places, rows, strict=True))


def _table(file: Path, rows: Iterator[tuple[str, Sequence[object]]]) -> Iterator[tuple[str, Passage]]:
    where, head = next(rows, (f"{file}: line 1", ()))
    if missing := missing_columns(head):
        raise KnowledgeError(f"{where}: missing column {', '.join(missing)}")
    columns = column_names(head)
    if twice := sorted({name for name in columns if name in _FIELDS and columns.count(name) > 1}):
        raise KnowledgeError(f"{where}: two columns are {twice[0]}; leave one of them out")
    for where, row in rows:
        if not any(_text(value) for value in row):
            continue
        if any(_text(value) for value in row[len(columns) :]):
            raise KnowledgeError(f"{where}: more values than columns; quote a value that holds a comma")
        fields = {name: value for name, value in zip(columns, row, strict=False) if _text(value)}
        fields.setdefault("id", stable_id(file.stem, _text(fields.get("question"))))
        fields.setdefault("source", file.name)
        yield where, checked(where, fields, _text(fields.get("phrasings")).split("|"))


def column_names(head: Sequence[object]) -> list[str]:
    """The fields that a table's first row names, in English or Chinese; others as they are."""
    names = [_text(name).lower() for name in head]
    while names and not names[-1]:
        names.pop()
    return [_HEADERS.get(name, name) for name in names]


def missing_columns(head: Sequence[object]) -> list[str]:
    """What a table's first row lacks to be one of questions with answers."""
    return sorted({"question", "answer"} - set(column_names(head)))


def checked(where: str, fields: Mapping[str, Any], phrasings: Sequence[str]) -> Passage:
    """A passage of the fields in a file. Raises KnowledgeError, naming `where`, for what cannot be right."""
    text = {key: _text(fields.get(key)) for key in Passage.__dataclass_fields__}
    for key in ("id", "question", "answer"):
        if not text[key]:
            raise KnowledgeError(f"{where}: {key} is missing or empty")
    if not ID.fullmatch(text["id"]):
        raise KnowledgeError(
            f"{where}: id {text['id']!r}: right are letters, digits and . : - _, at most 100"
        )
    for key, most in (("question", MOST_QUESTION), ("answer", MOST_ANSWER)):
        if len(text[key]) > most:
            raise KnowledgeError(f"{where}: {key} has {len(text[key])} characters; at most {most} are right")
    valid_from, valid_to = (_date(where, key, fields.get(key)) for key in ("valid_from", "valid_to"))
    if valid_from and valid_to and valid_to < valid_from:
        raise KnowledgeError(f"{where}: valid_to {valid_to} is before valid_from {valid_from}")
    return Passage(
        id=text["id"],
        question=text["question"],
        answer=text["answer"],
        phrasings=tuple(dict.fromkeys(p for p in map(_text, phrasings) if p)),
        department=text["department"],
        district=text["district"],
        topic=text["topic"],
        source=text["source"],
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Excel knows no whole numbers
    return tidy(str(value))


def tidy(text: str) -> str:
    """`text` on one line: without the blanks that layout put between Chinese characters, control characters,
    and radicals in the place of the characters that look like them."""
    meant = _NO_TEXT.sub("", text).translate(_RADICALS)
    line = re.sub(r"[\s\u3000\u200b]+", " ", meant).strip()
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", line)


def _date(where: str, key: str, value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = _text(value)
    if not text:
        return None
    try:
        found = _DAY.fullmatch(text)
        return date(*map(int, found.groups())) if found else date.fromisoformat(text)
    except ValueError as error:
        raise KnowledgeError(f"{where}: {key} {text!r} is not a date such as 2025-03-01") from error
