"""Writes the acoustic model as Kaldi reads it (am/final.mdl): the transition model and the network.

The binary format is read off Kaldi's own readers: hmm/transition-model.cc, nnet3/nnet-nnet.cc, matrix/. Each
phone is one state whose forward transition is the phone's output and whose loop is the blank's.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.builtin.features import DIMENSIONS, MFCC_CONF
from asr.builtin.phones import BLANK, ID_OF, PLACED, pdf_of

Matrix = npt.NDArray[np.float32]


class _Writer:
    """Kaldi's binary basics: tokens, sized numbers, vectors, matrices."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0B")

    def tokens(self, *names: str) -> None:
        self.data += b"".join(name.encode() + b" " for name in names)

    def line(self, text: str) -> None:
        self.data += text.encode() + b"\n"

    def integers(self, *values: int) -> None:
        for value in values:
            self.data += struct.pack("<bi", 4, value)

    def floating(self, value: float) -> None:
        self.data += struct.pack("<bf", 4, value)

    def double(self, value: float) -> None:
        self.data += struct.pack("<bd", 8, value)

    def integer_vector(self, values: Sequence[int]) -> None:
        self.data += struct.pack("<bi", 4, len(values)) + np.asarray(values, "<i4").tobytes()

    def vector(self, values: Iterable[float] | Matrix) -> None:
        array = np.asarray(values, "<f4")
        self.tokens("FV")
        self.integers(len(array))
        self.data += array.tobytes()

    def matrix(self, values: Matrix) -> None:
        """Compressed to a byte a value, each column between its own quartiles (Kaldi's CM)."""
        least, span = float(values.min()), float(values.max() - values.min()) or 1.0
        marks = np.percentile(values, (0, 25, 75, 100), axis=0)
        marks = np.round((marks - least) / span * 65535).astype(np.int64)
        marks += np.arange(4)[:, None]  # kept apart, as Kaldi wants them
        marks -= np.maximum(0, marks[3] - 65535)
        low, first, third, high = marks / 65535 * span + least
        codes = np.where(
            values < first,
            (values - low) / (first - low) * 64,
            np.where(
                values < third,
                64 + (values - first) / (third - first) * 128,
                192 + (values - third) / (high - third) * 63,
            ),
        )
        self.tokens("CM")
        self.data += struct.pack("<ffii", least, span, *values.shape)
        self.data += marks.T.astype("<u2").tobytes()
        self.data += np.clip(np.round(codes), 0, 255).astype("u1").T.tobytes()


def write_acoustic_model(
    layers: Sequence[tuple[Matrix, Matrix]],
    splice: Sequence[int],
    offsets: Sequence[Sequence[int]],
    stride: int,
    folder: Path,
) -> None:
    """Write am/final.mdl and conf/mfcc.conf into the model `folder`.

    `layers` are (weight, bias) with ReLU between them: the first over frames at `splice`, the last over its
    predecessor alone, the others over theirs at `offsets` (in units of `stride` frames).
    """
    writer = _Writer()
    _transition_model(writer)
    _network(writer, layers, splice, offsets, stride)
    (folder / "am").mkdir(parents=True, exist_ok=True)
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "am" / "final.mdl").write_bytes(writer.data)
    (folder / "conf" / "mfcc.conf").write_text(MFCC_CONF, encoding="utf-8")


def _transition_model(writer: _Writer) -> None:
    phones = range(1, len(PLACED) + 1)
    writer.tokens("<TransitionModel>", "<Topology>")
    writer.integer_vector(phones)
    writer.integer_vector([-1] + [0] * len(phones))  # every phone has topology 0
    writer.integers(-1, 1)  # loops have outputs of their own; one topology follows
    writer.integers(
        2, 0, 1, 2
    )  # of two states, the first with forward class 0, loop class 1, two transitions
    for goal in (0, 1):
        writer.integers(goal)
        writer.floating(0.5)
    writer.integers(-1, -1, 0)  # the second state only ends
    writer.tokens("</Topology>", "<Tuples>")
    writer.integers(len(phones))
    for phone in PLACED:
        writer.integers(ID_OF[phone], 0, pdf_of(phone), BLANK)
    writer.tokens("</Tuples>", "<LogProbs>")
    writer.vector([0.0, *[math.log(0.5)] * (2 * len(phones))])
    writer.tokens("</LogProbs>", "</TransitionModel>")


def _network(
    writer: _Writer,
    layers: Sequence[tuple[Matrix, Matrix]],
    splice: Sequence[int],
    offsets: Sequence[Sequence[int]],
    stride: int,
) -> None:
    def spliced(name: str, shifts: Iterable[int]) -> str:
        return "Append(" + ", ".join(f"Offset({name}, {shift})" if shift else name for shift in shifts) + ")"

    last = len(layers) - 1
    writer.tokens("<Nnet3>")
    writer.line("")
    writer.line(f"input-node name=input dim={DIMENSIONS}")
    source = spliced("input", splice)
    for index in range(len(layers)):
        writer.line(f"component-node name=affine{index} component=affine{index} input={source}")
        if index < last:
            writer.line(f"component-node name=relu{index} component=relu{index} input=affine{index}")
            shifts = [stride * shift for shift in offsets[index]] if index < len(offsets) else [0]
            source = spliced(f"relu{index}", shifts) if len(shifts) > 1 else f"relu{index}"
    writer.line(f"output-node name=output input=affine{last} objective=linear")
    writer.line("")
    writer.tokens("<NumComponents>")
    writer.integers(2 * len(layers) - 1)
    for index, (weight, bias) in enumerate(layers):
        writer.tokens("<ComponentName>", f"affine{index}", "<FixedAffineComponent>", "<LinearParams>")
        writer.matrix(weight)
        writer.tokens("<BiasParams>")
        writer.vector(bias)
        writer.tokens("</FixedAffineComponent>")
        if index < last:
            writer.tokens("<ComponentName>", f"relu{index}", "<RectifiedLinearComponent>", "<Dim>")
            writer.integers(len(bias))
            writer.tokens("<ValueAvg>")
            writer.vector([])
            writer.tokens("<DerivAvg>")
            writer.vector([])
            writer.tokens("<Count>")
            writer.double(0.0)
            writer.tokens("</RectifiedLinearComponent>")
    writer.tokens("</Nnet3>", "<LeftContext>")
    writer.integers(0)
    writer.tokens("<RightContext>")
    writer.integers(0)
    writer.tokens("<Priors>")
    writer.vector([])
