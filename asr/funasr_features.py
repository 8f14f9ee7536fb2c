"""FunASR's features for the ONNX models: log-mel, six steps of 10 ms stacked to a frame, normalised.

Incremental: the frames are the same in whatever pieces the audio comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldi_native_fbank
import numpy as np

from asr import ModelError
from asr.funasr_decoding import SAMPLE_RATE, Floats


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """How a model wants its features; `shift` and `scale` have one number for each column."""

    mels: int
    frame_ms: float
    step_ms: float
    window: str
    stacked: int  # steps in a frame
    stride: int  # steps from one frame to the next
    shift: Floats
    scale: Floats

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.mels * self.stacked


def load_front_end(folder: Path, config: dict[str, Any]) -> FrontEnd:
    """The front end of the model in `folder` from its `config` and its am.mvn. Raises ModelError."""
    conf = config.get("frontend_conf") or {}
    rate = int(conf.get("fs", SAMPLE_RATE))
    if rate != SAMPLE_RATE:
        raise ModelError(f"{folder}: a model for {rate} Hz; use one for {SAMPLE_RATE} Hz")
    shift, scale = _normalisation(folder / "am.mvn")
    front_end = FrontEnd(
        int(conf.get("n_mels", 80)),
        float(conf.get("frame_length", 25)),
        float(conf.get("frame_shift", 10)),
        str(conf.get("window", "hamming")),
        int(conf.get("lfr_m", 1)),
        int(conf.get("lfr_n", 1)),
        shift,
        scale,
    )
    if not len(shift) == len(scale) == front_end.width:
        raise ModelError(
            f"{folder / 'am.mvn'}: {len(shift)} columns, but config.yaml says {front_end.width}; "
            "fetch both anew from one place"
        )
    return front_end


def _normalisation(path: Path) -> tuple[Floats, Floats]:
    """The vectors after <AddShift> and <Rescale> of Kaldi's text format."""
    try:
        fields = path.read_text(encoding="utf-8").split()
        rows = [_vector(fields, fields.index(name)) for name in ("<AddShift>", "<Rescale>")]
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a normalisation file of FunASR ({error}); fetch it anew") from error
    return rows[0], rows[1]


def _vector(fields: list[str], start: int) -> Floats:
    begin = fields.index("[", start) + 1
    return np.array(fields[begin : fields.index("]", begin)], np.float32)


class Features:
    """One utterance's features."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._front_end = front_end
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.samp_freq = SAMPLE_RATE
        options.frame_opts.dither = 0  # noise would make two hearings of one audio differ
        options.frame_opts.window_type = front_end.window
        options.frame_opts.frame_length_ms = front_end.frame_ms
        options.frame_opts.frame_shift_ms = front_end.step_ms
        options.mel_opts.num_bins = front_end.mels
        options.energy_floor = 0
        self._mel = kaldi_native_fbank.OnlineFbank(options)
        self._read = 0
        self._steps = np.zeros((0, front_end.mels), np.float32)  # from the first step of the next frame on

    def accept(self, samples: np.ndarray[Any, np.dtype[np.int16]], *, last: bool) -> Floats:
        """The frames that are complete now, shape (frames, columns); after the `last` samples all."""
        self._mel.accept_waveform(SAMPLE_RATE, samples.astype(np.float32).tolist())
        ready = self._mel.num_frames_ready
        new = [self._mel.get_frame(index) for index in range(self._read, ready)]
        if new and not self._read:
            new = [new[0]] * (
                (self._front_end.stacked - 1) // 2
            ) + new  # the first frame has its middle there
        self._read = ready
        if new:
            self._steps = np.concatenate([self._steps, np.stack(new)])
        return (self._stack(last=last) + self._front_end.shift) * self._front_end.scale

    def _stack(self, *, last: bool) -> Floats:
        stacked, stride = self._front_end.stacked, self._front_end.stride
        count = max(0, (len(self._steps) - stacked) // stride + 1)
        if last and len(self._steps):
            # As many frames as strides begun; the last step is repeated to fill the last ones.
            count = -(-max(0, len(self._steps) - (stacked - 1) // 2) // stride)
            missing = max(0, (count - 1) * stride + stacked - len(self._steps))
            self._steps = np.concatenate([self._steps, np.repeat(self._steps[-1:], missing, axis=0)])
        frames = [self._steps[at * stride : at * stride + stacked].reshape(-1) for at in range(count)]
        self._steps = self._steps[count * stride :]
        return np.array(frames, np.float32).reshape(count, self._front_end.width)
