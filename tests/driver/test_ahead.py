"""Kernels are opened before the pipeline is read, but only where something is sure to run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mlkit import RunOptions, run
from mlkit.driver.ahead import is_sure_to_run, kernels_ahead
from mlkit.driver.services import Services
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.testing import Sketch, write_pipeline

MAIN = "from mlkit.cli.main import main; main()"


def test_a_first_run_and_a_run_after_an_edit_are_sure_to_run_something(tmp_path: Path) -> None:
    """One that finds everything as it was is not; nor does a note beside the notebooks count."""
    runs = tmp_path / "runs"
    source = tmp_path / "a.ipynb"
    source.touch()
    assert is_sure_to_run(tmp_path, runs)
    runs.mkdir()
    (runs / "mlkit.db").touch()
    os.utime(runs / "mlkit.db", (2e9, 2e9))
    assert not is_sure_to_run(tmp_path, runs)
    os.utime(source, (2e9 + 1, 2e9 + 1))
    assert is_sure_to_run(tmp_path, runs)
    source.rename(tmp_path / "a.txt")
    assert not is_sure_to_run(tmp_path, runs)


def test_kernels_that_nobody_takes_are_closed() -> None:
    """With everything that belongs to them."""
    with kernels_ahead() as ahead:
        assert isinstance(ahead.kernels, ForkKernels)
        zygote = ahead.kernels._zygote.pid
        folder = ahead.kernels._leash.folder
        assert psutil.pid_exists(zygote)
    assert not psutil.pid_exists(zygote)
    assert not folder.exists()


@pytest.mark.kernel
def test_a_run_takes_the_kernels_that_were_opened_for_it_and_closes_them(tmp_path: Path) -> None:
    """What to import ahead they are told when the pipeline is known."""
    body = (
        "import sys\nhidden = next(f for f in sys.meta_path if type(f).__name__ == 'Hidden')\n"
        "open(out, 'w').write(str('yaml' in hidden))\nif 0: import yaml"
    )
    file = write_pipeline(tmp_path, Sketch(name="a", body=body))
    with kernels_ahead() as ahead:
        assert isinstance(ahead.kernels, ForkKernels)
        zygote = ahead.kernels._zygote.pid
        record = run(file, options=RunOptions(workers=1), services=Services(ahead=ahead))
        assert not psutil.pid_exists(zygote)
    assert ahead.taken
    assert Path(record.stages["a"].outputs["out"]).read_text() == "True"


@pytest.mark.kernel
def test_kernels_opened_in_another_environment_are_not_taken(tmp_path: Path) -> None:
    """They would not be what was asked for."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    with kernels_ahead() as ahead:
        surroundings = Services(ahead=ahead, environ={**os.environ, "COLOUR": "green"})
        assert run(file, options=RunOptions(workers=1), services=surroundings).ok
        assert not ahead.taken


def test_a_mistake_in_the_pipeline_is_said_at_once_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """The kernels' helpers had been started by then."""
    (tmp_path / "pipeline.yaml").write_text("name: x\nstages: {a: {notebook: none.ipynb}}\n")
    started = time.monotonic()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", MAIN, "run", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert "none.ipynb" in done.stderr
    assert time.monotonic() - started < 30
    assert [item.name for item in tmp_path.iterdir()] == ["pipeline.yaml"]
