"""What caller, seat and a third party say to each other: each transcribed, for the record and who watches."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from functools import reduce
from typing import cast

import anyio
import structlog
from anyio.abc import TaskGroup

from voice.call_record import CallRecord, Speaker
from voice.calm import Calm
from voice.ear import PIECE_FRAMES, Ear, Heard, HeardEvent, HearingFailed
from voice.kit import Kit
from voice.media import SILENCE, mix
from voice.phone import FRAME_S, Leg, Tap
from voice.turns import Turn

log = structlog.get_logger()

LAST_WORDS_S = 3.0  # after a talk, for what was said last to be recognised


class SharedAudio:
    """A leg's audio for an ear that `also` another gets; a leg itself has room for one who listens."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self.also: Tap | None = None

    async def listen(self, hear: Tap, calm: Callable[[], Calm] | None = None) -> None:
        """As Leg.listen."""

        def both(received: bytes, sent: bytes) -> None:
            hear(received, sent)
            if self.also is not None:
                self.also(received, sent)

        await self._leg.listen(both, calm)

    def catch_up(self) -> None:
        """As Leg.catch_up."""
        self._leg.catch_up()

    def dtmf(self) -> AsyncGenerator[str, None]:
        """As Leg.dtmf."""
        return cast("AsyncGenerator[str, None]", self._leg.dtmf())

    def as_leg(self) -> Leg:
        """For an Ear, which asks no more of a leg than this."""
        return cast("Leg", self)


class _Side:
    """One leg's part in a talk, as an Ear takes it: until the talk is over, then until its words are told."""

    def __init__(self, who: Speaker, overhearing: Overhearing, kit: Kit) -> None:
        self.who: Speaker = who
        self.last = SILENCE  # the frame that the others hear at present
        self.begun: list[tuple[float, int]] = []  # of turns not told yet: when, and the index they will have
        self.over = False
        self._overhearing = overhearing
        self._deaf = False
        self._told = anyio.Event()
        self._began_s = 0.0  # the clock at the begin of these frames
        self._frames: list[tuple[bytes, bytes]] = []
        # Between them, so that nothing that goes wrong with an ear reaches who gave it the audio.
        self._send, self._pieces = anyio.create_memory_object_stream[tuple[float, list[tuple[bytes, bytes]]]](
            math.inf
        )
        self._ear = Ear(
            cast("Leg", self),
            kit.recognizer,
            kit.turns,
            kit.endpointer,
            emit=self._on_event,
            agent_speaks=lambda: False,
        )

    def take(self, received: bytes, sent: bytes) -> None:
        """One tick of the leg; what it is sent is the others' voices, which may come back as echo."""
        if self.over:
            return
        if not self._frames:
            self._deaf = self._overhearing.deaf()
            self._began_s = self._overhearing.record.clock_s - FRAME_S
        self.last = SILENCE if self._deaf else received
        self._frames.append((self.last, self._overhearing.said_to(self)))
        if len(self._frames) >= PIECE_FRAMES:
            self._hand_over()

    def end(self) -> None:
        """The talk is over; harmless twice."""
        if not self.over:
            self.over = True
            self._hand_over()
        self._send.close()

    def _hand_over(self) -> None:
        if self._frames:
            self._send.send_nowait((max(0.0, self._began_s), self._frames))
            self._frames = []

    async def run(self) -> None:
        """Until the last words of the talk are told."""
        try:
            await self._ear.listen()
        finally:
            self.over, self.last = True, SILENCE

    def _on_event(self, event: HeardEvent) -> None:
        if event is Turn.BEGAN:
            self.begun.append((self._ear.heard_s, self._overhearing.record.next_index()))
        elif isinstance(event, (Heard, HearingFailed)):
            # Of the turns that were seen to begin after the first sound of this one, it is the first.
            began = next(one for one in self.begun if one[0] >= event.started_s)
            self.begun.remove(began)
            self._overhearing.told(self.who, began[1], event)
            self._told.set()

    # what an Ear asks of a leg

    def catch_up(self) -> None:
        """As Leg.catch_up: all that has come is given in pieces, and none sooner."""

    async def listen(self, hear: Tap, calm: Callable[[], Calm] | None = None) -> None:
        """As Leg.listen; after the talk silence comes, in no time, until the turn is over."""
        async with self._pieces:
            async for began_s, frames in self._pieces:
                self._ear.heard_s = began_s  # no time passes for a leg that its other side holds
                for received, sent in frames:
                    hear(received, sent)
        while self._ear.in_turn:
            hear(SILENCE, SILENCE)
        with anyio.move_on_after(LAST_WORDS_S):
            while self._ear.open_utterances:
                self._told = anyio.Event()
                await self._told.wait()

    async def dtmf(self) -> AsyncGenerator[str, None]:
        """No keys: they are not for us."""
        for key in "":
            yield key


