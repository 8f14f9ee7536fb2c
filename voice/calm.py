"""How long ticks of audio may wait for who listens to them: what is given together wakes the program once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Calm:
    """What may wait after the ticks that were given: told by who listens, asked by the audio clock.

    The next `ticks` are given together, whatever is in them; more of them, `quiet_ticks` at most, while the
    mean magnitude of each is at least `quietest` and below `loudest`. Without anything each is given at once.
    """

    ticks: int = 1
    quiet_ticks: int = 0
    quietest: float = 0.0
    loudest: float = 0.0
    waited: int = 0

    def ends(self, received: bytes, magnitude: Callable[[bytes], float]) -> bool:
        """One more tick has come: whether they are to be given now."""
        self.waited += 1
        if self.waited < self.ticks:
            return False
        return self.waited >= self.quiet_ticks or not self.quietest <= magnitude(received) < self.loudest
