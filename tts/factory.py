"""From engine names, as the settings hold them, to the voice that the calls use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tts import Voice, VoiceMissing
from tts.cache import CachedVoice
from tts.fallback import FallbackVoice

ENGINES = ("auto", "edge", "espeak", "piper")


def open_voice(
    engines: Sequence[str],
    *,
    voice: str = "",
    cache_dir: Path | None = None,
    piper_model: Path | None = None,
) -> FallbackVoice:
    """The named engines as one voice at 8000 Hz, the first that works speaking; each behind its cache.

    "auto" is piper where `piper_model` is set, else espeak: it never needs the internet. `voice` is an edge
    voice's name or an espeak variant, "" is each engine's default. Raises VoiceMissing, also for a later
    engine: that a fallback is not there must not be found out in a call.
    """
    unknown = [name for name in engines if name not in ENGINES]
    if unknown or not engines:
        raise VoiceMissing(
            f"unknown TTS engine {unknown[0] if unknown else ''!r}; known are {', '.join(ENGINES)}"
        )
    names = [("piper" if piper_model else "espeak") if name == "auto" else name for name in engines]
    names = list(dict.fromkeys(names))
    opened = [
        _engine(name, voice if len(names) == 1 else _fitting(name, voice), piper_model) for name in names
    ]
    return FallbackVoice([CachedVoice(one, cache_dir) for one in opened])


def _fitting(name: str, voice: str) -> str:
    """In a chain, only the engine whose kind of name `voice` is gets it."""
    is_edge = voice.endswith("Neural")
    return voice if is_edge == (name == "edge") else ""


def _engine(name: str, voice: str, piper_model: Path | None) -> Voice:
    """Imports no more than this engine needs: that of edge alone takes a quarter of a second."""
    if name == "edge":
        from tts import edge_voice

        return edge_voice.EdgeVoice(voice or edge_voice.DEFAULT_VOICE)
    if name == "espeak":
        from tts import espeak_voice

        return espeak_voice.EspeakVoice(voice or espeak_voice.DEFAULT_VARIANT)
    if piper_model is None:
        raise VoiceMissing("the engine piper needs a model: set the path of its .onnx file")
    from tts.piper_voice import PiperVoice

    return PiperVoice(piper_model)