class Overhearing:
    """Transcribes a call's talks with seats, all sides, into its record; nothing of it reaches the dialog.

    Whatever goes wrong here is told once per call and disturbs no talk. `held` is for the time in which the
    caller is on hold: what is said then is not said to the caller, and is not transcribed.
    """

    def __init__(self, caller: SharedAudio, kit: Kit, record: CallRecord) -> None:
        self.record = record
        self.held = False
        self._caller = caller
        self._kit = kit
        self._tasks: TaskGroup | None = None
        self._sides: list[_Side] = []  # of the talk that is held at present
        self._running = 0  # sides whose last words are not told
        self._side_over = anyio.Event()
        self._failed = False
        self._paused = False  # because the machine cannot keep up

    def open(self, tasks: TaskGroup) -> None:
        """From now on talks may begin; `tasks` is where the listening is done."""
        self._tasks = tasks

    def begin(self, seat: Leg) -> None:
        """Caller and seat hear each other."""
        self.held = False
        self._caller.also = self._side("caller").take
        self._listen("seat", seat)

    def add(self, third: Leg) -> None:
        """A third party, as a department is, hears them and is heard."""
        self._listen("third", third)

    def drop_third(self) -> None:
        """It is not in the talk any more; harmless when it was not."""
        for side in [side for side in self._sides if side.who == "third"]:
            self._sides.remove(side)
            side.end()

    def end(self) -> None:
        """The talk is over; harmless twice."""
        self._caller.also = None
        for side in self._sides:
            side.end()
        self._sides = []

    def _side(self, who: Speaker) -> _Side:
        assert self._tasks is not None
        side = _Side(who, self, self._kit)
        self._sides.append(side)
        self._running += 1
        self._tasks.start_soon(self._run, side)
        return side

    def _listen(self, who: Speaker, leg: Leg) -> None:
        side = self._side(who)
        assert self._tasks is not None
        self._tasks.start_soon(self._listen_to, leg, side)

    def said_to(self, side: _Side) -> bytes:
        """The frame that this side hears at present: what all others say."""
        return reduce(mix, (other.last for other in self._sides if other is not side), SILENCE)

    async def finish(self) -> None:
        """Wait until the last words are told, at most LAST_WORDS_S and what little comes before them."""
        self.end()
        with anyio.move_on_after(2 * LAST_WORDS_S):
            while self._running:
                self._side_over = anyio.Event()
                await self._side_over.wait()

    def deaf(self) -> bool:
        """Whether to hear silence: the caller is on hold, or callers with the agent need the machine."""
        overloaded = self._kit.overloaded()
        if overloaded != self._paused:
            self._paused = overloaded
            self.record.happened("transcript_paused" if overloaded else "transcript_resumed", {"why": "load"})
        return self.held or overloaded

    def told(self, who: Speaker, index: int, event: Heard | HearingFailed) -> None:
        """A turn is over, and recognised."""
        if isinstance(event, HearingFailed):
            self._fail("asr", event.error)
        elif event.transcript.text:
            self.record.said(who, index, event.transcript, event.started_s, event.ended_s)

    async def _listen_to(self, leg: Leg, side: _Side) -> None:
        try:
            await leg.listen(side.take, lambda: Calm(PIECE_FRAMES))
        except Exception as error:
            self._fail("overhearing", error)

    async def _run(self, side: _Side) -> None:
        try:
            await side.run()
        except Exception as error:
            self._fail("overhearing", error)
        finally:
            self._running -= 1
            self._side_over.set()

    def _fail(self, stage: str, error: Exception) -> None:
        bug = error if stage == "overhearing" else None
        log.warning(
            "overhearing_failed", call_id=self.record.call_id, stage=stage, error=str(error), exc_info=bug
        )
        if not self._failed:
            self._failed = True
            self.record.happened("failed", {"stage": stage, "error": str(error)})
