"""docs/interface.md says what exists, and all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import SecretStr

from hotline.cli import app, main
from hotline.settings import Settings, setting_keys
from sip_config import PortRange, SeatSettings, TrunkSettings
from tests.guards.source import ROOT

pytestmark = [pytest.mark.guard]

LATER = "(not there yet)"
PAGE = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table under a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section, heading
    for line in section[1].splitlines():
        if line.startswith("| `"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def present(cell: str) -> list[str]:
    """What stands in backticks in a cell, without what is marked as not there yet."""
    return re.findall(r"`([^`]+)`", re.sub(rf"`[^`]+` {re.escape(LATER)}", "", cell))


def commands() -> dict[str, Any]:
    """Every command that can be typed, with its command object."""
    root: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}": item for sub, item in inner.items()} if inner else {name: command}
    return found


def test_every_command_in_the_page_exists_and_every_command_is_in_the_page() -> None:
    written = [usage for row in rows("Commands") for usage in present(row[0])]
    named = {}
    for usage in written:
        words = re.match(r"hotline((?: [a-z][a-z-]*)+)", usage)
        assert words, usage
        named[words[1].strip()] = usage
    assert set(named) == set(commands())
    for name, usage in named.items():
        options = {option for item in commands()[name].params for option in item.opts}
        assert set(re.findall(r"--[a-z-]+", usage)) <= options, usage


@pytest.mark.parametrize(
    ("command", "choices"), [("call", "udp|tcp"), ("user add", "seat|ops|admin"), ("export", "vcon|txt|csv")]
)
def test_choices_are_those_of_the_page(
    command: str, choices: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choices in PAGE.replace("\\|", "|")
    assert main([*command.split(), "--help"]) == 0
    assert choices in capsys.readouterr().out


def test_what_is_not_there_yet_is_not_there() -> None:
    later = re.findall(r"`hotline ([a-z ]+?)(?: [^a-z`][^`]*)?` \(not there yet\)", PAGE)
    assert not set(later) & set(commands())


def test_every_setting_in_the_page_exists_with_its_default_and_all_are_there() -> None:
    written = {key: row for row in rows("Settings") for key in present(row[0])}
    assert set(written) == set(setting_keys())
    for key, row in written.items():
        default = row[1].strip("`")
        if key == "node.name" or key.endswith("_file") or isinstance(setting_keys()[key], SecretStr):
            continue
        assert json.loads(default) == _plain(setting_keys()[key]), key


def _plain(value: object) -> object:
    if isinstance(value, PortRange | Path):
        return str(value)
    if isinstance(value, tuple):
        return value[0] if value in (("auto",), ("vosk",)) else list(value)
    return value


@pytest.mark.parametrize(("key", "model"), [("sip.trunks", TrunkSettings), ("seats.seats", SeatSettings)])
def test_the_keys_of_list_entries_are_named(key: str, model: Any) -> None:
    text = next(row[2] for row in rows("Settings") if row[0] == f"`{key}`")
    assert set(re.findall(r"[a-z_]+", re.sub(r"\(.*?\)", "", text))) == set(model.model_fields) - {"password"}


def test_variables_in_the_page_are_settings() -> None:
    for section, key in re.findall(r"HOTLINE_([A-Z]+)__([A-Z_]+)", PAGE):
        assert f"{section}.{key}".lower() in setting_keys()


def test_the_default_settings_are_valid() -> None:
    assert Settings().sip.port == 5060


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The desk's own description of itself."""
    from desk.app import create_desk
    from desk.live import LiveFeed
    from records.store import Store

    folder = tmp_path_factory.mktemp("desk")
    store = Store(f"sqlite:///{folder}/desk.db")
    desk = create_desk(
        store, recordings_dir=folder, api_token=None, ready=lambda: True, metrics=lambda: "", live=LiveFeed()
    )
    described: dict[str, Any] = desk.openapi()
    store.close()
    return described


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_path_in_the_page_exists(openapi: dict[str, Any]) -> None:
    assert "/api/openapi.json" in PAGE
    served = {
        (method.upper(), _shape(path)) for path, methods in openapi["paths"].items() for method in methods
    }
    written = [tuple(item.split(" ")) for row in rows("HTTP") for item in present(row[0])]
    assert len(written) > 10
    assert [item for item in written if (item[0], _shape(item[1])) not in served] == []


def test_every_field_of_a_call_exists(openapi: dict[str, Any]) -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.S)
    assert example
    schemas = openapi["components"]["schemas"]

    def compare(written: dict[str, Any], name: str) -> None:
        fields = schemas[name]["properties"]
        assert set(written) == set(fields), name

    call = json.loads(example[1])
    compare(call, "Call")
    compare(call["turns"][0], "Turn")
    compare(call["events"][0], "CallEvent")
    compare(call["transfer"], "Transfer")
    compare(call["transfer"]["summary"], "TransferSummary")


def test_every_parameter_in_the_page_exists(openapi: dict[str, Any]) -> None:
    for path in ("/api/v1/calls", "/api/v1/kb"):
        row = next(row for row in rows("HTTP") if row[0] == f"`GET {path}`")
        listed = re.match(r"parameters ((?:`\w+`(?:, )?)+);", row[1])
        assert listed, path
        served = {item["name"] for item in openapi["paths"][path]["get"]["parameters"]}
        assert set(re.findall(r"\w+", listed[1])) <= served, path
