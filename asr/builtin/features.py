"""What the network hears: Kaldi's MFCC of telephone audio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asr.builtin.line import SAMPLE_RATE, Samples

DIMENSIONS = 40
MFCC_CONF = """\
--use-energy=false
--sample-frequency=8000
--num-mel-bins=40
--num-ceps=40
--low-freq=40
--high-freq=-200
--dither=0
"""


def mfcc(samples: Samples) -> npt.NDArray[np.float32]:
    """(frames, DIMENSIONS), one frame every 10 ms, computed as Vosk does by MFCC_CONF."""
    import kaldi_native_fbank  # of the extra `builder`; who wants only the shape does without it

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = DIMENSIONS
    options.mel_opts.low_freq = 40
    options.mel_opts.high_freq = -200
    options.num_ceps = DIMENSIONS
    options.use_energy = False
    engine = kaldi_native_fbank.OnlineMfcc(options)
    engine.accept_waveform(SAMPLE_RATE, np.ascontiguousarray(samples, np.float32))
    engine.input_finished()
    frames = [engine.get_frame(index) for index in range(engine.num_frames_ready)]
    return np.stack(frames) if frames else np.zeros((0, DIMENSIONS), np.float32)
