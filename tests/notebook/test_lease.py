"""A kernel that does not answer is replaced by a stock one; the start is no attempt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.states import Status
from mlkit.notebook import lease
from mlkit.notebook.kernels import KernelKind, KernelRequest, Kernels
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from tests.notebook.conftest import Bench

pytestmark = pytest.mark.kernel


class Deaf:
    """Gives out kernels of which the first ones are spoiled; notes what was asked for."""

    def __init__(self, kernels: Kernels, spoil: Callable[[Any], None], count: int) -> None:
        self._kernels = kernels
        self._spoil = spoil
        self._left = count
        self.asked: list[KernelRequest] = []

    def manager(self, request: KernelRequest) -> Any:
        """Make a manager, spoiled or whole."""
        self.asked.append(request)
        manager = self._kernels.manager(request)
        if self._left:
            self._left -= 1
            self._spoil(manager)
        return manager


def never_ready(manager: Any) -> None:
    """The kernel lives, but its client never hears of it."""
    whole = manager.client

    def client(**options: Any) -> Any:
        made = whole(**options)

        async def wait_for_ready(timeout: float | None = None) -> None:
            raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

        made.wait_for_ready = wait_for_ready
        return made

    manager.client = client


def never_launched(manager: Any) -> None:
    """The kernel's process cannot even be made."""

    async def start_kernel(**_: Any) -> None:
        raise RuntimeError("no process to be had")

    manager.start_kernel = start_kernel


def deaf_bench(
    kernels: Kernels, folder: Path, spoil: Callable[[Any], None], count: int
) -> tuple[Bench, Deaf]:
    """A bench whose first kernels are spoiled."""
    deaf: Any = Deaf(kernels, spoil, count)
    return Bench(kernels=deaf, folder=folder), deaf


@pytest.mark.parametrize("spoil", [never_ready, never_launched])
def test_a_kernel_that_does_not_answer_is_replaced(
    kernels_of_kind: Callable[[KernelKind], Kernels],
    tmp_path: Path,
    spoil: Callable[[Any], None],
) -> None:
    """The notebook runs once, on the second kernel, which is a stock one; the log says why."""
    bench, deaf = deaf_bench(kernels_of_kind("spawn"), tmp_path, spoil, 1)
    outcome = bench.run("print('here')")
    assert outcome.result.status is Status.SUCCEEDED
    assert outcome.cells_told == [(1, 1)]
    # On a busy machine ipykernel's own end may be a traceback that it prints behind this.
    why, here, *_ = outcome.log.splitlines()
    assert why.startswith("mlkit: another kernel is started, a stock one: ")
    assert here == "here"
    assert outcome.log.splitlines().count("here") == 1
    assert [request.preload_ok for request in deaf.asked] == [True, False]
    assert replace(deaf.asked[0], preload_ok=False) == deaf.asked[1]


@pytest.mark.parametrize("spoil", [never_ready, never_launched])
def test_when_none_answers_the_attempt_fails_with_a_sentence(
    kernels_of_kind: Callable[[KernelKind], Kernels],
    tmp_path: Path,
    spoil: Callable[[Any], None],
) -> None:
    """After the last of them: a dead kernel, named, that a retry may try again."""
    limits = len(lease.START_LIMITS_S)
    bench, deaf = deaf_bench(kernels_of_kind("spawn"), tmp_path, spoil, limits)
    error = bench.run("print('here')").result.error
    assert error is not None
    assert error.type == "DeadKernel"
    assert error.message.startswith("the kernel could not be started: ")
    assert len(deaf.asked) == limits


def test_a_spare_kernel_is_the_one_that_executes(forked: Bench) -> None:
    """It was booted with the arguments of an execution, so it need not be thrown away."""
    kernels = forked.kernels
    assert isinstance(kernels, ForkKernels)
    kernels.prepare(1)
    try:
        spare = kernels._spares[0].process
        deadline = time.monotonic() + 30
        while spare.poll() is None and not spare.pid and time.monotonic() < deadline:
            time.sleep(0.01)
        outcome = forked.run("import os\nprint(os.getpid())")
    finally:
        kernels.prepare(0)
    assert int(outcome.log) == spare.pid


def test_what_executions_run_is_not_written_into_the_history_of_a_user(bench: Bench) -> None:
    """Their history stays in memory."""
    assert bench.run("print(get_ipython().history_manager.hist_file)").log == ":memory:\n"
