"""A telephone network in memory, on the loop's (virtual) clock: legs, and a phone with seats behind it."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import numpy as np

from tests.sim.fakes import MUSIC, Utterance, clause_of, spoken_frames
from voice.calm import Calm
from voice.media import SILENCE, PlayoutBuffer
from voice.phone import FRAME_S, CallError, LegGone, LineStats, NoAnswer, Tap
from voice.policies import Queued
from voice.seats import Command, Ended, Seat

HIGH_WATER_S = 0.5


def magnitude(frame: bytes) -> float:
    return float(np.abs(np.frombuffer(frame, "<i2").astype(int)).mean())


# -- legs ----------------------------------------------------------------------------------------------------
@dataclass
class Run:
    """A stretch of one clause, or of music, that was sent on a leg; on the loop's clock.

    A clause that was held and gone on with is one.
    """

    text: str
    began_at: float
    ended_at: float
    frames: int = 0


class ScriptedLeg:
    """A voice.phone.Leg whose other side is a test: speak(), press(), leave(), and what it `heard`."""

    def __init__(self, *, call_id: str, remote: str, local: str = "12345") -> None:
        self.call_id = call_id
        self.remote = remote
        self.local = local
        self.held = False
        self.heard: list[Run] = []
        self.speech_began_at = 0.0  # of the test's side
        self.last_sound_at = 0.0
        self.refused_code = 0
        self._playout = PlayoutBuffer()
        self._cleared = False  # what is sent next does not go on with what was sent before
        self._outgoing: deque[bytes] = deque()
        self._tap: Tap | None = None
        self._digits: asyncio.Queue[str | None] = asyncio.Queue()
        self._hear: Tap | None = None
        self._calm_of: Callable[[], Calm] | None = None
        self._calm = Calm()
        self._waiting: list[tuple[bytes, bytes]] = []  # ticks not given yet
        self._giving = False
        self._below_s = -1.0  # the most that may be pending for one who waits
        self._moved = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.answered_at, self.gone_at = 0.0, math.inf
        self._ticks = 0

    # the test's side

    def speak(self, utterance: Utterance) -> None:
        self.speech_began_at = self._loop.time()
        self._outgoing.extend(spoken_frames(utterance))

    @property
    def speaking(self) -> bool:
        return bool(self._outgoing)

    def press(self, key: str) -> None:
        self.last_sound_at = self._loop.time()
        self._digits.put_nowait(key)

    def leave(self, why: str = "remote_hangup") -> None:
        if not self._gone.done():
            self.catch_up()
            self.gone_at = self._loop.time()
            self._gone.set_result(why)
            self._digits.put_nowait(None)
            self._moved.set()

    @property
    def is_gone(self) -> bool:
        return self._gone.done()

    def _tick(self) -> None:
        if self._gone.done():
            return
        received, sent = self._outgoing.popleft() if self._outgoing else SILENCE, self._playout.take()
        now = self.answered_at + self._ticks * FRAME_S
        self._ticks += 1
        if received is not SILENCE:
            self.last_sound_at = now + FRAME_S
        if sent is not SILENCE:
            text = clause_of(sent)
            last = self.heard[-1] if self.heard else None
            if last is None or last.text != text or (self._cleared and text != MUSIC):
                self.heard.append(Run(text, now, now))
            self._cleared = False
            self.heard[-1].frames += 1
            self.heard[-1].ended_at = now + FRAME_S
        self._waiting.append((received, sent))
        if self._calm.ends(received, magnitude) or self._playout.pending_s <= self._below_s:
            self.catch_up()
        self._loop.call_at(self.answered_at + self._ticks * FRAME_S, self._tick)

    def _give(self) -> None:
        if self._giving:
            return
        self._giving = True
        while self._waiting:
            received, sent = self._waiting.pop(0)
            if self._tap is not None:
                self._tap(received, sent)
            if self._hear is not None:
                self._hear(received, sent)
            self._moved.set()
        self._giving = False

    # voice.phone.Leg

    async def answer(self) -> None:
        if self._gone.done():
            raise LegGone("the caller hung up while we answered")
        self.answered_at = self._loop.time()
        self._tick()

    async def listen(self, hear: Tap, calm: Callable[[], Calm] | None = None) -> None:
        self.catch_up()
        self._hear, self._calm_of = hear, calm
        self.catch_up()
        try:
            await self.gone()
        finally:
            self._hear = self._calm_of = None
            self.catch_up()

    def catch_up(self) -> None:
        self._give()
        self._calm = self._calm_of() if self._calm_of is not None else Calm()

    async def dtmf(self) -> AsyncGenerator[str, None]:
        while (key := await self._digits.get()) is not None:
            yield key

    async def play(self, pcm: bytes) -> None:
        await self._until(HIGH_WATER_S)
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._playout.put(pcm)

    async def drained(self) -> None:
        await self._until(0.0)

    async def _until(self, pending_s: float) -> None:
        while True:
            if self._gone.done():
                raise LegGone("the leg has ended")
            if self._playout.pending_s <= pending_s:
                return
            self._moved.clear()
            self._below_s = max(self._below_s, pending_s)
            await self._moved.wait()
            self._below_s = -1.0

    def clear(self) -> float:
        self._cleared = True
        return self._playout.clear()

    def hold(self) -> None:
        self._playout.hold()

    def release(self) -> None:
        self._playout.release()

    def played_s(self) -> float:
        return self._playout.sent_s

    def tap(self, listener: Tap | None) -> None:
        self.catch_up()
        self._tap = listener

    async def send_dtmf(self, digits: str) -> None: ...

    async def hangup(self, code: int = 0) -> None:
        self.refused_code = code
        self.leave("local_hangup")

    def line(self) -> LineStats:
        return LineStats()

    async def gone(self) -> str:
        return await asyncio.shield(self._gone)


# -- seats ---------------------------------------------------------------------------------------------------
@dataclass
class SeatScript:
    """How one seat behaves when it is rung."""

    id: str = "seat-1"
    answers_after_s: float = 1.0  # infinity: it rings in vain
    refuses: type[CallError] | None = None
    key: tuple[float, str] | None = None  # seconds after it answered, key
    leaves_after_answer_s: float = math.inf
    leaves_after_bridge_s: float = math.inf
    bridge_fails: bool = False
    skills: tuple[str, ...] = ()

    @property
    def seat(self) -> Seat:
        return Seat(self.id, self.id, f"sip:{self.id}@test", self.skills)


@dataclass
class ReferScript:
    """What the caller's PBX does with a REFER; a queue to hand over to is a seat of the same phone."""

    tells_after_s: float = 1.0  # infinity: it never tells how it went
    refuses: type[CallError] | None = None
    hangs_up: bool = True  # on us, once it has the caller


