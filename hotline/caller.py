"""The synthetic caller: rings an agent, speaks when it falls silent, measures on the received audio."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio
from rich.console import Console
from rich.table import Table

from hotline.errors import HotlineError, UsageError
from hotline.speech import read_wav, synthesise
from records.recording import Recording
from tts import VoiceFailed
from tts.cache import CachedVoice
from tts.espeak_voice import EspeakVoice
from voice.media import level_dbfs
from voice.phone import FRAME_S, CallError, LegGone
from voice.sip import SipConfig, SipEndpoint, SipLeg, TlsConfig

SOUND_DBFS = -45.0  # a received frame above this is the agent's voice (or music)
QUIET_S = 0.7  # the agent has fallen silent when it was quiet this long; clause pauses are shorter
RESPONSE_TIMEOUT_S = 15.0
LISTEN_AFTER_LAST_S = 20.0  # at most, for the agent's last words
RING_TIMEOUT_S = 10.0
SIP_URI = re.compile(r"sips?:([^@\s]+@)?[^@\s;]+(;\S*)?")
NAMED_TRANSPORT = re.compile(r";transport=([^;?]*)", re.IGNORECASE)
TRANSPORTS = ("udp", "tcp", "tls")
KEYS = re.compile(r"[0-9A-D*#]*")
NUMBER = re.compile(r"\+?[\w.~*-]+", re.ASCII)
PHONE_CODECS = {"PCMA": "PCMA/8000", "PCMU": "PCMU/8000", "G722": "G722/16000"}


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """What to do in the call; the items are all `say`, then all `wav`, then `dtmf`."""

    uri: str
    say: list[str] = field(default_factory=list)
    wav: list[Path] = field(default_factory=list)
    dtmf: str = ""
    record: Path | None = None
    json: bool = False
    codec: str = "PCMA"
    transport: str = "udp"
    srtp: bool = False
    at_once: bool = False
    voice: str = "f5"
    user: str = "13800000000"
    stay_s: float = 0.0  # stay on the line this long after the last item, e.g. while with a seat


@dataclass(slots=True)
class CallerTurn:
    """One item spoken, and how soon the agent answered: from its last sound sent to the first received."""

    said: str
    response_gap_ms: float | None = None  # None: no answer came
    answer_s: float = 0.0  # how long the agent spoke


@dataclass(slots=True)
class CallerReport:
    """The call as the caller saw it."""

    answered_ms: float = 0.0  # from INVITE to 200 OK
    greeting_ms: float | None = None  # from 200 OK to the agent's first sound
    turns: list[CallerTurn] = field(default_factory=list)
    end_reason: str = "caller_hangup"
    duration_s: float = 0.0


class Line:
    """The caller's ears: when the agent makes sound, on the clock of the received audio."""

    def __init__(self, leg: SipLeg, record: Path | None) -> None:
        self.leg = leg
        self.clock_s = 0.0
        self.sound_began_s: float | None = None  # of the agent's current or latest speech
        self.last_sound_s = float("-inf")
        self.last_said_s = 0.0  # when our last audible frame was sent
        self._file = Recording(record) if record else None
        self._moved = anyio.Event()
        leg.tap(self._tick)

    def _tick(self, received: bytes, sent: bytes) -> None:
        if level_dbfs(received) > SOUND_DBFS:
            if self.clock_s - self.last_sound_s > QUIET_S or self.sound_began_s is None:
                self.sound_began_s = self.clock_s
            self.last_sound_s = self.clock_s
        if level_dbfs(sent) > SOUND_DBFS:
            self.last_said_s = self.clock_s + FRAME_S
        if self._file is not None:
            self._file.write(sent, received)
        self.clock_s += FRAME_S
        self._moved.set()
        self._moved = anyio.Event()

    def forget(self) -> None:
        """The next sound counts as a new speech."""
        self.sound_began_s = None

    async def agent_speaks(self, timeout_s: float) -> bool:
        """Wait for the agent's first sound since forget(); False when none comes in time."""
        deadline_s = self.clock_s + timeout_s
        while self.sound_began_s is None:
            if self.clock_s > deadline_s:
                return False
            await self._moved.wait()
        return True

    async def agent_is_quiet(self, timeout_s: float = 60.0) -> None:
        """Wait until the agent has been quiet for QUIET_S."""
        deadline_s = self.clock_s + timeout_s
        while self.clock_s - self.last_sound_s < QUIET_S and self.clock_s < deadline_s:
            await self._moved.wait()

    def close(self) -> None:
        self.leg.tap(None)
        if self._file is not None:
            self._file.close().result()


def run_caller(options: CallerOptions) -> int:
    """Make the call and print the report; 0 when it was answered and every item got an answer."""
    try:
        report = anyio.run(place_call, options)
    except (CallError, VoiceFailed) as error:
        raise HotlineError(f"{options.uri}: {error}") from None
    if options.json:
        print(jsonlib.dumps(asdict(report), ensure_ascii=False))  # noqa: T201 - the report itself
    else:
        _show(report)
    return 0 if all(turn.response_gap_ms is not None for turn in report.turns) else 1


