"""Agents for the tests over real SIP: starting one takes seconds, so most tests share one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sip.agent import Agent, running_agent, voice_cache


@pytest.fixture(scope="session", name="voice_cache")
def _voice_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voice_cache(tmp_path_factory)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, voice_cache: Path) -> Iterator[Agent]:
    """An agent without seats, so that one more call than usual finds a leg."""
    limits = {"max_calls": 3}
    with running_agent(tmp_path_factory.mktemp("agent"), voice_cache, limits=limits) as running:
        yield running
