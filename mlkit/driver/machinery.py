"""Kernels and workers, started when the first attempt needs them and ended with the run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlkit.driver.order import Order
from mlkit.notebook.imports import modules_to_preload, needs_of_stages
from mlkit.notebook.notebook_runner import NotebookRunner

if TYPE_CHECKING:  # a run that reuses everything needs none of them
    from concurrent.futures import Executor

    from mlkit.notebook.kernels import Kernels

__all__ = ["Machinery"]

FIRST = 3
"""For so many stages a kernel waits as soon as its own imports are there; afterwards all are."""


class Machinery:
    """The kernels and workers of one run; its maker closes it.

    Parameters
    ----------
    order : Order
        How many workers, which kernels; its services may bring a runner or an executor of their
        own. What the pipeline's notebooks import is imported ahead for forked kernels.
    environment : mapping of str to str
        The environment of all kernels.
    """

    def __init__(self, order: Order, environment: Mapping[str, str]) -> None:
        self._order = order
        self._services = order.services
        self._environment = environment
        self._said: list[str] = []
        self._lock = threading.Lock()
        self._kernels: Kernels | None = None
        self._are_lent = False
        self._runner = order.services.runner
        self._executor: Executor | None = None

    def runner(self, stage: str) -> NotebookRunner:
        """Give the notebook runner; the first call starts the kernels' helpers.

        Parameters
        ----------
        stage : str
            The stage that is going to run; kernels for it and for the next ones come first.
        """
        with self._lock:
            if self._runner is None:
                self._kernels = self._open()
                if not self._are_lent:
                    pipeline, chosen = self._order.pipeline, self._order.selection.stages
                    first = needs_of_stages(pipeline, stage, FIRST, chosen)
                    is_alone = len(chosen) == 1 and pipeline.stages[stage].foreach is None
                    self._kernels.prepare(0 if is_alone else 1, first=first)
                # Papermill takes half a second, in which the kernels start already.
                from mlkit.notebook.execute import PapermillRunner

                self._runner = PapermillRunner(self._kernels)
            return self._runner

    @property
    def said(self) -> list[str]:
        """What the kernels had to say; kernels that are lent say it in one run only."""
        lent = self._services.warm if self._are_lent else None
        return [*self._said, *(lent.take_said() if lent is not None else ())]

    def _open(self) -> Kernels:
        """Take the kernels that are kept, or those that were opened early, or open some."""
        kind, ahead, warm = self._order.options.start, self._services.ahead, self._services.warm
        if warm is not None and kind == "fork":
            self._are_lent = True
            warm.may_outlive = self._order.options.is_warm
            return warm.lend(modules_to_preload(self._order.pipeline), self._environment)
        kernels = ahead.take(self._environment) if ahead is not None and kind == "fork" else None
        if ahead is not None and kernels is not None:
            ahead.said[:0], self._said = self._said, ahead.said
        else:
            from mlkit.notebook.kernels import open_kernels  # see above

            kernels = open_kernels(
                kind,
                preload=None,
                env=self._environment,
                say=self._said.append,
                warm=self._order.options.is_warm,
            )
        # An orchestrator calls for one stage after the other: a zygote that stays serves them all.
        chosen = None if kernels.may_outlive else self._order.selection.stages
        kernels.preload(modules_to_preload(self._order.pipeline, chosen))
        return kernels

    def executor(self) -> Executor:
        """Give the executor of attempts."""
        with self._lock:
            if self._executor is None:
                make = self._services.executor or _threads
                self._executor = make(self._order.options.workers)
            return self._executor

    def close(self) -> None:
        """End workers and kernels."""
        with self._lock:
            if self._executor is not None:
                self._executor.shutdown(wait=True, cancel_futures=True)
            if self._kernels is not None and not self._are_lent:
                self._kernels.close()


def _threads(workers: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor  # see above

    return ThreadPoolExecutor(max_workers=workers, thread_name_prefix="mlkit-worker")