class ScriptedPhone:
    """A voice.phone.Phone with the seats behind it; also what happened to them, in order."""

    def __init__(self, seats: list[SeatScript], refer: ReferScript | None = None) -> None:
        self._seats = {seat.seat.uri: seat for seat in seats}
        self._refer = refer or ReferScript()
        self.legs: dict[str, ScriptedLeg] = {}
        self.joined: set[frozenset[str]] = set()  # pairs who hear each other, by the names of their legs
        self.log: list[str] = []
        self.headers: Mapping[str, str] = {}

    async def dial(
        self, uri: str, *, call_id: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> ScriptedLeg:
        script = self._seats[uri]
        self.headers = headers or {}
        self.log.append(f"{script.id} rings")
        try:
            await anyio.sleep(min(script.answers_after_s, timeout_s))
        except asyncio.CancelledError:
            self.log.append(f"{script.id} stops ringing")
            raise
        if script.refuses:
            raise script.refuses("scripted")
        if script.answers_after_s >= timeout_s:
            self.log.append(f"{script.id} stops ringing")
            raise NoAnswer("scripted")
        leg = self.legs[script.id] = ScriptedLeg(call_id=call_id, remote=script.id)
        await leg.answer()
        self.log.append(f"{script.id} answers")
        loop = asyncio.get_running_loop()
        if script.key:
            loop.call_later(script.key[0], leg.press, script.key[1])
        if script.leaves_after_answer_s < math.inf:
            loop.call_later(script.leaves_after_answer_s, leg.leave)
        return leg

    async def bridge(self, a: ScriptedLeg, b: ScriptedLeg) -> None:  # type: ignore[override]
        script = self._seats[f"sip:{b.remote}@test"]
        if script.bridge_fails or a.is_gone or b.is_gone:
            raise LegGone("scripted")
        self.log.append(f"{script.id} talks")
        self.joined.add(frozenset((a.remote, b.remote)))
        if script.leaves_after_bridge_s < math.inf:
            asyncio.get_running_loop().call_later(script.leaves_after_bridge_s, b.leave)

    async def unbridge(self, a: ScriptedLeg, b: ScriptedLeg) -> None:  # type: ignore[override]
        self.log.append(f"{b.remote} is apart")
        self.joined.discard(frozenset((a.remote, b.remote)))

    async def refer(
        self, leg: ScriptedLeg, target: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self.headers = headers or {}
        self.log.append(f"asked for {target}")
        await self._taken(leg, timeout_s)

    async def replace(self, leg: ScriptedLeg, other: ScriptedLeg, *, timeout_s: float) -> None:
        self.log.append(f"asked to join {other.remote}")
        await self._taken(leg, timeout_s)
        if self._refer.hangs_up:
            other.leave()

    async def _taken(self, leg: ScriptedLeg, timeout_s: float) -> None:
        script = self._refer
        with anyio.move_on_after(min(script.tells_after_s, timeout_s)):
            await leg.gone()
            raise LegGone("scripted")
        if script.refuses:
            raise script.refuses("scripted")
        if script.tells_after_s >= timeout_s:
            raise NoAnswer("scripted")
        self.log.append("has the caller")
        if script.hangs_up:
            leg.leave()


class ScriptedBoard:
    """A voice.seats.SeatBoard on a list."""

    def __init__(self, seats: list[SeatScript]) -> None:
        self._seats = [seat.seat for seat in seats]
        self.status = {seat.id: "free" for seat in seats}
        self.verdicts: dict[str, str] = {}  # what seats do on the desk
        self.ended: list[tuple[str, Ended]] = []
        self.wanted: list[Command] = []
        self.ahead = 0  # callers who wait before this one
        self.waits = False  # this one does

    async def claim(
        self, skill: str, call_id: str, exclude: Collection[str], *, priority: int = 0, only: str = ""
    ) -> Seat | Queued:
        await anyio.sleep(0.1)
        for seat in self._seats:
            wanted = seat.id == only or (not only and seat.id not in exclude)
            if self.status[seat.id] == "free" and wanted and self.ahead == 0:
                self.status[seat.id] = "ringing"
                self.waits = False
                await anyio.sleep(0.1)  # until the store has it
                return seat
        self.waits = True
        return Queued(self.ahead, sum(status != "away" for status in self.status.values()), 60.0)

    async def skill_for(self, about: str) -> str:
        named = (skill for seat in self._seats for skill in seat.skills if skill in about)
        return max(named, key=len, default="")

    async def leave(self, call_id: str) -> None:
        self.waits = False

    async def verdict(self, seat: Seat) -> str:
        return self.verdicts.get(seat.id, "")

    async def talking(self, seat: Seat) -> None:
        self.status[seat.id] = "talking"

    async def release(self, seat: Seat, ended: Ended) -> None:
        self.status[seat.id] = "free"
        self.ended.append((seat.id, ended))

    async def commands(self, call_id: str) -> list[Command]:
        given, self.wanted = self.wanted, []
        return given
