"""The commands for the knowledge base, the accounts and a call's record."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hotline.console import out
from hotline.errors import HotlineError, UsageError

if TYPE_CHECKING:
    from dialog.passages import Passage
    from records.store import Store

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
]
kb = typer.Typer(no_args_is_help=True, help="The knowledge base.")
user = typer.Typer(no_args_is_help=True, help="Accounts for the web desk.")

COLUMNS = [
    "id",
    "question",
    "answer",
    "phrasings",
    "department",
    "district",
    "source",
    "valid_from",
    "valid_to",
]


class Role(str, Enum):
    """What an account may do."""

    seat = "seat"
    ops = "ops"
    admin = "admin"


class Format(str, Enum):
    """How a call is exported."""

    vcon = "vcon"
    txt = "txt"
    csv = "csv"


@kb.command("search")
def kb_search(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    limit: Annotated[int, typer.Option(min=1, max=50)] = 5,
    config: Config = None,
) -> None:
    """Show the passages that answer TEXT best, best first."""
    from dialog.knowledge import Knowledge
    from records import CHINA

    found = Knowledge(_passages(config), lambda: datetime.now(CHINA).date()).search(text, limit)
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
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for passage in _passages(config):
        writer.writerow(asdict(passage) | {"phrasings": "|".join(passage.phrasings)})


@kb.command("import")
def kb_import(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help=".csv or .yaml files.")],
    config: Config = None,
) -> None:
    """Check files and add them to the folder dialog.knowledge names; a file of the same name is replaced."""
    from dialog.passages import KnowledgeError, load_passages
    from hotline.settings import load_settings

    folder = Path(load_settings(config).dialog.knowledge)
    if str(folder) == "sample" or folder.is_file():
        raise UsageError(
            f'dialog.knowledge is {str(folder)!r}; set it to a folder such as "data/knowledge", then import'
        )
    trial = folder.with_name(f".{folder.name}.import")
    shutil.rmtree(trial, ignore_errors=True)
    try:
        if folder.is_dir():
            shutil.copytree(folder, trial)
        else:
            trial.mkdir(parents=True)
        for path in paths:
            load_passages(path)  # names the file itself when something is wrong in it
            shutil.copy(path, trial / path.name)
        total = len(load_passages(trial))
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            (trial / path.name).replace(folder / path.name)
    except KnowledgeError as error:
        raise UsageError(str(error).replace(str(trial), str(folder))) from error
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    out.print(f"{folder}: {total} passages; a running agent takes them up when it is started again")


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    role: Annotated[Role, typer.Option(help="What the account may do.")] = Role.seat,
    config: Config = None,
) -> None:
    """Add an account; its password is asked for, or read from stdin."""
    password = _password()
    with _store(config) as store:
        try:
            store.add_user(name, role.value, password)
        except ValueError as error:
            raise UsageError(str(error)) from error
    out.print(f"added {name} as {role.value}")


@user.command("passwd")
def user_passwd(name: Annotated[str, typer.Argument(metavar="NAME")], config: Config = None) -> None:
    """Set an account's password and end its sessions."""
    password = _password()
    with _store(config) as store:
        try:
            store.set_password(name, password)
        except ValueError as error:
            raise UsageError(str(error)) from error
    out.print(f"password of {name} changed")


@user.command("list")
def user_list(config: Config = None) -> None:
    """List the accounts."""
    with _store(config) as store:
        accounts = store.users()
    table = Table("name", "role", "created", box=None, pad_edge=False)
    for account in accounts:
        table.add_row(account["name"], account["role"], str(account.get("created_at", "")))
    out.print(table if accounts else "no accounts yet; `hotline user add NAME --role admin` makes one")


def export(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    format_: Annotated[Format, typer.Option("--format", help="vcon, txt or csv.")] = Format.vcon,
    config: Config = None,
) -> None:
    """Write one call's record to stdout."""
    from hotline.settings import load_settings
    from records import export as exports
    from records.playback import find_recording

    with _store(config) as store:
        call = store.call(call_id)
        if call is None:
            raise HotlineError(f"there is no call {call_id!r} in the records")
        ticket = store.ticket(call["ticket_id"]) if call["ticket_id"] else None
    if format_ is Format.txt:
        sys.stdout.write(exports.text(call))
    elif format_ is Format.csv:
        sys.stdout.write(exports.csv_text(call))
    else:
        records = load_settings(config).records
        recording = find_recording(records.dir, call["recording"])
        document = exports.vcon(call, ticket=ticket, recording=recording, keys=records.keys)
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _passages(config: Path | None) -> list[Passage]:
    from hotline.check import load_knowledge
    from hotline.settings import load_settings

    return load_knowledge(load_settings(config).dialog.knowledge)


@contextmanager
def _store(config: Path | None) -> Iterator[Store]:
    from hotline.settings import load_settings
    from records import RecordsError
    from records.store import Store

    try:
        store = Store(load_settings(config).records.url)
    except RecordsError as error:
        raise UsageError(str(error)) from error
    try:
        yield store
    finally:
        store.close()


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
