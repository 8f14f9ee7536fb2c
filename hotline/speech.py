"""The configured recogniser and voice alone: for `hotline transcribe`, `hotline say` and `hotline check`."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from yaml import YAMLError

import dialog
from asr import Recognizer, Transcript
from asr.factory import TAKE_HOTWORDS, Folders, Servers
from asr.factory import open_recognizer as open_engines
from asr.written import Writer, WrittenRecognizer
from dialog.places import Gazetteer, load_gazetteer
from hotline.errors import UsageError
from hotline.sections import AsrSettings, TtsSettings
from tts import Voice
from voice.streams import closing

if TYPE_CHECKING:
    from dialog.passages import Passage
    from tts.fallback import FallbackVoice

SAMPLE_RATE = 8000  # Hz: recognisers hear what a telephone carries
GAZETTEER = Path(dialog.__file__).parent / "gazetteer.yaml"


def open_writer(settings: AsrSettings, gazetteer: str = "sample") -> Writer | None:
    """What writes callers' words as the city writes them; None where they shall stay as they are heard.

    `gazetteer` is the setting dialog.gazetteer. Raises UsageError.
    """
    return _writer(gazetteer) if settings.itn else None


@lru_cache(maxsize=1)  # compiling its rules takes a third of a second; a call's two sides share it
def _writer(gazetteer: str) -> Writer:
    return Writer(city_places(gazetteer).names)


def city_places(gazetteer: str) -> Gazetteer:
    """The places that dialog.gazetteer names. Raises UsageError."""
    try:
        return load_gazetteer(GAZETTEER if gazetteer == "sample" else Path(gazetteer))
    except (OSError, YAMLError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UsageError(f"dialog.gazetteer {gazetteer} cannot be read: {what}") from error


def written(recognizer: Recognizer, writer: Writer | None) -> Recognizer:
    """The recogniser with its finals written."""
    return WrittenRecognizer(recognizer, writer) if writer else recognizer


def open_recognizer(settings: AsrSettings, hotwords: Sequence[str] = ()) -> Recognizer:
    """The configured recogniser, which tells words as it hears them; blocks while its models load.

    Raises ModelError.
    """
    return open_engines(
        settings.engine,
        model=settings.model,
        models_dir=settings.models_dir,
        workers=settings.workers,
        funasr=Folders(
            _folder(settings.funasr_streaming),
            _folder(settings.funasr_offline),
            _folder(settings.funasr_punctuation),
        ),
        servers=Servers(
            settings.servers, settings.server_mode, settings.server_reuse, settings.server_verify_tls
        ),
        hotwords=hotwords,
    )


def names_to_hear(
    settings: AsrSettings, passages: Callable[[], Iterable[Passage]], gazetteer: str = "sample"
) -> tuple[str, ...]:
    """Hotwords: the city's places, and what the knowledge base is about.

    Empty where the settings want none, or no engine takes any. Raises UsageError.
    """
    if not settings.hotwords or not set(settings.engine) & set(TAKE_HOTWORDS):
        return ()
    from dialog.hotwords import hotwords_of

    return tuple(hotwords_of(passages(), city_places(gazetteer)))


def open_configured_voice(settings: TtsSettings) -> FallbackVoice:
    """The configured voice. Raises VoiceMissing, naming the setting."""
    from tts import VoiceMissing
    from tts.factory import open_voice

    voice = "" if settings.voice == "auto" else settings.voice
    try:
        return open_voice(
            settings.engine,
            voice=voice,
            cache_dir=settings.cache_dir,
            piper_model=_folder(settings.piper_model),
        )
    except VoiceMissing as error:
        key = "tts.voice" if voice and repr(voice) in str(error) else "tts.engine"
        raise VoiceMissing(f"{key}: {error}") from error


def read_wav(path: Path, sample_rate: int = SAMPLE_RATE) -> bytes:
    """A PCM WAV of any rate, width and number of channels as mono s16le at `sample_rate` Hz.

    Raises UsageError when it is not one.
    """
    try:
        with path.open("rb") as raw_file, wave.open(raw_file) as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            raw = file.readframes(file.getnframes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (wave.Error, EOFError) as error:
        raise UsageError(f"{path}: not a PCM WAV file ({str(error) or 'it ends too early'})") from error
    samples = _samples(raw[: len(raw) // (width * channels) * width * channels], width)
    mono = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    resampled = soxr.resample(mono, rate, sample_rate)
    return bytes(np.clip(np.round(resampled * 32768), -32768, 32767).astype("<i2").tobytes())


def write_wav(path: Path, pcm: bytes, sample_rate: int) -> None:
    """Write mono s16le as a WAV file. Raises UsageError when the file cannot be written."""
    try:
        with path.open("wb") as raw_file, wave.open(raw_file, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(pcm)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


async def transcribe(recognizer: Recognizer, pcm: bytes) -> Transcript:
    """The final result for a whole recording (mono s16le at the recogniser's rate)."""

    async def audio() -> AsyncIterator[bytes]:
        yield pcm

    final = Transcript("", final=True)
    async with closing(recognizer.transcribe(audio())) as heard:
        async for item in heard:
            final = item
    return final


async def synthesise(voice: Voice, text: str) -> bytes:
    """The audio of a whole text (mono s16le at the voice's rate)."""
    return b"".join([chunk async for chunk in voice.speak(text)])


def _folder(name: str) -> Path | None:
    return Path(name).expanduser() if name else None


def _samples(raw: bytes, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """PCM of 1 (unsigned), 2, 3 or 4 bytes a sample as -1..1."""
    if width == 1:
        return ((np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)
    if width == 3:
        quads = np.zeros((len(raw) // 3, 4), np.uint8)
        quads[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        raw, width = quads.tobytes(), 4
    kind: np.dtype[np.integer[Any]] = np.dtype("<i2" if width == 2 else "<i4")
    return (np.frombuffer(raw, kind) / float(2 ** (8 * width - 1))).astype(np.float32)
