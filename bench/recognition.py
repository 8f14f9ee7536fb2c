"""Errors of the built-in recogniser over real calls: `python -m bench.recognition [SET …]`.

Held-out sentences (bench/heldout/), spoken by espeak-ng voices that are kept out of training, go over SIP and
RTP with A-law on loopback through the agent's own hearing (turn-taking included) into the recogniser; once as
they are and once with white noise at 15 dB. Each worker is a process that calls itself: one pair of legs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
import numpy as np
import soxr
from rich.console import Console
from rich.table import Table

from asr import Recognizer, Word
from asr.builtin import HELD_OUT
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from hotline import children
from hotline.builtin_training import speak
from hotline.character_errors import align, compared
from hotline.line_conditions import add_noise
from voice.ear import Ear, Heard, HeardEvent
from voice.endpointing import Endpointer, EndpointSettings
from voice.phone import FRAME_S
from voice.sip import SipConfig, SipEndpoint, SipLeg
from voice.turns import TurnSettings

HELD_OUT_TEXT = Path(__file__).parent / "heldout"
SETS = ("sentences", "short")
NOISES_DB = (None, 15.0)
WORKERS = 4
RATES = (0.9, 1.0, 1.1)
PAUSE_S = 1.3  # between two clips: the turn must end
LEVEL = 3276.8  # RMS of speech, -20 dBFS


@dataclass(frozen=True, slots=True)
class Clip:
    """What was said and what was heard."""

    text: str
    heard: str
    words: list[tuple[str, float]]  # with confidences


def _audio(number: int, text: str, noise_db: float | None) -> bytes:
    """The clip as telephone audio: 0.3 s of lead, the sentence, 0.2 s of tail, noise over all of it."""
    pcm, rate = speak(text, HELD_OUT[number % len(HELD_OUT)], RATES[number % len(RATES)], 50)
    x = soxr.resample(pcm.astype(np.float32), rate, 8000)
    x *= LEVEL / np.sqrt(np.mean(np.square(x)))
    x = np.concatenate([np.zeros(2400, np.float32), x, np.zeros(1600, np.float32)])
    if noise_db is not None:
        chance = np.random.default_rng(number)
        x = add_noise(x, chance.standard_normal(len(x)).astype(np.float32), noise_db, chance)
    return np.clip(x, -32768, 32767).astype("<i2").tobytes()


async def _one_pair(clips: Sequence[tuple[str, bytes]], recognizer: Recognizer) -> list[Clip]:
    """Call ourselves, say every clip, note what the called side hears."""
    answered: list[SipLeg] = []
    heard: list[Word] = []
    found: list[Clip] = []

    def emit(event: HeardEvent) -> None:
        if isinstance(event, Heard):
            heard.extend(event.transcript.words)

    endpoint = SipEndpoint(
        SipConfig(host="127.0.0.1", port=0, rtp_port=0, codecs=("PCMA/8000",)), on_call=answered.append
    )
    await endpoint.start()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_answer, answered)
        leg = await endpoint.dial(f"sip:12345@127.0.0.1:{endpoint.port}", call_id="", timeout_s=10)
        ear = Ear(
            answered[0],
            recognizer,
            TurnSettings(no_input_s=1e9),
            Endpointer(EndpointSettings()),
            emit=emit,
            agent_speaks=lambda: False,
        )
        tasks.start_soon(ear.listen)
        for text, audio in clips:
            heard.clear()
            await leg.play(audio)
            await leg.drained()
            await anyio.sleep(PAUSE_S)
            while ear.open_utterances:  # noqa: ASYNC110 - counted by the ear
                await anyio.sleep(FRAME_S)
            said = [(word.text, word.confidence) for word in heard]
            found.append(Clip(text, "".join(word for word, _ in said), said))
        await leg.hangup()
        tasks.cancel_scope.cancel()
    await endpoint.stop()
    return found


async def _answer(calls: list[SipLeg]) -> None:
    while not calls:  # noqa: ASYNC110 - filled by the endpoint
        await anyio.sleep(FRAME_S)
    await calls[0].answer()


def _worker(text_set: str, noise: str, index: int) -> None:
    noise_db = float(noise) if noise else None
    # numbered over the whole set, so that voices and noise do not depend on the number of workers
    texts = list(enumerate((HELD_OUT_TEXT / f"{text_set}.txt").read_text(encoding="utf-8").split()))
    clips = [(text, _audio(number, text, noise_db)) for number, text in texts[index::WORKERS]]
    found = anyio.run(_one_pair, clips, VoskRecognizer(BUILTIN, workers=1))
    print(json.dumps([asdict(clip) for clip in found], ensure_ascii=False))


def _measure(text_set: str, noise_db: float | None) -> list[Clip]:
    noise = "" if noise_db is None else str(noise_db)
    command = [sys.executable, "-m", "bench.recognition", "--worker", text_set, noise]
    workers = [
        subprocess.Popen([*command, str(index)], stdout=subprocess.PIPE, text=True, env=children.clean_env())
        for index in range(WORKERS)
    ]
    clips: list[Clip] = []
    for worker in workers:
        output, _ = worker.communicate()
        if worker.returncode:
            raise SystemExit(f"a worker failed with exit code {worker.returncode}")
        clips += [Clip(**item) for item in json.loads(output.splitlines()[-1])]
    return clips


def main(sets: Sequence[str]) -> int:
    """Measure every set and condition, print the table and the worst clips."""
    console = Console()
    table = Table(
        "set", "line", "clips", "CER %", "clips right", title="built-in recogniser, over SIP with A-law"
    )
    for text_set in sets:
        for noise_db in NOISES_DB:
            clips = _measure(text_set, noise_db)
            errors = [align(compared(clip.text), compared(clip.heard)).errors for clip in clips]
            line = "clean" if noise_db is None else f"{noise_db:g} dB noise"
            cer = 100 * sum(errors) / sum(len(clip.text) for clip in clips)
            table.add_row(text_set, line, str(len(clips)), f"{cer:.2f}", str(errors.count(0)))
            for count, clip in sorted(zip(errors, clips, strict=True), key=lambda pair: -pair[0])[:5]:
                console.print(f"{text_set}, {line}: {count} errors: {clip.text} → {clip.heard}")
    console.print(table)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main(sys.argv[1:] or SETS))
