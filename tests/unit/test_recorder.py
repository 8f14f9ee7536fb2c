"""A call on tape: left the caller, right what the caller hears, all on the caller's clock."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from voice.events import CallEvent, Happened
from voice.media import SILENCE
from voice.phone import FRAME_BYTES, Leg, Tap
from voice.recorder import CallRecorder

pytestmark = [pytest.mark.unit]


class Tapped:
    """As much of a leg as a recorder needs."""

    call_id = "c1"
    listener: Tap | None = None

    def tap(self, listener: Tap | None) -> None:
        self.listener = listener

    def catch_up(self) -> None: ...

    def tick(self, received: int = 0, sent: int = 0) -> None:
        """One frame each way, of this constant level."""
        if self.listener is not None:
            self.listener(frame(received), frame(sent))


class Tape:
    """A stereo file in memory, as levels."""

    failed = False

    def __init__(self) -> None:
        self.levels: list[tuple[int, int]] = []

    def write(self, left: bytes, right: bytes, /) -> None:
        assert len(left) == len(right) == FRAME_BYTES
        self.levels.append((int(np.frombuffer(left, "<i2")[0]), int(np.frombuffer(right, "<i2")[0])))

    def close(self) -> None: ...


class Noted:
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)

    async def durable(self) -> None: ...


def frame(level: int) -> bytes:
    return np.full(FRAME_BYTES // 2, level, "<i2").tobytes() if level else SILENCE


def record() -> tuple[Tapped, Tape, CallRecorder]:
    leg, tape = Tapped(), Tape()
    return leg, tape, CallRecorder(cast(Leg, leg), tape, Noted())


def test_the_caller_is_left_and_the_agent_right() -> None:
    leg, tape, recorder = record()
    leg.tick(received=3)
    leg.tick(sent=5)
    leg.tick(received=3, sent=5)
    assert tape.levels == [(3, 0), (0, 5), (3, 5)]
    assert recorder.clock_s == pytest.approx(0.06)


def test_the_agents_first_sound_is_noted_on_the_clock() -> None:
    leg, _, recorder = record()
    for sent in (0, 0, 5, 5, 0):
        leg.tick(sent=sent)
    assert recorder.sound_s == pytest.approx(0.04)
    recorder.expect_sound()
    assert recorder.sound_s is None
    leg.tick()
    leg.tick(sent=7)
    assert recorder.sound_s == pytest.approx(0.12)


def test_a_seat_is_heard_on_the_right_in_order() -> None:
    leg, tape, recorder = record()
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    for level in (1, 2, 3):
        seat.tick(received=level)
        leg.tick(received=9)
    assert tape.levels == [(9, 1), (9, 2), (9, 3)]


def test_seat_and_agent_are_mixed() -> None:
    leg, tape, recorder = record()
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    seat.tick(received=100)
    leg.tick(sent=11)
    assert tape.levels == [(0, 111)]


def test_a_seats_clock_may_run_early_or_late() -> None:
    leg, tape, recorder = record()
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    leg.tick()
    for level in (1, 2):
        seat.tick(received=level)
    for _ in range(3):
        leg.tick()
    assert [right for _, right in tape.levels] == [0, 1, 2, 0]


def test_a_caller_on_hold_piles_up_half_a_second_of_the_seat_at_most() -> None:
    leg, tape, recorder = record()
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    for level in range(1, 101):
        seat.tick(received=level)
    for _ in range(30):
        leg.tick()
    assert [right for _, right in tape.levels] == [*range(76, 101), 0, 0, 0, 0, 0]


def test_a_seat_that_was_detached_is_not_heard_any_more() -> None:
    leg, tape, recorder = record()
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    seat.tick(received=1)
    recorder.detach(cast(Leg, seat))
    assert seat.listener is None
    leg.tick()
    assert tape.levels == [(0, 0)]
    recorder.detach(cast(Leg, seat))


def test_paused_it_writes_silence_in_step_and_says_so() -> None:
    leg, tape, journal = Tapped(), Tape(), Noted()
    recorder = CallRecorder(cast(Leg, leg), tape, journal)
    seat = Tapped()
    recorder.attach(cast(Leg, seat))
    recorder.resume()
    for level in range(1, 7):
        if level == 3:
            recorder.pause(by="wang")
            recorder.pause(by="li")
        elif level == 5:
            recorder.resume(by="li")
        seat.tick(received=10 * level)
        leg.tick(received=level, sent=100)
    recorder.resume()
    assert tape.levels == [(1, 110), (2, 120), (0, 0), (0, 0), (5, 150), (6, 160)]
    assert recorder.clock_s == pytest.approx(0.12)
    assert journal.events == [
        Happened("c1", pytest.approx(0.04), "recording_paused", {"by": "wang"}),
        Happened("c1", pytest.approx(0.08), "recording_resumed", {"by": "li"}),
    ]


def test_the_clock_of_the_first_sound_goes_on_while_paused() -> None:
    leg, _, recorder = record()
    recorder.pause()
    leg.tick()
    leg.tick(sent=5)
    assert recorder.sound_s == pytest.approx(0.02)


def test_it_knows_that_its_file_was_lost() -> None:
    _, tape, recorder = record()
    assert not recorder.failed
    tape.failed = True
    assert recorder.failed
