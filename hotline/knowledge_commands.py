"""The commands for the knowledge base."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hotline.console import err, out, progress_bar
from hotline.errors import UsageError

if TYPE_CHECKING:
    from dialog.documents import Reading
    from hotline.knowledge_import import Plan
    from records.store import Store

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
]
kb = typer.Typer(no_args_is_help=True, help="The knowledge base.")

_SHOWN = 20  # of places to look at, and of ids
_MANY = 2000  # passages from which on finding them needs patience


@kb.command("search")
def kb_search(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    limit: Annotated[int, typer.Option(min=1, max=50)] = 5,
    config: Config = None,
) -> None:
    """Show the passages that answer TEXT best, best first."""
    from dialog.knowledge import Knowledge
    from hotline.knowledge import known_passages
    from hotline.settings import load_settings
    from records import today_in_china

    passages = known_passages(load_settings(config))
    knowledge = Knowledge(today=today_in_china)
    with progress_bar("indexing", shown=len(passages) >= _MANY) as progress:
        knowledge.update(passages, revision=1, progress=progress)
    found = knowledge.search(text, limit)
    table = Table(box=None, pad_edge=False)
    for title in ("score", "id", "question", "answer", "source"):
        table.add_column(title, overflow="fold")
    for hit in found:
        passage = hit.passage
        table.add_row(f"{hit.score:.2f}", passage.ref, passage.question, passage.answer, passage.source)
    out.print(table if found else "nothing found")


@kb.command("export")
def kb_export(config: Config = None) -> None:
    """Write all passages to stdout as CSV, in the columns that `kb import` takes."""
    from dialog.passages import Passage
    from hotline.knowledge import known_passages
    from hotline.settings import load_settings

    passages = known_passages(load_settings(config))
    writer = csv.DictWriter(sys.stdout, list(Passage.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    for passage in passages:
        writer.writerow(asdict(passage) | {"phrasings": "|".join(passage.phrasings)})


@kb.command("import")
def kb_import(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Files, or folders of them: .csv .xlsx .yaml of questions; .md .txt .docx .pdf .html.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove what is of the same sources and no longer in the files.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="The files are the whole knowledge: remove all else.")
    ] = False,
    config: Config = None,
) -> None:
    """Put files into the knowledge base, all or none; running agents take it up within seconds."""
    from dialog.documents import read_files
    from dialog.passages import KnowledgeError
    from hotline.knowledge_import import carry_out, plan
    from hotline.settings import load_settings

    settings = load_settings(config)
    try:
        with progress_bar("reading") as progress:
            reading = read_files(paths, progress=progress)
    except KnowledgeError as error:
        raise UsageError(str(error)) from error
    if everything and not reading.passages:
        raise UsageError("there is no passage in these files, and with --all all knowledge would be removed")
    with _store(settings.records.url) as store:
        todo = plan(store, reading.passages, "all" if everything else "replace" if replace else "add")
        revision = todo.revision if dry_run else carry_out(store, todo)
    counts = f"{len(todo.new)} new, {len(todo.changed)} changed, {todo.unchanged} unchanged"
    counts += f", {len(todo.removed)} removed"
    if dry_run:
        _show(todo)
        out.print(f"would be: {counts}; nothing was changed")
    else:
        out.print(f"{counts}; revision {revision}")
    _tell(reading, todo)


def _show(todo: Plan) -> None:
    """The ids that a dry run would change."""
    changes = [("new", passage.id) for passage in todo.new]
    changes += [("changed", passage.id) for passage in todo.changed]
    changes += [("removed", passage_id) for passage_id in todo.removed]
    for what, passage_id in changes:
        out.print(f"{what:8}{passage_id}")


def _tell(reading: Reading, todo: Plan) -> None:
    """What somebody should look at before callers hear it."""
    if reading.shortened:
        count = len(reading.shortened)
        err.print(f"review: {count} answers are only the beginning of what stands in the document:")
        _list(reading.shortened)
    if reading.notes:
        err.print(f"review: {len(reading.notes)} notes:")
        _list(reading.notes)
    if todo.left:
        err.print(
            f"note: {len(todo.left)} passages of the same sources are not in these files any more and stay;"
            " --replace removes them"
        )


def _list(places: Sequence[str]) -> None:
    for place in places[:_SHOWN]:
        err.print(f"  {place}")
    if len(places) > _SHOWN:
        err.print(f"  and {len(places) - _SHOWN} more")


@kb.command("gaps")
def kb_gaps(
    days: Annotated[int, typer.Option(min=1, max=3650, help="Look back so far.")] = 30,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    config: Config = None,
) -> None:
    """Show what callers asked that had no answer, what was asked most first, each with one of its calls."""
    from hotline.knowledge_gaps import gaps
    from hotline.settings import load_settings

    with _store(load_settings(config).records.url) as store:
        found = gaps(store, days, limit)
    table = Table("calls", "last", "a call", "what was asked", box=None, pad_edge=False)
    for gap in found:
        table.add_row(str(gap.count), gap.last_at[: len("2025-01-31")], gap.call_id, gap.text)
    out.print(table if found else f"nothing was asked in vain in the last {days} days")


@contextmanager
def _store(url: str) -> Iterator[Store]:
    from records import RecordsError
    from records.store import Store

    try:
        store = Store(url)
    except RecordsError as error:
        raise UsageError(str(error)) from error
    try:
        yield store
    finally:
        store.close()
