"""Engines that are missing fail their tests with what to do about it."""

from __future__ import annotations

import os

import pytest

from mlkit.engines.environments import find_python
from mlkit.engines.registry import ENGINES


@pytest.fixture(autouse=True)
def _engine_is_there(request: pytest.FixtureRequest) -> None:
    """A test of an engine needs that engine's environment; it is never passed over."""
    name = getattr(request.cls, "engine", None)
    if name is not None and find_python(ENGINES[name], os.environ) is None:
        pytest.fail(f"{ENGINES[name].title} is not there: run 'make engines'")
