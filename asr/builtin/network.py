"""The acoustic network and its training: a small TDNN under a CTC loss in which no phone is repeated.

CTC (Graves et al., 2006) lets a phone fill several frames; here each phone takes exactly one frame and
blanks fill the rest, as in the recurrent neural aligner (Sak et al., 2017). A phone is then one state of the
decoding graph where CTC needs two: the graph is about half as big.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from asr.builtin.acoustic import STRIDE, Utterance
from asr.builtin.features import DIMENSIONS
from asr.builtin.phones import BLANK, PHONES

SPLICE = (-4, -3, -2, -1, 0, 1, 2, 3, 4)  # feature frames seen by the first layer
LAYERS = (
    (-1, 0, 1),
    (-1, 0, 1),
    (-2, 0, 1),
    (-3, 0, 1),
    (-3, 0, 1),
)  # output frames seen by each further one
WIDTH = 320
LEFT = -SPLICE[0] + STRIDE * sum(-layer[0] for layer in LAYERS)
RIGHT = SPLICE[-1] + STRIDE * sum(layer[-1] for layer in LAYERS)
_DROPOUT = 0.1
_FRAMES_PER_BATCH = 5000

Matrix = npt.NDArray[np.float32]


class Network(nn.Module):
    """Affine layers over spliced frames, ReLU and batch normalisation between them."""

    def __init__(self) -> None:
        super().__init__()
        inputs = [len(SPLICE) * DIMENSIONS, *(len(layer) * WIDTH for layer in LAYERS)]
        self.affine = nn.ModuleList(nn.Linear(size, WIDTH) for size in inputs)
        self.norm = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in inputs)
        self.out = nn.Linear(WIDTH, len(PHONES))
        self.register_buffer("mean", torch.zeros(DIMENSIONS))
        self.register_buffer("scale", torch.ones(DIMENSIONS))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, LEFT + frames + RIGHT, DIMENSIONS) → (batch, ceil(frames / STRIDE), outputs)."""
        x = (features - self.mean) * self.scale
        x = x.unfold(1, len(SPLICE), STRIDE).transpose(2, 3).flatten(2)
        x = self._hidden(0, x)
        for index, offsets in enumerate(LAYERS, 1):
            count = x.shape[1] + offsets[0] - offsets[-1]
            x = torch.cat([x[:, o - offsets[0] : o - offsets[0] + count] for o in offsets], 2)
            x = self._hidden(index, x)
        return self.out(x)

    def _hidden(self, index: int, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.affine[index](x))
        x = self.norm[index](x.flatten(0, 1).float()).view(x.shape)
        return nn.functional.dropout(x, _DROPOUT, self.training) if index else x

    def affines(self) -> list[tuple[Matrix, Matrix]]:
        """Weights and biases of the layers with every normalisation folded into the following one."""
        self.eval()
        scale, shift = (
            self.scale.double().repeat(len(SPLICE)),
            -(self.mean * self.scale).double().repeat(len(SPLICE)),
        )
        folded = []
        for index, layer in enumerate([*self.affine, self.out]):
            weight, bias = layer.weight.double(), layer.bias.double()
            folded.append(((weight * scale), (bias + weight @ shift)))
            if layer is not self.out:
                norm = self.norm[index]
                scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).double()
                shift = norm.bias.double() - norm.running_mean.double() * scale
                copies = len(LAYERS[index]) if index < len(LAYERS) else 1
                scale, shift = scale.repeat(copies), shift.repeat(copies)
        return [(w.detach().float().numpy(), b.detach().float().numpy()) for w, b in folded]


class _OneFrameLoss(torch.autograd.Function):
    """Minus the log probability of each phone sequence, over all ways to place its phones on the frames."""

    @staticmethod
    def forward(context, log_probs, phones, frames, lengths):  # type: ignore[no-untyped-def]
        """log_probs (time, batch, outputs); phones (batch, most phones); frames and lengths (batch,)."""
        steps, batch, _ = log_probs.shape
        rows = torch.arange(batch)
        blank = log_probs[:, :, BLANK].unsqueeze(2)
        phone = log_probs.gather(2, phones.unsqueeze(0).expand(steps, -1, -1))
        forward = torch.full((steps + 1, batch, phones.shape[1] + 1), -1e30)
        forward[0, :, 0] = 0
        for t in range(steps):
            forward[t + 1] = forward[t] + blank[t]
            torch.logaddexp(forward[t + 1, :, 1:], forward[t, :, :-1] + phone[t], out=forward[t + 1, :, 1:])
        total = forward[frames, rows, lengths]
        end = torch.full((batch, phones.shape[1] + 1), -1e30)
        end[rows, lengths] = 0
        backward = torch.where((frames == steps).unsqueeze(1), end, torch.tensor(-1e30))
        grad = torch.zeros_like(log_probs)
        for t in range(steps - 1, -1, -1):
            stay = torch.exp(forward[t] + blank[t] + backward - total.unsqueeze(1))
            move = torch.exp(forward[t, :, :-1] + phone[t] + backward[:, 1:] - total.unsqueeze(1))
            grad[t].scatter_add_(1, phones, -move)
            grad[t, :, BLANK] -= stay.sum(1)
            before = backward + blank[t]
            before[:, :-1] = torch.logaddexp(before[:, :-1], backward[:, 1:] + phone[t])
            backward = torch.where((frames == t).unsqueeze(1), end, before)
        possible = total > -1e29
        context.save_for_backward(grad * possible.view(1, -1, 1))
        return torch.where(possible, -total, torch.zeros_like(total))

    @staticmethod
    def backward(context, upstream):  # type: ignore[no-untyped-def]
        (grad,) = context.saved_tensors
        return grad * upstream.view(1, -1, 1), None, None, None


