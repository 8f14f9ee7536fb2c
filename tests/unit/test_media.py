"""The playout buffer, levels and mixing."""

from __future__ import annotations

import numpy as np
import pytest

from voice.media import BYTES_PER_S, REWIND_FRAMES, SILENCE, PlayoutBuffer, level_dbfs, mix
from voice.phone import FRAME_BYTES

pytestmark = [pytest.mark.unit]


def samples(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def constant(value: int, frames: float = 1.0) -> bytes:
    return np.full(round(frames * FRAME_BYTES / 2), value, "<i2").tobytes()


def test_an_empty_buffer_gives_silence_that_does_not_count_as_sent() -> None:
    buffer = PlayoutBuffer()
    assert buffer.take() is SILENCE
    assert buffer.sent_s == 0.0
    buffer.put(b"")
    assert buffer.take() is SILENCE


def test_audio_comes_out_in_frames_whatever_its_pieces() -> None:
    buffer = PlayoutBuffer()
    audio = np.arange(1, FRAME_BYTES // 2 * 3 + 1, dtype="<i2").tobytes()
    at = 0
    for size in (2, 10, 500, 448):
        buffer.put(audio[at : at + size])
        at += size
    assert buffer.pending_s == pytest.approx(0.06)
    assert b"".join(buffer.take() for _ in range(3)) == audio
    assert buffer.take() is SILENCE
    assert buffer.sent_s == pytest.approx(0.06)


def test_the_last_frame_is_padded_and_only_its_audio_counts() -> None:
    buffer = PlayoutBuffer()
    buffer.put(constant(7, 1.5))
    buffer.take()
    assert buffer.take() == constant(7, 0.5) + SILENCE[: FRAME_BYTES // 2]
    assert buffer.sent_s == pytest.approx(0.03)
    assert buffer.pending_s == 0.0


def test_clear_drops_what_is_pending_and_tells_what_was_sent() -> None:
    buffer = PlayoutBuffer()
    buffer.put(constant(7, 2.5))
    buffer.take()
    assert buffer.clear() == pytest.approx(0.02)
    assert buffer.take() is SILENCE
    assert buffer.sent_s == buffer.pending_s == 0.0
    assert buffer.clear() == 0.0
    buffer.put(constant(8))
    assert buffer.take() == constant(8)


def test_a_hold_keeps_what_is_pending_and_release_goes_on_from_the_last_quiet_moment() -> None:
    buffer = PlayoutBuffer()
    frames = [constant(value) for value in (900, 800, 10, 700, 600, 500, 400)]
    buffer.put(b"".join(frames))
    assert [buffer.take() for _ in range(5)] == frames[:5]
    buffer.hold()
    buffer.hold()
    assert buffer.take() is SILENCE
    assert buffer.sent_s == pytest.approx(0.1)
    assert buffer.pending_s == pytest.approx(0.04)
    buffer.release()
    assert buffer.sent_s == pytest.approx(0.04), "what is said again has not been heard yet"
    assert [buffer.take() for _ in range(5)] == frames[2:]
    assert buffer.take() is SILENCE
    assert buffer.sent_s == pytest.approx(0.14)


def test_a_release_goes_back_a_syllable_at_most() -> None:
    buffer = PlayoutBuffer()
    frames = [constant(10), *(constant(value) for value in range(500, 530))]
    buffer.put(b"".join(frames))
    for _ in range(20):
        buffer.take()
    buffer.hold()
    buffer.release()
    assert buffer.take() == frames[20 - REWIND_FRAMES]


def test_a_release_without_a_hold_or_after_the_end_changes_nothing() -> None:
    buffer = PlayoutBuffer()
    buffer.put(constant(7, 2))
    buffer.take()
    buffer.release()
    assert buffer.take() == constant(7)
    buffer.hold()
    buffer.release()
    assert buffer.take() is SILENCE


def test_clear_ends_a_hold() -> None:
    buffer = PlayoutBuffer()
    buffer.put(constant(7, 2))
    buffer.take()
    buffer.hold()
    assert buffer.clear() == pytest.approx(0.02)
    buffer.put(constant(8))
    assert buffer.take() == constant(8)


def test_levels() -> None:
    assert level_dbfs(b"") == level_dbfs(SILENCE) == -100.0
    assert level_dbfs(constant(-32768)) == pytest.approx(0.0)
    assert level_dbfs(constant(3277)) == pytest.approx(-20.0, abs=0.01)
    assert level_dbfs(samples(1, -1)) == pytest.approx(-90.3, abs=0.01)


def test_mixing_adds_and_saturates() -> None:
    assert mix(samples(100, -100), samples(23, 23)) == samples(123, -77)
    assert mix(samples(30000, -30000), samples(30000, -30000)) == samples(32767, -32768)
    assert mix(SILENCE, constant(5)) == constant(5)
    assert mix(bytes(FRAME_BYTES), constant(5)) == constant(5)
    assert mix(constant(5), SILENCE) == constant(5)


def test_bytes_per_second() -> None:
    assert BYTES_PER_S == 50 * FRAME_BYTES
