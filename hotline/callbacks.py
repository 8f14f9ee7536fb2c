"""Call-backs: keeps what was promised, and rings people when it is due and a seat is free."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import anyio
import anyio.to_thread
import structlog

from dialog import CallContext, Summary, TicketDraft
from dialog.scripts import Script, ScriptError, load_script
from hotline.errors import UsageError
from hotline.sections import CallbacksSettings
from hotline.settings import Settings
from records import CHINA, RecordsError, china_now
from records.store import Store
from records.writer import Writer
from sip_config import TrunkSettings
from sip_config.hours import parse_hours, within
from voice.callback import CallBack, CameOf, call_back
from voice.kit import Kit

log = structlog.get_logger()
T = TypeVar("T")

LOOK_EVERY_S = 2.0
BROKEN_S = 5.0  # until the next look after the database failed
FILED_FOR_US = "回拨"  # work orders that ask the staff for a call-back: nobody is asked about those
BY_A_SEAT = "callback"  # the script of a call that a seat takes over
# Of these another attempt may do better; the others are the end of it.
AGAIN = frozenset(
    {"busy", "declined", "no_answer", "unreachable", "gone", "failed", "no_seat", "not_confirmed"}
)
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_SUMMARY = tuple(one.name for one in fields(Summary))

FileTicket = Callable[[CallContext, str, TicketDraft], Awaitable[str]]


def trunk_of(settings: Settings) -> TrunkSettings | None:
    """The trunk that people are called back through; None without trunks. Raises UsageError."""
    name, trunks = settings.callbacks.trunk, settings.sip.trunks
    found = next((trunk for trunk in trunks if name in ("", trunk.name)), None)
    if name and found is None:
        known = ", ".join(trunk.name for trunk in trunks) or "none"
        raise UsageError(f"callbacks.trunk: there is no trunk {name}; sip.trunks has {known}")
    return found


def number_at(trunk_uri: str, number: str) -> str:
    """The SIP URI of `number` at a trunk: with the trunk's host, port and parameters."""
    scheme, _, rest = trunk_uri.partition(":")
    return f"{scheme}:{number}@{rest.rpartition('@')[2]}"


