"""Labelled utterances to measure the knowledge base with: JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialog import Message
from hotline.errors import UsageError


@dataclass(frozen=True, slots=True)
class Case:
    """What a caller says as their first words, and the ids of all passages that answer it (none: unknown).

    `kind` is how the file calls it (easy, hard, near, chat …), "" where it does not say. `heard` are the
    words as a recogniser heard them, with its `confidence`, `written` as the program then writes them; what
    was not `recognised` reaches the dialog as it is.
    """

    text: str
    passages: frozenset[str] = frozenset()
    kind: str = ""
    recognised: bool = False
    heard: str = ""
    written: str = ""
    confidence: float = 1.0

    @property
    def said(self) -> str:
        """The words that are searched for."""
        return self.heard if self.recognised else self.text

    @property
    def message(self) -> Message:
        """As the dialog is told it."""
        if not self.recognised:
            return Message("caller", self.text)
        return Message("caller", self.written or self.heard, self.confidence, heard=self.heard)


class _Row(BaseModel):
    """A line of a file; other keys than these are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    text: str = Field(min_length=1)
    passages: list[str] = []
    level: str = ""
    kind: str = ""
    heard: str | None = None
    written: str = ""
    confidence: float = Field(default=1.0, ge=0, le=1)


def load_cases(paths: Sequence[Path], ids: Iterable[str]) -> list[Case]:
    """All lines of the files, and of the folders' .jsonl files. Raises UsageError.

    `ids` are those of the knowledge base: a passage that is not there is an error.
    """
    known = frozenset(ids)
    found = [case for path in paths for file in _files(path) for case in _cases(file, known)]
    if not found:
        raise UsageError(f"{', '.join(map(str, paths))}: there is nothing to ask in it")
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise UsageError(f"{path}: no .jsonl files in it; name a folder that has some, or a file")
    return files


def _cases(file: Path, known: frozenset[str]) -> Iterator[Case]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8; save it as UTF-8") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _case(line, f"{file}:{number}", known)


def _case(line: str, where: str, known: frozenset[str]) -> Case:
    try:
        row = _Row.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: not JSON: {error.msg}; one object a line is wanted") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the line"
        raise UsageError(f"{where}: {key}: {first['msg'].lower()}") from error
    ids = frozenset(name if name in known else name.removeprefix("kb:") for name in row.passages)
    if missing := sorted(ids - known):
        raise UsageError(f"{where}: the knowledge base has no passage {', '.join(missing)}")
    return Case(
        row.text,
        ids,
        row.level or row.kind,
        recognised=row.heard is not None,
        heard=row.heard or "",
        written=row.written,
        confidence=row.confidence,
    )