async def place_call(options: CallerOptions) -> CallerReport:
    """Ring, hold the conversation, hang up. Raises CallError when nobody answers, TtsError."""
    _check(options)
    transport = _transport(options)
    items = await _prepare(options)
    report = CallerReport()
    async with _endpoint(options, transport) as endpoint:
        asked_at = anyio.current_time()
        named = transport == "udp" or NAMED_TRANSPORT.search(options.uri)
        uri = options.uri + ("" if named else f";transport={transport}")
        leg = await endpoint.dial(uri, call_id="", timeout_s=RING_TIMEOUT_S)
        report.answered_ms = round((anyio.current_time() - asked_at) * 1000, 1)
        line = Line(leg, options.record)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_when_gone, leg, tasks.cancel_scope)
            with suppress(LegGone):  # the agent may say goodbye and hang up
                await _converse(line, items, options, report)
            await leg.hangup()
        report.end_reason = "caller_hangup" if await leg.gone() == "local_hangup" else "agent_hangup"
        report.duration_s = round(line.clock_s, 2)
        await anyio.to_thread.run_sync(line.close)
    return report


async def _converse(
    line: Line, items: list[tuple[str, bytes]], options: CallerOptions, report: CallerReport
) -> None:
    if await line.agent_speaks(RESPONSE_TIMEOUT_S):
        assert line.sound_began_s is not None
        report.greeting_ms = round(line.sound_began_s * 1000, 1)
    for said, pcm in items:
        if not options.at_once:
            await line.agent_is_quiet()
        report.turns.append(CallerTurn(said))
        await _speak(line, pcm, report.turns[-1])
    if options.dtmf:
        if not options.at_once:
            await line.agent_is_quiet()
        line.forget()
        await line.leg.send_dtmf(options.dtmf)
        await line.agent_speaks(RESPONSE_TIMEOUT_S)
    await line.agent_is_quiet(LISTEN_AFTER_LAST_S)
    await anyio.sleep(options.stay_s)


async def _stop_when_gone(leg: SipLeg, scope: anyio.CancelScope) -> None:
    await leg.gone()
    scope.cancel()


async def _speak(line: Line, pcm: bytes, turn: CallerTurn) -> None:
    await line.leg.play(pcm)
    await line.leg.drained()
    line.forget()
    if await line.agent_speaks(RESPONSE_TIMEOUT_S):
        assert line.sound_began_s is not None
        turn.response_gap_ms = round((line.sound_began_s - line.last_said_s) * 1000, 1)
        began_s = line.sound_began_s
        try:
            await line.agent_is_quiet()
        finally:  # also when the agent hangs up after it
            turn.answer_s = round(line.last_sound_s - began_s, 2)


@asynccontextmanager
async def _endpoint(options: CallerOptions, transport: str) -> AsyncIterator[SipEndpoint]:
    config = SipConfig(
        host="::" if "[" in options.uri else "0.0.0.0",
        port=0,
        transports=(transport,),
        tls=TlsConfig(port=0, verify_server=False),  # it looks for faults, and has no secrets
        srtp="required" if options.srtp else "off",
        rtp_port=0,
        user=options.user,
        codecs=(PHONE_CODECS[options.codec.upper()],),
    )
    endpoint = SipEndpoint(config)
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.stop()


async def _prepare(options: CallerOptions) -> list[tuple[str, bytes]]:
    """All audio before the call, so that synthesis does not count as thinking time."""
    voice = CachedVoice(EspeakVoice(options.voice), None)
    items = [(text, await synthesise(voice, text)) for text in options.say]
    await voice.aclose()
    return items + [(path.name, read_wav(path)) for path in options.wav]


def _check(options: CallerOptions) -> None:
    if not SIP_URI.fullmatch(options.uri):
        raise UsageError(f"{options.uri!r} is no SIP address; write one like sip:12345@127.0.0.1:5060")
    if options.codec.upper() not in PHONE_CODECS:
        raise UsageError(f"unknown codec {options.codec!r}; known are {', '.join(PHONE_CODECS)}")
    if not KEYS.fullmatch(options.dtmf):
        raise UsageError(f"{options.dtmf!r} are no keys of a telephone; those are 0 to 9, *, # and A to D")
    if not NUMBER.fullmatch(options.user):
        raise UsageError(f"{options.user!r} is no number to call from; write one like 13800000000")
    if not all(text.strip() for text in options.say):
        raise UsageError("--say needs words; there are none to say in a blank text")


def _transport(options: CallerOptions) -> str:
    """What carries the SIP messages: as the address itself says, else the option."""
    named = NAMED_TRANSPORT.search(options.uri)
    if named is None:
        return "tls" if options.uri.startswith("sips:") else options.transport
    if named[1].lower() not in TRANSPORTS:
        raise UsageError(f"unknown transport {named[1]!r} in the address; known are {', '.join(TRANSPORTS)}")
    return named[1].lower()


def _show(report: CallerReport) -> None:
    console = Console()
    greeting = "no greeting" if report.greeting_ms is None else f"greeting after {report.greeting_ms:.0f} ms"
    console.print(f"answered after {report.answered_ms:.0f} ms, {greeting}")
    if report.turns:
        table = Table("said", "response gap ms", "answer s")
        for turn in report.turns:
            gap = "none" if turn.response_gap_ms is None else f"{turn.response_gap_ms:.0f}"
            table.add_row(turn.said, gap, f"{turn.answer_s:.1f}")
        console.print(table)
    console.print(f"ended: {report.end_reason}, {report.duration_s:.1f} s")