def next_opening(hours: str, at: datetime) -> datetime:
    """`at` itself within `hours` of the day, else when they next begin; in China's time."""
    begin, _end = parse_hours(hours)
    at = at.astimezone(CHINA)
    if within(hours, at.time()):
        return at
    opening = at.replace(hour=begin // 60, minute=begin % 60, second=0, microsecond=0)
    return opening if opening > at else opening + timedelta(days=1)


class CallbackBook:
    """A voice.promises.Promises on the store; also decides which filed work orders are asked about."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        settings: CallbacksSettings,
        clock: Callable[[], datetime] = china_now,
    ) -> None:
        self._store = store
        self._writer = writer
        self._settings = settings
        self._clock = clock

    async def promise(
        self, call: CallContext, reason: Literal["promised", "abandoned"], summary: Summary, skill: str
    ) -> bool:
        wanted = reason != "abandoned" or self._settings.abandoned
        return wanted and await self._keep(
            f"{call.call_id}:{reason}", call, call.caller, reason, summary, skill=skill, due_at=self._clock()
        )

    async def reached(self, call: CallContext) -> None:
        await self._safely(self._store.callbacks.reached, call.caller, call.call_id)

    def asking(self, file_ticket: FileTicket) -> FileTicket:
        """`file_ticket`, after which the caller of some is to be asked how it went."""
        if not self._settings.satisfaction:
            return file_ticket

        async def file(call: CallContext, key: str, draft: TicketDraft) -> str:
            number = await file_ticket(call, key, draft)
            if draft.category != FILED_FOR_US and share_of(number) < self._settings.satisfaction:
                await self._ask_later(call, number, draft)
            return number

        return file

    async def _ask_later(self, call: CallContext, number: str, draft: TicketDraft) -> None:
        contact = draft.slots.get("contact", "")
        summary = Summary(
            caller=draft.slots.get("name", ""),
            request=f"工单{number}：{draft.title}",
            place=draft.slots.get("place", ""),
            category=draft.category,
            department=draft.department,
        )
        await self._keep(
            f"satisfaction:{number}",
            call,
            contact if _NUMBER.fullmatch(contact) else call.caller,
            "satisfaction",
            summary,
            due_at=self._clock() + timedelta(hours=self._settings.satisfaction_after_h),
            script="satisfaction",
        )

    async def _keep(
        self,
        key: str,
        call: CallContext,
        number: str,
        reason: str,
        summary: Summary,
        *,
        due_at: datetime,
        skill: str = "",
        script: str = "",
    ) -> bool:
        if not _NUMBER.fullmatch(number):
            return False
        kept = await self._safely(
            self._store.callbacks.promise,
            key,
            reason=reason,
            call_id=call.call_id,
            caller=number,
            skill=skill,
            summary=asdict(summary),
            due_at=next_opening(self._settings.hours, due_at),
            script=script,
        )
        return kept is not None

    async def _safely(self, work: Callable[..., T], *args: object, **kwargs: object) -> T | None:
        try:
            return await self._writer.run(work, *args, **kwargs)
        except RecordsError as error:
            log.error("callback_not_kept", error=str(error))
            return None


def share_of(number: str) -> float:
    """Where a work order stands among all, 0 to 1: always the same, and evenly spread."""
    return int.from_bytes(hashlib.sha256(number.encode()).digest()[:4], "big") / 2**32


class CallbackWorker:
    """Rings people, one at a time on this node.

    `hold(call_id, run)` runs a call as one of the program's and returns when it is over, or was broken off;
    `spare` says whether there is a line for it, `own` is the number that we call from. Without a `board` of
    seats, whoever is reached is given to the PBX's queue, which alone knows who is free.
    """

    def __init__(
        self,
        store: Store,
        kit: Kit,
        settings: CallbacksSettings,
        *,
        city: str,
        trunk_uri: str,
        node: str,
        own: str,
        spare: Callable[[], bool],
        hold: Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]],
        new_call_id: Callable[[], str],
        board: bool = True,
        clock: Callable[[], datetime] = china_now,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._store = store
        self._kit = kit
        self._settings = settings
        self._city = city
        self._trunk_uri = trunk_uri
        self._node = node
        self._own = own
        self._spare = spare
        self._hold = hold
        self._new_call_id = new_call_id
        self._board = board
        self._clock = clock
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Until cancelled: ring who is due."""
        forgotten = False
        while True:
            try:
                if not forgotten:
                    await anyio.to_thread.run_sync(self._store.callbacks.forget, self._node)
                    forgotten = True
                await self.look()
            except RecordsError as error:
                log.error("callbacks_not_read", error=str(error))
                await anyio.sleep(BROKEN_S)
            await anyio.sleep(self._look_every_s)

    async def look(self) -> None:
        """Ring the one that is due first, if there is one, and a line, and a seat where it needs one."""
        if not self._spare() or not within(self._settings.hours, self._clock().astimezone(CHINA).time()):
            return
        for row in await anyio.to_thread.run_sync(self._claim):
            await self._ring(row)

    def _claim(self) -> list[dict[str, Any]]:
        free = self._free_seats() if self._board else None
        # A seat has to be free that no caller waits for.
        enough = free is None or len(free) > len(self._store.queue.waiting())
        scripted_only = not (enough and self._kit.seats.staffed())
        return self._store.callbacks.due(self._node, 1, scripted_only=scripted_only, free=free)

    def _free_seats(self) -> list[str]:
        return [seat["id"] for seat in self._store.seats() if seat["status"] == "free"]

    async def _ring(self, row: Mapping[str, Any]) -> None:
        call_id = self._new_call_id()
        came_of: CameOf | None = None

        async def call() -> None:
            nonlocal came_of
            try:
                task = self._task(row)
            except ScriptError as error:
                log.error("callback_script", id=row["id"], error=str(error))
                came_of = CameOf("unknown_script")
                return
            try:
                came_of = await call_back(task, self._kit, call_id=call_id, own=self._own)
            except Exception as error:  # the others are rung nevertheless
                log.error("callback_failed", id=row["id"], call_id=call_id, exc_info=error)
                came_of = CameOf("failed")

        log.info("callback_begins", id=row["id"], call_id=call_id, attempt=row["attempts"])
        try:
            await self._hold(call_id, call)
        finally:
            with anyio.CancelScope(shield=True):  # what is known of it is noted
                await anyio.to_thread.run_sync(self._note, row, call_id, came_of)

    def _note(self, row: Mapping[str, Any], call_id: str, came_of: CameOf | None) -> None:
        callbacks, now = self._store.callbacks, self._clock()
        if came_of is None:
            callbacks.again(row["id"], self._node, "interrupted", now, counts=False)
            return
        log.info("callback_ends", id=row["id"], call_id=call_id, result=came_of.result)
        if came_of.result not in AGAIN:
            answers = came_of.answers
            callbacks.done(row["id"], self._node, came_of.result, answers=answers, done_in=call_id)
            return
        later = next_opening(self._settings.hours, now + timedelta(minutes=self._settings.retry_after_min))
        again_at = later if row["attempts"] < self._settings.attempts else None
        callbacks.again(row["id"], self._node, came_of.result, again_at)

    def _task(self, row: Mapping[str, Any]) -> CallBack:
        return CallBack(
            id=row["id"],
            reason=row["reason"],
            number=row["caller"],
            uri=number_at(self._trunk_uri, row["caller"]),
            summary=summary_of(row["summary"]),
            script=self._script(row["script"] or BY_A_SEAT),
            skill=row["skill"],
            seat=row["seat"],
            last=row["attempts"] >= self._settings.attempts,
        )

    def _script(self, name: str) -> Script:
        return load_script(name, self._city)


def summary_of(kept: Mapping[str, Any]) -> Summary:
    """A summary as it was kept; what else was kept with it is left out."""
    values: dict[str, Any] = {name: kept[name] for name in _SUMMARY if name in kept}
    values |= {name: tuple(values[name]) for name in ("answered", "open_points") if name in values}
    return Summary(**values)
