"""Token buckets."""

from __future__ import annotations

import pytest

from voice.sip.buckets import TokenBuckets

pytestmark = [pytest.mark.unit]


def test_token_buckets() -> None:
    buckets = TokenBuckets(rate_per_s=2, burst=3, max_keys=2)
    assert [buckets.take("a", 0) for _ in range(4)] == [True, True, True, False]
    assert [buckets.take("a", 0.5) for _ in range(2)] == [True, False]
    assert [buckets.take("a", at_s) for at_s in (0.7, 0.9, 1.0)] == [
        False,
        False,
        True,
    ]  # refusals put off nothing
    assert [buckets.take("a", 100) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 100)
    assert buckets.take("c", 100)
    assert len(buckets) == 2
    assert buckets.take("a", 100)  # forgotten
