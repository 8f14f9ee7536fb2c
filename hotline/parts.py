"""The parts that calls need: opened with their settings, closed again in the reverse order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
import structlog

from asr import AsrError, Recognizer
from desk.live import LiveFeed
from dialog import Dialog, phrases
from dialog.embeddings import Embedder
from dialog.knowledge import Knowledge
from hotline.callbacks import CallbackBook, trunk_of
from hotline.dialogs import open_dialog, open_embedder
from hotline.errors import UsageError
from hotline.journal import RecordJournal
from hotline.knowledge import known_passages
from hotline.knowledge_sync import KnowledgeSync
from hotline.metrics import Metrics
from hotline.ports import RecordTickets
from hotline.recordings import Recordings, repair_recording
from hotline.seat_board import RecordSeats
from hotline.settings import Settings
from hotline.speech import names_to_hear, open_configured_voice, open_recognizer, open_writer, written
from hotline.telephone import seat_uri
from records import RecordsError, today_in_china
from records.store import Store
from records.writer import Writer
from tts import TtsError
from tts.fallback import FallbackVoice
from voice import second_opinion

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that calls need, open."""

    store: Store
    writer: Writer
    live: LiveFeed
    metrics: Metrics
    journal: RecordJournal
    recordings: Recordings
    recognizer: Recognizer
    voice: FallbackVoice
    tickets: RecordTickets
    callbacks: CallbackBook | None  # None: without a trunk nobody can be rung
    board: RecordSeats
    knowledge: Knowledge
    sync: KnowledgeSync
    dialog: Dialog


async def open_parts(settings: Settings, stack: contextlib.AsyncExitStack) -> Parts:
    """Open them in their order; `stack` closes them again. Raises UsageError."""
    store, writer = await anyio.to_thread.run_sync(_open_records, settings)
    stack.callback(store.close)
    stack.callback(writer.close)
    live, metrics = LiveFeed(), Metrics()
    journal = RecordJournal(store, writer, live, settings.node.name, observe=metrics.observe)
    stack.callback(journal.close)
    words = open_writer(settings.asr, settings.dialog.gazetteer)
    recognizer = written(await _opened(_open_recognizer, settings), words)
    stack.push_async_callback(recognizer.aclose)
    voice = await _opened(open_configured_voice, settings.tts)
    stack.push_async_callback(voice.aclose)
    await _warm(voice, settings)
    tickets = RecordTickets(store, writer)
    knowledge, sync = await anyio.to_thread.run_sync(
        _open_knowledge, settings, store, open_embedder(settings.embeddings, settings.dialog, stack)
    )
    stack.callback(knowledge.close)
    dialog = open_dialog(settings, knowledge, tickets, words, stack)
    if second_opinion.is_there():
        second_opinion.prepare()  # for the first caller
    return Parts(
        store=store,
        writer=writer,
        live=live,
        metrics=metrics,
        journal=journal,
        recordings=Recordings(settings.records, journal),
        recognizer=recognizer,
        voice=voice,
        tickets=tickets,
        callbacks=CallbackBook(store, writer, settings.callbacks) if trunk_of(settings) else None,
        board=RecordSeats(store, writer, settings.node.name, settings.seats.wrap_up_s),
        knowledge=knowledge,
        sync=sync,
        dialog=dialog,
    )


def _open_records(settings: Settings) -> tuple[Store, Writer]:
    """Open the store, close what a crash left open, show the one-time password on the very first start."""
    try:
        settings.records.dir.mkdir(parents=True, exist_ok=True)
        probe = settings.records.dir / ".writable"
        probe.touch()
        probe.unlink()
        store = Store(settings.records.url, tell_tickets=bool(settings.webhook.url))
        store.queue.forget(settings.node.name)
        for closed in store.close_unfinished(settings.node.name):
            log.warning("call_closed_after_crash", call_id=closed.call_id)
        for lost in store.lost_calls(settings.node.name):
            repair_recording(settings.records, lost.call_id, lost.recording)
        store.seed_seats(
            {"id": seat.id, "name": seat.name, "uri": seat_uri(seat), "skills": seat.skills, "status": "free"}
            for seat in settings.seats.seats
        )
        password = store.first_admin()
    except OSError as error:
        raise UsageError(f"records.dir {settings.records.dir}: {error.strerror or error}") from None
    except RecordsError as error:
        raise UsageError(str(error)) from None
    if password:
        line = f"first start: log in to the desk as admin with the one-time password {password}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - not into a log
    return store, Writer(store)


def _open_knowledge(
    settings: Settings, store: Store, embedder: Embedder | None
) -> tuple[Knowledge, KnowledgeSync]:
    """The index, as the database has it; in a folder of its own, as it is remade when it cannot be read."""
    folder = settings.dialog.index_dir / "passages.index"
    try:
        knowledge = Knowledge(today=today_in_china, folder=folder, embedder=embedder)
        sync = KnowledgeSync(store, knowledge)
        sync.open(settings.dialog.knowledge)
    except (OSError, ValueError) as error:
        raise UsageError(f"dialog.index_dir {settings.dialog.index_dir}: {error}") from error
    except RecordsError as error:
        raise UsageError(str(error)) from None
    return knowledge, sync


def _open_recognizer(settings: Settings) -> Recognizer:
    passages = partial(known_passages, settings)
    return open_recognizer(settings.asr, names_to_hear(settings.asr, passages, settings.dialog.gazetteer))


async def _opened(opener: Callable[[Any], Any], section: Any) -> Any:
    try:
        return await anyio.to_thread.run_sync(opener, section)
    except (AsrError, TtsError) as error:
        raise UsageError(str(error)) from None


async def _warm(voice: FallbackVoice, settings: Settings) -> None:
    """Synthesise the greeting now, so that the first caller does not wait for it."""
    greeting = phrases.greeting(settings.dialog.city, "一二三四五热线")
    try:
        await voice.warm([greeting, *phrases.fixed_phrases()])
    except TtsError as error:
        log.warning("voice_not_warm", error=str(error))
