"""The settings of the proxy, and the files that `hotline kamailio-config` makes of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hotline.cli import main
from hotline.errors import SettingsError
from hotline.settings import load_settings
from sip_config import ProxyNode
from sip_config.kamailio import render

pytestmark = [pytest.mark.unit]

ROOT = Path(__file__).parents[2]
TRUNK = """
[[sip.trunks]]
name = "city"
uri = "sip:192.0.2.1"
networks = ["192.0.2.0/24", "2001:db8::/48"]
"""
NODES = """
[[proxy.nodes]]
uri = "sip:10.0.0.11:5060"
[[proxy.nodes]]
uri = "sip:10.0.0.12;transport=tcp"
max_calls = 30
"""
LISTEN = '[proxy]\nlisten = "10.0.0.5:5060"\n'


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def made(text: str) -> dict[str, str]:
    """The files for these settings."""
    Path("x.toml").write_text(text, encoding="utf-8")
    settings = load_settings(Path("x.toml"))
    return render(settings.proxy, settings.sip, Path("/etc/kamailio"))


def lines(text: str) -> list[str]:
    """Without comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_lists_hold_the_nodes_and_who_may_call() -> None:
    files = made(LISTEN + NODES + TRUNK + '[sip]\nallow = ["198.51.100.7"]\n')
    assert set(files) == {"kamailio.cfg", "dispatcher.list", "address.list"}
    assert lines(files["dispatcher.list"]) == [
        "1 sip:10.0.0.11:5060 0 0 duid=10-0-0-11-5060;socket=udp:10.0.0.5:5060;maxload=0",
        "1 sip:10.0.0.12;transport=tcp 0 0 duid=10-0-0-12-transport-tcp;socket=tcp:10.0.0.5:5060;maxload=30",
    ]
    assert lines(files["address.list"]) == [
        "1 192.0.2.0 24",
        "1 2001:db8:: 48",
        "1 198.51.100.7 32",
        "2 10.0.0.11 32",
        "2 10.0.0.12 32",
    ]


def test_the_configuration_names_its_files_and_what_is_set() -> None:
    text = made("[proxy]\nlisten='10.0.0.5:5070'\nprobe_s = 7\nrate_per_s = 33\n" + NODES + TRUNK)[
        "kamailio.cfg"
    ]
    assert re.findall(r"^listen=.*", text, re.M) == ["listen=udp:10.0.0.5:5070", "listen=tcp:10.0.0.5:5070"]
    assert '"list_file", "/etc/kamailio/dispatcher.list"' in text
    assert '"address_file", "/etc/kamailio/address.list"' in text
    assert '"ds_ping_interval", 7)' in text
    assert "Retry-After: 7" in text
    assert '"TAILDROP", "33"' in text
    assert "WITH_TLS\n" in text
    assert "#!define WITH_TLS" not in text
    assert "$fs" not in text
    assert re.findall(r"@[A-Z_]+@", text) == []


def test_an_inside_a_public_address_and_tls() -> None:
    extra = "inside='10.1.0.5:5080'\npublic_address='203.0.113.9'\ntransports=['udp','tls']\ntls_port=5071\n"
    extra += "tls_cert_file='/etc/kamailio/cert.pem'\ntls_key_file='/etc/kamailio/key.pem'\n"
    files = made(LISTEN + extra + NODES + TRUNK)
    text = files["kamailio.cfg"]
    assert re.findall(r"^listen=.*", text, re.M) == [
        "listen=udp:10.0.0.5:5060 advertise 203.0.113.9:5060",
        "listen=tls:10.0.0.5:5071 advertise 203.0.113.9:5071",
        "listen=udp:10.1.0.5:5080",
        "listen=tcp:10.1.0.5:5080",
    ]
    assert "#!define WITH_TLS" in text
    assert re.findall(r'\$fs = "(.*)"', text) == ["udp:10.0.0.5:5060", "tls:10.0.0.5:5071"]
    assert "socket=udp:10.1.0.5:5080" in files["dispatcher.list"]
    assert "certificate = /etc/kamailio/cert.pem" in files["tls.cfg"]
    assert "require_certificate = no" in files["tls.cfg"]
    assert "ca_list" not in files["tls.cfg"]


def test_callers_over_tls_can_be_asked_for_a_certificate() -> None:
    extra = "transports=['tls']\ntls_cert_file='c.pem'\ntls_key_file='k.pem'\n"
    extra += "tls_ca_file='ca.pem'\ntls_verify_client=true\n"
    text = made(LISTEN + extra + NODES + TRUNK)["tls.cfg"]
    assert text.count("require_certificate = yes") == 2
    assert text.count(f"ca_list = {Path('ca.pem').absolute()}") == 2


