"""Performs a transfer policy's steps on real legs: music, ringing, the whispered summary, the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import structlog

from dialog import Summary, TicketDraft, phrases
from dialog.summary import spoken_summary
from tts import TtsError, Voice
from voice.mouth import Mouth
from voice.music import hold_music
from voice.phone import BYTES_PER_CHUNK, CallError, Leg, LegGone, LineStats, Phone
from voice.policies import (
    Bridge,
    ClaimSeat,
    DialQueue,
    Music,
    Outcome,
    Policy,
    PromiseCallback,
    Refer,
    ReleaseSeat,
    Replace,
    RingSeat,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
    Whisper,
)
from voice.recorder import CallRecorder
from voice.seats import Seat, SeatBoard
from voice.streams import closing

log = structlog.get_logger()

REPLACE_S = 5.0  # the queue has answered and hears nothing meanwhile; joining two calls takes a PBX no time

R = StepResult
_RESULTS = {
    "busy": R.BUSY,
    "declined": R.DECLINED,
    "no_answer": R.NO_ANSWER,
    "unreachable": R.UNREACHABLE,
    "failed": R.UNREACHABLE,
    "gone": R.SEAT_GONE,
}


@dataclass(frozen=True, slots=True)
class SeatSettings:
    """How seats are rung; `accept` "answer" joins after the summary unless 2 is pressed, "key" wants a 1.

    `queue` is the SIP URI of the PBX's queue, for the policies that hand callers to it; it gets `ring_s` too.
    """

    ring_s: float = 20.0
    accept: Literal["answer", "key"] = "answer"
    key_wait_s: float = 8.0
    max_seats: int = 3
    queue: str = ""


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
        settings: SeatSettings,
        say: Callable[[str], Awaitable[None]],
        tell: Callable[[str, Mapping[str, Any]], None],
        line: Callable[[LineStats], None],
        file_ticket: Callable[[TicketDraft], Awaitable[str]],
    ) -> None:
        self._caller = caller
        self._phone = phone
        self._board = board
        self._voice = voice
        self._recorder = recorder
        self._settings = settings
        self._say = say
        self._tell = tell
        self._line = line
        self._file_ticket = file_ticket
        self._music: anyio.CancelScope | None = None
        self.seat: Seat | None = None
        self.last_seat_id = ""
        self.connected = False
        self._tried: list[str] = []
        self._seat_leg: Leg | None = None

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
                self._tasks.cancel_scope.cancel()
        return outcome

    async def _perform(self, step: Step) -> StepResult:
        if isinstance(step, ReleaseSeat):
            await self._release()
            return R.DONE
        if isinstance(step, PromiseCallback):
            draft = callback_draft(self._caller.remote, self._request.summary)
            return R.DONE if await self._file_ticket(draft) else R.UNREACHABLE
        if isinstance(step, Bridge):
            return await self._bridge()
        if isinstance(step, Refer):
            return await self._refer()
        if isinstance(step, Replace):
            return await self._replace()
        async with self._while_caller_stays() as result:
            result.append(await self._perform_with_caller(step))
        return result[0] if result else R.CALLER_GONE

    async def _perform_with_caller(self, step: Step) -> StepResult:
        if isinstance(step, TellCaller):
            return await self._tell_caller(step.text)
        if isinstance(step, Music):
            return self._start_music()
        if isinstance(step, ClaimSeat):
            with anyio.CancelScope(shield=True):  # else a caller who hangs up now leaves a seat claimed
                self.seat = await self._board.claim(step.skill, self._caller.call_id, self._tried)
            return R.DONE if self.seat else R.NONE_FREE
        if isinstance(step, RingSeat):
            return await self._ring()
        if isinstance(step, DialQueue):
            self.last_seat_id = self._queue_number
            return await self._dial(self._settings.queue)
        assert isinstance(step, Whisper), step
        return await self._whisper(step.summary)

    @asynccontextmanager
    async def _while_caller_stays(self) -> AsyncIterator[list[StepResult]]:
        """Cancel the body when the caller hangs up; the body appends its result to the yielded list."""
        result: list[StepResult] = []
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

    async def _ring(self) -> StepResult:
        assert self.seat is not None
        self.last_seat_id = self.seat.id
        self._tried.append(self.seat.id)
        return await self._dial(self.seat.uri)

    async def _dial(self, uri: str) -> StepResult:
        self._tell("seat_ringing", {"seat": self.last_seat_id})
        try:
            self._seat_leg = await self._phone.dial(
                uri,
                call_id=self._caller.call_id,
                timeout_s=self._settings.ring_s,
                headers=self._correlation(),
            )
        except CallError as error:
            self._tell("seat_failed", {"seat": self.last_seat_id, "outcome": error.outcome})
            return _RESULTS[error.outcome]
        self._tell("seat_answered", {"seat": self.last_seat_id})
        return R.ANSWERED

    def _correlation(self) -> dict[str, str]:
        """What ties every leg of a call together (RFC 7433)."""
        call_id = self._caller.call_id
        return {"X-Hotline-Call": call_id, "User-to-User": f"{call_id};encoding=hex"}

    async def _whisper(self, summary: Summary) -> StepResult:
        """Speak the summary while listening for 1 (at once) or 2 (no)."""
        leg, verdict = self._seat_leg, R.SEAT_GONE
        assert leg is not None
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def keys() -> None:
                    nonlocal verdict
                    async with closing(leg.dtmf()) as pressed:
                        async for key in pressed:
                            if key in "12":
                                verdict = R.ACCEPTED if key == "1" else R.DECLINED
                                scope.cancel()
                                return
                    scope.cancel()  # the seat hung up

                tasks.start_soon(keys)
                try:
                    verdict = await self._speak_to_seat(leg, summary)
                except LegGone:
                    verdict = R.SEAT_GONE
                tasks.cancel_scope.cancel()
        leg.clear()
        self._tell("seat_" + verdict.value.removeprefix("seat_"), {"seat": self.last_seat_id})
        return verdict

    async def _speak_to_seat(self, leg: Leg, summary: Summary) -> StepResult:
        mouth = Mouth(leg, self._voice)
        by_key = self._settings.accept == "key"

        async def say(text: str) -> None:
            try:
                await mouth.say(_once(text))
            except TtsError as error:
                self._voice_failed(error)

        await say(phrases.SEAT_INTRO + (phrases.SEAT_KEYS if by_key else "") + spoken_summary(summary))
        if not by_key:
            await say(phrases.SEAT_CONNECTING)
            return R.ACCEPTED
        await anyio.sleep(self._settings.key_wait_s)
        await say(phrases.SEAT_KEYS_AGAIN)
        await anyio.sleep(self._settings.key_wait_s)
        return R.NO_ANSWER

    async def _bridge(self) -> StepResult:
        leg = self._seat_leg
        assert leg is not None
        if self.seat is not None:
            await self._board.talking(self.seat)
        self._stop_music()
        try:
            await self._phone.bridge(self._caller, leg)
        except CallError:
            return R.UNREACHABLE
        self.connected = True
        self._recorder.attach_seat(leg)
        self._tell("bridged", {"seat": self.last_seat_id})
        ended = R.CALLER_GONE
        async with anyio.create_task_group() as tasks:

            async def watch(side: Leg, result: StepResult) -> None:
                nonlocal ended
                await side.gone()
                ended = result
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch, self._caller, R.CALLER_GONE)
            tasks.start_soon(watch, leg, R.SEAT_GONE)
        self._recorder.detach_seat()
        self._tell("unbridged", {"seat": self.last_seat_id, "by": ended.value})
        return ended

    async def _release(self) -> None:
        if self._seat_leg is not None:
            await self._seat_leg.hangup()
            self._line(self._seat_leg.line())
            self._seat_leg = None
        if self.seat is not None:
            await self._board.release(self.seat)
            self.seat = None

    # the PBX: the caller's leg may end because it took the caller, so these look after that themselves

    @property
    def _queue_number(self) -> str:
        return self._settings.queue.partition(":")[2].partition("@")[0]

    async def _refer(self) -> StepResult:
        self.last_seat_id = self._queue_number
        phone, settings = self._phone, self._settings
        return await self._hand_back(
            "refer",
            phone.refer(self._caller, settings.queue, timeout_s=settings.ring_s, headers=self._correlation()),
        )

    async def _replace(self) -> StepResult:
        assert self._seat_leg is not None
        joined = self._phone.replace(self._caller, self._seat_leg, timeout_s=REPLACE_S)
        return await self._hand_back("replaces", joined)

    async def _hand_back(self, how: str, taken: Awaitable[None]) -> StepResult:
        self._tell("refer_sent", {"seat": self.last_seat_id, "how": how})
        try:
            await taken
        except LegGone:
            return R.CALLER_GONE
        except CallError as error:
            self._tell("refer_failed", {"seat": self.last_seat_id, "outcome": error.outcome})
            return _RESULTS[error.outcome]
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


async def _once(text: str) -> AsyncIterator[str]:
    yield text
