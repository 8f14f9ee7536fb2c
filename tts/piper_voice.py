"""A natural offline voice of the user's own choice, by Piper (extra `piper`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tts import VoiceFailed, VoiceMissing, pcm
from tts.spoken import spoken

_LEAD_S = 0.03
_TAIL_S = 0.1


class PiperVoice:
    """Speaks by a Piper model: an .onnx file with its .onnx.json beside it."""

    def __init__(self, model_path: Path) -> None:
        """Load the model, some seconds. Raises VoiceMissing."""
        try:
            import piper
        except ImportError as error:
            raise VoiceMissing(
                "the Piper engine is not installed; try: pip install 'hotline-voice-agent[piper]'"
            ) from error
        config = model_path.with_name(model_path.name + ".json")
        for file in (model_path, config):
            if not file.is_file():
                raise VoiceMissing(
                    f"Piper needs the voice's two files NAME.onnx and NAME.onnx.json; no {file}"
                )
        try:
            self._piper: Any = piper.PiperVoice.load(model_path, config_path=config)
        except Exception as error:  # onnxruntime's errors share no other base
            raise VoiceMissing(f"{model_path} is not a Piper voice: {error}") from error
        self._synthesis = piper.SynthesisConfig
        self.name = f"piper:{model_path.stem}"
        self.sample_rate = int(self._piper.config.sample_rate)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="piper")

    async def speak(self, text: str, *, rate: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield mono s16le at `sample_rate`, sentence by sentence. Raises VoiceFailed."""
        loop = asyncio.get_running_loop()
        trimmer = pcm.SilenceTrimmer(self.sample_rate, lead_s=_LEAD_S, tail_s=_TAIL_S)
        pace = self._synthesis(length_scale=self._piper.config.length_scale / rate)
        sentences: Iterator[Any] = iter(self._piper.synthesize(spoken(text), syn_config=pace))
        while True:
            try:
                sentence = await loop.run_in_executor(self._thread, next, sentences, None)
            except Exception as error:
                raise VoiceFailed(f"Piper failed: {error}", retryable=True) from error
            if sentence is None:
                break
            for chunk in pcm.pieces(trimmer.push(sentence.audio_int16_bytes), self.sample_rate):
                yield chunk
        if rest := trimmer.finish():
            yield rest

    async def aclose(self) -> None:
        """Let the engine's thread end."""
        self._thread.shutdown(wait=False)
