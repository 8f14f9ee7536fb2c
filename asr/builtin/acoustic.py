"""Training material: sentences, spoken by many synthetic voices over many lines, as features and phones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.builtin import HELD_OUT
from asr.builtin.features import mfcc
from asr.builtin.line import SAMPLE_RATE, Line, Samples
from asr.builtin.phones import PDF_OF, syllable_phones

STRIDE = 3  # feature frames (10 ms) per frame of the network's output
_MOST_S = 14.0
_EMPTY_SHARE = 1 / 60  # of utterances: a line on which nobody speaks

Speak = Callable[
    [str, str, float, int], tuple[npt.NDArray[np.int16], int]
]  # text, voice, rate, pitch → audio, Hz
Read = Callable[[str], list[str]]  # text → one toned syllable a character, as `Speak` says it


@dataclass(frozen=True, slots=True)
class Utterance:
    """Features (frames, DIMENSIONS) and the phones said in them, as outputs of the network."""

    features: npt.NDArray[np.float16]
    phones: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Saying:
    """One sentence to be spoken: `rate` is a factor, `pitch` 0..100."""

    text: str
    voice: str
    rate: float
    pitch: int


def plan(sentences: Iterable[str], voices: Sequence[str], *, copies: int, seed: int = 1) -> list[Saying]:
    """Every sentence `copies` times, by other voices, at other rates and pitches, in random order."""
    if set(voices) & set(HELD_OUT):
        raise ValueError(f"voices {sorted(set(voices) & set(HELD_OUT))} are kept for tests: leave them out")
    dice = random.Random(seed)
    sayings = [
        Saying(text, voice, dice.uniform(0.68, 1.3), dice.randint(20, 80))
        for text in sentences
        for voice in dice.sample(list(voices), copies)
    ]
    dice.shuffle(sayings)
    return sayings


def salad(words: Sequence[str], count: int, *, seed: int = 2) -> list[str]:
    """`count` strings of words in random order: every syllable beside every other, whatever the text says."""
    dice = random.Random(seed)
    return ["".join(dice.choices(words, k=dice.randint(2, 6))) for _ in range(count)]


def make_utterances(sayings: Iterable[Saying], speak: Speak, read: Read, *, seed: int) -> list[Utterance]:
    """Speak each sentence over a telephone line of its own; what cannot be spoken or read is left out."""
    random_ = np.random.default_rng(seed)
    line = Line(random_)
    made: list[Utterance] = []
    babble: Samples | None = None
    for saying in sayings:
        if random_.random() < _EMPTY_SHARE:
            made.append(_utterance(line.empty(), []))
        phones = [phone for syllable in read(saying.text) for phone in syllable_phones(syllable)]
        audio, rate = speak(saying.text, saying.voice, saying.rate, saying.pitch)
        if not phones or len(audio) < rate / 10:
            continue
        heard = line.carry(audio.astype(np.float32), rate, babble=babble)
        if random_.random() < 0.3:
            babble = heard
        utterance = _utterance(heard, phones)
        room = len(utterance.features) // STRIDE - len(phones)
        if room >= 0 and len(heard) < _MOST_S * SAMPLE_RATE:
            made.append(utterance)
    return made


def _utterance(samples: Samples, phones: Sequence[str]) -> Utterance:
    outputs = np.array([PDF_OF[phone] for phone in phones], np.int16)
    return Utterance(mfcc(samples).astype(np.float16), outputs)


def save(utterances: Sequence[Utterance], file: Path) -> None:
    """Write utterances as one .npz."""
    np.savez(
        file,
        features=np.concatenate([u.features for u in utterances]),
        frames=np.array([len(u.features) for u in utterances]),
        phones=np.concatenate([u.phones for u in utterances]),
        lengths=np.array([len(u.phones) for u in utterances]),
    )


def load(file: Path) -> list[Utterance]:
    """Read what `save` wrote."""
    with np.load(file) as data:
        features = np.split(data["features"], np.cumsum(data["frames"])[:-1])
        phones = np.split(data["phones"], np.cumsum(data["lengths"])[:-1])
    return [Utterance(*pair) for pair in zip(features, phones, strict=True)]
