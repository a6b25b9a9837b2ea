"""The kernels that features name, and the part of the features that a suite tries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.other_kernels import add_kernel, make_environment


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which Jupyter finds bash and another environment's Python."""
    folder = tmp_path_factory.mktemp("jupyter")
    environment = make_environment(tmp_path_factory.mktemp("other") / "env")
    add_kernel(folder, "bash", [sys.executable, "-m", "bash_kernel"], "bash")
    add_kernel(folder, "other", [str(environment.python), "-m", "ipykernel_launcher"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield folder
