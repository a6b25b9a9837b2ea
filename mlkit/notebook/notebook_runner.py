"""What is asked for when a notebook is executed, and what comes of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlkit.core.pipeline import Kernel
from mlkit.core.record import ErrorRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import Status
from mlkit.frozen import dataclass

if TYPE_CHECKING:  # a run that reuses all executes nothing
    from mlkit.core.kept_kernel import Keeping, KeptKernel
    from mlkit.core.progress import News
    from mlkit.notebook.injection import Assignment
    from mlkit.notebook.stock import StockList

__all__ = [
    "Brief",
    "Cancellation",
    "ExecutionRequest",
    "ExecutionResult",
    "NotebookRunner",
    "OnCell",
]

OnCell = Callable[["News"], None]
"""Told of each code cell that starts, and now and then how far the work in it has come."""


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What an attempt is told, wherever it will be carried out.

    Parameters
    ----------
    env : mapping of str to str
        The kernel's whole environment.
    settings : mapping of str to str
        What of it the pipeline sets, before anything is imported.
    assignments : tuple of Assignment
        What is injected after the parameters cell.
    metadata : mapping
        What the executed notebook's metadata say under `mlkit`.
    timeout_s : float, optional
        The deadline for everything, the kernel's start included.
    imports : frozenset of str, optional
        The top-level modules that the notebook imports, if that is known.
    kernel : Kernel, optional
        The Jupyter kernel that executes it; by default mlkit's own Python.
    scrubber : Scrubber
        What must appear in neither notebook nor log.
    keeping : Keeping, optional
        That the kernel is to be kept if the attempt fails.
    """

    env: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    assignments: tuple[Assignment, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    imports: frozenset[str] | None = None
    kernel: Kernel | None = None
    scrubber: Scrubber = field(default_factory=Scrubber)
    keeping: Keeping | None = None


@dataclass(frozen=True, kw_only=True)
class ExecutionRequest(Brief):
    """One notebook to be executed, with the places where that happens.

    Parameters
    ----------
    document : mapping
        The notebook; it is not changed.
    title : str
        The first line of the injected cell.
    cwd : Path
        The kernel's working directory.
    folder : Path
        The notebook's own folder, first on `sys.path`.
    notebook : Path
        Where the executed notebook is written.
    log : Path
        Where what it prints is written.
    facts : Path
        A scratch file for what the kernel tells about itself; beside it stands what it and its
        children read.
    roots : tuple of str
        The folders whose files count by whatever way they are read.
    never : tuple of str
        Folders and files that count never.
    stock : StockList, optional
        Remembers which notebooks need a stock kernel.
    lacking : callable, optional
        What is amiss though the notebook has run to its end; asked while its kernel is there, if
        that is to be kept.
    """

    document: Mapping[str, Any]
    cwd: Path
    folder: Path
    notebook: Path
    log: Path
    facts: Path
    title: str = "Parameters"
    roots: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    stock: StockList | None = None
    lacking: Callable[[], ErrorRecord | None] | None = None


@dataclass(frozen=True, kw_only=True)
class ExecutionResult:
    """How an execution ended.

    Parameters
    ----------
    status : Status
        succeeded, failed, skipped or cancelled.
    reason : str
        Of a skipped one: what the notebook said.
    error : ErrorRecord, optional
        Of a failed one.
    modules : mapping of str to str
        The project modules that were imported, with their files.
    imported : tuple of str
        All top-level modules that the kernel knew at the end.
    records : tuple of list
        What was read, as `mlkit.inside.recorder` wrote it down.
    unstable : tuple of str
        Why the result must not be reused, if anything stands against it.
    cpu_s, peak_memory_bytes : optional
        What the kernel used; None where it died.
    told : bool
        Whether the kernel told what it had read; a result that hides it is never reused.
    kept : KeptKernel, optional
        The kernel, if it is kept.
    not_kept : str
        Why it is not, where it was to be.
    """

    status: Status
    reason: str = ""
    error: ErrorRecord | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    imported: tuple[str, ...] = ()
    records: tuple[Sequence[Any], ...] = ()
    unstable: tuple[str, ...] = ()
    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    told: bool = True
    kept: KeptKernel | None = None
    not_kept: str = ""


class Cancellation:
    """A request to stop that reaches every execution under way, from any thread.

    A run can also be *withdrawn*: it begins nothing more, those of its executions are stopped that
    have become pointless, and the others come to their end. Each of them has its own part of the
    run's cancellation.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._requested = False
        self._why = ""
        self._parts: dict[Cancellation, str] = {}  # runs that share it have the same names
        self._pointless: Callable[[str], bool] | None = None
        self._wakers: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        """Whether it was asked for."""
        return self._requested

    @property
    def why(self) -> str:
        """Why, in the words of the first that asked; empty where that needs none."""
        return self._why

    def request(self, why: str = "") -> None:
        """Ask every execution to stop; a second time does nothing.

        Parameters
        ----------
        why : str
            Why, for the records of what is stopped.
        """
        with self._lock:
            if not self._requested:
                self._why = why
            self._requested = True
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    @property
    def withdrawn(self) -> bool:
        """Whether nothing more is to begin."""
        return self._pointless is not None

    def withdraw(self, pointless: Callable[[str], bool]) -> None:
        """Let nothing more begin, and stop some of what is under way.

        Parameters
        ----------
        pointless : callable
            Whether an execution, by its name, is to be stopped.
        """
        with self._lock:
            self._pointless = pointless
            parts = [part for part, name in self._parts.items() if pointless(name)]
            wakers = list(self._wakers)
        for call in wakers:
            call()
        for part in parts:
            part.request()

    def on_withdrawal(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at each withdrawal, before anything is stopped; returns how to end that."""
        with self._lock:
            self._wakers.append(callback)

        def forget() -> None:
            with self._lock:
                self._wakers.remove(callback)

        return forget

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Cancellation]:
        """Give the cancellation of one execution; it is asked for with the whole, or alone."""
        part = Cancellation()
        with self._lock:
            self._parts[part] = name
            pointless = self._pointless is not None and self._pointless(name)
        unsubscribe = self.subscribe(part.request)
        if pointless:
            part.request()
        try:
            yield part
        finally:
            unsubscribe()
            with self._lock:
                del self._parts[part]

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once when it is asked for (at once if it was); returns how to unsubscribe."""
        with self._lock:
            if not self._requested:
                key = id(callback)
                self._callbacks[key] = callback
                return lambda: self._drop(key)
        callback()
        return lambda: None

    def _drop(self, key: int) -> None:
        with self._lock:
            self._callbacks.pop(key, None)


class NotebookRunner(Protocol):
    """What executes notebooks: Papermill on real kernels, or a fake in tests."""

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Execute one notebook, in the calling thread; a failure is a value, not an exception."""
        ...
