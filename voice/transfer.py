"""Performs a transfer policy's steps on real legs: the queue, music, ringing, the summary, the talk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import structlog

from dialog import Summary, TicketDraft
from tts import TtsError, Voice
from voice.music import hold_music
from voice.overhear import Overhearing
from voice.phone import BYTES_PER_CHUNK, CallError, Leg, LegGone, LineStats, Phone
from voice.policies import (
    AskKey,
    Bridge,
    ClaimSeat,
    DialQueue,
    LeaveQueue,
    Music,
    Outcome,
    Policy,
    PromiseCallback,
    Refer,
    ReleaseSeat,
    Replace,
    Result,
    RingSeat,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
    Whisper,
)
from voice.recorder import CallRecorder
from voice.seat_call import RESULTS, SeatCall
from voice.seat_talk import SeatTalk
from voice.seats import Command, Seat, SeatBoard, SeatSettings

log = structlog.get_logger()

CLAIM_EVERY_S = 1.0  # while waiting in the queue
REPLACE_S = 5.0  # the queue has answered and hears nothing meanwhile; joining two calls takes a PBX no time

R = StepResult


class TransferRunner:
    """One call's transfer. Steps end early with CALLER_GONE when the caller's leg does."""

    def __init__(
        self,
        caller: Leg,
        *,
        phone: Phone,
        board: SeatBoard,
        voice: Voice,
        recorder: CallRecorder,
        overhearing: Overhearing,
        settings: SeatSettings,
        say: Callable[[str], Awaitable[None]],
        tell: Callable[[str, Mapping[str, Any]], None],
        line: Callable[[LineStats], None],
        promise: Callable[[], Awaitable[bool]],
        pressed: Callable[[str, float], Awaitable[bool]],
    ) -> None:
        """`say` speaks to the caller, `pressed` says whether they press that key within so many seconds.

        `promise` has the caller called back; False: nobody will be.
        """
        self._caller = caller
        self._phone = phone
        self._board = board
        self._voice = voice
        self._recorder = recorder
        self._overhearing = overhearing
        self._settings = settings
        self._say = say
        self._tell = tell
        self._line = line
        self._promise = promise
        self._pressed = pressed
        self._music: anyio.CancelScope | None = None
        self._tried: list[str] = []
        self._seat: SeatCall | None = None  # the one at present
        self._wanted: Mapping[str, Any] = {}  # whom the seat before sends the caller on to
        self.last_seat_id = ""
        self.connected = False
        self.queued = False  # the caller had to wait for a seat

    async def run(self, policy: Policy, request: TransferRequest) -> Outcome:
        """Drive `policy` to its end; the seat is released and its leg ended whatever happens."""
        self._request = request
        steps = policy(request)
        async with anyio.create_task_group() as self._tasks:
            try:
                step = next(steps)
                while True:
                    step = steps.send(await self._perform(step))
            except StopIteration as end:
                outcome: Outcome = end.value
            finally:
                with anyio.CancelScope(shield=True):
                    await self._release()
                    await self._board.leave(self._caller.call_id)
                self._tasks.cancel_scope.cancel()
        return outcome

    async def _perform(self, step: Step) -> Result:
        if isinstance(step, ReleaseSeat):
            await self._release()
            return R.DONE
        if isinstance(step, LeaveQueue):
            await self._board.leave(self._caller.call_id)
            return R.DONE
        if isinstance(step, PromiseCallback):
            return R.DONE if await self._promise() else R.UNREACHABLE
        if isinstance(step, Bridge):
            return await self._bridge()
        if isinstance(step, Refer):
            return await self._refer()
        if isinstance(step, Replace):
            return await self._replace()
        async with self._while_caller_stays() as result:
            result.append(await self._perform_with_caller(step))
        return result[0] if result else R.CALLER_GONE

    async def _perform_with_caller(self, step: Step) -> Result:
        if isinstance(step, TellCaller):
            return await self._tell_caller(step.text)
        if isinstance(step, Music):
            return self._start_music()
        if isinstance(step, ClaimSeat):
            return await self._claim(step)
        if isinstance(step, AskKey):
            return R.ACCEPTED if await self._pressed("1", step.wait_s) else R.NO_ANSWER
        if isinstance(step, DialQueue):
            self._seat = self._call(None, self._queue_number)
            self.last_seat_id = self._seat.name
            return await self._seat.ring(self._settings.queue)
        assert self._seat is not None, step
        if isinstance(step, RingSeat):
            assert self._seat.seat is not None
            self.last_seat_id = self._seat.name
            self._tried.append(self._seat.name)
            return await self._seat.ring(self._seat.seat.uri)
        assert isinstance(step, Whisper), step
        return await self._seat.whisper(step.summary)

    @asynccontextmanager
    async def _while_caller_stays(self) -> AsyncIterator[list[Result]]:
        """Cancel the body when the caller hangs up; the body appends its result to the yielded list."""
        result: list[Result] = []
        left = False
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal left
                await self._caller.gone()
                left = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            with suppress(LegGone):  # the caller's own leg: the result stays empty, which says so
                yield result
            tasks.cancel_scope.cancel()
        if left:  # also where the step could not be broken off
            result.clear()

    # the caller

    def _start_music(self) -> StepResult:
        if self._music is None:
            self._music = anyio.CancelScope()
            self._tasks.start_soon(self._play_music, self._music)
        return R.DONE

    async def _play_music(self, scope: anyio.CancelScope) -> None:
        music, at = hold_music(), 0
        with scope:
            while True:
                try:
                    await self._caller.play(music[at : at + BYTES_PER_CHUNK])
                except LegGone:
                    return  # whoever waits for the caller is told by the leg itself
                at = (at + BYTES_PER_CHUNK) % len(music)

    def _stop_music(self) -> None:
        if self._music is not None:
            self._music.cancel()
            self._music = None
            self._caller.clear()

    async def _tell_caller(self, text: str) -> StepResult:
        self._stop_music()
        try:
            await self._say(text)
        except TtsError as error:
            self._voice_failed(error)
        return R.DONE

    def _voice_failed(self, error: TtsError) -> None:
        """A transfer goes on without words."""
        log.error("voice_failed", call_id=self._caller.call_id, error=str(error))
        self._tell("failed", {"stage": "tts"})

    # the seat

    def _call(self, seat: Seat | None, name: str) -> SeatCall:
        return SeatCall(
            seat,
            name,
            call_id=self._caller.call_id,
            phone=self._phone,
            board=self._board,
            voice=self._voice,
            settings=self._settings,
            tell=self._tell,
            line=self._line,
        )

    async def _claim(self, step: ClaimSeat) -> Result:
        """Take a seat as soon as there is one for us, within `step.wait_s`."""
        call_id, waits_until = self._caller.call_id, anyio.current_time() + step.wait_s
        while True:
            skill, only = self._wanted.get("skill", step.skill), self._wanted.get("seat", "")
            with anyio.CancelScope(shield=True):  # else a caller who hangs up now leaves a seat claimed
                found = await self._board.claim(
                    skill, call_id, self._tried, priority=step.priority, only=only
                )
            if isinstance(found, Seat):
                self._seat, self._wanted = self._call(found, found.id), {}
                return R.DONE
            if only and not found.on_duty:  # that very seat is not at work: another, then
                self._wanted = {}
                continue
            if not found.on_duty or anyio.current_time() + CLAIM_EVERY_S > waits_until:
                if found.on_duty and self._request.max_wait_s:
                    self.queued = True
                    self._tell("queued", {"ahead": found.ahead, "expected_s": round(found.expected_s)})
                return found
            await anyio.sleep(CLAIM_EVERY_S)

    async def _bridge(self) -> StepResult:
        seat = self._seat
        assert seat is not None
        assert seat.leg is not None
        if seat.seat is not None:
            await self._board.talking(seat.seat)
        self._stop_music()
        talk = SeatTalk(
            self._caller,
            seat.leg,
            phone=self._phone,
            recorder=self._recorder,
            overhearing=self._overhearing,
            music=self._switch_music,
            wanted=self._commands,
            tell=seat.tell,
        )
        try:
            ended = await talk.run(self._joined)
        except CallError:
            return R.UNREACHABLE
        self._wanted = talk.send_on
        seat.tell("unbridged", {"by": ended.value})
        return ended

    def _joined(self) -> None:
        assert self._seat is not None
        self.connected = True
        self._seat.tell("bridged")

    def _switch_music(self, on: bool) -> None:
        if on:
            self._start_music()
        else:
            self._stop_music()

    async def _commands(self) -> Sequence[Command]:
        assert self._seat is not None
        return await self._board.commands(self._caller.call_id) if self._seat.seat is not None else ()

    async def _release(self) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            await seat.end()

    # the PBX: the caller's leg may end because it took the caller, so these look after that themselves

    @property
    def _queue_number(self) -> str:
        return self._settings.queue.partition(":")[2].partition("@")[0]

    async def _refer(self) -> StepResult:
        queue = self._call(None, self._queue_number)
        self.last_seat_id = queue.name
        settings, headers = self._settings, queue.correlation()
        taken = self._phone.refer(self._caller, settings.queue, timeout_s=settings.ring_s, headers=headers)
        return await self._hand_back("refer", taken)

    async def _replace(self) -> StepResult:
        assert self._seat is not None
        assert self._seat.leg is not None
        joined = self._phone.replace(self._caller, self._seat.leg, timeout_s=REPLACE_S)
        return await self._hand_back("replaces", joined)

    async def _hand_back(self, how: str, taken: Awaitable[None]) -> StepResult:
        self._tell("refer_sent", {"seat": self.last_seat_id, "how": how})
        try:
            await taken
        except LegGone:
            return R.CALLER_GONE
        except CallError as error:
            self._tell("refer_failed", {"seat": self.last_seat_id, "outcome": error.outcome})
            return RESULTS[error.outcome]
        self.connected = True
        self._tell("handed_over", {"seat": self.last_seat_id, "how": how})
        return R.TRANSFERRED


def callback_draft(caller: str, summary: Summary) -> TicketDraft:
    """The work order that asks the staff to call back, when nobody could take the call."""
    return TicketDraft(
        category="回拨",
        department=summary.department,
        urgency="urgent",
        title="未接通人工坐席，请回拨来电人",
        text=summary.request,
        slots={"contact": caller, "matter": summary.request, "place": summary.place},
    )
