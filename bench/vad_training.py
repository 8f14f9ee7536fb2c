"""Trains the detector of speech: `python -m bench.vad_training FILE [VOICES]` (extra: builder).

FILE is voice/vad.npz, VOICES a folder of recordings (WAV) of as many people as can be had:
docs/decisions/voice-activity.md tells which. Beside them one AISHELL speaker, ten of Common Voice
(../shared/data) and espeak-ng voices are heard, all made higher and lower; the other AISHELL speaker stays
unheard, for `bench.vad`. Noise is made by bench.vad_noises, none of it is recorded. The same code measures
the features here and in calls.

Without VOICES the network in FILE goes on learning, from espeak-ng voices and noise alone; what it was sure
of in speech it keeps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
import torch

from asr.builtin.line import alaw, lose_packets
from bench import vad_noises as made
from bench.vad_sounds import DATA, FITTED, FRAME, Samples, read, spoken, spoken_clips
from hotline.builtin_training import speak, training_voices
from voice.vad import Features

SEQUENCE_S = 8
UNITS = 40
BATCH = 64
LEARNING_RATE = 6e-3
KEEP = 0.05  # how much it weighs to fall below what the network was sure of
GONE_ON = np.float32(0.7)  # of the way from the network there was to what it became
SENTENCES = (
    "嗯|对|好的|是的|喂|你好，我想咨询一下|社保卡丢了怎么补办|请问公积金怎么提取|不用了谢谢|没有水|"
    "一三八零零一三八零零零|路灯坏了|等一下|那个|我要投诉"
)
MORE_SENTENCES = (
    "打开一下|大概是这样|到哪里办|我家楼下|原来的地址|王先生|同意|可以的|不是这个意思|请转人工|"
    "办理居住证需要什么材料|我在人民路十八号|上个月交的钱|能不能快一点|没有收到短信|谢谢你再见|"
    "二零二四年三月|噪音太大了睡不着|水管漏了|孩子上学怎么报名|老人证|公交卡|停电了|电话多少"
)
_MADE_UP = 420  # sayings, where nobody else is heard
_BATCHES_A_CHUNK = 20
_SHARES = (0.1, 0.2, 0.5, 0.2)  # of what is said: the one speaker, the ten, VOICES, espeak-ng
_PAUSE, _EDGE = 8, 5  # frames: parts two phrases; stays around each

Weights = dict[str, npt.NDArray[np.float32]]
Example = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # features; speech 1, not 0, either 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("voices", type=Path, nargs="?")
    arguments.add_argument("--sequences", type=int, default=7600)
    arguments.add_argument("--epochs", type=int, default=9)
    arguments.add_argument("--jobs", type=int)
    given = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with multiprocessing.Pool(given.jobs, _voices, (given.voices,)) as pool:
        examples = pool.map(example, range(given.sequences), chunksize=_BATCHES_A_CHUNK)
    begun = None if given.voices else dict(np.load(given.file))
    weights: Any = fit([e for e in examples if len(e[1]) >= 20], given.epochs, begun)
    if begun is not None:  # what lies between knows the old noises and the new ones
        weights = {name: old + GONE_ON * (weights[name] - old) for name, old in begun.items()}
    np.savez(given.file, **weights)


def example(seed: int) -> Example:
    """One stretch of a call, made up: what the detector measures in it, frame by frame, and what is true."""
    chance = np.random.default_rng(seed)
    count = SEQUENCE_S * 8000
    level = 32768 * 10 ** (chance.uniform(-40, -13) / 20)
    sound, truth = np.zeros(count), np.zeros(count // FRAME)
    kind = chance.random()
    talking = kind < 0.6
    if talking:
        _talk(chance, sound, truth, level)
    if chance.random() < 0.85 and (talking or chance.random() < 0.4):
        snr_db = chance.uniform(0, 26) if talking else 0.0
        crowd = partial(utterance, chance)
        sound += made.beginning_and_ending(
            chance, made.noise(chance, count, crowd) * level * 10 ** (-snr_db / 20)
        )
    if chance.random() < 0.3:
        sound += made.events(chance, count) * level * 10 ** (chance.uniform(-12, 8) / 20)
    if chance.random() < (0.2 if talking else 0.5):
        over_db = chance.uniform(-26, -6) if talking else chance.uniform(-6, 4)
        sound += made.moved_things(chance, count) * level * 10 ** (over_db / 20)
    if kind > 0.76:
        make = made.music if kind > 0.85 else made.tones if kind > 0.81 else made.keys
        played = make(chance, count)
        played = made.in_a_room(chance, played) if chance.random() < 0.4 else played
        sound += made.beginning_and_ending(chance, played * level * 0.7)
    sound += chance.normal(0, 32768 * 10 ** (chance.uniform(-85, -50) / 20), count)
    sound = np.clip(np.round(sound), -32768, 32767)
    sound = alaw(sound) if chance.random() < 0.85 else sound
    sound = lose_packets(sound, chance.uniform(0.005, 0.04), chance) if chance.random() < 0.1 else sound
    return _measured(sound.astype(np.float32), truth)


def _talk(chance: np.random.Generator, sound: Samples, truth: Samples, level: float) -> None:
    at = int(chance.uniform(15, 250))
    while at < len(truth) - 25:
        said = utterance(chance)
        said = _beginning_creaky(chance, said) if chance.random() < 0.3 else said
        said = made.in_a_room(chance, said) if chance.random() < 0.3 else said
        said = _beginning_softly(chance, said)
        said = said[: min(len(said) // FRAME, len(truth) - at) * FRAME]
        sound[at * FRAME : at * FRAME + len(said)] += said * level * 10 ** (chance.uniform(-4, 4) / 20)
        truth[at : at + len(said) // FRAME] = _with_gaps(spoken(said))
        at += len(said) // FRAME + int(chance.uniform(10, 125))


def _beginning_softly(chance: np.random.Generator, said: Samples) -> Samples:
    """As many begin: some decibels below what follows."""
    if chance.random() < 0.5:
        return said
    count = min(len(said), int(chance.uniform(0.15, 0.5) * 8000))
    softly: Samples = said * np.concatenate(
        [10 ** (np.linspace(-chance.uniform(2, 12), 0, count) / 20), np.ones(len(said) - count)]
    )
    return softly


def _with_gaps(speech: npt.NDArray[np.bool_]) -> Samples:
    """As numbers; gaps of up to 80 ms within speech may be taken either way."""
    numbers = speech.astype(np.float64)
    at = np.flatnonzero(speech)
    for first, last in itertools.pairwise(at):
        if 1 < last - first <= 5:
            numbers[first + 1 : last] = 0.5
    return numbers


def _measured(sound: npt.NDArray[np.float32], truth: Samples) -> Example:
    features = Features()
    seen = np.zeros((len(truth), Features.COUNT), np.float32)
    measured = np.zeros(len(truth), np.bool_)
    for number in range(len(truth)):
        one = features.measure(sound[number * FRAME : (number + 1) * FRAME])
        if one is not None:
            seen[number], measured[number] = one, True
    return seen[measured], truth[measured].astype(np.float32)  # others are told by their level alone


def utterance(chance: np.random.Generator) -> Samples:
    """Something said at level 1, by another voice every time."""
    bank = _banks[int(chance.choice(len(_SHARES), p=_SHARES))]
    said = bank[int(chance.integers(len(bank)))]
    if chance.random() < 0.7:  # higher or lower, and faster or slower
        said = soxr.resample(said, 8000 * chance.uniform(0.66, 1.25), 8000)
    if chance.random() < 0.15:
        said = _creaky(chance, said)
    if chance.random() < 0.5:
        said = made.band(said, chance.uniform(100, 350), chance.uniform(2800, 3800))
    if chance.random() < 0.4:
        said = said + chance.uniform(-0.6, 0.5) * np.concatenate([said[:1], said[:-1]])
    if chance.random() < 0.3:
        first = int(chance.uniform(0, 0.6) * len(said))
        said = said[first : first + int(chance.uniform(0.2, 1.2) * 8000)]
    powers = np.square(said[: len(said) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    if len(powers) < 12:
        return utterance(chance)
    return np.asarray(said / np.sqrt(powers[powers > powers.max() * 1e-3].mean()))


def _beginning_creaky(chance: np.random.Generator, said: Samples) -> Samples:
    """With its first 0.1 to 0.35 s in single pulses, as loud as they were."""
    begin, rest = np.split(said, [int(chance.uniform(0.1, 0.35) * 8000)])
    creaking = begin * (2 * _pulses(chance, len(begin)) + chance.uniform(0.05, 0.3))
    loudness = np.sqrt(np.mean(np.square(begin)) / (np.mean(np.square(creaking)) + 1e-9))
    return np.concatenate([creaking * loudness, rest])


def _pulses(chance: np.random.Generator, count: int) -> Samples:
    """35 to 75 pulses a second, each fading."""
    gaps = (8000 / chance.uniform(35, 75) * chance.uniform(0.85, 1.15, count // 50 + 1)).astype(int)
    pulses, places = np.zeros(count), np.cumsum(gaps)
    pulses[places[places < count]] = 1.0
    fading = np.exp(-np.arange(200) / chance.uniform(20, 60))
    return np.asarray(np.convolve(pulses, fading)[:count])


def _creaky(chance: np.random.Generator, said: Samples) -> Samples:
    """With some of it in single pulses, as deep voices begin and end."""
    pulses = _pulses(chance, len(said))
    first, length = int(chance.uniform(-0.3, 0.9) * len(said)), int(chance.uniform(0.2, 1.2) * len(said))
    creaking = np.zeros(len(said))
    creaking[max(0, first) : max(0, first + length)] = 1.0
    return np.asarray(said * (1 + creaking * (2 * pulses + chance.uniform(0.05, 0.3) - 1)))


_banks: list[list[Samples]] = []  # by _SHARES; each process has its own


def _voices(folder: Path | None) -> None:
    """Read and synthesise whoever speaks."""
    if folder is None:
        _banks[:] = [_made_up()] * len(_SHARES)
        return
    lines = [json.loads(line) for line in (DATA / "manifest.jsonl").read_text("utf-8").splitlines()]
    real = spoken_clips("fitted")
    texts = [line["text"].replace(" ", "") for line in lines if Path(line["file"]).stem in real]
    voices = training_voices()
    made_up = []
    for number, text in enumerate([*texts, *SENTENCES.split("|")] * 2):
        pcm, rate = speak(text, voices[number * 5 % len(voices)], 1.0, 50)
        made_up.append(np.asarray(soxr.resample(pcm.astype(np.float64), rate, 8000)))
    one = [said for name, said in real.items() if name.startswith(FITTED[0])]
    others = [said for name, said in real.items() if not name.startswith(FITTED[0])]
    many = [phrase for file in sorted(folder.glob("*.wav")) for phrase in _phrases(read(file))]
    _banks[:] = [one, others, many, made_up]


def _made_up() -> list[Samples]:
    """Sayings by espeak-ng's voices alone, at any pitch and pace."""
    chance, voices = np.random.default_rng(7), training_voices()
    texts = f"{SENTENCES}|{MORE_SENTENCES}".split("|")
    said = []
    for number in range(_MADE_UP):
        voice = voices[int(chance.integers(len(voices)))]
        rate, pitch = float(chance.uniform(0.8, 1.3)), int(chance.integers(25, 80))
        pcm, hertz = speak(texts[number % len(texts)], voice, rate, pitch)
        said.append(np.asarray(soxr.resample(pcm.astype(np.float64), hertz, 8000)))
    return said


