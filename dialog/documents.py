"""Files of all kinds as passages: tables and topics as they are, documents by questions and sections."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialog.converters import KINDS, blocks
from dialog.orders import gives_orders
from dialog.passages import TABLES, KnowledgeError, Passage, checked, stable_id, table_entries, unique
from dialog.sections import ANSWERED, SPOKEN, answer_of, sections

_WEB_ADDRESS = re.compile(r"https?://|www\.", re.I)
_SAVE_AS = {
    ".doc": ".docx",
    ".wps": ".docx",
    ".rtf": ".docx",
    ".xls": ".xlsx",
    ".et": ".xlsx",
    ".ofd": ".pdf",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What files hold. `shortened` names places where the answer is only the beginning of what stands there,
    `notes` says of others why somebody should look at them before callers hear it."""

    passages: tuple[Passage, ...]
    shortened: tuple[str, ...]
    notes: tuple[str, ...]


def read_files(paths: Sequence[Path], *, progress: Callable[[int, int], None] | None = None) -> Reading:
    """Read files, or folders of them: .yaml, .csv, .xlsx, .md, .txt, .docx, .pdf, .html.

    In folders, hidden files and a README are passed over. What gives orders to a machine is left out, with a
    note that says where it stood. `progress` is told files done and files in all.
    Raises KnowledgeError, which names file and place.
    """
    entries: list[tuple[str, Passage]] = []
    shortened: list[str] = []
    notes: list[str] = []
    files = [file for path in paths for file in _files(path)]
    for done, file in enumerate(files, start=1):
        if file.suffix.lower() in TABLES:
            found = list(table_entries(file))
        else:
            found, cut, spoken_to = _document(file)
            shortened += cut
            notes += spoken_to
        for where, passage in found:
            if any(map(gives_orders, _texts(passage))):
                notes.append(
                    f"{where}: id {passage.id}: gives orders to a machine: refused, no caller hears it"
                )
            else:
                notes += _notes(where, passage)
                entries.append((where, passage))
        if progress:
            progress(done, len(files))
    return Reading(tuple(unique(entries)), tuple(shortened), tuple(dict.fromkeys(notes)))


def _files(path: Path) -> list[Path]:
    known = (*TABLES, *KINDS)
    if path.is_dir():
        inside = (p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in known)
        files = [p for p in inside if not p.name.startswith((".", "~$")) and p.stem.lower() != "readme"]
        if not files:
            raise KnowledgeError(f"{path}: no file of knowledge in this folder; known are {', '.join(known)}")
        return files
    if not path.is_file():
        raise KnowledgeError(f"{path}: no such file or folder")
    kind = path.suffix.lower()
    if kind not in known:
        right = f"save it as {_SAVE_AS[kind]}" if kind in _SAVE_AS else f"known are {', '.join(known)}"
        raise KnowledgeError(f"{path}: files of this kind cannot be read; {right}")
    return [path]


def _document(file: Path) -> tuple[list[tuple[str, Passage]], list[str], list[str]]:
    """A document's passages with their places, which of them were shortened, what speaks to a machine."""
    found: dict[str, tuple[str, Passage]] = {}
    times: Counter[str] = Counter()
    shortened, notes = [], []
    for section in sections(file.stem, blocks(file)):
        where = f"{file}: {section.place}"
        text, whole = answer_of(section)
        told = f"{section.question}{text}"
        if not gives_orders(told) and any(gives_orders(part.text) for part in section.parts):
            notes.append(f"{where}: gives orders to a machine outside the answer, which alone is taken")
        identity = stable_id(file.stem, section.question)
        times[identity] += 1
        if times[identity] > 1:  # a question that the document has twice
            identity += f".{times[identity]}"
        source = f"{file.name}#{section.heading}" if section.heading else file.name
        fields = {"id": identity, "question": section.question, "answer": text, "source": source}
        found[identity] = where, checked(where, fields, ())
        if not whole:
            shortened.append(where)
    if not found:
        raise KnowledgeError(f"{file}: no question with its answer and no section with text in it")
    return list(found.values()), shortened, notes


def _notes(where: str, passage: Passage) -> Iterator[str]:
    if len(passage.answer) > ANSWERED:
        yield f"{where}: the answer has {len(passage.answer)} characters; {SPOKEN} are enough to listen to"
    if _WEB_ADDRESS.search(passage.answer):
        yield f"{where}: the answer holds a web address, which nobody can listen to"


def _texts(passage: Passage) -> tuple[str, ...]:
    return (passage.question, passage.answer, passage.department, *passage.phrasings)