def test_ipv6() -> None:
    nodes = "[[proxy.nodes]]\nuri = 'sip:[2001:db8::11]:5060'\n"
    files = made("[proxy]\nlisten='[2001:db8::5]:5060'\n" + nodes + TRUNK)
    assert "listen=udp:[2001:db8::5]:5060" in files["kamailio.cfg"]
    assert "2 2001:db8::11 128" in files["address.list"]
    assert "socket=udp:[2001:db8::5]:5060" in files["dispatcher.list"]


def test_a_trunk_without_networks_calls_from_the_address_in_its_uri() -> None:
    trunk = "[[sip.trunks]]\nname='a'\nuri='sip:192.0.2.77:5080'\n"
    assert "1 192.0.2.77 32" in made(LISTEN + NODES + trunk)["address.list"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[proxy]\nlisten='proxy.example'", 'proxy.listen = "proxy.example": write an IP address and a port'),
        ("[proxy]\nlisten='0.0.0.0:5060'", "name one address of the proxy"),
        ("[proxy]\nlisten='10.0.0.5:99999'", "ports are between 1 and 65535"),
        ("[[proxy.nodes]]\nuri='sip:12345@10.0.0.11'", "without a user"),
        ("[[proxy.nodes]]\nuri='sip:node.example'", "an IP address"),
        ("[[proxy.nodes]]\nuri='sip:10.0.0.11;transport=tls'", "over udp or tcp"),
        ("[[proxy.nodes]]\nuri='sip:10.0.0.11'\nmaxcalls=3", "did you mean proxy.nodes.0.max_calls?"),
        ("[[proxy.nodes]]\nuri='sip:10.0.0.11'\n" * 2, "two nodes have the address sip:10.0.0.11"),
        ("[proxy]\ntransports=['tls']", '"tls" need tls_cert_file and tls_key_file'),
        ("[proxy]\ntls_verify_client=true", "tls_verify_client needs tls_ca_file"),
        ("[proxy]\nlisten='10.0.0.5:5060'\ninside='10.0.0.5:5060'", "inside is the same as listen"),
        ("[proxy]\npublic_address='192.0.2.1'", "public_address needs inside"),
        ("[proxy]\nprobe_s=0", "proxy.probe_s = 0"),
    ],
)
def test_wrong_settings_are_refused(text: str, part: str) -> None:
    Path("x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load_settings(Path("x.toml"))
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def run(text: str, *options: str) -> int:
    Path("x.toml").write_text(text, encoding="utf-8")
    return main(["kamailio-config", "--config", "x.toml", *options])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (NODES + TRUNK, "proxy.listen is not set"),
        (LISTEN + TRUNK, "proxy.nodes is empty"),
        (LISTEN + NODES, "sip.trunks and sip.allow name nobody"),
        (
            LISTEN + NODES + "[[sip.trunks]]\nname='a'\nuri='sip:carrier.example'",
            "give the networks it calls from",
        ),
    ],
)
def test_too_little_is_said_and_nothing_written(
    text: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(text) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert part in error
    assert not Path("kamailio").exists()


def test_the_command_writes_and_does_not_overwrite(capsys: pytest.CaptureFixture[str]) -> None:
    text = LISTEN + NODES + TRUNK
    assert run(text) == 0
    said = capsys.readouterr().out
    assert "2 nodes behind 10.0.0.5:5060" in said
    assert f"kamailio -c -f {Path('kamailio/kamailio.cfg').absolute()}" in said
    assert f'"{Path("kamailio/dispatcher.list").absolute()}"' in Path("kamailio/kamailio.cfg").read_text(
        "utf-8"
    )

    Path("kamailio/address.list").write_text("mine")
    assert run(text) == 2
    assert "kamailio/address.list: there already; --force" in capsys.readouterr().err
    assert Path("kamailio/address.list").read_text() == "mine"
    assert run(text, "--force", "--at", "/etc/kamailio") == 0
    assert Path("kamailio/address.list").read_text() != "mine"
    assert '"/etc/kamailio/dispatcher.list"' in Path("kamailio/kamailio.cfg").read_text("utf-8")


def test_the_page_and_the_example_show_every_key_of_a_node() -> None:
    page = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `proxy\.nodes` \| `\[\]` \| (.*) \|$", page, re.M)
    assert row
    assert set(re.findall(r"[a-z_]+", row[1])) == set(ProxyNode.model_fields)
    example = (ROOT / "hotline.example.toml").read_text(encoding="utf-8")
    block = re.search(r"^# \[\[proxy\.nodes\]\].*?(?=^\[|\n\n)", example, re.M | re.S)
    assert block
    shown = "\n".join(line.removeprefix("# ") for line in block[0].splitlines())
    assert set(re.findall(r"^(\w+) =", shown, re.M)) == set(ProxyNode.model_fields)
