"""Which processes that fork kernels are seen."""

from __future__ import annotations

import os

import pytest

from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.notebook.kernels.zygotes import live_zygotes
from tests.notebook.kernels.conftest import Lab

pytestmark = pytest.mark.kernel


def test_a_zygote_is_seen_and_none_of_its_kernels_is_one(forked: Lab) -> None:
    """With its driver, how many kernels it has, and what it holds."""
    forked.run("1")
    assert isinstance(forked.kernels, ForkKernels)
    zygote = forked.kernels._zygote
    mine = [each for each in live_zygotes() if each.pid == zygote.pid]
    assert len(mine) == 1
    assert mine[0].memory_bytes > 1_000_000
    assert mine[0].kernels >= 0
    shown = {"pid", "driver", "kernels", "memory_bytes", "is_warm", "until"}
    assert mine[0].shown().keys() == shown
    assert mine[0].is_warm == zygote.is_shared
    assert mine[0].driver == (None if zygote.is_shared else os.getpid())
    assert mine[0].until is None
