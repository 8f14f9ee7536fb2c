"""The talk of a caller with a seat: joined, on hold, with a third, until somebody leaves or it is sent on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
import structlog

from voice.overhear import Overhearing
from voice.phone import CallError, Leg, LegGone, Phone
from voice.policies import StepResult
from voice.recorder import CallRecorder
from voice.seats import Command

log = structlog.get_logger()

ASK_EVERY_S = 0.3  # for what the seat wants done
RING_S = 30.0  # a third party

R = StepResult


class SeatTalk:
    """One talk; `music` starts and stops the caller's, `wanted` gives the commands that came meanwhile.

    While the caller is on hold, seat and third party talk among themselves: that is neither recorded nor
    transcribed. A seat may also hold with a key of its own telephone.
    """

    def __init__(
        self,
        caller: Leg,
        seat: Leg,
        *,
        phone: Phone,
        recorder: CallRecorder,
        overhearing: Overhearing,
        music: Callable[[bool], None],
        wanted: Callable[[], Awaitable[Sequence[Command]]],
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._caller = caller
        self._seat = seat
        self._phone = phone
        self._recorder = recorder
        self._overhearing = overhearing
        self._music = music
        self._wanted = wanted
        self._tell = tell
        self._third: Leg | None = None
        self._adding: anyio.CancelScope | None = None  # the third party rings, or talks
        self._held = self._telephone_holds = False
        self._joining = anyio.Lock()  # who hears whom is changed by one at a time
        self.send_on: Mapping[str, Any] = {}  # to whom, when that is how it ended

    async def run(self, joined: Callable[[], None]) -> StepResult:
        """Join the two and see the talk to its end: SEAT_GONE, CALLER_GONE, SENT_ON or HANDED_BACK.

        `joined` is told when they hear each other. Raises CallError when they cannot be joined.
        """
        await self._join(self._seat)
        joined()
        self._overhearing.begin(self._seat)
        ended = R.CALLER_GONE
        try:
            async with anyio.create_task_group() as self._tasks:

                async def watch(side: Leg, result: StepResult) -> None:
                    nonlocal ended
                    await side.gone()
                    ended = result
                    self._tasks.cancel_scope.cancel()

                async def obey() -> None:
                    nonlocal ended
                    ended = await self._obey()
                    self._tasks.cancel_scope.cancel()

                self._tasks.start_soon(watch, self._caller, R.CALLER_GONE)
                self._tasks.start_soon(watch, self._seat, R.SEAT_GONE)
                self._tasks.start_soon(obey)
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()
        return ended

    async def _end(self) -> None:
        self._overhearing.end()
        self._recorder.detach(self._seat)
        if self._held:
            self._music(False)

    async def _join(self, leg: Leg) -> None:
        await self._phone.bridge(self._caller, leg)
        self._recorder.attach(leg)

    async def _part(self, leg: Leg) -> None:
        await self._phone.unbridge(self._caller, leg)
        self._recorder.detach(leg)  # what is said now is not for the caller

    async def _obey(self) -> StepResult:
        """Do what the seat wants until that is the end of the talk."""
        await self._wanted()  # what was left of a talk before is not for this one
        while True:
            await anyio.sleep(ASK_EVERY_S)
            for command in (*self._keyed(), *await self._wanted()):
                try:
                    ended = await self._do(command)
                except LegGone:  # whoever watches that leg ends the talk
                    continue
                except CallError as error:
                    self._tell("command_failed", {"action": command.action, "outcome": error.outcome})
                    continue
                if ended is not None:
                    return ended

    def _keyed(self) -> Sequence[Command]:
        """What the seat does with the hold key of its telephone."""
        if self._seat.held and not self._held:
            self._telephone_holds = True
            return (Command("hold"),)
        if self._telephone_holds and not self._seat.held:
            self._telephone_holds = False
            return (Command("resume"),)
        return ()

    async def _do(self, command: Command) -> StepResult | None:
        match command.action:
            case "hold" if not self._held:
                async with self._joining:
                    await self._hold()
                self._tell("seat_held", {})
            case "resume" if self._seat.held:
                self._tell("command_failed", {"action": "resume", "outcome": "telephone_holds"})
            case "resume" if self._held:
                async with self._joining:
                    await self._resume()
                self._tell("seat_resumed", {})
            case "add" if self._adding is None:
                self._adding = anyio.CancelScope()
                self._tasks.start_soon(self._add, str(command.detail.get("uri", "")), self._adding)
            case "drop" if self._adding is not None:
                self._adding.cancel()
            case "send_on":
                self.send_on = command.detail
                self._tell("sent_on", dict(command.detail))
                return R.SENT_ON
            case "hand_back":
                self._tell("handed_back", {})
                return R.HANDED_BACK
        return None

    async def _hold(self) -> None:
        await self._part(self._seat)
        self._held = self._overhearing.held = True
        if self._third is not None:
            with suppress(LegGone):  # whoever watches that leg sees to it
                await self._part(self._third)
        self._music(True)

    async def _resume(self) -> None:
        self._music(False)
        try:
            await self._join(self._seat)
        except CallError:
            self._music(True)  # still on hold, and not in silence
            raise
        self._held = self._overhearing.held = False
        if self._third is not None:
            with suppress(LegGone):
                await self._join(self._third)

    async def _add(self, uri: str, scope: anyio.CancelScope) -> None:
        """Ring a third party and let all three hear each other until it leaves, or is dropped."""
        with scope:
            try:
                leg = await self._phone.dial(uri, call_id=self._caller.call_id, timeout_s=RING_S)
                await self._talk_with(leg)
            except CallError as error:
                self._tell("command_failed", {"action": "add", "outcome": error.outcome})
        self._adding = None

    async def _talk_with(self, leg: Leg) -> None:
        self._third = leg
        try:
            async with self._joining:
                await self._phone.bridge(self._seat, leg)
                if not self._held:
                    await self._join(leg)
            self._overhearing.add(leg)
            self._tell("third_party", {"joined": True, "number": leg.remote})
            await leg.gone()
        finally:
            with anyio.CancelScope(shield=True):
                await self._drop()
            self._tell("third_party", {"joined": False})

    async def _drop(self) -> None:
        leg, self._third = self._third, None
        if leg is not None:
            self._overhearing.drop_third()
            self._recorder.detach(leg)
            await leg.hangup()
