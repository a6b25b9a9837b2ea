"""The environment that all worlds share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mlkit
from tests.planner.never_stale.environment import Environment, private_environment


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """An environment of packages that come and go."""
    with private_environment(Path(mlkit.__file__).parents[1]) as made:
        yield made
