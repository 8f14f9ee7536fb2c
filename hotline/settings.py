"""The settings: one `hotline.toml` and the environment (HOTLINE_<SECTION>__<KEY>, which wins).

Only this package reads them; other packages are given plain values. Relative paths are relative to the
folder the program is started in.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from hotline.errors import SettingsError
from hotline.sections import (
    AsrSettings,
    CallbacksSettings,
    DeskSettings,
    DialogSettings,
    EmbeddingsSettings,
    LimitsSettings,
    LlmSettings,
    LogSettings,
    NodeSettings,
    RecordsSettings,
    TtsSettings,
    TurnsSettings,
    WebhookSettings,
)
from sip_config import ProxySettings, SeatsSettings, SipSettings

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

DEFAULT_FILE = Path("hotline.toml")
ENV_PREFIX = "HOTLINE_"


class _Environment(EnvSettingsSource):
    """Lists may be written as JSON or with commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            if str(value).lstrip().startswith(("[", "{")):
                return value  # no list after all: refused by the field itself, which names the key
            return [part.strip() for part in str(value).split(",")]


class Settings(BaseSettings):
    """All settings, immutable; made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    sip: SipSettings = SipSettings()
    desk: DeskSettings = DeskSettings()
    records: RecordsSettings = RecordsSettings()
    asr: AsrSettings = AsrSettings()
    tts: TtsSettings = TtsSettings()
    llm: LlmSettings = LlmSettings()
    dialog: DialogSettings = DialogSettings()
    embeddings: EmbeddingsSettings = EmbeddingsSettings()
    webhook: WebhookSettings = WebhookSettings()
    seats: SeatsSettings = SeatsSettings()
    callbacks: CallbacksSettings = CallbacksSettings()
    proxy: ProxySettings = ProxySettings()
    turns: TurnsSettings = TurnsSettings()
    limits: LimitsSettings = LimitsSettings()
    log: LogSettings = LogSettings()
    node: NodeSettings = NodeSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file (handed in as arguments)."""
        return _Environment(settings_cls), init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read `path` (None: hotline.toml in the current folder, if there is one) and the environment.

    Raises SettingsError, whose one line names the key, the value and what would be right.
    """
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    given = _read_toml(path) if path else {}
    name = str(path) if path else ""
    _refuse_secrets(given, name)
    _refuse_unknown_variables()
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [_explain(item, name) for item in error.errors()]
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise SettingsError(lines[0] + more) from None


def setting_keys() -> dict[str, Any]:
    """Every key that can be set, as section.key, with its default."""
    return {
        f"{section}.{key}": getattr(field.default, key)
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; copy hotline.example.toml and change it") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    return given


def _refuse_secrets(given: Mapping[str, Any], file: str) -> None:
    for key in _secrets_in(Settings, given, ""):
        raise SettingsError(
            f"{file}: {key} does not belong in this file; name a file that holds it in {key}_file"
            + ("" if ".trunks." in key else f", or set {_variable(key)}")
        )
    url = given.get("records", {}).get("url") if isinstance(given.get("records"), dict) else None
    if isinstance(url, str) and urlsplit(url).password:
        raise SettingsError(
            f"{file}: records.url holds a password, which does not belong in this file;"
            " name a file that holds the URL in records.url_file, or set HOTLINE_RECORDS__URL"
        )
    servers = given.get("asr", {}).get("servers") if isinstance(given.get("asr"), dict) else None
    if isinstance(servers, list) and any(isinstance(url, str) and urlsplit(url).password for url in servers):
        raise SettingsError(
            f"{file}: asr.servers holds a password, which does not belong in this file;"
            " set HOTLINE_ASR__SERVERS"
        )


def _secrets_in(model: type[BaseModel], given: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The keys in `given` whose fields in `model` are secrets."""
    for key, field in model.model_fields.items():
        if not given.get(key):
            continue
        if field.annotation is SecretStr:
            yield f"{prefix}{key}"
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            if isinstance(given[key], dict):
                yield from _secrets_in(field.annotation, given[key], f"{prefix}{key}.")
        elif isinstance(given[key], list):
            for item_model in typing.get_args(field.annotation):
                if isinstance(item_model, type) and issubclass(item_model, BaseModel):
                    for number, item in enumerate(given[key]):
                        if isinstance(item, dict):
                            yield from _secrets_in(item_model, item, f"{prefix}{key}.{number}.")


def _refuse_unknown_variables() -> None:
    known = {_variable(key): key for key in setting_keys()}
    for name in os.environ:
        if not name.upper().startswith(ENV_PREFIX) or name.upper() in known:
            continue
        raise SettingsError(f"{name}: no such setting;{_meant(name.upper(), list(known))}")


def _explain(error: ErrorDetails, file: str) -> str:
    loc = [str(part) for part in error["loc"]]
    key = ".".join(loc)
    where = _origin(loc, file)
    message = error["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    if error["type"] == "extra_forbidden":
        return f"{where}{key}: no such setting;{_meant(key, _siblings(loc))}"
    if error["type"] == "model_type":
        return f"{where}{key}: expected a table, [{key}] and keys below it"
    value = error["input"]
    shown = "" if isinstance(value, dict) or _is_secret(loc) else f" = {_short(value)}"
    return f"{where}{key}{shown}: {message[:1].lower()}{message[1:]}"


def _origin(loc: list[str], file: str) -> str:
    """Where the value came from: the variable, or the file."""
    variable = _variable(".".join(loc[:2]))
    if any(name.upper() == variable for name in os.environ):
        return f"{variable}: "
    return f"{file}: " if file else ""


def _siblings(loc: list[str]) -> list[str]:
    """What could have stood in the place of an unknown key."""
    if len(loc) == 1:
        return list(Settings.model_fields)
    if len(loc) == 2:
        here = [key for key in setting_keys() if key.startswith(f"{loc[0]}.")]
        return here + [key for key in setting_keys() if key.endswith(f".{loc[1]}")]
    items = typing.get_args(type(getattr(Settings(), loc[0])).model_fields[loc[1]].annotation)
    prefix = ".".join(loc[:-1])
    fields = [pair for item in items if hasattr(item, "model_fields") for pair in item.model_fields.items()]
    return [f"{prefix}.{key}" for key, field in fields if field.annotation is not SecretStr]


def _meant(name: str, candidates: list[str]) -> str:
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.7)
    if close:
        return f" did you mean {close[0]}?"
    return " hotline.example.toml lists them all"


def _is_secret(loc: list[str]) -> bool:
    secrets = ("password", "secret", "api_key", "api_token", "key", "old_keys")
    return loc[-1] in secrets or loc[:2] == ["records", "url"]


def _short(value: object) -> str:
    text = re.sub(r":[^:@/]*@", ":***@", json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else text[:57] + "..."


def _variable(key: str) -> str:
    return ENV_PREFIX + key.replace(".", "__").upper()
