"""From engine names, as the settings hold them, to the recogniser that the calls use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asr import ModelError, Recognizer
from asr.catalog import resolve_model
from asr.fallback import FallbackRecognizer
from asr.pool import HasLoad, Load

ENGINES = ("vosk", "vosk-ws", "funasr", "funasr-onnx", "funasr-ws")
TAKE_HOTWORDS = ("funasr", "funasr-onnx", "funasr-ws")
_SAMPLE_RATE = 8000  # Hz: what a telephone carries


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the models of the FunASR engines are; without `offline` the streaming text is final."""

    streaming: Path | None = None
    offline: Path | None = None
    punctuation: Path | None = None


@dataclass(frozen=True, slots=True)
class Servers:
    """Recognition servers, of the kind that the engine names; `mode` is for FunASR's alone."""

    urls: Sequence[str] = ()
    mode: Literal["2pass", "online", "offline"] = "2pass"
    reuse: bool = False
    verify_tls: bool = True


def open_recognizer(
    engines: Sequence[str],
    *,
    model: str,
    models_dir: Path,
    workers: int = 0,
    funasr: Folders = Folders(),
    servers: Servers = Servers(),
    hotwords: Sequence[str] = (),
) -> Recognizer:
    """The named engines as one recogniser at 8000 Hz: the first hears, the others take over where it fails.

    `model` is Vosk's. `hotwords` go to the engines that take them. Blocks while the models load. Raises
    ModelError, also for a later engine: that it is not there must not be found out in a call.
    """
    if not engines:
        raise ModelError(f"no ASR engine named; known are {', '.join(ENGINES)}")
    opened = [_engine(name, model, models_dir, workers, funasr, servers, hotwords) for name in engines]
    return opened[0] if len(opened) == 1 else _Chain(opened)


def load_of(recognizer: Recognizer) -> Load:
    """How far behind decoding in this process is; nothing waits here where servers decode."""
    return recognizer.load() if isinstance(recognizer, HasLoad) else Load()


class _Chain(FallbackRecognizer):
    """A chain that also tells how far behind its engines are."""

    def __init__(self, engines: Sequence[Recognizer]) -> None:
        super().__init__(engines)
        self._engines = tuple(engines)

    def load(self) -> Load:
        """Of all engines together."""
        return Load.together([load_of(engine) for engine in self._engines])


# Engines are imported when they are chosen: what others need may not be installed.
def _engine(
    name: str,
    model: str,
    models_dir: Path,
    workers: int,
    funasr: Folders,
    servers: Servers,
    hotwords: Sequence[str],
) -> Recognizer:
    if name == "vosk":
        from asr.vosk_engine import VoskRecognizer

        folder = resolve_model(model, models_dir)
        return VoskRecognizer(folder, sample_rate=_SAMPLE_RATE, workers=workers)
    if name == "vosk-ws":
        from asr.vosk_ws import VoskServerRecognizer

        return VoskServerRecognizer(
            servers.urls, reuse=servers.reuse, verify_tls=servers.verify_tls, sample_rate=_SAMPLE_RATE
        )
    if name == "funasr-ws":
        from asr.funasr_ws import FunasrServerRecognizer

        return FunasrServerRecognizer(
            servers.urls,
            mode=servers.mode,
            hotwords=hotwords,
            reuse=servers.reuse,
            verify_tls=servers.verify_tls,
            sample_rate=_SAMPLE_RATE,
        )
    if name == "funasr":
        from asr.funasr_engine import FunasrRecognizer

        return FunasrRecognizer(**_funasr(name, workers, funasr, hotwords))
    if name == "funasr-onnx":
        from asr.funasr_onnx_engine import FunasrOnnxRecognizer

        return FunasrOnnxRecognizer(**_funasr(name, workers, funasr, hotwords))
    raise ModelError(f"unknown ASR engine {name!r}; known are {', '.join(ENGINES)}")


def _funasr(name: str, workers: int, folders: Folders, hotwords: Sequence[str]) -> dict[str, Any]:
    """What both FunASR engines are made with."""
    if folders.streaming is None:
        raise ModelError(f"the engine {name} needs the folder of its streaming model")
    return {
        "streaming": folders.streaming,
        "offline": folders.offline,
        "punctuation": folders.punctuation,
        "hotwords": hotwords,
        "sample_rate": _SAMPLE_RATE,
        "workers": workers,
    }
