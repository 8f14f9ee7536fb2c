"""The sections of the settings that belong to no telephone: their keys, defaults and limits."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from records.keys import Keys, parse_key, parse_keys
from sip_config import Section
from sip_config.hours import parse_hours

AsrEngine = Literal["vosk", "vosk-ws", "funasr", "funasr-onnx", "funasr-ws"]
TtsEngine = Literal["auto", "edge", "espeak", "piper"]


class DeskSettings(Section):
    """The section [desk]: the web side."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8012, ge=0, le=65535)  # 0: any free one
    api_token: SecretStr = SecretStr("")
    api_token_file: str = ""


def _database_url(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return value


def _recording_key(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        parse_key(value.get_secret_value())
    return value


def _recording_keys(value: SecretStr) -> SecretStr:
    parse_keys("", value.get_secret_value())
    return value


class RecordsSettings(Section):
    """The section [records]: the database and the recordings."""

    url: Annotated[str, AfterValidator(_database_url)] = "sqlite:///data/hotline.db"
    url_file: str = ""  # for a URL with a password in it
    dir: Path = Path("data/recordings")
    key: Annotated[SecretStr, AfterValidator(_recording_key)] = SecretStr("")  # none: not encrypted
    key_file: str = ""
    old_keys: Annotated[SecretStr, AfterValidator(_recording_keys)] = SecretStr("")  # one a line
    old_keys_file: str = ""

    @property
    def keys(self) -> Keys:
        """What recordings are sealed and opened with."""
        return parse_keys(self.key.get_secret_value(), self.old_keys.get_secret_value())


def _chain(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _websocket_url(value: str) -> str:
    if not re.fullmatch(r"wss?://[^/\s]+\S*", value):
        raise ValueError("write an address such as ws://10.1.2.3:10095, or wss:// with TLS")
    return value


class AsrSettings(Section):
    """The section [asr]: speech recognition; several engines are a chain, the next takes over in mid-call."""

    engine: Annotated[tuple[AsrEngine, ...], BeforeValidator(_chain), Field(min_length=1)] = ("vosk",)
    model: str = Field(default="builtin", min_length=1)  # Vosk's
    workers: int = Field(default=0, ge=0, le=256)  # 0: one per core
    models_dir: Path = Path("data/models")
    funasr_streaming: str = ""
    funasr_offline: str = ""
    funasr_punctuation: str = ""
    servers: tuple[Annotated[str, AfterValidator(_websocket_url)], ...] = ()
    server_mode: Literal["2pass", "online", "offline"] = "2pass"
    server_reuse: bool = False
    server_verify_tls: bool = True
    itn: bool = True
    hotwords: bool = True

    @property
    def uses_builtin_model(self) -> bool:
        """Whether a caller may be heard by the model that knows synthetic voices only."""
        return "vosk" in self.engine and self.model == "builtin"

    @model_validator(mode="after")
    def _whole(self) -> AsrSettings:
        for name in self.engine:
            if self.engine.count(name) > 1:
                raise ValueError(f"engine names {name} twice")
            if name.endswith("-ws") and not self.servers:
                raise ValueError(f"engine {name} needs servers, a list such as ['ws://10.1.2.3:10095']")
            if name in ("funasr", "funasr-onnx") and not self.funasr_streaming:
                raise ValueError(f"engine {name} needs funasr_streaming, the folder of its streaming model")
        if {"vosk-ws", "funasr-ws"} <= set(self.engine):
            raise ValueError("servers are of one kind: engine can name vosk-ws or funasr-ws, not both")
        return self


class TtsSettings(Section):
    """The section [tts]: the agent's voice; several engines are a chain, tried in turn."""

    engine: Annotated[tuple[TtsEngine, ...], BeforeValidator(_chain), Field(min_length=1)] = ("auto",)
    voice: str = Field(default="auto", min_length=1)
    cache_dir: Path = Path("data/tts-cache")
    piper_model: str = ""

    @model_validator(mode="after")
    def _whole(self) -> TtsSettings:
        if "piper" in self.engine and not self.piper_model:
            raise ValueError("engine piper needs piper_model, the path of its .onnx voice")
        return self


def _http_url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("write a web address such as http://127.0.0.1:8000/v1")
    return value


class LlmEndpointSettings(Section):
    """One of [[llm.others]]."""

    base_url: Annotated[str, AfterValidator(_http_url), Field(min_length=1)]
    model: str = Field(min_length=1)
    api_key: SecretStr = SecretStr("")
    api_key_file: str = ""
    logprobs: bool = False  # ask for how probable the words were; not every endpoint tells


class LlmSettings(Section):
    """The section [llm]: any OpenAI-compatible endpoint; without one the embedded dialog serves."""

    base_url: Annotated[str, AfterValidator(_http_url)] = ""
    model: str = ""
    api_key: SecretStr = SecretStr("")
    api_key_file: str = ""
    logprobs: bool = False  # ask for how probable the words were; not every endpoint tells
    others: tuple[LlmEndpointSettings, ...] = ()  # asked in this order when the first does not answer

    @model_validator(mode="after")
    def _whole(self) -> LlmSettings:
        if self.base_url and not self.model:
            raise ValueError("base_url needs model, the name of the model at that endpoint")
        if self.others and not self.base_url:
            raise ValueError("others needs base_url, the endpoint that is asked first")
        return self


class DialogSettings(Section):
    """The section [dialog]."""

    city: str = Field(default="临江市", min_length=1)
    knowledge: str = Field(default="sample", min_length=1)  # what a new database begins with: a path, or none
    index_dir: Path = Path("data/knowledge")
    taxonomy: str = Field(default="sample", min_length=1)  # or a YAML file
    gazetteer: str = Field(default="sample", min_length=1)  # or a YAML file
    services: str = Field(default="sample", min_length=1)  # or a folder of YAML files, or none
    transfer_below: float = Field(default=0.45, ge=0, le=1)
    answer_from: float = Field(default=0.72, ge=0, le=1)
    ask_satisfaction: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> DialogSettings:
        if self.answer_from < self.transfer_below:
            raise ValueError("answer_from must not be below transfer_below")
        return self


class EmbeddingsSettings(Section):
    """The section [embeddings]: an OpenAI-compatible endpoint that helps to find passages, if any."""

    base_url: Annotated[str, AfterValidator(_http_url)] = ""
    model: str = ""
    api_key: SecretStr = SecretStr("")
    api_key_file: str = ""
    timeout_s: float = Field(default=0.3, ge=0.05, le=5)

    @model_validator(mode="after")
    def _whole(self) -> EmbeddingsSettings:
        if self.base_url and not self.model:
            raise ValueError("base_url needs model, the name of the model at that endpoint")
        return self


class WebhookSettings(Section):
    """The section [webhook]: the city's own system, which is told of every work order."""

    url: Annotated[str, AfterValidator(_http_url)] = ""
    secret: SecretStr = SecretStr("")
    secret_file: str = ""
    timeout_s: float = Field(default=10, ge=0.5, le=120)
    give_up_after_h: float = Field(default=72, ge=0.1, le=1000)

    @model_validator(mode="after")
    def _whole(self) -> WebhookSettings:
        if self.url and not (self.secret.get_secret_value() or self.secret_file):
            raise ValueError("url needs secret_file, a file with the secret that messages are signed with")
        return self


def _callback_hours(value: str) -> str:
    parse_hours(value)
    return value


class CallbacksSettings(Section):
    """The section [callbacks]: people who are called back, as it was promised or their call was missed."""

    trunk: str = ""  # the name of the one of sip.trunks that is dialled through; "": the first
    hours: Annotated[str, AfterValidator(_callback_hours)] = "08:30-20:00"  # when people may be rung
    attempts: int = Field(default=3, ge=1, le=20)
    retry_after_min: float = Field(default=30, ge=0.1, le=1440)
    abandoned: bool = True  # whoever hung up while waiting for a seat is called back
    satisfaction: float = Field(default=0, ge=0, le=1)  # the share of filed work orders that is asked about
    satisfaction_after_h: float = Field(default=72, ge=0, le=1000)


class TurnsSettings(Section):
    """The section [turns]: when a caller's turn begins, pauses and ends, and how long a caller waits."""

    patience: float = Field(default=1.0, ge=0.3, le=3)
    complete_s: float = Field(default=0.3, ge=0.1, le=3)
    uncertain_s: float = Field(default=1.08, ge=0.1, le=5)
    dangling_s: float = Field(default=1.6, ge=0.3, le=5)
    pause_margin_s: float = Field(default=0.3, ge=0, le=2)
    unknown_s: float = Field(default=0.6, ge=0.1, le=3)
    dictation_s: float = Field(default=0.9, ge=0, le=3)
    voice_weight: float = Field(default=0.0, ge=0, le=3)
    start_speech_s: float = Field(default=0.1, ge=0.02, le=1)
    preroll_s: float = Field(default=0.3, ge=0, le=2)
    resume_speech_s: float = Field(default=0.06, ge=0.02, le=0.5)
    prepare_silence_s: float = Field(default=0.12, ge=0.06, le=1)
    no_input_s: float = Field(default=6.0, ge=1, le=60)
    max_turn_s: float = Field(default=30, ge=5, le=300)
    hold_speech_s: float = Field(default=0.1, ge=0.02, le=2)
    hold_silence_s: float = Field(default=0.24, ge=0.06, le=1)
    barge_in_speech_s: float = Field(default=0.16, ge=0.02, le=2)
    barge_in_anyway_s: float = Field(default=1.2, ge=0.1, le=5)
    murmur_s: float = Field(default=0.8, ge=0.1, le=3)
    false_alarm_s: float = Field(default=1.0, ge=0.3, le=5)
    filler_after_s: float = Field(default=0.7, ge=0.3, le=10)
    filler_again_s: float = Field(default=3.0, ge=1, le=30)
    hearing_late_s: float = Field(default=1.0, ge=0.3, le=10)


class LimitsSettings(Section):
    """The section [limits]."""

    max_calls: int = Field(default=0, ge=0)  # 0: what the pjsua2 build allows
    drain_s: float = Field(default=30, ge=0)
    max_call_s: float = Field(default=1800, ge=10)
    loop_late_s: float = Field(default=0.25, ge=0.05, le=10)
    asr_late_s: float = Field(default=0.5, ge=0.2, le=30)


class LogSettings(Section):
    """The section [log]."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class NodeSettings(Section):
    """The section [node]; `name` is this machine's in the records, by default its host name."""

    name: Annotated[str, AfterValidator(lambda name: name or socket.gethostname())] = ""
