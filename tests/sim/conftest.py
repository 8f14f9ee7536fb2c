"""Failed checks in the scenarios' own module are explained as in a test module."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.sim.scenario")
