"""Let zygotes outlive the runs that start them, as at a desk, and none outlive a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes, warm_zygotes

__all__ = ["lasting_zygotes"]


@contextmanager
def lasting_zygotes() -> Iterator[None]:
    """Have runs of this process and of what it starts fork from what earlier ones have left."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.delenv("MLKIT_NO_WARM")
        patch.delenv("CI", raising=False)
        yield
        stop_warm_zygotes(env=os.environ)
        assert warm_zygotes(os.environ) == ()