def _phrases(samples: Samples) -> list[Samples]:
    """What is said between pauses."""
    at = np.flatnonzero(spoken(samples))
    runs = np.split(at, np.flatnonzero(np.diff(at) > _PAUSE) + 1) if len(at) else []
    return [samples[max(0, run[0] - _EDGE) * FRAME : (run[-1] + _EDGE) * FRAME] for run in runs]


def fit(examples: list[Example], epochs: int, begun: Weights | None = None) -> Weights:
    """The trained network, by the names that voice.vad reads; the scaling of features is folded into it.

    It begins as `begun`, and is held back where it would fall below what that was sure of in speech.
    """
    every = np.concatenate([seen for seen, _ in examples])
    mean, spread = every.mean(axis=0), every.std(axis=0) + 0.05
    length = max(len(true) for _, true in examples)
    seen = torch.zeros(len(examples), length, Features.COUNT)
    true, weight = torch.zeros(2, len(examples), length)
    for number, (features, speech) in enumerate(examples):
        seen[number, : len(speech)] = torch.from_numpy((features - mean) / spread)
        true[number, : len(speech)] = torch.from_numpy(speech)
        weight[number, : len(speech)] = torch.from_numpy(_importance(speech))
    unit: Any = torch.nn.GRU(Features.COUNT, UNITS, batch_first=True)
    output: Any = torch.nn.Linear(UNITS, 1)
    known = torch.full_like(true, -torch.inf)
    if begun is not None:
        _load(unit, output, begun, mean, spread)
        with torch.no_grad():
            known = torch.cat([output(unit(some)[0])[..., 0] for some in seen.split(BATCH)])
    parameters = [*unit.parameters(), *output.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=1e-3)
    steps = epochs * -(-len(examples) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for epoch in range(epochs):
        losses = []
        for chosen in torch.randperm(len(examples)).split(BATCH):
            inputs = seen[chosen] + 0.05 * torch.randn(len(chosen), length, Features.COUNT)
            odds = output(unit(inputs)[0])[..., 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                odds, true[chosen], weight[chosen], reduction="sum"
            )
            spoken_there = true[chosen] > 0.5
            lost = torch.relu(known[chosen] - odds).square()[spoken_there].mean()
            loss = loss / weight[chosen].sum() + KEEP * lost
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {epochs}: {np.mean(losses):.4f}", flush=True)
    return _weights(unit, output, mean, spread)


def _importance(speech: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Weight of each frame: the first 0.2 s of speech decide when the agent falls silent."""
    since_silence = np.convolve(speech < 0.5, np.ones(11))[: len(speech)]
    return np.where(speech == 0.5, 0.3, np.where((speech > 0.5) & (since_silence > 0), 3.0, 1.0)).astype(
        np.float32
    )


def _load(unit: Any, output: Any, weights: Weights, mean: Any, spread: Any) -> None:
    """The inverse of _weights."""
    inputs = weights["inputs"]
    values = {
        unit.weight_ih_l0: inputs * spread,
        unit.bias_ih_l0: weights["input_bias"] + inputs @ mean,
        unit.weight_hh_l0: weights["recurrent"],
        unit.bias_hh_l0: weights["recurrent_bias"],
        output.weight: weights["output"][None],
        output.bias: weights["output_bias"][None],
    }
    with torch.no_grad():
        for parameter, value in values.items():
            parameter.copy_(torch.from_numpy(value.reshape(parameter.shape).astype(np.float32)))


def _weights(unit: Any, output: Any, mean: Any, spread: Any) -> Weights:
    values = {name: value.detach().numpy() for name, value in unit.named_parameters()}
    inputs = values["weight_ih_l0"] / spread
    return {
        "inputs": inputs.astype(np.float32),
        "input_bias": (values["bias_ih_l0"] - inputs @ mean).astype(np.float32),
        "recurrent": values["weight_hh_l0"],
        "recurrent_bias": values["bias_hh_l0"],
        "output": output.weight.detach().numpy()[0],
        "output_bias": output.bias.detach().numpy()[0],
    }


if __name__ == "__main__":
    main()
