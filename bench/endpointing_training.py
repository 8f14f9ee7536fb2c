"""Trains voice/completeness.npz, which tells whole requests from those broken off: `train()`.

A recurrent network reads a text character by character and says after each how likely the text ends there;
what it learns from is in endpointing_texts.py. Needs torch (the extra `builder`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.endpointing_texts import Example, Folder, Texts
from voice.completeness import BEGIN, UNKNOWN

NETWORKS = 2  # of which the mean counts
EMBEDDING, STATES = 48, 160
EPOCHS, KINDS, BATCH, LEARNING_RATE = 9, 3, 256, 8e-3  # KINDS: as many epochs are made and used again
NEXT_CHARACTER_WEIGHT = 0.2  # guessing it too teaches what kind of words these are
GUESSING_EPOCHS = 5  # the first ones: then only the ends count, and an epoch takes half the time
GUESSED = 300  # the commonest characters, that is
HIDDEN_SHARE = 0.02  # of the characters, so that unknown ones are nothing strange
LEAST_COUNT = 6  # rarer characters are unknown


class Network(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """Characters in; after each, the logit of an end, and of every common next character."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(characters, EMBEDDING)
        self.states = torch.nn.GRU(EMBEDDING, STATES, batch_first=True)
        self.whole = torch.nn.Linear(2 * STATES, 1)
        self.next = torch.nn.Linear(STATES, GUESSED)

    def forward(self, codes: torch.Tensor, guesses: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        states, _ = self.states(torch.nn.functional.dropout(self.embedding(codes), 0.1, self.training))
        highest = states.cummax(dim=1).values  # what has been said is not forgotten: 怎么, 吗, a verb
        guessed = self.next(states) if guesses else None
        return self.whole(torch.cat([states, highest], -1)).squeeze(-1), guessed


def train(path: Path, folder: Folder) -> None:
    """Write the model to `path`."""
    arrays: dict[str, Any] = {"networks": np.array(NETWORKS)}
    for number in range(NETWORKS):
        print(f"network {number + 1} of {NETWORKS}", flush=True)
        arrays |= {f"{name}{number}": array for name, array in _trained(folder, seed=number + 1).items()}
    np.savez_compressed(path, **arrays)


def _trained(folder: Folder, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    texts, dice = Texts(folder, seed), random.Random(seed + 1)
    kinds = [texts.epoch() for _ in range(KINDS)]
    epochs = [kinds[number % KINDS] for number in range(EPOCHS)]
    counts = Counter(character for examples in epochs for one in examples for character in one.text)
    known = [UNKNOWN, BEGIN, *(c for c, count in counts.most_common() if count >= LEAST_COUNT * EPOCHS)]
    codes = {character: code for code, character in enumerate(known)}
    network = Network(len(known))
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    steps = sum(-(-len(examples) // BATCH) for examples in epochs)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps)
    for epoch, examples in enumerate(epochs):
        losses = []
        for batch in _batches(examples, dice):
            optimiser.zero_grad()
            loss = _loss(network, batch, codes, dice, guesses=epoch < GUESSING_EPOCHS)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.4f}", flush=True)
    return _packed(network, known)


def _batches(examples: Sequence[Example], dice: random.Random) -> list[list[Example]]:
    """Texts of like length together."""
    ordered = sorted(examples, key=lambda one: len(one.text) + dice.random() * 3)
    batches = [list(ordered[at : at + BATCH]) for at in range(0, len(ordered), BATCH)]
    dice.shuffle(batches)
    return batches


def _loss(
    network: Network, batch: Sequence[Example], codes: dict[str, int], dice: random.Random, *, guesses: bool
) -> torch.Tensor:
    longest = max(len(one.text) for one in batch)
    read = np.zeros((len(batch), longest + 1), np.int64)
    following = np.full((len(batch), longest + 1), -100, np.int64)
    weights = np.zeros((len(batch), longest + 1), np.float32)
    whole = np.zeros((len(batch), longest + 1), np.float32)
    for row, one in enumerate(batch):
        size = len(one.text)
        told = [codes.get(character, 0) for character in one.text]
        read[row, 0] = codes[BEGIN]
        read[row, 1 : size + 1] = [0 if dice.random() < HIDDEN_SHARE else code for code in told]
        following[row, :size] = [code if 0 < code < GUESSED else -100 for code in told]
        weights[row, 1 : size + 1] = one.weights
        whole[row, 1 : size + 1] = one.whole
    ends, characters = network(torch.from_numpy(read), guesses)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        ends, torch.from_numpy(whole), torch.from_numpy(weights), reduction="sum"
    ) / float(weights.sum())
    if characters is None:
        return loss
    return loss + NEXT_CHARACTER_WEIGHT * torch.nn.functional.cross_entropy(
        characters.flatten(0, 1), torch.from_numpy(following).flatten(), ignore_index=-100
    )


def _packed(network: Network, known: Sequence[str]) -> dict[str, Any]:
    """Weights as 8-bit integers, each row with its own scale."""
    arrays: dict[str, Any] = {"characters": np.array("".join(known))}
    for name, tensor in (
        ("embedding", network.embedding.weight),
        ("input", network.states.weight_ih_l0),
        ("recurrent", network.states.weight_hh_l0),
        ("whole", network.whole.weight),
    ):
        values = tensor.detach().numpy()
        scale = np.abs(values).max(axis=1, keepdims=True) / 127
        arrays[name] = np.round(values / scale).astype(np.int8)
        arrays[f"scale_{name}"] = scale.astype(np.float32)
    arrays["input_bias"] = network.states.bias_ih_l0.detach().numpy()
    arrays["recurrent_bias"] = network.states.bias_hh_l0.detach().numpy()
    arrays["whole_bias"] = network.whole.bias.detach().numpy()
    return arrays
