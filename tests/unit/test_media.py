"""The playout buffer, levels and mixing."""

from __future__ import annotations

import numpy as np
import pytest

from voice.media import BYTES_PER_S, SILENCE, PlayoutBuffer, level_dbfs, mix
from voice.phone import FRAME_BYTES
from voice.vad import WebRtcVad

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


def test_a_quiet_line_is_never_speech() -> None:
    """Comfort noise at -55 dBFS, which webrtcvad itself is not asked about."""
    vad = WebRtcVad()
    noise = (np.random.default_rng(1).standard_normal(FRAME_BYTES // 2 * 200) * 58).astype("<i2").tobytes()
    frames = [noise[at : at + FRAME_BYTES] for at in range(0, len(noise), FRAME_BYTES)]
    assert level_dbfs(noise) == pytest.approx(-55, abs=0.5)
    assert not any(vad.is_speech(frame) for frame in frames)
    assert not vad.is_speech(SILENCE)
