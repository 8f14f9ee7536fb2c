"""The talk of a caller with a seat: joined, on hold, with a third, until somebody leaves or it is sent on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
import structlog

from voice.phone import CallError, Leg, LegGone, Phone
from voice.policies import StepResult
from voice.recorder import CallRecorder
from voice.seats import Command

log = structlog.get_logger()

ASK_EVERY_S = 0.3  # for what the seat wants done
RING_S = 30.0  # a third party

R = StepResult


class SeatTalk:
    """One talk; `music` starts and stops the caller's, `wanted` gives the commands that came meanwhile."""

    def __init__(
        self,
        caller: Leg,
        seat: Leg,
        *,
        phone: Phone,
        recorder: CallRecorder,
        music: Callable[[bool], None],
        wanted: Callable[[], Awaitable[Sequence[Command]]],
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._caller = caller
        self._seat = seat
        self._phone = phone
        self._recorder = recorder
        self._music = music
        self._wanted = wanted
        self._tell = tell
        self._third: Leg | None = None
        self._held = False
        self.send_on: Mapping[str, Any] = {}  # to whom, when that is how it ended

    async def run(self, joined: Callable[[], None]) -> StepResult:
        """Join the two and see the talk to its end: SEAT_GONE, CALLER_GONE, SENT_ON or HANDED_BACK.

        `joined` is told when they hear each other. Raises CallError when they cannot be joined.
        """
        await self._phone.bridge(self._caller, self._seat)
        self._recorder.attach(self._seat)
        joined()
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
        self._recorder.detach(self._seat)
        if self._held:
            self._music(False)
        await self._drop()

    async def _obey(self) -> StepResult:
        """Do what the seat wants until that is the end of the talk."""
        while True:
            await anyio.sleep(ASK_EVERY_S)
            for command in await self._wanted():
                try:
                    ended = await self._do(command)
                except LegGone:  # whoever watches that leg ends the talk
                    continue
                except CallError as error:
                    self._tell("command_failed", {"action": command.action, "outcome": error.outcome})
                    continue
                if ended is not None:
                    return ended

    async def _do(self, command: Command) -> StepResult | None:
        match command.action:
            case "hold" if not self._held:
                await self._phone.unbridge(self._caller, self._seat)
                self._recorder.detach(self._seat)  # what is said now is not for the caller
                self._held = True
                self._music(True)
                self._tell("seat_held", {})
            case "resume" if self._held:
                self._held = False
                self._music(False)
                await self._phone.bridge(self._caller, self._seat)
                self._recorder.attach(self._seat)
                self._tell("seat_resumed", {})
            case "add" if self._third is None:
                self._tasks.start_soon(self._add, str(command.detail.get("uri", "")))
            case "drop":
                await self._drop()
            case "send_on":
                self.send_on = command.detail
                self._tell("sent_on", dict(command.detail))
                return R.SENT_ON
            case "hand_back":
                self._tell("handed_back", {})
                return R.HANDED_BACK
        return None

    async def _add(self, uri: str) -> None:
        """Ring a third party and let all three hear each other until it leaves."""
        try:
            leg = await self._phone.dial(uri, call_id=self._caller.call_id, timeout_s=RING_S)
        except CallError as error:
            self._tell("command_failed", {"action": "add", "outcome": error.outcome})
            return
        self._third = leg
        try:
            await self._phone.bridge(self._seat, leg)
            if not self._held:
                await self._phone.bridge(self._caller, leg)
            self._recorder.attach(leg)
            self._tell("third_party", {"joined": True})
            await leg.gone()
        except LegGone:
            log.info("third_party_gone", call_id=self._caller.call_id)
        finally:
            with anyio.CancelScope(shield=True):
                await self._drop()
        self._tell("third_party", {"joined": False})

    async def _drop(self) -> None:
        leg, self._third = self._third, None
        if leg is not None:
            self._recorder.detach(leg)
            await leg.hangup()