def one_frame_loss(
    logits: torch.Tensor, phones: torch.Tensor, frames: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """The loss of each utterance, (batch,), of logits (batch, time, outputs) and phones (batch, most)."""
    log_probs = torch.log_softmax(logits.float(), 2).transpose(0, 1)
    return _OneFrameLoss.apply(log_probs, phones, frames, lengths)


def train(
    utterances: Sequence[Utterance],
    *,
    minutes: float,
    threads: int = 1,
    rate: float = 3e-3,
    seed: int = 0,
    report: Callable[[str], None] = print,
    save_to: Path | None = None,
    start_from: Network | None = None,
) -> Network:
    """Train for `minutes`, the learning rate falling on a cosine; saves the weights after each epoch."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    dice = random.Random(seed)
    network = start_from or _normalised(utterances)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    started, step, epoch = time.monotonic(), 0, 0
    done = 0.0
    while done < 1:
        network.train()
        loss_sum, phone_sum = 0.0, 0
        for batch in _batches(utterances, dice, shuffled=epoch > 0):
            done = (time.monotonic() - started) / (minutes * 60)
            for group in optimiser.param_groups:
                group["lr"] = (
                    rate * min(1, (step + 1) / 200) * (0.5 * (1 + math.cos(math.pi * min(1, done))) + 0.003)
                )
            features, frames, phones, lengths = _collate([utterances[i] for i in batch], dice, network)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(features)
            loss = one_frame_loss(logits, phones, frames, lengths).sum()
            count = int(lengths.sum())
            optimiser.zero_grad()
            (loss / max(1, count)).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            step, loss_sum, phone_sum = step + 1, loss_sum + float(loss.detach()), phone_sum + count
            if step % 200 == 0:
                report(
                    f"step {step}: loss {loss_sum / max(1, phone_sum):.4f} a phone, {done:.0%} of the time"
                )
            if done >= 1:
                break
        epoch += 1
        spent_s = time.monotonic() - started
        report(f"epoch {epoch}: loss {loss_sum / max(1, phone_sum):.4f} a phone, {spent_s:.0f} s")
        if save_to:
            torch.save(network.state_dict(), save_to)
    return network


def _normalised(utterances: Sequence[Utterance]) -> Network:
    network = Network()
    sample = np.concatenate([u.features for u in utterances[:: max(1, len(utterances) // 2000)]]).astype(
        np.float32
    )
    network.mean.copy_(torch.from_numpy(sample.mean(0)))
    network.scale.copy_(torch.from_numpy(1 / (sample.std(0) + 1e-3)))
    return network


def _batches(utterances: Sequence[Utterance], dice: random.Random, *, shuffled: bool) -> list[list[int]]:
    """Indexes of utterances of like length, _FRAMES_PER_BATCH frames together; if unshuffled, shortest first.

    Starting with short ones gets a CTC network off the ground sooner (Amodei et al., 2015, "SortaGrad").
    """
    order = sorted(range(len(utterances)), key=lambda i: len(utterances[i].features) * dice.uniform(1, 1.1))
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(utterances[index].features) > _FRAMES_PER_BATCH:
            batches.append([])
        batches[-1].append(index)
    if shuffled:
        dice.shuffle(batches)
    return batches


def _collate(
    chosen: list[Utterance], dice: random.Random, network: Network
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One batch, its edges repeated as Kaldi does; some short spans are blotted out."""
    longest = max(len(u.features) for u in chosen)
    features = np.empty((len(chosen), LEFT + longest + RIGHT, DIMENSIONS), np.float32)
    phones = torch.zeros((len(chosen), max(len(u.phones) for u in chosen)), dtype=torch.int64)
    for row, u in enumerate(chosen):
        features[row, :LEFT] = u.features[0]
        features[row, LEFT : LEFT + len(u.features)] = u.features
        features[row, LEFT + len(u.features) :] = u.features[-1]
        if dice.random() < 0.4:
            begin = LEFT + dice.randrange(len(u.features))
            features[row, begin : begin + dice.randint(1, 8)] = network.mean
        phones[row, : len(u.phones)] = torch.from_numpy(u.phones.astype(np.int64))
    frames = torch.tensor([-(-len(u.features) // STRIDE) for u in chosen])
    return torch.from_numpy(features), frames, phones, torch.tensor([len(u.phones) for u in chosen])
