"""From what FunASR's networks give, as numpy arrays, to tokens with times and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.funasr_text import Token

SAMPLE_RATE = 16000  # Hz: what the models hear
FRAME_S = 0.06  # one frame of the networks: six steps of 10 ms

_MAX_TOKEN_S = 0.6  # a token that seems longer has a pause before it
_WEIGHTS = 3  # of the timestamp predictor, for each frame
_EARLY = 1.5  # of them: so much earlier than it says does a token begin
_NOT_SPOKEN = (0, 1, 2)  # <blank>, <s>, </s>
_SENSEVOICE_TAGS = 4  # frames before the speech: language, mood, event, text normalisation

Floats = NDArray[np.float32]


def most_likely(logits: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
    """Of each row of (log-)scores, shape (rows, vocabulary), the best column and its probability 0..1."""
    best = logits.argmax(axis=-1)
    top = np.take_along_axis(logits, best[:, None], axis=-1)
    return best, (1.0 / np.exp(logits - top).sum(axis=-1)).astype(np.float32)


class Scored(NamedTuple):
    """A spoken token before it is known when: the row it was in, its number and its probability."""

    row: int
    number: int
    confidence: float


def spoken(logits: NDArray[Any]) -> list[Scored]:
    """Paraformer's tokens, one a row of `logits`; those that are not spoken are left out."""
    best, sure = most_likely(logits)
    return [
        Scored(row, int(number), float(probability))
        for row, (number, probability) in enumerate(zip(best, sure, strict=True))
        if number not in _NOT_SPOKEN
    ]


def timed(scored: Sequence[Scored], times: Sequence[tuple[float, float]]) -> list[Token]:
    """The tokens with their times, (start, end) in seconds."""
    return [
        Token(one.number, start_s, end_s, one.confidence)
        for one, (start_s, end_s) in zip(scored, times, strict=True)
    ]


def ctc_tokens(logits: NDArray[Any]) -> list[Token]:
    """SenseVoice's tokens: runs of equal best tokens in the frames, shape (frames, vocabulary).

    A run is as sure as its surest frame: the network says a token with one peak.
    """
    best, sure = most_likely(logits[_SENSEVOICE_TAGS:])
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)] if len(best) else [0]
    return [
        Token(int(best[begin]), begin * FRAME_S, end * FRAME_S, float(sure[begin:end].max()))
        for begin, end in pairwise(edges)
        if best[begin] != 0
    ]


def spread(count: int, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Times for `count` tokens of which the model tells no times: evenly from `start_s` to `end_s`."""
    edges = np.linspace(start_s, max(start_s, end_s), count + 1)
    return [(float(start), float(end)) for start, end in pairwise(edges)]


def weighed_times(weights: NDArray[Any], count: int, duration_s: float) -> list[tuple[float, float]]:
    """Times of `count` tokens from the timestamp predictor's weights, three a frame.

    Together they weigh as much as there are tokens and an end; each time one more is full, a token begins.
    """
    total = float(weights.sum())
    if total <= 0.0:
        return spread(count, 0.0, duration_s)
    filled = np.cumsum(weights.astype(np.float64)) * ((count + 1) / total)
    begins = np.searchsorted(filled, np.arange(1, count + 2) - 1e-4)
    edges = np.maximum(begins - _EARLY, 0) * (FRAME_S / _WEIGHTS)
    return [(float(start), float(min(end, start + _MAX_TOKEN_S))) for start, end in pairwise(edges)]


class Cif:
    """Continuous integrate-and-fire over the chunks of one utterance: frames in, one embedding a token out.

    The predictor gives each frame a weight; a token is complete ("fires") when the weights reach `threshold`,
    and its embedding is the weighted sum of the frames. What is left waits for the next chunk.
    """

    def __init__(self, width: int, threshold: float, tail_threshold: float) -> None:
        self._threshold = threshold
        self._tail = tail_threshold  # weight added at the very end, so that half a token counts
        self._weight = 0.0
        self._sum = np.zeros(width, np.float32)
        self._ended_s = 0.0

    def feed(
        self, hidden: Floats, weights: Floats, first_frame: int, *, last: bool
    ) -> tuple[Floats, list[tuple[float, float]]]:
        """Embeddings, shape (tokens, width), and times of the tokens that fire in these frames."""
        if last:
            hidden = np.concatenate([hidden, np.zeros((1, hidden.shape[1]), np.float32)])
            weights = np.append(weights, np.float32(self._tail))
        fired: list[Floats] = []
        times: list[tuple[float, float]] = []
        for index, (frame, weight) in enumerate(zip(hidden, weights, strict=True)):
            if self._weight + weight < self._threshold:
                self._weight += float(weight)
                self._sum = self._sum + weight * frame
                continue
            fired.append(self._sum + (self._threshold - self._weight) * frame)
            self._weight += float(weight) - self._threshold
            self._sum = self._weight * frame
            times.append(self._time_of(first_frame + index))
        return np.array(fired, np.float32).reshape(len(fired), hidden.shape[1]), times

    def _time_of(self, frame: int) -> tuple[float, float]:
        end_s = max(self._ended_s, (frame + 1) * FRAME_S)
        start_s = max(self._ended_s, end_s - _MAX_TOKEN_S)
        self._ended_s = end_s
        return start_s, end_s
