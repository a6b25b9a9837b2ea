"""Few files may be open: fewer stages at once, or a sentence that says what to raise."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.driver.descriptors import EACH, OWN, affordable
from mlkit.errors import RunsFolderError
from mlkit.notebook.notebook_runner import ExecutionRequest, ExecutionResult
from mlkit.testing import FakeRunner, fan_out, run_fake


@given(st.integers(1, 500), st.integers(0, 5000), st.integers(0, 5000))
def test_never_more_than_fit_and_never_none(workers: int, limit: int, used: int) -> None:
    """One is always tried; a further one only with files of its own."""
    chosen = affordable(workers, limit, used)
    assert 1 <= chosen <= workers
    assert chosen == 1 or used + OWN + EACH * chosen <= limit
    if chosen < workers:
        assert used + OWN + EACH * (chosen + 1) > limit


_LIMITED = """
import resource, sys
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from mlkit.cli.main import main
main(sys.argv[3:])
"""


def _run(file: Path, soft: int, hard: int, workers: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _LIMITED, str(soft), str(hard), "run", str(file)]
    return subprocess.run(
        [*command, "--workers", str(workers)], capture_output=True, text=True, timeout=240
    )


def test_too_few_for_a_kernel_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """With what to call; no run is left behind."""
    file = fan_out(tmp_path)
    done = _run(file, 48, 48, 4)
    assert done.returncode == 2
    assert "only 48 files may be open at once here" in done.stderr
    assert "ulimit -n 1024" in done.stderr
    assert "/proc" not in done.stderr
    assert not (file.parent / "runs").exists()


@pytest.mark.kernel
def test_a_low_limit_takes_fewer_workers_and_says_so(tmp_path: Path) -> None:
    """Everything runs."""
    done = _run(fan_out(tmp_path), 100, 100, 8)
    assert done.returncode == 0, done.stderr
    assert "instead of 8 stages ran at once, since only 100 files may be open" in done.stderr
    assert "call 'ulimit -n" in done.stderr


@pytest.mark.kernel
def test_a_limit_that_may_be_raised_is_raised(tmp_path: Path) -> None:
    """Silently, as far as it is needed."""
    done = _run(fan_out(tmp_path), 64, 4096, 4)
    assert done.returncode == 0, done.stderr
    assert "ulimit" not in done.stderr


def test_the_system_says_that_too_many_are_open(tmp_path: Path) -> None:
    """It is no fault of the runs folder: the sentence names the limit and what raises it."""

    def refuse(request: ExecutionRequest) -> ExecutionResult:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/proc")

    with pytest.raises(RunsFolderError) as caught:
        run_fake(fan_out(tmp_path), runner=FakeRunner({"source": [refuse]}))
    assert caught.value.message.startswith("too many files are open at once: the limit here")
    assert caught.value.file is None
    assert "ulimit -n" in str(caught.value.remedy)
