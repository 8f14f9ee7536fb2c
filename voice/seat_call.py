"""The call to a seat, or to the PBX's queue: rung, told the summary, taken or declined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import anyio
import structlog

from dialog import Summary, phrases
from dialog.summary import spoken_summary
from tts import TtsError, Voice
from voice.mouth import Mouth
from voice.phone import CallError, Leg, LegGone, LineStats, Phone
from voice.policies import StepResult
from voice.seats import Ended, Seat, SeatBoard, SeatSettings
from voice.streams import closing

log = structlog.get_logger()

SCREEN_LEAD_S = 0.3  # the call is on the seat's screen before its telephone rings
VERDICT_EVERY_S = 0.3  # what the seat does on the desk while its telephone rings

R = StepResult
RESULTS = {
    "busy": R.BUSY,
    "declined": R.DECLINED,
    "no_answer": R.NO_ANSWER,
    "unreachable": R.UNREACHABLE,
    "failed": R.UNREACHABLE,
    "gone": R.SEAT_GONE,
}
_ENDED: Mapping[StepResult, Ended] = {
    R.BUSY: "busy",
    R.DECLINED: "declined",
    R.SEAT_GONE: "declined",
    R.NO_ANSWER: "no_answer",
    R.UNREACHABLE: "unreachable",
    R.ACCEPTED: "talked",
}


class SeatCall:
    """One attempt to reach a claimed `seat`, or a queue of the PBX (None); `name` is for the record."""

    def __init__(
        self,
        seat: Seat | None,
        name: str,
        *,
        call_id: str,
        phone: Phone,
        board: SeatBoard,
        voice: Voice,
        settings: SeatSettings,
        tell: Callable[[str, Mapping[str, Any]], None],
        line: Callable[[LineStats], None],
    ) -> None:
        self.seat = seat
        self.name = name
        self.leg: Leg | None = None
        self._call_id = call_id
        self._phone = phone
        self._board = board
        self._voice = voice
        self._settings = settings
        self._tell_all = tell
        self._line = line
        self._accepted = False  # on the desk
        self._result = R.DONE  # of the last step

    def tell(self, kind: str, detail: Mapping[str, Any] | None = None) -> None:
        """Put an event about this seat into the record."""
        self._tell_all(kind, {"seat": self.name, **(detail or {})})

    def correlation(self) -> dict[str, str]:
        """What ties every leg of a call together (RFC 7433)."""
        return {"X-Hotline-Call": self._call_id, "User-to-User": f"{self._call_id};encoding=hex"}

    async def ring(self, uri: str) -> StepResult:
        """Ring until it answers (ANSWERED), or somebody says no, by telephone or on the desk."""
        self.tell("seat_ringing")
        declined, result = False, R.DONE
        async with anyio.create_task_group() as tasks:

            async def desk() -> None:
                nonlocal declined
                declined = not await self._taken_on_desk()
                if declined:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(desk)
            if self.seat is not None:
                await anyio.sleep(SCREEN_LEAD_S)
            result = await self._dial(uri)
            tasks.cancel_scope.cancel()
        if declined and self.leg is None:
            self.tell("seat_failed", {"outcome": "declined"})
            result = R.DECLINED
        self._result = result
        return result

    async def _dial(self, uri: str) -> StepResult:
        try:
            self.leg = await self._phone.dial(
                uri, call_id=self._call_id, timeout_s=self._settings.ring_s, headers=self.correlation()
            )
        except CallError as error:
            self.tell("seat_failed", {"outcome": error.outcome})
            return RESULTS[error.outcome]
        self.tell("seat_answered")
        return R.ANSWERED

    async def _taken_on_desk(self) -> bool:
        """Wait until the seat takes the call on the desk (True) or declines it."""
        if self.seat is None:
            await anyio.sleep_forever()
        assert self.seat is not None
        verdict = await self._board.verdict(self.seat)
        while not verdict:
            await anyio.sleep(VERDICT_EVERY_S)
            verdict = await self._board.verdict(self.seat)
        self._accepted = verdict == "accepted"
        return self._accepted

    async def whisper(self, summary: Summary) -> StepResult:
        """Speak the summary while the seat may take the call, by 1 or on the desk, or decline it."""
        leg = self.leg
        assert leg is not None
        # Taken on the desk, where the summary was read: no need to hear it.
        verdict = R.ACCEPTED if self._accepted else await self._asked(leg, summary)
        leg.clear()
        self._result = verdict
        self.tell("seat_" + verdict.value.removeprefix("seat_"))
        return verdict

    async def _asked(self, leg: Leg, summary: Summary) -> StepResult:
        verdict = R.SEAT_GONE
        async with anyio.create_task_group() as tasks:

            def decided(result: StepResult) -> None:
                nonlocal verdict
                verdict = result
                tasks.cancel_scope.cancel()

            async def keys() -> None:
                async with closing(leg.dtmf()) as pressed:
                    async for key in pressed:
                        if key in "12":
                            decided(R.ACCEPTED if key == "1" else R.DECLINED)
                            return
                decided(R.SEAT_GONE)

            async def desk() -> None:
                decided(R.ACCEPTED if await self._taken_on_desk() else R.DECLINED)

            tasks.start_soon(keys)
            tasks.start_soon(desk)
            try:
                decided(await self._speak(leg, summary))
            except LegGone:
                decided(R.SEAT_GONE)
        return verdict

    async def _speak(self, leg: Leg, summary: Summary) -> StepResult:
        mouth = Mouth(leg, self._voice)
        by_key = self._settings.accept == "key"

        async def say(text: str) -> None:
            try:
                await mouth.say(_once(text))
            except TtsError as error:  # a transfer goes on without words
                log.error("voice_failed", call_id=self._call_id, error=str(error))
                self._tell_all("failed", {"stage": "tts"})

        await say(phrases.SEAT_INTRO + (phrases.SEAT_KEYS if by_key else "") + spoken_summary(summary))
        if not by_key:
            await say(phrases.SEAT_CONNECTING)
            return R.ACCEPTED
        await anyio.sleep(self._settings.key_wait_s)
        await say(phrases.SEAT_KEYS_AGAIN)
        await anyio.sleep(self._settings.key_wait_s)
        return R.NO_ANSWER

    async def end(self) -> None:
        """Hang up, and give the seat back to the board."""
        if self.leg is not None:
            await self.leg.hangup()
            self._line(self.leg.line())
        if self.seat is not None:
            await self._board.release(self.seat, _ENDED.get(self._result, "unused"))


async def _once(text: str) -> AsyncIterator[str]:
    yield text
