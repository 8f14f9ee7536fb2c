"""The settings: defaults, the file, the environment, and how what is wrong is refused."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from hotline.errors import SettingsError
from hotline.settings import Settings, load_settings, setting_keys
from sip_config import PortRange, SeatSettings, Section, TrunkSettings

pytestmark = [pytest.mark.unit]

EXAMPLE = Path(__file__).parents[2] / "hotline.example.toml"
tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def load(text: str) -> Settings:
    Path("x.toml").write_text(text, encoding="utf-8")
    return load_settings(Path("x.toml"))


def refusal(text: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(text)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings(None)
    assert (settings.sip.host, settings.sip.port) == ("0.0.0.0", 5060)
    assert settings.sip.transports == ("udp", "tcp")
    assert settings.sip.rtp_ports == PortRange(16384, 18383)
    assert (settings.desk.host, settings.desk.port) == ("127.0.0.1", 8012)
    assert settings.records.url == "sqlite:///data/hotline.db"
    assert settings.records.dir == Path("data/recordings")
    assert (settings.asr.engine, settings.asr.model) == (("vosk",), "builtin")
    assert settings.tts.engine == ("auto",)
    assert (settings.limits.max_calls, settings.limits.drain_s, settings.limits.max_call_s) == (0, 30, 1800)
    assert settings.node.name


def test_the_example_holds_every_key_with_its_default() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert load_settings(EXAMPLE) == Settings()
    assert load_settings(EXAMPLE).node.name == Settings().node.name
    given = {f"{section}.{key}" for section, keys in tomllib.loads(text).items() for key in keys}
    for key in setting_keys():
        section, name = key.split(".")
        block = re.search(rf"^\[{section}\].*?(?=^\[|\Z)", text, re.M | re.S)
        assert block, section
        if isinstance(setting_keys()[key], SecretStr):
            assert f"{name}_file" in block[0]
            assert f"HOTLINE_{section}__{name}".upper() in block[0]
        elif isinstance(setting_keys()[key], tuple) and not setting_keys()[key]:
            assert re.search(rf"^# {name} = \[\]", block[0], re.M), key
        else:
            assert key in given, key


@pytest.mark.parametrize(("heading", "model"), [("sip.trunks", TrunkSettings), ("seats.seats", SeatSettings)])
def test_the_example_shows_every_key_of_a_list_entry(heading: str, model: type[Section]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    block = re.search(rf"^# \[\[{re.escape(heading)}\]\].*?(?=^\[|\Z)", text, re.M | re.S)
    assert block
    lines = "\n".join(line.removeprefix("# ") for line in block[0].splitlines())
    shown = set(re.findall(r"^(\w+) =", lines, re.M))
    assert shown == set(model.model_fields) - {"password"}
    assert load(lines)


def test_keys_of_recordings_come_from_files_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    current, old = "ab" * 32, "cd" * 32
    Path("the-key").write_text(current + "\n")
    Path("old-keys").write_text(f"{old}\n{current}\n")
    given = "[records]\nkey_file = 'the-key'\nold_keys_file = 'old-keys'\n"
    keys = load(given).records.keys
    assert keys.current is not None
    assert keys.current.secret == bytes.fromhex(current)
    assert [key.secret for key in keys.old] == [bytes.fromhex(old), bytes.fromhex(current)]
    assert current not in repr(load(given))
    monkeypatch.setenv("HOTLINE_RECORDS__KEY", old)
    assert load(given).records.keys.current == keys.old[0]
    monkeypatch.delenv("HOTLINE_RECORDS__KEY")
    assert load("").records.keys.current is None
    for wrong in ("hush", f"{current}\n{old}"):
        Path("the-key").write_text(wrong)
        message = refusal(given)
        assert "records.key: write 32 random bytes as 64 hex digits or in base64" in message
        assert "hush" not in message
        assert current not in message
    Path("the-key").write_text(current)
    Path("old-keys").write_text("hush")
    assert "records.old_keys: write 32 random bytes" in refusal(given)
    assert "records.key does not belong in this file" in refusal(f"[records]\nkey = '{current}'\n")


def test_the_current_folders_file_is_found() -> None:
    Path("hotline.toml").write_text("[sip]\nport = 5099\n")
    assert load_settings(None).sip.port == 5099


def test_a_range_of_ports_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SIP__RTP_PORTS", "20000-20099")
    assert load("").sip.rtp_ports == PortRange(20000, 20099)


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SIP__PORT", "5071")
    monkeypatch.setenv("HOTLINE_DIALOG__CITY", "云州市")
    settings = load("[sip]\nport = 5070\nhost = '127.0.0.1'\n")
    assert (settings.sip.port, settings.sip.host, settings.dialog.city) == (5071, "127.0.0.1", "云州市")


@pytest.mark.parametrize("value", ["udp", '["udp"]'])
def test_a_list_in_the_environment(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SIP__TRANSPORTS", value)
    monkeypatch.setenv("HOTLINE_TTS__ENGINE", "edge, espeak")
    monkeypatch.setenv("HOTLINE_ASR__ENGINE", "funasr-ws, vosk")
    monkeypatch.setenv("HOTLINE_ASR__SERVERS", "ws://a:1, wss://me:hush@b:2")
    settings = load("")
    assert settings.sip.transports == ("udp",)
    assert settings.tts.engine == ("edge", "espeak")
    assert settings.asr.engine == ("funasr-ws", "vosk")
    assert settings.asr.servers == ("ws://a:1", "wss://me:hush@b:2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[sip]\nprot = 1", ["x.toml", "sip.prot", "did you mean sip.port?"]),
        ("[sipp]\nport = 1", ["sipp", "did you mean sip?"]),
        ("[sip]\ndrain_s = 1", ["sip.drain_s", "limits.drain_s"]),
        ("[zzz]\nqqq = 1", ["zzz", "hotline.example.toml"]),
        ("sip = 3", ["sip", "table"]),
        ("[sip]\nport = 'x'", ["sip.port", '"x"', "integer"]),
        ("[sip]\nport = true", ["sip.port = true: write a number"]),
        ("[limits]\ndrain_s = false", ["limits.drain_s = false: write a number"]),
        ("[sip]\nport = 70000", ["sip.port", "70000", "65535"]),
        ("[sip]\ntransports = ['udp', 'sctp']", ["sip.transports", '"sctp"', "'udp', 'tcp' or 'tls'"]),
        ("[sip]\ntransports = ['tls']", ["sip", "tls_cert_file"]),
        ("[sip]\ntls_cert_file = 'none.pem'", ["sip.tls_cert_file", '"none.pem"', "no such file"]),
        ("[sip]\nallow = ['10.1.2.3/8']", ["sip.allow.0", '"10.1.2.3/8"', "192.0.2.0/24"]),
        ("[sip]\nrtp_ports = '9-3'", ["sip.rtp_ports", '"9-3"', "lower one first"]),
        ("[sip]\nrtp_ports = 'a'", ["sip.rtp_ports", '"16384-18383"']),
        ("[asr]\nengine = 'whisper'", ["asr.engine", '"whisper"', "'vosk'"]),
        ("[asr]\nengine = []", ["asr.engine", "at least 1"]),
        ("[asr]\nengine = ['vosk', 'vosk']", ["asr:", "vosk twice"]),
        ("[asr]\nengine = ['funasr-ws', 'vosk']", ["asr:", "funasr-ws needs servers"]),
        ("[asr]\nengine = 'vosk-ws'", ["asr:", "vosk-ws needs servers"]),
        ("[asr]\nengine = 'funasr'", ["asr:", "funasr needs funasr_streaming"]),
        ("[asr]\nengine = ['vosk', 'funasr-onnx']", ["asr:", "funasr-onnx needs funasr_streaming"]),
        ("[asr]\nengine = ['vosk-ws', 'funasr-ws']\nservers = ['ws://a']", ["asr:", "not both"]),
        ("[asr]\nservers = ['http://a:1']", ["asr.servers.0", '"http://a:1"', "ws://"]),
        ("[asr]\nservers = 'ws://a:1'", ["asr.servers", "a list"]),
        ("[asr]\nserver_mode = 'both'", ["asr.server_mode", '"both"', "'2pass'"]),
        ("[asr]\nserver_verify_tls = 'perhaps'", ["asr.server_verify_tls", '"perhaps"', "boolean"]),
        ("[tts]\nengine = 'piper'", ["tts:", "piper needs piper_model"]),
        ("[tts]\nengine = ['edge', 'x']", ["tts.engine", '"x"', "'espeak'"]),
        ("[records]\nurl = 'mysql://a/b'", ["records.url", "sqlite:///FILE"]),
        ("[dialog]\ntransfer_below = 2", ["dialog.transfer_below", "2", "less than or equal to 1"]),
        ("[llm]\nbase_url = 'localhost'", ["llm.base_url", '"localhost"', "http://"]),
        ("[llm]\nbase_url = 'http://a/v1'", ["llm", "needs model"]),
        ("[seats]\nmode = 'pbx'", ["seats", "needs queue"]),
        ("[[seats.seats]]\nid='1'\nname='a'\nuri='1001'", ["seats.seats.0.uri", '"1001"', "sip:"]),
        ("[[seats.seats]]\nid='1'\nname='a'", ["seats.seats.0", "uri", "user"]),
        ("[[seats.seats]]\nid='1'\nname='a'\nuser='b'", ["seats.seats.0", "needs password_file"]),
        (
            "[[seats.seats]]\nid='1'\nname='a'\nuri='sip:a@b'\n" * 2,
            ["two seats have the id '1'"],
        ),
        ("[[sip.trunks]]\nname='a'\nuri='sip:b'\nnetwork=[]", ["sip.trunks.0.networks?"]),
        ("[[sip.trunks]]\nname='a'\nuri='sip:b'\npasswort='x'", ["did you mean sip.trunks.0.password_file?"]),
        ("[[sip.trunks]]\nname='a'\nuri='sip:b'\nnetworks=['x']", ["sip.trunks.0.networks.0", '"x"']),
        ("[[sip.trunks]]\nname='a'\nuri='sip:b'\nregistration=true", ["registration needs user"]),
        ("[limits]\nmax_calls = -1\ndrain_s = 'a'", ["limits.max_calls", "-1", "(and 1 more)"]),
        ("x = ", ["x.toml", "not valid TOML"]),
    ],
)
def test_what_is_wrong_is_named(text: str, parts: list[str]) -> None:
    message = refusal(text)
    assert [part for part in parts if part not in message] == [], message


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: no such file"):
        load_settings(Path("nowhere.toml"))


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("HOTLINE_SIP__PROT", "1", ["HOTLINE_SIP__PROT", "HOTLINE_SIP__PORT"]),
        ("HOTLINE_SIP_PORT", "1", ["HOTLINE_SIP_PORT", "HOTLINE_SIP__PORT"]),
        ("HOTLINE_SIP", "{}", ["HOTLINE_SIP"]),
        ("HOTLINE_SIP__PORT", "1x", ["HOTLINE_SIP__PORT", "sip.port", '"1x"']),
        ("HOTLINE_SIP__TRANSPORTS", "[udp", ["HOTLINE_SIP__TRANSPORTS", '"[udp"', "list"]),
        ("HOTLINE_ASR__SERVERS", "http://me:hush@a", ["HOTLINE_ASR__SERVERS", '"http://me:***@a"']),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    message = refusal("")
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("[llm]\napi_key = 'hush'", "HOTLINE_LLM__API_KEY"),
        ("[desk]\napi_token = 'hush'", "desk.api_token_file"),
        ("[[sip.trunks]]\nname='a'\nuri='sip:b'\npassword='hush'", "sip.trunks.0.password_file"),
        ("[records]\nurl = 'postgresql://me:hush@db/hotline'", "records.url_file"),
        ("[asr]\nservers = ['ws://a', 'wss://me:hush@b:1']", "HOTLINE_ASR__SERVERS"),
        ("[asr]\nservers = ['http://me:hush@b:1']", "HOTLINE_ASR__SERVERS"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str, remedy: str) -> None:
    message = refusal(text)
    assert remedy in message
    assert "hush" not in message


def test_secrets_come_from_files_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("token").write_text("from-a-file\n")
    monkeypatch.setenv("HOTLINE_LLM__API_KEY", "from-a-variable")
    settings = load(
        "[desk]\napi_token_file = 'token'\n[llm]\napi_key_file = 'token'\n"
        "[[sip.trunks]]\nname='a'\nuri='sip:b'\npassword_file='token'\n"
    )
    assert settings.desk.api_token == SecretStr("from-a-file")
    assert settings.llm.api_key == SecretStr("from-a-variable"), "the variable wins"
    assert settings.sip.trunks[0].password == SecretStr("from-a-file")
    assert "from-a" not in repr(settings)


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("", "is empty")])
def test_a_secret_file_that_is_none(content: str | None, said: str) -> None:
    if content is not None:
        Path("token").write_text(content)
    message = refusal("[desk]\napi_token_file = 'token'")
    assert "api_token_file" in message
    assert said in message


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load("").sip.port = 1
