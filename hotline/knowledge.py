"""Passages on their way between files, database and index."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.passages import Passage
from hotline.check import load_knowledge
from hotline.errors import UsageError
from records import Conflict, RecordsError
from records.store import Store

if TYPE_CHECKING:
    from hotline.settings import Settings

_SQLITE = "sqlite:///"


def passage_of(row: Mapping[str, Any]) -> Passage:
    """A passage as the database has it."""
    fields = {name: row[name] for name in Passage.__dataclass_fields__}
    days = {name: fields[name] and date.fromisoformat(fields[name]) for name in ("valid_from", "valid_to")}
    return Passage(**{**fields, **days, "phrasings": tuple(fields["phrasings"])})


def row_of(passage: Passage) -> dict[str, Any]:
    """A passage as the database takes it, and gives it back but for `updated_at`."""
    fields = {name: getattr(passage, name) for name in Passage.__dataclass_fields__}
    days = {name: fields[name].isoformat() if fields[name] else None for name in ("valid_from", "valid_to")}
    return {**fields, **days, "phrasings": list(passage.phrasings)}


def begin_with(store: Store, where: str) -> bool:
    """Put what dialog.knowledge names into a database that never had knowledge; whether that was done.

    One whose knowledge was all removed since is left alone. Raises UsageError, RecordsError.
    """
    if store.knowledge_revision():
        return False
    passages = load_knowledge(where)
    try:
        return bool(store.change_passages(map(row_of, passages), since=0))
    except Conflict:  # another node was quicker
        return False


def known_passages(settings: Settings) -> list[Passage]:
    """The passages of the database where it has any; before its first start, what it will begin with.

    Makes no database. Raises UsageError.
    """
    url = settings.records.url
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE).partition("?")[0]).exists():
        return load_knowledge(settings.dialog.knowledge)
    try:
        store = Store(url)
        try:
            rows, _, revision = store.passages_since(0)
        finally:
            store.close()
    except RecordsError as error:
        raise UsageError(str(error)) from error
    return [passage_of(row) for row in rows] if revision else load_knowledge(settings.dialog.knowledge)
