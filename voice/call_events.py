"""What happens to a conversation, in order: what the caller does, and replies that are over."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from dialog import Action
from voice.ear import Heard, HeardEvent, HearingFailed, Keys
from voice.turns import Turn


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """A reply has been spoken to its end, or failed; `action` is what comes next."""

    action: Action | None


Event: TypeAlias = "HeardEvent | ReplyOver"


class WaitingKeys:
    """What a caller keys while waiting for a seat: it answers what was asked last, or nothing.

    `clock` is that of the caller's audio, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keying = False  # digits are being keyed, and not told yet
        self._changed = anyio.Event()
        self.ask()

    def ask(self) -> None:
        """Something is asked from now on; what was keyed before does not answer it."""
        self._asked_s, self._digits = self._clock(), ""

    def take(self, event: HeardEvent) -> None:
        """Something that the caller's ear has told."""
        if event is Turn.HOLD:
            self._keying = True
        elif event is Turn.RELEASE:
            self._keying = False
        elif isinstance(event, Keys):
            self._keying = False
            if event.began_s >= self._asked_s:
                self._digits += event.digits
        self._changed.set()
        self._changed = anyio.Event()

    async def pressed(self, key: str, wait_s: float) -> bool:
        """Whether the caller presses `key` within `wait_s`, or has since ask()."""
        until = anyio.current_time() + wait_s
        while key not in self._digits:
            left_s = math.inf if self._keying else until - anyio.current_time()
            if left_s <= 0:
                return False
            with anyio.move_on_after(left_s):
                await self._changed.wait()
        return True


class CallEvents:
    """The events of a call, one after another; while it is handed over the caller's are kept apart.

    What was said or keyed to music, or to a seat, is not told to the agent who goes on. `clock` is that of
    the caller's audio, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: WaitingKeys | None = None
        self._since_s = 0.0
        self._send, self._receive = anyio.create_memory_object_stream[Event](math.inf)

    def close(self) -> None:
        """No more events; harmless twice."""
        self._send.close()
        self._receive.close()

    def put(self, event: Event) -> None:
        """Add one."""
        self._send.send_nowait(event)

    def heard(self, event: HeardEvent) -> None:
        """Add what the caller's ear tells, if it is for the agent."""
        if self._waiting is not None:
            self._waiting.take(event)
        elif _began_s(event) >= self._since_s:
            self.put(event)
        elif isinstance(event, Keys):
            self.put(Turn.RELEASE)  # the last of them may have held what the agent says

    def hand_over(self) -> WaitingKeys:
        """From now on the caller waits for a seat, or talks to one."""
        self._waiting = WaitingKeys(self._clock)
        return self._waiting

    def take_back(self) -> None:
        """The caller is the agent's again, and all that was before is past."""
        self._waiting, self._since_s = None, self._clock()
        while self._receive.statistics().current_buffer_used:
            self._receive.receive_nowait()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self._receive:
            yield event


def _began_s(event: HeardEvent) -> float:
    if isinstance(event, (Heard, HearingFailed)):
        return event.started_s
    return event.began_s if isinstance(event, Keys) else math.inf
