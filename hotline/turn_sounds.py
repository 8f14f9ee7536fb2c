"""What else is heard on a line: callers made of espeak-ng's voices, the agent itself, its echo, noise."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import numpy as np
import soxr

from hotline.line_conditions import SAMPLE_RATE, Samples, add_noise, speech_power
from hotline.speech import read_wav, synthesise
from hotline.turn_clips import LabelledClip, coded, labelled, line_noise
from tts.espeak_voice import EspeakVoice

VOICES = ("Annie", "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")
BACKCHANNELS = ("嗯", "对", "好的")
ECHO_DB, ECHO_DELAYS_S = -20.0, (0.1, 0.2, 0.3, 0.4)
SOUND_DBFS = -26.0  # callers and agent
NOISE_DBFS = -30.0
NOISE_S = 3.0
NOISE_LEAD_S = 2.0  # a call is not young when its caller speaks: the noise is known
_AROUND_S = 0.2  # of silence around a saying
_AGENT_SAYS = (
    "医保个人账户的钱可以给家里人使用。请您带上本人的身份证和社保卡，到就近的医保服务窗口办理家庭共济备案。",
    "备案以后，您的父母、配偶和子女看病买药的时候，就可以直接使用您账户里的余额了。",
    "如果您不方便到窗口，也可以在手机上办理，一般当天就能办好。请问还有什么可以帮您？",
)
# A recording named so holds somebody's speech besides the noise: x_en.wav, street_voices.wav.
_VOICE_IN_IT = re.compile(r"(?:_(?:en|zh)|voices?|speech|babble)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Noise:
    """A stretch of noise as a telephone carries it; `voices`: somebody else talks in it."""

    name: str
    pcm: bytes
    voices: bool

    @property
    def duration_s(self) -> float:
        """All of it."""
        return len(self.pcm) / 2 / SAMPLE_RATE


def synthetic_clips(sayings: Iterable[tuple[str, str]]) -> list[LabelledClip]:
    """A clip for each (text, espeak-ng variant). Raises VoiceMissing and VoiceFailed."""

    async def make() -> list[LabelledClip | None]:
        return [
            labelled(f"{voice}: {text}", await _spoken(voice, text), text, "synthetic")
            for text, voice in sayings
        ]

    return [clip for clip in anyio.run(make) if clip is not None]


def backchannels() -> list[LabelledClip]:
    """Every one by every voice."""
    return synthetic_clips((text, voice) for text in BACKCHANNELS for voice in VOICES)


@functools.cache
def agent_speech() -> bytes:
    """Half a minute of the agent's voice: mono s16le at 8 kHz."""

    async def make() -> bytes:
        return b"".join([await _spoken("Annie", sentence) for sentence in _AGENT_SAYS])

    return anyio.run(make)


def with_echo(received: bytes, returned: bytes, level_db: float) -> bytes:
    """A frame in which the line returns another one, once more through A-law."""
    samples = np.frombuffer(received, "<i2").astype(np.float64)
    return coded(samples + np.frombuffer(returned, "<i2") * 10 ** (level_db / 20))


def open_line(duration_s: float, seed: int = 0) -> bytes:
    """A line on which nobody speaks."""
    return coded(line_noise(round(duration_s * SAMPLE_RATE), seed))


def in_noise(clip: LabelledClip, noise: Samples, snr_db: float) -> LabelledClip:
    """The clip with `noise` all along, `snr_db` below its speech, and for NOISE_LEAD_S before it."""
    samples = np.frombuffer(clip.pcm, "<i2").astype(np.float64)
    longer = np.concatenate([line_noise(round(NOISE_LEAD_S * SAMPLE_RATE), len(samples)), samples])
    chance = np.random.default_rng(len(samples))
    return replace(
        clip,
        pcm=coded(add_noise(longer, noise, snr_db, chance)),
        first_s=clip.first_s + NOISE_LEAD_S,
        last_s=clip.last_s + NOISE_LEAD_S,
        said_s=tuple(time_s + NOISE_LEAD_S for time_s in clip.said_s),
    )


def noise_only(noise: Samples, level_dbfs: float, duration_s: float) -> bytes:
    """`noise` again and again, as a line carries it."""
    samples = np.resize(_at_level(noise, level_dbfs), round(duration_s * SAMPLE_RATE))
    return coded(samples + line_noise(len(samples), seed=0))


def noise_samples(file: Path) -> Samples:
    """The recording, mono at 8 kHz on the scale of 16 bits. Raises UsageError."""
    return np.frombuffer(read_wav(file), "<i2").astype(np.float64)


def noise_files(folder: Path) -> list[Path]:
    """The recordings in it, by name."""
    return sorted(path for path in folder.glob("*.wav") if path.is_file())


def has_voices(file: Path) -> bool:
    """Whether the name says that somebody talks in it."""
    return _VOICE_IN_IT.search(file.stem) is not None


def noise_clips(files: Sequence[Path], count: int) -> list[Noise]:
    """`count` stretches of NOISE_S over all of the files in turn, each from another place in its file.

    What is shorter than that (a door, a key's tone) sounds once, in line noise. Raises UsageError.
    """
    rounds = -(-count // len(files))
    return [
        _noise(files[number % len(files)], (number // len(files)) / rounds, number) for number in range(count)
    ]


def _noise(file: Path, place: float, seed: int) -> Noise:
    samples, wanted = noise_samples(file), round(NOISE_S * SAMPLE_RATE)
    samples = _at_level(samples, NOISE_DBFS)
    if len(samples) >= wanted / 2:
        heard = np.resize(np.roll(samples, -round(place * len(samples))), wanted)
    else:
        heard = np.zeros(wanted)
        at = round((0.2 + 0.6 * place) * (wanted - len(samples)))
        heard[at : at + len(samples)] = samples
    return Noise(file.name, coded(heard + line_noise(wanted, seed)), has_voices(file))


async def _spoken(voice_name: str, text: str) -> bytes:
    voice = EspeakVoice(voice_name)
    pcm = np.frombuffer(await synthesise(voice, text), "<i2").astype(np.float64)
    samples = soxr.resample(pcm, voice.sample_rate, SAMPLE_RATE)
    spoken = np.pad(_at_level(samples, SOUND_DBFS), round(_AROUND_S * SAMPLE_RATE))
    return bytes(np.clip(np.round(spoken), -32768, 32767).astype("<i2").tobytes())


def _at_level(samples: Samples, level_dbfs: float) -> Samples:
    """`samples` with that level where they sound; pauses do not count."""
    return np.asarray(samples * (32768 * 10 ** (level_dbfs / 20) / max(1.0, speech_power(samples)) ** 0.5))
