"""The commands for the accounts and a call's record."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
CLI = "cli"  # as a role in the audit trail
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
    hashed = _hashed(_password())
    with _changing(config, "user_added", name, role=role.value) as store:
        store.accounts.add(name, role.value, hashed)
    out.print(f"added {name} as {role.value}")


@user.command("passwd")
def user_passwd(name: Annotated[str, typer.Argument(metavar="NAME")], config: Config = None) -> None:
    """Set an account's password, ending its sessions and a lock."""
    hashed = _hashed(_password())
    with _changing(config, "user_changed", name, new_password=True) as store:
        store.accounts.set_password(name, hashed)
    out.print(f"password of {name} changed")


@user.command("unlock")
def user_unlock(name: Annotated[str, typer.Argument(metavar="NAME")], config: Config = None) -> None:
    """Let an account that was locked after wrong passwords sign in again at once."""
    with _changing(config, "user_changed", name, unlock=True) as store:
        store.accounts.unlock(name)
    out.print(f"unlocked {name}")


@user.command("totp")
def user_totp(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    off: Annotated[bool, typer.Option("--off", help="Ask for the password alone again.")] = False,
    config: Config = None,
) -> None:
    """Take away an account's second factor, when the telephone with it is lost."""
    if not off:
        raise UsageError("a second factor is begun by who has it, on the desk; --off takes it away")
    with _changing(config, "user_changed", name, totp=False) as store:
        store.accounts.drop_totp(name)
    out.print(f"{name} signs in by password alone")


@user.command("list")
def user_list(config: Config = None) -> None:
    """List the accounts."""
    with _store(config) as store:
        accounts = store.accounts.all()
    table = Table("name", "role", "created", "second factor", "locked until", box=None, pad_edge=False)
    for account in accounts:
        totp, until = "yes" if account["totp"] else "no", account["locked_until"] or ""
        table.add_row(account["name"], account["role"], account["created_at"], totp, until)
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
        store.audit(_login(), CLI, "export", call_id, {"format": format_.value})
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


@contextmanager
def _changing(config: Path | None, action: str, name: str, **detail: Any) -> Iterator[Store]:
    """The store within one transaction, which puts the change into the audit trail too."""
    with _store(config) as store:
        try:
            with store.batch():
                yield store
                store.audit(_login(), CLI, action, name, detail)
        except ValueError as error:
            raise UsageError(str(error)) from error


def _login() -> str:
    """Who runs the command, as the audit trail has it; not by variables, which anybody can set."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user without a name
        return f"cli:{os.getuid()}"


def _hashed(password: str) -> str:
    from records.users import hash_password

    try:
        return hash_password(password)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
