"""The echo canceller: an echo goes, whatever the line made of it; a caller over it stays."""

from __future__ import annotations

import numpy as np
import pytest

from asr.builtin.line import alaw
from tests.unit.espeak import synthesise
from voice.echo import EchoCanceller, Samples
from voice.media import SILENCE, level_dbfs

pytestmark = [pytest.mark.unit]

FRAME = 160
NOISE = 33.0  # -60 dBFS
AGENT = "您好，这里是市民服务热线，请问有什么可以帮您？请您说一下具体的地址。"
CALLER = "等一下，我想先问另外一件事情"


def whole_frames(pcm: bytes, dbfs: float) -> Samples:
    """Audio at that level, as many samples as fill its frames."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    samples = samples[: len(samples) // FRAME * FRAME]
    return np.round(samples * np.float32(10 ** ((dbfs - level_dbfs(pcm)) / 20)))


def agent() -> Samples:
    return np.clip(whole_frames(synthesise(AGENT), -20.0), -32768, 32767)


def returned(delay_ms: float, gain_db: float, *, smeared: bool = False) -> Samples:
    """The agent's voice after the line: delayed, quieter, through A-law, in a little noise."""
    sent = agent()
    echo = np.concatenate([np.zeros(round(delay_ms * 8), np.float32), alaw(sent)])[: len(sent)]
    if smeared:
        echo = np.convolve(echo, np.array([0.1, 0.6, 1.0, 0.3, -0.4, -0.2, 0.1]) / 1.3)[: len(sent)]
    noise = np.random.default_rng(1).normal(0, NOISE, len(sent))
    return np.asarray(alaw(np.round(echo * 10 ** (gain_db / 20) + noise)), np.float32)


def frames(samples: Samples) -> list[bytes]:
    pcm = samples.astype("<i2").tobytes()
    return [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm), 2 * FRAME)]


def cleaned(heard: Samples, sent: Samples) -> Samples:
    canceller = EchoCanceller()
    pairs = zip(frames(heard), frames(sent), strict=True)
    return np.concatenate([canceller.clean(frame, out) for frame, out in pairs])


def energy(samples: Samples) -> float:
    return float(np.square(samples).sum())


@pytest.mark.parametrize("smeared", [False, True])
@pytest.mark.parametrize("gain_db", [-12.0, -20.0, -30.0])
@pytest.mark.parametrize("delay_ms", [60.0, 103.3, 447.0])
def test_an_echo_is_taken_out(delay_ms: float, gain_db: float, smeared: bool) -> None:
    heard = returned(delay_ms, gain_db, smeared=smeared)
    noise = 2 * NOISE**2 * len(heard)  # which nothing can take out; A-law adds to it
    assert energy(cleaned(heard, agent())) < energy(heard) / 20 + noise


def test_without_echo_nothing_is_changed() -> None:
    caller = whole_frames(synthesise(CALLER, variant="m3"), -26.0)
    silence = np.zeros_like(caller)
    np.testing.assert_array_equal(cleaned(caller, silence), caller)


def test_a_caller_is_left_as_loud_over_an_agent_without_echo() -> None:
    caller = whole_frames(synthesise(CALLER, variant="m3"), -26.0)
    sent = agent()
    count = min(len(caller), len(sent))
    left = cleaned(caller[:count], sent[:count])
    assert energy(left) > 0.9 * energy(caller[:count])


@pytest.mark.parametrize("gain_db", [-12.0, -20.0, -30.0])
def test_a_caller_over_an_echo_stays(gain_db: float) -> None:
    """What is left while the caller speaks is the caller, nearly."""
    echo, sent = returned(200.0, gain_db), agent()
    caller = whole_frames(synthesise(CALLER, variant="m3"), -26.0)
    at = 100 * FRAME  # two seconds into the agent's words
    both = echo.copy()
    caller = caller[: len(both) - at]
    both[at : at + len(caller)] += caller
    left = cleaned(both, sent)[at : at + len(caller)]
    assert energy(left - caller) < 0.25 * energy(caller)


def test_an_echo_that_moves_is_found_again() -> None:
    near, far, sent = returned(120.0, -15.0), returned(300.0, -15.0), agent()
    half = len(sent) // 2 // FRAME * FRAME
    heard = np.concatenate([near[:half], far[half:]])
    left = cleaned(heard, sent)
    end = slice(half + 50 * FRAME, None)
    assert energy(left[end]) < energy(heard[end]) / 8


@pytest.mark.parametrize("frames_later", [-1, 1])
def test_an_echo_that_jumps_by_a_frame_is_not_lost(frames_later: int) -> None:
    near, far, sent = returned(120.0, -15.0), returned(120.0 + 20.0 * frames_later, -15.0), agent()
    half = len(sent) // 2 // FRAME * FRAME
    heard = np.concatenate([near[:half], far[half:]])
    left = cleaned(heard, sent)
    after = slice(half + FRAME, half + 11 * FRAME)
    assert energy(left[after]) < energy(heard[after]) / 8


def test_a_quiet_line_is_not_touched() -> None:
    hiss = np.random.default_rng(2).normal(0, 10, FRAME).round().astype("<i2").tobytes()
    canceller = EchoCanceller()
    for out in frames(agent()):
        np.testing.assert_array_equal(canceller.clean(hiss, out), np.frombuffer(hiss, "<i2"))
    assert level_dbfs(SILENCE) == -100.0


def test_what_is_too_quiet_to_matter_is_not_touched() -> None:
    """Whoever calls knows what is too quiet; the echo in what is louder is found as ever."""
    heard, canceller = returned(103.3, -20.0), EchoCanceller()
    for frame, out in zip(frames(heard), frames(agent()), strict=True):
        np.testing.assert_array_equal(canceller.clean(frame, out, np.inf), np.frombuffer(frame, "<i2"))
    least = float(energy(heard)) / (len(heard) // FRAME) / 10
    left = [
        canceller.clean(frame, out, least) for frame, out in zip(frames(heard), frames(agent()), strict=True)
    ]
    assert energy(np.concatenate(left)[50 * FRAME :]) < energy(heard[50 * FRAME :]) / 8
