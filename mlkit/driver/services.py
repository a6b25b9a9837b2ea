"""What the driver is given from outside, so that tests can give it something else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from mlkit.core.events import Observer
from mlkit.driver.ahead import KernelsAhead
from mlkit.driver.clock import Clock, SystemClock
from mlkit.driver.notifying import AppriseNotifier, Notifier
from mlkit.driver.warm import WarmKernels
from mlkit.frozen import dataclass
from mlkit.notebook.notebook_runner import Cancellation, NotebookRunner

if TYPE_CHECKING:  # it brings logging along; what runs attempts is imported with the first of them
    from concurrent.futures import Executor

__all__ = ["Services"]


@dataclass(frozen=True, kw_only=True)
class Services:
    """The driver's surroundings.

    Parameters
    ----------
    clock : Clock
        Time and waiting.
    notifier : Notifier
        Sends notifications.
    observers : sequence of callable
        Are told of every event.
    runner : NotebookRunner, optional
        Executes notebooks; by default Papermill on real kernels.
    executor : callable, optional
        Makes the executor of attempts from the number of workers; by default threads.
    cancellation : Cancellation
        Ends the run when it is asked for.
    environ : mapping of str to str
        The environment.
    ahead : KernelsAhead, optional
        Kernels that were opened before the pipeline was read.
    warm : WarmKernels, optional
        Kernels that are kept from one run to the next.
    """

    clock: Clock = field(default_factory=SystemClock)
    notifier: Notifier = field(default_factory=AppriseNotifier)
    observers: Sequence[Observer] = ()
    runner: NotebookRunner | None = None
    executor: Callable[[int], Executor] | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    ahead: KernelsAhead | None = None
    warm: WarmKernels | None = None
