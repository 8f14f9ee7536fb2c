"""The commands for the accounts and a call's record."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hotline.console import out
from hotline.errors import HotlineError, UsageError

if TYPE_CHECKING:
    from records.store import Store

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
]
user = typer.Typer(no_args_is_help=True, help="Accounts for the web desk.")


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
