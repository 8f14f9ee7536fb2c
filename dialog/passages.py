"""Passages: reviewed questions with their answers, and reading them from plain files.

Errors, as a tree:

    KnowledgeError          a knowledge file cannot be read; the message names the file and the entry or line
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml


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


def load_passages(path: Path) -> list[Passage]:
    """Read a folder of YAML topics, one YAML topic, or a CSV with the columns of the interface contract.

    Ids are unique over all that is read; a CSV row without `id` gets the file's name and its line number.
    Raises KnowledgeError.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".csv"))
        if not files:
            raise KnowledgeError(f"{path}: no .yaml or .csv file in this folder")
    elif path.is_file():
        files = [path]
    else:
        raise KnowledgeError(f"{path}: no such file or folder; expected a folder of .yaml files or a .csv")
    passages: list[Passage] = []
    seen: dict[str, str] = {}
    for file in files:
        for where, passage in _csv_entries(file) if file.suffix == ".csv" else _yaml_entries(file):
            if passage.id in seen:
                raise KnowledgeError(f"{where}: id {passage.id!r} is already used at {seen[passage.id]}")
            seen[passage.id] = where
            passages.append(passage)
    return passages


def _yaml_entries(file: Path) -> Iterable[tuple[str, Passage]]:
    try:
        topic = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
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
        phrasings = entry.get("phrasings") or []
        if not isinstance(phrasings, list):
            raise KnowledgeError(f"{where}: phrasings must be a list")
        yield where, _passage(where, shared | entry, [str(p) for p in phrasings])


def _csv_entries(file: Path) -> Iterable[tuple[str, Passage]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"question", "answer"} - set(reader.fieldnames or ())
            if missing:
                raise KnowledgeError(f"{file}: line 1: missing column {', '.join(sorted(missing))}")
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise KnowledgeError(f"{file}: not readable as CSV in UTF-8: {error}") from error
    for line, row in rows:
        where = f"{file}: line {line}"
        if None in row:
            raise KnowledgeError(f"{where}: more values than columns; quote a value that holds a comma")
        fields = {"id": f"{file.stem}-{line}"} | {key: value for key, value in row.items() if value}
        yield where, _passage(where, fields, (row.get("phrasings") or "").split("|"))


def _passage(where: str, fields: Mapping[str, Any], phrasings: Sequence[str]) -> Passage:
    def text(key: str) -> str:
        return str(fields.get(key) or "").strip()

    for key in ("id", "question", "answer"):
        if not text(key):
            raise KnowledgeError(f"{where}: {key} is missing or empty")
    valid_from, valid_to = (_date(where, key, fields.get(key)) for key in ("valid_from", "valid_to"))
    if valid_from and valid_to and valid_to < valid_from:
        raise KnowledgeError(f"{where}: valid_to {valid_to} is before valid_from {valid_from}")
    return Passage(
        id=text("id"),
        question=text("question"),
        answer=text("answer"),
        phrasings=tuple(p.strip() for p in phrasings if p.strip()),
        department=text("department"),
        district=text("district"),
        topic=text("topic"),
        source=text("source"),
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _date(where: str, key: str, value: object) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise KnowledgeError(f"{where}: {key} {value!r} is not a date such as 2025-03-01") from error
