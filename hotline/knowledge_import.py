"""What an import changes in the database: found first, shown, then done whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dialog.passages import Passage
from hotline.knowledge import row_of
from records.store import Store

Scope = Literal["add", "replace", "all"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does to the passages in the database, which stood at `revision`.

    `left` are passages of the same sources that the files no longer hold, and that stay.
    """

    new: Sequence[Passage]
    changed: Sequence[Passage]
    unchanged: int
    removed: Sequence[str]
    left: Sequence[str]
    revision: int


def plan(store: Store, passages: Sequence[Passage], scope: Scope) -> Plan:
    """What importing `passages` changes. Raises RecordsError.

    "add" removes nothing, "replace" what is of the same sources and no longer there, "all" all else.
    """
    rows, _, revision = store.passages_since(0)
    before = {row["id"]: {**row, "updated_at": None} for row in rows}
    new = [passage for passage in passages if passage.id not in before]
    known = [passage for passage in passages if passage.id in before]
    changed = [passage for passage in known if {**row_of(passage), "updated_at": None} != before[passage.id]]
    gone = _gone(before.values(), passages, everything=scope == "all")
    return Plan(
        new=new,
        changed=changed,
        unchanged=len(known) - len(changed),
        removed=() if scope == "add" else gone,
        left=gone if scope == "add" else (),
        revision=revision,
    )


def carry_out(store: Store, todo: Plan) -> int:
    """Do it, in one transaction; the new revision. Raises Conflict when somebody changed knowledge since."""
    changed = map(row_of, (*todo.new, *todo.changed))
    return store.change_passages(changed, todo.removed, since=todo.revision)


def _gone(before: Iterable[Mapping[str, Any]], passages: Sequence[Passage], *, everything: bool) -> list[str]:
    """Ids of passages in the database that are not among these, of their sources or of any."""
    ids = {passage.id for passage in passages}
    sources = {_file(passage.source) for passage in passages} - {""}
    return [
        row["id"]
        for row in before
        if row["id"] not in ids and (everything or _file(row["source"]) in sources)
    ]


def _file(source: str) -> str:
    """A source without the section in its document."""
    return source.partition("#")[0]
