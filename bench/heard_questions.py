"""What the built-in recogniser makes of the labelled questions: `python -m bench.heard_questions [FOLDER]`.

All utterances of tests/data/kb are spoken by espeak-ng voices that are kept out of training and go over A-law
at 8 kHz into the recogniser, with the written form as in a call. Writes heard_dev.jsonl and heard_held.jsonl
beside them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import soxr
from rich.console import Console

from asr import Recognizer
from asr.builtin import HELD_OUT
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from hotline.asr_evaluation import hear
from hotline.builtin_training import speak
from hotline.character_errors import align, compared
from hotline.line_conditions import SAMPLE_RATE, Condition, apply
from hotline.sections import AsrSettings
from hotline.speech import open_writer, written

DATA = Path(__file__).parents[1] / "tests" / "data" / "kb"
RATES = (0.9, 1.0, 1.1)
LEAD_S, TAIL_S = 0.3, 0.2
LEVEL = 3276.8  # RMS of speech, -20 dBFS


def utterances(folder: Path, half: str) -> Iterator[dict[str, Any]]:
    """The rows of a half; those that are not answered have no passages."""
    for name in ("questions", "unknown"):
        for line in (folder / f"{name}_{half}.jsonl").read_text(encoding="utf-8").splitlines():
            yield {"passages": [], **json.loads(line)}


def telephone_audio(text: str, voice: str, rate: float) -> bytes:
    """`text` as it arrives over A-law: mono s16le at 8 kHz."""
    pcm, sample_rate = speak(text, voice, rate, 50)
    x = soxr.resample(pcm.astype(np.float32), sample_rate, SAMPLE_RATE)
    x *= LEVEL / np.sqrt(np.mean(np.square(x)))
    lead, tail = (np.zeros(round(seconds * SAMPLE_RATE), np.float32) for seconds in (LEAD_S, TAIL_S))
    samples = np.clip(np.concatenate([lead, x, tail]), -32768, 32767)
    return apply(samples.astype("<i2").tobytes(), Condition("alaw"), name=text)


async def _heard(recognizer: Recognizer, pcm: bytes) -> dict[str, Any]:
    final = (await hear(recognizer, pcm, LEAD_S, paced=False)).final
    return {
        "heard": final.raw or final.text,
        "written": final.text,
        "confidence": round(final.confidence, 3),
    }


def main(folder: Path) -> int:
    """Let both halves be heard, write the files, print the error rates."""
    console = Console()
    recognizer = written(VoskRecognizer(BUILTIN, workers=1), open_writer(AsrSettings()))
    for half in ("dev", "held"):
        rows, errors, characters = [], 0, 0
        for number, row in enumerate(utterances(folder, half)):
            voice = HELD_OUT[number % len(HELD_OUT)]
            pcm = telephone_audio(row["text"], voice, RATES[number % len(RATES)])
            row |= {**anyio.run(_heard, recognizer, pcm), "voice": voice}
            rows.append(json.dumps(row, ensure_ascii=False))
            said, heard = compared(row["text"]), compared(row["heard"])
            errors, characters = errors + align(said, heard).errors, characters + len(said)
        (folder / f"heard_{half}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        console.print(f"{half}: {len(rows)} utterances, CER {errors / characters:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else DATA))
