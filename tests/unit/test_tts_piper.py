"""The Piper engine's wrapper, over a stand-in for the package (which is an extra and needs a model)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tts import VoiceFailed, VoiceMissing
from tts.piper_voice import PiperVoice

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

RATE_HZ = 22050


@dataclass
class SynthesisConfig:
    length_scale: float


class Engine:
    """Half a second of silence, half a second of sound for each sentence, stretched by length_scale."""

    config = SimpleNamespace(sample_rate=RATE_HZ, length_scale=1.2)

    def __init__(self) -> None:
        self.texts: list[str] = []

    @classmethod
    def load(cls, model_path: Path, config_path: Path) -> Engine:
        if not model_path.read_bytes():
            raise ValueError("no graph")
        return cls()

    def synthesize(self, text: str, syn_config: SynthesisConfig) -> Iterator[SimpleNamespace]:
        self.texts.append(text)
        if text == "坏":
            raise RuntimeError("bad input")
        half = int(RATE_HZ / 2 * syn_config.length_scale / 1.2)
        for _ in range(text.count("。")):
            audio = np.concatenate([np.zeros(half), np.full(half, 5000)]).astype("<i2")
            yield SimpleNamespace(audio_int16_bytes=audio.tobytes())


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = ModuleType("piper")
    package.PiperVoice = Engine  # type: ignore[attr-defined]
    package.SynthesisConfig = SynthesisConfig  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "piper", package)
    path = tmp_path / "huayan.onnx"
    path.write_bytes(b"graph")
    path.with_name("huayan.onnx.json").write_text("{}")
    return path


async def seconds(voice: PiperVoice, text: str, rate: float = 1.0) -> float:
    return sum([len(chunk) async for chunk in voice.speak(text, rate=rate)]) / 2 / RATE_HZ


async def test_it_speaks_words_sentence_by_sentence_without_silence_before(model: Path) -> None:
    voice = PiperVoice(model)
    assert (voice.name, voice.sample_rate) == ("piper:huayan", RATE_HZ)
    assert await seconds(voice, "拨打12345。好的。") == pytest.approx(1.53, abs=0.02)
    assert voice._piper.texts == ["拨打幺二三四五。好的。"]
    await voice.aclose()


async def test_rate_is_relative_to_the_models_own_pace(model: Path) -> None:
    assert await seconds(PiperVoice(model), "好的。", rate=0.5) == pytest.approx(1.03, abs=0.02)


async def test_an_engine_that_breaks_is_a_failed_voice(model: Path) -> None:
    with pytest.raises(VoiceFailed, match="Piper failed: bad input"):
        await seconds(PiperVoice(model), "坏")


def test_missing_files_and_a_bad_model_are_named(model: Path) -> None:
    with pytest.raises(VoiceMissing, match=r"no .*nothing\.onnx"):
        PiperVoice(model.with_name("nothing.onnx"))
    model.write_bytes(b"")
    with pytest.raises(VoiceMissing, match=r"huayan\.onnx is not a Piper voice: no graph"):
        PiperVoice(model)
    model.with_name("huayan.onnx.json").unlink()
    with pytest.raises(VoiceMissing, match=r"huayan\.onnx\.json"):
        PiperVoice(model)


def test_without_the_package_it_says_how_to_get_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(VoiceMissing, match=r"pip install 'hotline-voice-agent\[piper\]'"):
        PiperVoice(model)
