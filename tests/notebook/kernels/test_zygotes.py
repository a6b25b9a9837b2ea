"""Which processes that fork kernels are seen."""

from __future__ import annotations

import os

import pytest

from mlkit.notebook.kernels.zygotes import live_zygotes
from tests.notebook.kernels.conftest import Lab

pytestmark = pytest.mark.kernel


def test_a_zygote_is_seen_and_none_of_its_kernels_is_one(forked: Lab) -> None:
    """With its driver, how many kernels it has, and what it holds."""
    forked.run("1")
    mine = [each for each in live_zygotes() if each.driver == os.getpid()]
    assert len(mine) == 1
    assert mine[0].memory_bytes > 1_000_000
    assert mine[0].kernels >= 0
    assert mine[0].shown().keys() == {"pid", "driver", "kernels", "memory_bytes"}
