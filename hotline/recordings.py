"""The calls' recordings: opened for each call, paused by command, and their loss told."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import structlog

from hotline.sections import RecordsSettings
from records import Conflict, NotFound, RecordsError
from records.playback import find_recording
from records.recording import Recording, recording_name, repair
from voice.events import Happened, Journal
from voice.recorder import CallRecorder

log = structlog.get_logger()


class Recordings:
    """Made on the event loop, where all of it is used."""

    def __init__(self, settings: RecordsSettings, journal: Journal) -> None:
        self.recorders: dict[str, CallRecorder] = {}  # of the calls that run, by call id; the calls fill it
        self._folder = settings.dir
        self._key = settings.keys.current
        self._journal = journal
        self._loop = asyncio.get_running_loop()

    def open(self, call_id: str) -> tuple[Recording, str]:
        """A call's file, and its name for the record; when it is lost, that is an alarm and an event."""

        def on_error(error: RecordsError) -> None:  # on any thread
            log.error("recording_failed", call_id=call_id, error=str(error))
            self._loop.call_soon_threadsafe(lost, error)

        def lost(error: RecordsError) -> None:
            detail = {"stage": "recording", "error": str(error)}
            self._journal.emit(Happened(call_id, file.length_s, "failed", detail))

        name = recording_name(call_id, datetime.now(timezone.utc), sealed=self._key is not None)
        file = Recording(self._folder / name, key=self._key, on_error=on_error)
        return file, name

    def pause(self, call_id: str, pause: bool, by: str) -> None:
        """Pause or resume a running call's recording. Raises NotFound, Conflict."""
        recorder = self.recorders.get(call_id)
        if recorder is None:
            raise NotFound(f"the call {call_id} does not run on this node")
        if recorder.failed:
            raise Conflict(f"the call {call_id} is not recorded: its recording has failed")
        if pause:
            recorder.pause(by)
        else:
            recorder.resume(by)


def repair_recording(settings: RecordsSettings, call_id: str, name: str) -> None:
    """Bring what a crash left of a call's recording to a proper end; what cannot be repaired is logged."""
    path = find_recording(settings.dir, name)
    try:
        if path is not None:
            repair(path, settings.keys)
    except RecordsError as error:  # the program starts nevertheless: this is one call's sound
        log.error("recording_not_repaired", call_id=call_id, error=str(error))
