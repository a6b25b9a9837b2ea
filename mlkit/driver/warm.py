"""Kernels that are kept from one run to the next, so that a round of a watch is short."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a run that reuses everything needs none of them
    from mlkit.notebook.kernels import Kernels

__all__ = ["WarmKernels"]


class WarmKernels:
    """Lends the same forked kernels to one run after the other; its maker closes it.

    They are opened anew where they would no longer be what a fresh run has: in another
    environment, where a notebook imports a package that is not imported ahead yet, after `renew`,
    or where somebody has killed the process that forks. At most one run uses them at a time.

    Attributes
    ----------
    may_outlive : bool
        Whether what forks may be what an earlier run has left, and may stay for others.
    """

    def __init__(self) -> None:
        self.may_outlive = False
        self._said: list[str] = []
        self._lock = threading.Lock()
        self._kernels: Kernels | None = None
        self._environment: Mapping[str, str] = {}
        self._names: frozenset[str] = frozenset()
        self._closing: list[threading.Thread] = []

    def lend(self, names: Sequence[str], environment: Mapping[str, str]) -> Kernels:
        """Give kernels in which some modules are imported ahead; they stay this object's.

        Parameters
        ----------
        names : sequence of str
            What the pipeline's notebooks import.
        environment : mapping of str to str
            The environment of all kernels.
        """
        with self._lock:
            said = len(self._said)
            if self._kernels is not None and self._kernels.is_worn_out:
                self._said[said:] = ["the forking process had ended: another one is started"]
                self._let_go()
            elif not self._names.issuperset(names) or environment != self._environment:
                self._let_go()
            if self._kernels is None:
                self._names, self._environment = frozenset(names), environment
                from mlkit.notebook.kernels import open_kernels  # see above

                self._kernels = open_kernels(
                    "fork",
                    preload=names,
                    env=environment,
                    say=self._said.append,
                    warm=self.may_outlive,
                )
                self._kernels.prepare(1)  # waits, booted, for the next attempt
            return self._kernels

    def take_said(self) -> list[str]:
        """What was said since the last call."""
        said, self._said[:] = list(self._said), []
        return said

    def renew(self) -> None:
        """Open others for the next run: what is installed has changed."""
        with self._lock:
            self._let_go()

    def close(self) -> None:
        """End all kernels and what they were forked from."""
        with self._lock:
            self._let_go()
            for thread in self._closing:
                thread.join()

    def _let_go(self) -> None:
        """Close the kernels aside: the next run need not wait for that."""
        kernels, self._kernels = self._kernels, None
        if kernels is not None:
            self._closing = [thread for thread in self._closing if thread.is_alive()]
            thread = threading.Thread(target=kernels.close, name="mlkit-closing", daemon=True)
            thread.start()
            self._closing.append(thread)
