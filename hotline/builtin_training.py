"""Trains the built-in recogniser from the program's own words and espeak-ng's voices: `make builtin-model`.

An hour on two cores, with the extra `builder`: every sentence is spoken by other voices over telephone lines,
the network learns to read them, and the model is written as Vosk reads it, with a graph of the sample city.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from asr.builtin import HELD_OUT
from asr.builtin.acoustic import STRIDE, Saying, load, make_utterances, plan, salad, save
from asr.builtin.generated import Phrases
from asr.vosk_model import BUILTIN, BUILTIN_CHECKSUM, check_model, checksum
from hotline.builtin_model import HAN, asked, build_graph, general_vocabulary, places, read, written_text
from hotline.check import load_knowledge
from hotline.console import out
from hotline.speech import GAZETTEER
from tts.espeak_voice import EspeakVoice, known_variants

_SHARD = 700  # sentences in one file of features
# Effects and machines rather than speakers, and whispers, which have no tones.
_NO_SPEAKERS = re.compile(
    r"robo|Robot|UniRobot|whisper|croak|Demonic|Tweaky|Storm|fast|announcer|RicishayMax|Anxious"
)


def speak(text: str, voice: str, rate: float, pitch: int) -> tuple[npt.NDArray[np.int16], int]:
    """`text` by an espeak-ng variant: mono samples and their rate in Hz."""

    async def say() -> tuple[bytes, int]:
        speaker = EspeakVoice(voice, pitch=pitch)
        return b"".join([chunk async for chunk in speaker.speak(text, rate=rate)]), speaker.sample_rate

    pcm, sample_rate = asyncio.run(say())
    return np.frombuffer(pcm, "<i2"), sample_rate


def training_voices() -> list[str]:
    """The espeak-ng variants that sound like people and are not kept for tests."""
    return [name for name in known_variants() if name not in HELD_OUT and not _NO_SPEAKERS.search(name)]


def train_acoustic_model(target: Path, work: Path, minutes: float) -> None:
    """Speak the training text, train, write am/; features stay in `work`, where a second run finds them."""
    from asr.builtin.kaldi_model import write_acoustic_model
    from asr.builtin.network import LAYERS, SPLICE, train

    sayings = training_plan()
    work.mkdir(parents=True, exist_ok=True)
    shards = [sayings[at : at + _SHARD] for at in range(0, len(sayings), _SHARD)]
    files = [work / f"{index:03d}.npz" for index in range(len(shards))]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(make_shard, shard, index, file)
            for index, (shard, file) in enumerate(zip(shards, files, strict=True))
            if not file.exists()
        ]
        for count, job in enumerate(jobs, 1):
            out.print(f"{count} of {len(jobs)}: {job.result()}")
    utterances = [utterance for file in files for utterance in load(file)]
    hours = sum(len(utterance.features) for utterance in utterances) / 360_000
    out.print(
        f"{len(utterances)} utterances, {hours:.1f} hours; training for {minutes:g} minutes on one core"
    )
    network = train(utterances, minutes=minutes, report=out.print, save_to=work / "weights.pt")
    write_acoustic_model(network.affines(), SPLICE, LAYERS, STRIDE, target)


def training_plan() -> list[Saying]:
    """What is spoken for training, and by whom: the text twice, the rest once."""
    voices = training_voices()
    city = places(GAZETTEER)
    questions = [run for text in asked(load_knowledge("sample")) for run in HAN.findall(text)]
    once = [
        *salad(list(general_vocabulary()), 5000),
        *itertools.islice(Phrases(city), 3500),
        *questions,
    ]
    return plan(once, voices, copies=1, seed=1) + plan(written_text(), voices, copies=2, seed=2)


def make_shard(sayings: Sequence[Saying], seed: int, file: Path) -> Path:
    """Speak some sentences and save them as features; one worker process's task."""
    save(make_utterances(sayings, speak, read, seed=seed), file)
    return file


def main(
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 60.0,
    work: Annotated[Path, typer.Option(help="Where features and weights are kept.")] = Path(
        "build/builtin-model"
    ),
    target: Annotated[Path, typer.Option(help="The model's folder.")] = BUILTIN,
    graph_only: Annotated[bool, typer.Option(help="Keep the acoustic model.")] = False,
) -> None:
    """Build the built-in model anew."""
    if not graph_only:
        train_acoustic_model(target, work, minutes)
    size = build_graph(target, passages=load_knowledge("sample"), gazetteer=GAZETTEER, source=target)
    check_model(target)
    if target == BUILTIN:
        BUILTIN_CHECKSUM.write_text(f"{checksum(target)}\n", encoding="ascii")
    out.print(f"{target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
