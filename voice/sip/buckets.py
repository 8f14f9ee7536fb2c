"""Token buckets: how many requests a source may send."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class TokenBuckets:
    """One bucket for each key: `burst` tokens at first, then `rate_per_s`; the least recently used keys are
    forgotten above `max_keys`, so that made-up senders cannot fill the memory."""

    def __init__(self, rate_per_s: float, burst: float, max_keys: int = 10_000) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._max_keys = max_keys
        self._levels: OrderedDict[Hashable, tuple[float, float]] = (
            OrderedDict()
        )  # tokens, when they were counted

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: Hashable, now_s: float) -> bool:
        """Take one token; False if there is none. What is refused does not put off the next token."""
        level = self._levels.pop(key, None)
        if level is None:
            tokens = self._burst
            if len(self._levels) >= self._max_keys:
                self._levels.popitem(last=False)
        else:
            tokens = min(self._burst, level[0] + (now_s - level[1]) * self._rate_per_s)
        taken = tokens >= 1
        self._levels[key] = (tokens - taken, now_s)
        return taken
