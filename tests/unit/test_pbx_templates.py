"""The PBX templates are well-formed and name every placeholder that they hold."""

from __future__ import annotations

import re
from pathlib import Path
from xml.dom import minidom

import pytest

pytestmark = [pytest.mark.unit]

FOLDER = Path(__file__).parents[2] / "sip_config"
ASTERISK = sorted((FOLDER / "asterisk").glob("*.conf"))
FREESWITCH = sorted((FOLDER / "freeswitch").glob("*.xml"))
PLACEHOLDER = re.compile(r"\b(?:AGENT_HOST_RE|AGENT_HOST|AGENT_PORT|SEAT_[12]|PBX_DOMAIN)\b")


def test_there_are_templates_for_both() -> None:
    assert [path.name for path in ASTERISK] == [
        "extensions_hotline.conf",
        "pjsip_hotline.conf",
        "queues_hotline.conf",
    ]
    assert [path.name for path in FREESWITCH] == ["dialplan_hotline.xml", "gateway_hotline.xml"]


@pytest.mark.parametrize("path", ASTERISK, ids=lambda path: path.name)
def test_asterisk_reads_every_line(path: Path) -> None:
    """A section, a setting, an extension or the next step of one; comments end a line, \\; does not."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        bare = re.split(r"(?<!\\);", line)[0].strip()
        where = f"{path.name}:{number}"
        assert re.fullmatch(r"(\[[\w-]+\]|[\w]+ ?=>? ?\S.*)?", bare), where
        assert bare.count("(") == bare.count(")"), where
        assert bare.count("{") == bare.count("}"), where


def test_every_jump_of_the_dialplan_has_its_place() -> None:
    text = (FOLDER / "asterisk" / "extensions_hotline.conf").read_text(encoding="utf-8")
    contexts = set(re.findall(r"^\[([\w-]+)\]", text, re.M))
    jumps = set(re.findall(r"Goto\(([\w-]+),\d", text)) | set(re.findall(r"b\(([\w-]+)\^", text))
    assert jumps
    assert jumps <= contexts
    labels = set(re.findall(r"n\((\w+)\)", text))
    assert set(re.findall(r"GotoIf\([^)\n]*\?(\w+)\)", text)) == labels


@pytest.mark.parametrize("path", FREESWITCH, ids=lambda path: path.name)
def test_freeswitch_reads_well_formed_xml(path: Path) -> None:
    document = minidom.parse(str(path))
    assert document.documentElement is not None
    assert document.documentElement.tagName == "include"


@pytest.mark.parametrize("path", [*ASTERISK, *FREESWITCH], ids=lambda path: path.name)
def test_every_placeholder_is_named_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition("[" if path.suffix == ".conf" else "-->")
    assert set(PLACEHOLDER.findall(rest)) <= set(PLACEHOLDER.findall(head))
